/* Floating-point environment with SSE arithmetic: sticky flags, rounding, traps, denormal modes; flags of long computations. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <xmmintrin.h>

static volatile double one = 1, three = 3, zero = 0, big = 1e308, tiny = 1e-308, r;
static volatile float fthree = 3;
static sigjmp_buf back;
static volatile int code;

static void trapped(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  code = info->si_code;
  siglongjmp(back, 1);
}
static void show(const char *what) {
  static const struct { int flag; const char *name; } FLAGS[] = {
    {FE_INVALID, "invalid"}, {FE_DIVBYZERO, "divbyzero"}, {FE_OVERFLOW, "overflow"}, {FE_UNDERFLOW, "underflow"}, {FE_INEXACT, "inexact"},
  };
  printf("%s:", what);
  for (int n = 0; n < 5; n++) if (fetestexcept(FLAGS[n].flag)) printf(" %s", FLAGS[n].name);
  printf("\n");
}
static void raise_flag(int n) {
  switch (n) {
    case 0: r = one / zero; break;
    case 1: r = zero / zero; break;
    case 2: r = big * big; break;
    case 3: r = tiny * tiny; break;
    default: r = one / three;
  }
}

int main(void) {
  static const int EXCEPTIONS[] = {FE_DIVBYZERO, FE_INVALID, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT};
  static const int MODES[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  show("start");
  raise_flag(4), show("a third");
  feclearexcept(FE_ALL_EXCEPT), show("cleared");
  r = one + one, show("two");
  for (int n = 0; n < 5; n++) feclearexcept(FE_ALL_EXCEPT), raise_flag(n), show("raised");
  feclearexcept(FE_ALL_EXCEPT), r = nearbyint(one / three), show("nearbyint"), r = rint(2.5), show("rint");
  for (int n = 0; n < 4; n++) {
    fesetround(MODES[n]);
    double third = one / three, minus = -one / three;
    printf("%d %a %a %a %g %ld %a\n", fegetround() == MODES[n], third, minus, one / fthree, rint(2.5), lrint(-2.5), sqrt(three));
  }
  fesetround(FE_TONEAREST);
  fenv_t environment;
  feholdexcept(&environment), raise_flag(0), show("held"), feupdateenv(&environment), show("updated");

  struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &action, 0);
  for (int n = 0; n < 5; n++) {
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(EXCEPTIONS[n]);
    code = 0;
    if (!sigsetjmp(back, 1)) raise_flag(n);
    fedisableexcept(FE_ALL_EXCEPT);
    printf("trap %d: code %d\n", n, code);
  }

  feclearexcept(FE_ALL_EXCEPT);
  double sum = 0;
  for (int n = 1; n < 50000; n++) sum += 2.0;
  show("long and exact");
  for (int n = 1; n < 50000; n++) sum += one / (n == 30000 ? zero : n);
  show("long, and a division by zero"), printf("%g\n", sum);

  _mm_setcsr(_mm_getcsr() | 0x8040);
  r = tiny * 0.01, printf("flush to zero: %g\n", r);
  r = 4e-320, r = r * 1e300, printf("denormals are zero: %g\n", r);
  return 0;
}
