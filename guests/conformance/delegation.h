/* Delegation, translation, revocation, ports (5.4, 5.5, 5.7). */
static word tag_at(word va) { return *(volatile word *)va; }

static void suite_delegation(void) {
    section = "memory 5.4";
    word src = (word)pages(16), dst = fresh_va(32) & ~0xffffful;
    src = (src + 0x7fff) & ~0x7ffful;
    pages(16);
    dst += 0x100000;
    next_va = dst + 0x200000;
    for (unsigned i = 0; i < 8; i++) *(word *)(src + i * PAGE_SIZE) = 100 + i;
    delegate(ROOT_PD, mem(src, 3, 31), ROOT_PD, mem(dst, 3, R | W), META_DELEGATE);
    expect("eight pages in one go", tag_at(dst + 7 * PAGE_SIZE), 107);
    *(word *)dst = 55;
    expect("the same memory", tag_at(src), 55);
    delegate(ROOT_PD, mem(src, 0, 31), ROOT_PD, mem(dst, 3, 31), META_DELEGATE | 5 * PAGE_SIZE);
    expect("small into large: the hotspot chooses the place", tag_at(dst + 5 * PAGE_SIZE), 55);
    expect("and only that", tag_at(dst + 4 * PAGE_SIZE), 104);
    delegate(ROOT_PD, mem(src, 3, 31), ROOT_PD, mem(dst + 0x10000, 0, 31), META_DELEGATE | 6 * PAGE_SIZE);
    expect("large into small: the hotspot chooses the source", tag_at(dst + 0x10000), 106);
    expect("and only one page", probe(dst + 0x11000, 0), 14);
    delegate(ROOT_PD, mem(src + 3 * PAGE_SIZE, 3, 31), ROOT_PD, mem(dst, 3, 31), META_DELEGATE);
    expect("bases are aligned down", tag_at(dst + 2 * PAGE_SIZE), 102);
    delegate(ROOT_PD, mem(src, 0, R), ROOT_PD, mem(dst, 0, 31), META_DELEGATE);
    expect("without W a write faults", probe(dst, 1), 14);
    expect("with error code 7", last.state.qual[0], 7);
    expect("at that address", last.state.qual[1], dst);
    expect("RIP is the instruction", last.state.rip, fault_at);
    delegate(ROOT_PD, mem(dst, 0, 31), ROOT_PD, mem(dst + 0x20000, 0, 31), META_DELEGATE);
    expect("rights cannot be regained", probe(dst + 0x20000, 1), 14);
    delegate(ROOT_PD, mem(src, 0, X), ROOT_PD, mem(dst + PAGE_SIZE, 0, 31), META_DELEGATE);
    expect("any right makes it readable", probe(dst + PAGE_SIZE, 0), NO_EVENT);
    delegate(ROOT_PD, mem(dst, 0, 31), ROOT_PD, mem(dst + 0x30000, 0, 31), META_DELEGATE);
    delegate(ROOT_PD, mem(src, 0, 31), ROOT_PD, mem(dst, 0, 0), META_DELEGATE);
    expect("rights 0 unmap", probe(dst, 0), 14);
    expect("error code 4 for a read of nothing", last.state.qual[0], 4);
    expect("copies stay", probe(dst + 0x30000, 0), NO_EVENT);
    delegate(ROOT_PD, mem(dst, 3, 31), ROOT_PD, mem(dst + 0x10000, 3, 31), META_DELEGATE);
    expect("a hole in the source makes a hole", probe(dst + 0x10000, 0), 14);
    expect("next to what is there", tag_at(dst + 0x12000), 102);
    word kernel = mem_descs()[mem_desc_count() - 1].address;
    delegate(ROOT_PD, mem(kernel, 0, 31), ROOT_PD, mem(dst + 0x12000, 0, 31), META_DELEGATE | META_HYPERVISOR);
    expect("kernel memory is a hole", probe(dst + 0x12000, 0), 14);
    expect("beyond user addresses nothing happens", delegate(ROOT_PD, mem(src, 0, 31), ROOT_PD, mem(USER_ADDR, 0, 31), META_DELEGATE), SUCCESS);
    word utcb = fresh_va(1), ec = fresh();
    create_ec(ec, 0, ROOT_PD, utcb, 0, 0);
    delegate(ROOT_PD, mem(src, 0, 31), ROOT_PD, mem(utcb, 0, 31), META_DELEGATE);
    expect("even a UTCB is replaced silently", tag_at(utcb), 55);

    section = "objects 5.4";
    word from = fresh_range(3), to = fresh_range(3), pd = child_pd(0);
    for (unsigned i = 0; i < 8; i++) if (i != 2) create_sm(from + i, ROOT_PD, i, 0);
    delegate(ROOT_PD, obj(from, 3, 1), pd, obj(to, 3, 31), META_DELEGATE);
    expect("a range, with fewer rights", rights_in(pd, to + 7), 1);
    expect("an empty slot stays empty", rights_in(pd, to + 2), 0);
    delegate(ROOT_PD, obj(from, 3, 2), pd, obj(to, 3, 31), META_DELEGATE);
    expect("an occupied slot is skipped", rights_in(pd, to + 7), 1);
    delegate(ROOT_PD, obj(from + 1, 0, 31), pd, obj(to + 0x1000, 8, 31), META_DELEGATE | 0x23 * PAGE_SIZE);
    expect("the hotspot chooses the place", rights_in(pd, ((to + 0x1000) & ~0xfful) + 0x23), 3);
    delegate(ROOT_PD, obj(from, 3, 31), pd, obj(to + 0x2000, 0, 31), META_DELEGATE | 5 * PAGE_SIZE);
    expect("or the source", rights_in(pd, to + 0x2000), 3);
    word sc = fresh(), gsi = fresh();
    delegate(ROOT_PD, obj(0, 0, 31), ROOT_PD, obj(sc, 0, 31), META_DELEGATE | META_HYPERVISOR);
    expect("the kernel's idle SC", rights_at(sc), 1);
    expect("has a time", hypercall(op(HC_SC_CTRL, 0, sc), 0, 0, 0, 0), SUCCESS);
#if API == 5004
    delegate(ROOT_PD, obj(NUM_CPU + 9, 0, 31), ROOT_PD, obj(gsi, 0, 31), META_DELEGATE | META_HYPERVISOR);
    expect("the kernel's GSI semaphores", rights_at(gsi), 3);
#endif
    (void)gsi;
}

