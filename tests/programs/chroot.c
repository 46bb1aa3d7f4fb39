/* Another root directory: what can be reached, and what not. Starts as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "try.h"
int main(int argc, char **argv) {
  setbuf(stdout, 0);
  char dir[] = "/tmp/rootXXXXXX", buffer[4096] = "";
  if (argc > 1) { printf("  inside: %s\n", getcwd(buffer, 4096)); return 0; }
  if (readlink("/proc/self/exe", buffer, 4095) < 0) return 1;
  char command[9000];
  if (!mkdtemp(dir)) return 1;
  snprintf(command, sizeof command, "mkdir -p %s/a/b %s/bin; cp %s %s/bin/me; echo in > %s/file; chmod 755 %s", dir, dir, buffer, dir, dir, dir);
  buffer[0] = 0;
  if (system(command)) return 1;
  int out = open("/", O_RDONLY | O_DIRECTORY);
  if (chdir(dir)) return 1;
  symlink("/file", "a/absolute");
  symlink("../../../../file", "a/up");
  TRY(chroot(""));
  TRY(chroot("none"));
  TRY(chroot("file"));
  TRY(chroot((void *)8));
  fflush(stdout);
  if (!fork()) {
    setresuid(1000, 1000, 1000);
    TRY(chroot("."));
    TRY(chroot("file"));
    _exit(0);
  }
  wait(0);
  if (!fork()) {
    TRY(chroot("."));
    TRY(chdir("/a/b"));
    printf("  %s\n", getcwd(buffer, 4096));
    TRY(access("/file", F_OK));
    TRY(access("/etc/passwd", F_OK));
    TRY(access("../../../../../../file", F_OK));
    TRY(access("../../../../../../etc/passwd", F_OK));
    TRY(access("/a/absolute", F_OK));
    TRY(access("/a/up", F_OK));
    TRY(openat(out, "etc/passwd", O_RDONLY) >= 0);
    TRY(openat(out, "/file", O_RDONLY) >= 0);
    TRY(mkdir("/made", 0755));
    TRY(symlink("/file", "/link"));
    TRY(access("/link", F_OK));
    TRY(rename("/made", "/a/made"));
    if (!fork()) { execl("/bin/me", "me", "in", (char *)0); _exit(1); }
    int s; wait(&s); printf("  status %x\n", s);
    TRY(chroot("/a"));
    printf("  %s\n", getcwd(buffer, 4096));
    TRY(chdir("/"));
    printf("  %s\n", getcwd(buffer, 4096));
    TRY(access("/file", F_OK));
    TRY(access("/b", F_OK));
    TRY(fchdir(out));
    TRY(getcwd(buffer, 4096) != 0);
    printf("  %.13s\n", buffer);
    TRY(access("etc/passwd", F_OK));
    TRY(chroot("."));
    TRY(access("/etc/passwd", F_OK));
    _exit(0);
  }
  wait(0);
  TRY(access("/etc/passwd", F_OK));
  snprintf(command, sizeof command, "find %s | sed s,%s,, | sort; rm -rf %s", dir, dir, dir);
  return system(command) != 0;
}
