/**
 * Linear layout of the machine's one `WebAssembly.Memory`.
 *
 * A physical address *is* a byte offset in that memory. The first `USER_RAM`
 * bytes belong to the CPU and the kernel ("kernel memory" in the HIP) and can
 * never be mapped by a guest; they are sparse, so unused parts cost nothing.
 *
 * ```
 * 0x0000_0000  null guard page (never used)
 * 0x0000_1000  current CPU state (STATE, one STATE_BYTES block)
 * 0x0000_2000  CPU control words (CTL)
 * 0x0000_3000  scratch buffers
 * 0x0000_4000  bounds of extents that change
 * 0x0001_0000  software TLB
 * 0x0002_0000  list of filled entries of its first level
 * 0x0010_0000  jump cache (guest PC -> compiled region)
 * 0x0020_0000  decoded instruction records of the interpreter
 * 0x04bf_0000  extents of spaces that share regions
 * 0x0500_0000  first level of the software TLB (quick_tlb.ts)
 * 0x0600_0000  kernel memory: saved CPU states and UTCB pages
 * 0x0b00_0000  RAM that guests can be given (USER_RAM)
 * ```
 */
export const PAGE = 4096;
export const PAGE_SHIFT = 12;
/** Bytes from an address to the end of its page; also for negative addresses, those of the upper half. */
export const leftInPage = (va: number): number => PAGE - (va & (PAGE - 1));

/** Address of the state block that `Cpu.run` works on. A constant, so that translated code can bake it in. */
export const STATE = 0x1000;
export const CTL = 0x2000;
export const SCRATCH = 0x3000;
/** Bounds of fluid extents (cpu/translate/extents.ts). */
export const EXTENT_CELLS = 0x4000;
export const EXTENT_CELLS_END = 0x1_0000;
export const TLB = 0x1_0000;
export const QUICK_LIST = 0x2_0000;
export const JUMP_CACHE = 0x10_0000;
export const RECORDS = 0x20_0000;
/** 64 KiB that stand for an extent which a space does not have; tables of extents of the spaces (translate/shared_extents.ts). */
export const EMPTY_EXTENT = 0x4bf_0000;
export const SHARED_TABLES = 0x4c0_0000;
export const SHARED_TABLES_END = 0x500_0000;
/** The end of RECORDS. */
export const RECORDS_END = EMPTY_EXTENT;
/** At most 16 MiB, for 4 GiB of RAM. */
export const QUICK_TLB = 0x500_0000;
export const KERNEL_MEMORY = 0x600_0000;
export const USER_RAM = 0xb00_0000;

/** First address that can never be mapped for user code (Hedron ABI 2.3). */
export const USER_ADDR = 0x7fff_ffff_f000;

// ---- offsets inside a state block -------------------------------------------------------------------------------

/** GPR n (Intel numbering: 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8..15 R8..R15): u64 at 8*n. */
export const GPR = 0x000;
/** u64: address of the next instruction to execute. */
export const RIP = 0x080;
export const FS_BASE = 0x088;
export const GS_BASE = 0x090;

// Arithmetic flags are kept apart so that producers only store and consumers only load (see docs/architecture.md):
/** i64: ZF = (value == 0). */
export const FLAG_Z = 0x098;
/** i64: SF = (value < 0). */
export const FLAG_S = 0x0a0;
/** i32: PF = even parity of the low byte. */
export const FLAG_P = 0x0a8;
/** i32, 0 or 1. */
export const FLAG_C = 0x0ac;
/** i32, 0 or 1. */
export const FLAG_O = 0x0b0;
/** i32, 0 or 1. */
export const FLAG_A = 0x0b4;
/** i32, 0 or 1: direction flag. */
export const FLAG_D = 0x0b8;
/** u32: every other RFLAGS bit (TF, IF, IOPL, NT, RF, AC, ID ...) in its architectural position; bit 1 is always set. */
export const FLAGS_OTHER = 0x0bc;
/** u32: MXCSR; bit 16 is internal, see mxcsr.ts. */
export const MXCSR = 0x0c0;
/** u16 control, u16 status (TOP in bits 11..13), u16 *full* tag word is not kept: u8 abridged tag (1 = valid), as FXSAVE. */
export const X87_CW = 0x0c4;
export const X87_SW = 0x0c6;
export const X87_TAG = 0x0c8;
/** u16 last opcode; u64 last instruction and data pointer. */
export const X87_FOP = 0x0ca;
export const X87_FIP = 0x0d0;
export const X87_FDP = 0x0d8;
/** u32 selectors as user code reads them. */
export const SEG_CS = 0x0e0;
export const SEG_SS = 0x0e4;
export const SEG_DS = 0x0e8;
export const SEG_ES = 0x0ec;
export const SEG_FS = 0x0f0;
export const SEG_GS = 0x0f4;
/** i32: floating-point instructions until MXCSR's flags become unknown (mxcsr.ts); 0 = never. */
export const FP_BUDGET = 0x0f8;
/** i32: 0 = the upper halves of all YMM registers are zero, in memory. Whoever stores anything else there sets it. */
export const YMM_USED = 0x0fc;
/** XMM n: 16 bytes at XMM + 16*n. */
export const XMM = 0x100;
/** Upper half of YMM n: 16 bytes at YMM_HIGH + 16*n. */
export const YMM_HIGH = 0x200;
/** x87/MMX *physical* register n (not ST(n)): 80-bit value in 16 bytes at ST + 16*n; the MMX registers are their low 8 bytes. */
export const ST = 0x300;
/** 16 bytes: an operand that the semantics hand to a JavaScript helper; meaningless otherwise. */
export const HELPER_OPERAND = 0x380;
/**
 * A converted ST(0) on its way to memory, within one instruction: u64 value (or significand), u16 sign and exponent, u16 status word to be.
 */
