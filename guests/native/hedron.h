/*
 * The Hedron interface for roottasks and servers in C, written from the interface description (docs/kernel.md names it). API selects the
 * version: 5004 (thesis fork) or 13002 (13.2). Numbers in comments are sections of that description.
 */
#ifndef HEDRON_H
#define HEDRON_H
#include <stddef.h>
#include <stdint.h>

#ifndef API
#define API 5004
#endif

typedef uint64_t word;

enum { PAGE_SIZE = 4096 };
#define USER_ADDR 0x7ffffffff000ul

/* Hypercalls (6.3) and statuses (6.2). */
enum {
    HC_CALL, HC_REPLY, HC_CREATE_PD, HC_CREATE_EC, HC_CREATE_SC, HC_CREATE_PT, HC_CREATE_SM, HC_REVOKE, HC_PD_CTRL, HC_EC_CTRL,
    HC_SC_CTRL, HC_PT_CTRL, HC_SM_CTRL, HC_ASSIGN_PCI, HC_ASSIGN_GSI, HC_MACHINE_CTRL, HC_CREATE_KP, HC_KP_CTRL, HC_UNUSED_18,
    HC_CREATE_VCPU, HC_VCPU_CTRL,
};
enum { SUCCESS, COM_TIM, COM_ABT, BAD_HYP, BAD_CAP, BAD_PAR, BAD_FTR, BAD_CPU, BAD_DEV, OOM, BUSY };

/* Flags in RDI[11:8]. */
enum { CALL_NONBLOCKING = 1, EC_GLOBAL = 1, EC_VCPU = 2, EC_UTCB_IN_CALLER = 8, REVOKE_SELF = 1, REVOKE_REMOTE = 2 };
enum { PD_LOOKUP, PD_MAP_ACCESS_PAGE, PD_DELEGATE, PD_MSR_ACCESS };
enum { SM_UP = 0, SM_DOWN = 1, SM_ZERO = 2 };

/* The root PD (2.2, 2.3). */
enum { ROOT_PD = 32, ROOT_EC = 33, ROOT_SC = 34 };
#define ROOT_HIP (USER_ADDR - PAGE_SIZE)
#define ROOT_UTCB (USER_ADDR - 2 * PAGE_SIZE)

/* Capability range descriptors (5.2). */
enum { KIND_NULL, KIND_MEM, KIND_PIO, KIND_OBJ };
static inline word crd(unsigned kind, word base, unsigned order, unsigned rights) {
    return kind | rights << 2 | order << 7 | base << 12;
}
static inline word obj(word sel, unsigned order, unsigned rights) { return crd(KIND_OBJ, sel, order, rights); }
static inline word mem(word address, unsigned order, unsigned rights) { return crd(KIND_MEM, address / PAGE_SIZE, order, rights); }
static inline word pio(word port, unsigned order) { return crd(KIND_PIO, port, order, 1); }
#define ALL_OBJ crd(KIND_OBJ, 0, 31, 31)
enum { R = 1, W = 2, X = 4 };

/* Meta word of typed items and of delegate (5.3). */
enum { META_TRANSLATE = 0, META_DELEGATE = 1, META_EITHER = 2, META_INVALID = 3, META_HYPERVISOR = 1 << 11 };

/* Message transfer descriptor (7.3). */
enum {
    MTD_ACDB = 1 << 0, MTD_BSD = 1 << 1, MTD_RSP = 1 << 2, MTD_RIP = 1 << 3, MTD_RFLAGS = 1 << 4, MTD_FS_GS = 1 << 6, MTD_QUAL = 1 << 15,
    MTD_R8_R15 = 1 << 22, MTD_DEFAULT = 0xffffff,
};
enum { EVENT_STARTUP = 30, EVENT_RECALL = 31 };

/* UTCB (4). */
struct segment { uint16_t sel, ar; uint32_t limit; word base; };
struct state {
    word mtd, inst_len, rip, rflags;
    uint32_t intr_state, actv_state, intr_info, intr_error, vect_info, vect_error;
    word rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, qual[2];
    uint32_t ctrl[2];
    word xcr0, cr0, cr2, cr3, cr4, pdpte[4], cr8, efer, pat, star, lstar, fmask, kernel_gs, dr7, sysenter[3];
    struct segment es, cs, ss, ds, fs, gs, ldtr, tr, gdtr, idtr;
    word tsc_val, tsc_off;
    uint32_t tsc_aux, exc_bitmap, tpr_threshold, pad;
    word eoi_bitmap[4], vintr_status, cr0_mon, cr4_mon, spec_ctrl, tsc_timeout;
};
struct item { word crd, meta; };
struct utcb {
#if API == 5004
    uint32_t syscall_flags; /* bit 0: native system call toggle */
    union {
        uint32_t items;
        struct { uint16_t untyped, typed; };
    };
#else
    union {
        word items;
        struct { uint16_t untyped, typed; };
    };
#endif
    word xlt, del, tls;
    union {
        word data[508];
        struct state state;
        struct item item[254]; /* typed item i is item[253 - i] */
    };
};
#define STATE_WORDS (API == 5004 ? 79 : 80)
#define AT(field, offset) _Static_assert(offsetof(struct utcb, field) == (offset), #field)
AT(state.mtd, 0x20); AT(state.rip, 0x30); AT(state.rax, 0x58); AT(state.rsp, 0x78); AT(state.r8, 0x98); AT(state.qual, 0xd8); AT(state.xcr0, 0xf0);
AT(state.cr8, 0x138); AT(state.dr7, 0x170); AT(state.es, 0x190); AT(state.fs.base, 0x1d8); AT(state.gs.base, 0x1e8); AT(state.tsc_val, 0x230);
AT(state.eoi_bitmap, 0x250); AT(state.tsc_timeout, 0x290); AT(item[253], 0xff0);
_Static_assert(sizeof(struct utcb) == PAGE_SIZE, "a UTCB is one page");

