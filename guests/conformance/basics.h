/* Calling convention (6.1) and the calls that only answer (6.3: 8..11, 13..15). */
static void suite_convention(void) {
    section = "convention 6.1";
    struct regs r = patterned(op(HC_PT_CTRL, 0, 99) | 0xabcdul << 48, 1, 2, 3, 4);
    syscall_with(&r);
    expect("status in RDI, all 64 bits", r.rdi, BAD_CAP);
    check("RCX, R11, RFLAGS, RSP and all other registers", conventional(&r));
    expect("RSI is unchanged", r.rsi, 1);
    expect("RDX is unchanged", r.rdx, 2);
    expect("RAX is unchanged", r.rax, 3);
    expect("R8 is unchanged", r.r8, 4);
    uint32_t before[4] = {1, 2, 3, 4}, after[4];
    __asm__ volatile("movups %1, %%xmm13\n movups %1, %%xmm0\n mov $255, %%edi\n syscall\n movups %%xmm13, %0\n xorps %%xmm0, %%xmm0"
                     : "=m"(after) : "m"(before) : "rdi", "rcx", "r11", "memory");
    check("vector registers survive", after[0] == 1 && after[1] == 2 && after[2] == 3 && after[3] == 4);
    word fs;
    __asm__ volatile("wrfsbase %1\n mov $255, %%edi\n syscall\n rdfsbase %0" : "=r"(fs) : "r"(0x123456789000ul) : "rdi", "rcx", "r11", "memory");
    expect("FS base survives", fs, 0x123456789000ul);
    uint32_t cs, ss;
    __asm__ volatile("mov $255, %%edi\n syscall\n mov %%cs, %0\n mov %%ss, %1" : "=r"(cs), "=r"(ss) : : "rdi", "rcx", "r11", "memory");
    expect("CS after sysret", cs, 0x2b);
    expect("SS after sysret", ss, 0x23);
    static const uint8_t unknown[] = {
#if API == 5004
        16, 17, 19, 20,
#else
        13, 14,
#endif
        18, 21, 100, 255};
    for (unsigned i = 0; i < sizeof unknown; i++) expect("an unknown number is BAD_HYP", hypercall(unknown[i], 0, 0, 0, 0), BAD_HYP);
    expect("selectors count modulo 2^26", rights_at((1ul << 26) + ROOT_EC), 0xd);
    expect("also in a call's selector", pt_ctrl((1ul << 26) + ROOT_EC, 0), BAD_CAP);
}

