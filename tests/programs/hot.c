// Two thirds of the time in one function, one third in another, both called from one place.
#include <stdio.h>

__attribute__((noinline, noclone)) static unsigned hot_inner(unsigned x, int n) {
  for (int i = 0; i < n; i++) x = x * 1664525u + 1013904223u ^ x >> 7;
  return x;
}
__attribute__((noinline, noclone)) static unsigned cool_inner(unsigned x, int n) {
  for (int i = 0; i < n; i++) x = x * 1664525u + 1013904223u ^ x >> 9;
  return x;
}
__attribute__((noinline, noclone)) static unsigned middle(unsigned x, int n) {
  x = hot_inner(x, 2 * n) + 1;
  return cool_inner(x, n) + 1;
}

int main(void) {
  unsigned x = 1;
  for (int i = 0; i < 300; i++) x = middle(x, 200000);
  printf("%u\n", x);
  return 0;
}
