/** Quotient, square root, partial remainder, scaling and splitting of 80-bit numbers. */
import {
  C0,
  C1,
  C2,
  C3,
  classify,
  compareUnsigned,
  DE,
  DENORMAL,
  EXTENDED,
  type Float80,
  leadingZeros,
  shiftLeftHigh,
  shiftLeftLow,
  ZE,
} from "./float80.ts";

const MIN_INT = -0x8000_0000;

/** a / b. */
export function divide(f: Float80, alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): void {
  let ea = ase & 0x7fff, eb = bse & 0x7fff;
  const sign = (ase ^ bse) & 0x8000;
  if (ahi >= 0 || bhi >= 0 || ea === 0x7fff || eb === 0x7fff || ea === 0 || eb === 0) {
    if (f.nanOperands(alo, ahi, ase, blo, bhi, bse)) return;
    if (ea === 0x7fff) return eb === 0x7fff ? f.invalid() : f.set(0, MIN_INT, sign | 0x7fff);
    if (eb === 0x7fff) return f.set(0, 0, sign);
    const aZero = (ahi | alo) === 0;
    if ((bhi | blo) === 0) {
      if (aZero) return f.invalid();
      f.flags = (f.flags & ~DE) | ZE;
      return f.set(0, MIN_INT, sign | 0x7fff);
    }
    if (aZero) return f.set(0, 0, sign);
    if (ea === 0) {
      const n = leadingZeros(ahi, alo);
      ea = 1 - n;
      ahi = shiftLeftHigh(ahi, alo, n);
      alo = shiftLeftLow(alo, n);
    }
    if (eb === 0) {
      const n = leadingZeros(bhi, blo);
      eb = 1 - n;
      bhi = shiftLeftHigh(bhi, blo, n);
      blo = shiftLeftLow(blo, n);
    }
  }
  let e = ea - eb + 16383;
  // One bit at a time: `r` < 2b holds the remainder, `top` its 65th bit.
  let rhi = ahi, rlo = alo, top = 0;
  if (compareUnsigned(ahi, alo, bhi, blo) < 0) {
    top = 1;
    rhi = (ahi << 1) | (alo >>> 31);
    rlo = alo << 1;
    e--;
  }
  let qhi = 0, qlo = 0;
  for (let i = 0; i < 66; i++) {
    qhi = (qhi << 1) | (qlo >>> 31);
    qlo <<= 1;
    if (top !== 0 || compareUnsigned(rhi, rlo, bhi, blo) >= 0) {
      rhi = (rhi - bhi - ((rlo >>> 0) < (blo >>> 0) ? 1 : 0)) | 0;
      rlo = (rlo - blo) | 0;
      qlo |= 1;
    }
    top = rhi >>> 31;
    rhi = (rhi << 1) | (rlo >>> 31);
    rlo <<= 1;
    if (i === 63) {
      f.hi = qhi;
      f.lo = qlo;
      qlo = 0;
    }
  }
  f.roundPack(sign, e, f.hi, f.lo, (qlo << 30) | ((rhi | rlo | top) !== 0 ? 1 : 0));
}

