/* What test programs print of calls: each in one line, with the name of its error. */
#ifndef TRY_H
#define TRY_H
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The result, for calls whose result is the same everywhere. */
#define TRY(call) ({ errno = 0; long r_ = (long)(call); printf("  %s = %ld%s%s\n", #call, r_, r_ < 0 ? " " : "", r_ < 0 ? strerrorname_np(errno) : ""); r_; })
/* Only whether it works, for calls that return an id. */
#define MADE(call) ({ errno = 0; long r_ = (long)(call); printf("  %s %s\n", #call, r_ == -1 ? strerrorname_np(errno) : "ok"); r_; })

/* Runs `what` in a child of its own. */
static inline void in(const char *title, void (*what)(void)) {
  printf("%s\n", title);
  fflush(stdout);
  int pid = fork(), status;
  if (!pid) {
    what();
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  if (status) printf("  status %x\n", status & ~0x80);
}
#endif
