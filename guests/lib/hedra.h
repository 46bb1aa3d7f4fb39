/*
 * The smallest library for programs that talk to Hedron: hypercalls, the UTCB, and the messages of the roottask's services.
 * A hyperapp is compiled with -DHEDRA_HYPERAPP; without it the code is for hybrids, which set the native system call
 * toggle (NSCT) around each hypercall. Numbers and layouts: docs/guest-runtime.md and the Hedron ABI.
 */
#ifndef HEDRA_H
#define HEDRA_H
#include <stddef.h>
#include <stdint.h>
#ifndef HEDRA_HYPERAPP
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Where the runtime puts the UTCB of the first EC of every process. */
#define HEDRA_UTCB 0x7fffffffe000ul

/* Capability space of a process. */
enum {
    SEL_PD = 32,
    SEL_ALLOCATE = 35,
    SEL_STDOUT = 36,
    SEL_STDERR = 37,
    SEL_FS = 38,
    SEL_ECHO = 39,
    SEL_RAW_ECHO = 40,
    SEL_EXIT = 41,
    SEL_BROKER = 42,
    SEL_FREE = 1000, /* the program's own from here */
};

/* Hypercall numbers (Hedron ABI 6.3). */
enum { HC_CALL = 0, HC_REPLY = 1, HC_CREATE_EC = 3, HC_CREATE_SC = 4, HC_CREATE_PT = 5, HC_CREATE_SM = 6, HC_PT_CTRL = 11, HC_SM_CTRL = 12 };
enum { HC_FLAG_0 = 1 << 8 }; /* create_ec: global; sm_ctrl: down */

/* Status codes (Hedron ABI 6.2). */
enum { HC_SUCCESS = 0, HC_COM_TIM = 1, HC_COM_ABT = 2, HC_BAD_CAP = 4 };

/* One UTCB page (Hedron ABI 4). */
struct hedra_utcb {
    uint32_t syscall_flags; /* bit 0: NSCT */
    uint16_t untyped;       /* words */
    uint16_t typed;
    uint64_t xlt, del, tls;
    union {
        uint64_t word[508];
        uint8_t byte[4064];
    };
};
_Static_assert(sizeof(struct hedra_utcb) == 4096, "a UTCB is one page");

/* Of the EC that runs: the FS base of those made by hedra_objects.h points to where it stands; the first EC's is 0. */
static inline volatile struct hedra_utcb *hedra_utcb(void) {
#ifdef HEDRA_HYPERAPP
    volatile struct hedra_utcb **self;
    __asm__ volatile("rdfsbase %0" : "=r"(self));
    if (self) return *self;
#endif
    return (volatile struct hedra_utcb *)HEDRA_UTCB;
}

/* The registers of a hypercall; `rdi` is number | flags | selector << 12. Returns the status, the rest is as the kernel left it. */
static inline uint64_t hedra_hypercall(uint64_t rdi, uint64_t rsi, uint64_t rdx, uint64_t rax, uint64_t r8_value) {
    register uint64_t r8 __asm__("r8") = r8_value;
#ifndef HEDRA_HYPERAPP
    hedra_utcb()->syscall_flags = 1;
#endif
    __asm__ volatile("syscall" : "+D"(rdi), "+S"(rsi), "+d"(rdx), "+a"(rax), "+r"(r8) : : "rcx", "r11", "memory");
#ifndef HEDRA_HYPERAPP
    hedra_utcb()->syscall_flags = 0;
#endif
    return rdi & 0xff;
}

#ifndef HEDRA_HYPERAPP
/* Is there a Hedron below, and is this the first thread, whose UTCB is known? Nothing else of this file may be used where it says no. */
static inline int hedra_detect(void) {
    return getenv("LINUX_UNDER_HEDRON") && getpid() == (pid_t)syscall(SYS_gettid);
}
#endif

static inline uint64_t hedra_op(uint64_t number, uint64_t selector) {
    return number | selector << 12;
}

/* Sends the first `words` words of the data area through a portal; the reply stands in the same place. */
static inline uint64_t hedra_call(uint64_t portal, unsigned words) {
    hedra_utcb()->untyped = (uint16_t)words;
    hedra_utcb()->typed = 0;
    return hedra_hypercall(hedra_op(HC_CALL, portal), 0, 0, 0, 0);
}

