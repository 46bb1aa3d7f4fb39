// Mappings of files that become shorter and longer again: what lies beyond the end raises SIGBUS, in shared and private mappings, in all processes;
// and private mappings of a memfd.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t P = 4096;
static sigjmp_buf back;

static void handler(int signal, siginfo_t *info, void *context) {
  (void)context;
  printf(" signal %d code %d\n", signal, info->si_code);
  siglongjmp(back, 1);
}

static void look(const char *what, volatile char *at) {
  printf("%s:", what);
  if (!sigsetjmp(back, 1)) printf(" %d\n", *at);
}
static void put(const char *what, volatile char *at, char value) {
  printf("%s:", what);
  if (!sigsetjmp(back, 1)) {
    *at = value;
    printf(" %d\n", *at);
  }
}

static void try(int f, const char *name, int prot) {
  printf("%s, prot %d\n", name, prot);
  ftruncate(f, 3 * P);
  pwrite(f, "a", 1, 0), pwrite(f, "b", 1, P), pwrite(f, "c", 1, 2 * P);
  char *shared = mmap(0, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0), *private = mmap(0, 4 * P, prot, MAP_PRIVATE, f, 0);
  look("shared 0", shared), look("shared 1", shared + P), look("shared 2", shared + 2 * P), look("shared 3", shared + 3 * P);
  look("private 0", private), look("private 2", private + 2 * P), look("private 3", private + 3 * P);
  if (prot & PROT_WRITE) put("private 1", private + P, 'x');
  look("shared 1", shared + P);
  ftruncate(f, P);
  look("shared 0", shared), look("shared 1", shared + P), look("private 0", private), look("private 1", private + P);
  put("shared 2", shared + 2 * P, 'y');
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    ftruncate(f, 0);
    look("child's shared 0", shared), look("child's private 0", private);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  look("shared 0", shared), look("private 0", private);
  ftruncate(f, 2 * P + 1);
  look("shared 0", shared), look("shared 2", shared + 2 * P), look("private 1", private + P), look("private 3", private + 3 * P);
  put("shared 1", shared + P, 'z');
  munmap(shared, 4 * P);
  look("private 2", private + 2 * P);
  munmap(private, 4 * P);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  char name[64];
  snprintf(name, sizeof name, "/tmp/hedra-shrinking-%d", getpid());
  int files[] = {memfd_create("scratch", 0), open(name, O_RDWR | O_CREAT | O_TRUNC, 0600)};
  for (int k = 0; k < 2; k++) {
    try(files[k], k == 0 ? "memfd" : "file", PROT_READ);
    try(files[k], k == 0 ? "memfd" : "file", PROT_READ | PROT_WRITE);
  }
  ftruncate(files[1], 2 * P);
  char *mapping = mmap(0, 2 * P, PROT_READ, MAP_SHARED, files[1], 0);
  look("before", mapping + P);
  truncate(name, P);
  look("truncated by its name", mapping + P);
  unlink(name);
  return 0;
}
