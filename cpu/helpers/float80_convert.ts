/** Conversions between the 80-bit format and 32/64-bit floating point, integers and packed decimals. */
import {
  C1,
  classify,
  DE,
  DENORMAL,
  type Float80,
  IE,
  leadingZeros,
  NEAREST,
  OE,
  PE,
  QNAN,
  shiftLeftHigh,
  shiftLeftLow,
  SNAN,
  UE,
  UNSUPPORTED,
  ZERO,
  ZERO_KIND,
} from "./float80.ts";

const MIN_INT = -0x8000_0000;

/** Widens a 32-bit pattern. */
export function fromFloat32(f: Float80, bits: number): void {
  const sign = (bits >>> 16) & 0x8000, e = (bits >>> 23) & 0xff, fraction = bits & 0x7f_ffff;
  if (e === 0xff) {
    if (fraction !== 0 && (fraction & 0x40_0000) === 0) f.flags |= IE;
    f.set(0, MIN_INT | (fraction << 8) | (fraction !== 0 ? 0x4000_0000 : 0), sign | 0x7fff);
  } else if (e !== 0) f.set(0, MIN_INT | (fraction << 8), sign | (e + 16256));
  else if (fraction === 0) f.set(0, 0, sign);
  else {
    f.flags |= DE;
    const n = Math.clz32(fraction);
    f.set(0, fraction << n, sign | (16265 - n));
  }
}

/** Widens a 64-bit pattern. */
export function fromFloat64(f: Float80, lo: number, hi: number): void {
  const sign = (hi >>> 16) & 0x8000, e = (hi >>> 20) & 0x7ff, fraction = hi & 0xf_ffff;
  const h = (fraction << 11) | (lo >>> 21), l = lo << 11;
  if (e !== 0 && e !== 0x7ff) {
    f.lo = l;
    f.hi = MIN_INT | h;
    f.se = sign | (e + 15360);
  } else if (e === 0x7ff) {
    const nan = (fraction | lo) !== 0;
    if (nan && (fraction & 0x8_0000) === 0) f.flags |= IE;
    f.set(l, MIN_INT | h | (nan ? 0x4000_0000 : 0), sign | 0x7fff);
  } else if ((fraction | lo) === 0) f.set(0, 0, sign);
  else {
    f.flags |= DE;
    const n = leadingZeros(h, l);
    f.set(shiftLeftLow(l, n), shiftLeftHigh(h, l, n), sign | (15361 - n));
  }
}

/** Widens a signed integer given as two halves. Exact. */
export function fromInt64(f: Float80, lo: number, hi: number): void {
  const sign = hi < 0 ? 0x8000 : 0;
  if (sign !== 0) {
    lo = 0 - lo | 0;
    hi = (~hi + (lo === 0 ? 1 : 0)) | 0;
  }
  if ((hi | lo) === 0) return f.set(0, 0, 0);
  const n = leadingZeros(hi, lo);
  f.lo = shiftLeftLow(lo, n);
  f.hi = shiftLeftHigh(hi, lo, n);
  f.se = sign | (16446 - n);
}

/**
 * Rounds to an integer of `bits` (16, 32, 64) bits, the result sign-extended in `f.lo`, `f.hi`; out of range (or a NaN) is invalid and
 * gives the "integer indefinite", the smallest number.
 */
export function toInteger(f: Float80, lo: number, hi: number, se: number, bits: number, truncate: boolean): void {
  const e = (se & 0x7fff) - 16383, sign = se & 0x8000;
  const kind = classify(lo, hi, se);
  if (kind >= QNAN || e >= 64) return integerIndefinite(f, bits);
  if (kind === ZERO_KIND) return f.set(0, 0, 0);
  const before = f.flags, rounding = f.rounding;
  if (truncate) f.rounding = ZERO;
  roundToUnit(f, lo, hi, e, sign);
  f.rounding = rounding;
  lo = f.lo;
  hi = f.hi;
  const limitHi = bits === 64 ? MIN_INT : 0, limitLo = bits === 64 ? 0 : bits === 32 ? MIN_INT : 0x8000;
  // Magnitudes up to 2^(bits-1) - 1, one more for negative numbers. (A carry out of 64 bits cannot happen: e = 63 has no fraction.)
  const over = hi === limitHi ? (lo >>> 0) > (limitLo >>> 0) || (lo === limitLo && sign === 0) : (hi >>> 0) > (limitHi >>> 0);
  if (over) {
    f.flags = before;
    return integerIndefinite(f, bits);
  }
  if (sign !== 0) {
    lo = 0 - lo | 0;
    hi = (~hi + (lo === 0 ? 1 : 0)) | 0;
  }
  f.set(lo, hi, 0);
}

