/* What programs may pile up: messages that nobody reads, timers, watchers. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* How many sends a socket takes of which nobody reads anything: every buffer counts with what it costs the kernel. */
static void unread(const char *name, int type, const int *sizes) {
  static char data[300000];
  for (; *sizes; sizes++) {
    int pair[2], sends = 0;
    long bytes = 0, sent;
    socketpair(AF_UNIX, type, 0, pair);
    while ((sent = send(pair[0], data, *sizes, MSG_DONTWAIT)) >= 0) sends++, bytes += sent;
    int error = errno, writable = poll(&(struct pollfd){pair[0], POLLOUT, 0}, 1, 0);
    printf("%s of %d: %d sends, %ld bytes, %s, writable %d\n", name, *sizes, sends, bytes, strerror(error), writable);
    for (int i = 0; i < sends / 2 + 1; i++) recv(pair[1], data, *sizes, 0);
    sent = send(pair[0], data, *sizes, MSG_DONTWAIT);
    printf("  with half of it read: %ld\n", sent);
    close(pair[0]);
    close(pair[1]);
  }
}

int main(void) {
  unread("stream", SOCK_STREAM, (int[]){1, 100, 1000, 30000, 0});
  unread("datagrams", SOCK_DGRAM, (int[]){1, 100, 1000, 5000, 30000, 100000, 200000, 0});
  unread("packets", SOCK_SEQPACKET, (int[]){1, 100, 1000, 5000, 30000, 100000, 200000, 0});

  setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){50, 50});
  int made = 0;
  timer_t timer;
  while (made < 1000 && timer_create(CLOCK_MONOTONIC, 0, &timer) == 0) made++;
  // Other programs of the same user count, too.
  printf("timers: %s, %s\n", made <= 50 ? "few" : "many", strerror(errno));

  // fs.inotify.max_user_instances, 128 or more: what RLIMIT_NOFILE allows says the same.
  for (made = 0; made < 2000 && inotify_init() >= 0; made++);
  printf("inotify: %s\n", strerror(errno));
  return 0;
}