static void suite_pd_ctrl(void) {
    section = "pd_ctrl 8";
    expect("lookup of a null slot gives 0", lookup(obj(99, 0, 31)), 0);
    expect("lookup gives base, order and rights", lookup(obj(ROOT_EC, 0, 0)), obj(ROOT_EC, 0, 0xd));
    expect("lookup of memory gives 0", lookup(mem(0x400000, 0, 31)), 0);
    expect("lookup of a null CRD gives 0", lookup(0), 0);
    expect("lookup finds the node around a port", lookup(pio(uart_port + 3, 0)), crd(KIND_PIO, uart_port, 3, 1));
    struct regs r = patterned(op(HC_PD_CTRL, PD_LOOKUP, 0), obj(99, 0, 31), 2, 3, 4);
    syscall_with(&r);
    check("lookup's registers", conventional(&r) && r.rdi == SUCCESS && r.rdx == 2 && r.rax == 3 && r.r8 == 4);
#if API == 5004
    expect("map_access_page wants rights 3", hypercall(op(HC_PD_CTRL, PD_MAP_ACCESS_PAGE, 0), mem(0x5000, 0, 7), 0, 0, 0), BAD_PAR);
    expect("and order 0", hypercall(op(HC_PD_CTRL, PD_MAP_ACCESS_PAGE, 0), mem(0x4000, 1, 3), 0, 0, 0), BAD_PAR);
    expect("and memory", hypercall(op(HC_PD_CTRL, PD_MAP_ACCESS_PAGE, 0), obj(5, 0, 3), 0, 0, 0), BAD_PAR);
#endif
    expect("delegate from no PD", delegate(ROOT_EC, obj(5, 0, 31), ROOT_PD, ALL_OBJ, META_DELEGATE), BAD_CAP);
    expect("delegate to no PD", delegate(ROOT_PD, obj(5, 0, 31), 99, ALL_OBJ, META_DELEGATE), BAD_CAP);
    word to = fresh();
    r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), ROOT_PD, obj(ROOT_EC, 0, 5), META_DELEGATE | 0x700, obj(to, 0, 31));
    syscall_with(&r);
    expect("delegate's status", r.rdi, SUCCESS);
    expect("RDX is the result CRD", r.rdx, obj(to, 0, 5));
    expect("RAX is meta's low 12 bits", r.rax, META_DELEGATE | 0x700);
    check("delegate's other registers", conventional(&r) && r.rsi == ROOT_PD && r.r8 == obj(to, 0, 31));
    expect("rights are those of source and mask", rights_at(to), 5);
    r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), ROOT_PD, obj(ROOT_EC, 0, 0), 0x5000 | META_DELEGATE, obj(fresh(), 0, 31));
    syscall_with(&r);
    expect("rights 0 for an object is SUCCESS", r.rdi, SUCCESS);
    expect("with a null CRD", r.rdx, 0);
    expect("and meta without hotspot", r.rax, META_DELEGATE);
    r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), ROOT_PD, obj(ROOT_EC, 0, 31), META_INVALID, obj(fresh(), 0, 31));
    syscall_with(&r);
    check("kind 3 gives a null CRD and SUCCESS", r.rdi == SUCCESS && r.rdx == 0 && r.rax == META_INVALID);
    r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), ROOT_PD, obj(ROOT_EC, 0, 31), META_DELEGATE, mem(0x5000, 0, 31));
    syscall_with(&r);
    check("different kinds give a null CRD and SUCCESS", r.rdi == SUCCESS && r.rdx == 0);
    r = patterned(op(HC_PD_CTRL, PD_DELEGATE, ROOT_PD), ROOT_PD, obj(fresh(), 0, 31), META_DELEGATE, obj(to + 1000, 0, 31));
    syscall_with(&r);
    expect("the result names the place even when nothing was there", r.rdx, obj(to + 1000, 0, 31));
    word pd = child_pd(0);
    expect("msr_access refuses the TSC", hypercall(op(HC_PD_CTRL, PD_MSR_ACCESS, 0x10), 0, 0, 0, 0), BAD_PAR);
    struct regs msr = patterned(op(HC_PD_CTRL, PD_MSR_ACCESS, 0x10), 0x1234, 0, 0, 0);
    syscall_with(&msr);
    expect("and reads 0 nevertheless", msr.rsi, 0);
    expect("msr_access refuses to write the PAT", hypercall(op(HC_PD_CTRL, PD_MSR_ACCESS | 4, 0x277), 0, 0, 0, 0), BAD_PAR);
    (void)pd;
}

