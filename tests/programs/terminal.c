/* A pseudo-terminal: line editing, echo, raw mode, window size, job-control signals, hang-up. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
static void show(const char *what, int fd) {
  char b[256];
  struct pollfd p = {fd, POLLIN, 0};
  printf("%s:", what);
  if (poll(&p, 1, 200) > 0) {
    int n = read(fd, b, sizeof b);
    if (n < 0) printf(" %s", strerror(errno));
    for (int i = 0; i < n; i++) printf(b[i] >= 32 && b[i] < 127 ? "%c" : "<%02x>", (unsigned char)b[i]);
  }
  puts("");
}
static volatile sig_atomic_t got;
static void on(int s) { got = s; }
int main(void) {
  setbuf(stdout, 0);
  int m = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(m);
  unlockpt(m);
  char *name = ptsname(m);
  printf("name %d\n", !strncmp(name, "/dev/pts/", 9));
  int s = open(name, O_RDWR | O_NOCTTY);
  printf("tty %d %d same name %d\n", isatty(m), isatty(s), !strcmp(ttyname(s), name));
  write(m, "helo\x7flo\n", 8);
  show("echo", m);
  show("line", s);
  write(m, "kill this line\x15kept word\x17text\r", 30);
  show("echo", m);
  show("line", s);
  write(m, "\x04", 1);
  struct pollfd p = {s, POLLIN, 0};
  printf("end of file %d %d\n", poll(&p, 1, 100), (int)read(s, &(char){0}, 1));
  write(s, "one\ntwo\n", 8);
  show("output", m);
  struct termios t, old;
  tcgetattr(s, &old);
  t = old;
  t.c_lflag &= ~ECHO;
  tcsetattr(s, TCSANOW, &t);
  write(m, "secret\n", 7);
  show("no echo", m);
  show("line", s);
  cfmakeraw(&t);
  tcsetattr(s, TCSANOW, &t);
  write(m, "\x03\r\x04", 3);
  show("raw", s);
  write(s, "a\nb", 3);
  show("raw output", m);
  t.c_cc[VMIN] = 0;
  t.c_cc[VTIME] = 1;
  tcsetattr(s, TCSANOW, &t);
  printf("timed read %d\n", (int)read(s, &(char){0}, 1));
  tcsetattr(s, TCSAFLUSH, &old);
  struct winsize w = {33, 111, 0, 0};
  ioctl(m, TIOCSWINSZ, &w);
  memset(&w, 0, sizeof w);
  ioctl(s, TIOCGWINSZ, &w);
  printf("size %d %d\n", w.ws_row, w.ws_col);
  int out[2], pid;
  pipe(out);
  if (!(pid = fork())) {
    close(m);
    dup2(out[1], 1);
    setsid();
    ioctl(s, TIOCSCTTY, 0);
    signal(SIGINT, on);
    signal(SIGWINCH, on);
    printf("leader %d %d\n", tcgetpgrp(s) == getpid(), tcgetsid(s) == getpid());
    write(s, "ready\n", 6);
    while (!got) pause();
    printf("child got %d\n", got);
    got = 0;
    write(s, "again\n", 6);
    while (!got) pause();
    printf("child got %d\n", got);
    int f = fork();
    if (!f) {
      setpgid(0, 0);
      char c;
      read(s, &c, 1);
      _exit(0);
    }
    int st;
    waitpid(f, &st, WUNTRACED);
    printf("background read stops %d\n", WIFSTOPPED(st) ? WSTOPSIG(st) : -1);
    kill(f, SIGKILL);
    waitpid(f, &st, 0);
    signal(SIGHUP, SIG_DFL);
    write(s, "bye\n", 4);
    for (;;) pause();
  }
  close(s);
  show("from child", m);
  show("it says", out[0]);
  write(m, "\x03", 1);
  show("it says", out[0]);
  usleep(50000);
  show("interrupt", m);
  w.ws_col = 90;
  ioctl(m, TIOCSWINSZ, &w);
  usleep(200000);
  show("it says", out[0]);
  show("then", m);
  close(m);
  int st;
  waitpid(pid, &st, 0);
  printf("hang-up %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : -1);
  return 0;
}
