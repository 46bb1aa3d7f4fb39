/**
 * Transcendental functions of the x87, correctly rounded: evaluated in fixed point with BigInt to far more bits than the result has.
 * Arguments are finite, positive and not zero unless said otherwise; x87_math.ts deals with everything else.
 */
import { type Float80 } from "./float80.ts";

/** floor(pi * 2^512) and floor(ln 2 * 2^512). */
const PI =
  0x3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377be5466cf34e90c6cc0ac29b7c97c50dd3f84d5b5b5470917n;
const LN2 =
  0xb17217f7d1cf79abc9e3b39803f2f6af40f343267298b62d8a0d175b8baafa2be7b876206debac98559552fb4afa1b10ed2eae35c138214427573b291169b825n;
const CONSTANT_BITS = 512;
/** The processor's own pi for argument reduction has 66 bits (SDM vol. 1, 8.3.8): 3.243F6A8885A308D3 (hexadecimal), times 2^64. */
const PI66 = 0x3243f6a8885a308d3n;

/** A real number `value` * 2^-`scale`, `value` >= 0, which is not exact but truncated (something follows below). */
export interface Fixed {
  value: bigint;
  scale: number;
}

/** An argument: significand (64 bits, top bit set) and unbiased exponent; its value is mantissa * 2^(exponent - 63). */
export interface Argument {
  mantissa: bigint;
  exponent: number;
}

const bitLength = (v: bigint): number => {
  const hex = v.toString(16);
  return 4 * hex.length - (Math.clz32(parseInt(hex[0], 16)) - 28);
};

/** Rounds an inexact positive value, with the given sign (0 or 8000h), into the unit. */
export function roundFixed(f: Float80, sign: number, { value, scale }: Fixed): void {
  const bits = bitLength(value);
  const top = bits >= 96 ? value >> BigInt(bits - 96) : value << BigInt(96 - bits);
  const word = (n: number): number => Number(BigInt.asIntN(32, top >> BigInt(n)));
  f.roundPack(sign, bits - 1 - scale + 16383, word(64), word(32), word(0) | 1);
}

/** Too small for the second term of a series to matter beyond the direction of rounding. */
const TINY = -40;
const WORK = 256;

/** x(1 - d) or x(1 + d) for a d that is below the last place. */
const just = ({ mantissa, exponent }: Argument, below: boolean): Fixed => ({
  value: (mantissa << 64n) - (below ? 1n : 0n),
  scale: 127 - exponent,
});
const shift = (v: bigint, n: number): bigint => n >= 0 ? v << BigInt(n) : v >> BigInt(-n);
const fixed = ({ mantissa, exponent }: Argument, bits: number): bigint => shift(mantissa, bits + exponent - 63);
const constant = (v: bigint, bits: number): bigint => v >> BigInt(CONSTANT_BITS - bits);

/** Sum of first * (z^k / ...) series: `next(term, k)` gives the following term until it vanishes. */
function series(first: bigint, next: (term: bigint, k: bigint) => bigint): bigint {
  let sum = first;
  let term = first;
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = next(term, k);
    sum += term;
  }
  return sum;
}

export type Signed = Fixed & { negative: boolean };
export interface SinCos {
  sine(): Signed;
  cosine(): Signed;
  tangent(): Signed;
}

/** Sine, cosine and tangent of a positive number below 2^63, for the processor's pi. */
export function sinCos(x: Argument): SinCos {
  if (x.exponent < TINY) {
    return {
      sine: () => ({ ...just(x, true), negative: false }),
      cosine: () => ({ value: (1n << 128n) - 1n, scale: 128, negative: false }),
      tangent: () => ({ ...just(x, false), negative: false }),
    };
  }
  const P = BigInt(WORK), X = fixed(x, WORK), half = PI66 << BigInt(WORK - 65);
  const q = (2n * X + half) / (2n * half), r = X - q * half, r2 = (r * r) >> P;
  const sineSeries = () => series(r, (t, k) => -((t * r2) >> P) / (2n * k * (2n * k + 1n)));
  const cosineSeries = () => series(1n << P, (t, k) => -((t * r2) >> P) / (2n * k * (2n * k - 1n)));
  const quadrant = Number(q & 3n), swap = (quadrant & 1) !== 0;
  const sine = () => (quadrant & 2 ? -1n : 1n) * (swap ? cosineSeries() : sineSeries());
  const cosine = () => (quadrant === 1 || quadrant === 2 ? -1n : 1n) * (swap ? sineSeries() : cosineSeries());
  const part = (v: bigint): Signed => ({ value: v < 0n ? -v : v, scale: WORK, negative: v < 0n });
  return { sine: () => part(sine()), cosine: () => part(cosine()), tangent: () => part((sine() << P) / cosine()) };
}

