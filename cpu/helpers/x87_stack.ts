/** What all x87 helpers share: register stack, tags, status word, operands in memory, exceptions. */
import type { Ram } from "../api.ts";
import type { Insn, MemOperand } from "../insn.ts";
import { FLAG_C, FLAG_P, FLAG_Z, ST, STATE, VEC, X87_CW, X87_FDP, X87_FIP, X87_FOP, X87_SW, X87_TAG } from "../layout.ts";
import type { HelperContext } from "./api.ts";
import { BUSY, C0, C1, C2, C3, ES, type Float80, IE, OE, PE, SF, UE } from "./float80.ts";

/** Indices in the 16- and 8-bit views of RAM. */
export const CW16 = (STATE + X87_CW) >> 1, SW16 = (STATE + X87_SW) >> 1, TAG8 = STATE + X87_TAG;
/** Indices of lazily kept flags in the 32-bit view (the zero flag has two words). */
export const FLAG_C32 = (STATE + FLAG_C) >> 2, FLAG_P32 = (STATE + FLAG_P) >> 2, FLAG_Z32 = (STATE + FLAG_Z) >> 2;
const REGISTERS32 = (STATE + ST) >> 2, FIP32 = (STATE + X87_FIP) >> 2, FDP32 = (STATE + X87_FDP) >> 2;
const FOP16 = (STATE + X87_FOP) >> 1;
const TOP_SHIFT = 11; // status word bits 11..13

/** Starts a waiting instruction: a pending unmasked exception is raised now (SDM vol. 1, 8.7). */
export function enter(c: HelperContext): Float80 {
  if (c.ram.u16[SW16] & ES) c.raise(VEC.MF, 0);
  const f = c.float80;
  f.begin(c.ram.u16[CW16]);
  return f;
}

/** Number of the physical register behind ST(n). */
export const physical = (ram: Ram, n: number): number => ((ram.u16[SW16] >> TOP_SHIFT) + n) & 7;
/** Index of ST(n)'s low word in the 32-bit view; the exponent is the low half of the third word. */
export const slot = (ram: Ram, n: number): number => REGISTERS32 + 4 * physical(ram, n);
export const isEmpty = (ram: Ram, n: number): boolean => (ram.u8[TAG8] >> physical(ram, n) & 1) === 0;

/** Puts the unit's result into ST(n) and marks it full. */
export function writeSt(ram: Ram, n: number, f: Float80): void {
  const at = slot(ram, n);
  ram.i32[at] = f.lo;
  ram.i32[at + 1] = f.hi;
  ram.i32[at + 2] = f.se;
  ram.u8[TAG8] |= 1 << physical(ram, n);
}

/** TOP += 1 or -1. */
export function moveTop(ram: Ram, by: number): void {
  const sw = ram.u16[SW16];
  ram.u16[SW16] = (sw & ~(7 << TOP_SHIFT)) | (((sw >> TOP_SHIFT) + by & 7) << TOP_SHIFT);
}

export function pop(ram: Ram): void {
  ram.u8[TAG8] &= ~(1 << physical(ram, 0));
  moveTop(ram, 1);
}

/** Stack underflow (an empty register is read): invalid, with the default NaN as result. */
export function stackUnderflow(f: Float80): void {
  f.invalid();
  f.flags = IE | SF;
}

/**
 * Merges the operation's flags into the status word and notes the instruction. `codes`: condition bits the instruction defines.
 * False when an unmasked invalid, denormal or zero-divide exception forbids to store the result and to pop.
 */
export function finish(c: HelperContext, i: Insn, f: Float80, codes = C1): boolean {
  const ram = c.ram;
  note(ram, i);
  let flags = f.flags;
  const unmasked = flags & ~f.masks & 0x3f;
  if (unmasked === 0) {
    ram.u16[SW16] = (ram.u16[SW16] & ~codes) | flags;
    return true;
  }
  const stop = f.stops();
  // Found before the computation: nothing of its rounding shows.
  if (stop) flags &= flags & SF ? ~(OE | UE | PE) : ~(OE | UE | PE | C1);
  ram.u16[SW16] = (ram.u16[SW16] & ~codes) | flags | ES | BUSY;
  lastOpcode(c);
  return !stop;
}

/** In X87_FOP: the opcode is that of the instruction at X87_FIP (nobody needs it before an exception or FNSTENV). */
export const OPCODE_AT_FIP = 0xffff;

/** Remembers the instruction pointer. */
export function note(ram: Ram, i: Insn): void {
  ram.u32[FIP32] = i.pc;
  ram.u32[FIP32 + 1] = i.pc / 0x1_0000_0000;
  ram.u16[FOP16] = OPCODE_AT_FIP;
}

export function noteData(ram: Ram, va: number): void {
  ram.u32[FDP32] = va;
  ram.u32[FDP32 + 1] = Math.floor(va / 0x1_0000_0000);
}

/** The last 11-bit opcode (SDM vol. 1, 8.1.9), read from the code when it is not known yet; 0 when the code is gone. */
export function lastOpcode(c: HelperContext): number {
  const ram = c.ram;
  if (ram.u16[FOP16] === OPCODE_AT_FIP) {
    const pc = ram.u32[FIP32] + ram.u32[FIP32 + 1] * 0x1_0000_0000;
    const code = (n: number): number => c.run(pc + n, 1, false) === 0 ? 0 : c.load8(pc + n);
    let n = 0;
    while (n < 14 && (code(n) & 0xf8) !== 0xd8) n++;
    ram.u16[FOP16] = n === 14 ? 0 : ((code(n) & 7) << 8) | code(n + 1);
  }
  return ram.u16[FOP16];
}

// ---- operands

/** The register operand that is not implied: the last ST(i). */
export function stOperand(i: Insn, n: number): number {
  const op = i.ops[n];
  return op.kind === "st" ? op.n : 0;
}

export function memOperand(i: Insn): MemOperand {
  const op = i.ops[0];
  if (op.kind !== "mem") throw new Error(`Cannot use operand of ${i.name}: not memory`);
  return op;
}

export const isMemory = (i: Insn): boolean => i.ops.length > 0 && i.ops[0].kind === "mem";

/** Loads 8 bytes into `f.lo`, `f.hi`. */
export function load64(c: HelperContext, va: number, f: Float80): void {
  f.lo = c.load32(va) | 0;
  f.hi = c.load32(va + 4) | 0;
}

/** Loads 10 bytes into the unit. */
export function load80(c: HelperContext, va: number, f: Float80): void {
  f.lo = c.load32(va) | 0;
  f.hi = c.load32(va + 4) | 0;
  f.se = c.load16(va + 8);
}

/** Stores the unit's `lo`, `hi`, `se`: the first 2, 4, 8 or 10 bytes of them. */
export function storeUnit(c: HelperContext, va: number, bytes: number, f: Float80): void {
  f.view.setInt32(0, f.lo, true);
  f.view.setInt32(4, f.hi, true);
  f.view.setUint16(8, f.se, true);
  c.storeBytes(va, f.prefix(bytes));
}

/** Condition bits of a comparison's outcome (-1, 0, 1, or 2 for unordered). */
export const comparisonBits = (order: number): number => order === 2 ? C0 | C2 | C3 : order < 0 ? C0 : order === 0 ? C3 : 0;
