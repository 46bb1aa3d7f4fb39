/**
 * Floating-point arithmetic with Intel's results for NaNs (SDM vol. 1, table 4-7): the first operand that is a NaN, made quiet; the negative
 * default NaN when there is none. WebAssembly leaves those bits open, so every operation checks its result and corrects it, rarely.
 * Rounding is to nearest even, denormals are exact.
 */
import { call, choose, eqz, type Expr, unchecked, v128, w } from "../wasm/expr.ts";
import {
  type Binary,
  type BinaryImm,
  type Bind,
  deinterleave,
  interleave,
  mergeLow,
  repeat,
  shuffle,
  type Unary,
  ZERO,
} from "./lanes.ts";

/** The two formats: shape of the vector, name and size of the scalar. */
export interface Format {
  shape: "f32x4" | "f64x2";
  scalar: "f32" | "f64";
  bytes: 4 | 8;
}
export const SINGLE: Format = { shape: "f32x4", scalar: "f32", bytes: 4 };
export const DOUBLE: Format = { shape: "f64x2", scalar: "f64", bytes: 8 };

// ---- scalars ---------------------------------------------------------------------------------------------------------------------

export const bitsOf = (x: Expr): Expr => w(x.type === "f32" ? "i32.reinterpret_f32" : "i64.reinterpret_f64", x);
export const fromBits = (x: Expr): Expr => w(x.type === "i32" ? "f32.reinterpret_i32" : "f64.reinterpret_i64", x);

/** `result` (bound), or the NaN that Intel gives for these operands, in order of precedence (cpu/nan.ts). */
export const fixScalar = (f: Format, result: Expr, a: Expr, b: Expr = a): Expr =>
  choose(w(`${f.scalar}.eq`, result, result), result, call(`nan_${f.scalar}`, f.scalar, a, b));
type ArithmeticOp = "add" | "sub" | "mul" | "div";
/**
 * dst[0] = f(dst[0], src[0]) on f32 or f64 expressions. NaNs propagate, so an operand need not have been corrected: when it is a NaN, this
 * result is one, too, and its correction makes that of the operand first.
 */
const scalarArithmetic = (f: Format, op: ArithmeticOp): Binary => (a, b, bind) =>
  fixScalar(f, bind(w(`${f.scalar}.${op}`, unchecked(a), unchecked(b))), a, b);
const scalarSqrt = (f: Format): Unary => (a, bind) => fixScalar(f, bind(w(`${f.scalar}.sqrt`, unchecked(a))), a);

// ---- vectors ---------------------------------------------------------------------------------------------------------------------

/** The same for every lane. */
export const fixPacked = (f: Format, result: Expr, a: Expr, b: Expr = a): Expr =>
  choose(
    eqz(w("v128.any_true", w(`${f.shape}.ne`, result, result))),
    result,
    call(`nan_${f.shape}`, "v128", result, a, b),
  );
export const packedArithmetic = (f: Format, op: ArithmeticOp): Binary => (a, b, bind) =>
  fixPacked(f, bind(w(`${f.shape}.${op}`, a, b)), a, b);
const packedSqrt = (f: Format): Unary => (a, bind) => fixPacked(f, bind(w(`${f.shape}.sqrt`, a)), a);

/** a < b ? a : b, so b when either is a NaN or both are zero. */
const minimum = (f: Format): Binary => (a, b) => w(`${f.shape}.pmin`, b, a);
const maximum = (f: Format): Binary => (a, b) => w(`${f.shape}.pmax`, b, a);

/** Adds or subtracts neighbours of the concatenation b:a; the lower lane is the first operand. */
const horizontal = (f: Format, op: "add" | "sub"): Binary => (a, b, bind) =>
  packedArithmetic(f, op)(bind(deinterleave(f.bytes, "even")(a, b)), bind(deinterleave(f.bytes, "odd")(a, b)), bind);
/** Subtracts in the even lanes, adds in the odd ones. */
const addSub = (f: Format): Binary => (a, b, bind) => {
  const lanes = f.bytes === 4 ? [0, 5, 2, 7] : [0, 3];
  return fixPacked(f, bind(shuffle(f.bytes, w(`${f.shape}.sub`, a, b), w(`${f.shape}.add`, a, b), lanes)), a, b);
};

