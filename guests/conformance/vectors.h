/* Which instruction raises which vector from ring 3 (7.4), and what user code may do (2.6). */

/* A fault with a stack pointer that is no use: comes back with the old one. */
static void stack_trap(void) {
    last.vector = NO_EVENT;
    __asm__ volatile("movq $1f, resume_at\n mov %%rsp, %%rdx\n movabs $0x8000000000000000, %%rsp\n push %%rax\n 1: mov %%rdx, %%rsp"
                     : : : "rdx", "memory");
    resume_at = 0;
}
static const uint32_t all_unmasked = 0x1f80 & ~0x200u; /* MXCSR: division by zero unmasked */
static word misaligned[3];

static void suite_vectors(void) {
    section = "vectors 7.4";
    TRAP("mov $0x80000000, %%eax\n mov $-1, %%edx\n mov %%edx, %%ecx", "idiv %%ecx");
    expect("IDIV that overflows: #DE", last.vector, 0);
    TRAP("", ".byte 0xf1");
    expect("INT1: #DB", last.vector, 1);
    expect("a trap: RIP is behind it", last.state.rip, fault_at + 1);
    TRAP("", ".byte 0xce");
    expect("INTO is no 64-bit instruction: #UD", last.vector, 6);
    TRAP("", ".byte 0x62, 0x00");
    expect("nor is BOUND: #UD", last.vector, 6);
    TRAP("", "int $5");
    expect("INT 5 is not for ring 3: #GP", last.vector, 13);
    expect("INT 5's error code", last.state.qual[0], 5 * 8 + 2);
    TRAP("", "int $1");
    expect("INT 1 neither", last.state.qual[0], 1 * 8 + 2);
    TRAP("", "int $14");
    expect("INT 14 neither", last.state.qual[0], 14 * 8 + 2);
    TRAP("", ".byte 0xf0, 0x90");
    expect("LOCK NOP: #UD", last.vector, 6);
    stack_trap();
    expect("a non-canonical stack: #SS", last.vector, 12);
    expect("with error code 0", last.state.qual[0], 0);
    TRAP("fninit\n pushq $0x37b\n fldcw (%%rsp)\n pop %%rax\n fld1\n fldz\n fdivrp", "fwait");
    expect("an unmasked x87 division by zero: #MF at the next x87 instruction", last.vector, 16);
    expect("whose address is RIP", last.state.rip, fault_at);
    __asm__ volatile("fninit");
    __asm__ volatile("ldmxcsr %0" : : "m"(all_unmasked));
    TRAP("mov $0x3f800000, %%eax\n movd %%eax, %%xmm0\n pxor %%xmm1, %%xmm1", "divss %%xmm1, %%xmm0");
    expect("an unmasked SSE division by zero: #XM", last.vector, 19);
    expect("at the instruction", last.state.rip, fault_at);
    __asm__ volatile("ldmxcsr %0" : : "m"((const uint32_t){0x1f80}));
    TRAP("mov $misaligned + 1, %%eax", "movaps (%%rax), %%xmm0");
    expect("MOVAPS of an odd address: #GP", last.vector, 13);
    TRAP("pushfq\n orl $0x40000, (%%rsp)\n popfq\n mov $misaligned + 1, %%eax", "mov (%%rax), %%rcx");
    __asm__ volatile("pushfq\n andl $~0x40000, (%%rsp)\n popfq" : : : "memory", "cc");
    expect("AC does nothing, as CR0.AM is clear", last.vector, NO_EVENT);
    misaligned[0]++;

    section = "ring 3 2.6";
    TRAP("", "cli");
    expect("CLI: #GP", last.vector, 13);
    TRAP("xor %%ecx, %%ecx", "rdpmc");
    expect("RDPMC: #GP", last.vector, 13);
    TRAP("", "mov %%cr0, %%rax");
    expect("CR0: #GP", last.vector, 13);
    TRAP("mov $0x10, %%ecx", "rdmsr");
    expect("RDMSR: #GP", last.vector, 13);
    TRAP("", "lgdt misaligned");
    expect("LGDT: #GP", last.vector, 13);
    TRAP("", "swapgs");
    expect("SWAPGS: #GP", last.vector, 13);
    TRAP("", "sysretq");
    expect("SYSRET: #GP", last.vector, 13);
    TRAP("", "rdtsc");
    expect("RDTSC is allowed", last.vector, NO_EVENT);
    TRAP("", "rdtscp");
    expect("RDTSCP is allowed", last.vector, NO_EVENT);
    TRAP("xor %%eax, %%eax\n xor %%ecx, %%ecx\n push %%rbx", "cpuid\n pop %%rbx");
    expect("CPUID is allowed", last.vector, NO_EVENT);
    TRAP("xor %%ecx, %%ecx", "xgetbv");
    expect("XGETBV is allowed", last.vector, NO_EVENT);
    TRAP("", "smsw %%ax");
    expect("SMSW is allowed", last.vector, NO_EVENT);

    section = "pages";
    word va = fresh_va(2);
    delegate(ROOT_PD, mem(POOL, 0, R | W), ROOT_PD, mem(va, 0, R | W), META_DELEGATE);
    *(volatile uint8_t *)va = 0xc3;
    TRAP("movabs $0x100000000, %%rax", "nop");
    last.vector = NO_EVENT;
    __asm__ volatile("movq $1f, resume_at\n call *%0\n 1: mov %%rbx, %%rbx" : : "r"(va) : "memory", "rcx", "rdx", "rsi", "rdi", "rax");
    if (last.vector != NO_EVENT) __asm__ volatile("add $8, %%rsp" : : : "memory", "cc");
    expect("without X no code runs: #PF", last.vector, 14);
    expect("error code: user, fetch, present", last.state.qual[0], 0x15);
    expect("CR2 and RIP are the address", last.state.qual[1] == va && last.state.rip == va, 1);
    probe(va + PAGE_SIZE - 1, 0);
    expect("the last byte of a page is in it", last.vector, NO_EVENT);
    last.vector = NO_EVENT;
    __asm__ volatile("movq $1f, resume_at\n mov (%0), %%rax\n 1:" : : "r"(va + PAGE_SIZE - 4) : "rax", "memory");
    resume_at = 0;
    expect("an access that runs into a hole names the hole", last.state.qual[1], va + PAGE_SIZE);
}
