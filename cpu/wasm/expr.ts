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

export interface OpExpr {
  kind: "op";
  type: ValType;
  op: WasmOp;
  args: Expr[];
  /** Immediate bytes (lanes). */
  imm: number[];
}
export interface LocalExpr {
  kind: "local";
  type: ValType;
  index: number;
}
export interface ConstExpr {
  kind: "const";
  type: ValType;
  /** i32/i64: signed value; f32/f64: the number's bits as an unsigned bigint; v128: 128 bits, lane 0 lowest. */
  value: bigint;
}
export interface SelectExpr {
  kind: "select";
  type: ValType;
  cond: Expr;
  then: Expr;
  else: Expr;
  /** Emitted as a branch: only the chosen arm is evaluated. `then` is the likely arm. */
  lazy?: boolean;
}
/** Load from a *linear* address known to be valid (CPU state, translated address). `mem` is the wasm load opcode. */
export interface LoadExpr {
  kind: "load";
  type: ValType;
  mem: LoadOp;
  address: Expr;
  offset: number;
}
/** Call of a function of the CPU's runtime module (cpu/runtime.ts), by name. */
export interface CallExpr {
  kind: "call";
  type: ValType;
  fn: string;
  args: Expr[];
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
const RESULT = new Map<string, ValType>(Object.entries(OPS).map(([name, [, sig]]) => [name, LETTER[sig[sig.indexOf(">") + 1]]]));

/** Builds the application of a wasm operation: `w("i64.add", a, b)`; numbers after the operands are immediate lanes. */
export function w(op: WasmOp, ...args: (Expr | number)[]): Expr {
  const operands: Expr[] = [], imm: number[] = [];
  for (const a of args) typeof a === "number" ? imm.push(a) : operands.push(a);
  return fold(op, operands) ?? { kind: "op", type: RESULT.get(op)!, op, args: operands, imm };
}

export const i32 = (n: number): ConstExpr => ({ kind: "const", type: "i32", value: BigInt(n | 0) });
export const i64 = (n: bigint | number): ConstExpr => ({ kind: "const", type: "i64", value: BigInt.asIntN(64, BigInt(n)) });
export const f32bits = (bits: number): ConstExpr => ({ kind: "const", type: "f32", value: BigInt(bits >>> 0) });
export const f64bits = (bits: bigint): ConstExpr => ({ kind: "const", type: "f64", value: BigInt.asUintN(64, bits) });
export const v128 = (bits: bigint): ConstExpr => ({ kind: "const", type: "v128", value: BigInt.asUintN(128, bits) });
export const select = (cond: Expr, then: Expr, otherwise: Expr): Expr =>
  cond.kind === "const"
    ? (cond.value !== 0n ? then : otherwise)
    : { kind: "select", type: then.type, cond, then, else: otherwise };
/** Like `select`, but evaluates one arm only. For corrections that are rarely needed: `likely` should nearly always be taken. */
export const choose = (cond: Expr, likely: Expr, otherwise: Expr): Expr =>
  cond.kind === "const"
    ? (cond.value !== 0n ? likely : otherwise)
    : { kind: "select", type: likely.type, cond, then: likely, else: otherwise, lazy: true };
/**
 * What a NaN check was made for: the value of `choose(x == x, x, ...)` before its correction, or `e` itself. It is a NaN when, and only
 * when, `e` is one.
 */
export const unchecked = (e: Expr): Expr =>
  e.kind === "select" && e.lazy && e.cond.kind === "op" && e.cond.args[0] === e.then && e.cond.args[1] === e.then ? e.then : e;
export const load = (mem: LoadOp, address: Expr, offset = 0): Expr => ({
  kind: "load",
  type: LOADS[mem][1],
  mem,
  address,
  offset,
});
export const call = (fn: string, type: ValType, ...args: Expr[]): Expr => ({ kind: "call", type, fn, args });

/** Integer constants only; enough to keep generated code small. The engine folds the rest. */
function fold(op: WasmOp, a: Expr[]): Expr | undefined {
  const x = a[0], y = a[1];
  if (op === "i64.extend_i32_u" && x.kind === "const") return i64(BigInt.asUintN(32, x.value));
  if (op === "i64.extend_i32_s" && x.kind === "const") return i64(x.value);
  if (op === "i32.wrap_i64" && x.kind === "const") return i32(Number(BigInt.asIntN(32, x.value)));
  if (op === "i32.wrap_i64" && x.kind === "op" && (x.op === "i64.extend_i32_u" || x.op === "i64.extend_i32_s")) return x.args[0];
  if (y?.kind !== "const") return undefined;
  if (y.value === 0n && ADDITIVE.has(op)) return x;
  if (x.kind !== "const" || (y.type !== "i32" && y.type !== "i64")) return undefined;
  const f = FOLD[op];
  return f && (y.type === "i32" ? i32(Number(BigInt.asIntN(32, f(x.value, y.value)))) : i64(f(x.value, y.value)));
}
const ADDITIVE = new Set<WasmOp>([
  "i32.add",
  "i64.add",
  "i32.sub",
  "i64.sub",
  "i32.or",
  "i64.or",
  "i32.xor",
  "i64.xor",
  "i32.shl",
  "i64.shl",
  "i32.shr_u",
  "i64.shr_u",
]);
const FOLD: Partial<Record<WasmOp, (x: bigint, y: bigint) => bigint>> = {
  "i32.add": (x, y) => x + y,
  "i64.add": (x, y) => x + y,
  "i32.sub": (x, y) => x - y,
  "i64.sub": (x, y) => x - y,
  "i32.and": (x, y) => x & y,
  "i64.and": (x, y) => x & y,
  "i32.or": (x, y) => x | y,
  "i64.or": (x, y) => x | y,
};

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
const intOp = (name: IntName) => (a: Expr, b: Expr): Expr => w(`${a.type === "i64" ? "i64" : "i32"}.${name}`, a, b);
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
export const eqz = (a: Expr): Expr => w(a.type === "i64" ? "i64.eqz" : "i32.eqz", a);
/** Integer constant of the type used for operands of `size` bytes. */
export const int = (size: number, n: bigint | number): ConstExpr =>
  size === 8 ? i64(n) : i32(Number(BigInt.asIntN(32, BigInt(n))));
export const toI64u = (a: Expr): Expr => a.type === "i64" ? a : w("i64.extend_i32_u", a);
export const toI64s = (a: Expr): Expr => a.type === "i64" ? a : w("i64.extend_i32_s", a);
export const toI32 = (a: Expr): Expr => a.type === "i32" ? a : w("i32.wrap_i64", a);
/** Sign-extends the low `size` bytes to the full i32 or i64. */
export const signExtend = (a: Expr, size: number): Expr =>
  size === 1 ? w("i32.extend8_s", a) : size === 2 ? w("i32.extend16_s", a) : a;
/** Clears what is above the low `size` bytes of an i32 (or leaves a wider value alone). */
export const truncate = (a: Expr, size: number): Expr => size === 1 ? and(a, i32(0xff)) : size === 2 ? and(a, i32(0xffff)) : a;
