/* Foreign system calls (8) and death (7.7). */
#if API == 5004
static struct state foreign_state;
static word foreign_count;
word foreign_user_rsp, foreign_after[4];
static void foreign_handler(struct utcb *u, word id) {
    (void)id;
    foreign_count++;
    if (foreign_count == 1) foreign_state = u->state;
    u->state.mtd = MTD_RIP | MTD_RSP | MTD_ACDB;
    u->state.rip = u->state.rcx;
    u->state.rsp = u->state.r11;
    u->state.rax = 0x4711;
}
void foreign_code(void);
extern const char foreign_back[];
__asm__("foreign_code:\n push %rbx\n mov %rsp, foreign_user_rsp\n mov $39, %eax\n mov $1, %edi\n mov $2, %esi\n mov $3, %edx\n mov $4, %r10d\n mov $5, %r8d\n"
        "mov $6, %r9d\n mov $7, %ebx\n syscall\n foreign_back:  mov %rax, foreign_after\n mov %rcx, foreign_after + 8\n mov %r11, foreign_after + 16\n"
        "pop %rbx\n ret\n");
static word foreign_utcb, nsct_status, nsct_count;
static void foreign_thread(void) {
    foreign_code();
    volatile uint32_t *flags = (volatile uint32_t *)foreign_utcb;
    *flags = 1;
    struct regs r = patterned(op(HC_PT_CTRL, 0, 99), 0, 0, 0, 0);
    syscall_with(&r);
    nsct_status = r.rdi;
    nsct_count = foreign_count;
    *flags = 0;
    foreign_code();
    *flags = 1;
    thread_end();
}
static void suite_foreign(void) {
    section = "foreign 8";
    word pd = child_pd(50 << 1 | 1), pt = portal(events, MTD_DEFAULT, foreign_handler);
    give(pd, pt, 50, 2);
    struct thread t = thread_in(pd, foreign_thread, 0);
    foreign_utcb = t.utcb;
    expect("a thread of a foreign PD", start(t, 2, QUANTUM), SUCCESS);
    expect("its system calls reach portal 50", foreign_count, 2);
    check("RAX, RDI, RSI, RDX, R10, R8, R9 are the program's", foreign_state.rax == 39 && foreign_state.rdi == 1 && foreign_state.rsi == 2 &&
          foreign_state.rdx == 3 && foreign_state.r10 == 4 && foreign_state.r8 == 5 && foreign_state.r9 == 6);
    expect("RBX too", foreign_state.rbx, 7);
    expect("RCX is the return address", foreign_state.rcx, (word)foreign_back);
    expect("R11 is the user's RSP", foreign_state.r11, foreign_user_rsp);
    /* That of the startup, or of an interrupt since then. */
    check("RIP is stale", foreign_state.rip != (word)foreign_back);
    expect("RAX is the handler's afterwards", foreign_after[0], 0x4711);
    expect("RCX as replied", foreign_after[1], (word)foreign_back);
    expect("R11 is still the user's RSP", foreign_after[2], foreign_user_rsp);
    expect("with NSCT set the same instruction is a hypercall", nsct_status, BAD_CAP);
    expect("which no portal sees", nsct_count, 1);
}
#else
static void suite_foreign(void) {}
#endif

static word victim_pt, death_status = 99, after_death = 99;
static void dies(struct utcb *u, word id) {
    (void)u, (void)id;
    __asm__ volatile("ud2");
}
static void calls_victim(void) {
    death_status = call(victim_pt);
    after_death = call(victim_pt);
    thread_end();
}
static void suite_death(void) {
    section = "death 7.7";
    /* An EC whose event base leads nowhere. */
    struct local l = {fresh(), (word)pages(2) + 2 * PAGE_SIZE, (struct utcb *)fresh_va(1)};
    create_ec(l.ec, 0, ROOT_PD, (word)l.utcb, l.stack_top, 0x3000000);
    victim_pt = portal(l, 0, dies);
    run_above(calls_victim);
    expect("a caller whose handler dies gets COM_ABT", death_status, COM_ABT);
    expect("a dead handler is COM_TIM", after_death, COM_TIM);
    struct thread t = thread_in(ROOT_PD, thread_end, 0x3000000);
    expect("a thread without a startup portal dies alone", start(t, 2, QUANTUM), SUCCESS);
}