function integerIndefinite(f: Float80, bits: number): void {
  f.flags |= IE;
  if (bits === 64) f.set(0, MIN_INT, 0);
  else f.set(bits === 32 ? MIN_INT : -0x8000, -1, 0);
}

/**
 * The magnitude of a number with unbiased exponent `e` < 64, rounded to an integer, as an unsigned 64-bit value in `f.hi`, `f.lo`; sets
 * PE and C1. (All ones can wrap to 0 only for e = 63, which has no fraction.)
 */
function roundToUnit(f: Float80, lo: number, hi: number, e: number, sign: number): void {
  let n = 63 - e, x = 0;
  if (n >= 96) {
    x = (hi | lo) !== 0 ? 1 : 0;
    lo = hi = 0;
  } else {
    while (n > 0) {
      const step = n > 31 ? 31 : n;
      x = (x >>> step) | (lo << (32 - step)) | ((x << (32 - step)) !== 0 ? 1 : 0);
      lo = (lo >>> step) | (hi << (32 - step));
      hi >>>= step;
      n -= step;
    }
  }
  if (x !== 0) {
    f.flags |= PE;
    if (f.rounding === NEAREST ? x < 0 && ((x << 1) !== 0 || (lo & 1) !== 0) : f.awayFromZero(sign)) {
      f.flags |= C1;
      lo = (lo + 1) | 0;
      if (lo === 0) hi = (hi + 1) | 0;
    }
  }
  f.lo = lo;
  f.hi = hi;
}

/** FRNDINT. */
export function roundToInteger(f: Float80, lo: number, hi: number, se: number): void {
  if (f.nanOperand(lo, hi, se)) return;
  const e = (se & 0x7fff) - 16383, sign = se & 0x8000;
  if (e >= 63 || (hi | lo) === 0) return f.set(lo, hi, se);
  roundToUnit(f, lo, hi, e, sign);
  const n = leadingZeros(f.hi, f.lo);
  if (n === 64) return f.set(0, 0, sign);
  f.set(shiftLeftLow(f.lo, n), shiftLeftHigh(f.hi, f.lo, n), sign | (16446 - n));
}

/** Narrows to a 64-bit pattern in `f.lo`, `f.hi`. Unmasked overflow and underflow leave them meaningless (nothing is stored then). */
export function toFloat64(f: Float80, lo: number, hi: number, se: number): void {
  const e = (se & 0x7fff) - 15360;
  if (hi < 0 && e > 0 && e < 0x7fe && ((lo & 0x7ff) === 0 || f.rounding === NEAREST)) {
    // Normal numbers: the fraction moves down by 11 bits.
    let l = (lo >>> 11) | (hi << 21), h = (hi >>> 11) & 0xf_ffff | (e << 20);
    const rest = lo & 0x7ff;
    if (rest !== 0) {
      f.flags |= PE;
      if (rest > 0x400 || (rest === 0x400 && (l & 1) !== 0)) {
        f.flags |= C1;
        l = (l + 1) | 0;
        if (l === 0) h++;
      }
    }
    f.lo = l;
    f.hi = h | ((se & 0x8000) << 16);
    return;
  }
  narrow(f, lo, hi, se, 53, 11);
}

/** Narrows to a 32-bit pattern in `f.lo`. */
export function toFloat32(f: Float80, lo: number, hi: number, se: number): void {
  narrow(f, lo, hi, se, 24, 8);
}