/** Square root. */
export function squareRoot(f: Float80, lo: number, hi: number, se: number): void {
  let e = se & 0x7fff;
  if (hi >= 0 || e === 0x7fff || e === 0 || se & 0x8000) {
    // A negative number is invalid before its being denormal matters.
    if (se & 0x8000 && classify(lo, hi, se) === DENORMAL) return f.invalid();
    if (f.nanOperand(lo, hi, se)) return;
    if ((hi | lo) === 0) return f.set(lo, hi, se);
    if (se & 0x8000) return f.invalid();
    if (e === 0x7fff) return f.set(lo, hi, se);
    if (e === 0) {
      const n = leadingZeros(hi, lo);
      e = 1 - n;
      hi = shiftLeftHigh(hi, lo, n);
      lo = shiftLeftLow(lo, n);
    }
  }
  // Radicand in [1, 4): 2.126 bits for an odd exponent. Two radicand bits give one result bit; the remainder r stays below 2q + 1.
  const odd = (e & 1) === 0;
  const re = (e - 16383 - (odd ? 1 : 0)) / 2 + 16383;
  let ahi = hi, alo = lo;
  let a = 0;
  if (odd) {
    a = ahi >>> 30;
    ahi = (ahi << 2) | (alo >>> 30);
    alo <<= 2;
  } else {
    a = ahi >>> 31;
    ahi = (ahi << 1) | (alo >>> 31);
    alo <<= 1;
  }
  // r and q in three 32-bit limbs (66 result bits are wanted).
  let r2 = 0, r1 = 0, r0 = a, q2 = 0, q1 = 0, q0 = 0;
  for (let i = 0; i < 66; i++) {
    if (i > 0) {
      r2 = (r2 << 2) | (r1 >>> 30);
      r1 = (r1 << 2) | (r0 >>> 30);
      r0 = (r0 << 2) | (ahi >>> 30);
      ahi = (ahi << 2) | (alo >>> 30);
      alo <<= 2;
    }
    // Trial: 4q + 1 (q so far), compared with r.
    const t2 = (q2 << 2) | (q1 >>> 30), t1 = (q1 << 2) | (q0 >>> 30), t0 = (q0 << 2) | 1;
    q2 = (q2 << 1) | (q1 >>> 31);
    q1 = (q1 << 1) | (q0 >>> 31);
    q0 <<= 1;
    const order = r2 !== t2 ? r2 - t2 : compareUnsigned(r1, r0, t1, t0);
    if (order >= 0) {
      const b0 = (r0 >>> 0) < (t0 >>> 0) ? 1 : 0;
      r0 = (r0 - t0) | 0;
      const d1 = (r1 >>> 0) - (t1 >>> 0) - b0;
      r1 = d1 | 0;
      r2 = (r2 - t2 - (d1 < 0 ? 1 : 0)) | 0;
      q0 |= 1;
    }
  }
  // q has 66 bits: 64 and two more.
  const x = (q0 << 30) | ((r2 | r1 | r0) !== 0 ? 1 : 0);
  f.roundPack(0, re, (q2 << 30) | (q1 >>> 2), (q1 << 30) | (q0 >>> 2), x);
}

/**
 * FPREM (`nearest` false: quotient truncated) and FPREM1 (quotient rounded to nearest even). Reduces by at most 2^63 per execution: C2 = 1
 * says that more is to do, else C0, C3, C1 are the quotient's bits 2, 1, 0.
 */
export function partialRemainder(
  f: Float80,
  alo: number,
  ahi: number,
  ase: number,
  blo: number,
  bhi: number,
  bse: number,
  nearest: boolean,
): void {
  f.precision = EXTENDED;
  if (f.nanOperands(alo, ahi, ase, blo, bhi, bse)) return;
  let ea = ase & 0x7fff, eb = bse & 0x7fff;
  if (ea === 0x7fff || (bhi | blo) === 0) return f.invalid();
  if ((ahi | alo) === 0 || eb === 0x7fff) {
    // The dividend is the remainder (and a denormal one may underflow).
    if ((ahi | alo) === 0) return f.set(alo, ahi, ase);
    const n = leadingZeros(ahi, alo);
    return f.roundPack(ase & 0x8000, (ea === 0 ? 1 : ea) - n, shiftLeftHigh(ahi, alo, n), shiftLeftLow(alo, n), 0);
  }
  if (ea === 0) ea = 1;
  if (eb === 0) eb = 1;
  let n = leadingZeros(ahi, alo);
  ea -= n;
  ahi = shiftLeftHigh(ahi, alo, n);
  alo = shiftLeftLow(alo, n);
  n = leadingZeros(bhi, blo);
  eb -= n;
  bhi = shiftLeftHigh(bhi, blo, n);
  blo = shiftLeftLow(blo, n);
  let sign = ase & 0x8000;
  const d = ea - eb;
  if (d < -1 || (d < 0 && !nearest)) return f.roundPack(sign, ea, ahi, alo, 0);
  let partial = false, steps = d;
  if (d >= 64) {
    partial = true;
    steps = 32 + (d & 31);
  }
  let q = 0, top = 0;
  if (d === -1) {
    // |a| < |b|: only FPREM1 gets here, the quotient is 0 or 1. Compare 2a with b: a's exponent is one below b's.
    if (compareUnsigned(ahi, alo, bhi, blo) > 0) {
      // b - a, at a's scale: 2b - a.
      const l = (blo << 1) >>> 0, h = ((bhi << 1) | (blo >>> 31)) >>> 0;
      const dl = l - (alo >>> 0);
      const dh = h + 0x1_0000_0000 - (ahi >>> 0) - (dl < 0 ? 1 : 0);
      alo = dl | 0;
      ahi = dh | 0;
      sign ^= 0x8000;
      q = 1;
    }
    f.normalizePack(sign, ea, ahi, alo, 0);
    return setQuotient(f, q);
  }
  for (let i = 0; i <= steps; i++) {
    q = (q << 1) & 0xff;
    if (top !== 0 || compareUnsigned(ahi, alo, bhi, blo) >= 0) {
      ahi = (ahi - bhi - ((alo >>> 0) < (blo >>> 0) ? 1 : 0)) | 0;
      alo = (alo - blo) | 0;
      q |= 1;
    }
    if (i < steps) {
      top = ahi >>> 31;
      ahi = (ahi << 1) | (alo >>> 31);
      alo <<= 1;
    }
  }
  ea -= steps;
  if (partial) {
    f.flags |= C2;
    if ((ahi | alo) === 0) return f.set(0, 0, sign);
    return f.normalizePack(sign, ea, ahi, alo, 0);
  }
  // Now 0 <= a < b at the same scale.
  if (nearest && (ahi | alo) !== 0) {
    const th = (ahi << 1) | (alo >>> 31), tl = alo << 1;
    const order = ahi < 0 ? 1 : compareUnsigned(th, tl, bhi, blo);
    if (order > 0 || (order === 0 && (q & 1) !== 0)) {
      const l = (blo >>> 0) - (alo >>> 0);
      ahi = (bhi - ahi - (l < 0 ? 1 : 0)) | 0;
      alo = l | 0;
      sign ^= 0x8000;
      q++;
    }
  }
  if ((ahi | alo) === 0) f.set(0, 0, ase & 0x8000);
  else f.normalizePack(sign, ea, ahi, alo, 0);
  setQuotient(f, q);
}

