// A function that sets TF and returns past its caller, exactly to where its caller's caller waits: by POPF and RET, by IRET, and by the context
// that a signal handler has changed. Each time code that has been run often; the traps say where they came.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

long outer(long turns, long how);
extern char waits[];

// outer calls middle `turns` times, middle calls inner; inner does the last time as `how` says.
asm(".text\n"
    "outer:\n"
    "  push %rbx\n"
    "  push %r12\n"
    "  mov %rdi, %rbx\n"
    "  mov %rsi, %r12\n"
    "  xor %eax, %eax\n"
    "1:\n"
    "  xor %edi, %edi\n"
    "  dec %rbx\n"
    "  cmovz %r12, %rdi\n"
    "  call middle\n"
    "waits:\n"
    "  lea 1(%rax), %rax\n"
    "  test %rbx, %rbx\n"
    "  jnz 1b\n"
    "  pop %r12\n"
    "  pop %rbx\n"
    "  ret\n"
    "  .p2align 4\n"
    "middle:\n"
    "  lea 8(%rax), %rax\n"
    "  call inner\n"
    "  lea -8(%rax), %rax\n"
    "  .fill 60, 1, 0x90\n" // Too long for a copy in the caller's translation.
    "  ret\n"
    "  .p2align 4\n"
    "inner:\n"
    "  lea 16(%rax), %rax\n"
    "  cmp $1, %edi\n"
    "  je 2f\n"
    "  cmp $2, %edi\n"
    "  je 3f\n"
    "  cmp $3, %edi\n"
    "  je 4f\n"
    "  .fill 60, 1, 0x90\n"
    "  lea -16(%rax), %rax\n"
    "  ret\n"
    "2:\n"
    "  lea 8(%rsp), %rsp\n"
    "  push $0x302\n"
    "  popf\n"
    "  ret\n"
    "3:\n"
    "  lea 16(%rsp), %rdx\n"
    "  mov %ss, %ecx\n"
    "  push %rcx\n"
    "  push %rdx\n"
    "  push $0x302\n"
    "  mov %cs, %ecx\n"
    "  push %rcx\n"
    "  lea waits(%rip), %rcx\n"
    "  push %rcx\n"
    "  iretq\n"
    "4:\n"
    "  ud2\n");

static int traps;

static void handler(int signal, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (signal == SIGILL) {
    r[REG_RIP] = (greg_t)waits;
    r[REG_RSP] += 16;
    r[REG_EFL] |= 0x100;
    return;
  }
  printf("  trap %d at waits%+ld code %d\n", ++traps, (long)(r[REG_RIP] - (greg_t)waits), info->si_code);
  if (traps == 3) r[REG_EFL] &= ~0x100;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  sigaction(SIGILL, &action, NULL);
  for (int how = 0; how < 4; how++) {
    for (int round = 0; round < 3; round++) {
      traps = 0;
      printf("%d\n", how);
      fflush(stdout);
      long result = outer(5000, how);
      printf("  result %ld\n", result);
    }
  }
  return 0;
}
