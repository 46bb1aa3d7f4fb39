/* Users, groups, capabilities and what they may do to files and processes. Starts as root; prints every result. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/in.h>
#include <utime.h>
#include "try.h"

static const char *self;
#define OPENS(call) ({ errno = 0; int f_ = (call); printf("  %s: %s\n", #call, f_ < 0 ? strerrorname_np(errno) : "ok"); if (f_ >= 0) close(f_); })
static void ids(void) {
  uid_t r, e, s;
  gid_t rg, eg, sg;
  getresuid(&r, &e, &s);
  getresgid(&rg, &eg, &sg);
  printf("  uid %d %d %d fs %d, gid %d %d %d fs %d, groups", r, e, s, setfsuid(-1), rg, eg, sg, setfsgid(-1));
  gid_t g[64];
  int n = getgroups(64, g);
  for (int i = 0; i < n; i++) printf(" %d", g[i]);
  puts("");
}
static void caps(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  printf("  caps p %x e %x i %x, bounding", d[0].permitted, d[0].effective, d[0].inheritable);
  int n = 0;
  for (int i = 0; i < 32; i++) n += prctl(PR_CAPBSET_READ, i) == 1;
  printf(" %d of the first 32, securebits %d, keep %d\n", n, prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
}
static void modeOf(const char *path) {
  struct stat s;
  if (lstat(path, &s)) printf("  %s: %s\n", path, strerrorname_np(errno));
  else printf("  %s: %o %d:%d\n", path, s.st_mode, s.st_uid, s.st_gid);
}
static void become(int uid, int gid) {
  setgroups(0, 0);
  if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) puts("cannot become");
}

static void idRules(void) {
  gid_t groups[] = {30, 10, 20};
  TRY(setgroups(3, groups));
  ids();
  TRY(setresgid(1000, 1001, 1002));
  TRY(setresuid(1000, 1001, 1002));
  ids();
  caps();
  TRY(setuid(0));
  TRY(setuid(1001));
  TRY(setuid(1002));
  ids();
  TRY(setreuid(1002, -1));
  ids();
  TRY(setreuid(-1, 1000));
  ids();
  TRY(setresuid(-1, -1, 5));
  TRY(setresuid(1000, 1000, 1000));
  TRY(setreuid(-1, -1));
  ids();
  TRY(setgid(1002));
  TRY(setregid(1002, 1000));
  ids();
  TRY(setgid(7));
  TRY(setgroups(1, groups));
  TRY(syscall(SYS_setfsuid, 77));
  TRY(syscall(SYS_setfsuid, -1));
  TRY(syscall(SYS_setuid, -1));
  TRY(syscall(SYS_getgroups, 1, groups));
  TRY(syscall(SYS_getgroups, -1, groups));
}
static void reuidSaves(void) {
  TRY(setreuid(1000, 0));
  ids();
  TRY(setreuid(-1, 1000));
  ids();
  caps();
  TRY(setreuid(-1, 0));
  ids();
  caps();
  TRY(seteuid(1000));
  TRY(setuid(1000));
  ids();
  TRY(seteuid(0));
  caps();
  TRY(setuid(1000));
  caps();
  ids();
}
static void keepsCaps(void) {
  TRY(prctl(PR_SET_KEEPCAPS, 1));
  become(1000, 1000);
  caps();
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{1 << CAP_SETUID, 1 << CAP_SETUID | 1 << CAP_CHOWN, 0}, {0, 0, 0}};
  TRY(syscall(SYS_capset, &h, d));
  caps();
  TRY(setuid(2000));
  caps();
  ids();
  d[0].permitted |= 1;
  d[0].effective |= 1 << CAP_KILL;
  TRY(syscall(SYS_capset, &h, d));
  h.version = 1;
  TRY(syscall(SYS_capset, &h, d));
  printf("  version %x\n", h.version);
  h.version = 1;
  TRY(syscall(SYS_capget, &h, d));
  h.version = 1;
  TRY(syscall(SYS_capget, &h, 0));
  h.pid = -1;
  TRY(syscall(SYS_capget, &h, d));
  h.pid = 1 << 28;
  TRY(syscall(SYS_capget, &h, d));
  h.pid = 1;
  TRY(syscall(SYS_capset, &h, d));
}
static void ambient(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{-1, -1, 1 << CAP_KILL}, {0, 0, 0}};
  d[0].effective = d[0].permitted = 1 << CAP_KILL | 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SETPCAP;
  TRY(syscall(SYS_capset, &h, d));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0));
  TRY(prctl(PR_SET_SECUREBITS, 0x10 | 0x04));
  TRY(prctl(PR_SET_SECUREBITS, 0x1000));
  become(1000, 1000);
  caps();
  TRY(prctl(PR_CAPBSET_DROP, CAP_KILL));
  TRY(prctl(PR_CAPBSET_DROP, 99));
  TRY(prctl(PR_CAPBSET_READ, 99));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
  fflush(stdout);
  execl(self, self, "who", (char *)0);
}

/* d700, f600 ... of root; g: group 500; tmp: sticky; mine: 1000's. */
static void makeFiles(void) {
  struct { const char *path; int mode, uid, gid; } files[] = {
    {"f600", 0600, 0, 0}, {"f644", 0644, 0, 0}, {"f066", 0066, 1000, 0}, {"f040", 0040, 0, 500}, {"f777", 0777, 0, 0},
    {"x711", 0711, 0, 0}, {"suid", 06777, 0, 500}, {"mine", 0600, 1000, 1000}, {"f666", 0666, 0, 0},
  };
  umask(0);
  for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
    close(open(files[i].path, O_CREAT | O_RDWR, 0600));
    if (chown(files[i].path, files[i].uid, files[i].gid)) perror("chown");
    chmod(files[i].path, files[i].mode);
  }
  mkdir("d700", 0700); close(open("d700/in", O_CREAT | O_RDWR, 0666));
  mkdir("d711", 0711); close(open("d711/in", O_CREAT | O_RDWR, 0666));
  mkdir("d744", 0744); close(open("d744/in", O_CREAT | O_RDWR, 0666));
  mkdir("d777", 0777); close(open("d777/in", O_CREAT | O_RDWR, 0600)); mkdir("d777/sub", 0755);
  mkdir("tmp", 01777); close(open("tmp/roots", O_CREAT | O_RDWR, 0666)); close(open("tmp/his", O_CREAT | O_RDWR, 0666));
  if (chown("tmp/his", 1000, 1000)) perror("chown");
  mkdir("shared", 02777);
  if (chown("shared", 0, 500)) perror("chown");
  chmod("shared", 02777);
  if (symlink("d700/in", "link") || symlink("f644", "link2")) perror("symlink");
  umask(022);
}
static void asUser(void) {
  become(1000, 1000);
  OPENS(open("f600", O_RDONLY));
  OPENS(open("f600", O_PATH));
  OPENS(open("f644", O_RDONLY));
  OPENS(open("f644", O_WRONLY));
  OPENS(open("f644", O_RDONLY | O_TRUNC));
  OPENS(open("f666", O_RDWR | O_TRUNC));
  OPENS(open("f644", O_RDONLY | O_NOATIME));
  OPENS(open("mine", O_RDONLY | O_NOATIME));
  OPENS(open("f066", O_RDONLY));
  OPENS(open("f040", O_RDONLY));
  OPENS(open("x711", O_RDONLY));
  OPENS(open("d700", O_RDONLY));
  OPENS(open("d700", O_PATH));
  OPENS(open("d700/in", O_RDONLY));
  OPENS(open("d700/none", O_RDONLY));
  OPENS(open("d700/.", O_RDONLY));
  OPENS(open("d700/..", O_RDONLY));
  OPENS(open("d711", O_RDONLY));
  OPENS(open("d711/in", O_RDWR));
  OPENS(open("d744", O_RDONLY));
  OPENS(open("d744/in", O_RDONLY));
  OPENS(open("link", O_RDONLY));
  OPENS(open("link2", O_RDONLY));
  OPENS(open("new", O_CREAT | O_RDWR, 0666));
  OPENS(open("d711/new", O_CREAT | O_RDWR, 0666));
  OPENS(open("d777/new", O_CREAT | O_EXCL | O_RDWR, 0666));
  OPENS(open("d777", O_TMPFILE | O_RDWR, 0600));
  OPENS(open("d711", O_TMPFILE | O_RDWR, 0600));
  modeOf("d777/new");
  OPENS(open("shared/new", O_CREAT | O_RDWR, 0666));
  modeOf("shared/new");
  OPENS(open("shared/sgid", O_CREAT | O_RDWR, 02775));
  modeOf("shared/sgid");
  TRY(mkdir("shared/dir", 0755));
  modeOf("shared/dir");
  TRY(symlink("x", "shared/link"));
  modeOf("shared/link");
  TRY(mkdir("dir", 0755));
  TRY(mkdir("f644", 0755));
  TRY(mkdir("d711/in", 0755));
  TRY(mkfifo("d777/fifo", 0600));
  modeOf("d777/fifo");
  TRY(mknod("d777/null", S_IFCHR | 0600, 0x103));
  TRY(mknod("d777/sock", S_IFSOCK | 0600, 0));
  TRY(unlink("f644"));
  TRY(unlink("d777/in"));
  TRY(rmdir("d777/in"));
  TRY(rmdir("d777/none"));
  TRY(unlink("tmp/roots"));
  TRY(rename("tmp/roots", "tmp/renamed"));
  TRY(rename("tmp/his", "tmp/roots"));
  TRY(rename("d777/new", "tmp/roots"));
  TRY(unlink("tmp/his"));
  TRY(rename("f644", "d777/f644"));
  TRY(rename("d777/new", "f644"));
  TRY(rename("d777/sub", "shared/sub"));
  TRY(rename("d777/sub", "d777/sub2"));
  TRY(link("f600", "d777/hard"));
  TRY(link("f600", "hard"));
  TRY(chmod("f644", 0666));
  TRY(chmod("mine", 06755));
  modeOf("mine");
  TRY(chmod("shared/new", 02777));
  modeOf("shared/new");
  TRY(chown("f644", 1000, -1));
  TRY(chown("mine", 1001, -1));
  TRY(chown("mine", -1, 500));
  TRY(chown("mine", 1000, 1000));
  modeOf("mine");
  TRY(chown("mine", -1, -1));
  TRY(chown("f644", -1, -1));
  TRY(lchown("link2", 1000, 1000));
  TRY(truncate("f644", 0));
  TRY(truncate("f666", 10));
  TRY(truncate("mine", 10));
  TRY(access("f600", F_OK));
  TRY(access("f600", R_OK));
  TRY(access("f644", R_OK));
  TRY(access("f644", X_OK));
  TRY(access("d700", X_OK));
  TRY(access("d700/in", F_OK));
  TRY(access("d744", X_OK));
  TRY(access("f777", R_OK | W_OK | X_OK));
  TRY(faccessat(AT_FDCWD, "link2", W_OK, AT_SYMLINK_NOFOLLOW));
  TRY(access("f777", 8));
  TRY(chdir("d700"));
  TRY(chdir("d744"));
  TRY(chdir("d711"));
  TRY(chdir(".."));
  char buffer[10];
  TRY(readlink("link", buffer, 10));
  TRY(readlink("d700/in", buffer, 10));
  struct stat s;
  TRY(stat("d700/in", &s));
  TRY(stat("d744/in", &s));
  TRY(utime("f644", 0));
  TRY(utime("f666", 0));
  struct utimbuf times = {1, 2};
  TRY(utime("f666", &times));
  TRY(utime("mine", &times));
  struct timespec ts[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}}, omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  TRY(utimensat(AT_FDCWD, "f666", ts, 0));
  TRY(utimensat(AT_FDCWD, "f644", omit, 0));
  TRY(utimensat(AT_FDCWD, "f600", omit, 0));
  int fd = open("suid", O_WRONLY);
  modeOf("suid");
  TRY(write(fd, "", 0));
  TRY(write(fd, "x", 1));
  modeOf("suid");
  TRY(execl("f644", "f644", (char *)0));
  TRY(execl("d711", "d711", (char *)0));
  TRY(execl("d700/in", "in", (char *)0));
}
static void asGroup(void) {
  gid_t g = 500;
  setgroups(1, &g);
  if (setresgid(7, 7, 7) || setresuid(7, 7, 7)) puts("cannot become");
  OPENS(open("f040", O_RDONLY));
  OPENS(open("f040", O_WRONLY));
  OPENS(open("shared/sgid2", O_CREAT | O_RDWR, 02775));
  modeOf("shared/sgid2");
  TRY(chmod("shared/sgid2", 02711));
  TRY(chown("shared/sgid2", 7, 7));
  modeOf("shared/sgid2");
  TRY(chown("shared/sgid2", -1, 500));
  TRY(chown("shared/sgid2", -1, 501));
}
static void withCaps(void) {
  prctl(PR_SET_KEEPCAPS, 1);
  become(1000, 1000);
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{1 << CAP_DAC_READ_SEARCH, 1 << CAP_DAC_READ_SEARCH | 1 << CAP_FOWNER | 1 << CAP_CHOWN, 0}, {0, 0, 0}};
  TRY(syscall(SYS_capset, &h, d));
  OPENS(open("f600", O_RDONLY));
  OPENS(open("f600", O_RDWR));
  OPENS(open("d700/in", O_RDONLY));
  OPENS(open("d700/made", O_RDWR | O_CREAT, 0600));
  TRY(access("f600", R_OK));
  TRY(faccessat(AT_FDCWD, "f600", R_OK, AT_EACCESS));
  d[0].effective = 1 << CAP_FOWNER;
  TRY(syscall(SYS_capset, &h, d));
  TRY(chmod("f600", 0640));
  TRY(unlink("tmp/roots"));
  TRY(chown("f644", 5, 5));
  d[0].effective = 1 << CAP_CHOWN;
  TRY(syscall(SYS_capset, &h, d));
  TRY(chown("f644", 5, 5));
  modeOf("f644");
}
static void fsIds(void) {
  TRY(setfsuid(1000));
  TRY(setfsuid(-1));
  caps();
  OPENS(open("f600", O_RDONLY));
  OPENS(open("d777/fs", O_RDWR | O_CREAT, 0600));
  modeOf("d777/fs");
  TRY(setfsuid(0));
  caps();
  OPENS(open("f600", O_RDONLY));
  TRY(seteuid(1000));
  OPENS(open("f600", O_RDONLY));
  TRY(access("f600", R_OK));
  TRY(eaccess("f600", R_OK));
}
static void asRoot(void) {
  OPENS(open("f066", O_RDWR));
  TRY(access("f600", X_OK));
  TRY(access("f777", X_OK));
  TRY(access("d700", X_OK));
  chmod("f777", 06755);
  TRY(chown("f777", 3, 3));
  modeOf("f777");
  chmod("f777", 02644);
  TRY(chown("f777", 3, 3));
  modeOf("f777");
  TRY(chown("link2", -1, 0xfffffffe));
  modeOf("f644");
  mkdir("sdir", 06755);
  chmod("sdir", 06755);
  TRY(chown("sdir", 3, 3));
  modeOf("sdir");
  TRY(execl("f600", "f600", (char *)0));
}