function setQuotient(f: Float80, q: number): void {
  f.flags |= (q & 4 ? C0 : 0) | (q & 2 ? C3 : 0) | (q & 1 ? C1 : 0);
}

/** FSCALE: a * 2^trunc(b). */
export function scale(f: Float80, alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): void {
  f.precision = EXTENDED;
  if (f.nanOperands(alo, ahi, ase, blo, bhi, bse)) return;
  const ea = ase & 0x7fff, eb = bse & 0x7fff, sign = ase & 0x8000;
  const aZero = (ahi | alo) === 0;
  if (eb === 0x7fff) {
    if (bse & 0x8000) return ea === 0x7fff ? f.invalid() : f.set(0, 0, sign);
    return aZero ? f.invalid() : f.set(0, MIN_INT, sign | 0x7fff);
  }
  if (ea === 0x7fff || aZero) return f.set(alo, ahi, ase);
  // 2^16 and more shift everything out either way.
  const n = eb < 16383 ? 0 : eb > 16383 + 16 ? 0x1_0000 : bhi >>> (31 - (eb - 16383));
  const shift = bse & 0x8000 ? -n : n;
  const zeros = leadingZeros(ahi, alo);
  f.roundPack(
    sign,
    (ea === 0 ? 1 : ea) - zeros + shift,
    shiftLeftHigh(ahi, alo, zeros),
    shiftLeftLow(alo, zeros),
    0,
  );
}

/** One half of FXTRACT: the unbiased exponent as a number, or the significand with exponent 0. */
export function extract(f: Float80, lo: number, hi: number, se: number, part: "exponent" | "significand"): void {
  if (f.nanOperand(lo, hi, se)) return;
  const e = se & 0x7fff, exponent = part === "exponent";
  if (e === 0x7fff) return f.set(0, MIN_INT, exponent ? 0x7fff : se);
  if ((hi | lo) === 0) {
    f.flags |= ZE;
    return exponent ? f.set(0, MIN_INT, 0xffff) : f.set(0, 0, se);
  }
  const n = leadingZeros(hi, lo);
  if (!exponent) return f.set(shiftLeftLow(lo, n), shiftLeftHigh(hi, lo, n), (se & 0x8000) | 16383);
  const value = (e === 0 ? 1 : e) - n - 16383, magnitude = Math.abs(value);
  if (value === 0) return f.set(0, 0, 0);
  const zeros = Math.clz32(magnitude);
  f.set(0, magnitude << zeros, (value < 0 ? 0x8000 : 0) | (16383 + 31 - zeros));
}
