/**
 * Arithmetic of the x87 80-bit format ("double extended") without BigInt: sum and product, NaN rules.
 *
 * A number is three int32 values: `lo` and `hi`, the significand's halves (bit 31 of `hi` is the explicit integer bit), and `se`,
 * bits 0..14 the exponent (bias 16383) and bit 15 the sign. An operation leaves its result in `lo`, `hi`, `se` of the unit and or-s
 * what happened into `flags`. Rounding: float80_round.ts; division and root:
 * float80_divide.ts; conversions: float80_convert.ts.
 * Source: Intel SDM vol. 1, chapters 4.8, 4.9 and 8.5; details it leaves open as AMD processors do them.
 */

import {
  classify,
  compareUnsigned,
  DE,
  DENORMAL,
  DOWN,
  IE,
  leadingZeros,
  QNAN,
  shiftLeftHigh,
  shiftLeftLow,
  SNAN,
  UNSUPPORTED,
  ZE,
  ZERO_KIND,
} from "./float80_bits.ts";
import { Float80Rounding } from "./float80_round.ts";

export * from "./float80_bits.ts";

const MIN_INT = -0x8000_0000;
export class Float80 extends Float80Rounding {
  /** Sixteen bytes for operands on their way to memory. */
  readonly bytes = new Uint8Array(16);
  readonly view = new DataView(this.bytes.buffer);
  private readonly prefixes = Array.from({ length: 17 }, (_, n) => this.bytes.subarray(0, n));

  /** The first n of `bytes`. */
  prefix(n: number): Uint8Array {
    return this.prefixes[n];
  }

  /** Has an unmasked exception been found that ends the instruction before its computation? */
  stops(): boolean {
    return (this.flags & ~this.masks & (IE | DE | ZE)) !== 0;
  }

  /** Invalid operation with the default NaN ("real indefinite") as result; a denormal operand then does not count. */
  invalid(): void {
    this.flags = (this.flags & ~DE) | IE;
    this.set(0, 0xc000_0000 | 0, 0xffff);
  }

  /** The x87 rule for operands of which at least one is a NaN (SDM vol. 1, table 4-7). Preconditions: no operand is UNSUPPORTED. */
  propagate(alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): void {
    const a = classify(alo, ahi, ase), b = classify(blo, bhi, bse);
    if (a === SNAN || b === SNAN) this.flags |= IE;
    const aNan = a === QNAN || a === SNAN, bNan = b === QNAN || b === SNAN;
    let takeA = aNan;
    if (aNan && bNan) {
      if (a !== b) takeA = a === QNAN;
      else if (ahi !== bhi) takeA = (ahi >>> 0) > (bhi >>> 0);
      else if (alo !== blo) takeA = (alo >>> 0) > (blo >>> 0);
      else takeA = (ase & 0x8000) === 0;
    }
    if (takeA) this.set(alo, ahi | 0x4000_0000, ase);
    else this.set(blo, bhi | 0x4000_0000, bse);
  }

  /**
   * Deals with unsupported patterns and NaNs of two operands; true when that decided the result. Otherwise notes denormal operands.
   */
  nanOperands(alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): boolean {
    const a = classify(alo, ahi, ase), b = classify(blo, bhi, bse);
    if (a === UNSUPPORTED || b === UNSUPPORTED) {
      this.invalid();
      return true;
    }
    if (a >= QNAN || b >= QNAN) {
      this.propagate(alo, ahi, ase, blo, bhi, bse);
      return true;
    }
    if (a === DENORMAL || b === DENORMAL) this.flags |= DE;
    return false;
  }

  /** As `nanOperands` for one operand. */
  nanOperand(lo: number, hi: number, se: number): boolean {
    const kind = classify(lo, hi, se);
    if (kind === UNSUPPORTED) this.invalid();
    else if (kind >= QNAN) {
      if (kind === SNAN) this.flags |= IE;
      this.set(lo, hi | 0x4000_0000, se);
    } else {
      if (kind === DENORMAL) this.flags |= DE;
      return false;
    }
    return true;
  }

