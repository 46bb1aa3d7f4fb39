/*
 * For hyperapps: portals and threads of their own, each with a stack, a UTCB and its objects. hedra_utcb(), and with it hedra_call and
 * hedra_print, mean the UTCB of whichever EC runs.
 */
#ifndef HEDRA_OBJECTS_H
#define HEDRA_OBJECTS_H
#include "hedra.h"
#ifndef HEDRA_HYPERAPP
#error "portals and threads are for hyperapps: a hybrid has Linux's threads"
#endif

enum { HC_REVOKE = 7, HC_PD_CTRL = 8 };
enum { HEDRA_STACK = 32 << 10, HEDRA_TAKEN = 0x100000, HEDRA_EVENTS = 32, HEDRA_STARTUP = 30 };

typedef void (*hedra_handler)(volatile struct hedra_utcb *message, void *context);
typedef void (*hedra_code)(void *context);

/* Begins an EC's memory; the FS base points to it. */
struct hedra_ec {
    volatile struct hedra_utcb *utcb; /* hedra_utcb() looks here */
    hedra_handler handler;
    hedra_code code;
    void *context;
    uint64_t ec, portal, sc, done;
    struct hedra_ec *starter; /* of a thread: answers its startup message */
};

/* Selectors that nothing has, `count` of them, aligned to their number (a power of two). */
static inline uint64_t hedra_take_selectors(uint64_t count) {
    static uint64_t next = HEDRA_TAKEN;
    uint64_t first = (next + count - 1) & ~(count - 1);
    next = first + count;
    return first;
}
static inline uint64_t hedra_take_page(void) {
    static uint64_t next = 0x600000000000ul;
    return (next += 4096) - 4096;
}

/* Takes a capability back, and with it from whomever it was passed on to. */
static inline void hedra_revoke(uint64_t sel) {
    hedra_hypercall(hedra_op(HC_REVOKE, 0) | HC_FLAG_0, sel << 12 | 0x1f << 2 | 3, 0, 0, 0);
}

static inline void hedra_set_ec(struct hedra_ec *self) {
    __asm__ volatile("wrfsbase %0" : : "r"(self) : "memory");
}

__attribute__((used)) static void hedra_dispatch(struct hedra_ec *self) {
    hedra_set_ec(self);
    self->handler(self->utcb, self->context);
}
/* RDI: the portal's id. The stack is that of the last reply, so it must be where it was. */
void hedra_portal_entry(void);
__asm__("hedra_portal_entry:\n mov %rsp, %rbx\n call hedra_dispatch\n mov %rbx, %rsp\n mov $1, %edi\n syscall\n ud2\n");

/* A portal that runs `handler` on an EC of its own; `self->portal` is its selector. 0 when there is no memory or no room. */
static inline struct hedra_ec *hedra_serve_at(uint64_t portal, hedra_handler handler, void *context) {
    struct hedra_ec *self = hedra_allocate(HEDRA_STACK, 1);
    if (!self) return 0;
    uint64_t utcb = hedra_take_page();
    *self = (struct hedra_ec){.utcb = (void *)utcb, .handler = handler, .context = context, .ec = hedra_take_selectors(1), .portal = portal};
    if (hedra_create_local_ec(self->ec, utcb, (uint64_t)self + HEDRA_STACK) || hedra_create_pt(portal, self->ec, hedra_portal_entry) ||
        hedra_pt_ctrl(portal, (uint64_t)self))
        return 0;
    return self;
}
static inline struct hedra_ec *hedra_serve(hedra_handler handler, void *context) {
    return hedra_serve_at(hedra_take_selectors(1), handler, context);
}

/* Takes a portal or a thread away, wherever it is. */
static inline void hedra_end(struct hedra_ec *self) {
    if (self->starter) hedra_end(self->starter);
    uint64_t objects[] = {self->portal, self->sc, self->ec, self->done};
    for (int i = 0; i < 4; i++)
        if (objects[i]) hedra_revoke(objects[i]);
    hedra_free(self, HEDRA_STACK, 1);
}

__attribute__((used, noreturn)) static void hedra_thread(struct hedra_ec *self) {
    hedra_set_ec(self);
    self->code(self->context);
    hedra_sm_up(self->done);
    hedra_hypercall(HC_REPLY, 0, 0, 0, 0); /* a global EC that replies stops for ever */
    __builtin_unreachable();
}

/* Answers the startup message (Hedron ABI 4.3): RIP, RSP, and the thread in RDI. */
static inline void hedra_begin(volatile struct hedra_utcb *u, void *context) {
    enum { MTD = 0, RIP = 2, RSP = 11, RBP = 12, RSI = 13, RDI = 14, MTD_RIP_RSP_BSD = 0xe };
    u->word[MTD] = MTD_RIP_RSP_BSD;
    u->word[RIP] = (uint64_t)(uintptr_t)hedra_thread;
    u->word[RSP] = (uint64_t)context + HEDRA_STACK - 8;
    u->word[RBP] = u->word[RSI] = 0;
    u->word[RDI] = (uint64_t)context;
    u->untyped = u->typed = 0;
}

/* A thread. Its exceptions end the program, as the first thread's do. 0 when there is no memory or no room. */
static inline struct hedra_ec *hedra_spawn(hedra_code code, void *context) {
    struct hedra_ec *self = hedra_allocate(HEDRA_STACK, 1);
    if (!self) return 0;
    uint64_t utcb = hedra_take_page(), events = hedra_take_selectors(HEDRA_EVENTS);
    *self = (struct hedra_ec){.utcb = (void *)utcb, .code = code, .context = context, .ec = hedra_take_selectors(1)};
    self->starter = hedra_serve_at(events + HEDRA_STARTUP, hedra_begin, self);
    if (!self->starter || hedra_create_sm(self->done = hedra_take_selectors(1), 0)) return 0;
    /* Roottask's portals for exceptions: events 0 to 15, 16 to 23, 24 to 27, 28 and 29. */
    static const struct { uint64_t first, order; } parts[] = {{0, 4}, {16, 3}, {24, 2}, {28, 1}};
    for (int i = 0; i < 4; i++) {
        uint64_t what = parts[i].order << 7 | 0x1f << 2 | 3;
        hedra_hypercall(hedra_op(HC_PD_CTRL, SEL_PD) | 2 << 8, SEL_PD, parts[i].first << 12 | what, 1, (events + parts[i].first) << 12 | what);
    }
    self->sc = hedra_take_selectors(1);
    if (hedra_hypercall(hedra_op(HC_CREATE_EC, self->ec) | HC_FLAG_0, SEL_PD, utcb, 0, events) ||
        hedra_hypercall(hedra_op(HC_CREATE_SC, self->sc), SEL_PD, self->ec, 1 | 10000 << 12, 0))
        return 0;
    return self;
}

/* Waits until a thread has ended, and takes it away. */
static inline void hedra_join(struct hedra_ec *self) {
    hedra_sm_down(self->done, 0);
    hedra_end(self);
}

#endif
