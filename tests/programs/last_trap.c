// Number, error code and CR2 in signal contexts: every one shows the thread's last exception and the last page fault that became a signal, whatever
// the signal is for; forked children, new threads and programs that execve starts inherit them.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static char *area;
static const char *what;

static void handler(int signal, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  unsigned long cr2 = r[REG_CR2], offset = cr2 - (unsigned long)area;
  printf("%s: signal %d code %d RF %d trap %d error %x cr2 %s%lx\n", what, signal, info->si_code, (int)r[REG_EFL] >> 16 & 1, (int)r[REG_TRAPNO], (int)r[REG_ERR],
         offset < 65536 ? "area+" : "", offset < 65536 ? offset : cr2);
  fflush(stdout);
  if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE) siglongjmp(back, 1);
}

#define TRY(name, ...)                       \
  do {                                       \
    what = name;                             \
    if (!sigsetjmp(back, 1)) { __VA_ARGS__; } \
  } while (0)

static void others(void) {
  TRY("kill", kill(getpid(), SIGUSR1));
  TRY("int3", asm volatile("int3"));
  TRY("ud2", asm volatile("ud2"));
  TRY("raise", raise(SIGUSR1));
  TRY("hlt", asm volatile("hlt"));
  TRY("int 0x33", asm volatile("int $0x33"));
  TRY("kill", kill(getpid(), SIGUSR1));
  TRY("not canonical", (void)*(volatile char *)0x8000000000001234);
  TRY("division", asm volatile("div %%ecx" ::"a"(1), "d"(0), "c"(0)));
  TRY("step", asm volatile("pushf; orl $0x100, (%rsp); popf; nop; pushf; andl $~0x100, (%rsp); popf"));
}

static void *thread(void *unused) {
  TRY("thread", raise(SIGUSR1));
  TRY("thread writes", *(volatile char *)(area + 0x5000) = 1);
  TRY("thread", raise(SIGUSR1));
  return unused;
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  static const int caught[] = {SIGUSR1, SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
  for (int k = 0; k < 7; k++) sigaction(caught[k], &action, NULL);
  if (argc > 1) {
    TRY("after execve", raise(SIGUSR1));
    return 0;
  }
  // At an address that the next program does not have.
  area = mmap((void *)0x123450000000, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  char *lazy = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(area, 4096, PROT_READ);
  others();
  TRY("read-only", *(volatile char *)(area + 8) = 1);
  others();
  TRY("no rights", (void)*(volatile char *)(area + 0x3008));
  others();
  TRY("no code", ((void (*)(void))(area + 0x4008))());
  others();
  TRY("provided", lazy[0x3123] = 1; raise(SIGUSR1));
  TRY("of a system call", if (write(1, area + 0x2000, 3) < 0) raise(SIGUSR1));
  TRY("no rights", (void)*(volatile char *)(area + 0x3018));
  pid_t child = fork();
  if (child == 0) {
    TRY("child", kill(getpid(), SIGUSR1));
    _exit(0);
  }
  waitpid(child, NULL, 0);
  pthread_t other;
  pthread_create(&other, NULL, thread, NULL);
  pthread_join(other, NULL);
  TRY("after the thread", raise(SIGUSR1));
  execl(argv[0], argv[0], "again", NULL);
  return 1;
}
