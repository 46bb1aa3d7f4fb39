/* Exceptions (7.4), state in the UTCB (4.3, 7.3), startup (7.5), recall (7.6). */
static void (*change)(struct utcb *u);
static void custom_event(unsigned vector, struct utcb *u) {
    (void)vector;
    u->state.mtd = MTD_RIP;
    u->state.rip = resume_at;
    resume_at = 0;
    if (change) change(u);
}
static void change_rax(struct utcb *u) {
    u->state.mtd |= MTD_ACDB;
    u->state.rax = 0xabcd;
}
static void change_unselected(struct utcb *u) {
    u->state.rax = 0x9999;
    u->state.rsi = 0x9999;
}
static void change_flags(struct utcb *u) {
    u->state.mtd |= MTD_RFLAGS;
    u->state.rflags = 0x3f7fd7 & ~0x100ul;
}
word after_rax, after_flags;

static void suite_exceptions(void) {
    section = "exceptions 7.4";
    TRAP("xor %%ecx, %%ecx\n xor %%edx, %%edx", "div %%ecx");
    expect("#DE", last.vector, 0);
    expect("RIP is the faulting instruction", last.state.rip, fault_at);
    expect("items", last.items, STATE_WORDS);
    expect("mtd is the portal's", last.state.mtd, MTD_DEFAULT);
    TRAP("", "int3");
    expect("#BP", last.vector, 3);
    expect("is a trap: RIP is behind it", last.state.rip, fault_at + 1);
    TRAP("", "int $4");
    expect("INT 4 is allowed", last.vector, 4);
    TRAP("", "ud2");
    expect("#UD", last.vector, 6);
    TRAP("", "int $0x20");
    expect("other INT n: #GP", last.vector, 13);
    expect("with n * 8 + 2", last.state.qual[0], 0x20 * 8 + 2);
    TRAP("", "hlt");
    expect("HLT: #GP", last.vector, 13);
    expect("error code 0", last.state.qual[0], 0);
    TRAP("mov $0x8000000000000000, %%rax", "mov (%%rax), %%eax");
    expect("non-canonical: #GP", last.vector, 13);
    TRAP("mov $1, %%rax", "jmp *%%rax");
    expect("jump to nothing: #PF", last.vector, 14);
    expect("instruction fetch", last.state.qual[0] & ~0x11ul, 4);
    word data = (word)&checks, nx = fresh_va(1);
    delegate(ROOT_PD, mem(POOL, 0, R | W), ROOT_PD, mem(nx, 0, R | W), META_DELEGATE);
    (void)data;
    TRAP("fninit\n pushq $0x360\n fldcw (%%rsp)\n pop %%rax\n fld1\n fldz\n fdivrp", "fwait");
    check("#MF or nothing pending", last.vector == 16 || last.vector == NO_EVENT);
    __asm__ volatile("fninit");
    section = "state 4.3, 7.3";
    on_event = custom_event;
    change = change_rax;
    __asm__ volatile("movq $1f, resume_at\n mov $5, %%eax\n ud2\n 1: mov %%rax, after_rax" : : : "rax", "rcx", "rdx", "memory");
    expect("a selected group changes", after_rax, 0xabcd);
    change = change_unselected;
    __asm__ volatile("movq $1f, resume_at\n mov $5, %%eax\n mov $6, %%esi\n ud2\n 1: mov %%rax, after_rax\n add %%rsi, after_rax" : : : "rax", "rsi", "memory");
    expect("an unselected one does not", after_rax, 11);
    change = change_flags;
    __asm__ volatile("movq $1f, resume_at\n ud2\n 1: pushfq\n pop after_flags\n cld" : : : "memory", "cc");
    expect("RFLAGS: IOPL, RF, VM, VIF and VIP are dropped, IF is set", after_flags & 0x1b3200, 0x200);
    expect("arithmetic flags are taken", after_flags & 0xcd5, 0xcd5);
    __asm__ volatile("push $0\n popfq" : : : "cc");
    change = 0;
    on_event = 0;
    word sel = 6, small = fresh();
    revoke(obj(sel, 0, 31), REVOKE_SELF, 0, 0);
    create_pt(sel, ROOT_PD, events.ec, MTD_RIP, portal_entry);
    pt_ctrl(sel, sel);
    events.utcb->state.rax = 0x5a5a;
    TRAP("mov $1, %%eax", "ud2");
    expect("what the portal does not select is stale", last.state.rax, 0x5a5a);
    expect("mtd says what is there", last.state.mtd, MTD_RIP);
    (void)small;
}

word thread_regs[16], thread_cs, thread_cs2, thread_flags, thread_ss;
void thread_probe(void);
__asm__("thread_probe:\n mov %rax, thread_regs\n mov %rcx, thread_regs + 8\n mov %rdx, thread_regs + 16\n mov %rbx, thread_regs + 24\n"
        "mov %rsp, thread_regs + 32\n mov %rbp, thread_regs + 40\n mov %rsi, thread_regs + 48\n mov %rdi, thread_regs + 56\n"
        "mov %r8, thread_regs + 64\n mov %r11, thread_regs + 88\n mov %r15, thread_regs + 120\n"
        "mov %cs, thread_cs\n mov %ss, thread_ss\n pushfq\n pop thread_flags\n mov $255, %edi\n syscall\n mov %cs, thread_cs2\n"
        "mov $1, %edi\n syscall\n ud2\n");

static volatile word recall_seen, spin_stop;
static word recall_sm;
static void recalled(unsigned vector, struct utcb *u) {
    if (vector == EVENT_STARTUP) {
        u->state.mtd = MTD_RIP;
        u->state.rip = *(word *)u->state.rsp;
        return;
    }
    recall_seen = vector;
    u->state.mtd = 0;
}
static void recall_target(void) {
    sm_down(recall_sm, 0, 0);
    spin_stop = 1;
    thread_end();
}

static void suite_threads(void) {
    section = "startup 7.5";
    struct thread t = run_above(thread_probe);
    expect("the message is event 30", last.vector, EVENT_STARTUP);
    expect("its RSP is create_ec's", last.state.rsp, t.stack);
    expect("its RIP is 0", last.state.rip, 0);
    expect("its RFLAGS", last.state.rflags & ~2ul, 0x200);
    word others = 0;
    for (unsigned i = 0; i < 16; i++) others |= i == 4 ? 0 : thread_regs[i];
    expect("registers are zero", others, 0);
    expect("RSP", thread_regs[4], t.stack);
    expect("CS after iret", thread_cs, 0x1b);
    expect("SS", thread_ss, 0x23);
    expect("RFLAGS", thread_flags, 0x202);
    expect("CS after sysret", thread_cs2, 0x2b);
#if API == 5004
    section = "recall 7.6";
    create_sm(recall_sm = fresh(), ROOT_PD, 0, 0);
    on_event = recalled;
    t = run_above(recall_target);
    expect("recall", recall(t.ec), SUCCESS);
    expect("takes effect on the way back to user code", recall_seen, 0);
    sm_up(recall_sm);
    expect("as event 31", recall_seen, EVENT_RECALL);
    expect("RIP is RCX", last.state.rip, last.state.rcx);
    expect("and the thread goes on", spin_stop, 1);
    on_event = 0;
#endif
}