/* A local EC of this program's PD. `utcb` is a free page address, `stack` the initial RSP. */
static inline uint64_t hedra_create_local_ec(uint64_t sel, uint64_t utcb, uint64_t stack) {
    return hedra_hypercall(hedra_op(HC_CREATE_EC, sel), SEL_PD, utcb, stack, 0);
}
static inline uint64_t hedra_create_pt(uint64_t sel, uint64_t ec, void (*entry)(void)) {
    return hedra_hypercall(hedra_op(HC_CREATE_PT, sel), SEL_PD, ec, 0, (uint64_t)(uintptr_t)entry);
}
static inline uint64_t hedra_pt_ctrl(uint64_t pt, uint64_t id) {
    return hedra_hypercall(hedra_op(HC_PT_CTRL, pt), id, 0, 0, 0);
}
static inline uint64_t hedra_create_sm(uint64_t sel, uint64_t count) {
    return hedra_hypercall(hedra_op(HC_CREATE_SM, sel), SEL_PD, count, 0, 0);
}
static inline uint64_t hedra_sm_up(uint64_t sm) {
    return hedra_hypercall(hedra_op(HC_SM_CTRL, sm), 0, 0, 0, 0);
}
/* `deadline`: absolute TSC, 0 = none. */
static inline uint64_t hedra_sm_down(uint64_t sm, uint64_t deadline) {
    return hedra_hypercall(hedra_op(HC_SM_CTRL, sm) | HC_FLAG_0, deadline >> 32, deadline & 0xffffffff, 0, 0);
}

/* ---- messages: postcard 0.7 into the data area ---- */

struct hedra_message {
    unsigned at;
};

static inline void hedra_put(struct hedra_message *m, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) hedra_utcb()->byte[m->at++] = (uint8_t)(value >> (8 * i));
}
static inline void hedra_put_varint(struct hedra_message *m, uint64_t value) {
    for (; value >= 0x80; value >>= 7) hedra_put(m, (value & 0x7f) | 0x80, 1);
    hedra_put(m, value, 1);
}
static inline void hedra_put_bytes(struct hedra_message *m, const void *data, size_t length) {
    hedra_put_varint(m, length);
    for (size_t i = 0; i < length; i++) hedra_utcb()->byte[m->at++] = ((const uint8_t *)data)[i];
}
static inline uint64_t hedra_send(struct hedra_message *m, uint64_t portal) {
    return hedra_call(portal, (m->at + 7) / 8);
}

static inline size_t hedra_strlen(const char *text) {
    size_t n = 0;
    while (text[n]) n++;
    return n;
}

/* Writes bytes to SEL_STDOUT or SEL_STDERR in pieces that fit a message. */
static inline void hedra_write_bytes(uint64_t portal, const char *text, size_t length) {
    while (length > 0) {
        size_t piece = length < 4000 ? length : 4000;
        struct hedra_message m = {0};
        hedra_put_bytes(&m, text, piece);
        hedra_send(&m, portal);
        text += piece;
        length -= piece;
    }
}
static inline void hedra_print(const char *text) {
    hedra_write_bytes(SEL_STDOUT, text, hedra_strlen(text));
}

/* Zeroed read/write pages, or 0 when there is no memory. */
static inline void *hedra_allocate(size_t bytes, size_t align) {
    struct hedra_message m = {0};
    hedra_put(&m, 0, 1);
    hedra_put(&m, bytes, 8);
    hedra_put(&m, align, 8);
    if (hedra_send(&m, SEL_ALLOCATE) != HC_SUCCESS) return 0;
    return (void *)(uintptr_t)hedra_utcb()->word[0];
}
static inline void hedra_free(void *address, size_t bytes, size_t align) {
    struct hedra_message m = {0};
    hedra_put(&m, 1, 1);
    hedra_put(&m, (uint64_t)(uintptr_t)address, 8);
    hedra_put(&m, bytes, 8);
    hedra_put(&m, align, 8);
    hedra_send(&m, SEL_ALLOCATE);
}

/* Linux O_* bits. */
enum { HEDRA_O_RDWR = 2, HEDRA_O_CREAT = 0100, HEDRA_O_TRUNC = 01000 };

/* A descriptor, or -1. */
static inline int hedra_open(const char *path, unsigned flags, unsigned mode) {
    struct hedra_message m = {0};
    hedra_put(&m, 0, 1);
    hedra_put_bytes(&m, path, hedra_strlen(path));
    hedra_put(&m, flags, 4);
    hedra_put(&m, mode, 2);
    if (hedra_send(&m, SEL_FS) != HC_SUCCESS) return -1;
    return (int)(uint32_t)hedra_utcb()->word[0];
}
static inline size_t hedra_read(int fd, void *into, size_t count) {
    struct hedra_message m = {0};
    hedra_put(&m, 1, 1);
    hedra_put(&m, (uint32_t)fd, 4);
    hedra_put(&m, (uint64_t)(uintptr_t)into, 8);
    hedra_put(&m, count, 8);
    return hedra_send(&m, SEL_FS) == HC_SUCCESS ? hedra_utcb()->word[0] : 0;
}
static inline void hedra_seek(int fd, uint64_t offset) {
    struct hedra_message m = {0};
    hedra_put(&m, 2, 1);
    hedra_put(&m, (uint32_t)fd, 4);
    hedra_put(&m, offset, 8);
    hedra_send(&m, SEL_FS);
}
static inline size_t hedra_write(int fd, const void *from, size_t count) {
    struct hedra_message m = {0};
    hedra_put(&m, 3, 1);
    hedra_put(&m, (uint32_t)fd, 4);
    hedra_put(&m, 0, 1); /* data by address */
    hedra_put(&m, (uint64_t)(uintptr_t)from, 8);
    hedra_put(&m, count, 8);
    return hedra_send(&m, SEL_FS) == HC_SUCCESS ? hedra_utcb()->word[0] : 0;
}
static inline void hedra_close(int fd) {
    struct hedra_message m = {0};
    hedra_put(&m, 4, 1);
    hedra_put(&m, (uint32_t)fd, 4);
    hedra_send(&m, SEL_FS);
}

