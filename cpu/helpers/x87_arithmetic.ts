/** Helpers of x87 arithmetic. Source: Intel SDM vol. 1, chapter 8, and vol. 2. */
import type { Insn } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { C0, C1, C2, C3, DE, EXTENDED, type Float80, IE, ZE } from "./float80.ts";
import { roundToInteger } from "./float80_convert.ts";
import { divide, extract, partialRemainder, scale, squareRoot } from "./float80_divide.ts";
import { loadArithmeticReal, loadInteger } from "./x87_operands.ts";
import { enter, finish, isEmpty, isMemory, moveTop, pop, slot, stackUnderflow, stOperand, writeSt } from "./x87_stack.ts";

// ---- arithmetic with two operands

type Binary = (f: Float80, alo: number, ahi: number, ase: number, blo: number, bhi: number, bse: number) => void;
const add: Binary = (f, alo, ahi, ase, blo, bhi, bse) => f.add(alo, ahi, ase, blo, bhi, bse);
const sub: Binary = (f, alo, ahi, ase, blo, bhi, bse) => f.sub(alo, ahi, ase, blo, bhi, bse);
const mul: Binary = (f, alo, ahi, ase, blo, bhi, bse) => f.mul(alo, ahi, ase, blo, bhi, bse);
const subr: Binary = (f, alo, ahi, ase, blo, bhi, bse) => f.sub(blo, bhi, bse, alo, ahi, ase);
const divr: Binary = (f, alo, ahi, ase, blo, bhi, bse) => divide(f, blo, bhi, bse, alo, ahi, ase);
const ARITHMETIC: Record<string, Binary> = { add, sub, mul, subr, div: divide, divr };

/** ST(d) = ST(d) op ST(s), then an optional pop. */
function registers(apply: Binary, c: HelperContext, i: Insn, popping: boolean): void {
  const f = enter(c), ram = c.ram, d = stOperand(i, 0), s = stOperand(i, 1);
  if (isEmpty(ram, d) || isEmpty(ram, s)) stackUnderflow(f);
  else {
    const r = ram.i32, a = slot(ram, d), b = slot(ram, s);
    apply(f, r[a], r[a + 1], r[a + 2] & 0xffff, r[b], r[b + 1], r[b + 2] & 0xffff);
  }
  if (!finish(c, i, f)) return;
  writeSt(ram, d, f);
  if (popping) pop(ram);
}

/** ST(0) = ST(0) op the unit's current value, which came from memory. */
function withMemory(apply: Binary, c: HelperContext, i: Insn, f: Float80): void {
  const ram = c.ram;
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else {
    const r = ram.i32, a = slot(ram, 0);
    apply(f, r[a], r[a + 1], r[a + 2] & 0xffff, f.lo, f.hi, f.se);
    // Widening has noted a denormal in memory, which does not count beside a NaN, an invalid operation or a division by zero.
    if (f.flags & (IE | ZE) || ((f.se & 0x7fff) === 0x7fff && (f.hi << 1 | f.lo) !== 0)) f.flags &= ~DE;
  }
  if (finish(c, i, f)) writeSt(ram, 0, f);
}

const arithmetic = (apply: Binary): Helper => (c, i) => {
  if (!isMemory(i)) return registers(apply, c, i, false);
  const f = enter(c);
  loadArithmeticReal(c, i, f);
  withMemory(apply, c, i, f);
};
const arithmeticPop = (apply: Binary): Helper => (c, i) => registers(apply, c, i, true);
const arithmeticInteger = (apply: Binary): Helper => (c, i) => {
  const f = enter(c);
  loadInteger(c, i, f);
  withMemory(apply, c, i, f);
};
const ARITHMETIC_HELPERS: [string, Helper][] = Object.entries(ARITHMETIC).flatMap(([name, apply]) => [
  [`f${name}`, arithmetic(apply)],
  [`f${name}p`, arithmeticPop(apply)],
  [`fi${name}`, arithmeticInteger(apply)],
]);

// ---- arithmetic on ST(0), possibly with ST(1)

type Unary = (f: Float80, lo: number, hi: number, se: number) => void;
const unary = (apply: Unary): Helper => (c, i) => {
  const f = enter(c), ram = c.ram;
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else {
    const r = ram.i32, a = slot(ram, 0);
    apply(f, r[a], r[a + 1], r[a + 2] & 0xffff);
  }
  if (finish(c, i, f)) writeSt(ram, 0, f);
};
/** `codes`: condition bits defined; ST(1) is kept. */
const withSt1 = (apply: Binary, codes: number): Helper => (c, i) => {
  const f = enter(c), ram = c.ram;
  if (isEmpty(ram, 0) || isEmpty(ram, 1)) stackUnderflow(f);
  else {
    const r = ram.i32, a = slot(ram, 0), b = slot(ram, 1);
    apply(f, r[a], r[a + 1], r[a + 2] & 0xffff, r[b], r[b + 1], r[b + 2] & 0xffff);
  }
  // Without a quotient (invalid, or a NaN) C0 and C3 stay.
  const none = f.flags & IE || f.stops() || ((f.se & 0x7fff) === 0x7fff && (f.hi << 1 | f.lo) !== 0);
  if (none) f.flags &= ~(C0 | C2 | C3);
  if (finish(c, i, f, none ? codes & (C1 | C2) : codes)) writeSt(ram, 0, f);
};
const remainder = (nearest: boolean): Helper =>
  withSt1((f, alo, ahi, ase, blo, bhi, bse) => partialRemainder(f, alo, ahi, ase, blo, bhi, bse, nearest), C0 | C1 | C2 | C3);

/** FXTRACT: the exponent replaces ST(0), the significand is pushed. */
const fxtract: Helper = (c, i) => {
  const f = enter(c), ram = c.ram;
  const underflow = isEmpty(ram, 0), overflow = !isEmpty(ram, 7);
  if (underflow || overflow) {
    stackUnderflow(f);
    if (!underflow) f.flags |= C1;
    if (!finish(c, i, f)) return;
    writeSt(ram, 0, f);
    moveTop(ram, -1);
    writeSt(ram, 0, f);
    return;
  }
  const r = ram.i32, a = slot(ram, 0), lo = r[a], hi = r[a + 1], se = r[a + 2] & 0xffff;
  extract(f, lo, hi, se, "exponent");
  if (!finish(c, i, f)) return;
  writeSt(ram, 0, f);
  f.begin(0x37f);
  extract(f, lo, hi, se, "significand");
  moveTop(ram, -1);
  writeSt(ram, 0, f);
};

/** FCHS and FABS: no exception but the stack's. */
const onSign = (sign: (se: number) => number): Helper => (c, i) => {
  const f = enter(c), ram = c.ram, a = slot(ram, 0);
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else f.set(ram.i32[a], ram.i32[a + 1], sign(ram.i32[a + 2] & 0xffff));
  if (finish(c, i, f)) writeSt(ram, 0, f);
};

export const X87_ARITHMETIC_HELPERS: Readonly<Record<string, Helper>> = {
  ...Object.fromEntries(ARITHMETIC_HELPERS),
  fchs: onSign((se) => se ^ 0x8000),
  fabs: onSign((se) => se & 0x7fff),
  fsqrt: unary(squareRoot),
  frndint: unary((f, lo, hi, se) => {
    f.precision = EXTENDED;
    roundToInteger(f, lo, hi, se);
  }),
  fscale: withSt1(scale, C1),
  fxtract,
  fprem: remainder(false),
  fprem1: remainder(true),
};
