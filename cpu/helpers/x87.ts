/** Helpers of x87 data movement, arithmetic and comparison. Source: Intel SDM vol. 1, chapter 8, and vol. 2. */
import type { Insn } from "../insn.ts";
import { FLAG_A, FLAG_C, FLAG_O, FLAG_P, FLAG_S, FLAG_Z, STATE } from "../layout.ts";
import type { Helper, HelperContext } from "./api.ts";
import {
  C0,
  C1,
  C2,
  C3,
  classify,
  DE,
  DENORMAL,
  EXTENDED,
  FINITE,
  type Float80,
  IE,
  INFINITE,
  OE,
  PE,
  QNAN,
  SF,
  UE,
  ZE,
  ZERO_KIND,
} from "./float80.ts";
import {
  fromFloat32,
  fromFloat64,
  fromInt64,
  fromPackedDecimal,
  roundToInteger,
  toFloat32,
  toFloat64,
  toInteger,
  toPackedDecimal,
} from "./float80_convert.ts";
import { divide, extract, partialRemainder, scale, squareRoot } from "./float80_divide.ts";
import {
  comparisonBits,
  enter,
  finish,
  isEmpty,
  isMemory,
  load64,
  load80,
  memOperand,
  moveTop,
  note,
  noteData,
  pop,
  slot,
  stackUnderflow,
  stOperand,
  storeUnit,
  writeSt,
} from "./x87_stack.ts";

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

/** Widens the floating-point operand into the unit, without exceptions except what `fromFloat` finds. */
function loadReal(c: HelperContext, i: Insn, f: Float80): void {
  const op = memOperand(i), va = c.address(op);
  if (op.size === 4) fromFloat32(f, c.load32(va) | 0);
  else if (op.size === 8) {
    load64(c, va, f);
    fromFloat64(f, f.lo, f.hi);
  } else load80(c, va, f);
  noteData(c.ram, va);
}

/** As `loadReal` for an arithmetic operand: a signalling NaN stays one, so that the operation's own NaN rules see it. */
function loadArithmeticReal(c: HelperContext, i: Insn, f: Float80): void {
  loadReal(c, i, f);
  if (f.flags & IE) f.hi &= ~0x4000_0000;
  f.flags = f.flags & ~IE;
}

