/* Checks that print one line each, memory, threads and portals for the conformance suite. */
#ifndef HARNESS_H
#define HARNESS_H
#include "hedron.h"
#include "start.h"
#include "uart.h"

static unsigned checks, failures;
static const char *section = "";

static void verdict(int good, const char *what) {
    checks++;
    failures += !good;
    put(good ? "ok   " : "FAIL ");
    put(section);
    put(": ");
    put(what);
}
static void check(const char *what, int good) {
    verdict(good, what);
    put("\n");
}
static void expect(const char *what, word got, word want) {
    verdict(got == want, what);
    if (got != want) {
        put(" (got ");
        put_hex(got);
        put(", want ");
        put_hex(want);
        put(")");
    }
    put("\n");
}

/* ---- memory: RAM from 1 GiB on, mapped where it lies ---- */

#define POOL 0x40000000ul
enum { POOL_ORDER = 12 }; /* 16 MiB */
static word pool_next = POOL;
static void *pages(unsigned n) {
    word at = pool_next;
    pool_next += n * (word)PAGE_SIZE;
    return (void *)at;
}
static void fill(void *to, uint8_t value, word n) {
    for (word i = 0; i < n; i++) ((volatile uint8_t *)to)[i] = value;
}

/* Addresses and selectors that nobody uses yet. */
static word next_va = 0x100000000ul, next_sel = 100;
static word fresh_va(unsigned n) {
    word va = next_va;
    next_va += n * (word)PAGE_SIZE;
    return va;
}
static word fresh(void) { return next_sel++; }
static word fresh_range(unsigned order) {
    word size = 1ul << order;
    next_sel = (next_sel + size - 1) & ~(size - 1);
    word sel = next_sel;
    next_sel += size;
    return sel;
}

static struct utcb *const root_utcb = (struct utcb *)ROOT_UTCB;

/* ---- portals ---- */

struct local {
    word ec, stack_top;
    struct utcb *utcb;
};
typedef void (*handler)(struct utcb *utcb, word id);
enum { HANDLERS = 256 };
static handler handlers[HANDLERS];
static struct utcb *handler_utcb[HANDLERS];
static word next_id = 64;

void portal_dispatch(word id);
void portal_dispatch(word id) {
    if (id < HANDLERS && handlers[id]) handlers[id](handler_utcb[id], id);
}

static struct local local_ec_in(word pd) {
    struct local l = {fresh(), (word)pages(2) + 2 * PAGE_SIZE, (struct utcb *)fresh_va(1)};
    word status = create_ec(l.ec, 0, pd, (word)l.utcb, l.stack_top, 0);
    if (status) expect("create a local EC", status, SUCCESS);
    return l;
}
static struct local local_ec(void) { return local_ec_in(ROOT_PD); }

/* A portal at `sel` whose calls run `h` in C. */
static void portal_at(word sel, struct local l, word mtd, handler h) {
    word id = next_id++ % HANDLERS, status = create_pt(sel, ROOT_PD, l.ec, mtd, portal_entry);
    handlers[id] = h;
    handler_utcb[id] = l.utcb;
    if (!status) status = pt_ctrl(sel, id);
    if (status) expect("create a portal", status, SUCCESS);
}
static word portal(struct local l, word mtd, handler h) {
    word sel = fresh();
    portal_at(sel, l, mtd, h);
    return sel;
}

/* ---- events of the root PD: startup of threads, and exceptions that a check provokes ---- */

enum { NO_EVENT = ~0u };
static struct {
    unsigned vector, count;
    word items;
    struct state state;
} last;
/* Where the program goes on after a provoked exception, and the address that it should have named. */
word resume_at, fault_at;
/* Replaces what the handler does. */
static void (*on_event)(unsigned vector, struct utcb *utcb);
static struct local events;

static void event_handler(struct utcb *u, word id) {
    unsigned vector = (unsigned)id;
    last.vector = vector;
    last.count++;
    last.items = u->items;
    last.state = u->state;
    if (on_event) return on_event(vector, u);
    if (vector == EVENT_STARTUP) {
        u->state.mtd = MTD_RIP;
        u->state.rip = *(word *)u->state.rsp;
    } else if (resume_at) {
        u->state.mtd = MTD_RIP;
        u->state.rip = resume_at;
        resume_at = 0;
    } else {
        put("FAIL unexpected event ");
        put_number(vector);
        put(" at ");
        put_hex(last.state.rip);
        put(", address ");
        put_hex(last.state.qual[1]);
        put("\n");
        create_sm(99, ROOT_PD, 0, 0);
        for (;;) sm_down(99, 0, 0);
    }
}

static void events_init(void) {
    events = local_ec();
    for (word v = 0; v < 32; v++) {
        handlers[v] = event_handler;
        handler_utcb[v] = events.utcb;
        word status = create_pt(v, ROOT_PD, events.ec, MTD_DEFAULT, portal_entry) ?: pt_ctrl(v, v);
        if (status) expect("create an event portal", status, SUCCESS);
    }
}

/* Runs `setup`, then `fault`, which must raise an exception; execution goes on after it. */
#define TRAP(setup, fault)                                                                                    \
    do {                                                                                                      \
        last.vector = NO_EVENT;                                                                               \
        __asm__ volatile("movq $1f, resume_at\n movq $2f, fault_at\n " setup "\n 2: " fault "\n 1:"           \
                         : : : "rax", "rcx", "rdx", "rsi", "rdi", "memory", "cc");                            \
        resume_at = 0;                                                                                        \
    } while (0)

