/* Runs x87 instructions on the host, one per record, for x87_native_test.ts.
 *
 * stdin:  512 bytes FXSAVE64 image, 128 memory operand (at RDX), 16 code (padded with NOPs), 8 RFLAGS
 * stdout: 512 bytes image afterwards, 128 memory operand, 8 RFLAGS, 8 RAX */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct in {
  uint8_t image[512], memory[128], code[16];
  uint64_t flags;
};
struct out {
  uint8_t image[512], memory[128];
  uint64_t flags, rax;
};
static struct in in __attribute__((aligned(64)));
static struct out out __attribute__((aligned(64)));

static const uint8_t before[] = {
    0x48, 0x0f, 0xae, 0x0f,             /* fxrstor64 [rdi] */
    0x31, 0xc0,                         /* xor eax, eax */
    0xff, 0xb7, 0x90, 0x02, 0x00, 0x00, /* push qword [rdi+656] */
    0x9d,                               /* popfq */
};
static const uint8_t after[] = {
    0x9c, 0x41, 0x58,                         /* pushfq; pop r8 */
    0x48, 0x0f, 0xae, 0x06,                   /* fxsave64 [rsi] */
    0xdb, 0xe3,                               /* fninit */
    0x4c, 0x89, 0x86, 0x80, 0x02, 0x00, 0x00, /* mov [rsi+640], r8 */
    0x48, 0x89, 0x86, 0x88, 0x02, 0x00, 0x00, /* mov [rsi+648], rax */
    0xc3,                                     /* ret */
};

int main(void) {
  uint8_t *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint8_t *code = page + sizeof before;
  if (page == MAP_FAILED) return 1;
  memcpy(page, before, sizeof before);
  memcpy(code + 16, after, sizeof after);
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    uint64_t rax;
    memcpy(code, in.code, 16);
    memcpy(out.memory, in.memory, 128);
    __asm__ volatile("call *%3"
                     : "=a"(rax)
                     : "D"(&in), "S"(&out), "r"(page), "d"(out.memory)
                     : "r8", "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    if (fwrite(&out, sizeof out, 1, stdout) != 1) return 1;
  }
  return 0;
}
