/** Conversions between integers and floats, and rounding, where MXCSR, MMX or general registers are involved. */
import type { Semantic } from "../sem.ts";
import { w } from "../wasm/expr.ts";
import { mergeLow } from "./lanes.ts";
import { demote, fromInteger, packedDoubleToInt, packedSingleToInt, promote, toInteger } from "./lanes_convert.ts";
import { DOUBLE, type Format, NEAREST, type Rounding, roundPacked, roundScalar, SINGLE, TRUNCATE } from "./lanes_float.ts";
import { bindOf, imm8, scalar, setScalar, setVector, sized, source } from "./vector.ts";

/** cvtss2si, cvttsd2si ...: to a general register. */
const toGeneral = (truncates: boolean): Semantic => (s, { ops: [dst, src] }) => {
  const x = scalar(s, sized(src)), bytes = sized(dst).size === 8 ? 8 : 4;
  s.write(dst, toInteger(x, bytes, truncates ? TRUNCATE : NEAREST, bindOf(s)));
};
const fromGeneral = (f: Format): Semantic => (s, { ops: [dst, src] }) => setScalar(s, dst, fromInteger(f, s.read(src)));

/** Two floats to two i32 in an MMX register, or four (two) to an XMM register. */
const packedToInt = (f: Format, truncates: boolean): Semantic => (s, { ops: [dst, src] }) => {
  const convert = f === SINGLE ? packedSingleToInt : packedDoubleToInt;
  setVector(s, dst, convert(source(s, src), truncates ? TRUNCATE : NEAREST, bindOf(s)));
};

/** ROUNDxx: bit 2 of the immediate selects MXCSR's mode, which is "nearest" here (see `exactly`). */
const ROUNDINGS = [0, 1, 2, 3] as const;
const rounding = (imm: number): Rounding => imm & 4 ? NEAREST : ROUNDINGS[imm & 3];
const roundVector = (f: Format): Semantic => (s, i) =>
  s.setXmm(i.ops[0], roundPacked(f, source(s, i.ops[1]), rounding(imm8(s, i)), bindOf(s)));
const roundLow = (f: Format): Semantic => (s, i) =>
  setScalar(s, i.ops[0], roundScalar(f, scalar(s, sized(i.ops[1])), rounding(imm8(s, i)), bindOf(s)));

export const CONVERSIONS: Readonly<Record<string, Semantic>> = {
  cvtsi2ss: fromGeneral(SINGLE),
  cvtsi2sd: fromGeneral(DOUBLE),
  cvtss2si: toGeneral(false),
  cvtsd2si: toGeneral(false),
  cvttss2si: toGeneral(true),
  cvttsd2si: toGeneral(true),
  cvtss2sd: (s, { ops: [dst, src] }) => setScalar(s, dst, promote(scalar(s, sized(src)), bindOf(s))),
  cvtsd2ss: (s, { ops: [dst, src] }) => setScalar(s, dst, demote(scalar(s, sized(src)), bindOf(s))),
  cvtps2dq: packedToInt(SINGLE, false),
  cvtpd2dq: packedToInt(DOUBLE, false),
  cvtps2pi: packedToInt(SINGLE, false),
  cvttps2pi: packedToInt(SINGLE, true),
  cvtpd2pi: packedToInt(DOUBLE, false),
  cvttpd2pi: packedToInt(DOUBLE, true),
  cvtpi2ps: (s, { ops: [dst, src] }) => {
    const b = source(s, src);
    s.setXmm(dst, mergeLow(8, s.xmm(dst), w("f32x4.convert_i32x4_s", b)));
  },
  cvtpi2pd: (s, { ops: [dst, src] }) => s.setXmm(dst, w("f64x2.convert_low_i32x4_s", source(s, src))),
  roundps: roundVector(SINGLE),
  roundpd: roundVector(DOUBLE),
  roundss: roundLow(SINGLE),
  roundsd: roundLow(DOUBLE),
};