function loadInteger(c: HelperContext, i: Insn, f: Float80): void {
  const op = memOperand(i), va = c.address(op);
  if (op.size === 8) load64(c, va, f);
  else {
    f.lo = op.size === 2 ? (c.load16(va) << 16) >> 16 : c.load32(va) | 0;
    f.hi = f.lo >> 31;
  }
  fromInt64(f, f.lo, f.hi);
  noteData(c.ram, va);
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

// ---- loads

/** Pushes the unit's value; the flags are those of loading it. */
function push(c: HelperContext, i: Insn, f: Float80): void {
  const ram = c.ram;
  // An empty source (FLD ST(i)) goes before a full destination.
  if (!isEmpty(ram, 7) && (f.flags & SF) === 0) {
    f.invalid();
    f.flags = IE | SF | C1;
  }
  // An unmasked denormal in memory is reported, but loaded all the same.
  if (!finish(c, i, f) && f.flags & IE) return;
  moveTop(ram, -1);
  writeSt(ram, 0, f);
}

const fld: Helper = (c, i) => {
  const f = enter(c), ram = c.ram;
  if (isMemory(i)) {
    loadReal(c, i, f);
    return push(c, i, f);
  }
  const n = stOperand(i, 0);
  if (isEmpty(ram, n)) stackUnderflow(f);
  else {
    const a = slot(ram, n);
    f.set(ram.i32[a], ram.i32[a + 1], ram.i32[a + 2] & 0xffff);
  }
  push(c, i, f);
};

const fild: Helper = (c, i) => {
  const f = enter(c);
  loadInteger(c, i, f);
  push(c, i, f);
};

const fbld: Helper = (c, i) => {
  const f = enter(c), va = c.address(memOperand(i));
  c.loadBytes(va, f.prefix(10));
  fromPackedDecimal(f, f.bytes);
  noteData(c.ram, va);
  push(c, i, f);
};

/** Constants: exponent, high and low half rounded down, and whether the first dropped bit is set (SDM vol. 2, FLD1 ...). */
const constant = (se: number, hi: number, lo: number, roundsUp: boolean | undefined): Helper => (c, i) => {
  const f = enter(c);
  const up = roundsUp !== undefined && (f.rounding === 0 ? roundsUp : f.rounding === 2);
  f.set((lo + (up ? 1 : 0)) | 0, hi | 0, se);
  push(c, i, f);
};

// ---- stores

/** FST and FSTP to a register. */
function storeRegister(c: HelperContext, i: Insn, popping: boolean): void {
  const f = enter(c), ram = c.ram;
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else {
    const a = slot(ram, 0);
    f.set(ram.i32[a], ram.i32[a + 1], ram.i32[a + 2] & 0xffff);
  }
  if (!finish(c, i, f)) return;
  writeSt(ram, stOperand(i, 0), f);
  if (popping) pop(ram);
}

/** Unmasked exceptions that forbid to store into memory: there also overflow and underflow. */
const storeForbidden = (f: Float80): boolean => (f.flags & ~f.masks & (IE | OE | UE)) !== 0;

/** Stores `bytes` of the unit; a page fault leaves everything as it was. */
function storeMemory(c: HelperContext, i: Insn, f: Float80, va: number, bytes: number, popping: boolean): void {
  const forbidden = storeForbidden(f);
  if (forbidden) f.flags &= ~(PE | C1);
  else storeUnit(c, va, bytes, f);
  noteData(c.ram, va);
  finish(c, i, f);
  if (popping && !forbidden) pop(c.ram);
}

const store = (popping: boolean): Helper => (c, i) => {
  if (!isMemory(i)) return storeRegister(c, i, popping);
  const f = enter(c), ram = c.ram, op = memOperand(i), va = c.address(op);
  let lo = 0, hi = 0xc000_0000 | 0, se = 0xffff;
  if (isEmpty(ram, 0)) f.flags = IE | SF;
  else {
    const a = slot(ram, 0);
    lo = ram.i32[a];
    hi = ram.i32[a + 1];
    se = ram.i32[a + 2] & 0xffff;
  }
  if (op.size === 8) toFloat64(f, lo, hi, se);
  else if (op.size === 4) toFloat32(f, lo, hi, se);
  else f.set(lo, hi, se);
  storeMemory(c, i, f, va, op.size, popping);
};

const storeInteger = (popping: boolean, truncate: boolean): Helper => (c, i) => {
  const f = enter(c), ram = c.ram, op = memOperand(i), va = c.address(op), a = slot(ram, 0);
  if (isEmpty(ram, 0)) {
    // Any out-of-range value gives the indefinite.
    toInteger(f, 0, 0xc000_0000 | 0, 0xffff, op.size * 8, truncate);
    f.flags = IE | SF;
  } else toInteger(f, ram.i32[a], ram.i32[a + 1], ram.i32[a + 2] & 0xffff, op.size * 8, truncate);
  storeMemory(c, i, f, va, op.size, popping);
};

const fbstp: Helper = (c, i) => {
  const f = enter(c), ram = c.ram, va = c.address(memOperand(i)), a = slot(ram, 0);
  if (isEmpty(ram, 0)) {
    toPackedDecimal(f, 0, 0xc000_0000 | 0, 0xffff, f.bytes);
    f.flags = IE | SF;
  } else toPackedDecimal(f, ram.i32[a], ram.i32[a + 1], ram.i32[a + 2] & 0xffff, f.bytes);
  const forbidden = storeForbidden(f);
  if (!forbidden) c.storeBytes(va, f.prefix(10));
  noteData(ram, va);
  finish(c, i, f);
  if (!forbidden) pop(ram);
};

/** The undocumented FSTP that ignores an empty ST(0). */
const fstpnce: Helper = (c, i) => {
  const f = enter(c), ram = c.ram, a = slot(ram, 0);
  const empty = isEmpty(ram, 0);
  f.set(ram.i32[a], ram.i32[a + 1], ram.i32[a + 2] & 0xffff);
  finish(c, i, f);
  if (!empty) writeSt(ram, stOperand(i, 0), f);
  pop(ram);
};

// ---- moves between registers

const fxch: Helper = (c, i) => {
  const f = enter(c), ram = c.ram, n = stOperand(i, 0);
  const r = ram.i32, a = slot(ram, 0), b = slot(ram, n);
  if (isEmpty(ram, 0) || isEmpty(ram, n)) {
    // Masked response: an empty register becomes the default NaN, then they are exchanged.
    const emptyA = isEmpty(ram, 0), emptyB = isEmpty(ram, n);
    stackUnderflow(f);
    if (!finish(c, i, f)) return;
    if (emptyA) writeSt(ram, 0, f);
    if (emptyB) writeSt(ram, n, f);
  } else finish(c, i, f);
  for (let k = 0; k < 3; k++) {
    const t = r[a + k];
    r[a + k] = r[b + k];
    r[b + k] = t;
  }
};

type Condition = (r: Int32Array) => boolean;
const FLAG_C32 = (STATE + FLAG_C) >> 2, FLAG_P32 = (STATE + FLAG_P) >> 2, FLAG_Z32 = (STATE + FLAG_Z) >> 2;
const carry: Condition = (r) => r[FLAG_C32] !== 0;
const zero: Condition = (r) => (r[FLAG_Z32] | r[FLAG_Z32 + 1]) === 0;
/** Even parity of the low byte. */
const parity: Condition = (r) => {
  const b = r[FLAG_P32], n = b ^ (b >> 4);
  return (0x9669 >> (n & 15) & 1) !== 0;
};
const conditional = (condition: Condition, wanted: boolean): Helper => (c, i) => {
  const f = enter(c), ram = c.ram, n = stOperand(i, 1);
  if (isEmpty(ram, 0) || isEmpty(ram, n)) {
    stackUnderflow(f);
    if (finish(c, i, f)) writeSt(ram, 0, f);
    return;
  }
  finish(c, i, f, 0);
  if (condition(ram.i32) === wanted) {
    const a = slot(ram, n);
    f.set(ram.i32[a], ram.i32[a + 1], ram.i32[a + 2] & 0xffff);
    writeSt(ram, 0, f);
  }
};

// ---- comparison

/** Compares ST(0) with the unit's value (memory) or ST(n); -1, 0, 1, 2. An empty register is unordered. */
function compareWith(c: HelperContext, f: Float80, n: number | undefined, quiet: boolean): number {
  const ram = c.ram;
  if (isEmpty(ram, 0) || (n !== undefined && isEmpty(ram, n))) {
    f.flags = IE | SF;
    return 2;
  }
  const r = ram.i32, a = slot(ram, 0);
  if (n !== undefined) {
    const b = slot(ram, n);
    f.set(r[b], r[b + 1], r[b + 2] & 0xffff);
  }
  return f.compare(r[a], r[a + 1], r[a + 2] & 0xffff, f.lo, f.hi, f.se, quiet);
}

const ALL_CODES = C0 | C1 | C2 | C3;
const compare = (pops: number, quiet: boolean, integer = false): Helper => (c, i) => {
  const f = enter(c);
  let n: number | undefined;
  if (isMemory(i)) integer ? loadInteger(c, i, f) : loadArithmeticReal(c, i, f);
  else n = i.ops.length === 0 ? 1 : stOperand(i, i.ops.length - 1);
  const order = compareWith(c, f, n, quiet);
  if (f.flags & IE) f.flags &= ~DE;
  f.flags |= comparisonBits(order);
  if (!finish(c, i, f, ALL_CODES)) return;
  for (let k = 0; k < pops; k++) pop(c.ram);
};

/** Result into ZF, PF, CF; OF, SF, AF are cleared. */
const compareFlags = (pops: number, quiet: boolean): Helper => (c, i) => {
  const f = enter(c), r = c.ram.i32;
  const order = compareWith(c, f, stOperand(i, 1), quiet);
  const done = finish(c, i, f, f.flags & SF ? C1 : 0);
  r[FLAG_Z32] = order === 0 || order === 2 ? 0 : 1;
  r[FLAG_Z32 + 1] = 0;
  r[FLAG_P32] = order === 2 ? 0 : 1;
  r[FLAG_C32] = order === -1 || order === 2 ? 1 : 0;
  r[(STATE + FLAG_O) >> 2] = r[(STATE + FLAG_A) >> 2] = 0;
  r[(STATE + FLAG_S) >> 2] = r[((STATE + FLAG_S) >> 2) + 1] = 0;
  if (done && pops === 1) pop(c.ram);
};

const ftst: Helper = (c, i) => {
  const f = enter(c);
  f.set(0, 0, 0);
  const order = compareWith(c, f, undefined, false);
  f.flags |= comparisonBits(order);
  finish(c, i, f, ALL_CODES);
};

/** Codes C3 C2 C0 by kind of ST(0) (SDM vol. 2, FXAM); C1 = its sign. */
const fxam: Helper = (c, i) => {
  const f = enter(c), ram = c.ram, a = slot(ram, 0), se = ram.i32[a + 2] & 0xffff;
  const kind = classify(ram.i32[a], ram.i32[a + 1], se);
  f.flags = se & 0x8000 ? C1 : 0;
  if (isEmpty(ram, 0)) f.flags |= C3 | C0;
  else if (kind === FINITE) f.flags |= C2;
  else if (kind === ZERO_KIND) f.flags |= C3;
  else if (kind === DENORMAL) f.flags |= C3 | C2;
  else if (kind === INFINITE) f.flags |= C2 | C0;
  else if (kind === QNAN || kind === QNAN + 1) f.flags |= C0;
  finish(c, i, f, ALL_CODES);
};

/** FCHS and FABS: no exception but the stack's. */
const onSign = (sign: (se: number) => number): Helper => (c, i) => {
  const f = enter(c), ram = c.ram, a = slot(ram, 0);
  if (isEmpty(ram, 0)) stackUnderflow(f);
  else f.set(ram.i32[a], ram.i32[a + 1], sign(ram.i32[a + 2] & 0xffff));
  if (finish(c, i, f)) writeSt(ram, 0, f);
};

const nothing: Helper = (c, i) => {
  enter(c);
  note(c.ram, i);
};

export const X87_DATA_HELPERS: Readonly<Record<string, Helper>> = {
  ...Object.fromEntries(ARITHMETIC_HELPERS),
  fld,
  fild,
  fbld,
  fld1: constant(0x3fff, 0x8000_0000, 0, undefined),
  fldl2t: constant(0x4000, 0xd49a_784b, 0xcd1b_8afe, false),
  fldl2e: constant(0x3fff, 0xb8aa_3b29, 0x5c17_f0bb, true),
  fldpi: constant(0x4000, 0xc90f_daa2, 0x2168_c234, true),
  fldlg2: constant(0x3ffd, 0x9a20_9a84, 0xfbcf_f798, true),
  fldln2: constant(0x3ffe, 0xb172_17f7, 0xd1cf_79ab, true),
  fldz: constant(0, 0, 0, undefined),
  fst: store(false),
  fstp: store(true),
  fstpnce,
  fist: storeInteger(false, false),
  fistp: storeInteger(true, false),
  fisttp: storeInteger(true, true),
  fbstp,
  fxch,
  fcmovb: conditional(carry, true),
  fcmovnb: conditional(carry, false),
  fcmove: conditional(zero, true),
  fcmovne: conditional(zero, false),
  fcmovbe: conditional((r) => carry(r) || zero(r), true),
  fcmovnbe: conditional((r) => carry(r) || zero(r), false),
  fcmovu: conditional(parity, true),
  fcmovnu: conditional(parity, false),
  fcom: compare(0, false),
  fcomp: compare(1, false),
  fcompp: compare(2, false),
  ficom: compare(0, false, true),
  ficomp: compare(1, false, true),
  fucom: compare(0, true),
  fucomp: compare(1, true),
  fucompp: compare(2, true),
  fcomi: compareFlags(0, false),
  fcomip: compareFlags(1, false),
  fucomi: compareFlags(0, true),
  fucomip: compareFlags(1, true),
  ftst,
  fxam,
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
  fnop: nothing,
};
