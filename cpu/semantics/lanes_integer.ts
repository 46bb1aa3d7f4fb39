/** Packed integer arithmetic, comparison and shifts. Operations are named as in the Intel manual. */
import { eqz, type Expr, i32, int, lt_u, select, toI32, v128, w, type WasmOp } from "../wasm/expr.ts";
import {
  type Binary,
  binary,
  type Bind,
  deinterleave,
  interleave,
  join64,
  type Mix,
  repeat,
  shuffle,
  type Unary,
  unary,
  ZERO,
} from "./lanes.ts";

/** High 16 bits of the 32-bit products. */
const mulHigh = (sign: "s" | "u"): Binary => (a, b) =>
  shuffle(2, w(`i32x4.extmul_low_i16x8_${sign}`, a, b), w(`i32x4.extmul_high_i16x8_${sign}`, a, b), [1, 3, 5, 7, 9, 11, 13, 15]);
/** 64-bit products of the even 32-bit lanes. */
const mulEven = (sign: "s" | "u"): Binary => (a, b) =>
  w(`i64x2.extmul_low_i32x4_${sign}`, shuffle(4, a, a, [0, 2, 0, 2]), shuffle(4, b, b, [0, 2, 0, 2]));
/** Applies an operation to neighbouring lanes of the concatenation b:a. */
export const horizontal = (size: number, op: WasmOp): Mix => (a, b) =>
  w(op, deinterleave(size, "even")(a, b), deinterleave(size, "odd")(a, b));
/** b < 0: -a; b = 0: 0; else a. */
const sign = (shape: "i8x16" | "i16x8" | "i32x4"): Binary => (a, b, bind) => {
  const negative = bind(w(`${shape}.lt_s`, b, ZERO));
  const signed = w(`${shape}.sub`, w("v128.xor", a, negative), negative);
  return w("v128.andnot", signed, w(`${shape}.eq`, b, ZERO));
};

const psadbw: Binary = (a, b, bind) => {
  const difference = w("v128.or", w("i8x16.sub_sat_u", a, b), w("i8x16.sub_sat_u", b, a));
  const quads = bind(w("i32x4.extadd_pairwise_i16x8_u", w("i16x8.extadd_pairwise_i8x16_u", difference)));
  return w("i64x2.add", w("v128.and", quads, repeat(0xffff_ffffn, 64)), w("i64x2.shr_u", quads, i32(32)));
};
/** Unsigned bytes of a times signed bytes of b, neighbours added with saturation. */
const pmaddubsw: Binary = (a, b) => {
  const even = w("i16x8.mul", w("v128.and", a, repeat(0xffn, 16)), w("i16x8.shr_s", w("i16x8.shl", b, i32(8)), i32(8)));
  const odd = w("i16x8.mul", w("i16x8.shr_u", a, i32(8)), w("i16x8.shr_s", b, i32(8)));
  return w("i16x8.add_sat_s", even, odd);
};
/** WebAssembly's operation saturates where Intel's wraps: for -1 * -1. */
const pmulhrsw: Binary = (a, b) => {
  const min = repeat(0x8000n, 16);
  return w("v128.xor", w("i16x8.q15mulr_sat_s", a, b), w("v128.and", w("i16x8.eq", a, min), w("i16x8.eq", b, min)));
};
/** Minimum of eight unsigned words and its index: both at once as the minimum of word * 65536 + index. */
const phminposuw: Unary = (a, bind) => {
  const index = (first: number) => v128([0, 1, 2, 3].reduce((all, k) => all | (BigInt(first + k) << BigInt(32 * k)), 0n));
  const keys = (half: "low" | "high", first: number) =>
    w("v128.or", w("i32x4.shl", w(`i32x4.extend_${half}_i16x8_u`, a), i32(16)), index(first));
  let least = bind(w("i32x4.min_u", keys("low", 0), keys("high", 4)));
  least = bind(w("i32x4.min_u", least, shuffle(4, least, least, [2, 3, 0, 1])));
  least = bind(w("i32x4.min_u", least, shuffle(4, least, least, [1, 0, 3, 2])));
  // Key 0x0000IIII_VVVV.... : swap value and index, clear the rest.
  return w("v128.and", shuffle(2, least, least, [1, 0, 2, 2, 2, 2, 2, 2]), v128(0xffff_ffffn));
};

