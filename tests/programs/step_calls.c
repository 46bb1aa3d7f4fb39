// Steps through system calls with the trap flag: where SIGTRAP comes, compared with a real kernel.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define TF 0x100

extern char code_begin[], code_end[];

static struct step {
  long offset, rax, rcx;
  unsigned flags, r11;
  int code;
} steps[256];
static volatile int count;

static void on_trap(int signal, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  (void)signal;
  if (count == 256) {
    r[REG_EFL] &= ~TF;
    return;
  }
  struct step *s = &steps[count++];
  s->offset = r[REG_RIP] - (long)code_begin;
  s->rax = r[REG_RAX];
  s->rcx = r[REG_RCX] - (long)code_begin;
  s->flags = r[REG_EFL] & 0xdd5;
  s->r11 = r[REG_R11] & 0xdd5;
  s->code = info->si_code;
}

/* With TF when `flag` is that. */
__attribute__((noinline, noclone)) static void code(long flag) {
  asm volatile(
      "sub $256, %%rsp\n xor %%eax, %%eax\n pushfq\n orq %[flag], (%%rsp)\n popfq\n"
      "code_begin: .globl code_begin\n"
      "nop\n"
      // One that is answered at once, one after the other, one that fails, and one whose flags are seen afterwards.
      "mov %[getpid], %%eax\n syscall\n nop\n nop\n"
      "mov %[gettid], %%eax\n syscall\n mov %[getpid], %%eax\n syscall\n"
      "mov %[getpid], %%eax\n syscall\n syscall\n syscall\n nop\n"
      "mov %[gettid], %%eax\n stc\n std\n syscall\n jc 1f\n nop\n 1: cld\n"
      "mov $-1, %%eax\n syscall\n pushfq\n pop %%rax\n"
      "mov %[yield], %%eax\n syscall\n xor %%eax, %%eax\n"
      "mov $2, %%ecx\n lea 2f(%%rip), %%rdx\n mov %[getpid], %%eax\n syscall\n jmp *%%rdx\n nop\n 2: nop\n"
      "pushfq\n andq $~0x100, (%%rsp)\n popfq\n"
      "nop\n"
      "mov %[getpid], %%eax\n syscall\n nop\n nop\n"
      "add $256, %%rsp\n"
      "code_end: .globl code_end\n"
      :
      : [getpid] "i"(SYS_getpid), [gettid] "i"(SYS_gettid), [yield] "i"(SYS_sched_yield), [flag] "r"(flag)
      : "rax", "rcx", "rdx", "r11", "memory", "cc");
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  long self = getpid();
  sigaction(SIGTRAP, &action, 0);
  // Often enough for a translator.
  for (int i = 0; i < 5000; i++) code(0);
  code(TF);
  for (int i = 0; i < count; i++) {
    struct step *s = &steps[i];
    printf("%3d: +%ld rax %ld flags %x code %d", i, s->offset, s->rax == self ? 1234 : s->rax, s->flags, s->code);
    if (s->rcx > 0 && s->rcx < code_end - code_begin) printf(" rcx +%ld r11 %x", s->rcx, s->r11);
    printf("\n");
  }
  printf("%d steps\n", count);
  return 0;
}
