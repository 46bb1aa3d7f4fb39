/* Trees of capabilities (5.7), life and death of objects, deadlines and signals (9.3), time (9.1), interrupts (6.3). */

static word tree_pt;
static void answers(struct utcb *u, word id) {
    (void)id;
    u->data[0] = 0xa25;
}
static volatile word spin_count;
static void spins_on(void) { for (;;) spin_count++; }

static void suite_trees(void) {
    section = "trees 5.7";
    word a = child_pd(0), b = child_pd(0), c = child_pd(0), sm = fresh(), slot = fresh();
    create_sm(sm, ROOT_PD, 0, 0);
    give(a, sm, slot, 3);
    give(a, b, 50, 1);
    delegate(a, obj(slot, 0, 31), b, obj(slot, 0, 31), META_DELEGATE);
    delegate(b, obj(slot, 0, 31), c, obj(slot, 0, 1), META_DELEGATE);
    expect("a grandchild has fewer rights", rights_in(c, slot), 1);
    revoke(obj(slot, 0, 2), REVOKE_REMOTE, a, 0);
    check("rights go below the middle of a tree", rights_in(a, slot) == 3 && rights_in(b, slot) == 1 && rights_in(c, slot) == 1);
    delegate(a, obj(slot, 0, 31), c, obj(slot + 1, 0, 31), META_DELEGATE);
    next_sel += 2;
    revoke(obj(slot, 0, 31), REVOKE_SELF | REVOKE_REMOTE, b, 0);
    check("a branch goes with its root", rights_in(b, slot) == 0 && rights_in(c, slot) == 0);
    expect("its sister stays", rights_in(c, slot + 1), 3);
    delegate(c, obj(slot + 1, 0, 31), ROOT_PD, obj(slot, 0, 31), META_DELEGATE);
    expect("a capability may come home", rights_at(slot), 3);
    revoke(obj(sm, 0, 31), 0, 0, 0);
    check("without self only the descendants go", rights_at(sm) == 3 && rights_at(slot) == 0 && rights_in(a, slot) == 0);
    delegate(ROOT_PD, obj(sm, 0, 31), a, obj(slot, 0, 31), META_DELEGATE);
    revoke(obj(slot, 0, 31), REVOKE_SELF | REVOKE_REMOTE, a, 0);
    expect("a child's end is not the object's", sm_up(sm), SUCCESS);
    word low = fresh_range(3), high = fresh_range(3);
    for (word i = 0; i < 8; i += 2) create_sm(low + i, ROOT_PD, 0, 0);
    delegate(ROOT_PD, obj(low, 3, 31), ROOT_PD, obj(high, 3, 31), META_DELEGATE);
    revoke(obj(low + 4, 2, 31), 0, 0, 0);
    check("half of a range", rights_at(high) == 3 && rights_at(high + 2) == 3 && rights_at(high + 4) == 0 && rights_at(high + 6) == 0);
#if API == 5004
    expect("the semaphore of a revoke that takes it away gets no up", revoke(obj(low, 0, 31), REVOKE_SELF, 0, low), SUCCESS);
#endif

    section = "ends 5.7";
    struct local l = local_ec();
    tree_pt = portal(l, 0, answers);
    expect("a portal answers", call(tree_pt), 0);
    revoke(obj(tree_pt, 0, 31), REVOKE_SELF, 0, 0);
    expect("until it is revoked", call(tree_pt), BAD_CAP);
    struct thread t = thread(spins_on);
    start(t, 1, 1000);
#if API == 5004
    SPIN(spin_count != 0);
    check("a thread spins", spin_count > 0);
    revoke(obj(t.sc, 0, 31), REVOKE_SELF, 0, 0);
    word before = spin_count;
    for (word until = tsc() + hip32(HIP_TSC) * 30ul; tsc() < until;) {}
    expect("without its SC it stands still", spin_count, before);
    expect("another SC", create_sc(fresh(), ROOT_PD, t.ec, 1, 1000), SUCCESS);
    SPIN(spin_count != before);
    check("sets it going again", spin_count > before);
    revoke(obj(next_sel - 1, 0, 31), REVOKE_SELF, 0, 0);
#else
    revoke(obj(t.sc, 0, 31), REVOKE_SELF, 0, 0);
#endif
}

#if API == 5004
static word line_sm, line_status[3], line_deadline[3];
static void line_waits(unsigned i) { line_status[i] = sm_down(line_sm, 0, line_deadline[i]); logs(i + 1); }
static void line_0(void) { line_waits(0); thread_end(); }
static void line_1(void) { line_waits(1); thread_end(); }
static void line_2(void) { line_waits(2); thread_end(); }
static word signal_regs[2], signal_target;
static void waits_for_signal(void) {
    struct regs r = patterned(op(HC_SM_CTRL, SM_DOWN, signal_target), 0, 0, 0, 0);
    syscall_with(&r);
    signal_regs[0] = r.rsi;
    signal_regs[1] = r.rdx;
    thread_end();
}
static word down_regs(word sm, word *value, word *number) {
    struct regs r = patterned(op(HC_SM_CTRL, SM_DOWN, sm), 0, 1, 0, 0);
    syscall_with(&r);
    *value = r.rsi;
    *number = r.rdx;
    return r.rdi;
}

