/*
 * Times the operations of the thesis's evaluation. One source, three programs:
 *   Linux     the Linux calls and the files
 *   hybrid    the same binary under Hedron: in addition hypercalls and IPC
 *   hyperapp  built with HEDRA_HYPERAPP: hypercalls, IPC, and files through the roottask's fs service
 * Prints one line `NAME ns=N` per operation: the fastest of five rounds, in nanoseconds per operation (files: per pass over the file).
 * `system [ITERATIONS]`, 100000 by default; files lie in $BENCH_DIR or /tmp.
 */
#ifdef HEDRA_HYPERAPP
#include "format.h"
#else
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "hedra.h"
#endif

enum { ROUNDS = 5, KIB = 1024, BIGGEST = 1024 * KIB };
static long iterations = 100000;

/* ---- the two environments ---- */

#ifdef HEDRA_HYPERAPP
/* Hedron's TSC counts nanoseconds on this machine. */
static uint64_t now(void) {
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}
static void report(const char *name, uint64_t tenths) {
    hedra_print(name);
    hedra_print(" ns=");
    print_unsigned(tenths / 10);
    hedra_print(".");
    print_unsigned(tenths % 10);
    hedra_print("\n");
}
#else
static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void report(const char *name, uint64_t tenths) {
    printf("%s ns=%llu.%llu\n", name, (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
    fflush(stdout);
}
#endif

/* The fastest of ROUNDS rounds of `count` times `statement`, after a round to warm up. */
#define TIME(name, count, statement)                                                  \
    do {                                                                              \
        uint64_t best = ~0ull;                                                        \
        for (int round_ = 0; round_ <= ROUNDS; round_++) {                            \
            uint64_t from_ = now();                                                   \
            for (long i_ = 0; i_ < (count); i_++) { statement; }                      \
            uint64_t took_ = now() - from_;                                           \
            if (round_ > 0 && took_ < best) best = took_;                             \
        }                                                                             \
        report(name, best * 10 / (uint64_t)(count));                                  \
    } while (0)

static char buffer[BIGGEST] __attribute__((aligned(4096)));

/* ---- hypercalls and IPC ---- */

#define LOCAL_UTCB 0xdeadb000ul
#define LOCAL_EC (SEL_FREE + 0)
#define LOCAL_PT (SEL_FREE + 1)
static uint64_t local_stack[256] __attribute__((aligned(16)));

/* The cheapest service: answers with what it got. Needs no stack. */
__attribute__((naked, used)) static void answer(void) {
    __asm__("mov $1, %edi\n syscall\n ud2");
}

static int time_hedron(void) {
    int bad = hedra_create_local_ec(LOCAL_EC, LOCAL_UTCB, (uint64_t)(uintptr_t)(local_stack + 256)) != HC_SUCCESS;
    if (!bad) ((volatile struct hedra_utcb *)LOCAL_UTCB)->syscall_flags = 1;
    bad |= hedra_create_pt(LOCAL_PT, LOCAL_EC, answer) != HC_SUCCESS;
    if (bad) return 1;
    TIME("hypercall_pt_ctrl", iterations, bad |= hedra_pt_ctrl(LOCAL_PT, 7) != HC_SUCCESS);
    TIME("ipc_internal", iterations, bad |= hedra_call(LOCAL_PT, 1) != HC_SUCCESS);
    TIME("ipc_cross_raw", iterations, bad |= hedra_call(SEL_RAW_ECHO, 1) != HC_SUCCESS);
    TIME("ipc_cross_echo", iterations, bad |= hedra_call(SEL_ECHO, 1) != HC_SUCCESS);
    return bad;
}

/* ---- files ---- */

#ifdef HEDRA_HYPERAPP
static int open_file(void) {
    return hedra_open("/tmp/hedra-bench", HEDRA_O_RDWR | HEDRA_O_CREAT | HEDRA_O_TRUNC, 0600);
}
static size_t put(int fd, size_t n) { return hedra_write(fd, buffer, n); }
static size_t take(int fd, size_t n) { return hedra_read(fd, buffer, n); }
static void rewind_file(int fd) { hedra_seek(fd, 0); }
static void close_file(int fd) { hedra_close(fd); }
#else
static char path[256];
static int open_file(void) {
    return open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
}
static size_t put(int fd, size_t n) { return (size_t)write(fd, buffer, n); }
static size_t take(int fd, size_t n) { return (size_t)read(fd, buffer, n); }
static void rewind_file(int fd) { lseek(fd, 0, SEEK_SET); }
static void close_file(int fd) { close(fd); }
#endif

static int pass(int fd, size_t size, size_t piece, size_t (*move)(int, size_t)) {
    rewind_file(fd);
    for (size_t done = 0; done < size; done += piece)
        if (move(fd, piece) != piece) return 1;
    return 0;
}

static int time_files(void) {
    static const struct {
        size_t size, piece;
        const char *write_name, *read_name;
    } rows[] = {
        {64 * KIB, 16 * KIB, "write_64k_16k", "read_64k_16k"},     {64 * KIB, 32 * KIB, "write_64k_32k", "read_64k_32k"},
        {64 * KIB, 64 * KIB, "write_64k_64k", "read_64k_64k"},     {1024 * KIB, 16 * KIB, "write_1m_16k", "read_1m_16k"},
        {1024 * KIB, 32 * KIB, "write_1m_32k", "read_1m_32k"},     {1024 * KIB, 64 * KIB, "write_1m_64k", "read_1m_64k"},
        {1024 * KIB, 128 * KIB, "write_1m_128k", "read_1m_128k"}, {1024 * KIB, 256 * KIB, "write_1m_256k", "read_1m_256k"},
    };
    int fd = open_file(), bad = fd < 0;
    for (size_t i = 0; i < sizeof buffer; i++) buffer[i] = (char)(i * 7);
    for (size_t row = 0; !bad && row < sizeof rows / sizeof *rows; row++) {
        long passes = iterations / 50 * 64 * KIB / (long)rows[row].size + 1;
        TIME(rows[row].write_name, passes, bad |= pass(fd, rows[row].size, rows[row].piece, put));
        TIME(rows[row].read_name, passes, bad |= pass(fd, rows[row].size, rows[row].piece, take));
    }
    if (fd >= 0) close_file(fd);
    return bad;
}

/* ---- main ---- */

#ifdef HEDRA_HYPERAPP
int hedra_main(void) {
    return time_hedron() | time_files();
}
#else
static long call0(long number) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
    return result;
}
static long call3(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static int time_linux(void) {
    static char status[256];
    int tid, bad = 0, fd = open(path, O_RDWR | O_CREAT, 0600);
    TIME("getppid", iterations, call0(SYS_getppid));
    TIME("set_tid_address", iterations, call3(SYS_set_tid_address, (long)&tid, 0, 0));
    TIME("fstat", iterations, bad |= call3(SYS_fstat, fd, (long)status, 0) != 0);
    TIME("open_close", iterations / 10, {
        long opened = call3(SYS_open, (long)path, O_WRONLY | O_CREAT, 0600);
        bad |= opened < 0;
        call3(SYS_close, opened, 0, 0);
    });
    close(fd);
    return bad;
}

int main(int argc, char **argv) {
    const char *dir = getenv("BENCH_DIR");
    if (argc > 1) iterations = atol(argv[1]);
    if (iterations < 10) iterations = 10;
    snprintf(path, sizeof path, "%s/hedra-bench-%d", dir ? dir : "/tmp", (int)getpid());
    int bad = time_linux();
    if (getenv("LINUX_UNDER_HEDRON")) bad |= time_hedron();
    bad |= time_files();
    unlink(path);
    if (bad) fprintf(stderr, "system: an operation failed\n");
    return bad;
}
#endif