static void *idle(void *stop) {
  char c;
  if (read(*(int *)stop, &c, 1)) return 0;
  return 0;
}
static void kills(void) {
  int pids[3], status;
  for (int i = 0; i < 3; i++) {
    pids[i] = fork();
    if (!pids[i]) {
      if (i) become(1000 * i, 1000);
      pause();
      _exit(0);
    }
  }
  usleep(100000);
  fflush(stdout);
  int pid = fork();
  if (!pid) {
    become(1000, 1000);
    TRY(kill(pids[0], 0));
    TRY(kill(pids[0], SIGCONT));
    TRY(kill(pids[1], 0));
    TRY(kill(pids[2], SIGTERM));
    TRY(syscall(SYS_tgkill, pids[2], pids[2], SIGTERM));
    TRY(getpriority(PRIO_PROCESS, pids[0]));
    TRY(setpriority(PRIO_PROCESS, pids[0], 5));
    TRY(setpriority(PRIO_PROCESS, pids[1], 5));
    TRY(setpriority(PRIO_PROCESS, 0, 3));
    TRY(setpriority(PRIO_PROCESS, 0, 0));
    struct rlimit limit;
    TRY(prlimit(pids[0], RLIMIT_NOFILE, 0, &limit));
    TRY(prlimit(pids[1], RLIMIT_NOFILE, 0, &limit));
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_max++;
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    char path[64];
    sprintf(path, "/proc/%d/environ", pids[0]);
    printf("  root's environ %s\n", open(path, O_RDONLY) < 0 ? strerrorname_np(errno) : "ok");
    sprintf(path, "/proc/%d/fd", pids[0]);
    printf("  root's fd %s\n", open(path, O_RDONLY) < 0 ? strerrorname_np(errno) : "ok");
    sprintf(path, "/proc/%d/stat", pids[0]);
    printf("  root's stat %s\n", open(path, O_RDONLY) < 0 ? strerrorname_np(errno) : "ok");
    sprintf(path, "/proc/%d/exe", pids[0]);
    char target[9];
    printf("  root's exe %s\n", readlink(path, target, 9) < 0 ? strerrorname_np(errno) : "ok");
    TRY(open("/proc/sys/kernel/hostname", O_WRONLY));
    TRY(sethostname("x", 1));
    TRY(setpgid(pids[0], 0));
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  for (int i = 0; i < 3; i++) kill(pids[i], SIGKILL), waitpid(pids[i], &status, 0);
}
static void *other(void *unused) {
  ids();
  syscall(SYS_setresuid, 1000, 1000, 1000);
  ids();
  return 0;
}
static void threads(void) {
  pthread_t t;
  pthread_create(&t, 0, other, 0);
  pthread_join(t, 0);
  puts("  the first thread is still root:");
  ids();
  int ends[2];
  if (pipe(ends)) return;
  pthread_create(&t, 0, idle, ends);
  TRY(setresuid(1000, 1000, 1000));
  ids();
  close(ends[1]);
  pthread_join(t, 0);
}
static void dumpable(void) {
  TRY(prctl(PR_GET_DUMPABLE));
  TRY(prctl(PR_SET_PDEATHSIG, SIGTERM));
  become(1000, 1000);
  int sig;
  TRY(prctl(PR_GET_DUMPABLE));
  TRY(prctl(PR_GET_PDEATHSIG, &sig));
  printf("  death signal %d\n", sig);
  struct stat s;
  stat("/proc/self/stat", &s);
  printf("  /proc/self/stat belongs to %d\n", s.st_uid);
  stat("/proc/self", &s);
  printf("  /proc/self belongs to %d\n", s.st_uid);
  OPENS(open("/proc/self/environ", O_RDONLY));
  OPENS(open("/proc/self/fd", O_RDONLY));
  OPENS(open("/proc/self/maps", O_RDONLY));
  TRY(prctl(PR_SET_DUMPABLE, 1));
  stat("/proc/self/stat", &s);
  printf("  /proc/self/stat belongs to %d\n", s.st_uid);
  OPENS(open("/proc/1/environ", O_RDONLY));
}
static void ports(void) {
  become(1000, 1000);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {AF_INET, htons(81)};
  TRY(bind(fd, (void *)&a, sizeof a));
  struct sockaddr_un u = {AF_UNIX, "d711/socket"};
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  TRY(bind(fd, (void *)&u, sizeof u));
  strcpy(u.sun_path, "rootsock");
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  TRY(connect(fd, (void *)&u, sizeof u));
}
static void rootSocket(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un u = {AF_UNIX, "rootsock"};
  TRY(bind(fd, (void *)&u, sizeof u));
  TRY(listen(fd, 1));
  fflush(stdout);
  in("connect", ports);
}

static void terminals(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || unlockpt(master)) return;
  char *slave = ptsname(master);
  chown(slave, 1000, 7);
  chmod(slave, 0600);
  struct stat s;
  int fd = open(slave, O_RDWR | O_NOCTTY);
  fstat(fd, &s);
  printf("  %o %d %d\n", s.st_mode, s.st_uid, s.st_gid);
  TRY(fchmod(fd, 0620));
  TRY(fchown(fd, -1, 5));
  stat(slave, &s);
  printf("  %o %d %d\n", s.st_mode, s.st_uid, s.st_gid);
  become(1001, 1001);
  TRY(chmod(slave, 0600));
  TRY(chown(slave, 1001, -1));
  TRY(open(slave, O_RDONLY | O_NOCTTY));
  TRY(fchmod(fd, 0666));
}
static void who(void) {
  ids();
  caps();
  printf("  AT_SECURE %lu uid %lu %lu gid %lu %lu, no new %d, dumpable %d\n", getauxval(AT_SECURE), getauxval(AT_UID), getauxval(AT_EUID),
         getauxval(AT_GID), getauxval(AT_EGID), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE));
}
static void execAs(int mode, int uid, int gid, int as, int noNewPrivileges) {
  printf("exec of %o %d:%d by %d%s\n", mode, uid, gid, as, noNewPrivileges ? " without new privileges" : "");
  fflush(stdout);
  if (chown("copy", uid, gid)) perror("chown");
  chmod("copy", mode);
  int pid = fork(), status;
  if (!pid) {
    if (noNewPrivileges) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (as) become(as, as);
    execl("./copy", "copy", "who", (char *)0);
    printf("  %s\n", strerrorname_np(errno));
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, &status, 0);
}
static void busy(void) {
  int fd = open("copy", O_WRONLY);
  TRY(execl("./copy", "copy", "who", (char *)0));
  close(fd);
  int ends[2], status;
  if (pipe(ends)) return;
  fflush(stdout);
  int pid = fork();
  if (!pid) {
    dup2(ends[0], 0);
    close(ends[1]);
    execl("./copy", "copy", "wait", (char *)0);
    _exit(1);
  }
  close(ends[0]);
  char c;
  usleep(200000);
  OPENS(open("copy", O_RDONLY));
  OPENS(open("copy", O_WRONLY));
  OPENS(open("copy", O_RDWR | O_TRUNC));
  TRY(truncate("copy", 1));
  (void)c;
  close(ends[1]);
  waitpid(pid, &status, 0);
  OPENS(open("copy", O_RDWR));
}
static void procLimit(void) {
  struct rlimit limit = {1, 1};
  setrlimit(RLIMIT_NPROC, &limit);
  int pid = fork();
  if (!pid) _exit(0);
  printf("  fork of root %s\n", pid < 0 ? strerrorname_np(errno) : "ok");
  wait(0);
  become(54321, 54321);
  pid = fork();
  if (!pid) _exit(0);
  printf("  fork of another %s\n", pid < 0 ? strerrorname_np(errno) : "ok");
}