export const X87_RESULT = 0x380;
export const X87_RESULT_SE = 0x388;
export const X87_RESULT_SW = 0x38a;
/** u32: the field MXCSR as STMXCSR has last stored it, bit 31: and no LDMXCSR since (mxcsr.ts); i32: FP_BUDGET then. */
export const FP_TOLD = 0x390;
export const FP_TOLD_BUDGET = 0x394;
export const STATE_BYTES = 0x400;

// ---- control words (offsets from CTL) ----------------------------------------------------------------------------

/** i32: back-edge polls left before translated code must return to the dispatcher. */
export const CTL_BUDGET = CTL + 0x00;
/** i32: why translated code returned (Exit). */
export const CTL_EXIT = CTL + 0x04;
/** i32: changes when code that may be on the stack must not go on (translate/regions.ts). */
export const CTL_EPOCH = CTL + 0x08;
/** i32: id of the current address space (tags TLB and jump-cache entries). */
export const CTL_SPACE = CTL + 0x0c;
/** Pending exception: i32 vector, u32 error code, u64 address. */
export const CTL_VECTOR = CTL + 0x10;
export const CTL_ERROR = CTL + 0x14;
export const CTL_ADDRESS = CTL + 0x18;
/** i32: where the dispatcher shall note the record of the block at RIP (a field of a record, see interp/record.ts), 0 = nowhere. */
export const CTL_LINK = CTL + 0x20;
/** i64: return address that a suspended region waits for; a RET of the interpreter to it goes to the dispatcher. 0 = none. */
export const CTL_AWAITED = CTL + 0x38;
/** i32: linear address of the current space's table of shared extents. */
export const CTL_CELLS = CTL + 0x40;
/** i32, 0 or 1: a write has killed translated code; whoever runs translated code must leave it and clear this. */
export const CTL_CODE_KILLED = CTL + 0x44;
/** i32: PAUSE instructions left before the program counts as spinning (slice.ts). */
export const CTL_PAUSES = CTL + 0x68;
/** i32: filled entries of the TLB's first level, in QUICK_LIST; mask of an entry's byte offset. */
export const CTL_QUICK_COUNT = CTL + 0x6c;
export const CTL_QUICK_MASK = CTL + 0x70;
/** i64 for each `Exit`: how often a region has come back to the dispatcher so. */
export const CTL_COUNTS = CTL + 0x80;
/** The record of flags (flag_record.ts): two i32, kinds of definitions; i64 operands of the first, i64 result of the second. */
export const CTL_FLAGS = CTL + 0x48;
export const CTL_FLAGS_STEP = CTL + 0x4c;
export const CTL_FLAGS_A = CTL + 0x50;
export const CTL_FLAGS_B = CTL + 0x58;
export const CTL_FLAGS_R = CTL + 0x60;

/** RFLAGS bits, Intel SDM vol. 1, 3.4.3. */
export const CF = 1 << 0, PF = 1 << 2, AF = 1 << 4, ZF = 1 << 6, SF = 1 << 7, TF = 1 << 8, IF = 1 << 9, DF = 1 << 10;
export const OF = 1 << 11, IOPL = 3 << 12, NT = 1 << 14, RF = 1 << 16, AC = 1 << 18, ID = 1 << 21;

/** Exception vectors, Intel SDM vol. 3, 6.3.1. */
export const VEC = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;