/* Waits until `nanoseconds` have passed (the TSC runs at 1 GHz). Uses selector SEL_FREE + 3 for its semaphore. */
static inline void hedra_sleep(uint64_t nanoseconds) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    hedra_create_sm(SEL_FREE + 3, 0); /* BAD_CAP when it exists already */
    hedra_sm_down(SEL_FREE + 3, ((uint64_t)high << 32 | low) + nanoseconds);
}

/* ---- services by name: the broker (docs/guest-runtime.md, section 7) ---- */

enum { BROKER_CONNECT = 1, BROKER_OFFER = 2, BROKER_KILL = 3 };
enum { HEDRA_EAGAIN = 11, HEDRA_TRIES = 2000 };

/* Gets the portal of a service at selector `to`. Waits up to two seconds while the service is being started. 0, or -errno. */
static inline int hedra_connect(const char *name, uint64_t to) {
    for (int i = 0; i < HEDRA_TRIES; i++) {
        size_t length = hedra_strlen(name);
        hedra_utcb()->del = to << 12 | 0x1f << 2 | 3; /* receive window: one object capability, all rights */
        hedra_utcb()->word[0] = BROKER_CONNECT;
        hedra_utcb()->word[1] = length;
        for (size_t at = 0; at < length; at++) hedra_utcb()->byte[16 + at] = (uint8_t)name[at];
        if (hedra_call(SEL_BROKER, (unsigned)(2 + (length + 7) / 8)) != HC_SUCCESS) return -5;
        int result = (int)hedra_utcb()->word[0];
        if (result != -HEDRA_EAGAIN) return result;
        hedra_sleep(1000000);
    }
    return -HEDRA_EAGAIN;
}
/* A service offers its portal at `portal` under the name that the manifest gives it. 0, or -errno. */
static inline int hedra_offer(uint64_t portal) {
    hedra_utcb()->word[0] = BROKER_OFFER;
    hedra_utcb()->word[1] = portal;
    return hedra_call(SEL_BROKER, 2) == HC_SUCCESS ? (int)hedra_utcb()->word[0] : -5;
}

/* Ends a service of the manifest, for services to which that grants "kill". 0, or -errno. */
static inline int hedra_kill(const char *name) {
    size_t length = hedra_strlen(name);
    hedra_utcb()->word[0] = BROKER_KILL;
    hedra_utcb()->word[1] = length;
    for (size_t at = 0; at < length; at++) hedra_utcb()->byte[16 + at] = (uint8_t)name[at];
    return hedra_call(SEL_BROKER, (unsigned)(2 + (length + 7) / 8)) == HC_SUCCESS ? (int)hedra_utcb()->word[0] : -5;
}

#ifdef HEDRA_HYPERAPP
/* Marks the ELF file as a hyperapp: owner "Hedron", type 1, content = the kernel interface's version. */
__asm__(".section .note.Hedron, \"a\", @note\n.balign 4\n.long 7\n.long 4\n.long 1\n.asciz \"Hedron\"\n.balign 4\n.long 5004\n.previous");

/* Ends the program. On a roottask without the exit portal it blocks for ever instead. */
__attribute__((noreturn)) static inline void hedra_exit(unsigned status) {
    hedra_utcb()->word[0] = status;
    hedra_call(SEL_EXIT, 1);
    hedra_create_sm(SEL_FREE + 2, 0);
    for (;;) hedra_sm_down(SEL_FREE + 2, 0);
}

int hedra_main(void);

/* The entry point has the name that the thesis's runtime uses. */
__attribute__((noreturn, used)) void start(void) {
    hedra_exit((unsigned)hedra_main());
}

/* What the compiler may call. */
void *memcpy(void *to, const void *from, size_t n) {
    void *result = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return result;
}
void *memset(void *to, int value, size_t n) {
    void *result = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
    return result;
}
#endif

#endif
