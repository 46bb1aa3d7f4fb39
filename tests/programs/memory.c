/* Memory calls: results, errors and faults, as the kernel gives them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#define P 4096UL
static sigjmp_buf jump;
static volatile int code, sig;
static char *volatile where;
static void on(int s, siginfo_t *i, void *u) {
  sig = s;
  code = i->si_code;
  where = i->si_addr;
  siglongjmp(jump, 1);
}
static char *base;
static void touch(const char *what, char *p, int write) {
  if (sigsetjmp(jump, 1)) printf("%s: signal %d code %d at %+ld\n", what, sig, code, (long)(where - p));
  else {
    if (write) *(volatile char *)p = 1;
    else (void)*(volatile char *)p;
    printf("%s: fine\n", what);
  }
}
static void say(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, strerror(errno));
  else if (r >= (long)base && r < (long)(base + 64 * P)) printf("%s: base + %ld pages\n", what, (long)((r - (long)base) / P));
  else if ((unsigned long)r > 0x10000000) printf("%s: somewhere\n", what);
  else printf("%s: %ld\n", what, r);
}
#define MAP(a, n, prot, flags) (long)mmap(a, n, prot, flags, -1, 0)
int main(void) {
  setbuf(stdout, 0);
  struct sigaction sa = {.sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static char alt[65536];
  stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
  sigaltstack(&ss, 0);
  sigaction(SIGSEGV, &sa, 0);
  sigaction(SIGBUS, &sa, 0);
  int anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
  base = mmap(0, 64 * P, PROT_NONE, anon, -1, 0);
  say("length 0", MAP(0, 0, rw, anon));
  say("no type", MAP(0, P, rw, MAP_ANONYMOUS));
  say("fixed odd", MAP(base + 1, P, rw, anon | MAP_FIXED));
  say("huge", MAP(0, 1UL << 47, rw, anon));
  char *much = (char *)MAP(0, 1UL << 40, PROT_READ, anon);
  touch("more than there is, to read", much + (1UL << 39), 0);
  munmap(much, 1UL << 40);
  int self = open("/proc/self/exe", O_RDONLY);
  for (int n = 0; n < 2; n++) {
    much = mmap(0, 1UL << 40, PROT_READ, n ? MAP_SHARED : MAP_PRIVATE, self, 0);
    touch("a file's beginning", much, 0);
    touch("behind it", much + (1UL << 39), 0);
    munmap(much, 1UL << 40);
  }
  close(self);
  say("wrapping", MAP(0, -P, rw, anon));
  say("fixed beyond the end", MAP((void *)0x7ffffffff000, P, rw, anon | MAP_FIXED));
  say("fixed at 0", MAP(0, 0x7ffffffff000, rw, anon | MAP_FIXED) == -1 ? 0 : 1);
  say("noreplace", MAP(base + 3 * P, P, rw, anon | MAP_FIXED_NOREPLACE));
  say("bad descriptor", (long)mmap(0, P, rw, MAP_PRIVATE, 99, 0));
  say("odd offset", (long)mmap(0, P, rw, MAP_PRIVATE, 0, 1));
  say("hint", MAP(base + 2 * P, P, rw, anon) != (long)(base + 2 * P));
  say("fixed", MAP(base + 2 * P, 3 * P, rw, anon | MAP_FIXED));
  touch("write", base + 2 * P + 5, 1);
  touch("none", base + P, 0);
  say("read only", mprotect(base + 3 * P, P, PROT_READ));
  touch("write to it", base + 3 * P + 7, 1);
  touch("read from it", base + 3 * P + 7, 0);
  say("mprotect odd", mprotect(base + 1, P, rw));
  say("mprotect bad bits", mprotect(base, P, 0x40));
  say("mprotect 0", mprotect(base, 0, rw));
  say("munmap odd", munmap(base + 1, P));
  say("munmap 0", munmap(base, 0));
  say("munmap kernel", munmap((void *)0xffff800000000000, P));
  say("munmap", munmap(base + 3 * P, P));
  touch("hole", base + 3 * P, 0);
  say("munmap again", munmap(base + 3 * P, P));
  say("mprotect over a hole", mprotect(base + 2 * P, 3 * P, PROT_READ));
  touch("before the hole", base + 2 * P, 1);
  touch("behind the hole", base + 4 * P, 1);
  unsigned char v[8];
  say("mincore hole", mincore(base + 2 * P, 3 * P, v));
  say("mincore", mincore(base + 4 * P, P, v));
  printf("resident %d\n", v[0] & 1);
  say("mincore bad vector", mincore(base + 4 * P, P, (void *)1));
  strcpy(base + 4 * P, "kept");
  say("dontneed", madvise(base + 4 * P, P, MADV_DONTNEED));
  printf("zero %d\n", base[4 * P]);
  say("bad advice", madvise(base, P, 999));
  say("advice over a hole", madvise(base + 2 * P, 3 * P, MADV_WILLNEED));
  say("remap: grow in place", MAP(base + 10 * P, P, rw, anon | MAP_FIXED));
  munmap(base + 11 * P, 3 * P);
  strcpy(base + 10 * P, "moved along");
  say("mremap", (long)mremap(base + 10 * P, P, 2 * P, 0));
  say("mremap blocked", (long)mremap(base + 10 * P, 2 * P, 6 * P, 0));
  char *m = mremap(base + 10 * P, 2 * P, 6 * P, MREMAP_MAYMOVE);
  printf("content %s\n", m);
  touch("old place", base + 10 * P, 0);
  say("mremap fixed", (long)mremap(m, 6 * P, P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * P));
  puts(base + 20 * P);
  say("mremap nothing", (long)mremap(base + 30 * P, 0, P, MREMAP_MAYMOVE));
  say("mremap overlap", (long)mremap(base + 20 * P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * P));
  munmap(base + 40 * P, P);
  say("mremap unmapped", (long)mremap(base + 40 * P, P, 2 * P, MREMAP_MAYMOVE));
  say("msync odd", msync(base + 1, P, MS_SYNC));
  say("msync both", msync(base, P, MS_SYNC | MS_ASYNC));
  say("msync hole", msync(base + 40 * P, P, MS_SYNC));
  char name[64];
  snprintf(name, sizeof name, "/tmp/hedra-memory-%d", getpid());
  int f = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), r = open(name, O_RDONLY), w = open(name, O_WRONLY);
  write(f, "file contents", 13);
  char *q = mmap(0, 3 * P, rw, MAP_SHARED, f, 0);
  printf("%.13s %d\n", q, q[100]);
  touch("behind the last page of the file", q + P, 0);
  ftruncate(f, 2 * P);
  touch("after it has grown", q + P, 0);
  say("shared write of a read-only descriptor", (long)mmap(0, P, rw, MAP_SHARED, r, 0));
  say("private write of it", (long)mmap(0, P, rw, MAP_PRIVATE, r, 0));
  say("write-only descriptor", (long)mmap(0, P, PROT_WRITE, MAP_PRIVATE, w, 0));
  char *ro = mmap(0, P, PROT_READ, MAP_SHARED, r, 0);
  say("mprotect of it", mprotect(ro, P, rw));
  memcpy(q, "FILE", 4);
  msync(q, P, MS_SYNC);
  char b[8] = {0};
  pread(r, b, 4, 0);
  puts(b);
  int d = open("/tmp", O_RDONLY);
  say("a directory", (long)mmap(0, P, PROT_READ, MAP_PRIVATE, d, 0));
  unlink(name);
  char *brk0 = sbrk(0);
  say("brk", brk(brk0 + 3 * P));
  touch("in the heap", brk0 + 2 * P, 1);
  say("brk back", brk(brk0));
  say("brk absurd", brk((void *)0x7fffffffffff));
  say("mlock", mlock(base + 2 * P, P));
  say("mlock hole", mlock(base + 40 * P, P));
  if (!fork()) {
    struct rlimit rl = {200 << 20, 200 << 20};
    setrlimit(RLIMIT_AS, &rl);
    say("limited", MAP(0, 400 << 20, rw, anon));
    _exit(0);
  }
  wait(0);
  touch("null", 0, 0);
  touch("kernel", (char *)0xffffffff81000000, 0);
  if (sigsetjmp(jump, 1)) printf("non-canonical: signal %d code %d\n", sig, code);
  else (void)*(volatile char *)0x8000000000000000;
  write(1, (char *)1, 1) < 0 ? puts(strerror(errno)) : 0;
  munmap(base + 40 * P, P);
  say("write from a hole", syscall(SYS_write, 1, base + 40 * P, 5));
  say("read into read-only", syscall(SYS_pread64, r, base + 2 * P, 4, 0));
  say("stat into null", syscall(SYS_stat, "/", 0));
  say("path in a hole", syscall(SYS_stat, base + 40 * P, b));
  return 0;
}
