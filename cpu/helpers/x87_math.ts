/** Helpers of the x87 transcendental instructions: special operands here, the functions in float80_math.ts. */
import type { Insn } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { C1, C2, DE, EXTENDED, type Float80, IE, leadingZeros, PE, SF, ZE } from "./float80.ts";
import {
  arcTangent,
  type Argument,
  exp2Minus1,
  log2,
  log2Plus1,
  quarterPi,
  roundFixed,
  type Signed,
  type SinCos,
  sinCos,
} from "./float80_math.ts";
import { enter, finish, isEmpty, moveTop, pop, slot, stackUnderflow, writeSt } from "./x87_stack.ts";

const MIN_INT = -0x8000_0000;

/** Starts an instruction whose results have full precision whatever the control word says. */
function enterFull(c: HelperContext): Float80 {
  const f = enter(c);
  f.precision = EXTENDED;
  return f;
}

interface Value {
  lo: number;
  hi: number;
  se: number;
}
const stValue = (c: HelperContext, n: number): Value => {
  const r = c.ram.i32, at = slot(c.ram, n);
  return { lo: r[at], hi: r[at + 1], se: r[at + 2] & 0xffff };
};
const isZero = (v: Value): boolean => (v.hi | v.lo) === 0;
const isInfinite = (v: Value): boolean => (v.se & 0x7fff) === 0x7fff;
const isNegative = (v: Value): boolean => (v.se & 0x8000) !== 0;
const signOf = (negative: boolean): number => negative ? 0x8000 : 0;
const isOne = (v: Value): boolean => (v.se & 0x7fff) === 0x3fff && v.hi === MIN_INT && v.lo === 0;

/** Magnitude of a finite number that is not zero. */
function magnitude({ lo, hi, se }: Value): Argument {
  const n = leadingZeros(hi, lo), mantissa = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return { mantissa: mantissa << BigInt(n), exponent: Math.max(se & 0x7fff, 1) - n - 16383 };
}

const infinity = (f: Float80, negative: boolean): void => f.set(0, MIN_INT, 0x7fff | signOf(negative));
const zero = (f: Float80, negative: boolean): void => f.set(0, 0, signOf(negative));
const signed = (f: Float80, v: Signed, flip: boolean): void => roundFixed(f, signOf(v.negative !== flip), v);

// ---- sine, cosine, tangent

/** Sine and cosine families: one result in ST(0). Out of range (2^63 and more): C2 = 1, nothing changes. */
const circular = (pick: (v: SinCos) => Signed, odd: boolean): Helper => (c, i) => {
  const f = enterFull(c), ram = c.ram;
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else {
    const x = stValue(c, 0);
    if (outOfRange(x)) return unreduced(c, i, f);
    if (!f.nanOperand(x.lo, x.hi, x.se)) {
      if (isInfinite(x)) f.invalid();
      else if (isZero(x)) odd ? f.set(0, 0, x.se) : f.set(0, MIN_INT, 0x3fff);
      else signed(f, pick(sinCos(magnitude(x))), odd && isNegative(x));
    }
  }
  if (finish(c, i, f, C1 | C2)) writeSt(ram, 0, f);
};

const outOfRange = (x: Value): boolean => x.hi < 0 && (x.se & 0x7fff) >= 16383 + 63 && !isInfinite(x);

function unreduced(c: HelperContext, i: Insn, f: Float80): void {
  f.flags = C2;
  finish(c, i, f, C1 | C2);
}

/** FPTAN and FSINCOS: the first result replaces ST(0), the second is pushed. */
const circularPair = (kind: "tangent" | "sine"): Helper => (c, i) => {
  const f = enterFull(c), ram = c.ram, tangent = kind === "tangent";
  const underflow = isEmpty(ram, 0), overflow = !isEmpty(ram, 7);
  if (underflow || overflow) {
    stackUnderflow(f);
    if (!underflow) f.flags |= C1;
    if (!finish(c, i, f, C1 | C2)) return;
    writeSt(ram, 0, f);
    moveTop(ram, -1);
    writeSt(ram, 0, f);
    return;
  }
  const x = stValue(c, 0);
  if (outOfRange(x)) return unreduced(c, i, f);
  let pushed: Value | undefined;
  if (!f.nanOperand(x.lo, x.hi, x.se)) {
    if (isInfinite(x)) f.invalid();
    else if (isZero(x)) {
      f.set(0, 0, x.se);
      pushed = { lo: 0, hi: MIN_INT, se: 0x3fff };
    } else {
      const v = sinCos(magnitude(x));
      if (tangent) pushed = { lo: 0, hi: MIN_INT, se: 0x3fff };
      else {
        // The condition bit is that of the sine, the first result.
        signed(f, v.cosine(), false);
        pushed = { lo: f.lo, hi: f.hi, se: f.se };
        f.flags &= ~C1;
      }
      signed(f, v[kind](), isNegative(x));
    }
  }
  if (!finish(c, i, f, C1 | C2)) return;
  writeSt(ram, 0, f);
  if (pushed !== undefined) f.set(pushed.lo, pushed.hi, pushed.se);
  moveTop(ram, -1);
  writeSt(ram, 0, f);
};