int main(int argc, char **argv) {

  if (argc > 1 && !strcmp(argv[1], "who")) return who(), 0;
  if (argc > 1) return idle((int[]){0}), 0;
  setbuf(stdout, 0);
  static char path[4096];
  if (readlink("/proc/self/exe", path, 4095) < 0) return 1;
  self = path;
  char dir[] = "/tmp/users.XXXXXX", command[8300];
  umask(022);
  if (!mkdtemp(dir) || chdir(dir) || chmod(dir, 0755)) return 1;
  snprintf(command, sizeof command, "cp %s copy", path);
  if (system(command)) return 1;
  self = "./copy";
  // Containers differ in this one.
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE);
  syscall(SYS_capget, &header, data);
  data[0].effective = data[0].permitted &= ~(1 << CAP_SYS_RESOURCE);
  syscall(SYS_capset, &header, data);
  setgroups(0, 0);
  chmod("copy", 0755);
  makeFiles();
  in("ids", idRules);
  in("setreuid and the saved id", reuidSaves);
  in("capabilities that are kept", keepsCaps);
  in("ambient capabilities", ambient);
  in("files as a user", asUser);
  in("files by a group", asGroup);
  in("files with single capabilities", withCaps);
  in("ids for files", fsIds);
  in("files as root", asRoot);
  in("processes of others", kills);
  in("threads", threads);
  in("dumpable", dumpable);
  in("sockets", rootSocket);
  in("terminals", terminals);
  execAs(0755, 0, 0, 1000, 0);
  execAs(04755, 0, 0, 1000, 0);
  execAs(04755, 0, 0, 1000, 1);
  execAs(04711, 2000, 0, 1000, 0);
  execAs(02755, 0, 500, 1000, 0);
  execAs(02745, 0, 500, 1000, 0);
  execAs(06755, 2000, 500, 0, 0);
  execAs(0711, 0, 0, 1000, 0);
  execAs(0700, 0, 0, 1000, 0);
  execAs(0600, 0, 0, 0, 0);
  chmod("copy", 0755);
  in("a program that is used", busy);
  in("number of processes", procLimit);
  if (chdir("/")) return 1;
  snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command) != 0;
}