/** dst = f(dst, src), three operands in VEX form. */
export const INTEGER_BINARY = {
  paddb: binary("i8x16.add"),
  paddw: binary("i16x8.add"),
  paddd: binary("i32x4.add"),
  paddq: binary("i64x2.add"),
  paddsb: binary("i8x16.add_sat_s"),
  paddsw: binary("i16x8.add_sat_s"),
  paddusb: binary("i8x16.add_sat_u"),
  paddusw: binary("i16x8.add_sat_u"),
  psubb: binary("i8x16.sub"),
  psubw: binary("i16x8.sub"),
  psubd: binary("i32x4.sub"),
  psubq: binary("i64x2.sub"),
  psubsb: binary("i8x16.sub_sat_s"),
  psubsw: binary("i16x8.sub_sat_s"),
  psubusb: binary("i8x16.sub_sat_u"),
  psubusw: binary("i16x8.sub_sat_u"),
  pmullw: binary("i16x8.mul"),
  pmulld: binary("i32x4.mul"),
  pmulhw: mulHigh("s"),
  pmulhuw: mulHigh("u"),
  pmulhrsw,
  pmuludq: mulEven("u"),
  pmuldq: mulEven("s"),
  pmaddwd: binary("i32x4.dot_i16x8_s"),
  pmaddubsw,
  pavgb: binary("i8x16.avgr_u"),
  pavgw: binary("i16x8.avgr_u"),
  psadbw,
  pminsb: binary("i8x16.min_s"),
  pminub: binary("i8x16.min_u"),
  pmaxsb: binary("i8x16.max_s"),
  pmaxub: binary("i8x16.max_u"),
  pminsw: binary("i16x8.min_s"),
  pminuw: binary("i16x8.min_u"),
  pmaxsw: binary("i16x8.max_s"),
  pmaxuw: binary("i16x8.max_u"),
  pminsd: binary("i32x4.min_s"),
  pminud: binary("i32x4.min_u"),
  pmaxsd: binary("i32x4.max_s"),
  pmaxud: binary("i32x4.max_u"),
  pcmpeqb: binary("i8x16.eq"),
  pcmpeqw: binary("i16x8.eq"),
  pcmpeqd: binary("i32x4.eq"),
  pcmpeqq: binary("i64x2.eq"),
  pcmpgtb: binary("i8x16.gt_s"),
  pcmpgtw: binary("i16x8.gt_s"),
  pcmpgtd: binary("i32x4.gt_s"),
  pcmpgtq: binary("i64x2.gt_s"),
  pand: binary("v128.and"),
  pandn: (a, b) => w("v128.andnot", b, a),
  por: binary("v128.or"),
  pxor: binary("v128.xor"),
  psignb: sign("i8x16"),
  psignw: sign("i16x8"),
  psignd: sign("i32x4"),
  phaddw: horizontal(2, "i16x8.add"),
  phaddd: horizontal(4, "i32x4.add"),
  phaddsw: horizontal(2, "i16x8.add_sat_s"),
  phsubw: horizontal(2, "i16x8.sub"),
  phsubd: horizontal(4, "i32x4.sub"),
  phsubsw: horizontal(2, "i16x8.sub_sat_s"),
  packsswb: binary("i8x16.narrow_i16x8_s"),
  packuswb: binary("i8x16.narrow_i16x8_u"),
  packssdw: binary("i16x8.narrow_i32x4_s"),
  packusdw: binary("i16x8.narrow_i32x4_u"),
  punpcklbw: interleave(1, "low"),
  punpcklwd: interleave(2, "low"),
  punpckldq: interleave(4, "low"),
  punpcklqdq: interleave(8, "low"),
  punpckhbw: interleave(1, "high"),
  punpckhwd: interleave(2, "high"),
  punpckhdq: interleave(4, "high"),
  punpckhqdq: interleave(8, "high"),
  // A byte with bit 7 set gives 0: swizzle gives 0 for indices above 15.
  pshufb: (a, b) => w("i8x16.swizzle", a, w("v128.and", b, repeat(0x8fn, 8))),
} satisfies Record<string, Binary>;

