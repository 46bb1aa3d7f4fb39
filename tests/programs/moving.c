/* Moving data and handles between descriptors and processes: splice, tee, vmsplice, sendfile, copy_file_range, pidfd, process_vm. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
static void result(const char *what, long r) { printf("%s %ld%s%s\n", what, r, r < 0 ? " " : "", r < 0 ? strerror(errno) : ""); }
int main(void) {
  setbuf(stdout, 0);
  char path[64], other[64], b[100000];
  snprintf(path, sizeof path, "/tmp/hedra-moving-%d", getpid());
  snprintf(other, sizeof other, "%s-b", path);
  int f = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), g = open(other, O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (int i = 0; i < 100000; i++) b[i] = i * 31 >> 3;
  write(f, b, 100000);
  int p[2], q[2];
  pipe(p);
  pipe(q);
  off_t at = 10;
  result("splice in", splice(f, &at, p[1], 0, 1000, 0));
  printf("offset %ld position %ld\n", (long)at, (long)lseek(f, 0, SEEK_CUR));
  result("tee", tee(p[0], q[1], 600, 0));
  result("splice out", splice(p[0], 0, g, 0, 5000, 0));
  result("rest", read(q[0], b, sizeof b));
  printf("same %d\n", b[0] == (char)(10 * 31 >> 3) && b[599] == (char)(609 * 31 >> 3));
  result("empty", splice(p[0], 0, g, 0, 10, SPLICE_F_NONBLOCK));
  result("no pipe", splice(f, 0, g, 0, 10, 0));
  result("offset of a pipe", splice(p[0], &at, g, 0, 10, 0));
  struct iovec v[2] = {{"hello ", 6}, {"world", 5}};
  result("vmsplice", vmsplice(p[1], v, 2, 0));
  memset(b, 0, 20);
  read(p[0], b, 20);
  puts(b);
  lseek(f, 0, SEEK_SET);
  result("sendfile", sendfile(g, f, 0, 50000));
  at = 99990;
  result("sendfile at the end", sendfile(g, f, &at, 100));
  loff_t from = 5, to = 0;
  result("copy_file_range", copy_file_range(f, &from, g, &to, 70000, 0));
  printf("offsets %ld %ld\n", (long)from, (long)to);
  struct stat s;
  fstat(g, &s);
  printf("size %ld\n", (long)s.st_size);
  result("readv", preadv(f, (struct iovec[]){{b, 3}, {b + 10, 0}, {b + 20, 5}}, 3, 1));
  result("fallocate", fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4, 8));
  pread(f, b, 20, 0);
  printf("hole %d %d %d\n", b[3] == (char)(3 * 31 >> 3), b[4] == 0 && b[11] == 0, b[12] == (char)(12 * 31 >> 3));
  result("grow", fallocate(f, 0, 0, 200000));
  fstat(f, &s);
  printf("size %ld\n", (long)s.st_size);
  int pid = fork();
  if (!pid) {
    pause();
    _exit(0);
  }
  int fd = syscall(SYS_pidfd_open, pid, 0);
  struct pollfd pf = {fd, POLLIN, 0};
  printf("running %d\n", poll(&pf, 1, 0));
  char place[64];
  sprintf(place, "/proc/%d", pid);
  int directory = open(place, O_RDONLY | O_DIRECTORY), above = open("/proc", O_RDONLY | O_DIRECTORY);
  result("through /proc", syscall(SYS_pidfd_send_signal, directory, 0, 0, 0));
  result("not a process's", syscall(SYS_pidfd_send_signal, above, 0, 0, 0));
  result("signal", syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0));
  printf("ended %d\n", poll(&pf, 1, 2000));
  siginfo_t si;
  memset(&si, 0, sizeof si);
  waitid(P_PIDFD, fd, &si, WEXITED);
  printf("waitid %d %d\n", si.si_code == CLD_KILLED, si.si_status);
  result("no process", syscall(SYS_pidfd_open, 999999, 0));
  static char secret[] = "in the parent";
  if (!(pid = fork())) {
    strcpy(secret, "in the child!");
    pause();
    _exit(0);
  }
  usleep(50000);
  struct iovec l = {b, 14}, r = {secret, 14};
  result("process_vm_readv", process_vm_readv(pid, &l, 1, &r, 1, 0));
  puts(b);
  r.iov_base = (void *)16;
  result("bad address", process_vm_readv(pid, &l, 1, &r, 1, 0));
  kill(pid, SIGKILL);
  wait(0);
  int m = open(path, O_RDWR);
  char *map = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  memcpy(map + 100, "mapped", 6);
  pread(m, b, 6, 100);
  printf("%.6s\n", b);
  pwrite(m, "WRITTEN", 7, 4095);
  printf("%.7s\n", map + 4095);
  munmap(map, 8192);
  mkfifo("/tmp/hedra-moving-fifo", 0600);
  if (!fork()) {
    int w = open("/tmp/hedra-moving-fifo", O_WRONLY);
    write(w, "through a fifo", 14);
    _exit(0);
  }
  int w = open("/tmp/hedra-moving-fifo", O_RDONLY);
  memset(b, 0, 20);
  read(w, b, 20);
  puts(b);
  printf("then %d\n", (int)read(w, b, 20));
  wait(0);
  result("nobody reads", (close(w), open("/tmp/hedra-moving-fifo", O_WRONLY | O_NONBLOCK)));
  unlink("/tmp/hedra-moving-fifo");
  unlink(path);
  unlink(other);
  return 0;
}
