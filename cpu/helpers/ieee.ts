/**
 * IEEE 754 arithmetic as SSE does it under any MXCSR: rounding, denormals-are-zero, flush-to-zero, and which exceptions it signals
 * (Intel SDM vol. 1, 10.2.3 and 11.5). Values are bit patterns as bigint; intermediate results are exact integers.
 */

/** MXCSR: sticky flags (bits 5..0), denormals are zero, masks (bits 12..7), rounding (bits 14..13), flush to zero. */
export const IE = 1, DE = 2, ZE = 4, OE = 8, UE = 16, PE = 32, DAZ = 1 << 6, FTZ = 1 << 15;
/** Exceptions found before anything is computed. */
export const EARLY = IE | DE | ZE;

export interface Format {
  bytes: 2 | 4 | 8;
  /** Bits of the significand, the leading one included. */
  precision: number;
  /** Exponents of the least and of the largest normal number. */
  least: number;
  most: number;
  /** Bit patterns. */
  sign: bigint;
  infinity: bigint;
  quiet: bigint;
}
const format = (bytes: 2 | 4 | 8, precision: number, most: number): Format => {
  const fraction = BigInt(precision - 1), exponent = BigInt(8 * bytes) - 1n - fraction;
  return {
    bytes,
    precision,
    least: 1 - most,
    most,
    sign: 1n << (BigInt(8 * bytes) - 1n),
    infinity: ((1n << exponent) - 1n) << fraction,
    quiet: 1n << (fraction - 1n),
  };
};
export const HALF = format(2, 11, 15), SINGLE = format(4, 24, 127), DOUBLE = format(8, 53, 1023);

const bitLength = (n: bigint): number => {
  let length = 0;
  for (; n >= 1n << 64n; n >>= 64n) length += 64;
  const high = Number(n >> 32n);
  return length + (high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(Number(n & 0xffff_ffffn)));
};

/** A number taken apart: finite ones are significand * 2^exponent. */
export interface Parts {
  bits: bigint;
  negative: boolean;
  nan: boolean;
  infinite: boolean;
  denormal: boolean;
  significand: bigint;
  exponent: number;
}

const isZero = (p: Parts): boolean => !p.infinite && !p.nan && p.significand === 0n;

/** One instruction's arithmetic. */
export class Arithmetic {
  flags = 0;

  /** `mxcsr` gives rounding, DAZ, FTZ and masks. */
  constructor(readonly mxcsr: number) {}

  get rounding(): number {
    return (this.mxcsr >> 13) & 3;
  }

  unpack(f: Format, bits: bigint, flush = (this.mxcsr & DAZ) !== 0): Parts {
    const magnitude = bits & (f.sign - 1n), fraction = BigInt(f.precision - 1);
    const field = Number(magnitude >> fraction), rest = magnitude & ((1n << fraction) - 1n);
    const special = (magnitude & f.infinity) === f.infinity;
    const denormal = field === 0 && rest !== 0n;
    if (denormal && flush) return this.unpack(f, bits & f.sign, false);
    return {
      bits,
      negative: (bits & f.sign) !== 0n,
      nan: special && rest !== 0n,
      infinite: special && rest === 0n,
      denormal,
      significand: field === 0 ? rest : rest | 1n << fraction,
      exponent: Math.max(field, 1) - 1 + f.least - (f.precision - 1),
    };
  }
  signalling = (f: Format, x: Parts): boolean => x.nan && (x.bits & f.quiet) === 0n;

