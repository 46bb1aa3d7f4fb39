/* Long double arithmetic, libm (where it uses the x87) and text, in a loop that is long enough to be translated. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  char text[128];
  long double sum = 0, smooth = 0;
  unsigned hash = 0;
  for (int i = 1; i <= 1500; i++) {
    volatile long double x = i * 0.37L;
    sum += sqrtl(x) + fmodl(x * 1e5L, 7.3L) + floorl(x) - ceill(x) + rintl(x) / (x + 1) + fabsl(-x);
    sum += ldexpl(x, i % 90 - 45) + logb(x) + nextafterl(x, 0) - (long double)(long long)(x * 1e9L) / 1e9L;
    /* Processors differ in the last place of these. */
    if (i % 10 == 0) smooth += logl(x) + expl(x / 1000) + atan2l(x, 3) + log1pl(x) + sinl(x) + powl(x, 1.25L) + tanl(x) + cbrtl(x);
    int length = snprintf(text, sizeof text, "%.18Lg %La %f %.3e %Lf", sum, x, (double)x, (double)sum, x / 3);
    for (int k = 0; k < length; k++) hash = hash * 31 + text[k];
    sum += strtold(text, NULL) - sum + strtod("0.1", NULL);
    if (i % 250 == 0) printf("%s %08x %.15Lg\n", text, hash, smooth);
  }
  return 0;
}
