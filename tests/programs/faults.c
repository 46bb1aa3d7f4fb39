/* Exceptions of all kinds, several of each in a row, and time: what a second processor behind the same interface has to get right. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

static sigjmp_buf back;
static volatile int signal_number;
static volatile long address;
static void handler(int number, siginfo_t *info, void *context) {
    (void)context;
    signal_number = number;
    address = number == SIGSEGV ? (long)info->si_addr : 0;
    siglongjmp(back, 1);
}
#define TRY(name, code)                                                              \
    do {                                                                             \
        for (int n = 0; n < 3; n++) {                                                \
            signal_number = address = 0;                                             \
            if (!sigsetjmp(back, 1)) __asm__ volatile(code ::: "memory", "rax", "rcx", "rdx"); \
            printf("%s: signal %d at %lx\n", name, signal_number, address);          \
        }                                                                            \
    } while (0)

/* Instructions before the access in the same block must not happen twice: pages that have not been touched are mapped by faults. */
static long lazily(void) {
    enum { PAGES = 64, PAGE = 4096 };
    char *p = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long sum = 0;
    for (long n = 0; n < PAGES; n++) {
        long before = n, *to = (long *)(p + n * PAGE);
        __asm__ volatile("addq $1, %0\n\tcmpq $1000, %0\n\tmovq %0, (%1)\n\tadcq $0, %0" : "+r"(before) : "r"(to) : "memory", "cc");
        sum += before * 3 + *to;
    }
    return sum;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    static const int SIGNALS[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP};
    for (int n = 0; n < 5; n++) sigaction(SIGNALS[n], &action, 0);
    printf("sum %ld\n", lazily());
    TRY("hlt", "hlt");
    TRY("cli", "cli");
    TRY("rdmsr", "rdmsr");
    TRY("mov cr0", "mov %%cr0, %%rax");
    TRY("ud2", "ud2");
    TRY("int3", "int3");
    TRY("int 66", "int $0x66");
    TRY("null", "xor %%eax, %%eax\n\tmov (%%rax), %%edx");
    TRY("write to null", "xor %%eax, %%eax\n\tmovl $1, 16(%%rax)");
    TRY("not canonical", "mov $0x8000000000000000, %%rax\n\tmov (%%rax), %%edx");
    TRY("kernel", "mov $0xffffffff81000000, %%rax\n\tmov (%%rax), %%edx");
    TRY("division", "xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\tmov $1, %%eax\n\tdiv %%ecx");
    struct timespec first, last;
    clock_gettime(CLOCK_MONOTONIC, &first);
    for (int n = 0; n < 50; n++) clock_gettime(CLOCK_MONOTONIC, &last);
    printf("time goes on %d\n", last.tv_sec - first.tv_sec >= 0 && last.tv_sec - first.tv_sec < 100);
    return 0;
}
