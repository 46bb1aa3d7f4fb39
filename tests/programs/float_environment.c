/* Rounding, precision control, exception flags and trapped exceptions of the x87, as seen through <fenv.h>. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static sigjmp_buf back;

static void handler(int signal, siginfo_t *info, void *context) {
  const struct _libc_fpstate *fp = ((ucontext_t *)context)->uc_mcontext.fpregs;
  printf("signal %d code %d control %x status %x tags %x\n", signal, info->si_code, fp->cwd, fp->swd & 0xff, fp->ftw);
  siglongjmp(back, 1);
}

static void rounding(void) {
  static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  for (int m = 0; m < 4; m++) {
    volatile long double x = 1.0L, y = -2.0L, three = 3.0L;
    fesetround(modes[m]);
    feclearexcept(FE_ALL_EXCEPT);
    x /= three;
    y /= three;
    printf("%d: %La %La %Lf %lld %lld %La", m, x, y, x * 1e10L, llrintl(x * 1e6L), llrintl(y * 1e6L), sqrtl(2.0L) * x);
    printf(" %La %La flags %x\n", rintl(x * 10), rintl(y * 10), fetestexcept(FE_ALL_EXCEPT));
  }
  fesetround(FE_TONEAREST);
}

static void precision(void) {
  static const unsigned short words[] = {0x07f, 0x27f, 0x37f};
  for (int n = 0; n < 3; n++) {
    volatile long double x = 1.0L, y = 3.0L, z, w;
    __asm__ volatile("fldcw %0" : : "m"(words[n]));
    z = x / y;
    w = z * z + z;
    __asm__ volatile("fldcw %0" : : "m"(words[2]));
    printf("precision %x: %La %La\n", words[n] >> 8, z, w);
  }
}

static void trapped(const char *name, int exception, long double a, long double b, char op) {
  volatile long double x = a, y = b, r = 0;
  feclearexcept(FE_ALL_EXCEPT);
  feenableexcept(exception);
  if (sigsetjmp(back, 1) == 0) {
    r = op == '/' ? x / y : op == '*' ? x * y : x - y;
    __asm__ volatile("fwait");
    printf("%s: not trapped, %La\n", name, r);
  } else printf("%s: trapped, enabled now %x\n", name, fegetexcept());
  fedisableexcept(FE_ALL_EXCEPT);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &action, NULL);
  rounding();
  precision();
  trapped("divide", FE_DIVBYZERO, 1, 0, '/');
  trapped("invalid", FE_INVALID, INFINITY, INFINITY, '-');
  trapped("overflow", FE_OVERFLOW, 0x1p16383L, 0x1p16383L, '*');
  trapped("underflow", FE_UNDERFLOW, 0x1p-16382L, 0x1p-10L, '*');
  trapped("inexact", FE_INEXACT, 1, 3, '/');
  trapped("masked", 0, 1, 0, '/');
  fenv_t environment;
  feholdexcept(&environment);
  volatile long double tiny = 0x1p-16382L;
  tiny *= 0x1.8p-62L;
  printf("%La underflow %d\n", tiny, fetestexcept(FE_UNDERFLOW) != 0);
  feupdateenv(&environment);
  printf("%.30Lg %Lg %Lg\n", strtold("3.14159265358979323846264338327950288", NULL), strtold("1e4932", NULL),
         strtold("3.6e-4951", NULL));
  return 0;
}
