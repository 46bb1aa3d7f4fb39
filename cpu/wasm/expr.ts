/**
 * Pure expression trees over WebAssembly operations: what instruction semantics compute with. A tree is emitted where it is used;
 * `Sem.let` binds one to a local so that it is evaluated once. Leaves are constants and *immutable* locals, so a tree means the same
 * wherever it is emitted.
 */
import { SCALAR_OPS } from "./ops.ts";
import { SIMD_OPS } from "./simd_ops.ts";

export const OPS = { ...SCALAR_OPS, ...SIMD_OPS };
export type WasmOp = keyof typeof OPS;
export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

/**
 * Inner nodes (`OpExpr`, `SelectExpr`, `LoadExpr`) have the same properties in the same order, whatever they need of them: the engine gives them one
 * shape, and code that looks at any expression stays fast.
 */
interface Inner {
  readonly type: ValType;
  /** Opcode in the notation of the tables. */
  readonly code: number;
  readonly a: Expr;
  readonly b: Expr | undefined;
  readonly c: Expr | undefined;
  /** Immediate bytes (lanes). */
  readonly imm: readonly number[];
  readonly offset: number;
}
export interface OpExpr extends Inner {
  readonly kind: "op";
  readonly op: WasmOp;
}
export interface LocalExpr {
  kind: "local";
  type: ValType;
  index: number;
}
export interface ConstExpr {
  readonly kind: "const";
  readonly type: ValType;
  /** i32/i64: signed value; f32/f64: the number's bits, unsigned; v128: 128 bits, lane 0 lowest. NaN when it is no safe integer: see `big`. */
  readonly n: number;
  readonly big: bigint | undefined;
}
export interface SelectExpr extends Inner {
  readonly kind: "select";
  /** "choose" is emitted as a branch: only the chosen arm is evaluated, `a` is the likely one. */
  readonly op: "select" | "choose";
  /** Value when `c` is true. */
  readonly a: Expr;
  /** Value when `c` is false. */
  readonly b: Expr;
  readonly c: Expr;
}
/** Load from a *linear* address `a` known to be valid (CPU state, translated address). */
export interface LoadExpr extends Inner {
  readonly kind: "load";
  readonly op: LoadOp;
}
/** Call of a function of the CPU's runtime module (cpu/runtime.ts), by name. */
export interface CallExpr {
  readonly kind: "call";
  readonly type: ValType;
  readonly fn: string;
  readonly args: readonly Expr[];
}
export type Expr = OpExpr | LocalExpr | ConstExpr | SelectExpr | LoadExpr | CallExpr;

/** Loads and stores: name -> [opcode, value type, bytes]. */
export const LOADS = {
  "i32.load": [0x28, "i32", 4],
  "i64.load": [0x29, "i64", 8],
  "f32.load": [0x2a, "f32", 4],
  "f64.load": [0x2b, "f64", 8],
  "i32.load8_s": [0x2c, "i32", 1],
  "i32.load8_u": [0x2d, "i32", 1],
  "i32.load16_s": [0x2e, "i32", 2],
  "i32.load16_u": [0x2f, "i32", 2],
  "i64.load32_u": [0x35, "i64", 4],
  "i64.load32_s": [0x34, "i64", 4],
  "v128.load": [0xfd000, "v128", 16],
  "v128.load32_zero": [0xfd05c, "v128", 4],
  "v128.load64_zero": [0xfd05d, "v128", 8],
} as const satisfies Record<string, readonly [number, ValType, number]>;
export type LoadOp = keyof typeof LOADS;
export const STORES = {
  "i32.store": [0x36, "i32", 4],
  "i64.store": [0x37, "i64", 8],
  "f32.store": [0x38, "f32", 4],
  "f64.store": [0x39, "f64", 8],
  "i32.store8": [0x3a, "i32", 1],
  "i32.store16": [0x3b, "i32", 2],
  "i64.store32": [0x3e, "i64", 4],
  "v128.store": [0xfd00b, "v128", 16],
} as const satisfies Record<string, readonly [number, ValType, number]>;
export type StoreOp = keyof typeof STORES;

const LETTER: Record<string, ValType> = { i: "i32", l: "i64", f: "f32", d: "f64", v: "v128" };
const NO_LANES: readonly number[] = [];

/** How constants and known values simplify an operation; enough to keep generated code small. The engine folds the rest. */
const enum Fold {
  None,
  Wrap,
  ExtendUnsigned,
  ExtendSigned,
  /** `x op 0` is x. */
  Additive,
  And,
  Add,
  Sub,
  Or,
}
const FOLDS: Partial<Record<WasmOp, Fold>> = {
  "i32.wrap_i64": Fold.Wrap,
  "i64.extend_i32_u": Fold.ExtendUnsigned,
  "i64.extend_i32_s": Fold.ExtendSigned,
  "i32.add": Fold.Add,
  "i64.add": Fold.Add,
  "i32.sub": Fold.Sub,
  "i64.sub": Fold.Sub,
  "i32.and": Fold.And,
  "i64.and": Fold.And,
  "i32.or": Fold.Or,
  "i64.or": Fold.Or,
  "i32.xor": Fold.Additive,
  "i64.xor": Fold.Additive,
  "i32.shl": Fold.Additive,
  "i64.shl": Fold.Additive,
  "i32.shr_u": Fold.Additive,
  "i64.shr_u": Fold.Additive,
};

