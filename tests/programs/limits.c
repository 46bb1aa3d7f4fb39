/* Resource limits, CPU-time timers, clocks and prctl: every result, for good and bad arguments. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "try.h"
static void limit(int which, long soft, long hard) {
  struct rlimit l = {soft, hard};
  if (setrlimit(which, &l)) printf("  setrlimit %s\n", strerrorname_np(errno));
}
static void args(void) {
  struct rlimit l = {5, 4}, old;
  TRY(setrlimit(RLIMIT_NOFILE, &l));
  TRY(setrlimit(99, &l));
  TRY(setrlimit(-1, &l));
  TRY(getrlimit(99, &l));
  TRY(setrlimit(RLIMIT_CORE, (void *)8));
  TRY(getrlimit(RLIMIT_CORE, (void *)8));
  l = (struct rlimit){100, 200};
  TRY(prlimit(0, RLIMIT_NOFILE, &l, &old));
  TRY(prlimit(0, RLIMIT_NOFILE, 0, &old));
  printf("  %ld %ld\n", (long)old.rlim_cur, (long)old.rlim_max);
  TRY(prlimit(99999999, RLIMIT_NOFILE, 0, &old));
  TRY(prlimit(-1, RLIMIT_NOFILE, 0, &old));
  l = (struct rlimit){1 << 30, 1 << 30};
  TRY(setrlimit(RLIMIT_NOFILE, &l));
  l = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
  TRY(setrlimit(RLIMIT_FSIZE, &l));
  TRY(getrlimit(RLIMIT_FSIZE, &l));
  printf("  %lx\n", (long)l.rlim_cur);
}
static void files(void) {
  limit(RLIMIT_NOFILE, 10, 10);
  int last = -1, fd;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  printf("  last %d %s\n", last, strerrorname_np(errno));
  int p[2];
  TRY(pipe(p));
  TRY(dup(0));
  TRY(dup2(0, 10));
  TRY(dup2(0, 9));
  TRY(fcntl(0, F_DUPFD, 10));
  TRY(fcntl(0, F_DUPFD, 9));
  TRY(syscall(SYS_socket, 1, 1, 0));
  TRY(poll(0, 11, 0));
}
static void onX(int s) { printf("  signal %d\n", s); }
static void size(void) {
  char name[] = "/tmp/limitXXXXXX", text[100];
  int fd = mkstemp(name);
  unlink(name);
  signal(SIGXFSZ, onX);
  limit(RLIMIT_FSIZE, 50, 100);
  TRY(write(fd, text, 100));
  TRY(write(fd, text, 1));
  TRY(pwrite(fd, text, 60, 20));
  TRY(ftruncate(fd, 50));
  TRY(ftruncate(fd, 51));
  TRY(fallocate(fd, 0, 0, 60));
  TRY(lseek(fd, 0, SEEK_END));
  int p[2];
  if (pipe(p)) return;
  TRY(write(p[1], text, 100));
  signal(SIGXFSZ, SIG_IGN);
  TRY(write(fd, text, 1));
  signal(SIGXFSZ, SIG_DFL);
  fflush(stdout);
  write(fd, text, 1);
}
static void memory(void) {
  limit(RLIMIT_AS, 1 << 28, 1 << 28);
  TRY(mmap(0, 1 << 29, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  TRY(mmap(0, 1 << 29, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  MADE(mmap(0, 1 << 26, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  TRY(malloc(1 << 29) == 0);
  TRY(sbrk(1 << 29));
}
static void data(void) {
  limit(RLIMIT_DATA, 1 << 24, 1 << 24);
  TRY(sbrk(1 << 25));
  TRY(mmap(0, 1 << 25, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char *a = (char *)MADE(mmap(0, 1 << 25, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  MADE(mmap(0, 1 << 25, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  TRY(mprotect(a, 1 << 25, PROT_READ | PROT_WRITE));
}
static int deep(int n) {
  volatile char c[4096];
  c[0] = n;
  return n <= 0 ? 0 : deep(n - 1) + c[0];
}
static void stack(void) {
  limit(RLIMIT_STACK, 1 << 20, 1 << 20);
  printf("  %d\n", deep(100) > 0);
  fflush(stdout);
  deep(400);
  puts("  survived");
}
static volatile int ticks;
static void tick(int s) { (void)s, ticks++; }
static long cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static void burn(long ms) {
  static volatile long work;
  for (long end = cpu() + ms; cpu() < end;)
    for (int i = 0; i < 200000; i++) work++;
}
static void cpuLimit(void) {
  signal(SIGXCPU, onX);
  limit(RLIMIT_CPU, 1, 2);
  long start = cpu();
  usleep(10000);
  burn(1100 - (cpu() - start));
  puts("  between soft and hard");
  limit(RLIMIT_CPU, 1, 1);
  burn(5000);
}
static void intervals(void) {
  struct itimerval v = {{0, 0}, {0, 50000}}, old;
  signal(SIGVTALRM, tick);
  signal(SIGPROF, tick);
  signal(SIGALRM, tick);
  for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
    ticks = 0;
    TRY(setitimer(which, &v, 0));
    struct timespec rest = {0, 100000000};
    nanosleep(&rest, 0);
    printf("  after sleeping %d\n", ticks);
    for (int i = 0; i < 50 && !ticks; i++) burn(40);
    printf("  after working %d\n", ticks);
  }
  v.it_interval.tv_usec = 20000;
  TRY(setitimer(ITIMER_PROF, &v, &old));
  printf("  old %ld %ld\n", (long)old.it_value.tv_usec, (long)old.it_interval.tv_usec);
  ticks = 0;
  for (int i = 0; i < 50 && ticks < 2; i++) burn(50);
  printf("  several %d\n", ticks >= 2);
  TRY(getitimer(ITIMER_PROF, &old));
  printf("  %d %ld\n", old.it_value.tv_usec > 0, (long)old.it_interval.tv_usec);
  v = (struct itimerval){{0, 0}, {0, 0}};
  TRY(setitimer(ITIMER_PROF, &v, 0));
  TRY(setitimer(9, &v, 0));
  TRY(setitimer(-1, &v, 0));
  TRY(getitimer(9, &old));
  v.it_value.tv_usec = 1000000;
  TRY(setitimer(0, &v, 0));
  v.it_value.tv_usec = -1;
  TRY(setitimer(0, &v, 0));
  TRY(setitimer(0, (void *)8, 0));
  TRY(alarm(5));
  TRY(alarm(0));
}
static void posixTimers(void) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  signal(SIGUSR1, tick);
  for (int i = 0; i < 2; i++) {
    ticks = 0;
    TRY(timer_create(i ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID, &e, &t));
    struct itimerspec s = {{0, 0}, {0, 50000000}}, now;
    TRY(timer_settime(t, 0, &s, 0));
    struct timespec rest = {0, 100000000};
    nanosleep(&rest, 0);
    printf("  after sleeping %d\n", ticks);
    for (int i = 0; i < 50 && !ticks; i++) burn(40);
    printf("  after working %d\n", ticks);
    TRY(timer_gettime(t, &now));
    printf("  %ld\n", now.it_value.tv_nsec);
    TRY(timer_getoverrun(t));
    TRY(timer_delete(t));
  }
  TRY(syscall(SYS_timer_delete, 77));
  TRY(syscall(SYS_timer_gettime, 77, &e));
  TRY(timer_create(99, &e, &t));
  TRY(timer_create(CLOCK_REALTIME_COARSE, &e, &t));
  TRY(timer_create(CLOCK_MONOTONIC_RAW, &e, &t));
  e.sigev_signo = 99;
  TRY(timer_create(CLOCK_REALTIME, &e, &t));
  e.sigev_notify = 77;
  TRY(timer_create(CLOCK_REALTIME, &e, &t));
  e = (struct sigevent){.sigev_notify = SIGEV_NONE};
  TRY(timer_create(CLOCK_MONOTONIC, &e, &t));
  struct itimerspec s = {{0, 0}, {100, 0}}, old;
  TRY(timer_settime(t, 0, &s, 0));
  s.it_value.tv_nsec = 1000000000;
  TRY(timer_settime(t, 0, &s, &old));
  s.it_value.tv_nsec = 0;
  TRY(timer_settime(t, 0, &s, &old));
  printf("  %ld\n", (long)old.it_value.tv_sec);
  TRY(timer_settime(t, TIMER_ABSTIME, &s, 0));
  TRY(syscall(SYS_timer_settime, 1, 0, 0, 0));
}
static void timerfds(void) {
  int fd = MADE(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  TRY(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
  TRY(timerfd_create(99, 0));
  TRY(timerfd_create(CLOCK_REALTIME, 1));
  uint64_t n;
  TRY(read(fd, &n, 8));
  TRY(read(fd, &n, 7));
  struct itimerspec s = {{0, 10000000}, {0, 1}}, old;
  TRY(timerfd_settime(fd, 0, &s, &old));
  printf("  %ld\n", old.it_value.tv_nsec);
  usleep(35000);
  TRY(read(fd, &n, 8));
  printf("  %d\n", n >= 3);
  TRY(timerfd_gettime(fd, &old));
  printf("  %ld %d\n", old.it_interval.tv_nsec, old.it_value.tv_nsec > 0);
  TRY(timerfd_settime(fd, 8, &s, 0));
  s.it_value.tv_nsec = -1;
  TRY(timerfd_settime(fd, 0, &s, 0));
  TRY(timerfd_settime(0, 0, &s, 0));
  TRY(timerfd_settime(99, 0, &s, 0));
  s = (struct itimerspec){{0, 0}, {1, 0}};
  TRY(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, 0));
  struct pollfd p = {fd, POLLIN, 0};
  TRY(poll(&p, 1, 1000));
  TRY(read(fd, &n, 8));
  printf("  %lu\n", n);
  s = (struct itimerspec){{0, 0}, {0, 0}};
  TRY(timerfd_settime(fd, 0, &s, 0));
  TRY(poll(&p, 1, 0));
  TRY(lseek(fd, 0, SEEK_SET));
  TRY(write(fd, &n, 8));
  TRY(fallocate(fd, 0, 0, 1));
  TRY(ftruncate(fd, 0));
}
static void clocks(void) {
  struct timespec t;
  for (int i = 0; i < 12; i++) {
    // Alarm clocks need a real-time clock chip.
    if (i == 8 || i == 9) continue;
    errno = 0;
    int r = clock_gettime(i, &t);
    printf("  clock %d %d %s\n", i, r, r ? strerrorname_np(errno) : "");
  }
  clockid_t c;
  TRY(clock_getcpuclockid(0, &c));
  TRY(clock_gettime(c, &t));
  TRY(clock_getcpuclockid(99999999, &c));
  TRY(clock_gettime(-1, &t));
  TRY(syscall(SYS_clock_gettime, 0, 8));
  TRY(clock_getres(CLOCK_REALTIME, &t));
  printf("  %ld\n", t.tv_nsec);
  TRY(clock_getres(99, &t));
  t = (struct timespec){0, -1};
  TRY(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0));
  t = (struct timespec){0, 1};
  TRY(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0));
  TRY(clock_nanosleep(99, 0, &t, 0));
  TRY(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, 0));
  TRY(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0));
  TRY(nanosleep((void *)8, 0));
  struct rusage u;
  burn(20);
  TRY(getrusage(RUSAGE_SELF, &u));
  printf("  %d\n", u.ru_utime.tv_usec + u.ru_stime.tv_usec >= 20000);
  TRY(getrusage(RUSAGE_THREAD, &u));
  TRY(getrusage(RUSAGE_CHILDREN, &u));
  TRY(getrusage(5, &u));
  TRY(getrusage(0, (void *)8));
  TRY(times(0) > 0);
  TRY(syscall(SYS_times, 8));
}
static void prctls(void) {
  char name[20] = "";
  int i;
  TRY(prctl(PR_SET_NAME, "a name that is too long"));
  TRY(prctl(PR_GET_NAME, name));
  printf("  %s\n", name);
  TRY(prctl(PR_SET_NAME, 8));
  TRY(prctl(PR_GET_NAME, 8));
  TRY(prctl(PR_SET_PDEATHSIG, 65));
  TRY(prctl(PR_SET_PDEATHSIG, 9));
  TRY(prctl(PR_GET_PDEATHSIG, &i));
  printf("  %d\n", i);
  TRY(prctl(PR_GET_PDEATHSIG, 8));
  TRY(prctl(PR_SET_DUMPABLE, 2));
  TRY(prctl(PR_SET_DUMPABLE, 0));
  TRY(prctl(PR_GET_DUMPABLE));
  TRY(prctl(PR_SET_DUMPABLE, 1));
  TRY(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
  TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  TRY(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
  TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  TRY(prctl(PR_SET_CHILD_SUBREAPER, 1));
  TRY(prctl(PR_GET_CHILD_SUBREAPER, &i));
  printf("  %d\n", i);
  TRY(prctl(PR_SET_CHILD_SUBREAPER, 0));
  TRY(prctl(PR_SET_TIMERSLACK, 100));
  TRY(prctl(PR_GET_TIMERSLACK));
  TRY(prctl(PR_SET_TIMERSLACK, 0));
  TRY(prctl(PR_GET_TIMERSLACK));
  TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  TRY(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
  TRY(prctl(PR_GET_SECCOMP));
  TRY(prctl(PR_SET_KEEPCAPS, 2));
  TRY(prctl(PR_GET_TSC, &i));
  printf("  %d\n", i);
  TRY(prctl(PR_SET_TSC, 3));
  TRY(prctl(PR_SET_TSC, 1));
  TRY(prctl(PR_GET_TIMING));
  TRY(prctl(PR_SET_TIMING, 0));
  TRY(prctl(PR_SET_TIMING, 1));
  TRY(prctl(PR_GET_UNALIGN, &i));
  TRY(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
  TRY(prctl(PR_MCE_KILL, 0, 0, 0, 0));
  TRY(prctl(PR_GET_TID_ADDRESS, &i) == 0 || errno == EINVAL);
  TRY(prctl(99999));
  TRY(prctl(-1));
  // An orphan goes to its subreaper.
  fflush(stdout);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (!fork()) {
    if (!fork()) {
      usleep(30000);
      _exit(7);
    }
    _exit(0);
  }
  int status, n = 0;
  while (wait(&status) > 0) n += WEXITSTATUS(status) + 1;
  printf("  reaped %d\n", n);
}
static void locked(void) {
  char *a = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TRY(mlock(a, 4096));
  TRY(munlock(a, 4096));
  TRY(mlock((void *)4096, 4096));
  TRY(mlockall(0));
  TRY(mlockall(99));
  TRY(mlock2(a, 4096, 9));
  limit(RLIMIT_MEMLOCK, 65536, 65536);
  if (setresuid(1000, 1000, 1000)) return;
  TRY(mlock(a, 65536));
  TRY(mlock(a + 65536, 65536));
  TRY(munlock(a, 65536));
  TRY(mlock(a + 65536, 65536));
  TRY(mlock(a, 1 << 20));
  limit(RLIMIT_MEMLOCK, 0, 0);
  TRY(mlock(a, 4096));
  TRY(mlockall(MCL_FUTURE));
}
static void queued(void) {
  limit(RLIMIT_SIGPENDING, 3, 3);
  if (setresuid(54322, 54322, 54322)) return;
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGRTMIN);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, 0);
  for (int i = 0; i < 5; i++) TRY(sigqueue(getpid(), SIGRTMIN, (union sigval){i}));
  TRY(kill(getpid(), SIGUSR1));
  TRY(sigqueue(getpid(), SIGRTMIN, (union sigval){9}));
}
int main(void) {
  setbuf(stdout, 0);
  in("arguments", args);
  in("descriptors", files);
  in("file size", size);
  in("address space", memory);
  in("data", data);
  in("stack", stack);
  in("CPU time", cpuLimit);
  in("interval timers", intervals);
  in("POSIX timers", posixTimers);
  in("timer descriptors", timerfds);
  in("clocks", clocks);
  in("prctl", prctls);
  in("locked memory", locked);
  in("queued signals", queued);
  return 0;
}
