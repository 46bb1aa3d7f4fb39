/* What a process finds about itself, its sockets and locks in /proc. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
static char text[1 << 20];
static const char *slurp(const char *path) {
  int fd = open(path, O_RDONLY), n = 0, r;
  while (fd >= 0 && (r = read(fd, text + n, sizeof text - 1 - n)) > 0) n += r;
  text[n] = 0;
  close(fd);
  return text;
}
/* The value of a line "Key: value". */
static void key(const char *path, const char *name) {
  const char *at = strstr(slurp(path), name);
  printf("%s %.*s\n", name, at ? (int)strcspn(at + strlen(name), "\n") : 4, at ? at + strlen(name) : "none");
}
/* Words `from` to `to` of the line that has `part`. */
static void words(const char *path, const char *part, int from, int to) {
  char *line = strtok((char *)slurp(path), "\n");
  for (; line; line = strtok(0, "\n")) {
    if (!strstr(line, part)) continue;
    int n = 0;
    for (char *p = line; *p; n++) {
      p += strspn(p, " ");
      int length = strcspn(p, " ");
      if (length && n >= from && n <= to) printf("%.*s ", length, p);
      p += length;
    }
    puts("");
  }
}
int main(void) {
  prctl(PR_SET_NAME, "prog");
  for (const char **k = (const char *[]){"Name:", "Umask:", "State:", "TracerPid:", "Uid:", "Gid:", "Groups:", "VmLck:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:",
                                         "CapInh:", "CapAmb:", "NoNewPrivs:", "Seccomp:", 0}; *k; k++) key("/proc/self/status", *k);
  printf("stat: %d fields\n", ({ int n = 0; for (const char *p = slurp("/proc/self/stat"); *p; p++) n += *p == ' ' || *p == '\n'; n; }));
  printf("comm: %s", slurp("/proc/self/comm"));
  printf("task comm: %s", ({ char path[64]; sprintf(path, "/proc/self/task/%d/comm", getpid()); slurp(path); }));
  printf("statm: %d fields\n", ({ int n = 0; for (const char *p = slurp("/proc/self/statm"); *p; p++) n += *p == ' ' || *p == '\n'; n; }));
  printf("cmdline ends with 0: %d\n", ({ int fd = open("/proc/self/cmdline", O_RDONLY), n = read(fd, text, 4096); close(fd); text[n - 1] == 0; }));
  int memory = open("/proc/self/mem", O_RDWR), value = 5, seen = 0;
  printf("mem: %ld %d", (long)pread(memory, &seen, sizeof seen, (long)&value), seen);
  printf(" %ld %d", (long)pwrite(memory, "\7\0\0", 4, (long)&value), value);
  printf(" %ld\n", (long)pread(memory, &seen, 4, 4096));
  printf("maps: stack %d heap %d libc or program %d\n", strstr(slurp("/proc/self/maps"), "[stack]") != 0, ({ free(malloc(10)); strstr(slurp("/proc/self/maps"), "[heap]") != 0; }),
         strstr(slurp("/proc/self/maps"), "r-xp") != 0);
  printf("rollup: %d\n", strstr(slurp("/proc/self/smaps_rollup"), "\nPss:") != 0);
  char link[64] = "";
  readlink("/proc/self/ns/uts", link, 63);
  printf("ns: %.5s\n", link);
  printf("oom: %s", slurp("/proc/self/oom_score_adj"));
  struct stat s;
  printf("self/fd: %o\n", stat("/proc/self/fd", &s) ? 0 : s.st_mode);
  printf("self/environ: %o\n", stat("/proc/self/environ", &s) ? 0 : s.st_mode);
  printf("self/mem: %d\n", access("/proc/self/mem", F_OK));
  const char *there[] = {"cpuinfo", "meminfo", "loadavg", "uptime", "version", "stat", "filesystems", "devices", "mounts", "partitions", "diskstats", "interrupts",
                         "locks", "swaps", "vmstat", "self/limits", "self/io", "self/mountinfo", "self/oom_score", "self/auxv", "sys/kernel/pid_max", "sys/kernel/random/uuid",
                         "sys/fs/file-max", "sys/vm/overcommit_memory", "sys/net/core/somaxconn", "sysvipc/shm", "net/dev", "thread-self/stat", 0};
  for (const char **p = there; *p; p++) {
    char path[64];
    sprintf(path, "/proc/%s", *p);
    if (access(path, R_OK)) printf("%s is missing\n", path);
  }
  int tcp = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  socklen_t size = sizeof a;
  if (bind(tcp, (void *)&a, sizeof a) || listen(tcp, 7) || getsockname(tcp, (void *)&a, &size) || connect(client, (void *)&a, sizeof a)) return 1;
  char port[16];
  sprintf(port, ":%04X 00000000:0000 0A", ntohs(a.sin_port));
  words("/proc/net/tcp", port, 2, 3);
  sprintf(port, "0100007F:%04X 01", ntohs(a.sin_port));
  words("/proc/net/tcp", port, 3, 4);
  a.sin_port = 0;
  if (bind(udp, (void *)&a, sizeof a) || getsockname(udp, (void *)&a, &size)) return 1;
  sprintf(port, ":%04X ", ntohs(a.sin_port));
  words("/proc/net/udp", port, 2, 3);
  size = sizeof a6;
  if (bind(six, (void *)&a6, sizeof a6) || listen(six, 1) || getsockname(six, (void *)&a6, &size)) return 1;
  sprintf(port, ":%04X ", ntohs(a6.sin6_port));
  words("/proc/net/tcp6", port, 2, 3);
  char dir[] = "/tmp/procXXXXXX";
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  struct sockaddr_un u = {AF_UNIX, "listening.socket"};
  int local = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(local, (void *)&u, sizeof u) || listen(local, 1)) return 1;
  words("/proc/net/unix", "listening.socket", 1, 5);
  int lock = open("lock", O_CREAT | O_RDWR, 0600);
  struct flock range = {F_WRLCK, SEEK_SET, 5, 10, 0};
  if (fcntl(lock, F_SETLK, &range)) return 1;
  char mine[32];
  sprintf(mine, " %d ", getpid());
  words("/proc/locks", mine, 1, 3);
  words("/proc/locks", mine, 6, 7);
  unlink("lock");
  unlink("listening.socket");
  chdir("/");
  rmdir(dir);
  return 0;
}
