/** Semantics of AVX and AVX2, made from the lane functions that SSE uses, too. The upper halves follow the lower ones. */
import type { Semantic } from "../sem.ts";
import { eqz, type Expr, i32, or, shl, toI32, v128, w } from "../wasm/expr.ts";
import { type Halves, halves, setHalves, ZERO } from "./halves.ts";
import { type Binary, type BinaryImm, type Unary, type UnaryImm } from "./lanes.ts";
import { CONVERT_UNARY } from "./lanes_convert.ts";
import { CRYPTO_BINARY, CRYPTO_BINARY_IMM, CRYPTO_UNARY, CRYPTO_UNARY_IMM } from "./lanes_crypto.ts";
import {
  compare,
  DOT_BINARY_IMM,
  DOUBLE,
  FLOAT_BINARY,
  FLOAT_UNARY,
  LOW_BINARY,
  lowest,
  SCALAR_BINARY,
  SCALAR_UNARY,
  SINGLE,
} from "./lanes_float.ts";
import { INTEGER_BINARY, INTEGER_UNARY, type Shift, SHIFTS } from "./lanes_integer.ts";
import { blendBySign, SHUFFLE_BINARY_IMM, SHUFFLE_UNARY_IMM } from "./lanes_shuffle.ts";
import { COMPARES } from "./sse_compare.ts";
import { CONVERSIONS } from "./sse_convert.ts";
import { MOVES } from "./sse_moves.ts";
import { bindOf, imm8, scalar, sized, source } from "./vector.ts";
import { VEX_CONVERSIONS } from "./vex_convert.ts";
import { setMerged } from "./vex_merge.ts";
import { VEX_MOVES } from "./vex_moves.ts";
import { VEX_PERMUTES } from "./vex_permute.ts";
import { fmaSemantics } from "./vex_fma.ts";

const binary = (f: Binary): Semantic => (s, { ops: [dst, first, second] }) => {
  const b = halves(s, second), a = halves(s, first), bind = bindOf(s);
  setHalves(s, dst, a.map((x, n) => f(x, b[n], bind)));
};
const unary = (f: Unary): Semantic => (s, { ops: [dst, src] }) => {
  const a = halves(s, src), bind = bindOf(s);
  setHalves(s, dst, a.map((x) => f(x, bind)));
};
const binaryImm = (f: BinaryImm): Semantic => (s, i) => {
  const [dst, first, second] = i.ops, b = halves(s, second), a = halves(s, first), imm = imm8(s, i), bind = bindOf(s);
  setHalves(s, dst, a.map((x, n) => f(x, b[n], imm, bind)));
};
const unaryImm = (f: UnaryImm): Semantic => (s, i) => {
  const a = halves(s, i.ops[1]), imm = imm8(s, i), bind = bindOf(s);
  setHalves(s, i.ops[0], a.map((x) => f(x, imm, bind)));
};
/** Only the lowest lane of the 128 bits is computed; the rest comes from the first source. */
const low = (f: Binary): Semantic => (s, { ops: [dst, first, second] }) => {
  const b = source(s, second, true), a = s.xmm(first);
  setHalves(s, dst, [f(a, b, bindOf(s))]);
};
const lowImm = (f: BinaryImm): Semantic => (s, i) => low((a, b, bind) => f(a, b, imm8(s, i), bind))(s, i);

const scalars = (f: Binary): Semantic => (s, { ops: [dst, first, second] }) => {
  const b = scalar(s, sized(second), true), a = scalar(s, sized(first), true);
  setMerged(s, dst, first, f(a, b, bindOf(s)));
};
const oneScalar = (f: Unary): Semantic => (s, { ops: [dst, first, src] }) =>
  setMerged(s, dst, first, f(scalar(s, sized(src), true), bindOf(s)));

/** The count is an immediate byte, or the low 64 bits of 16 bytes. */
const shift = (f: Shift): Semantic => (s, { ops: [dst, src, count] }) => {
  const n = count.kind === "imm" ? toI32(s.read(count)) : s.let(w("i64x2.extract_lane", source(s, count, true), 0));
  setHalves(s, dst, halves(s, src).map((x) => f(x, n, bindOf(s))));
};
/** VPALIGNR and the like work within each half; VMPSADBW takes bits 5..3 of the immediate for the upper half. */
const mpsadbw: Semantic = (s, i) => {
  const [dst, first, second] = i.ops, b = halves(s, second), a = halves(s, first), imm = imm8(s, i), bind = bindOf(s);
  setHalves(s, dst, a.map((x, n) => SHUFFLE_BINARY_IMM.mpsadbw(x, b[n], n === 0 ? imm & 7 : (imm >> 3) & 7, bind)));
};
/** Blends by an immediate with one bit per lane of the whole register. */
const blendImm = (f: BinaryImm, lanes: number): Semantic => (s, i) => {
  const [dst, first, second] = i.ops, b = halves(s, second), a = halves(s, first), imm = imm8(s, i), bind = bindOf(s);
  setHalves(s, dst, a.map((x, n) => f(x, b[n], imm >> (n * lanes), bind)));
};
const blend = (shape: "i8x16" | "i32x4" | "i64x2"): Semantic => (s, { ops: [dst, first, second, selector] }) => {
  const b = halves(s, second), a = halves(s, first), mask = halves(s, selector);
  setHalves(s, dst, a.map((x, n) => blendBySign(shape, x, b[n], mask[n])));
};

