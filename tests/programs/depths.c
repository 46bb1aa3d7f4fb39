/* Things that a program may nest as deep as it likes: sockets in messages of sockets, a stack as large as RLIMIT_STACK allows. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKETS = 20000, MIB = 1 << 20, STACK = 100 * MIB, DEPTH = 80 * MIB, FRAME = 64 << 10 };

static int pass(int to, int fd) {
  char control[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return (int)sendmsg(to, &message, 0);
}

/* Each socket holds the one before in its queue; closing the last one closes them all. */
static void sockets_in_sockets(void) {
  int last = -1;
  for (int i = 0; i < SOCKETS; i++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) return perror("socketpair");
    if (last >= 0) {
      if (pass(pair[0], last) < 0) return perror("sendmsg");
      close(last);
    }
    close(pair[0]);
    last = pair[1];
  }
  close(last);
  printf("%d sockets\n", SOCKETS);
}

static int deep(int bytes) {
  volatile char frame[FRAME];
  for (int i = 0; i < FRAME; i += 4096) frame[i] = (char)bytes;
  return bytes <= 0 ? frame[0] : deep(bytes - FRAME) + frame[0] * 0;
}

static void in_child(const char *name, int bytes) {
  int status;
  fflush(stdout);
  if (fork() == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    _exit(deep(bytes));
  }
  wait(&status);
  printf("%s: %s %d\n", name, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int main(int argc, char **argv) {
  struct rlimit limit;
  if (argc == 1) {
    sockets_in_sockets();
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = STACK;
    if (setrlimit(RLIMIT_STACK, &limit)) perror("setrlimit");
    fflush(stdout);
    execl("/proc/self/exe", argv[0], "again", (char *)0);
    perror("execl");
  }
  in_child("a deep stack", DEPTH);
  in_child("a deeper one", STACK + MIB);
  return 0;
}