interface Operation {
  readonly op: WasmOp;
  readonly code: number;
  readonly type: ValType;
  readonly fold: Fold;
}
const OPERATIONS = new Map<WasmOp, Operation>();
/** Made when it is asked for first: programs that run little are never translated. */
function operationOf(op: WasmOp): Operation {
  let known = OPERATIONS.get(op);
  if (known === undefined) {
    const [code, signature] = OPS[op];
    known = { op, code, type: LETTER[signature[signature.indexOf(">") + 1]], fold: FOLDS[op] ?? Fold.None };
    OPERATIONS.set(op, known);
  }
  return known;
}

/** Builds the application of a wasm operation: `w("i64.add", a, b)`; numbers after the operands are immediate lanes. */
export function w(op: WasmOp, a: Expr, b?: Expr | number, c?: Expr | number, ...lanes: number[]): Expr {
  const o = operationOf(op);
  if (typeof b === "number") return apply(o, a, undefined, undefined, [b]);
  if (typeof c === "number") return apply(o, a, b, undefined, [c, ...lanes]);
  return apply(o, a, b, c, NO_LANES);
}

function apply(o: Operation, a: Expr, b: Expr | undefined, c: Expr | undefined, imm: readonly number[]): Expr {
  if (o.fold !== Fold.None) {
    const folded = fold(o.fold, o.type, a, b);
    if (folded) return folded;
  }
  return { kind: "op", type: o.type, op: o.op, code: o.code, a, b, c, imm, offset: 0 };
}

const SMALL_FROM = -128, SMALL_TO = 1024;
const SMALL_I32: ConstExpr[] = new Array(SMALL_TO - SMALL_FROM), SMALL_I64: ConstExpr[] = new Array(SMALL_TO - SMALL_FROM);
/** Small constants are shared; each is made when it is asked for first. */
const small = (known: ConstExpr[], type: ValType, n: number): ConstExpr =>
  known[n - SMALL_FROM] ??= { kind: "const", type, n, big: undefined };

export function i32(value: number): ConstExpr {
  const n = value | 0;
  return n >= SMALL_FROM && n < SMALL_TO ? small(SMALL_I32, "i32", n) : { kind: "const", type: "i32", n, big: undefined };
}
export function i64(value: bigint | number): ConstExpr {
  if (typeof value === "number") {
    if (value >= SMALL_FROM && value < SMALL_TO) return small(SMALL_I64, "i64", value);
    if (Number.isSafeInteger(value)) return { kind: "const", type: "i64", n: value, big: undefined };
    value = BigInt(value);
  }
  const signed = BigInt.asIntN(64, value), n = Number(signed);
  if (Number.isSafeInteger(n)) return i64(n);
  return { kind: "const", type: "i64", n: NaN, big: signed };
}
/** `bits`: unsigned. */
function bits(type: ValType, value: bigint): ConstExpr {
  const n = Number(value);
  return Number.isSafeInteger(n) ? { kind: "const", type, n, big: undefined } : { kind: "const", type, n: NaN, big: value };
}
export const f32bits = (value: number): ConstExpr => ({ kind: "const", type: "f32", n: value >>> 0, big: undefined });
export const f64bits = (value: bigint): ConstExpr => bits("f64", BigInt.asUintN(64, value));
export const v128 = (value: bigint): ConstExpr => value === 0n ? ZERO_V128 : bits("v128", BigInt.asUintN(128, value));
const ZERO_V128 = bits("v128", 0n);
/** The value of a constant of any size. */
export const constant = (e: ConstExpr): bigint => e.big ?? BigInt(e.n);

/** A local; `index` may be changed by who hands it out. */
export const local = (type: ValType, index: number): LocalExpr => ({ kind: "local", type, index });
const selection = (op: "select" | "choose", c: Expr, a: Expr, b: Expr): SelectExpr => ({
  kind: "select",
  type: a.type,
  op,
  code: 0x1b,
  a,
  b,
  c,
  imm: NO_LANES,
  offset: 0,
});
export const select = (cond: Expr, then: Expr, otherwise: Expr): Expr =>
  cond.kind === "const" ? (cond.n !== 0 ? then : otherwise) : selection("select", cond, then, otherwise);
/** Like `select`, but evaluates one arm only. For corrections that are rarely needed: `likely` should nearly always be taken. */
export const choose = (cond: Expr, likely: Expr, otherwise: Expr): Expr =>
  cond.kind === "const" ? (cond.n !== 0 ? likely : otherwise) : selection("choose", cond, likely, otherwise);
/**
 * What a NaN check was made for: the value of `choose(x == x, x, ...)` before its correction, or `e` itself. It is a NaN when, and only
 * when, `e` is one.
 */