/** The general case: `precision` significand bits, `width` exponent bits. Result in `f.lo` (and `f.hi` for 64 bits). */
function narrow(f: Float80, lo: number, hi: number, se: number, precision: number, width: number): void {
  const sign = se & 0x8000, top = (1 << width) - 1;
  const kind = classify(lo, hi, se);
  if (kind === UNSUPPORTED) {
    f.flags |= IE;
    return pack(f, 0x8000, top, 0xc000_0000 | 0, 0, precision);
  }
  if (kind >= QNAN) {
    if (kind === SNAN) f.flags |= IE;
    return pack(f, sign, top, hi | 0x4000_0000, lo, precision);
  }
  if ((se & 0x7fff) === 0x7fff) return pack(f, sign, top, MIN_INT, 0, precision);
  if (kind === ZERO_KIND) return pack(f, sign, 0, 0, 0, precision);
  let e = (se & 0x7fff) + (kind === DENORMAL ? 1 : 0) - 16383 + (top >> 1);
  const n = leadingZeros(hi, lo);
  hi = shiftLeftHigh(hi, lo, n);
  lo = shiftLeftLow(lo, n);
  e -= n;
  const flags = f.flags;
  let inexact = roundAt(f, hi, lo, 0, precision, sign);
  const carried = f.hi === 0 ? e + 1 : e;
  if (carried >= top) {
    f.flags |= OE;
    if ((f.masks & OE) === 0) {
      if (inexact) f.flags |= PE;
      return;
    }
    f.flags |= PE;
    if (f.rounding === NEAREST || f.awayFromZero(sign)) {
      f.flags |= C1;
      return pack(f, sign, top, MIN_INT, 0, precision);
    }
    f.flags &= ~C1;
    return pack(f, sign, top - 1, -1, -1, precision);
  }
  if (carried <= 0 && (f.masks & UE) === 0) {
    f.flags |= UE | (inexact ? PE : 0);
    return;
  }
  if (e > 0) {
    if (inexact) f.flags |= PE;
    return pack(f, sign, carried, f.hi === 0 ? MIN_INT : f.hi, f.lo, precision);
  }
  f.flags = flags;
  let x = 0;
  for (let k = Math.min(1 - e, 95); k > 0;) {
    const step = k > 31 ? 31 : k;
    x = (x >>> step) | (lo << (32 - step)) | ((x << (32 - step)) !== 0 ? 1 : 0);
    lo = (lo >>> step) | (hi << (32 - step));
    hi >>>= step;
    k -= step;
  }
  inexact = roundAt(f, hi, lo, x, precision, sign);
  if (inexact) f.flags |= carried <= 0 ? UE | PE : PE;
  pack(f, sign, f.hi < 0 ? 1 : 0, f.hi, f.lo, precision);
}

/** Rounds hi:lo:x to its top `precision` (24 or 53) bits into `f.hi`, `f.lo`; a carry leaves zero. Sets C1; returns inexactness. */
function roundAt(f: Float80, hi: number, lo: number, x: number, precision: number, sign: number): boolean {
  const single = precision === 24;
  const rest = single ? hi << 24 : lo << 21, sticky = single ? (lo | x) !== 0 : x !== 0;
  const odd = single ? (hi & 0x100) !== 0 : (lo & 0x800) !== 0;
  f.hi = single ? hi & ~0xff : hi;
  f.lo = single ? 0 : lo & ~0x7ff;
  if (rest === 0 && !sticky) return false;
  if (f.rounding === NEAREST ? rest < 0 && (odd || sticky || (rest << 1) !== 0) : f.awayFromZero(sign)) {
    f.flags |= C1;
    if (single) f.hi = (f.hi + 0x100) | 0;
    else {
      f.lo = (f.lo + 0x800) | 0;
      if (f.lo === 0) f.hi = (f.hi + 1) | 0;
    }
  }
  return true;
}

/** Puts the left-aligned significand hi:lo (its integer bit is dropped) and the biased exponent into the narrow format. */
function pack(f: Float80, sign: number, e: number, hi: number, lo: number, precision: number): void {
  if (precision === 24) {
    f.lo = (sign << 16) | (e << 23) | ((hi >>> 8) & 0x7f_ffff);
  } else {
    f.lo = (lo >>> 11) | (hi << 21);
    f.hi = (sign << 16) | (e << 20) | ((hi >>> 11) & 0xf_ffff);
  }
}

/** Reads 18 packed decimal digits and a sign (FBLD); digits above 9 are taken at face value. */
export function fromPackedDecimal(f: Float80, bytes: Uint8Array): void {
  let value = 0n;
  for (let i = 8; i >= 0; i--) value = value * 100n + BigInt((bytes[i] >> 4) * 10 + (bytes[i] & 15));
  fromInt64(f, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  f.se |= (bytes[9] & 0x80) << 8;
}

/** Rounds to an integer and writes 18 packed decimal digits (FBSTP); out of range is invalid and gives the decimal indefinite. */
export function toPackedDecimal(f: Float80, lo: number, hi: number, se: number, out: Uint8Array): void {
  const before = f.flags;
  toInteger(f, lo, hi, se & 0x7fff, 64, false);
  // Rounding is by the magnitude's own sign: redo for negative numbers in directed modes.
  if (se & 0x8000 && (f.flags & IE) === 0) {
    f.flags = before;
    toInteger(f, lo, hi, se, 64, false);
  }
  let value = (BigInt(f.hi) << 32n) | BigInt(f.lo >>> 0);
  if (value < 0n) value = -value;
  if (f.flags & IE || value > 999_999_999_999_999_999n) {
    f.flags = before | IE;
    out.set([0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff]);
    return;
  }
  for (let i = 0; i < 9; i++) {
    const pair = Number(value % 100n);
    out[i] = (Math.floor(pair / 10) << 4) | (pair % 10);
    value /= 100n;
  }
  out[9] = (se >> 8) & 0x80;
}
