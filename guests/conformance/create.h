/* Creation (6.3: 2..6): checks in their order, effects, rights. */
static void suite_create(void) {
    word used = fresh(), s = fresh(), local = events.ec;
    create_sm(used, ROOT_PD, 0, 0);

    section = "create_pd 2";
    expect("the parent must be a PD", create_pd(s, ROOT_EC, 0, 0), BAD_CAP);
    expect("the parent must exist", create_pd(s, 99, 0, 0), BAD_CAP);
    expect("the slot must be free", create_pd(used, ROOT_PD, 0, 0), BAD_CAP);
    struct regs r = patterned(op(HC_CREATE_PD, 0, s), ROOT_PD, 0, 0, 4);
    syscall_with(&r);
    check("status and registers", r.rdi == SUCCESS && conventional(&r) && r.rsi == ROOT_PD && r.rdx == 0 && r.rax == 0);
    expect("rights", rights_at(s), 1);
    word first = fresh_range(2), pd = fresh();
    for (unsigned i = 0; i < 4; i++) create_sm(first + i, ROOT_PD, 0, 0);
    expect("with capabilities to begin with", create_pd(pd, ROOT_PD, obj(first, 2, 1), 0), SUCCESS);
    expect("they begin at selector 0", rights_in(pd, 0), 1);
    expect("and follow each other", rights_in(pd, 3), 1);
    expect("as many as asked for", rights_in(pd, 4), 0);

    section = "create_ec 3";
    word va = fresh_va(1);
    expect("another CPU, before the PD", create_ec(s, EC_GLOBAL, 99, 5, 0, 0), BAD_CPU);
#if API == 5004
    expect("a vCPU, before the PD", create_ec(s, EC_GLOBAL | EC_VCPU, 99, 0, 0, 0), BAD_FTR);
#else
    expect("no PD, before flags", create_ec(fresh(), EC_GLOBAL | 2, ROOT_EC, 0, 0, 0), BAD_CAP);
    expect("flags, before the slot", create_ec(ROOT_EC, EC_GLOBAL | 2, ROOT_PD, 0, 0, 0), BAD_PAR);
    expect("flag 1 must be clear", create_ec(fresh(), EC_GLOBAL | 2, ROOT_PD, 0, 0, 0), BAD_PAR);
    expect("flag 2 must be clear", create_ec(fresh(), EC_GLOBAL | 4, ROOT_PD, 0, 0, 0), BAD_PAR);
#endif
    expect("no PD, before the address", create_ec(used, 0, ROOT_EC, USER_ADDR, 0, 0), BAD_CAP);
    expect("UTCB beyond user addresses, before the slot", create_ec(used, 0, ROOT_PD, USER_ADDR, 0, 0), BAD_PAR);
    expect("the slot must be free", create_ec(used, 0, ROOT_PD, va, 0, 0), BAD_CAP);
    word ec = fresh();
    r = patterned(op(HC_CREATE_EC, 0, ec), ROOT_PD, va, 3, 0);
    syscall_with(&r);
    check("status and registers", r.rdi == SUCCESS && conventional(&r) && r.rsi == ROOT_PD && r.rdx == va && r.rax == 3);
    expect("rights", rights_at(ec), 0xd);
    word bits = 0;
    for (unsigned i = 0; i < 512; i++) bits |= ((word *)va)[i];
    expect("its UTCB is mapped and zero", bits, 0);
    *(volatile word *)(va + 0x100) = 7;
    expect("and writable", *(volatile word *)(va + 0x100), 7);
    word copy = fresh_va(1);
    delegate(ROOT_PD, mem(POOL, 0, R), ROOT_PD, mem(copy, 0, R), META_DELEGATE);
    delegate(ROOT_PD, mem(va, 0, R), ROOT_PD, mem(copy, 0, R), META_DELEGATE);
    expect("a UTCB cannot be delegated: the destination becomes a hole", probe(copy, 0), 14);
    word child = child_pd(0), in_child = fresh_va(1);
    expect("flag 3 maps the UTCB in the caller's PD", create_ec(fresh(), EC_UTCB_IN_CALLER, child, in_child, 0, 0) ?: probe(in_child, 1), NO_EVENT);
    in_child = fresh_va(1);
    expect("without it in the target PD", create_ec(fresh(), 0, child, in_child, 0, 0) ?: probe(in_child, 0), 14);
    expect("no UTCB address is allowed", create_ec(fresh(), 0, ROOT_PD, 0, 0, 0), SUCCESS);

    section = "create_sc 4";
    struct thread t = thread(thread_end);
    word weak = fresh(), local_sel = local;
    give(ROOT_PD, t.ec, weak, 9);
    expect("no PD", create_sc(used, used, t.ec, 0, 0), BAD_CAP);
    expect("no EC", create_sc(used, ROOT_PD, used, 0, 0), BAD_CAP);
    expect("needs right 2 of the EC", create_sc(used, ROOT_PD, weak, 0, 0), BAD_CAP);
    expect("a local EC, before the priority", create_sc(used, ROOT_PD, local_sel, 0, 0), BAD_CAP);
    expect("priority 0, before the slot", create_sc(used, ROOT_PD, t.ec, 0, QUANTUM), BAD_PAR);
    expect("priority 128", create_sc(used, ROOT_PD, t.ec, 128, QUANTUM), BAD_PAR);
    expect("quantum 0", create_sc(used, ROOT_PD, t.ec, 1, 0), BAD_PAR);
    expect("the slot must be free", create_sc(used, ROOT_PD, t.ec, 1, QUANTUM), BAD_CAP);
    r = patterned(op(HC_CREATE_SC, 0, t.sc), ROOT_PD, t.ec, 1 | QUANTUM << 12, 4);
    syscall_with(&r);
    check("status and registers", r.rdi == SUCCESS && conventional(&r) && r.rsi == ROOT_PD && r.rdx == t.ec && r.r8 == 4);
    expect("rights", rights_at(t.sc), 1);
    AWAIT(last.vector == EVENT_STARTUP); /* else it would start in the middle of a later check */

    section = "create_pt 5";
    give(ROOT_PD, events.ec, weak = fresh(), 5);
    expect("no PD", create_pt(used, used, local, 0, portal_entry), BAD_CAP);
    expect("no EC", create_pt(used, ROOT_PD, used, 0, portal_entry), BAD_CAP);
    expect("needs right 3 of the EC", create_pt(used, ROOT_PD, weak, 0, portal_entry), BAD_CAP);
    expect("a global EC", create_pt(fresh(), ROOT_PD, ROOT_EC, 0, portal_entry), BAD_CAP);
    expect("the slot must be free", create_pt(used, ROOT_PD, local, 0, portal_entry), BAD_CAP);
    word pt = fresh();
    r = patterned(op(HC_CREATE_PT, 0, pt), ROOT_PD, local, 5, (word)portal_entry);
    syscall_with(&r);
    check("status and registers", r.rdi == SUCCESS && conventional(&r) && r.rsi == ROOT_PD && r.rdx == local && r.rax == 5);
    expect("rights", rights_at(pt), 3);

    section = "create_sm 6";
    expect("no PD", create_sm(used, used, 0, 0), BAD_CAP);
    expect("the slot must be free", create_sm(used, ROOT_PD, 0, 0), BAD_CAP);
    word sm = fresh();
    r = patterned(op(HC_CREATE_SM, 0, sm), ROOT_PD, 2, 0, 4);
    syscall_with(&r);
    check("status and registers", r.rdi == SUCCESS && conventional(&r) && r.rsi == ROOT_PD && r.rdx == 2 && r.rax == 0 && r.r8 == 4);
    expect("rights", rights_at(sm), 3);
#if API == 5004
    word down_only = fresh(), chained = fresh();
    give(ROOT_PD, sm, down_only, 2);
    expect("the signalled object must be a semaphore", create_sm(used, ROOT_PD, 0, ROOT_EC), BAD_CAP);
    expect("with right 0", create_sm(used, ROOT_PD, 0, down_only), BAD_CAP);
    expect("chain", create_sm(chained, ROOT_PD, 5, sm), SUCCESS);
    expect("but not to one that is chained", create_sm(fresh(), ROOT_PD, 5, chained), BAD_CAP);
#else
    expect("RAX is ignored", create_sm(fresh(), ROOT_PD, 0, ROOT_EC), SUCCESS);

    section = "kernel pages 16, 17";
    word kp = fresh(), at = fresh_va(1);
    expect("create_kp: no PD", hypercall(op(HC_CREATE_KP, 0, kp), ROOT_EC, 0, 0, 0), BAD_CAP);
    expect("create_kp: the slot must be free", hypercall(op(HC_CREATE_KP, 0, used), ROOT_PD, 0, 0, 0), BAD_CAP);
    expect("create_kp", hypercall(op(HC_CREATE_KP, 0, kp), ROOT_PD, 0, 0, 0), SUCCESS);
    expect("kp_ctrl: no kernel page", hypercall(op(HC_KP_CTRL, 0, used), ROOT_PD, at, 0, 0), BAD_CAP);
    expect("kp_ctrl: no PD", hypercall(op(HC_KP_CTRL, 0, kp), used, at, 0, 0), BAD_CAP);
    expect("map", hypercall(op(HC_KP_CTRL, 0, kp), ROOT_PD, at, 0, 0) ?: probe(at, 1), NO_EVENT);
    expect("unmap", hypercall(op(HC_KP_CTRL, 1, kp), 0, 0, 0, 0), SUCCESS);
    expect("and it is gone", probe(at, 0), 14);
    expect("unmap of what is not mapped", hypercall(op(HC_KP_CTRL, 1, kp), 0, 0, 0, 0), BAD_PAR);
    expect("operation 2, before the page", hypercall(op(HC_KP_CTRL, 2, used), 0, 0, 0, 0), BAD_PAR);
    expect("an address within a page", hypercall(op(HC_KP_CTRL, 0, kp), ROOT_PD, at + 8, 0, 0), BAD_PAR);
    expect("an address beyond user memory", hypercall(op(HC_KP_CTRL, 0, kp), ROOT_PD, USER_ADDR + PAGE_SIZE, 0, 0), BAD_PAR);
    expect("map again", hypercall(op(HC_KP_CTRL, 0, kp), ROOT_PD, at, 0, 0), SUCCESS);
    expect("twice", hypercall(op(HC_KP_CTRL, 0, kp), ROOT_PD, at, 0, 0), BAD_PAR);
    delegate(ROOT_PD, mem(POOL, 0, R | W), ROOT_PD, mem(at, 0, R | W), META_DELEGATE);
    expect("unmap takes what has replaced it", hypercall(op(HC_KP_CTRL, 1, kp), 0, 0, 0, 0) ?: probe(at, 0), 14);
    word on_cpu_0 = (word)ROOT_PD << 12;
    expect("create_vcpu: another CPU, before the PD", hypercall(op(HC_CREATE_VCPU, 0, fresh()), 1, 0, 0, 0), BAD_CPU);
    expect("create_vcpu: no PD", hypercall(op(HC_CREATE_VCPU, 0, fresh()), (word)ROOT_EC << 12, kp, kp, kp), BAD_CAP);
    expect("create_vcpu: no kernel page", hypercall(op(HC_CREATE_VCPU, 0, fresh()), on_cpu_0, kp, used, kp), BAD_CAP);
    expect("create_vcpu without VMX", hypercall(op(HC_CREATE_VCPU, 0, fresh()), on_cpu_0, kp, kp, kp), BAD_FTR);
    expect("vcpu_ctrl of no vCPU", hypercall(op(HC_VCPU_CTRL, 0, kp), 0, 0, 0, 0), BAD_CAP);
    expect("vcpu_ctrl operation 2", hypercall(op(HC_VCPU_CTRL, 2, kp), 0, 0, 0, 0), BAD_PAR);
#endif
}
