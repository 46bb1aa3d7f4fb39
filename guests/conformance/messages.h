/* Typed items in replies (5.6), pagers, FS and GS base (7.3), replies with a semaphore (7.2), busy handlers (7.1), livelock. */

/* ---- pager ---- */
/* With a barrier, as a handler looks at variables that the compiler does not know it uses. */
static word peek(word va) {
    word value;
    __asm__ volatile("mov (%1), %0" : "=r"(value) : "r"(va) : "memory");
    return value;
}
static void poke(word va, word value) { __asm__ volatile("mov %0, (%1)" : : "r"(value), "r"(va) : "memory"); }
static word pager_va, pager_rights, pager_count;
static void pages_in(unsigned vector, struct utcb *u) {
    (void)vector;
    pager_count++;
    u->items = 1u << 16;
    u->item[253].crd = mem(POOL, 0, 31);
    u->item[253].meta = META_DELEGATE | (pager_va & ~0xffful);
    if (pager_rights != 31) u->item[253].crd = mem(POOL, 0, pager_rights);
    u->state.mtd = 0;
}
static void suite_pager(void) {
    section = "pager 5.6";
    on_event = pages_in;
    pager_va = fresh_va(2);
    pager_rights = 31;
    poke(POOL, 0x50a6e);
    expect("a typed item in the reply maps the page", peek(pager_va), 0x50a6e);
    expect("one fault", pager_count, 1);
    expect("whose address was told", last.state.qual[1], pager_va);
    expect("and its error code", last.state.qual[0], 4);
    poke(pager_va, 5);
    expect("with the rights of the item", pager_count, 1);
    expect("it is that page", peek(POOL), 5);
    pager_va += PAGE_SIZE;
    pager_rights = R;
    peek(pager_va);
    on_event = 0;
    expect("rights are reduced", probe(pager_va, 1), 14);
    expect("present, write, user", last.state.qual[0], 7);
}

/* ---- typed items in the reply of a call ---- */
static word handed, taken_crd, taken_meta, count_items;
static void hands_out(struct utcb *u, word id) {
    (void)id;
    u->items = 1u << 16 | 1;
    u->data[0] = 0x1dea;
    u->item[253].crd = obj(handed, 0, 1);
    u->item[253].meta = META_DELEGATE;
}
static void many(struct utcb *u, word id) {
    (void)id;
    count_items = u->items;
    taken_crd = u->item[0].crd;
    taken_meta = u->item[0].meta;
    u->items = 0;
}
static void suite_reply_items(void) {
    section = "typed items 5.6";
    struct local l = local_ec();
    word pt = portal(l, 0, hands_out), window = fresh();
    create_sm(handed = fresh(), ROOT_PD, 0, 0);
    root_utcb->items = 0;
    root_utcb->xlt = 0;
    root_utcb->del = obj(window, 0, 31);
    call(pt);
    expect("a reply delegates into the caller's window", rights_at(window), 1);
    expect("the item names the place", root_utcb->item[253].crd, obj(window, 0, 1));
    expect("its meta is the flags", root_utcb->item[253].meta, META_DELEGATE);
    expect("words come along", root_utcb->data[0], 0x1dea);
    expect("and the counts", root_utcb->items, 1u << 16 | 1);
    call(portal(l, 0, many));
    root_utcb->del = 0;
    for (unsigned i = 0; i < 254; i++) root_utcb->item[i].crd = 0xfff, root_utcb->item[i].meta = META_INVALID;
    root_utcb->items = 300u << 16;
    call(portal(l, 0, many));
    expect("a count of 300 items arrives as it is", count_items, 300u << 16);
    expect("254 of them are taken", taken_crd == 0 && taken_meta == META_INVALID, 1);
    root_utcb->items = 0;
}

