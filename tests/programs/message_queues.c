/* POSIX message queues: every result, for good and bad arguments. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "try.h"
static volatile int told, code;
static void onSignal(int s, siginfo_t *i, void *c) { (void)s, (void)c; told = i->si_value.sival_int, code = i->si_code; }
static void onAlarm(int s) { (void)s; }
int main(void) {
  setbuf(stdout, 0);
  char name[32], other[32], buffer[9000], longName[300];
  sprintf(name, "/q%d", getpid());
  sprintf(other, "/o%d", getpid());
  memset(longName, 'x', 299);
  longName[0] = '/', longName[299] = 0;
  TRY(mq_open(name, O_RDWR));
  TRY(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, 0));
  TRY(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, 0));
  TRY(syscall(SYS_mq_open, longName + 1, O_RDWR | O_CREAT, 0600, 0));
  TRY(syscall(SYS_mq_open, 0, O_RDWR | O_CREAT, 0600, 0));
  TRY(syscall(SYS_mq_open, name + 1, O_RDWR | O_CREAT, 0600, 8));
  struct mq_attr attr = {0, 3, 100, 0};
  attr.mq_maxmsg = 0;
  TRY(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
  attr.mq_maxmsg = 3, attr.mq_msgsize = -1;
  TRY(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
  attr.mq_msgsize = 1 << 30;
  TRY(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
  attr.mq_msgsize = 100;
  umask(022);
  mqd_t q = MADE(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &attr));
  TRY(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
  mqd_t r = MADE(mq_open(name, O_RDONLY | O_NONBLOCK)), w = MADE(mq_open(name, O_WRONLY));
  TRY(fcntl(q, F_GETFD));
  TRY(fcntl(r, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  struct stat s;
  TRY(fstat(q, &s));
  printf("  mode %o size %ld\n", s.st_mode, (long)s.st_size);
  TRY(mq_getattr(q, &attr));
  printf("  %ld %ld %ld %ld\n", attr.mq_flags, attr.mq_maxmsg, attr.mq_msgsize, attr.mq_curmsgs);
  TRY(mq_receive(r, buffer, 100, 0));
  TRY(mq_receive(r, buffer, 99, 0));
  TRY(mq_receive(w, buffer, 100, 0));
  TRY(mq_send(r, "x", 1, 0));
  TRY(mq_send(w, buffer, 101, 0));
  TRY(mq_send(w, "x", 1, 32768));
  TRY(mq_send(w, (void *)8, 1, 1));
  TRY(mq_send(99, "x", 1, 1));
  TRY(mq_send(1, "x", 1, 1));
  TRY(mq_send(w, "low", 4, 1));
  TRY(mq_send(w, "high", 5, 30000));
  struct pollfd p = {q, POLLIN | POLLOUT, 0};
  TRY(poll(&p, 1, 0));
  printf("  events %x\n", p.revents);
  TRY(mq_send(w, "", 0, 1));
  TRY(poll(&p, 1, 0));
  printf("  events %x\n", p.revents);
  TRY(lseek(q, 0, SEEK_SET));
  memset(buffer, 0, 200);
  TRY(read(q, buffer, 100));
  printf("  %s", buffer);
  struct timespec past = {1, 0}, bad = {1, -1}, soon;
  TRY(mq_timedsend(w, "x", 1, 0, &past));
  TRY(mq_timedsend(w, "x", 1, 0, &bad));
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 5000000;
  if (soon.tv_nsec > 999999999) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  TRY(mq_timedsend(w, "x", 1, 0, &soon));
  unsigned priority;
  for (int i = 0; i < 3; i++) {
    TRY(mq_receive(q, buffer, 200, &priority));
    printf("  %s %u\n", buffer, priority);
  }
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 5000000;
  if (soon.tv_nsec > 999999999) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  TRY(mq_timedreceive(q, buffer, 200, 0, &soon));
  if (!fork()) {
    usleep(50000);
    mq_send(w, "late", 5, 3);
    _exit(0);
  }
  TRY(mq_receive(q, buffer, 200, &priority));
  printf("  %s %u\n", buffer, priority);
  while (wait(0) < 0 && errno == EINTR);
  struct sigaction sa = {.sa_sigaction = onSignal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, 0);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
  TRY(mq_notify(q, &e));
  TRY(mq_notify(q, &e));
  if (!fork()) {
    TRY(mq_notify(q, &e));
    TRY(mq_notify(q, 0));
    mq_send(q, "tell", 5, 1);
    _exit(0);
  }
  while (wait(0) < 0 && errno == EINTR);
  printf("  told %d code %d\n", told, code);
  TRY(mq_notify(q, &e));
  TRY(mq_notify(q, 0));
  e.sigev_signo = 99;
  TRY(mq_notify(q, &e));
  e.sigev_notify = 77;
  TRY(mq_notify(q, &e));
  TRY(mq_notify(99, 0));
  mq_receive(q, buffer, 200, 0);
  attr.mq_flags = O_NONBLOCK;
  TRY(mq_setattr(q, &attr, 0));
  TRY(mq_receive(q, buffer, 200, 0));
  attr.mq_flags = 1;
  TRY(mq_setattr(q, &attr, 0));
  attr.mq_flags = 0;
  TRY(mq_setattr(q, &attr, &attr));
  printf("  flags %ld\n", attr.mq_flags);
  struct sigaction al = {.sa_handler = onAlarm};
  sigaction(SIGALRM, &al, 0);
  ualarm(20000, 0);
  TRY(mq_receive(q, buffer, 200, 0));
  mqd_t o = MADE(mq_open(other, O_RDWR | O_CREAT, 0600, 0));
  TRY(mq_getattr(o, &attr));
  printf("  %ld %ld\n", attr.mq_maxmsg, attr.mq_msgsize);
  if (!fork()) {
    if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)) return 1;
    TRY(mq_open(other, O_RDONLY));
    MADE(mq_open(name, O_RDONLY));
    TRY(mq_open(name, O_RDWR));
    TRY(mq_unlink(name));
    _exit(0);
  }
  while (wait(0) < 0 && errno == EINTR);
  TRY(mq_unlink(other));
  TRY(mq_unlink(name));
  TRY(mq_unlink(name));
  TRY(mq_send(w, "still", 6, 1));
  TRY(mq_receive(q, buffer, 200, 0));
  TRY(mq_close(q));
  TRY(mq_close(q));
  return 0;
}