static word echo_pt, echo_sel;
static struct item seen_items[4];
/* The windows that the handler opens for the next message. */
static word seen_count, next_del, next_xlt;
static void keep_items(struct utcb *u, word id) {
    (void)id;
    seen_count = u->typed;
    for (unsigned i = 0; i < 4; i++) seen_items[i] = u->item[253 - i];
    u->del = next_del;
    u->xlt = next_xlt;
}
static word send_item(word range, word meta) {
    root_utcb->untyped = 0;
    root_utcb->typed = 1;
    root_utcb->item[253] = (struct item){range, meta};
    word status = call(echo_pt);
    root_utcb->typed = 0;
    return status;
}
static void suite_translation(void) {
    section = "typed items 5.3-5.6";
    word pd = child_pd(0), window = fresh_range(4), here = fresh(), there = fresh();
    struct local l = local_ec_in(pd);
    echo_pt = portal(l, 0, keep_items);
    create_sm(here, ROOT_PD, 0, 0);
    next_del = obj(window, 4, 31);
    next_xlt = ALL_OBJ;
    root_utcb->items = 0;
    call(echo_pt);
    send_item(obj(here, 0, 1), META_DELEGATE | 3 * PAGE_SIZE);
    expect("delegation: the handler sees the place", seen_items[0].crd, obj(window + 3, 0, 1));
    expect("and the flags without the hotspot", seen_items[0].meta, META_DELEGATE);
    expect("the number of items", seen_count, 1);
    expect("and has the capability", rights_in(pd, window + 3), 1);
    delegate(pd, obj(window + 3, 0, 31), ROOT_PD, obj(there, 0, 31), META_DELEGATE);
    send_item(obj(there, 0, 31), META_TRANSLATE);
    expect("translation names the receiver's capability", seen_items[0].crd, obj(window + 3, 0, 1));
    word other = fresh();
    create_sm(other, ROOT_PD, 0, 0);
    send_item(obj(other, 0, 31), META_TRANSLATE);
    expect("or gives the null CRD", seen_items[0].crd, 0);
    send_item(obj(other, 0, 31), META_EITHER);
    expect("translate else delegate", seen_items[0].crd, obj(window, 0, 31));
    expect("sets bit 0 of the flags", seen_items[0].meta, 3);
    send_item(obj(here, 0, 31), META_INVALID);
    expect("kind 3 gives the null CRD", seen_items[0].crd, 0);
    next_del = 0;
    send_item(obj(here, 0, 31), META_INVALID);
    send_item(obj(here, 0, 31), META_DELEGATE);
    expect("without a window nothing is received", seen_items[0].crd, 0);
    echo_sel = other;
}