  /** The result when there is a NaN among the operands: the first one, made quiet. */
  nanOf(f: Format, ...operands: Parts[]): bigint | undefined {
    if (operands.some((x) => this.signalling(f, x))) this.flags |= IE;
    const nan = operands.find((x) => x.nan);
    if (nan) return nan.bits | f.quiet;
    return undefined;
  }
  /** Called when the operation is valid. */
  #note(...operands: Parts[]): void {
    if (operands.some((x) => x.denormal)) this.flags |= DE;
  }
  /** No meaningful result: the default NaN. */
  invalid(f: Format): bigint {
    this.flags |= IE;
    return f.sign | f.infinity | f.quiet;
  }

  zero = (f: Format, negative: boolean): bigint => negative ? f.sign : 0n;
  infinity = (f: Format, negative: boolean): bigint => f.infinity | this.zero(f, negative);

  /** Is a positive remainder (below, at or above half) rounded up? `kept` is odd or even. */
  #up(negative: boolean, odd: boolean, comparison: number, inexact: boolean): boolean {
    switch (this.rounding) {
      case 0:
        return comparison > 0 || (comparison === 0 && odd && inexact);
      case 1:
        return inexact && negative;
      case 2:
        return inexact && !negative;
      default:
        return false;
    }
  }
  /** significand >> drop, rounded; `more`: something below the significand is not zero. */
  #shift(negative: boolean, significand: bigint, drop: number, more: boolean): { kept: bigint; inexact: boolean } {
    if (drop <= 0) return { kept: significand << BigInt(-drop), inexact: more };
    const shift = BigInt(drop), kept = significand >> shift, lost = significand - (kept << shift), half = 1n << (shift - 1n);
    const inexact = lost !== 0n || more;
    const comparison = lost > half || (lost === half && more) ? 1 : lost === half ? 0 : -1;
    return { kept: this.#up(negative, (kept & 1n) === 1n, comparison, inexact) ? kept + 1n : kept, inexact };
  }

  /** significand * 2^exponent (not zero; at least two bits longer than the precision when `more`) in the format. */
  round(f: Format, negative: boolean, significand: bigint, exponent: number, more = false, flushes = true): bigint {
    const p = f.precision, top = bitLength(significand) - 1 + exponent, quantum = f.least - (p - 1);
    const unit = Math.max(top - (p - 1), quantum);
    const { kept, inexact } = this.#shift(negative, significand, unit - exponent, more);
    // Tininess is detected after rounding as if the exponent had no limit.
    const unlimited = this.#shift(negative, significand, top - (p - 1) - exponent, more);
    if (top < f.least - 1 || (top === f.least - 1 && bitLength(unlimited.kept) <= p)) {
      if (!((this.mxcsr >> 7) & UE)) {
        // The handler would get the result with another exponent.
        this.flags |= unlimited.inexact ? UE | PE : UE;
        return this.zero(f, negative);
      }
      if (flushes && this.mxcsr & FTZ) {
        this.flags |= UE | PE;
        return this.zero(f, negative);
      }
      if (inexact) this.flags |= UE;
    }
    if (inexact) this.flags |= PE;
    if (kept === 0n) return this.zero(f, negative);
    const length = bitLength(kept), highest = length - 1 + unit;
    if (highest > f.most) {
      this.flags |= (this.mxcsr >> 7) & OE ? OE | PE : OE;
      const towardsZero = this.rounding === 3 || this.rounding === (negative ? 2 : 1);
      return (towardsZero ? f.infinity - 1n : f.infinity) | this.zero(f, negative);
    }
    const fraction = length > p ? kept >> 1n : kept, hidden = 1n << BigInt(p - 1);
    const field = fraction >= hidden ? BigInt(highest - f.least + 1) : 0n;
    return this.zero(f, negative) | field << BigInt(p - 1) | fraction & (hidden - 1n);
  }

  /** The sum of two exact numbers, signs included. */
  #sum(f: Format, aNegative: boolean, a: bigint, aExponent: number, bNegative: boolean, b: bigint, bExponent: number): bigint {
    const low = Math.min(aExponent, bExponent);
    const x = a << BigInt(aExponent - low), y = b << BigInt(bExponent - low);
    const sum = (aNegative ? -x : x) + (bNegative ? -y : y);
    // Zero keeps a common sign; opposite ones cancel to +0, or -0 when rounding down.
    if (sum === 0n) return this.zero(f, aNegative === bNegative ? aNegative : this.rounding === 1);
    return this.round(f, sum < 0n, sum < 0n ? -sum : sum, low);
  }

  add(f: Format, a: bigint, b: bigint, subtract: boolean): bigint {
    const x = this.unpack(f, a), y = this.unpack(f, b), nan = this.nanOf(f, x, y);
    if (nan !== undefined) return nan;
    const minus = y.negative !== subtract;
    if (x.infinite && y.infinite && x.negative !== minus) return this.invalid(f);
    this.#note(x, y);
    if (x.infinite) return x.bits;
    if (y.infinite) return this.infinity(f, minus);
    return this.#sum(f, x.negative, x.significand, x.exponent, minus, y.significand, y.exponent);
  }
  mul(f: Format, a: bigint, b: bigint): bigint {
    const x = this.unpack(f, a), y = this.unpack(f, b), nan = this.nanOf(f, x, y);
    if (nan !== undefined) return nan;
    const negative = x.negative !== y.negative, product = x.significand * y.significand;
    if ((x.infinite && isZero(y)) || (y.infinite && isZero(x))) return this.invalid(f);
    this.#note(x, y);
    if (x.infinite || y.infinite) return this.infinity(f, negative);
    return product === 0n ? this.zero(f, negative) : this.round(f, negative, product, x.exponent + y.exponent);
  }
  div(f: Format, a: bigint, b: bigint): bigint {
    const x = this.unpack(f, a), y = this.unpack(f, b), nan = this.nanOf(f, x, y);
    if (nan !== undefined) return nan;
    const negative = x.negative !== y.negative;
    if ((x.infinite && y.infinite) || (isZero(x) && isZero(y))) return this.invalid(f);
    if (isZero(y) && !x.infinite) {
      this.flags |= ZE;
      return this.infinity(f, negative);
    }
    this.#note(x, y);
    if (x.infinite) return this.infinity(f, negative);
    if (y.infinite) return this.zero(f, negative);
    if (x.significand === 0n) return this.zero(f, negative);
    const extra = f.precision + 3 + bitLength(y.significand), wide = x.significand << BigInt(extra);
    const quotient = wide / y.significand;
    return this.round(f, negative, quotient, x.exponent - y.exponent - extra, quotient * y.significand !== wide);
  }
  sqrt(f: Format, a: bigint): bigint {
    const x = this.unpack(f, a), nan = this.nanOf(f, x);
    if (nan !== undefined) return nan;
    if (x.significand === 0n) return x.bits;
    if (x.negative) return this.invalid(f);
    this.#note(x);
    if (x.infinite) return x.bits;
    let scale = 2 * f.precision + 6;
    if ((x.exponent - scale) & 1) scale++;
    const wide = x.significand << BigInt(scale), root = squareRoot(wide);
    return this.round(f, false, root, (x.exponent - scale) / 2, root * root !== wide);
  }
  /** a * b + c; operands in the order in which their NaNs count. */
  fma(f: Format, a: bigint, b: bigint, c: bigint, negateProduct: boolean, negateAddend: boolean): bigint {
    const x = this.unpack(f, a), y = this.unpack(f, b), z = this.unpack(f, c);
    // Nothing is invalid when the addend is a quiet NaN.
    const nan = this.nanOf(f, x, y, z);
    if (nan !== undefined) return nan;
    if ((x.infinite && isZero(y)) || (y.infinite && isZero(x))) return this.invalid(f);
    const negative = (x.negative !== y.negative) !== negateProduct, minus = z.negative !== negateAddend;
    const infinite = x.infinite || y.infinite;
    if (infinite && z.infinite && minus !== negative) return this.invalid(f);
    this.#note(x, y, z);
    if (infinite) return this.infinity(f, negative);
    if (z.infinite) return this.infinity(f, minus);
    return this.#sum(f, negative, x.significand * y.significand, x.exponent + y.exponent, minus, z.significand, z.exponent);
  }

  /** -1, 0, 1, or undefined: a NaN. Quiet ones signal when `signals`. */
  compare(f: Format, a: bigint, b: bigint, signals: boolean): number | undefined {
    const x = this.unpack(f, a), y = this.unpack(f, b);
    if (x.nan || y.nan) {
      if (signals || this.signalling(f, x) || this.signalling(f, y)) this.flags |= IE;
      return undefined;
    }
    if (x.denormal || y.denormal) this.flags |= DE;
    const order = (p: Parts): bigint => p.negative ? -(p.bits & (f.sign - 1n)) : p.bits;
    return order(x) < order(y) ? -1 : order(x) > order(y) ? 1 : 0;
  }
  /** The second operand unless the first is less (greater). */
  extreme(f: Format, a: bigint, b: bigint, greatest: boolean): bigint {
    const order = this.compare(f, a, b, true);
    const flushed = (bits: bigint) => this.unpack(f, bits).bits;
    return order === (greatest ? 1 : -1) ? flushed(a) : flushed(b);
  }

  /** Rounds to an integer; undefined for NaNs and infinities. `denormals`: do denormal operands signal? */
  integer(f: Format, a: bigint, rounding: number): { value: bigint; inexact: boolean; parts: Parts } | undefined {
    const x = this.unpack(f, a);
    if (x.nan || x.infinite) return undefined;
    const with_ = new Arithmetic(rounding << 13);
    const { kept, inexact } = with_.#shift(x.negative, x.significand, -x.exponent, false);
    return { value: x.negative ? -kept : kept, inexact, parts: x };
  }
  /** To a signed integer of `bits` bits, as its two's complement; out of range gives only the sign bit. */
  toInteger(f: Format, a: bigint, bits: number, truncates: boolean): bigint {
    const result = this.integer(f, a, truncates ? 3 : this.rounding), limit = 1n << BigInt(bits - 1);
    if (result === undefined || result.value >= limit || result.value < -limit) {
      this.flags |= IE;
      return limit;
    }
    if (result.inexact) this.flags |= PE;
    return BigInt.asUintN(bits, result.value);
  }
  fromInteger(f: Format, value: bigint): bigint {
    return value === 0n ? 0n : this.round(f, value < 0n, value < 0n ? -value : value, 0);
  }
  /** ROUNDxx: bits 1..0 mode, bit 2 MXCSR's mode instead, bit 3 no precision exception. */
  roundToIntegral(f: Format, a: bigint, imm: number): bigint {
    const x = this.unpack(f, a);
    if (x.nan) {
      if (this.signalling(f, x)) this.flags |= IE;
      return x.bits | f.quiet;
    }
    const result = this.integer(f, a, imm & 4 ? this.rounding : imm & 3);
    if (result === undefined) return x.bits;
    if (result.inexact && !(imm & 8)) this.flags |= PE;
    if (result.value === 0n) return this.zero(f, x.negative);
    return new Arithmetic(0x1f80).round(f, x.negative, result.value < 0n ? -result.value : result.value, 0);
  }
  /** Between formats. `flush`: DAZ and FTZ matter, and denormal operands signal. */
  convert(from: Format, to: Format, a: bigint, options: { daz: boolean; ftz: boolean; denormals: boolean }): bigint {
    const x = this.unpack(from, a, options.daz && (this.mxcsr & DAZ) !== 0);
    const shift = to.precision - from.precision;
    if (x.nan) {
      if (this.signalling(from, x)) this.flags |= IE;
      const payload = (x.bits & (from.quiet - 1n)) | from.quiet;
      const moved = shift >= 0 ? payload << BigInt(shift) : payload >> BigInt(-shift);
      return to.infinity | to.quiet | moved | this.zero(to, x.negative);
    }
    if (x.infinite) return this.infinity(to, x.negative);
    if (x.denormal && options.denormals) this.flags |= DE;
    if (x.significand === 0n) return this.zero(to, x.negative);
    return this.round(to, x.negative, x.significand, x.exponent, false, options.ftz);
  }
}

/** Floor of the square root, by Newton's method. */
function squareRoot(n: bigint): bigint {
  let x = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}
