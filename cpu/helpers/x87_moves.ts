/** Helpers of x87 loads, stores and moves between registers. Source: Intel SDM vol. 1, 8.3, and vol. 2. */
import type { Insn } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { C1, type Float80, IE, OE, PE, SF, UE } from "./float80.ts";
import { fromPackedDecimal, toFloat32, toFloat64, toInteger, toPackedDecimal } from "./float80_convert.ts";
import { loadInteger, loadReal } from "./x87_operands.ts";
import {
  enter,
  finish,
  FLAG_C32,
  FLAG_P32,
  FLAG_Z32,
  isEmpty,
  isMemory,
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
  if (forbidden) {
    c.checkWrite(va, bytes);
    f.flags &= ~(PE | C1);
  } else storeUnit(c, va, bytes, f);
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
  if (forbidden) c.checkWrite(va, 10);
  else c.storeBytes(va, f.prefix(10));
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

const nothing: Helper = (c, i) => {
  enter(c);
  note(c.ram, i);
};

export const X87_MOVE_HELPERS: Readonly<Record<string, Helper>> = {
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
  fnop: nothing,
};
