/* Semaphores (9.3) and scheduling (9.1). */
static volatile word order_log;
static word shared_sm;
static void logs(word digit) { order_log = order_log * 10 + digit; }
static void first_waiter(void) { sm_down(shared_sm, 0, 0); logs(1); thread_end(); }
static void second_waiter(void) { sm_down(shared_sm, 0, 0); logs(2); thread_end(); }
static volatile word spins_a, spins_b, spins_stop;
static void spins(void) { while (!spins_stop) spins_a++; thread_end(); }
static void low(void) { logs(3); thread_end(); }
static void high(void) { logs(4); thread_end(); }

static void suite_semaphores(void) {
    section = "semaphores 9.3";
    word sm = fresh(), up_only = fresh(), down_only = fresh();
    create_sm(sm, ROOT_PD, 3, 0);
    give(ROOT_PD, sm, up_only, 1);
    give(ROOT_PD, sm, down_only, 2);
    expect("no semaphore", sm_up(ROOT_PD), BAD_CAP);
    expect("up needs right 0", sm_up(down_only), BAD_CAP);
    expect("down needs right 1", sm_down(up_only, 0, 0), BAD_CAP);
    expect("down of a positive counter", sm_down(sm, 0, 0), SUCCESS);
    expect("zero counter", sm_down(sm, SM_ZERO, 0), SUCCESS);
#if API == 5004
    expect("takes all", sm_down(sm, 0, 1), COM_TIM);
    word begin = tsc();
    expect("a deadline", sm_down(sm, 0, begin + hip32(HIP_TSC) * 2ul), COM_TIM);
    check("is kept", tsc() - begin >= hip32(HIP_TSC) * 2ul);
    word target = fresh(), chained = fresh();
    create_sm(target, ROOT_PD, 0, 0);
    create_sm(chained, ROOT_PD, 0x77, target);
    sm_up(chained);
    sm_up(chained);
    struct regs r = patterned(op(HC_SM_CTRL, SM_DOWN, target), 0, 0, 0, 0);
    syscall_with(&r);
    check("a chained up wakes the other semaphore", r.rdi == SUCCESS && conventional(&r));
    expect("RSI is the signal value", r.rsi, 0x77);
    expect("RDX the number of signals", r.rdx, 2);
#endif
#if API == 13002
    expect("deadlines are no more", sm_down(sm, 0, 1), BAD_PAR);
    expect("for up either", hypercall(op(HC_SM_CTRL, SM_UP, sm), 0, 1, 0, 0), BAD_PAR);
    expect("but the right comes first", hypercall(op(HC_SM_CTRL, SM_UP, down_only), 0, 1, 0, 0), BAD_CAP);
#endif
    create_sm(shared_sm = fresh(), ROOT_PD, 0, 0);
    order_log = 0;
    run_above(first_waiter);
    run_above(second_waiter);
    sm_up(shared_sm);
    expect("the first waiter goes first, and at once when its priority is higher", order_log, 1);
    sm_up(shared_sm);
    expect("then the second", order_log, 12);
    word none = API == 5004; /* a deadline of up is ignored, or must be 0 */
    struct regs u = patterned(op(HC_SM_CTRL, SM_UP, sm), none, 2 * none, 3, 4);
    syscall_with(&u);
    check("registers of up", u.rdi == SUCCESS && conventional(&u) && u.rsi == none && u.rdx == 2 * none);
    expect("up counts", sm_down(sm, 0, 0), SUCCESS);
}

static void suite_scheduling(void) {
    section = "scheduling 9.1";
    /* A host that takes its time uses up the waiter's budget: one try of many must find it with some left. */
    word wanted = API == 5004 ? 13 : 31, preempted = 0;
    for (int i = 0; i < 50 && order_log != wanted; i++) {
        create_sm(shared_sm = fresh(), ROOT_PD, 0, 0);
        order_log = 0;
        start(thread(first_waiter), 1, QUANTUM);
        let_run();
        start(thread(low), 1, QUANTUM);
        sm_up(shared_sm);
        preempted += order_log != 0;
        AWAIT(order_log > 9);
    }
    check("who is woken does not preempt its equal", preempted < 50);
#if API == 5004
    expect("with budget left it comes before the new one", order_log, 13);
#else
    expect("it comes after those that are ready", order_log, 31);
#endif
    order_log = 0;
    struct thread t = thread(high);
    start(t, 2, QUANTUM);
    expect("a higher priority preempts its creator", order_log, 4);
    t = thread(low);
    start(t, 1, QUANTUM);
    expect("an equal one does not", order_log, 4);
#if API == 5004
    SPIN(order_log == 43);
    expect("but has its turn when the quantum is over", order_log, 43);
    t = thread(spins);
    start(t, 1, QUANTUM);
    word before = 0, turns = 0, begun = tsc();
    for (word limit = LIMIT; turns < 4 && tsc() < limit;) {
        if (spins_a != before) turns++;
        before = spins_a;
        spins_b++;
    }
    spins_stop = 1;
    expect("two busy threads take turns", turns, 4);
    check("of a quantum each", tsc() - begun >= hip32(HIP_TSC) * (QUANTUM / 1000) * 3ul);
    word sm = fresh();
    create_sm(sm, ROOT_PD, 0, 0);
    sm_down(sm, 0, tsc() + hip32(HIP_TSC));
#endif
}
