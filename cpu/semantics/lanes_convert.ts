/**
 * Conversions. A value that does not fit gives the "integer indefinite" 0x80000000 (00000000), where WebAssembly saturates
 * (Intel SDM vol. 1, 4.8.4.2 and table E-3).
 */
import { and, choose, eqz, type Expr, f32bits, f64bits, i32, i64, or, select, shl, shr_u, v128, w } from "../wasm/expr.ts";
import { type Bind, repeat, shuffle, type Unary, ZERO } from "./lanes.ts";
import { bitsOf, DOUBLE, type Format, fromBits, type Rounding, roundValue, SINGLE, TRUNCATE } from "./lanes_float.ts";

/** 2^31 and 2^63 in both formats. */
const LIMIT = {
  f32: { 4: f32bits(0x4f00_0000), 8: f32bits(0x5f00_0000) },
  f64: { 4: f64bits(0x41e0_0000_0000_0000n), 8: f64bits(0x43e0_0000_0000_0000n) },
} as const;

/** An f32 or f64 as a signed integer of 4 or 8 bytes. */
export function toInteger(x: Expr, bytes: 4 | 8, how: Rounding, bind: Bind): Expr {
  const f = x.type === "f32" ? "f32" : "f64";
  // Truncation is what the conversion does anyway.
  const y = how === TRUNCATE ? x : bind(roundValue(f === "f32" ? SINGLE : DOUBLE, x, how));
  const fits = w(`${f}.lt`, w(`${f}.abs`, y), LIMIT[f][bytes]);
  return bytes === 4
    ? select(fits, w(`i32.trunc_sat_${f}_s`, y), i32(-0x8000_0000))
    : select(fits, w(`i64.trunc_sat_${f}_s`, y), i64(-0x8000_0000_0000_0000n));
}

/** Four f32 to four i32. */
export function packedSingleToInt(x: Expr, how: Rounding, bind: Bind): Expr {
  const y = how === TRUNCATE ? x : bind(roundValue(SINGLE, x, how));
  const fits = w("f32x4.lt", w("f32x4.abs", y), repeat(0x4f00_0000n, 32));
  return w("v128.bitselect", w("i32x4.trunc_sat_f32x4_s", y), repeat(0x8000_0000n, 32), fits);
}
/** Two f64 to two i32 in the low half; the high half is zero. */
export function packedDoubleToInt(x: Expr, how: Rounding, bind: Bind): Expr {
  const y = how === TRUNCATE ? x : bind(roundValue(DOUBLE, x, how));
  const fits = bind(w("f64x2.lt", w("f64x2.abs", y), repeat(0x41e0_0000_0000_0000n, 64)));
  return w(
    "v128.bitselect",
    w("i32x4.trunc_sat_f64x2_s_zero", y),
    v128(0x8000_0000_8000_0000n),
    shuffle(4, fits, v128(-1n), [0, 2, 4, 4]),
  );
}

/** f32 to f64; a NaN keeps sign and payload and becomes quiet. */
export function promote(x: Expr, bind: Bind): Expr {
  const result = bind(w("f64.promote_f32", x)), bits = w("i64.extend_i32_u", bitsOf(x));
  const nan = or(
    or(shl(and(bits, i64(0x8000_0000n)), i64(32)), shl(and(bits, i64(0x7f_ffffn)), i64(29))),
    i64(0x7ff8_0000_0000_0000n),
  );
  return choose(w("f64.eq", result, result), result, fromBits(nan));
}
/** f64 to f32; a NaN keeps sign and the upper bits of its payload and becomes quiet. */
export function demote(x: Expr, bind: Bind): Expr {
  const result = bind(w("f32.demote_f64", x)), bits = bitsOf(x);
  const sign = and(w("i32.wrap_i64", shr_u(bits, i64(32))), i32(-0x8000_0000));
  const payload = and(w("i32.wrap_i64", shr_u(bits, i64(29))), i32(0x3f_ffff));
  return choose(w("f32.eq", result, result), result, fromBits(or(or(sign, payload), i32(0x7fc0_0000))));
}

const cvtps2pd: Unary = (a, bind) => {
  const result = bind(w("f64x2.promote_low_f32x4", a)), bad = bind(w("f64x2.ne", result, result));
  const wide = w("i64x2.extend_low_i32x4_u", a);
  const part = (mask: bigint, up: number) => w("i64x2.shl", w("v128.and", wide, repeat(mask, 64)), i32(up));
  const nan = w("v128.or", w("v128.or", part(0x8000_0000n, 32), part(0x7f_ffffn, 29)), repeat(0x7ff8_0000_0000_0000n, 64));
  return choose(eqz(w("v128.any_true", bad)), result, w("v128.bitselect", nan, result, bad));
};
const cvtpd2ps: Unary = (a, bind) => {
  const result = bind(w("f32x4.demote_f64x2_zero", a)), bad = bind(w("f32x4.ne", result, result));
  const part = (down: number, mask: bigint) => w("v128.and", w("i64x2.shr_u", a, i32(down)), repeat(mask, 64));
  const nan = w("v128.or", w("v128.or", part(32, 0x8000_0000n), part(29, 0x3f_ffffn)), repeat(0x7fc0_0000n, 64));
  return choose(
    eqz(w("v128.any_true", bad)),
    result,
    w("v128.bitselect", shuffle(4, nan, ZERO, [0, 2, 4, 4]), result, bad),
  );
};

/** dst = f(src), whole register. */
export const CONVERT_UNARY = {
  cvtps2pd,
  cvtpd2ps,
  cvtdq2ps: (a) => w("f32x4.convert_i32x4_s", a),
  cvtdq2pd: (a) => w("f64x2.convert_low_i32x4_s", a),
  cvttps2dq: (a, bind) => packedSingleToInt(a, TRUNCATE, bind),
  cvttpd2dq: (a, bind) => packedDoubleToInt(a, TRUNCATE, bind),
} satisfies Record<string, Unary>;

/**
 * Signed integer (i32 or i64 expression) to a float of the format, rounded to nearest even. 32-bit ones take the way through a vector:
 * the scalar instruction of x86 hosts merges into a register and so waits for whatever the engine has last left in it.
 */
export function fromInteger(f: Format, x: Expr): Expr {
  if (x.type === "i64") return w(`${f.scalar}.convert_i64_s`, x);
  const lanes = w("i32x4.splat", x);
  return f === SINGLE
    ? w("f32x4.extract_lane", w("f32x4.convert_i32x4_s", lanes), 0)
    : w("f64x2.extract_lane", w("f64x2.convert_low_i32x4_s", lanes), 0);
}
