/* Start of the roottask (2), HIP (3), and what the root PD holds. */
static void suite_boot(void) {
    section = "boot 2.4";
    expect("RSP is the HIP's address", entry_registers[4], ROOT_HIP);
    expect("RDI is the boot CPU's number", entry_registers[7], 0);
    expect("RCX is the entry address", entry_registers[1], *(word *)(0x400000 + 0x18));
    expect("R11 is 0x200", entry_registers[11], 0x200);
    word others = 0;
    for (unsigned i = 0; i < 16; i++)
        if (i != 1 && i != 4 && i != 7 && i != 11) others |= entry_registers[i];
    expect("all other registers are zero", others, 0);
    expect("CS", entry_cs, 0x2b);
    expect("SS", entry_ss, 0x23);
    expect("RFLAGS", entry_rflags & ~0x8d5ul, 0x202);
    uint32_t mxcsr;
    uint16_t fcw;
    word fs, gs;
    __asm__ volatile("stmxcsr %0\n fnstcw %1\n rdfsbase %2\n rdgsbase %3" : "=m"(mxcsr), "=m"(fcw), "=r"(fs), "=r"(gs));
    expect("MXCSR", mxcsr, 0x1f80);
    expect("FCW", fcw, 0x37f);
    expect("FS base", fs, 0);
    expect("GS base", gs, 0);

    section = "boot 2.2";
    expect("PD at 32 has right 1", rights_at(ROOT_PD), 1);
    expect("EC at 33 has rights 0xd", rights_at(ROOT_EC), 0xd);
    expect("SC at 34 has right 1", rights_at(ROOT_SC), 1);
    unsigned used = 0;
    for (word s = 0; s < 100; s++) used += s < 32 || s > 34 ? lookup(obj(s, 0, 31)) != 0 : 0;
    expect("every other slot is null", used, 0);
    expect("no ports", lookup(pio(0x80, 0)), 0);
}

static void suite_hip(void) {
    section = "HIP 3";
    expect("signature", hip32(0), 0x41564f4e);
    uint16_t sum = 0, length = hip16(6);
    for (unsigned i = 0; i < length; i += 2) sum = (uint16_t)(sum + hip16(i));
    expect("the words up to length sum to zero", sum, 0);
    expect("cpu_offs", hip16(0x08), HIP_CPU);
    expect("cpu_size", hip16(0x0a), HIP_CPU_SIZE);
    expect("api_ver", hip32(HIP_API), API);
    expect("sel_num", hip32(HIP_API + 4), 1 << 26);
    expect("sel_exc", hip32(HIP_API + 8), 32);
    expect("sel_vmi", hip32(HIP_API + 12), 256);
#if API == 5004
    expect("ioapic_offs", hip16(0x0c), 0xc90);
    expect("ioapic_size", hip16(0x0e), 16);
    expect("mem_offs", hip16(0x10), HIP_MEM);
    expect("mem_size", hip16(0x12), 24);
    expect("sel_gsi", hip32(0x28), 192);
    expect("cfg_page", hip32(0x2c), 4096);
    expect("cfg_utcb", hip32(0x30), 4096);
    expect("serial_port", hip32(0x88), 0x3f8);
#else
    expect("mem_offs", hip16(0x0c), HIP_MEM);
    expect("mem_size", hip16(0x0e), 24);
    expect("cfg_page", hip32(0x24), 4096);
    expect("cfg_utcb", hip32(0x28), 4096);
#endif
    check("freq_tsc is given", hip32(HIP_TSC) > 0);
    expect("CPU 0 is online", hip32(HIP_CPU) & 1, 1);
    unsigned online = 0;
    for (unsigned i = 1; i < NUM_CPU; i++) online += hip32(HIP_CPU + i * HIP_CPU_SIZE) & 1;
    expect("no other CPU is", online, 0);

    unsigned n = mem_desc_count(), known = 0, kernels = 0;
    word free_above = 0, module = 0, modules = 0, covered = 0;
    for (unsigned i = 0; i < n; i++) {
        const volatile struct mem_desc *d = mem_descs() + i;
        known += (d->type >= 1 && d->type <= 5) || d->type >= 0xfffffffe;
        kernels += d->type == 0xffffffff;
        if (d->type == 1 && d->address <= POOL && d->address + d->size > POOL) free_above = d->address + d->size - POOL;
        if (d->type == 0xfffffffe && modules++ == 0) module = i;
    }
    for (unsigned i = 0; i < n; i++) {
        const volatile struct mem_desc *d = mem_descs() + i, *m = mem_descs() + module;
        covered += d->type == 1 && d->address <= m->address && m->address + m->size <= d->address + d->size;
    }
    expect("only known types of memory", known, n);
    expect("one kernel descriptor", kernels, 1);
    expect("which is the last", mem_descs()[n - 1].type, 0xffffffff);
    check("at least one module", modules >= 1);
    expect("modules are page-aligned", mem_descs()[module].address % PAGE_SIZE, 0);
    expect("a module lies in RAM", covered, 1);
    check("modules lie below 1 GiB", mem_descs()[module].address + mem_descs()[module].size <= POOL);
    check("RAM goes on from 1 GiB for 256 MiB", free_above >= 256ul << 20);
    word va = fresh_va(1), text = mem_descs()[module].aux;
    check("a command line is given", text != 0);
    delegate(ROOT_PD, mem(text, 0, R), ROOT_PD, mem(va, 0, R), META_DELEGATE | META_HYPERVISOR);
    const char *line = (const char *)va + text % PAGE_SIZE, *want = "conformance suite";
    int same = 1;
    for (unsigned i = 0; want[i] || line[i]; i++)
        if (want[i] != line[i]) { same = 0; break; }
    check("and it is the roottask's", same);
    delegate(ROOT_PD, mem(mem_descs()[module].address, 0, R), ROOT_PD, mem(va, 0, R), META_DELEGATE | META_HYPERVISOR);
    expect("the module is the file itself", *(uint32_t *)va, 0x464c457f);
    *(volatile uint32_t *)&boot_stack[0] = 0x600df00d;
    word offset = (word)&boot_stack[0] - 0x400000;
    delegate(ROOT_PD, mem(mem_descs()[module].address + offset, 0, R), ROOT_PD, mem(va, 0, R), META_DELEGATE | META_HYPERVISOR);
    expect("whose pages are mapped in place", *(uint32_t *)(va + offset % PAGE_SIZE), 0x600df00d);
}
