/** Conversions under VEX, where source and result have different sizes or MXCSR or a general register takes part; F16C. */
import type { Semantic } from "../sem.ts";
import { call, type Expr, i32, or, shl, w } from "../wasm/expr.ts";
import { halves, isWide, setHalves } from "./halves.ts";
import { join64, repeat, shuffle, type Unary } from "./lanes.ts";
import { CONVERT_UNARY, demote, fromInteger, packedDoubleToInt, packedSingleToInt, promote } from "./lanes_convert.ts";
import { DOUBLE, type Format, NEAREST, type Rounding, roundPacked, roundScalar, SINGLE } from "./lanes_float.ts";
import { bindOf, imm8, scalar, sized, source } from "./vector.ts";
import { setMerged } from "./vex_merge.ts";

/** Twice as wide: the upper half comes from the upper 64 bits of the source. */
const widen = (f: Unary): Semantic => (s, i) => {
  const [dst, src] = i.ops, x = source(s, src, true), bind = bindOf(s);
  setHalves(s, dst, isWide(i) ? [f(x, bind), f(bind(shuffle(8, x, x, [1, 1])), bind)] : [f(x, bind)]);
};
/** Half as wide: the results, 64 bits each, stand side by side. */
const narrow = (convert: Unary): Semantic => (s, { ops: [dst, src] }) => {
  const bind = bindOf(s), [low, high] = halves(s, src).map((x) => bind(convert(x, bind)));
  setHalves(s, dst, [high === undefined ? low : join64(low, high)]);
};

const fromGeneral = (f: Format): Semantic => (s, { ops: [dst, first, src] }) =>
  setMerged(s, dst, first, s.let(fromInteger(f, s.read(src))));
const convertScalar = (f: typeof promote): Semantic => (s, { ops: [dst, first, src] }) =>
  setMerged(s, dst, first, f(scalar(s, sized(src)), bindOf(s)));

const ROUNDINGS = [0, 1, 2, 3] as const;
const rounding = (imm: number): Rounding => imm & 4 ? NEAREST : ROUNDINGS[imm & 3];
const roundVector = (f: Format): Semantic => (s, i) => {
  const x = halves(s, i.ops[1]), how = rounding(imm8(s, i)), bind = bindOf(s);
  setHalves(s, i.ops[0], x.map((half) => roundPacked(f, half, how, bind)));
};
const roundLow = (f: Format): Semantic => (s, i) => {
  const [dst, first, src] = i.ops, x = scalar(s, sized(src));
  setMerged(s, dst, first, roundScalar(f, x, rounding(imm8(s, i)), bindOf(s)));
};

// ---- half precision

/**
 * Sixteen bits in each lane to an f32: exponent and fraction move into place, then a multiplication by 2^112 adjusts the exponent, of
 * denormals, too. MXCSR does not matter.
 */
const halfToSingle: Unary = (a, bind) => {
  const h = bind(w("i32x4.extend_low_i16x8_u", a)),
    magnitude = bind(w("i32x4.shl", w("v128.and", h, repeat(0x7fffn, 32)), i32(13)));
  const finite = w("f32x4.mul", magnitude, repeat(0x7780_0000n, 32));
  const special = bind(w("i32x4.ge_s", magnitude, repeat(0x0f80_0000n, 32)));
  // Infinity keeps a zero fraction; NaNs become quiet.
  const quiet = w("v128.and", w("i32x4.gt_s", magnitude, repeat(0x0f80_0000n, 32)), repeat(0x0040_0000n, 32));
  const extreme = w("v128.or", w("v128.or", magnitude, repeat(0x7f80_0000n, 32)), quiet);
  const sign = w("i32x4.shl", w("v128.and", h, repeat(0x8000n, 32)), i32(16));
  return w("v128.or", w("v128.bitselect", extreme, finite, special), sign);
};
/** Four f32 to four times sixteen bits in the low half, lane by lane (runtime function f32_to_f16). */
const singleToHalf = (how: Expr): Unary => (x, bind) => {
  const lane = (k: number) => call("f32_to_f16", "i32", w("i32x4.extract_lane", x, k), how);
  const pair = (k: number) => or(lane(k), shl(lane(k + 1), i32(16)));
  return [0, 1].reduce((v, k) => w("i32x4.replace_lane", v, bind(pair(2 * k)), k), repeat(0n, 32) as Expr);
};
const toHalf: Semantic = (s, i) => {
  const [dst, src] = i.ops, imm = imm8(s, i), bind = bindOf(s);
  const how = i32(imm & 4 ? NEAREST : imm & 3);
  const [low, high] = halves(s, src).map((x) => bind(singleToHalf(how)(x, bind)));
  if (dst.kind === "mem" && dst.size === 8) return s.write(dst, w("i64x2.extract_lane", low, 0));
  setHalves(s, dst, [high === undefined ? low : join64(low, high)]);
};

export const VEX_CONVERSIONS: Readonly<Record<string, Semantic>> = {
  vcvtps2pd: widen(CONVERT_UNARY.cvtps2pd),
  vcvtdq2pd: widen(CONVERT_UNARY.cvtdq2pd),
  vcvtpd2ps: narrow(CONVERT_UNARY.cvtpd2ps),
  vcvttpd2dq: narrow(CONVERT_UNARY.cvttpd2dq),
  vcvtpd2dq: narrow((x, bind) => packedDoubleToInt(x, NEAREST, bind)),
  vcvtps2dq: (s, { ops: [dst, src] }) => {
    const x = halves(s, src), bind = bindOf(s);
    setHalves(s, dst, x.map((half) => packedSingleToInt(half, NEAREST, bind)));
  },
  vcvtsi2ss: fromGeneral(SINGLE),
  vcvtsi2sd: fromGeneral(DOUBLE),
  vcvtss2sd: convertScalar(promote),
  vcvtsd2ss: convertScalar(demote),
  vroundps: roundVector(SINGLE),
  vroundpd: roundVector(DOUBLE),
  vroundss: roundLow(SINGLE),
  vroundsd: roundLow(DOUBLE),
  vcvtph2ps: widen(halfToSingle),
  vcvtps2ph: toHalf,
};
