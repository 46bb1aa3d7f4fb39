/* Waiting for events: poll, select, epoll, eventfd, timerfd, signalfd, pipes, timers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile int got, fired;
static void on(int s) { got = s; fired++; }
static int ms(struct timespec *a) { struct timespec b; clock_gettime(CLOCK_MONOTONIC, &b); return (b.tv_sec - a->tv_sec) * 1000 + (b.tv_nsec - a->tv_nsec) / 1000000; }
int main(void) {
  setbuf(stdout, 0);
  int p[2];
  struct timespec t;
  pipe(p);
  struct pollfd f[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
  printf("poll %d %x %x\n", poll(f, 2, 0), f[0].revents, f[1].revents);
  clock_gettime(CLOCK_MONOTONIC, &t);
  printf("timeout %d", poll(f, 1, 50));
  printf(" late enough %d\n", ms(&t) >= 49);
  write(p[1], "ab", 2);
  printf("poll %d %x\n", poll(f, 1, -1), f[0].revents);
  fd_set r, w;
  FD_ZERO(&r); FD_ZERO(&w); FD_SET(p[0], &r); FD_SET(p[1], &w);
  struct timeval tv = {1, 0};
  printf("select %d %d %d\n", select(p[1] + 1, &r, &w, 0, &tv), !!FD_ISSET(p[0], &r), !!FD_ISSET(p[1], &w));
  int ep = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event ev = {EPOLLIN, {.u64 = 0x123456789abcdefULL}}, out[4] = {{0}};
  printf("add %d\n", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
  printf("again %d %s\n", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), strerror(errno));
  printf("wait %d %x %llx\n", epoll_wait(ep, out, 4, 100), out[0].events, (unsigned long long)out[0].data.u64);
  printf("level %d\n", epoll_wait(ep, out, 4, 0));
  ev.events = EPOLLIN | EPOLLET;
  epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev);
  printf("edge %d then %d\n", epoll_wait(ep, out, 4, 0), epoll_wait(ep, out, 4, 0));
  write(p[1], "c", 1);
  printf("new edge %d\n", epoll_wait(ep, out, 4, 0));
  ev.events = EPOLLIN | EPOLLONESHOT;
  epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev);
  printf("oneshot %d then %d\n", epoll_wait(ep, out, 4, 0), epoll_wait(ep, out, 4, 0));
  char b[16];
  printf("read %zd\n", read(p[0], b, sizeof b));
  ev.events = EPOLLIN;
  epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev);
  printf("dry %d\n", epoll_wait(ep, out, 4, 0));
  close(p[1]);
  printf("hup %d %x\n", epoll_wait(ep, out, 4, 100), out[0].events);
  close(p[0]);
  printf("gone %d\n", epoll_wait(ep, out, 4, 0));
  int file = open("/proc/self/exe", O_RDONLY);
  printf("regular %d %s\n", epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev), strerror(errno));
  int e = eventfd(3, EFD_NONBLOCK);
  uint64_t v = 4;
  write(e, &v, 8);
  read(e, &v, 8);
  printf("eventfd %d\n", (int)v);
  printf("empty %zd %s\n", read(e, &v, 8), strerror(errno));
  int es = eventfd(2, EFD_SEMAPHORE);
  read(es, &v, 8);
  printf("semaphore %d\n", (int)v);
  ev.data.fd = e;
  epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev);
  if (!fork()) { usleep(30000); v = 1; write(e, &v, 8); _exit(0); }
  printf("across processes %d %d\n", epoll_wait(ep, out, 4, 2000), out[0].data.fd == e);
  wait(0);
  int tf = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec its = {{0, 20000000}, {0, 20000000}}, cur;
  timerfd_settime(tf, 0, &its, 0);
  read(tf, &v, 8);
  printf("timer %d\n", v >= 1); /* more on a busy machine */
  usleep(70000);
  read(tf, &v, 8);
  printf("several %d\n", v >= 3);
  timerfd_gettime(tf, &cur);
  printf("interval %ld\n", cur.it_interval.tv_nsec);
  sigset_t set;
  sigemptyset(&set); sigaddset(&set, SIGUSR2); sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, 0);
  int sf = signalfd(-1, &set, 0);
  raise(SIGUSR2);
  struct signalfd_siginfo si;
  read(sf, &si, sizeof si);
  printf("signalfd %d from me %d\n", si.ssi_signo, si.ssi_pid == getpid());
  if (!fork()) _exit(5);
  struct pollfd sp = {sf, POLLIN, 0};
  printf("poll signalfd %d\n", poll(&sp, 1, 2000));
  read(sf, &si, sizeof si);
  printf("child %d %d\n", si.ssi_signo, si.ssi_status);
  wait(0);
  struct sigaction sa = {.sa_handler = on};
  sigaction(SIGALRM, &sa, 0);
  struct itimerval it = {{0, 10000}, {0, 10000}};
  setitimer(ITIMER_REAL, &it, 0);
  while (fired < 3) pause();
  memset(&it, 0, sizeof it);
  setitimer(ITIMER_REAL, &it, 0);
  printf("itimer %d\n", got);
  timer_t timer;
  struct sigevent sev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
  sigaction(SIGRTMIN + 1, &sa, 0);
  fired = 0;
  timer_create(CLOCK_MONOTONIC, &sev, &timer);
  struct itimerspec one = {{0, 0}, {0, 10000000}};
  timer_settime(timer, 0, &one, 0);
  while (!fired) usleep(1000);
  printf("posix timer %d\n", got == SIGRTMIN + 1);
  sigprocmask(SIG_SETMASK, 0, &set);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_SETMASK, &set, 0);
  raise(SIGALRM);
  got = 0;
  sigdelset(&set, SIGALRM);
  printf("ppoll %d %s got %d\n", ppoll(0, 0, 0, &set), strerror(errno), got);
  union sigval sv = {.sival_int = 1234};
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_SETMASK, &set, 0);
  sigqueue(getpid(), SIGRTMIN, sv);
  sv.sival_int = 5678;
  sigqueue(getpid(), SIGRTMIN, sv);
  siginfo_t info;
  sigset_t rt;
  sigemptyset(&rt); sigaddset(&rt, SIGRTMIN);
  sigwaitinfo(&rt, &info);
  printf("queued %d", info.si_value.sival_int);
  sigwaitinfo(&rt, &info);
  printf(" %d\n", info.si_value.sival_int);
  struct timespec zero = {0, 1000000};
  printf("sigtimedwait %d %s\n", sigtimedwait(&rt, &info, &zero), strerror(errno));
  int m = memfd_create("scratch", MFD_ALLOW_SEALING);
  ftruncate(m, 10000);
  char *a = mmap(0, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  strcpy(a + 5000, "through the mapping");
  char text[32] = {0};
  pread(m, text, 19, 5000);
  puts(text);
  pwrite(m, "WRITTEN", 7, 5000);
  printf("%.20s\n", a + 5000);
  printf("seal %d %d\n", fcntl(m, F_ADD_SEALS, F_SEAL_GROW), ftruncate(m, 20000));
  printf("lseek pipe %d\n", (int)lseek(ep, 0, SEEK_SET));
  return 0;
}