/** |2^x - 1| for 0 < |x| < 1. */
export function exp2Minus1(x: Argument, negative: boolean): Fixed {
  const bits = WORK + Math.min(200, -x.exponent), P = BigInt(bits);
  if (x.exponent < -200) return { value: x.mantissa * (LN2 >> 256n), scale: 256 + 63 - x.exponent };
  const magnitude = (fixed(x, bits) * constant(LN2, bits)) >> P;
  const t = negative ? -magnitude : magnitude;
  const sum = series(t, (term, k) => ((term * t) >> P) / (k + 1n));
  return { value: sum < 0n ? -sum : sum, scale: bits };
}

/** 2 atanh(z) / ln 2 for a fixed-point |z| < 0.2. */
function log2FromAtanh(z: bigint, bits: number): bigint {
  const P = BigInt(bits), z2 = (z * z) >> P;
  let power = z, sum = z;
  for (let k = 3n; power !== 0n && power !== -1n; k += 2n) {
    power = (power * z2) >> P;
    sum += power / k;
  }
  return (sum << (P + 1n)) / constant(LN2, bits);
}

/** log2(x), signed; x is not 1. The significand may have up to 250 bits here, its top bit being number `top`. */
export function log2({ mantissa, exponent }: Argument, top = 63): { value: bigint; scale: number } {
  // Significand into [0.7, 1.4]: the logarithm's parts then never cancel.
  const high = mantissa >> BigInt(top - 63) > 0xb504f333f9de6484n;
  const m = mantissa << BigInt(WORK - top - (high ? 1 : 0)), one = 1n << BigInt(WORK);
  const z = ((m - one) << BigInt(WORK)) / (m + one);
  return { value: log2FromAtanh(z, WORK) + (BigInt(exponent + (high ? 1 : 0)) << BigInt(WORK)), scale: WORK };
}

/** log2(1 + x) for x > -1, signed. */
export function log2Plus1(x: Argument, negative: boolean): { value: bigint; scale: number } {
  if (x.exponent >= -1 && (x.exponent >= 0 || negative)) {
    // Not small: the logarithm of the exact sum (the 1 is lost far below large numbers).
    if (x.exponent > 100) return log2(x);
    const one = 1n << 64n, at = x.mantissa << BigInt(x.exponent + 1), sum = negative ? one - at : one + at;
    const top = bitLength(sum) - 1;
    return top < 63
      ? log2({ mantissa: sum << BigInt(63 - top), exponent: top - 64 })
      : log2({ mantissa: sum, exponent: top - 64 }, top);
  }
  if (x.exponent < -200) {
    const value = (x.mantissa << 512n) / (LN2 >> 256n);
    return { value: negative ? -value : value, scale: 256 + 63 - x.exponent };
  }
  const bits = WORK + Math.max(0, -x.exponent), magnitude = fixed(x, bits), X = negative ? -magnitude : magnitude;
  return { value: log2FromAtanh((X << BigInt(bits)) / ((2n << BigInt(bits)) + X), bits), scale: bits };
}

function squareRoot(v: bigint): bigint {
  let x = 1n << BigInt((bitLength(v) + 1) >> 1);
  for (;;) {
    const y = (x + v / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}

/** Angle of the point (x, y) in the first quadrant, or of (-x, y) when `left`: in (0, pi). */
export function arcTangent(y: Argument, x: Argument, left: boolean): Fixed {
  const steep = y.exponent > x.exponent || (y.exponent === x.exponent && y.mantissa > x.mantissa);
  const [a, b] = steep ? [x, y] : [y, x];
  const distance = b.exponent - a.exponent;
  let small: Fixed;
  if (distance > 120) small = { value: ((a.mantissa << 192n) / b.mantissa << 1n) - 1n, scale: 193 + distance };
  else {
    const bits = WORK + distance, P = BigInt(bits);
    let t = shift(a.mantissa << P, -distance) / b.mantissa;
    for (let k = 0; k < 2; k++) t = (t << P) / ((1n << P) + squareRoot(((1n << P) << P) + t * t));
    const t2 = (t * t) >> P;
    let power = t, sum = t;
    for (let k = 3n; power !== 0n && power !== -1n; k += 2n) {
      power = -((power * t2) >> P);
      sum += power / k;
    }
    small = { value: sum << 2n, scale: bits };
  }
  if (!steep && !left) return small;
  // pi/2 - small, pi/2 + small or pi - small.
  const angle = shift(small.value, 400 - small.scale), base = constant(PI, 400) >> (steep ? 1n : 0n);
  return { value: steep && left ? base + angle : base - angle - 1n, scale: 400 };
}

/** n/4 of pi, n 1..4. */
export const quarterPi = (n: number): Fixed => ({ value: PI * BigInt(n), scale: CONSTANT_BITS + 2 });
