/* random_world SEED BATCHES: several processes at once make random calls with arguments that mostly make sense: descriptors, paths, ids and
 * memory that exist. They may end in any way; the machine must go on. Never run it on a real kernel. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static unsigned long state;
static char *memory;
static unsigned long next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
/* Kinds of argument: d descriptor, p path, b buffer, v iovec array, n small number, z size, f flags, a AT_FDCWD or directory, i IPC id or key,
 * t time, s signal, u user, q process, o offset, m mapping, e error-prone anything. */
static const struct { int number; const char *args; } calls[] = {
  {SYS_open, "pff"}, {SYS_openat, "apff"}, {SYS_close, "d"}, {SYS_read, "dbz"}, {SYS_write, "dbz"}, {SYS_pread64, "dbzo"}, {SYS_pwrite64, "dbzo"},
  {SYS_readv, "dvn"}, {SYS_writev, "dvn"}, {SYS_lseek, "don"}, {SYS_dup, "d"}, {SYS_dup2, "dd"}, {SYS_dup3, "ddf"}, {SYS_pipe2, "bf"},
  {SYS_fstat, "db"}, {SYS_stat, "pb"}, {SYS_statx, "apffb"}, {SYS_ftruncate, "do"}, {SYS_truncate, "po"}, {SYS_fallocate, "dfoz"},
  {SYS_mkdir, "pf"}, {SYS_rmdir, "p"}, {SYS_unlink, "p"}, {SYS_rename, "pp"}, {SYS_renameat2, "apapf"}, {SYS_link, "pp"}, {SYS_linkat, "apapf"},
  {SYS_symlink, "pp"}, {SYS_readlink, "pbz"}, {SYS_chmod, "pf"}, {SYS_fchmod, "df"}, {SYS_chown, "puu"}, {SYS_fchown, "duu"}, {SYS_mknod, "pfn"},
  {SYS_utimensat, "aptf"}, {SYS_access, "pn"}, {SYS_faccessat2, "apnf"}, {SYS_chdir, "p"}, {SYS_fchdir, "d"}, {SYS_getcwd, "bz"}, {SYS_umask, "f"},
  {SYS_getdents64, "dbz"}, {SYS_setxattr, "ppbzf"}, {SYS_getxattr, "ppbz"}, {SYS_listxattr, "pbz"}, {SYS_flock, "dn"}, {SYS_fcntl, "dnb"},
  {SYS_fcntl, "dnf"}, {SYS_ioctl, "deb"}, {SYS_sendfile, "ddbz"}, {SYS_splice, "dbdbzf"}, {SYS_tee, "ddzf"}, {SYS_copy_file_range, "dbdbzn"},
  {SYS_mmap, "mzffdo"}, {SYS_munmap, "mz"}, {SYS_mprotect, "mzn"}, {SYS_mremap, "mzzf"}, {SYS_msync, "mzn"}, {SYS_madvise, "mzn"}, {SYS_mlock, "mz"},
  {SYS_brk, "m"}, {SYS_mincore, "mzb"}, {SYS_memfd_create, "pf"}, {SYS_socket, "nnn"}, {SYS_socketpair, "nnnb"}, {SYS_bind, "dbz"},
  {SYS_connect, "dbz"}, {SYS_listen, "dn"}, {SYS_accept4, "dbbf"}, {SYS_sendto, "dbzfbz"}, {SYS_recvfrom, "dbzfbb"}, {SYS_sendmsg, "dbf"},
  {SYS_recvmsg, "dbf"}, {SYS_shutdown, "dn"}, {SYS_setsockopt, "dnnbz"}, {SYS_getsockopt, "dnnbb"}, {SYS_getsockname, "dbb"},
  {SYS_epoll_create1, "f"}, {SYS_epoll_ctl, "dndb"}, {SYS_epoll_pwait, "dbnnbz"}, {SYS_poll, "bnn"}, {SYS_eventfd2, "nf"}, {SYS_timerfd_create, "nf"},
  {SYS_timerfd_settime, "dntb"}, {SYS_signalfd4, "dbzf"}, {SYS_inotify_init1, "f"}, {SYS_inotify_add_watch, "dpf"}, {SYS_inotify_rm_watch, "dn"},
  {SYS_shmget, "izf"}, {SYS_shmat, "imf"}, {SYS_shmdt, "m"}, {SYS_shmctl, "inb"}, {SYS_semget, "inf"}, {SYS_semtimedop, "ibnt"},
  {SYS_semctl, "innb"}, {SYS_msgget, "if"}, {SYS_msgsnd, "ibzf"}, {SYS_msgrcv, "ibznf"}, {SYS_msgctl, "inb"}, {SYS_mq_open, "pffb"},
  {SYS_mq_timedsend, "dbznt"}, {SYS_mq_timedreceive, "dbzbt"}, {SYS_mq_notify, "db"}, {SYS_mq_unlink, "p"}, {SYS_setresuid, "uuu"},
  {SYS_setresgid, "uuu"}, {SYS_setgroups, "nb"}, {SYS_capset, "bb"}, {SYS_capget, "bb"}, {SYS_prctl, "nne"}, {SYS_kill, "qs"}, {SYS_tgkill, "qqs"},
  {SYS_rt_sigaction, "sbbz"}, {SYS_rt_sigprocmask, "nbbz"}, {SYS_sigaltstack, "bb"}, {SYS_rt_sigtimedwait, "bbtz"}, {SYS_setitimer, "ntb"},
  {SYS_timer_create, "nbb"}, {SYS_timer_settime, "nntb"}, {SYS_timer_delete, "n"}, {SYS_setpgid, "qq"}, {SYS_setsid, ""}, {SYS_wait4, "qbnb"},
  {SYS_waitid, "nqbnb"}, {SYS_pidfd_open, "qn"}, {SYS_pidfd_send_signal, "dsbn"}, {SYS_pidfd_getfd, "ddn"}, {SYS_setrlimit, "nb"},
  {SYS_prlimit64, "qnbb"}, {SYS_futex, "bnntbn"}, {SYS_sched_setaffinity, "qzb"}, {SYS_setpriority, "nqn"}, {SYS_close_range, "ddf"},
  {SYS_process_vm_readv, "qvnvnn"}, {SYS_fork, ""}, {SYS_execve, "pbb"}, {SYS_openat2, "apbz"}, {SYS_clock_nanosleep, "nntb"}, {SYS_nanosleep, "tb"},
};
static const char *paths[] = {"f", "g", "d", "d/f", "l", "..", ".", "/", "/tmp", "/dev/null", "/dev/zero", "/dev/ptmx", "/dev/tty", "/proc/self/fd/3", "/proc/self/mem",
  "/proc/self/maps", "/proc/1/stat", "/proc/sys/kernel/hostname", "/dev/pts/0", "/dev/shm/x", "fifo", "user.x", "q", "", "d/../d/../f", "l/l/l", "/proc/self/exe",
  "/proc/self/task", "/sys"};
