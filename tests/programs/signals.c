/* Signals to oneself: handlers, masks, sigaltstack, faults with siginfo and ucontext, and the fatal ones. `signals [WAY TO DIE]`. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count, last;
static void plain(int sig) { count++, last = sig; }

static sigjmp_buf out;
static volatile int seen_signal, seen_code, on_stack;
static void *volatile seen_address;
static char stack[65536];
static void fault(int sig, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    char here;
    seen_signal = sig, seen_code = info->si_code, seen_address = info->si_addr;
    on_stack = &here >= stack && &here < stack + sizeof stack;
    if (!u->uc_mcontext.gregs[REG_RIP]) abort();
    siglongjmp(out, 1);
}
static void catch_fault(int sig) {
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(sig, &action, 0);
}
static void trial(const char *what, void (*body)(void)) {
    if (sigsetjmp(out, 1) == 0) body(), printf("%s: no signal\n", what);
    else printf("%s: signal %d code %d address %s, on the alternate stack %d\n", what, seen_signal, seen_code, seen_signal == SIGSEGV ? seen_address == 0 ? "NULL" : "other" : "-", on_stack);
}
static volatile int zero;
static void *volatile null_pointer;
static void *volatile read_only;
static void null_read(void) { zero = *(volatile int *)null_pointer; }
static void write_read_only(void) { *(volatile char *)read_only = 1; }
static void divide(void) { zero = 100 / zero; }
static void illegal(void) { __asm__ volatile("ud2"); }
static void trap(void) { __asm__ volatile("int3"); }
static void step_over(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RBX] = 4711;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        printf("dying by %s\n", argv[1]);
        fflush(stdout);
        if (!strcmp(argv[1], "abort")) abort();
        if (!strcmp(argv[1], "segv")) null_read();
        if (!strcmp(argv[1], "fpe")) divide();
        if (!strcmp(argv[1], "ill")) illegal();
        if (!strcmp(argv[1], "term")) raise(SIGTERM);
        if (!strcmp(argv[1], "kill")) kill(getpid(), SIGKILL);
        if (!strcmp(argv[1], "pipe")) raise(SIGPIPE);
        return 1;
    }
    signal(SIGUSR1, plain);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    printf("handler ran %d times, last %d\n", (int)count, (int)last);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    raise(SIGUSR1);
    sigset_t pending;
    sigpending(&pending);
    printf("blocked: %d runs, pending %d\n", (int)count, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("unblocked: %d runs\n", (int)count);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    printf("ignored SIGUSR2\n");
    int refused = sigaction(SIGKILL, &(struct sigaction){.sa_handler = plain}, 0);
    printf("sigaction on SIGKILL: %d errno %d\n", refused, errno);

    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    printf("sigaltstack %d\n", sigaltstack(&alternate, 0));
    for (int i = 0; i < 4; i++) catch_fault((int[]){SIGSEGV, SIGFPE, SIGILL, SIGTRAP}[i]);
    read_only = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    trial("read of NULL", null_read);
    trial("write to a read-only page", write_read_only);
    trial("division by zero", divide);
    trial("ud2", illegal);
    trial("int3", trap);
    struct sigaction action = {.sa_sigaction = step_over, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, 0);
    register long rbx __asm__("rbx") = 1;
    __asm__ volatile("ud2" : "+r"(rbx) : : "memory");
    printf("a handler changed rbx to %ld and went on after ud2\n", rbx);
    double before = 1.5, after;
    __asm__ volatile("movsd %1, %%xmm7\n ud2\n movsd %%xmm7, %0" : "=m"(after) : "m"(before) : "xmm7", "rbx");
    printf("xmm7 survives a handler: %g\n", after);
    return 3;
}
