/*
 * Times the kernel from guest code, with guest code on both sides, as a roottask: hypercall, IPC within a protection domain and across, a
 * service and a Linux personality in machine code; then starts and ends processes in a row, and keeps many protection domains alive.
 * Prints one line `NAME ns=N` each. The TSC counts nanoseconds.
 */
#include "../conformance/harness.h"

enum { ROUNDS = 20, COUNT = 50000, PROCESSES = 100000, DOMAINS = 10000, CAPABILITIES = 100 };

static void report(const char *name, word tenths) {
    put(name);
    put(" ns=");
    put_number(tenths / 10);
    put(".");
    put_number(tenths % 10);
    put("\n");
}
#define TIME(name, count, statement)                                       \
    do {                                                                   \
        word best = ~0ul;                                                  \
        for (int round = 0; round <= ROUNDS; round++) {                    \
            word from = tsc();                                             \
            for (word i = 0; i < (count); i++) { statement; }              \
            word took = tsc() - from;                                      \
            if (round > 0 && took < best) best = took;                     \
        }                                                                  \
        report(name, best * 10 / (count));                                 \
    } while (0)

__attribute__((naked)) static void answer(void) { __asm__("mov $1, %edi\n syscall\n ud2"); }
static word raw_portal(word pd) {
    struct local l = local_ec_in(pd);
    word sel = fresh();
    create_pt(sel, ROOT_PD, l.ec, 0, answer);
    return sel;
}
static void service(struct utcb *u, word id) { u->data[0] += id; }
static void personality(struct utcb *u, word id) {
    (void)id;
    u->state.mtd = MTD_RIP | MTD_RSP | MTD_ACDB;
    u->state.rip = u->state.rcx;
    u->state.rsp = u->state.r11;
    u->state.rax = 1;
}
/* The same in the program's own PD, where its reply would be a foreign call as well. */
static void library(struct utcb *u, word id) {
    u->syscall_flags = 1;
    personality(u, id);
}
/* With a nested call, as the thesis's personality makes one to have the costs of a mediator. */
static word mediator;
static void mediated(struct utcb *u, word id) {
    call(mediator);
    personality(u, id);
}
static word linux_utcb;
static const char *linux_name;
static void linux_program(void) {
    TIME(linux_name, COUNT, __asm__ volatile("mov $110, %%eax\n syscall" : : : "rax", "rcx", "r11", "memory"));
    *(volatile uint32_t *)linux_utcb = 1; /* native system calls from here on */
    thread_end();
}
static volatile word ended;
static void process(void) {
    ended++;
    thread_end();
}

__attribute__((noreturn)) void roottask(void);
void roottask(void) {
    uart_init();
    delegate(ROOT_PD, mem(POOL, POOL_ORDER, 31), ROOT_PD, mem(POOL, POOL_ORDER, 31), META_DELEGATE | META_HYPERVISOR);
    events_init();
    word inside = raw_portal(ROOT_PD), outside_pd = child_pd(0), outside = raw_portal(outside_pd);
    word served = portal(local_ec_in(outside_pd), 0, service);
    root_utcb->items = 1;
    TIME("hypercall_pt_ctrl", COUNT, pt_ctrl(inside, 7));
    TIME("ipc_internal", COUNT, call(inside));
    TIME("ipc_cross", COUNT, call(outside));
    TIME("ipc_cross_service", COUNT, call(served));
    mediator = inside;
    static const struct { const char *name; handler answers; int inside; } placements[] = {
        {"foreign_call_guest_personality", personality, 0},
        {"foreign_call_library", library, 1},
        {"foreign_call_mediator", mediated, 0},
    };
    for (unsigned i = 0; i < sizeof placements / sizeof *placements; i++) {
        word foreign = child_pd(50 << 1 | 1);
        give(foreign, portal(local_ec_in(placements[i].inside ? foreign : ROOT_PD), MTD_DEFAULT, placements[i].answers), 50, 2);
        delegate(ROOT_PD, pio(uart_port, 3), foreign, pio(uart_port, 3), META_DELEGATE);
        struct thread program = thread_in(foreign, linux_program, 0);
        linux_utcb = program.utcb;
        linux_name = placements[i].name;
        start(program, 2, QUANTUM);
    }

    word pool = pool_next, sel = fresh_range(12), va = next_va, from = tsc(), bad = 0;
    for (word i = 0; i < PROCESSES; i++) {
        if (i == PROCESSES / 2) put("half_of_the_processes\n");
        pool_next = pool;
        next_sel = sel;
        next_va = va;
        word pd = child_pd(0);
        struct thread t = thread_in(pd, process, 0);
        bad |= start(t, 2, QUANTUM);
        bad |= revoke(obj(t.sc, 0, 31), REVOKE_SELF, 0, 0) | revoke(obj(t.ec, 0, 31), REVOKE_SELF, 0, 0) | revoke(obj(pd, 0, 31), REVOKE_SELF, 0, 0);
    }
    report("process_start_and_end", (tsc() - from) * 10 / PROCESSES);
    expect("all processes ran", ended, PROCESSES);
    expect("no hypercall failed", bad, 0);

    word given = fresh_range(7), domains = 0x100000;
    for (word i = 0; i < CAPABILITIES; i++) create_sm(given + i, ROOT_PD, 0, 0);
    from = tsc();
    for (word i = 0; i < DOMAINS; i++) {
        bad |= create_pd(domains + i, ROOT_PD, 0, 0);
        bad |= delegate(ROOT_PD, obj(given, 7, 3), domains + i, obj(0, 7, 31), META_DELEGATE);
    }
    report("pd_with_100_capabilities", (tsc() - from) * 10 / DOMAINS);
    expect("no hypercall failed", bad, 0);
    expect("the last one has the last capability", rights_in(domains + DOMAINS - 1, CAPABILITIES - 1), 3);
    from = tsc();
    bad |= revoke(obj(given, 7, 31), 0, 0, 0);
    report("revocation_of_a_million", (tsc() - from) * 10);
    expect("nobody has it any more", rights_in(domains, 0), 0);
    for (;;) sm_down(given, 0, 0);
}