/** dst = f(dst, src). */
export const FLOAT_BINARY = {
  addps: packedArithmetic(SINGLE, "add"),
  addpd: packedArithmetic(DOUBLE, "add"),
  subps: packedArithmetic(SINGLE, "sub"),
  subpd: packedArithmetic(DOUBLE, "sub"),
  mulps: packedArithmetic(SINGLE, "mul"),
  mulpd: packedArithmetic(DOUBLE, "mul"),
  divps: packedArithmetic(SINGLE, "div"),
  divpd: packedArithmetic(DOUBLE, "div"),
  minps: minimum(SINGLE),
  minpd: minimum(DOUBLE),
  maxps: maximum(SINGLE),
  maxpd: maximum(DOUBLE),
  andps: (a, b) => w("v128.and", a, b),
  andpd: (a, b) => w("v128.and", a, b),
  andnps: (a, b) => w("v128.andnot", b, a),
  andnpd: (a, b) => w("v128.andnot", b, a),
  orps: (a, b) => w("v128.or", a, b),
  orpd: (a, b) => w("v128.or", a, b),
  xorps: (a, b) => w("v128.xor", a, b),
  xorpd: (a, b) => w("v128.xor", a, b),
  unpcklps: interleave(4, "low"),
  unpcklpd: interleave(8, "low"),
  unpckhps: interleave(4, "high"),
  unpckhpd: interleave(8, "high"),
  haddps: horizontal(SINGLE, "add"),
  haddpd: horizontal(DOUBLE, "add"),
  hsubps: horizontal(SINGLE, "sub"),
  hsubpd: horizontal(DOUBLE, "sub"),
  addsubps: addSub(SINGLE),
  addsubpd: addSub(DOUBLE),
} satisfies Record<string, Binary>;

/**
 * RCPPS and RSQRTPS may have a relative error of 1.5 * 2^-12; the exact quotient is within that. Denormals count as zeros and give zeros
 * (Intel SDM vol. 2, RCPPS).
 */
const ONES = repeat(0x3f80_0000n, 32), SIGN = repeat(0x8000_0000n, 32);
const flushed = (x: Expr): Expr => {
  const normal = w("f32x4.ge", w("f32x4.abs", x), repeat(0x0080_0000n, 32));
  return w("v128.and", x, w("v128.or", w("v128.or", normal, w("f32x4.ne", x, x)), SIGN));
};
const approximation = (f: (x: Expr) => Expr): Unary => (a, bind) => {
  const x = bind(flushed(a));
  return flushed(bind(fixPacked(SINGLE, bind(f(x)), x)));
};

/** dst = f(src). */
export const FLOAT_UNARY = {
  sqrtps: packedSqrt(SINGLE),
  sqrtpd: packedSqrt(DOUBLE),
  rcpps: approximation((a) => w("f32x4.div", ONES, a)),
  rsqrtps: approximation((a) => w("f32x4.div", ONES, w("f32x4.sqrt", a))),
} satisfies Record<string, Unary>;

/** dst[0] = f(dst[0], src[0]), on scalars; the rest of dst stays. */
export const SCALAR_BINARY = {
  addss: scalarArithmetic(SINGLE, "add"),
  addsd: scalarArithmetic(DOUBLE, "add"),
  subss: scalarArithmetic(SINGLE, "sub"),
  subsd: scalarArithmetic(DOUBLE, "sub"),
  mulss: scalarArithmetic(SINGLE, "mul"),
  mulsd: scalarArithmetic(DOUBLE, "mul"),
  divss: scalarArithmetic(SINGLE, "div"),
  divsd: scalarArithmetic(DOUBLE, "div"),
} satisfies Record<string, Binary>;

/** dst[0] = f(src[0]), on scalars; the rest of dst stays. */
export const SCALAR_UNARY = {
  sqrtss: scalarSqrt(SINGLE),
  sqrtsd: scalarSqrt(DOUBLE),
} satisfies Record<string, Unary>;

// ---- comparison ------------------------------------------------------------------------------------------------------------------

/**
 * CMPxx predicates 0..7 of the legacy forms (SDM vol. 2, CMPPD); the others (VEX, 8..31) are made of the same comparisons.
 * Whether quiet NaNs signal does not matter while exceptions are masked.
 */
export function compare(f: Format, predicate: number): Binary {
  const c = (op: "eq" | "ne" | "lt" | "le" | "gt" | "ge"): Binary => (a, b) => w(`${f.shape}.${op}`, a, b);
  const not = (inner: Binary): Binary => (a, b, bind) => w("v128.not", inner(a, b, bind));
  const unordered: Binary = (a, b) => w("v128.or", w(`${f.shape}.ne`, a, a), w(`${f.shape}.ne`, b, b));
  const table: readonly Binary[] = [
    c("eq"),
    c("lt"),
    c("le"),
    unordered,
    c("ne"),
    not(c("lt")),
    not(c("le")),
    not(unordered),
    (a, b) => w("v128.or", w(`${f.shape}.eq`, a, b), w("v128.or", w(`${f.shape}.ne`, a, a), w(`${f.shape}.ne`, b, b))),
    not(c("ge")),
    not(c("gt")),
    () => ZERO,
    (a, b) => w("v128.or", w(`${f.shape}.lt`, a, b), w(`${f.shape}.gt`, a, b)),
    c("ge"),
    c("gt"),
    () => v128(-1n),
  ];
  return table[predicate & 15];
}
const comparison = (f: Format, limit: number): BinaryImm => (a, b, imm, bind) => compare(f, imm & limit)(a, b, bind);
export const FLOAT_BINARY_IMM = {
  cmpps: comparison(SINGLE, 7),
  cmppd: comparison(DOUBLE, 7),
} satisfies Record<string, BinaryImm>;