static unsigned long argument(char kind) {
  if (next() % 40 == 0) kind = 'e';
  unsigned long r = next();
  switch (kind) {
    case 'd': return r % 24;
    case 'p': return (unsigned long)paths[r % (sizeof paths / sizeof *paths)];
    case 'b': case 'v': case 't': return r % 16 == 0 ? 0 : (unsigned long)memory + r % 4000 / 8 * 8;
    case 'n': return r % 24;
    case 'z': return r % 4 == 0 ? r % 70000 : r % 40;
    case 'f': return r % 3 == 0 ? 0 : (1UL << r % 20) | (next() % 2 ? 1UL << next() % 24 : next() % 4);
    case 'a': return r % 3 ? -100 : r % 24;
    case 'i': return r % 6;
    case 's': return r % 30 == 0 ? 9 : r % 65;
    case 'u': return r % 4 ? r % 3 * 1000 : -1;
    case 'q': return r % 3 ? 0 : r % 20 == 4 ? -1 : (unsigned long)getpid() + r % 3;
    case 'o': return r % 5 == 0 ? r % (1UL << 40) : r % 9000;
    case 'm': return r % 4 ? (unsigned long)memory + 65536 + r % 16 * 4096 : 0;
    default: return r % 2 ? r : r % 100 - 50;
  }
}
static void *calling(void *count) {
  for (long i = 0; i < (long)count; i++) {
    unsigned k = next() % (sizeof calls / sizeof *calls);
    unsigned long a[6] = {0};
    for (int j = 0; calls[k].args[j]; j++) a[j] = argument(calls[k].args[j]);
    // Small structures of small numbers: times, iovecs, sigevents, addresses, limits.
    for (int j = 0; j < 520; j += 1 + next() % 16) ((unsigned long *)memory)[j] = next() % 5 ? next() % 50 : next() % 3 ? (unsigned long)memory + next() % 4096 : next();
    if (calls[k].number == SYS_fork && next() % 8) continue;
    if (calls[k].number == SYS_brk) continue;
    if (calls[k].number == SYS_kill && (a[0] == 0 || (long)a[0] < 0)) continue;
    if (syscall(calls[k].number, a[0], a[1], a[2], a[3], a[4], a[5]) == 0 && calls[k].number == SYS_fork) state += 12345, alarm(2);
  }
  return 0;
}
int main(int argc, char **argv) {
  if (!getenv("LINUX_UNDER_HEDRON")) return 1;
  setbuf(stdout, 0);
  mkdir("/tmp/world", 0777);
  for (int batch = 0; batch < atoi(argv[2]); batch++) {
    int pids[3], status;
    for (int i = 0; i < 3; i++) {
      if ((pids[i] = fork())) continue;
      setsid();
      alarm(2);
      struct rlimit size = {1 << 22, 1 << 22}, space = {1 << 28, 1 << 28}, tasks = {40, 40};
      setrlimit(RLIMIT_FSIZE, &size);
      setrlimit(RLIMIT_AS, &space);
      setrlimit(RLIMIT_NPROC, &tasks);
      signal(SIGXFSZ, SIG_IGN);
      signal(SIGPIPE, SIG_IGN);
      if (chdir("/tmp/world")) return 1;
      for (int fd = 0; fd < 3; fd++) close(fd);
      state = atol(argv[1]) * 7919 + batch * 31 + i + 1;
      for (int k = 0; k < 20; k++) next();
      memory = mmap(0, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      pthread_t t;
      if (next() % 2) pthread_create(&t, 0, calling, (void *)100);
      calling((void *)400);
      syscall(SYS_exit_group, 0);
    }
    // Who waits for ever, with all signals blocked, is killed.
    for (int i = 0; i < 3; i++) {
      for (int n = 0; waitpid(pids[i], &status, WNOHANG) == 0; n++) {
        if (n == 20) kill(pids[i], SIGKILL);
        usleep(10000);
      }
    }
  }
  puts("survived");
  return 0;
}
