/* Prints where its parts are, its user, the year and some random bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
int main(void) {
  unsigned long random;
  time_t now = time(0);
  if (getrandom(&random, sizeof random, 0) != sizeof random) return 1;
  printf("%p %p %p %p\n%d %d\n%d %lx\n", (void *)main, (void *)&random, sbrk(0), (void *)printf, getuid(), getegid(), gmtime(&now)->tm_year + 1900, random);
}
