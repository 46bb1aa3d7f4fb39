/**
 * The state of the x87 arithmetic unit and its rounding: to the precision and the exponent range that the control word asks for.
 * Source: Intel SDM vol. 1, chapters 4.8, 4.9 and 8.5; details it leaves open as AMD processors do them.
 */
import { C1, DOUBLE, DOWN, EXTENDED, NEAREST, OE, PE, SINGLE, UE, UP } from "./float80_bits.ts";

const MIN_INT = -0x8000_0000;
/** What an unmasked overflow or underflow subtracts from / adds to the exponent (SDM vol. 1, 8.5.4). */
const BIAS_ADJUST = 0x6000;

/** What all operations share: the result, the flags, the control word's modes. */
export class Float80Rounding {
  lo = 0;
  hi = 0;
  se = 0;
  /** Exception and condition bits of the operation, in status word positions. C1 = rounded away from zero. */
  flags = 0;
  rounding = NEAREST;
  precision = EXTENDED;
  /** Masked exceptions: the low six bits of the control word. */
  masks = 0x3f;

  /** Starts an operation under this control word. */
  begin(cw: number): void {
    this.flags = 0;
    this.rounding = (cw >> 10) & 3;
    this.precision = (cw >> 8) & 3;
    // Reserved; AMD processors take it for full precision.
    if (this.precision === 1) this.precision = EXTENDED;
    this.masks = cw & 0x3f;
  }

  set(lo: number, hi: number, se: number): void {
    this.lo = lo;
    this.hi = hi;
    this.se = se;
  }

  /** Normalizes hi:lo:x (not zero; x's last bit sticky) and rounds. */
  normalizePack(sign: number, e: number, hi: number, lo: number, x: number): void {
    if (hi === 0) {
      hi = lo;
      lo = x;
      x = 0;
      e -= 32;
      if (hi === 0) {
        hi = lo;
        lo = 0;
        e -= 32;
      }
    }
    const n = Math.clz32(hi);
    if (n !== 0) {
      hi = (hi << n) | (lo >>> (32 - n));
      lo = (lo << n) | (x >>> (32 - n));
      x <<= n;
      e -= n;
    }
    this.roundPack(sign, e, hi, lo, x);
  }

  /**
   * Rounds the significand hi:lo:x (integer bit set, x = 32 more bits, the last one sticky) with exponent `e` to the precision and the
   * exponent range, and makes it the result.
   */
  roundPack(sign: number, e: number, hi: number, lo: number, x: number): void {
    if (this.precision !== EXTENDED || e <= 0 || e >= 0x7ffe) return this.roundSlow(sign, e, hi, lo, x);
    if (x !== 0) {
      this.flags |= PE;
      if (this.rounding === NEAREST ? x < 0 && ((x << 1) !== 0 || (lo & 1) !== 0) : this.awayFromZero(sign)) {
        this.flags |= C1;
        lo = (lo + 1) | 0;
        if (lo === 0) {
          hi = (hi + 1) | 0;
          if (hi === 0) {
            hi = MIN_INT;
            e++;
          }
        }
      }
    }
    this.lo = lo;
    this.hi = hi;
    this.se = sign | e;
  }

  /** Does a directed rounding mode move an inexact value of this sign away from zero? */
  awayFromZero(sign: number): boolean {
    return this.rounding === (sign === 0 ? UP : DOWN);
  }

  private roundSlow(sign: number, e: number, hi: number, lo: number, x: number): void {
    const inexact = this.roundSignificand(sign, hi, lo, x);
    // A significand of all ones that was rounded up comes back as zero.
    const carry = this.hi === 0;
    const rounded = carry ? e + 1 : e;
    if (rounded >= 0x7fff) return this.overflow(sign, rounded, inexact);
    if (rounded <= 0 && (this.masks & UE) === 0) {
      this.flags |= UE | (inexact ? PE : 0);
      // Too small even for that (FSCALE only).
      if (rounded + BIAS_ADJUST <= 0) {
        this.flags |= PE;
        return this.set(0, 0, sign);
      }
      this.se = sign | (rounded + BIAS_ADJUST);
    } else if (e <= 0) {
      const tiny = rounded <= 0;
      this.flags &= ~C1;
      let n = 1 - e;
      while (n > 0) {
        const step = n > 31 ? 31 : n;
        x = (x >>> step) | (lo << (32 - step)) | ((x << (32 - step)) !== 0 ? 1 : 0);
        lo = (lo >>> step) | (hi << (32 - step));
        hi >>>= step;
        n = n > 160 ? 128 : n - step;
      }
      if (this.roundSignificand(sign, hi, lo, x)) this.flags |= tiny ? UE | PE : PE;
      this.se = sign | (this.hi < 0 ? 1 : 0);
      return;
    } else {
      if (inexact) this.flags |= PE;
      this.se = sign | rounded;
    }
    if (carry) this.hi = MIN_INT;
  }

  private overflow(sign: number, e: number, inexact: boolean): void {
    this.flags |= OE;
    if ((this.masks & OE) === 0) {
      if (inexact) this.flags |= PE;
      if (this.hi === 0) this.hi = MIN_INT;
      if (e - BIAS_ADJUST < 0x7fff) {
        this.se = sign | (e - BIAS_ADJUST);
        return;
      }
      // Too large even for that (FSCALE only).
      this.flags |= PE | C1;
      this.set(0, MIN_INT, sign | 0x7fff);
      return;
    }
    this.flags |= PE;
    if (this.rounding === NEAREST || this.awayFromZero(sign)) {
      this.flags |= C1;
      this.set(0, MIN_INT, sign | 0x7fff);
    } else {
      this.flags &= ~C1;
      const lo = this.precision === EXTENDED ? -1 : this.precision === DOUBLE ? 0xffff_f800 | 0 : 0;
      this.set(lo, this.precision === SINGLE ? 0xffff_ff00 | 0 : -1, sign | 0x7ffe);
    }
  }

  /**
   * Rounds hi:lo:x to the current precision into `hi`, `lo` (a carry out of the top leaves zero) and sets C1 when it was rounded up.
   * Returns whether it was inexact.
   */
  private roundSignificand(sign: number, hi: number, lo: number, x: number): boolean {
    // `rest`: the bits below the last kept one, left-aligned; `sticky`: anything below those.
    let rest = x, sticky = false, odd = (lo & 1) !== 0;
    if (this.precision === DOUBLE) {
      rest = lo << 21;
      sticky = x !== 0;
      odd = (lo & 0x800) !== 0;
      lo &= ~0x7ff;
    } else if (this.precision !== EXTENDED) {
      rest = hi << 24;
      sticky = (lo | x) !== 0;
      odd = (hi & 0x100) !== 0;
      hi &= ~0xff;
      lo = 0;
    }
    this.lo = lo;
    this.hi = hi;
    if (rest === 0 && !sticky) return false;
    const up = this.rounding === NEAREST ? rest < 0 && (odd || sticky || (rest << 1) !== 0) : this.awayFromZero(sign);
    if (up) {
      this.flags |= C1;
      if (this.precision === EXTENDED) {
        this.lo = (lo + 1) | 0;
        if (this.lo === 0) this.hi = (hi + 1) | 0;
      } else if (this.precision === DOUBLE) {
        this.lo = (lo + 0x800) | 0;
        if (this.lo === 0) this.hi = (hi + 1) | 0;
      } else this.hi = (hi + 0x100) | 0;
    }
    return true;
  }
}
