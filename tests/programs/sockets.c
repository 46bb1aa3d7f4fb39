/* Sockets on the loopback: TCP, UDP, Unix stream, datagram, seqpacket, passed descriptors. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
static void err(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerror(errno) : "ok"); }
int main(void) {
  setbuf(stdout, 0);
  signal(SIGPIPE, SIG_IGN);
  int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b;
  socklen_t n = sizeof a;
  err("bind", bind(l, (void *)&a, n));
  err("listen", listen(l, 5));
  getsockname(l, (void *)&a, &n);
  printf("family %d port %d len %d\n", a.sin_family, a.sin_port != 0, n);
  int pid = fork();
  if (!pid) {
    int c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c, (void *)&a, sizeof a)) _exit(1); usleep(5000);
    send(c, "hello server", 12, 0);
    char buf[64] = {0};
    int r = recv(c, buf, sizeof buf, 0);
    printf("client got %d %s\n", r, buf);
    shutdown(c, SHUT_WR);
    r = recv(c, buf, sizeof buf, 0);
    printf("client end %d\n", r);
    _exit(0);
  }
  n = sizeof b;
  int s = accept(l, (void *)&b, &n);
  printf("peer %s\n", inet_ntoa(b.sin_addr));
  char buf[70000];
  memset(buf, 0, sizeof buf);
  int r = recv(s, buf, 64, 0);
  printf("server got %d %s\n", r, buf);
  usleep(10000);
  send(s, "welcome", 7, 0);
  r = recv(s, buf, 64, 0);
  printf("server end %d\n", r);
  close(s);
  waitpid(pid, 0, 0);
  int t = 0;
  n = sizeof t;
  getsockopt(l, SOL_SOCKET, SO_TYPE, &t, &n);
  printf("type %d\n", t == SOCK_STREAM);
  getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &t, &n);
  printf("accepting %d\n", t);
  fcntl(l, F_SETFL, O_NONBLOCK);
  err("accept", accept(l, 0, 0));
  close(l);
  s = socket(AF_INET, SOCK_STREAM, 0);
  err("refused", connect(s, (void *)&a, sizeof a));
  close(s);
  int u1 = socket(AF_INET, SOCK_DGRAM, 0), u2 = socket(AF_INET, SOCK_DGRAM, 0);
  a.sin_port = 0;
  bind(u1, (void *)&a, sizeof a);
  n = sizeof a;
  getsockname(u1, (void *)&a, &n);
  err("sendto", sendto(u2, "datagram", 8, 0, (void *)&a, sizeof a));
  sendto(u2, "", 0, 0, (void *)&a, sizeof a);
  n = sizeof b;
  r = recvfrom(u1, buf, 4, MSG_TRUNC, (void *)&b, &n);
  printf("recvfrom %d %.4s port %d\n", r, buf, b.sin_port != 0);
  r = recvfrom(u1, buf, 4, 0, (void *)&b, &n);
  printf("empty %d\n", r);
  err("dry", recv(u1, buf, 4, MSG_DONTWAIT));
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
  int l6 = socket(AF_INET6, SOCK_STREAM, 0);
  err("bind6", bind(l6, (void *)&v6, sizeof v6));
  listen(l6, 1);
  n = sizeof v6;
  getsockname(l6, (void *)&v6, &n);
  a.sin_port = v6.sin6_port;
  s = socket(AF_INET, SOCK_STREAM, 0);
  err("v4 to v6", connect(s, (void *)&a, sizeof a));
  n = sizeof v6;
  int s6 = accept(l6, (void *)&v6, &n);
  char text[64];
  printf("mapped %s\n", inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text));
  close(s6);
  close(s);
  int sp[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, sp);
  int p[2];
  pipe(p);
  struct iovec io = {"x", 1};
  union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr h; } cm;
  struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = cm.b, .msg_controllen = sizeof cm.b};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET; c->cmsg_type = SCM_RIGHTS; c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &p[1], sizeof(int));
  err("sendmsg", sendmsg(sp[0], &m, 0));
  close(p[1]);
  char x;
  io.iov_base = &x;
  m.msg_controllen = sizeof cm.b;
  err("recvmsg", recvmsg(sp[1], &m, 0));
  int fd;
  c = CMSG_FIRSTHDR(&m);
  memcpy(&fd, CMSG_DATA(c), sizeof fd);
  write(fd, "through a passed descriptor", 27);
  memset(buf, 0, 64);
  read(p[0], buf, 64);
  puts(buf);
  struct ucred cred;
  n = sizeof cred;
  getsockopt(sp[0], SOL_SOCKET, SO_PEERCRED, &cred, &n);
  printf("peer is me %d\n", cred.pid == getpid());
  if (!(pid = fork())) {
    close(sp[0]);
    long sum = 0, total = 0;
    while ((r = read(sp[1], buf, sizeof buf)) > 0) { for (int i = 0; i < r; i++) sum = (sum * 31 + buf[i]) % 1000003; total += r; }
    printf("bulk %ld %ld\n", total, sum);
    _exit(0);
  }
  close(sp[1]);
  for (int i = 0; i < 70000; i++) buf[i] = i * 7;
  for (int i = 0; i < 20; i++) if (write(sp[0], buf, 70000) != 70000) puts("short");
  close(sp[0]);
  waitpid(pid, 0, 0);
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  snprintf(un.sun_path, sizeof un.sun_path, "/tmp/hedra-test-%d.sock", getpid());
  l = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  err("bind unix", bind(l, (void *)&un, sizeof un));
  listen(l, 1);
  s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  err("connect unix", connect(s, (void *)&un, sizeof un));
  int k = accept(l, 0, 0);
  send(s, "one", 3, 0);
  send(s, "three", 5, 0);
  printf("packets %zd", recv(k, buf, 64, 0));
  printf(" %zd\n", recv(k, buf, 64, 0));
  close(s);
  printf("eof %zd\n", recv(k, buf, 64, 0));
  err("epipe", send(k, "x", 1, 0));
  close(l);
  s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  err("stale", connect(s, (void *)&un, sizeof un));
  err("exists", bind(s, (void *)&un, sizeof un));
  unlink(un.sun_path);
  un.sun_path[0] = 0;
  strcpy(un.sun_path + 1, "abstract-name");
  int d = socket(AF_UNIX, SOCK_DGRAM, 0), e = socket(AF_UNIX, SOCK_DGRAM, 0);
  err("abstract", bind(d, (void *)&un, 2 + 14));
  err("to it", sendto(e, "hey", 3, 0, (void *)&un, 2 + 14));
  printf("dgram %zd\n", recv(d, buf, 64, 0));
  err("not a socket", send(0, "x", 1, 0));
  err("bad domain", socket(99, SOCK_STREAM, 0));
  struct timeval tv = {0, 20000};
  setsockopt(d, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  err("timeout", recv(d, buf, 64, 0));
  return 0;
}
