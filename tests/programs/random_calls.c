/* random_calls SEED CALLS: makes system calls with random numbers and arguments, in children. Never run it on a real kernel. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static unsigned long state;
static char *good, *readonly;
static unsigned long next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
static unsigned long value(void) {
  switch (next() % 16) {
    case 0: return 0;
    case 1: return 1;
    case 2: return -1;
    case 3: return next() % 20;
    case 4: return (unsigned long)good + next() % 4096;
    case 5: return (unsigned long)good + 8192 - next() % 16;
    case 6: return (unsigned long)readonly;
    case 7: return next();
    case 8: return 0x7fffffffffff;
    case 9: return 1UL << (next() % 64);
    case 10: return -(next() % 5000);
    case 11: return 4096 * (next() % 100);
    case 12: return (unsigned long)good;
    case 13: return next() % 1000;
    case 14: return -100;
    default: return 0x8000000000000000UL + next() % 10;
  }
}
/* Calls that end or stop the child, or wait. */
static const int skipped[] = {60, 231, 62, 34, 7, 23, 270, 271, 232, 281, 441, 202, 61, 247, 35, 230, 128, 130, 15, 219, 200, 234, 129, 297,
                              424, 22, 293, 57, 58, 56, 435, 59, 322, 112, 73, 37, 38, 72};
int main(int argc, char **argv) {
  if (!getenv("LINUX_UNDER_HEDRON")) return 1;
  unsigned long seed = atol(argv[1]);
  setbuf(stdout, 0);
  for (int batch = 0; batch < atoi(argv[2]) / 500; batch++) {
    int pid = fork();
    if (!pid) {
      struct rlimit r = {1 << 20, 1 << 20};
      setrlimit(RLIMIT_FSIZE, &r);
      signal(SIGXFSZ, SIG_IGN);
      alarm(3);
      mkdir("/tmp/random", 0777);
      chdir("/tmp/random");
      state = seed * 1000003 + batch + 1;
      for (int i = 0; i < 10; i++) next();
      good = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      readonly = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      for (int fd = 0; fd < 3; fd++) close(fd);
      for (int i = 0; i < 500; i++) {
        int number = next() % 463, skip = 0;
        for (unsigned k = 0; k < sizeof skipped / sizeof *skipped; k++) skip |= number == skipped[k];
        if (skip) continue;
        for (int k = 0; k < 64; k++) ((unsigned long *)good)[k] = value();
        if (next() % 3 == 0) strcpy(good, "f");
        unsigned long a[6];
        for (int k = 0; k < 6; k++) a[k] = value();
        syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
      }
      _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
  }
  puts("survived");
  return 0;
}
