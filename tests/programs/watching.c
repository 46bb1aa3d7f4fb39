/* inotify: what watchers of a directory and of a file are told. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
static int fd;
static void show(const char *what) {
  char b[8192];
  printf("%s:\n", what);
  struct pollfd p = {fd, POLLIN, 0};
  while (poll(&p, 1, 0) > 0) {
    int n = read(fd, b, sizeof b);
    for (int i = 0; i < n;) {
      struct inotify_event *e = (void *)(b + i);
      printf("  %d %x %s %s%u\n", e->wd, e->mask, e->len ? e->name : "-", e->cookie ? "cookie " : "", e->len);
      i += sizeof *e + e->len;
    }
  }
}
int main(void) {
  char dir[64];
  snprintf(dir, sizeof dir, "/tmp/hedra-watch-%d", getpid());
  mkdir(dir, 0700);
  chdir(dir);
  fd = inotify_init1(IN_NONBLOCK);
  char b[100];
  printf("dry %zd %s\n", read(fd, b, sizeof b), strerror(errno));
  printf("watch %d %d\n", inotify_add_watch(fd, ".", IN_ALL_EVENTS), inotify_add_watch(fd, ".", IN_ALL_EVENTS));
  int f = open("a", O_RDWR | O_CREAT, 0600);
  show("create");
  write(f, "hello", 5);
  show("write");
  lseek(f, 0, SEEK_SET);
  read(f, b, 5);
  show("read");
  ftruncate(f, 2);
  show("truncate");
  close(f);
  show("close");
  printf("file %d\n", inotify_add_watch(fd, "a", IN_ALL_EVENTS));
  f = open("a", O_RDONLY);
  close(f);
  show("open and close");
  chmod("a", 0640);
  show("chmod");
  mkdir("sub", 0700);
  symlink("a", "l");
  link("a", "hard");
  show("names");
  rename("hard", "sub/moved");
  rename("l", "l2");
  show("rename");
  unlink("l2");
  unlink("sub/moved");
  rmdir("sub");
  show("gone");
  f = open("a", O_WRONLY | O_TRUNC);
  close(f);
  show("trunc");
  unlink("a");
  show("watched file gone");
  printf("remove %d\n", inotify_rm_watch(fd, 1));
  show("removed");
  printf("again %d %s\n", inotify_rm_watch(fd, 1), strerror(errno));
  printf("missing %d %s\n", inotify_add_watch(fd, "none", IN_MODIFY), strerror(errno));
  chdir("/");
  rmdir(dir);
  return 0;
}