/* All registers of a system call, as they go in and as they come back. */
struct regs {
    word rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, rflags;
};
/* start.S: executes `syscall` with exactly these registers (but RSP, RCX and R11). */
void syscall_with(struct regs *regs);
/* start.S: the address after that `syscall`; the registers at the roottask's entry. */
extern const char syscall_return[];
extern word entry_registers[16], entry_rflags, entry_cs, entry_ss;
extern char image_end[];
/* start.S: portal entry that calls portal_dispatch(id) and replies with the stack it was entered with. */
void portal_entry(void);

static inline word op(unsigned number, unsigned flags, word sel) { return number | flags << 8 | sel << 12; }

static inline word hypercall(word rdi, word rsi, word rdx, word rax, word r8_value) {
    register word r8 __asm__("r8") = r8_value;
    __asm__ volatile("syscall" : "+D"(rdi), "+S"(rsi), "+d"(rdx), "+a"(rax), "+r"(r8) : : "rcx", "r11", "memory", "cc");
    return rdi & 0xff;
}

static inline word create_pd(word sel, word parent, word first, word foreign) { return hypercall(op(HC_CREATE_PD, 0, sel), parent, first, foreign, 0); }
static inline word create_ec(word sel, unsigned flags, word pd, word utcb, word stack, word event_base) {
    return hypercall(op(HC_CREATE_EC, flags, sel), pd, utcb, stack, event_base);
}
static inline word create_sc(word sel, word pd, word ec, unsigned priority, word quantum_us) {
    return hypercall(op(HC_CREATE_SC, 0, sel), pd, ec, priority | quantum_us << 12, 0);
}
static inline word create_pt(word sel, word pd, word ec, word mtd, void (*entry)(void)) {
    return hypercall(op(HC_CREATE_PT, 0, sel), pd, ec, mtd, (word)entry);
}
static inline word create_sm(word sel, word pd, word count, word signal) { return hypercall(op(HC_CREATE_SM, 0, sel), pd, count, signal, 0); }
static inline word revoke(word range, unsigned flags, word pd, word sm) { return hypercall(op(HC_REVOKE, flags, sm), range, pd, 0, 0); }
static inline word delegate(word from, word range, word to, word window, word meta) {
    return hypercall(op(HC_PD_CTRL, PD_DELEGATE, from), to, range, meta, window);
}
static inline word lookup(word range) {
    word rdi = op(HC_PD_CTRL, PD_LOOKUP, 0), rsi = range;
    __asm__ volatile("syscall" : "+D"(rdi), "+S"(rsi) : : "rcx", "r11", "memory", "cc");
    return rsi;
}
static inline word recall(word ec) { return hypercall(op(HC_EC_CTRL, 0, ec), 0, 0, 0, 0); }
static inline word pt_ctrl(word pt, word id) { return hypercall(op(HC_PT_CTRL, 0, pt), id, 0, 0, 0); }
static inline word sm_up(word sm) { return hypercall(op(HC_SM_CTRL, SM_UP, sm), 0, 0, 0, 0); }
static inline word sm_down(word sm, unsigned flags, word deadline) {
    return hypercall(op(HC_SM_CTRL, SM_DOWN | flags, sm), deadline >> 32, deadline & 0xffffffff, 0, 0);
}
static inline word call(word pt) { return hypercall(op(HC_CALL, 0, pt), 0, 0, 0, 0); }
__attribute__((noreturn)) static inline void reply(void) {
    __asm__ volatile("syscall\n ud2" : : "D"((word)HC_REPLY) : "rcx", "r11", "memory");
    __builtin_unreachable();
}

static inline word tsc(void) {
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (word)hi << 32;
}

/* The HIP (3). Offsets differ between versions; what both have is read through these. */
static inline uint32_t hip32(unsigned offset) { return *(volatile uint32_t *)(ROOT_HIP + offset); }
static inline uint16_t hip16(unsigned offset) { return *(volatile uint16_t *)(ROOT_HIP + offset); }
struct mem_desc { word address, size; uint32_t type, aux; };
#if API == 5004
enum { HIP_API = 0x18, HIP_CPU = 0x90, HIP_CPU_SIZE = 48, HIP_MEM = 0xd20, HIP_TSC = 0x34, NUM_CPU = 64 };
static inline uint16_t serial_port(void) {
    uint16_t port = hip16(0x88);
    return port ? port : 0x3f8;
}
#else
enum { HIP_API = 0x14, HIP_CPU = 0x70, HIP_CPU_SIZE = 8, HIP_MEM = 0x470, HIP_TSC = 0x2c, NUM_CPU = 128 };
static inline uint16_t serial_port(void) { return 0x3f8; }
#endif
static inline const volatile struct mem_desc *mem_descs(void) { return (const volatile struct mem_desc *)(ROOT_HIP + HIP_MEM); }
static inline unsigned mem_desc_count(void) { return (hip16(0x06) - HIP_MEM) / (unsigned)sizeof(struct mem_desc); }

#endif