// ---- exponential and logarithm

const f2xm1: Helper = (c, i) => {
  const f = enterFull(c), ram = c.ram;
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else {
    const x = stValue(c, 0);
    if (!f.nanOperand(x.lo, x.hi, x.se)) powerMinus1(f, x);
  }
  if (finish(c, i, f)) writeSt(ram, 0, f);
};

function powerMinus1(f: Float80, x: Value): void {
  const negative = isNegative(x);
  if (isInfinite(x)) return negative ? f.set(0, MIN_INT, 0xbfff) : infinity(f, false);
  if (isZero(x)) return f.set(0, 0, x.se);
  const m = magnitude(x);
  if (m.exponent < 0) return roundFixed(f, signOf(negative), exp2Minus1(m, negative));
  // The ends are exact; what is outside of them is undefined and left as it is.
  f.flags |= PE;
  if (isOne(x)) return negative ? f.set(0, MIN_INT, 0xbffe) : f.set(x.lo, x.hi, x.se);
  f.set(x.lo, x.hi, x.se);
}

/** ST(1) = function of ST(1) and ST(0), then a pop. */
const popping = (apply: (f: Float80, y: Value, x: Value) => void): Helper => (c, i) => {
  const f = enterFull(c), ram = c.ram;
  if (isEmpty(ram, 0) || isEmpty(ram, 1)) f.flags = IE | SF;
  const underflow = (f.flags & SF) !== 0;
  if (underflow) stackUnderflow(f);
  else {
    const y = stValue(c, 1), x = stValue(c, 0);
    if (!f.nanOperands(x.lo, x.hi, x.se, y.lo, y.hi, y.se)) apply(f, y, x);
    if (f.flags & (IE | ZE)) f.flags &= ~DE;
  }
  if (!finish(c, i, f)) return;
  writeSt(ram, 1, f);
  pop(ram);
};

/** y times a signed logarithm. */
function product(f: Float80, y: Value, log: { value: bigint; scale: number }): void {
  const m = magnitude(y), negative = log.value < 0n;
  roundFixed(f, signOf(isNegative(y) !== negative), {
    value: m.mantissa * (negative ? -log.value : log.value),
    scale: log.scale + 63 - m.exponent,
  });
}

function yLog2x(f: Float80, y: Value, x: Value): void {
  const negative = isNegative(y);
  if (isZero(x)) {
    if (isZero(y)) return f.invalid();
    if (!isInfinite(y)) f.flags |= ZE;
    return infinity(f, !negative);
  }
  if (isNegative(x)) return f.invalid();
  const below = !isInfinite(x) && magnitude(x).exponent < 0;
  if (isInfinite(x)) return isZero(y) ? f.invalid() : infinity(f, negative);
  if (isOne(x)) return isInfinite(y) ? f.invalid() : zero(f, negative);
  if (isInfinite(y)) return infinity(f, negative !== below);
  if (isZero(y)) return zero(f, negative !== below);
  product(f, y, log2(magnitude(x)));
}

function yLog2xPlus1(f: Float80, y: Value, x: Value): void {
  const negative = isNegative(y) !== isNegative(x);
  if (isInfinite(x)) return isZero(y) || isNegative(x) ? f.invalid() : infinity(f, negative);
  if (isZero(x)) return isInfinite(y) ? f.invalid() : zero(f, negative);
  if (isInfinite(y)) return infinity(f, negative);
  if (isZero(y)) return zero(f, negative);
  const m = magnitude(x);
  if (m.exponent < 0 || !isNegative(x)) return product(f, y, log2Plus1(m, isNegative(x)));
  f.flags |= PE;
  f.set(x.lo, x.hi, x.se);
}

function arc(f: Float80, y: Value, x: Value): void {
  const sign = signOf(isNegative(y)), left = isNegative(x);
  if (isInfinite(y)) return roundFixed(f, sign, quarterPi(isInfinite(x) ? (left ? 3 : 1) : 2));
  if (isZero(y) || isInfinite(x)) return left ? roundFixed(f, sign, quarterPi(4)) : f.set(0, 0, sign);
  if (isZero(x)) return roundFixed(f, sign, quarterPi(2));
  roundFixed(f, sign, arcTangent(magnitude(y), magnitude(x), left));
}

export const X87_MATH_HELPERS: Readonly<Record<string, Helper>> = {
  fsin: circular((v) => v.sine(), true),
  fcos: circular((v) => v.cosine(), false),
  fptan: circularPair("tangent"),
  fsincos: circularPair("sine"),
  f2xm1,
  fyl2x: popping(yLog2x),
  fyl2xp1: popping(yLog2xPlus1),
  fpatan: popping(arc),
};