static word waiter_sm, waiter_status;
static void waits(void) {
    waiter_status = sm_down(waiter_sm, 0, 0);
    thread_end();
}
static void suite_revocation(void) {
    section = "revoke 7";
    word sm = fresh(), copy = fresh(), again = fresh(), pd = child_pd(0);
    create_sm(sm, ROOT_PD, 0, 0);
    give(ROOT_PD, sm, copy, 3);
    delegate(ROOT_PD, obj(copy, 0, 31), pd, obj(again, 0, 31), META_DELEGATE);
    expect("remote without a PD", revoke(obj(sm, 0, 31), REVOKE_REMOTE, sm, 0), BAD_CAP);
    expect("a null CRD does nothing", revoke(0, REVOKE_SELF, 0, 0), SUCCESS);
    revoke(obj(sm, 0, 1), 0, 0, 0);
    expect("removes rights from children", rights_at(copy), 2);
    expect("and their children", rights_in(pd, again), 2);
    expect("but not from itself", rights_at(sm), 3);
    revoke(obj(copy, 0, 2), REVOKE_SELF, 0, 0);
    expect("with self also that", rights_at(copy), 0);
    expect("children first", rights_in(pd, again), 0);
    delegate(ROOT_PD, obj(sm, 0, 31), pd, obj(again, 0, 31), META_DELEGATE);
    revoke(obj(again, 0, 31), REVOKE_SELF | REVOKE_REMOTE, pd, 0);
    expect("in another PD", rights_in(pd, again), 0);
#if API == 5004
    revoke(obj(99, 0, 31), REVOKE_SELF, 0, sm);
    expect("the semaphore gets an up", sm_down(sm, 0, tsc()), SUCCESS);
#endif
    waiter_sm = sm;
    waiter_status = 99;
    run_above(waits);
    expect("a thread waits", waiter_status, 99);
    revoke(obj(sm, 0, 31), REVOKE_SELF, 0, 0);
    expect("destruction wakes it with BAD_CAP", waiter_status, BAD_CAP);
    word va = fresh_va(1);
    delegate(ROOT_PD, mem(POOL, 0, R), ROOT_PD, mem(va, 0, R), META_DELEGATE);
    revoke(mem(va, 0, 0), 0, 0, 0);
    expect("memory is unmapped whatever rights and self say", probe(va, 0), 14);
}

static void suite_ports(void) {
    section = "ports";
    TRAP("mov $0x80, %%edx", "outb %%al, %%dx");
    expect("without a capability: #GP", last.vector, 13);
    expect("error code 0", last.state.qual[0], 0);
    expect("RIP is the instruction", last.state.rip, fault_at);
    word result = 0;
    delegate(ROOT_PD, pio(0x80, 3), ROOT_PD, pio(0x80, 3), META_DELEGATE | META_HYPERVISOR);
    TRAP("mov $0x80, %%edx", "outb %%al, %%dx");
    expect("with one: no fault", last.vector, NO_EVENT);
    TRAP("mov $0x87, %%edx", "inw %%dx, %%ax");
    expect("both ports of a wide access are checked", last.vector, 13);
    word pd = child_pd(0);
    delegate(ROOT_PD, pio(0x82, 0), pd, pio(0x80, 2), META_DELEGATE);
    delegate(pd, pio(0x80, 3), ROOT_PD, pio(0x82, 0), META_DELEGATE);
    struct regs r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), pd, pio(0x80, 3), META_DELEGATE, pio(0x84, 0));
    syscall_with(&r);
    expect("the windows' intersection is delegated", r.rdx, pio(0x84, 0));
    r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), pd, pio(0x80, 3), META_DELEGATE, pio(0x3f8, 3));
    syscall_with(&r);
    check("nothing when they are disjoint", r.rdi == SUCCESS);
    revoke(pio(0x80, 3), REVOKE_SELF, 0, 0);
    TRAP("mov $0x80, %%edx", "outb %%al, %%dx");
    expect("revoked: #GP again", last.vector, 13);
    (void)result;
}
