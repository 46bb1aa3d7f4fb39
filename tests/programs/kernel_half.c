// Addresses of page faults in the kernel's half of the address space, by reading, writing and jumping there and by all kinds of instructions.
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

// The address is in RSI and RDI, 2 in RCX, the mask of vectors in XMM1 has all bits set.
#define TRY(instruction)                                                                                         \
  if (!sigsetjmp(back, 1))                                                                                       \
  asm volatile("vpcmpeqd %%xmm1, %%xmm1, %%xmm1\n vpxor %%xmm2, %%xmm2, %%xmm2\n" instruction ::"S"(address), \
               "D"(address), "c"(2L), "a"(-1), "d"(-1)                                                           \
               : "xmm0", "xmm1", "xmm2", "memory", "cc")

static void instructions(unsigned long address) {
  TRY("fldt (%%rsi)");
  TRY("flds (%%rsi)");
  TRY("fildll (%%rsi)");
  TRY("fldpi\n fstpt (%%rsi)");
  TRY("fbld (%%rsi)");
  TRY("fnstcw (%%rsi)");
  TRY("fnstenv (%%rsi)");
  TRY("addsd (%%rsi), %%xmm0");
  TRY("vfmadd231sd (%%rsi), %%xmm0, %%xmm0");
  TRY("cvtsi2sdl (%%rsi), %%xmm0");
  TRY("vmaskmovps (%%rsi), %%xmm1, %%xmm0");
  TRY("vmaskmovpd %%xmm0, %%xmm1, (%%rsi)");
  TRY("vgatherdps %%xmm1, (%%rsi,%%xmm2), %%xmm0");
  TRY("maskmovdqu %%xmm1, %%xmm0");
  TRY("rep movsb");
  TRY("std\n rep movsl");
  TRY("cld\n rep stosq");
  TRY("repe cmpsb");
  TRY("repne scasw");
  TRY("rep lodsb");
  TRY("ldmxcsr (%%rsi)");
  TRY("pext (%%rsi), %%rcx, %%rax");
  TRY("popq (%%rsi)");
  address &= -64;
  TRY("xsave (%%rsi)");
  TRY("xrstor (%%rsi)");
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
      instructions(addresses[k]);
    }
  }
  return 0;
}