static void suite_waiting(void) {
    section = "deadlines 9.3";
    word ms = hip32(HIP_TSC), now = tsc();
    create_sm(line_sm = fresh(), ROOT_PD, 0, 0);
    line_deadline[0] = now + 1000000 * ms;
    line_deadline[1] = now + 10 * ms;
    line_deadline[2] = 0;
    order_log = 0;
    run_above(line_0);
    run_above(line_1);
    run_above(line_2);
    SPIN(order_log != 0);
    check("the earlier deadline passes first", order_log == 2 && line_status[1] == COM_TIM);
    sm_up(line_sm);
    check("an up before the deadline succeeds, first come first served", order_log == 21 && line_status[0] == SUCCESS);
    sm_up(line_sm);
    check("who has gone is skipped", order_log == 213 && line_status[2] == SUCCESS);
    sm_up(line_sm);
    expect("without waiters it counts", sm_down(line_sm, 0, 1), SUCCESS);

    section = "signals 9.3";
    word target = fresh(), first = fresh(), second = fresh(), value, number;
    create_sm(target, ROOT_PD, 0, 0);
    create_sm(first, ROOT_PD, 0x11, target);
    create_sm(second, ROOT_PD, 0x22, target);
    expect("nobody waits on a semaphore that signals", sm_down(first, 0, 1), BAD_CAP);
    sm_up(first);
    sm_up(second);
    sm_up(first);
    check("the first signal", down_regs(target, &value, &number) == SUCCESS && value == 0x11 && number == 2);
    check("the second", down_regs(target, &value, &number) == SUCCESS && value == 0x22 && number == 1);
    expect("and no more: each signaller queues once", sm_down(target, 0, 1), COM_TIM);
    signal_target = target;
    run_above(waits_for_signal);
    sm_up(second);
    check("a waiter gets value and number at once", signal_regs[0] == 0x22 && signal_regs[1] == 1);

    section = "interrupts 6.3";
    word gsi = fresh(), chained = fresh();
    delegate(ROOT_PD, obj(NUM_CPU + 40, 0, 31), ROOT_PD, obj(gsi, 0, 31), META_DELEGATE | META_HYPERVISOR);
    create_sm(chained, ROOT_PD, 0, 0);
    expect("up of a kernel semaphore", sm_up(gsi), SUCCESS);
    struct regs r = patterned(op(HC_ASSIGN_GSI, 0, gsi), 0, 0, chained, 0);
    syscall_with(&r);
    expect("chaining hands on what was counted", sm_down(chained, 0, 1), SUCCESS);
    expect("once", sm_down(chained, 0, 1), COM_TIM);
    sm_up(gsi);
    expect("and what comes", sm_down(chained, 0, 1), SUCCESS);
    expect("a down of the kernel's succeeds at once", sm_down(gsi, 0, 1), SUCCESS);
    expect("unchaining", hypercall(op(HC_ASSIGN_GSI, 0, gsi), 0, 0, gsi, 0), SUCCESS);
    sm_up(gsi);
    check("ends that", sm_down(chained, 0, 1) == COM_TIM && sm_down(gsi, 0, 1) == SUCCESS);
}

static void works(struct utcb *u, word id) {
    (void)u, (void)id;
    for (word until = tsc() + hip32(HIP_TSC) * 3ul; tsc() < until;) {}
}
static word sc_time(word sc) {
    struct regs r = patterned(op(HC_SC_CTRL, 0, sc), 0, 0, 0, 0);
    syscall_with(&r);
    return r.rdx;
}
static void works_alone(void) {
    for (int i = 0; i < 5; i++) works(0, 0);
    thread_end();
}
static volatile word twice_count;
static word twice_sm;
static void counts_recalls(unsigned vector, struct utcb *u) {
    if (vector == EVENT_STARTUP) return recalled(vector, u);
    twice_count++;
    u->state.mtd = 0;
}
static void twice_target(void) { sm_down(twice_sm, 0, 0); thread_end(); }
static void suite_time(void) {
    section = "time 9.1";
    /* Time is accounted when the processor changes hands: a moment's sleep makes it so. */
    word nap = fresh();
    create_sm(nap, ROOT_PD, 0, 0);
    sm_down(nap, 0, tsc() + hip32(HIP_TSC) / 10);
    word mine = sc_time(ROOT_SC);
    word worker = portal(local_ec(), 0, works);
    for (int i = 0; i < 5; i++) call(worker);
    sm_down(nap, 0, tsc() + hip32(HIP_TSC) / 10);
    word after = sc_time(ROOT_SC);
    check("a handler works on its caller's time", after - mine >= 3000);
    struct thread t = thread(works_alone);
    start(t, 2, QUANTUM);
    check("a thread on its own", sc_time(t.sc) >= 3000);
    section = "recall 7.6";
    create_sm(twice_sm = fresh(), ROOT_PD, 0, 0);
    on_event = counts_recalls;
    t = run_above(twice_target);
    recall(t.ec);
    recall(t.ec);
    sm_up(twice_sm);
    on_event = 0;
    expect("two recalls of a waiting thread are one message", twice_count, 1);
}
#else
static void suite_waiting(void) {}
static void suite_time(void) {}
#endif
