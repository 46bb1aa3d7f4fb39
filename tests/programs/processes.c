/* Processes: fork, exec, wait, pipes, process groups, signals between processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static volatile sig_atomic_t got, childs;
static void on(int s) { got = s; }
static void onchild(int s) { (void)s; childs++; }
static void show(const char *what, int st) {
  if (WIFEXITED(st)) printf("%s exit %d\n", what, WEXITSTATUS(st));
  else if (WIFSIGNALED(st)) printf("%s signal %d\n", what, WTERMSIG(st));
  else if (WIFSTOPPED(st)) printf("%s stopped %d\n", what, WSTOPSIG(st));
  else if (WIFCONTINUED(st)) printf("%s continued\n", what);
  fflush(stdout);
}
int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "child")) {
    printf("child %s %s %d\n", argv[2], getenv("X") ? getenv("X") : "-", fcntl(9, F_GETFD));
    return 3;
  }
  int st, p[2];
  setbuf(stdout, 0);
  printf("wait without children %d %s\n", wait(&st), strerror(errno));
  pid_t c = fork();
  if (!c) _exit(42);
  printf("same %d\n", waitpid(c, &st, 0) == c);
  show("fork", st);
  static int shared_private = 1;
  int *sh = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (!(c = fork())) { shared_private = 2; *sh = 99; _exit(0); }
  waitpid(c, &st, 0);
  printf("private %d shared %d\n", shared_private, *sh);
  if (!(c = fork())) { *(volatile int *)0 = 1; _exit(0); }
  waitpid(c, &st, 0);
  show("crash", st & ~0x80);
  if (!(c = fork())) { pause(); _exit(0); }
  kill(c, SIGTERM);
  waitpid(c, &st, 0);
  show("term", st);
  pipe(p);
  if (!(c = fork())) {
    close(p[0]);
    for (int i = 0; i < 2000; i++) dprintf(p[1], "line %d of a text that fills the pipe more than once, surely it does so\n", i);
    _exit(0);
  }
  close(p[1]);
  char buf[1000];
  long n, bytes = 0, sum = 0;
  while ((n = read(p[0], buf, sizeof buf)) > 0) { bytes += n; for (long i = 0; i < n; i++) sum = (sum * 31 + buf[i]) % 1000003; }
  printf("pipe %ld %ld\n", bytes, sum);
  close(p[0]);
  waitpid(c, &st, 0);
  pipe(p);
  close(p[0]);
  signal(SIGPIPE, on);
  n = write(p[1], "x", 1);
  printf("epipe %ld %s got %d\n", n, strerror(errno), got);
  close(p[1]);
  fcntl(1, F_DUPFD, 9);
  fcntl(9, F_SETFD, FD_CLOEXEC);
  if (!(c = fork())) {
    char *a[] = {argv[0], "child", "exec", 0}, *e[] = {"X=y", 0};
    execve("/proc/self/exe", a, e);
    _exit(127);
  }
  waitpid(c, &st, 0);
  show("exec", st);
  if (!(c = vfork())) { execl("/no/such", "x", (char *)0); _exit(errno == ENOENT ? 9 : 8); }
  waitpid(c, &st, 0);
  show("vfork", st);
  char *sa[] = {argv[0], "child", "spawn", 0};
  int e = posix_spawn(&c, argv[0], 0, 0, sa, environ);
  waitpid(c, &st, 0);
  printf("spawn %d\n", e);
  show("spawn", st);
  e = posix_spawn(&c, "/no/such/file", 0, 0, sa, environ);
  printf("spawn error %s\n", strerror(e));
  struct sigaction act = {.sa_handler = onchild, .sa_flags = SA_RESTART};
  sigaction(SIGCHLD, &act, 0);
  for (int i = 0; i < 3; i++) if (!fork()) _exit(i);
  int codes = 0;
  for (int i = 0; i < 3; i++) { wait(&st); codes += WEXITSTATUS(st); }
  printf("three %d sigchld %d\n", codes, childs > 0);
  // The child must not end before its continuation has been waited for.
  int hold[2];
  char go = 0;
  if (pipe(hold)) return 1;
  if (!(c = fork())) { raise(SIGSTOP); _exit(read(hold[0], &go, 1) == 1); }
  waitpid(c, &st, WUNTRACED);
  show("stop", st);
  kill(c, SIGCONT);
  waitpid(c, &st, WCONTINUED);
  show("cont", st);
  if (write(hold[1], &go, 1) != 1) return 1;
  waitpid(c, &st, 0);
  show("end", st);
  siginfo_t si;
  memset(&si, 0, sizeof si);
  if (!(c = fork())) _exit(77);
  waitid(P_PID, c, &si, WEXITED | WNOWAIT);
  printf("waitid %d %d %d\n", si.si_code == CLD_EXITED, si.si_status, si.si_pid == c);
  printf("again %d\n", waitpid(c, &st, WNOHANG) == c);
  if (!(c = fork())) { setpgid(0, 0); printf("group %d\n", getpgrp() == getpid()); int session = setsid(); printf("session %d %s\n", session, strerror(errno)); _exit(0); }
  waitpid(c, &st, 0);
  if (!(c = fork())) { if (!fork()) { usleep(30000); printf("orphan %d\n", getppid() != c); _exit(0); } _exit(0); }
  waitpid(c, &st, 0);
  usleep(80000);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  if (!(c = fork())) { kill(getppid(), SIGUSR1); _exit(0); }
  int s;
  sigwait(&set, &s);
  printf("sigwait %d\n", s);
  waitpid(c, &st, 0);
  struct rlimit rl = {20, 20};
  if (!(c = fork())) {
    setrlimit(RLIMIT_NOFILE, &rl);
    int last = 0, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
    printf("nofile %d %s\n", last, strerror(errno));
    _exit(0);
  }
  waitpid(c, &st, 0);
  FILE *f = popen("echo from the shell; exit 4", "r");
  while (fgets(buf, sizeof buf, f)) printf("popen: %s", buf);
  printf("pclose %d\n", WEXITSTATUS(pclose(f)));
  printf("system %d\n", WEXITSTATUS(system("exit 6")));
  alarm(1);
  signal(SIGALRM, on);
  got = 0;
  pause();
  printf("alarm %d\n", got);
  return 11;
}