/** Any bit of the conjunctions (i32). */
const any = (x: Halves): Expr => w("v128.any_true", x.length === 1 ? x[0] : w("v128.or", x[0], x[1]));
const SIGNS = {
  i32x4: v128(0x8000_0000_8000_0000_8000_0000_8000_0000n),
  i64x2: v128(0x8000_0000_0000_0000_8000_0000_0000_0000n),
};
/** VPTEST; VTESTPS and VTESTPD look at sign bits only. */
const test = (sign?: "i32x4" | "i64x2"): Semantic => (s, { ops: [first, second] }) => {
  const b = halves(s, second), a = halves(s, first), signs = sign && SIGNS[sign];
  const masked = (x: Expr): Expr => signs ? w("v128.and", x, signs) : x;
  const none = i32(0), bit = (f: (x: Expr, y: Expr) => Expr) => eqz(any(a.map((x, n) => masked(f(x, b[n])))));
  s.setFlags({
    kind: "set",
    z: s.let(bit((x, y) => w("v128.and", x, y))),
    c: s.let(bit((x, y) => w("v128.andnot", y, x))),
    o: none,
    s: none,
    a: none,
    p: none,
  });
};
const signMask = (shape: "i8x16" | "i32x4" | "i64x2", lanes: number): Semantic => (s, { ops: [dst, src] }) => {
  const [x, y] = halves(s, src).map((v) => w(`${shape}.bitmask`, v));
  s.write(dst, y === undefined ? x : or(x, shl(y, i32(lanes))));
};

/** As the SSE form does it, and the upper half becomes zero. */
const cleared = (f: Semantic): Semantic => (s, i) => {
  f(s, i);
  s.setYmmHigh(i.ops[0], ZERO);
};

function prefixed<F>(table: Readonly<Record<string, F>>, make: (f: F) => Semantic): Record<string, Semantic> {
  return Object.fromEntries(Object.entries(table).map(([name, f]) => [`v${name}`, make(f)]));
}
const same = (names: string, table: Readonly<Record<string, Semantic>>): Record<string, Semantic> =>
  Object.fromEntries(names.split(" ").map((name) => [`v${name}`, table[name]]));

const comparison = (f: typeof SINGLE): BinaryImm => (a, b, imm, bind) => compare(f, imm & 31)(a, b, bind);

let table: Readonly<Record<string, Semantic>> | undefined;
/** By row name; made when the first is needed, as in sse.ts. */
export const vexSemantics = (): Readonly<Record<string, Semantic>> =>
  table ??= {
    ...prefixed<Binary>(INTEGER_BINARY, binary),
    ...prefixed<Binary>(FLOAT_BINARY, binary),
    ...prefixed<Binary>(CRYPTO_BINARY, binary),
    ...prefixed<Binary>(LOW_BINARY, low),
    ...prefixed<Unary>(INTEGER_UNARY, unary),
    ...prefixed<Unary>(FLOAT_UNARY, unary),
    ...prefixed<Unary>(CRYPTO_UNARY, unary),
    ...prefixed<Unary>({ cvtdq2ps: CONVERT_UNARY.cvtdq2ps, cvttps2dq: CONVERT_UNARY.cvttps2dq }, unary),
    ...prefixed<Binary>(SCALAR_BINARY, scalars),
    ...prefixed<Unary>(SCALAR_UNARY, oneScalar),
    ...prefixed<BinaryImm>(SHUFFLE_BINARY_IMM, binaryImm),
    ...prefixed<BinaryImm>(DOT_BINARY_IMM, binaryImm),
    ...prefixed<BinaryImm>(CRYPTO_BINARY_IMM, binaryImm),
    ...prefixed<UnaryImm>(SHUFFLE_UNARY_IMM, unaryImm),
    ...prefixed<UnaryImm>(CRYPTO_UNARY_IMM, unaryImm),
    ...prefixed<Shift>(SHIFTS, shift),
    vmpsadbw: mpsadbw,
    vblendps: blendImm(SHUFFLE_BINARY_IMM.blendps, 4),
    vblendpd: blendImm(SHUFFLE_BINARY_IMM.blendpd, 2),
    vpblendd: blendImm(SHUFFLE_BINARY_IMM.blendps, 4),
    vshufpd: blendImm(SHUFFLE_BINARY_IMM.shufpd, 2),
    vblendvps: blend("i32x4"),
    vblendvpd: blend("i64x2"),
    vpblendvb: blend("i8x16"),
    vcmpps: binaryImm(comparison(SINGLE)),
    vcmppd: binaryImm(comparison(DOUBLE)),
    vcmpss: lowImm(lowest(SINGLE, comparison(SINGLE))),
    vcmpsd: lowImm(lowest(DOUBLE, comparison(DOUBLE))),
    vptest: test(),
    vtestps: test("i32x4"),
    vtestpd: test("i64x2"),
    vpmovmskb: signMask("i8x16", 16),
    vmovmskps: signMask("i32x4", 4),
    vmovmskpd: signMask("i64x2", 2),
    ...same("ucomiss ucomisd comiss comisd pcmpestri pcmpistri pcmpestrm pcmpistrm", COMPARES),
    ...same("cvtss2si cvtsd2si cvttss2si cvttsd2si", CONVERSIONS),
    ...same("pextrb pextrw pextrd extractps maskmovdqu", MOVES),
    vmovd: (s, i) => i.ops[0].kind === "xmm" ? cleared(MOVES.movd)(s, i) : MOVES.movd(s, i),
    vmovq: (s, i) => i.ops[0].kind === "xmm" ? cleared(MOVES.movq)(s, i) : MOVES.movq(s, i),
    vzeroupper: (s) => s.clearYmm(false),
    vzeroall: (s) => s.clearYmm(true),
    ...VEX_MOVES,
    ...VEX_CONVERSIONS,
    ...VEX_PERMUTES,
    ...fmaSemantics(),
  };