static void suite_small_calls(void) {
    section = "ec_ctrl 9";
#if API == 5004
    expect("operation 1 is checked before the capability", hypercall(op(HC_EC_CTRL, 1, 99), 0, 0, 0, 0), BAD_PAR);
    expect("recall of no EC", recall(ROOT_PD), BAD_CAP);
    word weak = fresh();
    give(ROOT_PD, ROOT_EC, weak, 0xc);
    expect("recall needs right 0", recall(weak), BAD_CAP);
#else
    expect("operation 0 is gone", hypercall(op(HC_EC_CTRL, 0, ROOT_EC), 0, 0, 0, 0), BAD_PAR);
    expect("operation 1 yields", hypercall(op(HC_EC_CTRL, 1, ROOT_EC), 0, 0, 0, 0), SUCCESS);
#endif
    section = "sc_ctrl 10";
    expect("no SC", hypercall(op(HC_SC_CTRL, 0, ROOT_EC), 0, 0, 0, 0), BAD_CAP);
    struct regs a = patterned(op(HC_SC_CTRL, 0, ROOT_SC), 1, 2, 3, 4), b = a;
    word from = tsc();
    syscall_with(&a);
    /* The machine's time goes on while its host is busy with others, so there is no telling how much of it this takes. */
    struct regs c = b;
    do {
        b = c;
        syscall_with(&b);
    } while (b.rdx - a.rdx < 3000 && tsc() - from < hip32(HIP_TSC) * 5000ul);
    word elapsed = (tsc() - from) * 1000 / hip32(HIP_TSC);
    check("status and registers", a.rdi == SUCCESS && conventional(&a) && a.rax == 3 && a.r8 == 4);
    expect("RSI is the upper half of RDX", a.rsi, a.rdx >> 32);
    check("work takes time, in microseconds", b.rdx - a.rdx >= 3000 && b.rdx - a.rdx <= elapsed + 1000);
    section = "pt_ctrl 11";
    expect("no portal", pt_ctrl(ROOT_PD, 1), BAD_CAP);
    word pt = fresh(), call_only = fresh();
    create_pt(pt, ROOT_PD, events.ec, 0, portal_entry);
    give(ROOT_PD, pt, call_only, 2);
    expect("needs right 0", pt_ctrl(call_only, 1), BAD_CAP);
    expect("is allowed otherwise", pt_ctrl(pt, 1), SUCCESS);
#if API == 5004
    section = "assign 13, 14";
    word sm = fresh(), gsi = fresh(), other = fresh();
    create_sm(sm, ROOT_PD, 0, 0);
    expect("assign_pci wants a PD", hypercall(op(HC_ASSIGN_PCI, 0, sm), 0, 0, 0, 0), BAD_CAP);
    expect("assign_pci without an IOMMU", hypercall(op(HC_ASSIGN_PCI, 0, ROOT_PD), 0, 0, 0, 0), BAD_DEV);
    delegate(ROOT_PD, obj(NUM_CPU + 4, 0, 31), ROOT_PD, obj(gsi, 0, 31), META_DELEGATE | META_HYPERVISOR);
    delegate(ROOT_PD, obj(NUM_CPU + 5, 0, 31), ROOT_PD, obj(other, 0, 31), META_DELEGATE | META_HYPERVISOR);
    expect("assign_gsi on another CPU, before the capability", hypercall(op(HC_ASSIGN_GSI, 0, sm), 0, 7, ~0ul, 0), BAD_CPU);
    expect("assign_gsi wants a semaphore of the kernel", hypercall(op(HC_ASSIGN_GSI, 0, sm), 0, 0, ~0ul, 0), BAD_CAP);
    expect("and none of the kernel's to chain", hypercall(op(HC_ASSIGN_GSI, 0, gsi), 0, 0, other, 0), BAD_CAP);
    expect("chaining to itself unchains", hypercall(op(HC_ASSIGN_GSI, 0, gsi), 0, 0, gsi, 0), SUCCESS);
#endif
    section = "machine_ctrl 15";
    expect("operation 2", hypercall(op(HC_MACHINE_CTRL, 2, 0), 0, 0, 0, 0), BAD_PAR);
    expect("microcode of more than 2 MiB", hypercall(op(HC_MACHINE_CTRL, 1, 0x300), 0, 0, 0, 0), BAD_PAR);
}

/* Run in a PD without privileges. */
static word child_status[4];
static struct regs child_regs;
static void child_tries(void) {
    child_status[0] = hypercall(op(HC_PD_CTRL, PD_MSR_ACCESS, 0x10), 0, 0, 0, 0);
    child_status[1] = hypercall(op(HC_MACHINE_CTRL, 0, 0), 0, 0, 0, 0);
    child_regs = patterned(op(HC_PD_CTRL, PD_DELEGATE, 32), 32, pio(0x80, 0), META_DELEGATE | META_HYPERVISOR, pio(0x80, 0));
    syscall_with(&child_regs);
    child_status[2] = lookup(pio(0x80, 0));
    child_status[3] = lookup(obj(32, 0, 0));
    thread_end();
}
static void suite_unprivileged(void) {
    section = "unprivileged PD";
    word pd = child_pd(0);
    struct thread t = thread_in(pd, child_tries, 0);
    expect("a thread in another PD", start(t, 2, QUANTUM), SUCCESS);
    expect("may not access MSRs", child_status[0], BAD_CAP);
    expect("may not control the machine", child_status[1], BAD_CAP);
    check("its hypervisor flag is ignored silently", child_regs.rdi == SUCCESS && child_status[2] == 0);
    expect("the flag is returned", child_regs.rax, META_DELEGATE | META_HYPERVISOR);
    expect("a PD has the rights of its parent's capability", child_status[3], obj(32, 0, 1));
}