  /** a + b. Subtraction: flip the sign of a non-NaN b first (`sub`). */
  add(alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): void {
    let ea = ase & 0x7fff, eb = bse & 0x7fff;
    if (ahi >= 0 || bhi >= 0 || ea === 0x7fff || eb === 0x7fff || ea === 0 || eb === 0) {
      if (this.nanOperands(alo, ahi, ase, blo, bhi, bse)) return;
      if (ea === 0x7fff) {
        if (eb === 0x7fff && ((ase ^ bse) & 0x8000)) this.invalid();
        else this.set(alo, ahi, ase);
        return;
      }
      if (eb === 0x7fff) return this.set(blo, bhi, bse);
      // Zeros and denormals have the exponent of the smallest normal numbers.
      if (ea === 0) ea = (ahi | alo) === 0 && eb !== 0 ? eb : 1;
      if (eb === 0) eb = (bhi | blo) === 0 ? ea : 1;
    }
    const subtract = ((ase ^ bse) & 0x8000) !== 0;
    let sign = ase & 0x8000;
    let d = ea - eb;
    if (d < 0 || (d === 0 && ((ahi >>> 0) < (bhi >>> 0) || (ahi === bhi && (alo >>> 0) < (blo >>> 0))))) {
      let t = alo;
      alo = blo;
      blo = t;
      t = ahi;
      ahi = bhi;
      bhi = t;
      ea = eb;
      d = -d;
      sign = bse & 0x8000;
    }
    // Align b: 32 more bits below, the last of them sticky.
    let bx = 0;
    if (d >= 32) {
      if (d >= 64) {
        const sticky = d >= 96 || (d > 64 ? (bhi << (96 - d)) : 0) !== 0 || blo !== 0;
        bx = (d >= 96 ? 0 : bhi >>> (d - 64)) | (sticky && (bhi | blo) !== 0 ? 1 : 0);
        blo = 0;
      } else {
        bx = d === 32 ? blo : (blo >>> (d - 32)) | (bhi << (64 - d)) | ((blo << (64 - d)) !== 0 ? 1 : 0);
        blo = d === 32 ? bhi : bhi >>> (d - 32);
      }
      bhi = 0;
    } else if (d !== 0) {
      bx = blo << (32 - d);
      blo = (blo >>> d) | (bhi << (32 - d));
      bhi = bhi >>> d;
    }
    if (!subtract) {
      const l = (alo >>> 0) + (blo >>> 0);
      const h = (ahi >>> 0) + (bhi >>> 0) + (l > 0xffff_ffff ? 1 : 0);
      let lo = l | 0, hi = h | 0;
      if (h > 0xffff_ffff) {
        bx = (bx >>> 1) | (lo << 31) | (bx & 1);
        lo = (lo >>> 1) | (hi << 31);
        hi = (hi >>> 1) | MIN_INT;
        ea++;
      } else if (hi >= 0) {
        // Both were denormal or zero (with exponent 1 and no integer bit).
        if ((hi | lo) === 0) return this.set(0, 0, sign);
        return this.normalizePack(sign, ea, hi, lo, 0);
      }
      return this.roundPack(sign, ea, hi, lo, bx);
    }
    const x = 0 - bx | 0;
    const l = (alo >>> 0) - (blo >>> 0) - (bx !== 0 ? 1 : 0);
    const lo = l | 0, hi = (ahi - bhi - (l < 0 ? 1 : 0)) | 0;
    if ((hi | lo | x) === 0) return this.set(0, 0, this.rounding === DOWN ? 0x8000 : 0);
    if (hi < 0) return this.roundPack(sign, ea, hi, lo, x);
    this.normalizePack(sign, ea, hi, lo, x);
  }