export const unchecked = (e: Expr): Expr =>
  e.kind === "select" && e.op === "choose" && e.c.kind === "op" && e.c.a === e.a && e.c.b === e.a ? e.a : e;
export function load(mem: LoadOp, address: Expr, offset = 0): Expr {
  const [code, type] = LOADS[mem];
  return { kind: "load", type, op: mem, code, a: address, b: undefined, c: undefined, imm: NO_LANES, offset };
}
export const call = (fn: string, type: ValType, ...args: Expr[]): Expr => ({ kind: "call", type, fn, args });

function fold(how: Fold, type: ValType, x: Expr, y: Expr | undefined): Expr | undefined {
  if (how < Fold.Additive) {
    if (x.kind === "const") {
      if (how === Fold.Wrap) return i32(x.big === undefined ? x.n : Number(BigInt.asIntN(32, x.big)));
      return i64(how === Fold.ExtendUnsigned ? x.n >>> 0 : x.n);
    }
    if (how !== Fold.Wrap || x.kind !== "op") return undefined;
    return x.op === "i64.extend_i32_u" || x.op === "i64.extend_i32_s" ? x.a : undefined;
  }
  if (y?.kind !== "const") return undefined;
  if (y.n === 0 && how !== Fold.And) return x;
  if (x.kind !== "const" || how === Fold.Additive) return undefined;
  if (type === "i32") {
    return i32(how === Fold.Add ? x.n + y.n : how === Fold.Sub ? x.n - y.n : how === Fold.And ? x.n & y.n : x.n | y.n);
  }
  if (how === Fold.Add || how === Fold.Sub) {
    const n = how === Fold.Add ? x.n + y.n : x.n - y.n;
    // Otherwise the result may not be exact.
    if (Number.isSafeInteger(n)) return i64(n);
  }
  const a = constant(x), b = constant(y);
  return i64(how === Fold.Add ? a + b : how === Fold.Sub ? a - b : how === Fold.And ? a & b : a | b);
}

// ---- integer operations by operand type -------------------------------------------------------------------------------------

type IntName =
  | "add"
  | "sub"
  | "mul"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr_s"
  | "shr_u"
  | "rotl"
  | "rotr"
  | "eq"
  | "ne"
  | "lt_s"
  | "lt_u"
  | "gt_s"
  | "gt_u"
  | "le_s"
  | "le_u"
  | "ge_s"
  | "ge_u"
  | "div_s"
  | "div_u"
  | "rem_s"
  | "rem_u";
function intOp(name: IntName): (a: Expr, b: Expr) => Expr {
  const narrow = operationOf(`i32.${name}`), wide = operationOf(`i64.${name}`);
  return (a, b) => apply(a.type === "i64" ? wide : narrow, a, b, undefined, NO_LANES);
}
export const add = intOp("add"), sub = intOp("sub"), mul = intOp("mul"), and = intOp("and"), or = intOp("or"), xor = intOp("xor");
/** The count must have the type of the value. */
export const shl = intOp("shl"), shr_s = intOp("shr_s"), shr_u = intOp("shr_u"), rotl = intOp("rotl"), rotr = intOp("rotr");
export const eq = intOp("eq"),
  ne = intOp("ne"),
  lt_s = intOp("lt_s"),
  lt_u = intOp("lt_u"),
  gt_s = intOp("gt_s"),
  gt_u = intOp("gt_u");
export const le_s = intOp("le_s"), le_u = intOp("le_u"), ge_s = intOp("ge_s"), ge_u = intOp("ge_u");
function unary(op: WasmOp): (a: Expr) => Expr {
  const operation = operationOf(op);
  return (a) => apply(operation, a, undefined, undefined, NO_LANES);
}
const eqz32 = unary("i32.eqz"), eqz64 = unary("i64.eqz");
const extendUnsigned = unary("i64.extend_i32_u"), extendSigned = unary("i64.extend_i32_s"), wrap = unary("i32.wrap_i64");
export const eqz = (a: Expr): Expr => a.type === "i64" ? eqz64(a) : eqz32(a);
/** Integer constant of the type used for operands of `size` bytes. */
export const int = (size: number, n: bigint | number): ConstExpr =>
  size === 8 ? i64(n) : i32(typeof n === "number" ? n : Number(BigInt.asIntN(32, n)));
export const toI64u = (a: Expr): Expr => a.type === "i64" ? a : extendUnsigned(a);
export const toI64s = (a: Expr): Expr => a.type === "i64" ? a : extendSigned(a);
export const toI32 = (a: Expr): Expr => a.type === "i32" ? a : wrap(a);
/** Sign-extends the low `size` bytes to the full i32 or i64. */
export const signExtend = (a: Expr, size: number): Expr =>
  size === 1 ? w("i32.extend8_s", a) : size === 2 ? w("i32.extend16_s", a) : a;
/** Clears what is above the low `size` bytes of an i32 (or leaves a wider value alone). */
export const truncate = (a: Expr, size: number): Expr => size === 1 ? and(a, i32(0xff)) : size === 2 ? and(a, i32(0xffff)) : a;
