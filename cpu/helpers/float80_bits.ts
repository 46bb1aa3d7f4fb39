/** Bits of the x87 control and status words, kinds of 80-bit patterns, and 64-bit shifts in halves. */

/** Exception bits of status and control word (SDM vol. 1, 8.1.3): invalid, denormal, zero divide, overflow, underflow, precision. */
export const IE = 1 << 0, DE = 1 << 1, ZE = 1 << 2, OE = 1 << 3, UE = 1 << 4, PE = 1 << 5;
/** Stack fault, error summary, condition codes and busy bit of the status word. */
export const SF = 1 << 6, ES = 1 << 7, C0 = 1 << 8, C1 = 1 << 9, C2 = 1 << 10, C3 = 1 << 14, BUSY = 1 << 15;

/** Rounding control: control word bits 10..11. */
export const NEAREST = 0, DOWN = 1, UP = 2, ZERO = 3;
/** Precision control: control word bits 8..9. */
export const SINGLE = 0, DOUBLE = 2, EXTENDED = 3;

/** Kinds of 80-bit patterns. Everything from INFINITE on has exponent 7FFFh or is not supported. */
export const FINITE = 0, ZERO_KIND = 1, DENORMAL = 2, INFINITE = 3, QNAN = 4, SNAN = 5, UNSUPPORTED = 6;

export function classify(lo: number, hi: number, se: number): number {
  const e = se & 0x7fff;
  if (e === 0) return (hi | lo) === 0 ? ZERO_KIND : DENORMAL;
  if (hi >= 0) return UNSUPPORTED;
  if (e !== 0x7fff) return FINITE;
  if ((hi << 1 | lo) === 0) return INFINITE;
  return hi & 0x4000_0000 ? QNAN : SNAN;
}

/** -1, 0 or 1 for two 64-bit unsigned values in halves. */
export function compareUnsigned(ahi: number, alo: number, bhi: number, blo: number): number {
  if (ahi !== bhi) return (ahi >>> 0) < (bhi >>> 0) ? -1 : 1;
  return alo === blo ? 0 : (alo >>> 0) < (blo >>> 0) ? -1 : 1;
}

/** Leading zero bits of hi:lo, 0..64. */
export const leadingZeros = (hi: number, lo: number): number => hi !== 0 ? Math.clz32(hi) : 32 + Math.clz32(lo);
/** High and low half of (hi:lo) << n, n 0..63. */
export const shiftLeftHigh = (hi: number, lo: number, n: number): number =>
  n === 0 ? hi : n >= 32 ? lo << (n - 32) : (hi << n) | (lo >>> (32 - n));
export const shiftLeftLow = (lo: number, n: number): number => n >= 32 ? 0 : lo << n;