  sub(alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): void {
    const nan = (bse & 0x7fff) === 0x7fff && (bhi << 1 | blo) !== 0;
    this.add(alo, ahi, ase, blo, bhi, nan ? bse : bse ^ 0x8000);
  }

  mul(alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number): void {
    let ea = ase & 0x7fff, eb = bse & 0x7fff;
    const sign = (ase ^ bse) & 0x8000;
    if (ahi >= 0 || bhi >= 0 || ea === 0x7fff || eb === 0x7fff || ea === 0 || eb === 0) {
      if (this.nanOperands(alo, ahi, ase, blo, bhi, bse)) return;
      const aZero = (ahi | alo) === 0, bZero = (bhi | blo) === 0;
      if (ea === 0x7fff || eb === 0x7fff) {
        // 0 * infinity is invalid and hides a denormal operand (there is none then).
        if (aZero || bZero) this.invalid();
        else this.set(0, MIN_INT, sign | 0x7fff);
        return;
      }
      if (aZero || bZero) return this.set(0, 0, sign);
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
    // 64 x 64 -> 128 bits in 16-bit columns; the sums stay below 2^36, exact in doubles, and their carries are small integers.
    const a0 = alo & 0xffff, a1 = alo >>> 16, a2 = ahi & 0xffff, a3 = ahi >>> 16;
    const b0 = blo & 0xffff, b1 = blo >>> 16, b2 = bhi & 0xffff, b3 = bhi >>> 16;
    const s0 = a0 * b0;
    const s1 = a0 * b1 + a1 * b0 + (s0 >>> 16);
    const s2 = a0 * b2 + a1 * b1 + a2 * b0 + carry(s1);
    const s3 = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + carry(s2);
    const s4 = a1 * b3 + a2 * b2 + a3 * b1 + carry(s3);
    const s5 = a2 * b3 + a3 * b2 + carry(s4);
    const s6 = a3 * b3 + carry(s5);
    let hi = s6 | 0, lo = (s5 << 16) | (s4 & 0xffff);
    let x = (s3 << 16) | (s2 & 0xffff) | (((s1 | s0) & 0xffff) !== 0 ? 1 : 0);
    let e = ea + eb - 16382;
    if (hi >= 0) {
      hi = (hi << 1) | (lo >>> 31);
      lo = (lo << 1) | (x >>> 31);
      // The sticky bit stays sticky: shifting it up leaves a set bit below the round bit.
      x = x << 1;
      e--;
    }
    this.roundPack(sign, e, hi, lo, x);
  }

  /** Ordering of two values: -1, 0, 1, or 2 for unordered. `quiet`: a QNaN alone is no invalid operation (FUCOM). */
  compare(alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number, quiet: boolean): number {
    const a = classify(alo, ahi, ase), b = classify(blo, bhi, bse);
    if (a >= QNAN || b >= QNAN) {
      if (!quiet || a >= SNAN || b >= SNAN) this.flags |= IE;
      return 2;
    }
    if (a === DENORMAL || b === DENORMAL) this.flags |= DE;
    if (a === ZERO_KIND && b === ZERO_KIND) return 0;
    const negative = (ase & 0x8000) !== 0;
    if (negative !== ((bse & 0x8000) !== 0)) return negative ? -1 : 1;
    let ea = ase & 0x7fff, eb = bse & 0x7fff;
    // A pseudo-denormal (integer bit set, exponent 0) equals the normal number with exponent 1.
    if (ea === 0 && ahi < 0) ea = 1;
    if (eb === 0 && bhi < 0) eb = 1;
    const order = ea !== eb ? (ea < eb ? -1 : 1) : compareUnsigned(ahi, alo, bhi, blo);
    return negative ? 0 - order : order;
  }
}

/** What a column sum below 2^47 hands to the next one: floor(sum / 2^16). */
const carry = (sum: number): number => (sum * (1 / 0x1_0000)) | 0;
