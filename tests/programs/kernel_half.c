// Addresses of page faults in the kernel's half of the address space, by reading, writing and jumping there.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

static sigjmp_buf back;

static void handler(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  printf("%d code %d address %p cr2 %llx\n", signal, info->si_code, info->si_addr,
         (unsigned long long)u->uc_mcontext.gregs[REG_CR2]);
  siglongjmp(back, 1);
}

int main(void) {
  static const unsigned long addresses[] = {0xffff800000001235, 0xfffffffffffffff1, 0xffffffff81234567};
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  for (int round = 0; round < 3; round++) {
    for (int k = 0; k < 3; k++) {
      if (!sigsetjmp(back, 1)) (void)*(volatile char *)addresses[k];
      if (!sigsetjmp(back, 1)) *(volatile char *)addresses[k] = 1;
      if (!sigsetjmp(back, 1)) ((void (*)(void))addresses[k])();
    }
  }
  return 0;
}