/** Only the lowest lane of a vector operation, merged into `a`: branch-free where a scalar operation would need one. */
export const lowest = (f: Format, op: BinaryImm): BinaryImm => (a, b, imm, bind) => mergeLow(f.bytes, a, op(a, b, imm, bind));
const lowestOf = (f: Format, op: Binary): Binary => (a, b, bind) => mergeLow(f.bytes, a, op(a, b, bind));
/** Source and destination as whole vectors, of which only the lowest lane is changed. */
export const LOW_BINARY = {
  minss: lowestOf(SINGLE, minimum(SINGLE)),
  minsd: lowestOf(DOUBLE, minimum(DOUBLE)),
  maxss: lowestOf(SINGLE, maximum(SINGLE)),
  maxsd: lowestOf(DOUBLE, maximum(DOUBLE)),
  rcpss: (a, b, bind) => mergeLow(4, a, FLOAT_UNARY.rcpps(b, bind)),
  rsqrtss: (a, b, bind) => mergeLow(4, a, FLOAT_UNARY.rsqrtps(b, bind)),
} satisfies Record<string, Binary>;
export const LOW_BINARY_IMM = {
  cmpss: lowest(SINGLE, FLOAT_BINARY_IMM.cmpps),
  cmpsd: lowest(DOUBLE, FLOAT_BINARY_IMM.cmppd),
} satisfies Record<string, BinaryImm>;

// ---- dot products ----------------------------------------------------------------------------------------------------------------

/** Products chosen by bits 7..4 of the immediate, summed pairwise, stored where bits 3..0 say. */
const dot = (f: Format): BinaryImm => (a, b, imm, bind) => {
  const n = 16 / f.bytes, lane = (1n << BigInt(8 * f.bytes)) - 1n;
  const mask = (bits: number) =>
    v128([...Array(n).keys()].reduce((m, k) => (bits >> k) & 1 ? m | (lane << BigInt(8 * f.bytes * k)) : m, 0n));
  const add = packedArithmetic(f, "add");
  let sum = bind(w("v128.and", bind(packedArithmetic(f, "mul")(a, b, bind)), mask(imm >> 4)));
  if (n === 4) {
    // (p0 + p1) + (p2 + p3) in every lane.
    sum = bind(add(bind(shuffle(4, sum, sum, [0, 0, 2, 2])), bind(shuffle(4, sum, sum, [1, 1, 3, 3])), bind));
    sum = bind(add(bind(shuffle(4, sum, sum, [0, 0, 0, 0])), bind(shuffle(4, sum, sum, [2, 2, 2, 2])), bind));
  } else sum = bind(add(bind(shuffle(8, sum, sum, [0, 0])), bind(shuffle(8, sum, sum, [1, 1])), bind));
  return w("v128.and", sum, mask(imm));
};
export const DOT_BINARY_IMM = { dpps: dot(SINGLE), dppd: dot(DOUBLE) } satisfies Record<string, BinaryImm>;

// ---- rounding to integers --------------------------------------------------------------------------------------------------------

/** MXCSR.RC, and the low two bits of ROUNDxx's immediate: nearest even, down, up, towards zero. */
const ROUND = ["nearest", "floor", "ceil", "trunc"] as const;
export type Rounding = 0 | 1 | 2 | 3;
export const NEAREST = 0, TRUNCATE = 3;

/** Rounds to an integral value in the format. NaNs are not corrected. */
export const roundValue = (f: Format, x: Expr, how: Rounding): Expr =>
  w(`${x.type === "v128" ? f.shape : f.scalar}.${ROUND[how]}`, x);
/** ROUNDPS/PD: whole vector. */
export const roundPacked = (f: Format, x: Expr, how: Rounding, bind: Bind): Expr => fixPacked(f, bind(roundValue(f, x, how)), x);
/** ROUNDSS/SD: an f32 or f64. */
export const roundScalar = (f: Format, x: Expr, how: Rounding, bind: Bind): Expr => fixScalar(f, bind(roundValue(f, x, how)), x);