/* Touches a byte: the vector of the fault, or NO_EVENT. */
__attribute__((noinline)) static unsigned probe(word va, int write) {
    last.vector = NO_EVENT;
    if (write)
        __asm__ volatile("movq $1f, resume_at\n movq $2f, fault_at\n 2: orb $0, (%0)\n 1:" : : "r"(va) : "memory", "cc");
    else
        __asm__ volatile("movq $1f, resume_at\n movq $2f, fault_at\n 2: movb (%0), %%al\n 1:" : : "r"(va) : "rax", "memory");
    resume_at = 0;
    return last.vector;
}

/* ---- threads ---- */

struct thread {
    word ec, sc, utcb, stack;
    word status;
};
/* A global EC at `pd` that begins with `code`; it runs once it has an SC. The UTCB is at the same address in the EC's PD. */
static struct thread thread_in(word pd, void (*code)(void), word event_base) {
    struct thread t = {fresh(), fresh(), fresh_va(1), (word)pages(4) + 4 * PAGE_SIZE - 8, 0};
    *(word *)t.stack = (word)code;
    t.status = create_ec(t.ec, EC_GLOBAL, pd, t.utcb, t.stack, event_base);
    return t;
}
static struct thread thread(void (*code)(void)) { return thread_in(ROOT_PD, code, 0); }
static word start(struct thread t, unsigned priority, word quantum) {
    return t.status ?: create_sc(t.sc, ROOT_PD, t.ec, priority, quantum);
}
__attribute__((noreturn)) static void thread_end(void) { reply(); }

enum { QUANTUM = 10000 };
/* Runs `code` as a thread above the root EC's priority: it has ended, or is blocked, when this returns. */
static struct thread run_above(void (*code)(void)) {
    struct thread t = thread(code);
    word status = start(t, 2, QUANTUM);
    if (status) expect("start a thread", status, SUCCESS);
    return t;
}

/* Lets the others of the root EC's priority run. */
static void let_run(void) {
#if API == 5004
    word nap = fresh();
    create_sm(nap, ROOT_PD, 0, 0);
    sm_down(nap, 0, tsc() + hip32(HIP_TSC) * 2ul);
#else
    for (int i = 0; i < 4; i++) hypercall(op(HC_EC_CTRL, 1, 0), 0, 0, 0, 0);
#endif
}

/*
 * The machine's time goes on while its host does something else, so a wait has no other end than what it waits for, and a limit that no
 * healthy machine reaches. SPIN burns budget meanwhile, AWAIT lets others run.
 */
#define LIMIT (tsc() + hip32(HIP_TSC) * 10000ul)
#define SPIN(condition) for (word limit = LIMIT; !(condition) && tsc() < limit;) {}
#define AWAIT(condition) for (word limit = LIMIT; !(condition) && tsc() < limit;) let_run()

/* ---- looking at capabilities ---- */

/* Rights of the capability at `sel`, 0 = null. */
static word rights_at(word sel) { return lookup(obj(sel, 0, 31)) >> 2 & 31; }
static word scratch_sel;
/* Rights of the capability at `sel` of another PD. */
static word rights_in(word pd, word sel) {
    if (!scratch_sel) scratch_sel = fresh();
    delegate(pd, obj(sel, 0, 31), ROOT_PD, obj(scratch_sel, 0, 31), META_DELEGATE);
    word rights = rights_at(scratch_sel);
    revoke(obj(scratch_sel, 0, 31), REVOKE_SELF, 0, 0);
    return rights;
}
static word give(word pd, word from, word to, unsigned rights) {
    return delegate(ROOT_PD, obj(from, 0, rights), pd, obj(to, 0, 31), META_DELEGATE);
}
/* A PD that sees the root's image, pool and event portals, and has itself at 32. */
static word child_pd(word foreign) {
    word pd = fresh(), status = create_pd(pd, ROOT_PD, 0, foreign);
    if (status) expect("create a PD", status, SUCCESS);
    for (word a = 0x400000; a < (word)image_end; a += PAGE_SIZE) delegate(ROOT_PD, mem(a, 0, 31), pd, mem(a, 0, 31), META_DELEGATE);
    delegate(ROOT_PD, mem(POOL, POOL_ORDER, 31), pd, mem(POOL, POOL_ORDER, 31), META_DELEGATE);
    for (word v = 0; v < 32; v++) give(pd, v, v, 31);
    give(pd, pd, 32, 31);
    return pd;
}

static struct regs patterned(word rdi, word rsi, word rdx, word rax, word r8) {
    struct regs r = {.rax = rax, .rdx = rdx, .rsi = rsi, .rdi = rdi, .r8 = r8, .rbx = 0x1111222233334444, .rbp = 0x5555666677778888,
                     .r9 = 0x9999aaaabbbbcccc, .r10 = 0xddddeeeeffff0001, .r12 = 0x1212121212121212, .r13 = 0x1313131313131313,
                     .r14 = 0x1414141414141414, .r15 = 0x1515151515151515, .rflags = 0x40ed7}; /* CF PF AF ZF SF IF DF OF AC */
    return r;
}
/* Are the registers that no system call changes unchanged, and the others as every return leaves them? */
static int conventional(const struct regs *r) {
    struct regs p = patterned(0, 0, 0, 0, r->r8);
    return r->rbx == p.rbx && r->rbp == p.rbp && r->r9 == p.r9 && r->r10 == p.r10 && r->r12 == p.r12 && r->r13 == p.r13 && r->r14 == p.r14 &&
           r->r15 == p.r15 && r->rsp == 0 && r->rcx == (word)syscall_return && r->r11 == 0x200 && r->rflags == 0x202;
}

#endif