/** dst = f(src). */
export const INTEGER_UNARY = {
  pabsb: unary("i8x16.abs"),
  pabsw: unary("i16x8.abs"),
  pabsd: unary("i32x4.abs"),
  phminposuw,
  pmovsxbw: unary("i16x8.extend_low_i8x16_s"),
  pmovsxwd: unary("i32x4.extend_low_i16x8_s"),
  pmovsxdq: unary("i64x2.extend_low_i32x4_s"),
  pmovsxbd: (a) => w("i32x4.extend_low_i16x8_s", w("i16x8.extend_low_i8x16_s", a)),
  pmovsxwq: (a) => w("i64x2.extend_low_i32x4_s", w("i32x4.extend_low_i16x8_s", a)),
  pmovsxbq: (a) => w("i64x2.extend_low_i32x4_s", w("i32x4.extend_low_i16x8_s", w("i16x8.extend_low_i8x16_s", a))),
  pmovzxbw: unary("i16x8.extend_low_i8x16_u"),
  pmovzxwd: unary("i32x4.extend_low_i16x8_u"),
  pmovzxdq: unary("i64x2.extend_low_i32x4_u"),
  pmovzxbd: (a) => w("i32x4.extend_low_i16x8_u", w("i16x8.extend_low_i8x16_u", a)),
  pmovzxwq: (a) => w("i64x2.extend_low_i32x4_u", w("i32x4.extend_low_i16x8_u", a)),
  pmovzxbq: (a) => w("i64x2.extend_low_i32x4_u", w("i32x4.extend_low_i16x8_u", w("i16x8.extend_low_i8x16_u", a))),
} satisfies Record<string, Unary>;

/** Shifts of every lane by one unsigned count (i32 or i64 expression, bound). */
export type Shift = (a: Expr, count: Expr, bind: Bind) => Expr;

type Shape = "i16x8" | "i32x4" | "i64x2";
const BITS: Record<Shape, number> = { i16x8: 16, i32x4: 32, i64x2: 64 };
const below = (count: Expr, limit: number): Expr => lt_u(count, int(count.type === "i64" ? 8 : 4, limit));
const constantCount = (count: Expr, limit: number): number | undefined =>
  count.kind === "const" ? (count.n >= 0 && count.n < limit ? count.n : limit) : undefined;

/** Counts of at least the lane width give zero. */
const logical = (shape: Shape, op: "shl" | "shr_u"): Shift => (a, count) => {
  const known = constantCount(count, BITS[shape]);
  if (known !== undefined) return known === BITS[shape] ? ZERO : w(`${shape}.${op}`, a, i32(known));
  return select(below(count, BITS[shape]), w(`${shape}.${op}`, a, toI32(count)), ZERO);
};
/** Counts of at least the lane width give copies of the sign. */
const arithmetic = (shape: Shape): Shift => (a, count) => {
  const last = BITS[shape] - 1, known = constantCount(count, last);
  if (known !== undefined) return w(`${shape}.shr_s`, a, i32(known));
  return w(`${shape}.shr_s`, a, select(below(count, last), toI32(count), i32(last)));
};
export const SHIFTS = {
  psllw: logical("i16x8", "shl"),
  pslld: logical("i32x4", "shl"),
  psllq: logical("i64x2", "shl"),
  psrlw: logical("i16x8", "shr_u"),
  psrld: logical("i32x4", "shr_u"),
  psrlq: logical("i64x2", "shr_u"),
  psraw: arithmetic("i16x8"),
  psrad: arithmetic("i32x4"),
} satisfies Record<string, Shift>;

// ---- MMX: 64-bit operands in the low half of a vector; only the low half of the result counts --------------------------------------

const twice = (f: Unary): Binary => (a, b, bind) => f(bind(join64(a, b)), bind);
const both = (f: Binary): Binary => twice((ab, bind) => f(ab, ab, bind));
const highHalf = (size: number): Binary => (a, b) => {
  const whole = interleave(size, "low")(a, b);
  return shuffle(8, whole, whole, [1, 1]);
};
/** Where the operation on the low halves is not the low half of the operation. */
export const MMX_BINARY: Readonly<Record<string, Binary>> = {
  packsswb: both(INTEGER_BINARY.packsswb),
  packuswb: both(INTEGER_BINARY.packuswb),
  packssdw: both(INTEGER_BINARY.packssdw),
  phaddw: both(INTEGER_BINARY.phaddw),
  phaddd: both(INTEGER_BINARY.phaddd),
  phaddsw: both(INTEGER_BINARY.phaddsw),
  phsubw: both(INTEGER_BINARY.phsubw),
  phsubd: both(INTEGER_BINARY.phsubd),
  phsubsw: both(INTEGER_BINARY.phsubsw),
  punpckhbw: highHalf(1),
  punpckhwd: highHalf(2),
  punpckhdq: highHalf(4),
  pshufb: (a, b) => w("i8x16.swizzle", a, w("v128.and", b, repeat(0x87n, 8))),
};

/** PTEST: Z when a AND b is zero, C when NOT a AND b is zero (i32, 0 or 1). */
export const testZero: Binary = (a, b) => eqz(w("v128.any_true", w("v128.and", a, b)));
export const testCarry: Binary = (a, b) => eqz(w("v128.any_true", w("v128.andnot", b, a)));
