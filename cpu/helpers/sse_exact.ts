/**
 * Floating-point instructions of SSE and AVX with every mode and flag of MXCSR, one element at a time. The interpreter comes here when the fast
 * code could give other results, or when the program can see which exceptions there have been (docs/cpu.md).
 */
import type { Insn, MemOperand, Operand } from "../insn.ts";
import { AF, CF, FP_BUDGET, GPR, MXCSR, OF, PF, SF, ST, STATE, VEC, X87_SW, X87_TAG, XMM, YMM_HIGH, ZF } from "../layout.ts";
import { FLAGS_UNKNOWN, loadMxcsr, MXCSR_BITS } from "../mxcsr.ts";
import type { Helper, HelperContext } from "./api.ts";
import { baseOf, usesHigh } from "./avx.ts";
import { Arithmetic, DOUBLE, EARLY, type Format, HALF, PE, SINGLE } from "./ieee.ts";
import { QUICK, type Quick, type QuickOperation } from "./sse_quick.ts";

/** Where an operand's bytes are: a register (two places), or read from memory. */
class Vector {
  readonly bytes = new Uint8Array(32);
  readonly #view = new DataView(this.bytes.buffer);
  get(size: number, n: number): bigint {
    switch (size) {
      case 2:
        return BigInt(this.#view.getUint16(2 * n, true));
      case 4:
        return BigInt(this.#view.getUint32(4 * n, true));
      default:
        return this.#view.getBigUint64(8 * n, true);
    }
  }
  put(size: number, n: number, value: bigint): void {
    if (size === 2) this.#view.setUint16(2 * n, Number(value), true);
    else if (size === 4) this.#view.setUint32(4 * n, Number(value), true);
    else this.#view.setBigUint64(8 * n, value, true);
  }
}

/** An instruction while it is carried out. */
interface Work {
  readonly c: HelperContext;
  readonly i: Insn;
  readonly a: Vector;
  readonly b: Vector;
  readonly out: Vector;
  readonly math: Arithmetic;
  readonly imm: number;
  /** Bytes of the vectors: 16 or 32. */
  readonly bytes: number;
  readonly dst: Operand;
}

const isImm = (op: Operand): boolean => op.kind === "imm";

function load(c: HelperContext, op: Operand, aligned: boolean, into: Vector): void {
  const { u8 } = c.ram;
  if (op.kind === "xmm") {
    into.bytes.set(u8.subarray(STATE + XMM + 16 * op.n, STATE + XMM + 16 * op.n + 16));
    into.bytes.set(u8.subarray(STATE + YMM_HIGH + 16 * op.n, STATE + YMM_HIGH + 16 * op.n + 16), 16);
  } else if (op.kind === "mmx") {
    into.bytes.set(u8.subarray(STATE + ST + 16 * op.n, STATE + ST + 16 * op.n + 8));
  } else if (op.kind === "reg") {
    into.bytes.set(u8.subarray(STATE + GPR + 8 * op.n, STATE + GPR + 8 * op.n + 8));
  } else if (op.kind === "mem") {
    const va = c.address(op);
    if (aligned && op.size === 16 && misaligned(c, op)) c.raise(VEC.GP, 0);
    c.loadBytes(va, into.bytes.subarray(0, op.size));
  }
}

/** Exact where the number `address` gives is rounded because it is not canonical: #GP comes before #SS. */
function misaligned(c: HelperContext, m: MemOperand): boolean {
  const { offset, segment } = baseOf(c, m);
  return ((offset + segment) & 15n) !== 0n;
}

/** MMX instructions make all registers valid and TOP 0 (SDM vol. 1, 9.5.1). */
function enterMmx(c: HelperContext): void {
  c.ram.u8[STATE + X87_TAG] = 0xff;
  c.ram.u16[(STATE + X87_SW) >> 1] &= 0xc7ff;
}

/** Adds the exceptions to MXCSR; raises #XM when one of them is not masked. */
export function signal(c: HelperContext, flags: number): void {
  const { u32 } = c.ram, at = (STATE + MXCSR) >> 2, enabled = ~(u32[at] >> 7) & 0x3f;
  const early = flags & EARLY;
  if (early & enabled) {
    u32[at] |= early;
    c.raise(VEC.XM, 0);
  }
  u32[at] |= flags;
  if (flags & enabled) c.raise(VEC.XM, 0);
}

/** Counts down what a fresh context may do exactly before nobody is assumed to look at its flags. */
function spend(c: HelperContext): void {
  const { i32 } = c.ram, at = (STATE + FP_BUDGET) >> 2;
  if (i32[at] === 0 || --i32[at] > 0) return;
  i32[(STATE + MXCSR) >> 2] |= FLAGS_UNKNOWN;
}

function store(w: Work): void {
  const { c: { ram: { u8 } }, dst, out, bytes, i } = w;
  if (dst.kind === "mem") return w.c.storeBytes(w.c.address(dst), out.bytes.subarray(0, dst.size));
  if (dst.kind === "mmx") {
    enterMmx(w.c);
    u8.set(out.bytes.subarray(0, 8), STATE + ST + 16 * dst.n);
    u8.fill(0xff, STATE + ST + 16 * dst.n + 8, STATE + ST + 16 * dst.n + 10);
  } else if (dst.kind === "reg") {
    u8.set(out.bytes.subarray(0, 8), STATE + GPR + 8 * dst.n);
  } else if (dst.kind === "xmm") {
    u8.set(out.bytes.subarray(0, 16), STATE + XMM + 16 * dst.n);
    if (i.name[0] !== "v") return;
    if (bytes === 16) out.bytes.fill(0, 16);
    else usesHigh(w.c);
    u8.set(out.bytes.subarray(16), STATE + YMM_HIGH + 16 * dst.n);
  }
}

type Body = (w: Work) => void;
const FORMATS: Readonly<Record<string, Format>> = { s: SINGLE, d: DOUBLE };
/** Elements worked on: one for scalar instructions. */
const count = (w: Work, f: Format, scalar: boolean): number => scalar ? 1 : w.bytes / f.bytes;

/** The rest of a scalar's destination comes from the first source. */
function merge(w: Work, scalar: boolean): void {
  if (scalar) w.out.bytes.set(w.a.bytes.subarray(0, 16));
}
const elementwise = (f: Format, scalar: boolean, op: (w: Work, a: bigint, b: bigint, n: number) => bigint): Body => (w) => {
  merge(w, scalar);
  for (let n = 0; n < count(w, f, scalar); n++) w.out.put(f.bytes, n, op(w, w.a.get(f.bytes, n), w.b.get(f.bytes, n), n));
};

/** SDM vol. 2, CMPPD: is the relation true for less, equal, greater, unordered; and do quiet NaNs signal? */
const RELATIONS: readonly (readonly [less: boolean, equal: boolean, greater: boolean, unordered: boolean])[] = [
  [false, true, false, false],
  [true, false, false, false],
  [true, true, false, false],
  [false, false, false, true],
  [true, false, true, true],
  [false, true, true, true],
  [false, false, true, true],
  [true, true, true, false],
  [false, true, false, true],
  [true, false, false, true],
  [true, true, false, true],
  [false, false, false, false],
  [true, false, true, false],
  [false, true, true, false],
  [false, false, true, false],
  [true, true, true, true],
];
const signalsQuiet = (predicate: number): boolean =>
  [1, 2, 5, 6, 9, 10, 13, 14].includes(predicate & 15) !== ((predicate & 16) !== 0);
const compareElement = (f: Format) => (w: Work, a: bigint, b: bigint): bigint => {
  const predicate = w.imm & (w.i.name[0] === "v" ? 31 : 7), order = w.math.compare(f, a, b, signalsQuiet(predicate));
  return RELATIONS[predicate & 15][order === undefined ? 3 : order + 1] ? (f.sign << 1n) - 1n : 0n;
};
const compareFlags = (f: Format, signals: boolean): Body => (w) => {
  const order = w.math.compare(f, w.a.get(f.bytes, 0), w.b.get(f.bytes, 0), signals);
  const set = order === undefined ? ZF | PF | CF : order < 0 ? CF : order === 0 ? ZF : 0;
  signal(w.c, w.math.flags);
  w.c.setFlags((w.c.getFlags() & ~(CF | PF | AF | ZF | SF | OF)) | set);
};

/** Neighbours of each 128 bits of a, then of b. */
const horizontal = (f: Format, subtract: boolean): Body => (w) => {
  const half = 8 / f.bytes;
  for (let n = 0; n < w.bytes / f.bytes; n++) {
    const lane = Math.floor(n / (2 * half)), within = n % (2 * half), from = within < half ? w.a : w.b;
    const at = lane * 2 * half + 2 * (within % half);
    w.out.put(f.bytes, n, w.math.add(f, from.get(f.bytes, at), from.get(f.bytes, at + 1), subtract));
  }
};
/** Exceptions of the multiplications and of each addition follow one another: an unmasked one stops before the next step. */
const dot = (f: Format): Body => (w) => {
  const lanes = 16 / f.bytes, { math } = w;
  const step = (op: (n: number) => void, n: number) => {
    for (let k = 0; k < n; k++) op(k);
    signal(w.c, math.flags);
  };
  const halves = w.bytes / 16, products: bigint[] = [], sums: bigint[] = [];
  step((k) => {
    const n = Math.floor(k / lanes) * lanes + k % lanes;
    products[k] = (w.imm >> (4 + k % lanes)) & 1 ? math.mul(f, w.a.get(f.bytes, n), w.b.get(f.bytes, n)) : 0n;
  }, halves * lanes);
  step((k) => void (sums[k] = math.add(f, products[2 * k], products[2 * k + 1], false)), halves * lanes / 2);
  if (lanes === 4) step((k) => void (sums[k] = math.add(f, sums[2 * k], sums[2 * k + 1], false)), halves);
  for (let k = 0; k < halves * lanes; k++) {
    w.out.put(f.bytes, k, (w.imm >> k % lanes) & 1 ? sums[Math.floor(k / lanes)] : 0n);
  }
};

const ORDERS: Readonly<Record<string, readonly [number, number, number]>> = {
  "132": [0, 2, 1],
  "213": [1, 0, 2],
  "231": [1, 2, 0],
};
const fused = (f: Format, scalar: boolean, kind: string, order: string): Body => (w) => {
  const old = new Vector(), [x, y, z] = ORDERS[order];
  load(w.c, w.dst, false, old);
  const all = [old, w.a, w.b];
  if (scalar) w.out.bytes.set(old.bytes.subarray(0, 16));
  for (let n = 0; n < count(w, f, scalar); n++) {
    const minus = kind === "fmaddsub" ? n % 2 === 0 : kind === "fmsubadd" ? n % 2 === 1 : kind.endsWith("sub");
    const [a, b, c] = [x, y, z].map((k) => all[k].get(f.bytes, n));
    w.out.put(f.bytes, n, w.math.fma(f, a, b, c, kind.startsWith("fn"), minus));
  }
};

/** Conversions: number of elements, source and result. */
const elements = (from: number, to: number, n: (w: Work) => number, convert: (w: Work, x: bigint) => bigint): Body => (w) => {
  for (let k = 0; k < n(w); k++) w.out.put(to, k, convert(w, w.b.get(from, k)));
};
const signed = (size: number, x: bigint): bigint => BigInt.asIntN(8 * size, x);
const BETWEEN = { daz: true, ftz: true, denormals: true };
const half = (w: Work): number => w.bytes / 8;
const whole = (w: Work): number => w.bytes / 4;
const CONVERSIONS: Readonly<Record<string, Body>> = {
  cvtdq2ps: elements(4, 4, whole, (w, x) => w.math.fromInteger(SINGLE, signed(4, x))),
  cvtdq2pd: elements(4, 8, half, (w, x) => w.math.fromInteger(DOUBLE, signed(4, x))),
  cvtps2dq: elements(4, 4, whole, (w, x) => w.math.toInteger(SINGLE, x, 32, false)),
  cvttps2dq: elements(4, 4, whole, (w, x) => w.math.toInteger(SINGLE, x, 32, true)),
  cvtpd2dq: elements(8, 4, half, (w, x) => w.math.toInteger(DOUBLE, x, 32, false)),
  cvttpd2dq: elements(8, 4, half, (w, x) => w.math.toInteger(DOUBLE, x, 32, true)),
  cvtps2pd: elements(4, 8, half, (w, x) => w.math.convert(SINGLE, DOUBLE, x, BETWEEN)),
  cvtpd2ps: elements(8, 4, half, (w, x) => w.math.convert(DOUBLE, SINGLE, x, BETWEEN)),
  cvtps2pi: elements(4, 4, () => 2, (w, x) => w.math.toInteger(SINGLE, x, 32, false)),
  cvttps2pi: elements(4, 4, () => 2, (w, x) => w.math.toInteger(SINGLE, x, 32, true)),
  cvtpd2pi: elements(8, 4, () => 2, (w, x) => w.math.toInteger(DOUBLE, x, 32, false)),
  cvttpd2pi: elements(8, 4, () => 2, (w, x) => w.math.toInteger(DOUBLE, x, 32, true)),
  cvtpi2ps: (w) => {
    w.out.bytes.set(w.a.bytes.subarray(0, 16));
    elements(4, 4, () => 2, (work, x) => work.math.fromInteger(SINGLE, signed(4, x)))(w);
  },
  cvtpi2pd: elements(4, 8, () => 2, (w, x) => w.math.fromInteger(DOUBLE, signed(4, x))),
  cvtph2ps: elements(2, 4, whole, (w, x) => w.math.convert(HALF, SINGLE, x, { daz: false, ftz: false, denormals: false })),
  cvtps2ph: (w) => {
    const math = w.imm & 4 ? w.math : new Arithmetic((w.math.mxcsr & ~0x6000) | (w.imm & 3) << 13);
    for (let k = 0; k < w.bytes / 4; k++) {
      w.out.put(2, k, math.convert(SINGLE, HALF, w.b.get(4, k), { daz: true, ftz: false, denormals: true }));
    }
    w.math.flags |= math.flags;
  },
};
/** Scalar conversions: the rest of the destination comes from the first source. */
function scalarConversion(name: string): Body | undefined {
  const general = /^cvt(t?)s([sd])2si$/.exec(name);
  if (general) {
    const f = FORMATS[general[2]], truncates = general[1] === "t";
    return (w) =>
      w.out.put(8, 0, w.math.toInteger(f, w.b.get(f.bytes, 0), w.dst.kind === "reg" && w.dst.size === 8 ? 64 : 32, truncates));
  }
  const result = /^cvts(i|s|d)2s([sd])$/.exec(name);
  if (!result) return undefined;
  const to = FORMATS[result[2]], from = FORMATS[result[1]];
  return (w) => {
    merge(w, true);
    const source = sourceOf(w.i), size = source.kind === "reg" || source.kind === "mem" ? source.size : 4;
    w.out.put(
      to.bytes,
      0,
      from ? w.math.convert(from, to, w.b.get(from.bytes, 0), BETWEEN) : w.math.fromInteger(to, signed(size, w.b.get(size, 0))),
    );
  };
}

/** Source operand: the last one that is no immediate. */
const sourceOf = (i: Insn): Operand => i.ops.findLast((op) => !isImm(op))!;

function bodyOf(name: string): Body {
  const found = CONVERSIONS[name] ?? scalarConversion(name);
  if (found) return found;
  const fma = /^(fn?m\w+?)(132|213|231)([ps])([sd])$/.exec(name);
  if (fma) return fused(FORMATS[fma[4]], fma[3] === "s", fma[1], fma[2]);
  const parts = /^(\w+?)([ps])([sd])$/.exec(name), f = FORMATS[parts?.[3] ?? ""];
  if (!parts || !f) throw new Error(`No exact form of ${name}`);
  const scalar = parts[2] === "s";
  switch (parts[1]) {
    case "add":
    case "sub":
      return elementwise(f, scalar, (w, a, b) => w.math.add(f, a, b, parts[1] === "sub"));
    case "addsub":
      return elementwise(f, scalar, (w, a, b, n) => w.math.add(f, a, b, n % 2 === 0));
    case "mul":
      return elementwise(f, scalar, (w, a, b) => w.math.mul(f, a, b));
    case "div":
      return elementwise(f, scalar, (w, a, b) => w.math.div(f, a, b));
    case "min":
    case "max":
      return elementwise(f, scalar, (w, a, b) => w.math.extreme(f, a, b, parts[1] === "max"));
    case "sqrt":
      return elementwise(f, scalar, (w, _, b) => w.math.sqrt(f, b));
    case "round":
      return elementwise(f, scalar, (w, _, b) => w.math.roundToIntegral(f, b, w.imm));
    case "cmp":
      return elementwise(f, scalar, compareElement(f));
    case "hadd":
    case "hsub":
      return horizontal(f, parts[1] === "hsub");
    case "dp":
      return dot(f);
    case "comi":
    case "ucomi":
      return compareFlags(f, parts[1] === "comi");
    default:
      throw new Error(`No exact form of ${name}`);
  }
}
const BODIES = new Map<string, Body>();

const RESULT: Quick = { value: 0, inexact: false };
/** Address of an operand's bytes in RAM. */
function placeOf(c: HelperContext, op: Operand): number {
  if (op.kind === "xmm") return STATE + XMM + 16 * op.n;
  return op.kind === "mem" ? c.readAt(c.address(op), op.size) : 0;
}
/** Common scalar arithmetic; false: nothing has been done. */
function quick(c: HelperContext, i: Insn, operation: QuickOperation): boolean {
  const { view, u32, u8 } = c.ram, field = (STATE + MXCSR) >> 2, { ops } = i;
  // Rounding to nearest, a masked precision exception; denormals do not come up.
  if ((u32[field] & 0x7000) !== 0x1000) return false;
  const dst = ops[0], first = ops[ops.length - 2], double = i.name.endsWith("d");
  if (dst.kind !== "xmm") return false;
  const source = placeOf(c, ops[ops.length - 1]), from = placeOf(c, first), to = placeOf(c, dst);
  const b = double ? view.getFloat64(source, true) : view.getFloat32(source, true);
  const a = double ? view.getFloat64(from, true) : view.getFloat32(from, true);
  if (!operation(a, b, RESULT)) return false;
  if (i.name[0] === "v") {
    if (from !== to) u8.copyWithin(to, from, from + 16);
    u8.fill(0, STATE + YMM_HIGH + 16 * dst.n, STATE + YMM_HIGH + 16 * dst.n + 16);
  }
  if (double) view.setFloat64(to, RESULT.value, true);
  else view.setFloat32(to, RESULT.value, true);
  if (RESULT.inexact) u32[field] |= PE;
  return true;
}

const exact: Helper = (c, i) => {
  const fast = QUICK[i.name[0] === "v" ? i.name.slice(1) : i.name];
  if (fast && quick(c, i, fast)) return spend(c);
  const vex = i.name[0] === "v", name = vex ? i.name.slice(1) : i.name;
  let body = BODIES.get(name);
  if (!body) BODIES.set(name, body = bodyOf(name));
  const operands = i.ops.filter((op) => !isImm(op)), dst = operands[0], source = operands[operands.length - 1];
  const immediate = i.ops[i.ops.length - 1];
  const wide = operands.some((op) => (op.kind === "xmm" || op.kind === "mem") && op.size === 32);
  const work: Work = {
    c,
    i,
    a: new Vector(),
    b: new Vector(),
    out: new Vector(),
    math: new Arithmetic(c.ram.u32[(STATE + MXCSR) >> 2]),
    imm: immediate.kind === "imm" ? Number(immediate.value & 0xffn) : 0,
    bytes: wide ? 32 : 16,
    dst,
  };
  // Memory first: it may fault.
  load(c, source, !vex, work.b);
  if (source.kind === "mmx" || dst.kind === "mmx") enterMmx(c);
  const first = operands.length > 2 ? operands[1] : dst;
  if (first.kind === "xmm") load(c, first, false, work.a);
  if (dst.kind === "mem") c.checkWrite(c.address(dst), dst.size);
  body(work);
  if (name.includes("comi")) return spend(c);
  signal(c, work.math.flags);
  store(work);
  spend(c);
};

const ldmxcsr: Helper = (c, i) => {
  const [source] = i.ops;
  if (source.kind !== "mem") return;
  const value = c.load32(c.address(source));
  if (value & ~MXCSR_BITS) c.raise(VEC.GP, 0);
  loadMxcsr(c.ram.u32, STATE, value);
};

export const SSE_EXACT_HELPERS: Readonly<Record<string, Helper>> = { sse_exact: exact, ldmxcsr };
