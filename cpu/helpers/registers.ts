/** Register access of JavaScript helpers: the state block at STATE, without BigInt. */
import type { Ram } from "../api.ts";
import { FLAG_A, FLAG_C, FLAG_O, FLAG_P, FLAG_S, FLAG_Z, FS_BASE, GPR, GS_BASE, STATE } from "../layout.ts";

export const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
const TWO32 = 0x1_0000_0000;

/** Index of the low half of GPR `n` in `ram.u32`. */
const word = (n: number): number => (STATE + GPR + 8 * n) >> 2;

export const low = (ram: Ram, n: number): number => ram.u32[word(n)];
export const high = (ram: Ram, n: number): number => ram.u32[word(n) + 1];

/** GPR `n` as an unsigned number; values of 2^53 and above are rounded. */
export const unsigned = (ram: Ram, n: number): number => high(ram, n) * TWO32 + low(ram, n);

/** The address in GPR `n`: a signed number, exact if it is canonical. */
export const pointer = (ram: Ram, n: number): number => (high(ram, n) | 0) * TWO32 + low(ram, n);
/** Base of FS or GS, likewise; 0 without a segment. */
export function segmentBase(ram: Ram, seg: "fs" | "gs" | undefined): number {
  if (seg === undefined) return 0;
  const w = (STATE + (seg === "fs" ? FS_BASE : GS_BASE)) >> 2;
  return ram.i32[w + 1] * TWO32 + ram.u32[w];
}

/** Writes a GPR as an instruction of this operand size does: 4 bytes clear the upper half, 1 and 2 keep the rest (1: the low byte). */
export function setRegister(ram: Ram, n: number, size: number, lo: number, hi = 0): void {
  const at = STATE + GPR + 8 * n;
  if (size === 1) ram.u8[at] = lo;
  else if (size === 2) ram.u16[at >> 1] = lo;
  else {
    ram.u32[at >> 2] = lo;
    ram.u32[(at >> 2) + 1] = size === 8 ? hi : 0;
  }
}

/** Adds an integer of magnitude below 2^31 to a GPR, in 64 bits or, with a 67 prefix, in 32 (which clears the upper half). */
export function addToRegister(ram: Ram, n: number, delta: number, addressSize: 4 | 8): void {
  const w = word(n), sum = ram.u32[w] + delta;
  ram.u32[w] = sum;
  if (addressSize === 4) ram.u32[w + 1] = 0;
  else if (sum < 0) ram.u32[w + 1] -= 1;
  else if (sum >= TWO32) ram.u32[w + 1] += 1;
}

export function setField64(ram: Ram, offset: number, value: number): void {
  ram.u32[(STATE + offset) >> 2] = value % TWO32;
  ram.u32[(STATE + offset + 4) >> 2] = Math.floor(value / TWO32);
}

/** Arithmetic flags of the comparison a - b of `size` bytes, given as unsigned halves (high halves are zero below 8 bytes). */
export function setCompareFlags(ram: Ram, size: number, aLo: number, aHi: number, bLo: number, bHi: number): void {
  const { i32 } = ram, at = STATE >> 2;
  const borrow = aLo < bLo ? 1 : 0;
  let rLo = (aLo - bLo) | 0, rHi: number, carry = borrow, top: number, shift = 31;
  if (size === 8) {
    rHi = (aHi - bHi - borrow) | 0;
    carry = aHi < bHi || (aHi === bHi && borrow === 1) ? 1 : 0;
    top = (aHi ^ bHi) & (aHi ^ rHi);
  } else {
    top = (aLo ^ bLo) & (aLo ^ rLo);
    shift = 8 * size - 1;
    rLo = (rLo << (31 - shift)) >> (31 - shift);
    rHi = rLo >> 31;
  }
  i32[at + FLAG_Z / 4] = i32[at + FLAG_S / 4] = rLo;
  i32[at + FLAG_Z / 4 + 1] = i32[at + FLAG_S / 4 + 1] = rHi;
  i32[at + FLAG_P / 4] = rLo;
  i32[at + FLAG_C / 4] = carry;
  i32[at + FLAG_O / 4] = (top >>> shift) & 1;
  i32[at + FLAG_A / 4] = ((aLo ^ bLo ^ rLo) >> 4) & 1;
}