/* ---- FS and GS base ---- */
static void moves_bases(unsigned vector, struct utcb *u) {
    (void)vector;
    u->state.mtd = MTD_RIP | MTD_FS_GS;
    u->state.rip = resume_at;
    u->state.fs.base = 0x123456000;
    u->state.gs.base = 0x234567000;
    resume_at = 0;
}
static void suite_bases(void) {
    section = "FS and GS 7.3";
    word fs, gs;
    __asm__ volatile("wrfsbase %0\n wrgsbase %1" : : "r"(0x1111000ul), "r"(0x2222000ul));
    on_event = moves_bases;
    TRAP("", "int3");
    on_event = 0;
    __asm__ volatile("rdfsbase %0\n rdgsbase %1" : "=r"(fs), "=r"(gs));
#if API == 5004
    expect("the message has the FS base", last.state.fs.base, 0x1111000);
    expect("and the GS base", last.state.gs.base, 0x2222000);
    expect("the reply sets the FS base", fs, 0x123456000);
    expect("and the GS base", gs, 0x234567000);
#else
    expect("bit 6 is ignored: FS", fs, 0x1111000);
    expect("bit 6 is ignored: GS", gs, 0x2222000);
#endif
    __asm__ volatile("wrfsbase %0\n wrgsbase %0" : : "r"(0ul));
}

/* ---- reply with a semaphore ---- */
static word gate_sm, gate_calls, gate_stack, gate_done, gate_word, gate_pt;
__attribute__((noreturn)) static void reply_with(word sm, word stack) {
    __asm__ volatile("mov %1, %%rsp\n syscall\n ud2" : : "D"(op(HC_REPLY, 0, sm)), "r"(stack) : "rcx", "r11", "memory");
    __builtin_unreachable();
}
static void gated(struct utcb *u, word id) {
    (void)id;
    if (gate_calls++ == 0) reply_with(gate_sm, gate_stack);
    u->data[0] *= 2;
}
static void calls_gated(void) {
    struct utcb *mine = (struct utcb *)gate_word;
    mine->items = 1;
    mine->data[0] = 21;
    call(gate_pt);
    gate_done = mine->data[0];
    thread_end();
}
static void gated_event(unsigned vector, struct utcb *u) {
    if (vector == EVENT_STARTUP) {
        u->state.mtd = MTD_RIP;
        u->state.rip = *(word *)u->state.rsp;
        return;
    }
    gate_calls++;
    u->state.mtd = MTD_RIP | MTD_ACDB;
    u->state.rip = u->state.rip + 2;
    u->state.rax = 0x77;
    reply_with(gate_sm, events.stack_top);
}
static void traps_gated(void) {
    word rax = 0;
    __asm__ volatile("ud2" : "+a"(rax) : : "rcx", "rdx", "rbx", "memory");
    gate_done = rax;
    thread_end();
}
static void suite_reply_semaphore(void) {
    section = "reply 7.2";
    word sm = fresh();
    create_sm(sm, ROOT_PD, 0, 0);
    give(ROOT_PD, sm, gate_sm = fresh(), 1);
    struct local l = local_ec();
    gate_pt = portal(l, 0, gated);
    gate_stack = l.stack_top;
    struct thread t = thread(calls_gated);
    gate_word = t.utcb;
    start(t, 2, QUANTUM);
    check("with a semaphore, whatever its rights: the caller waits", gate_calls == 1 && gate_done == 0);
    expect("the handler is idle meanwhile", call(gate_pt), 0);
    sm_up(sm);
    expect("after the up its call is made again", gate_calls, 3);
    expect("with its message", gate_done, 42);
    gate_calls = gate_done = 0;
    on_event = gated_event;
    t = thread(traps_gated);
    start(t, 2, QUANTUM);
    check("the reply to a state message makes it wait as well", gate_calls == 1 && gate_done == 0);
    sm_up(sm);
    on_event = 0;
    check("but it goes on with the state of that reply", gate_calls == 1 && gate_done == 0x77);
}

