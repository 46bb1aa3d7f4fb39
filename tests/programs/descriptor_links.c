/* Files changed and opened by /proc/self/fd/N: with a name, with a lost one, without any. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static void show(const char *what, int result) { printf("%s: %d %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static void show_file(int fd) {
  struct stat s;
  fstat(fd, &s);
  printf("  mode %o links %d size %d\n", s.st_mode, (int)s.st_nlink, (int)s.st_size);
}
int main(void) {
  char dir[64], path[64], b[8] = "";
  struct stat s;
  snprintf(dir, sizeof dir, "/tmp/hedra-links-%d", getpid());
  mkdir(dir, 0700);
  chdir(dir);
  int f = open("a", O_RDWR | O_CREAT, 0600);
  write(f, "abc", 3);
  snprintf(path, sizeof path, "/proc/self/fd/%d", f);
  show("chmod", chmod(path, 0644));
  show("link", linkat(AT_FDCWD, path, AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
  show("truncate", truncate(path, 2));
  show("times", utimensat(AT_FDCWD, path, 0, 0));
  show("chown", chown(path, getuid(), getgid()));
  show_file(f);
  unlink("a");
  unlink("b");
  int again = open(path, O_RDONLY);
  show("open without a name", again < 0 ? -1 : 0);
  show("read", read(again, b, sizeof b));
  puts(b);
  show("stat", stat(path, &s));
  show("chmod without a name", chmod(path, 0600));
  show_file(f);
  int t = open(".", O_TMPFILE | O_RDWR, 0600);
  snprintf(path, sizeof path, "/proc/self/fd/%d", t);
  show("name for a temporary file", linkat(AT_FDCWD, path, AT_FDCWD, "c", AT_SYMLINK_FOLLOW));
  show_file(t);
  show("remove", unlink("c"));
  show("mkdir by cwd", mkdir("/proc/self/cwd/d", 0700));
  show("rmdir by cwd", rmdir("/proc/self/cwd/d"));
  show("chmod in /proc", chmod("/proc/self/status", 0));
  show("unlink in /proc", unlink("/proc/self/status"));
  chdir("/");
  return rmdir(dir) != 0;
}