/* ---- busy handlers ---- */
static word chain_inner, chain_outer, chain_sm, chain_log, self_pt, cross_a, cross_b, cross_status;
static void blocks(struct utcb *u, word id) {
    (void)u, (void)id;
    sm_down(chain_sm, 0, 0);
}
static void calls_inner(struct utcb *u, word id) {
    (void)u, (void)id;
    call(chain_inner);
}
static void chain_first(void) { call(chain_outer); chain_log = chain_log * 10 + 1; thread_end(); }
static void chain_second(void) { call(chain_outer); chain_log = chain_log * 10 + 2; thread_end(); }
static void calls_itself(struct utcb *u, word id) {
    (void)u, (void)id;
    call(self_pt);
}
static void calls_a(struct utcb *u, word id) {
    (void)u, (void)id;
    call(cross_a);
}
static void calls_b(struct utcb *u, word id) {
    (void)u, (void)id;
    cross_status = call(cross_b);
}
static volatile word held, held_log;
static word held_pt;
static void holds(struct utcb *u, word id) {
    (void)u, (void)id;
    for (held = 1; held < 3000000; held++) {}
}
static void holder(void) { call(held_pt); held_log = held_log * 10 + 1; thread_end(); }
static void suite_helping(void) {
    section = "busy handlers 7.1";
    struct local a = local_ec(), b = local_ec(), c = local_ec(), d = local_ec(), e = local_ec();
    chain_inner = portal(b, 0, blocks);
    chain_outer = portal(a, 0, calls_inner);
    create_sm(chain_sm = fresh(), ROOT_PD, 0, 0);
    run_above(chain_first);
    run_above(chain_second);
    expect("both callers of a chain wait for its end", chain_log, 0);
    sm_up(chain_sm);
    expect("the first is served first", chain_log, 1);
    sm_up(chain_sm);
    expect("then the one that helped", chain_log, 12);
    held_pt = portal(e, 0, holds);
    struct thread low = thread(holder);
#if API == 5004
    start(low, 1, QUANTUM);
    SPIN(held != 0);
    check("a thread of the same priority is in the handler when its turn ends", held > 0);
#else
    start(low, 2, QUANTUM);
#endif
    call(held_pt);
    held_log = held_log * 10 + 2;
    check("a caller helps it to its end and comes next", held_log == 12 || held_log == 2);

    section = "livelock 7.1";
    self_pt = portal(c, 0, calls_itself);
    expect("a handler that calls itself is killed: COM_ABT", call(self_pt), COM_ABT);
    expect("and is dead", call(self_pt), COM_TIM);
    cross_a = portal(a, 0, calls_b);
    cross_b = portal(d, 0, calls_a);
    expect("of two that call each other", call(cross_a), 0);
    expect("the second is killed", cross_status, COM_ABT);
    word base = fresh_range(5);
    struct local f = {fresh(), (word)pages(2) + 2 * PAGE_SIZE, (struct utcb *)fresh_va(1)};
    create_ec(f.ec, 0, ROOT_PD, (word)f.utcb, f.stack_top, base);
    portal_at(base + 6, f, MTD_DEFAULT, calls_itself);
    expect("so is one whose exception handler is itself", call(portal(f, 0, dies)), COM_ABT);
}

static word based_vector;
static void based_handler(struct utcb *u, word id) {
    (void)id;
    based_vector = last.vector;
    u->state.mtd = MTD_RIP;
    u->state.rip = *(word *)u->state.rsp;
}
static void based(void) { based_vector = 1; thread_end(); }
static void suite_event_base(void) {
    section = "event base 7.4";
    word base = fresh_range(5);
    portal_at(base + EVENT_STARTUP, local_ec(), MTD_DEFAULT, based_handler);
    struct thread t = thread_in(ROOT_PD, based, base);
    last.vector = 0;
    start(t, 2, QUANTUM);
    expect("the startup message goes to event base + 30", based_vector, 1);
    expect("and not to 30", last.vector, 0);
}
