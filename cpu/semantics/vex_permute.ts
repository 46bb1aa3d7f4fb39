/** Permutations (also across the halves), extensions and shifts lane by lane. */
import type { Semantic } from "../sem.ts";
import { type Expr, i32, i64, lt_u, select, shl, shr_s, shr_u, w } from "../wasm/expr.ts";
import { halves, isWide, setHalves, ZERO } from "./halves.ts";
import { type Bind, repeat, shuffle, type Unary } from "./lanes.ts";
import { INTEGER_UNARY } from "./lanes_integer.ts";
import { bindOf, imm8, source } from "./vector.ts";

const field = (imm: number, k: number): number => (imm >> (2 * k)) & 3;

// ---- by an immediate

/** VPERMQ, VPERMPD: any of the four quadwords to each place. */
const permute4: Semantic = (s, i) => {
  const [low, high] = halves(s, i.ops[1]), imm = imm8(s, i);
  setHalves(s, i.ops[0], [0, 2].map((k) => shuffle(8, low, high, [field(imm, k), field(imm, k + 1)])));
};
/** VPERM2F128: one of the four halves, or zero. */
const permute2: Semantic = (s, i) => {
  const [dst, first, second] = i.ops, b = halves(s, second), all = [...halves(s, first), ...b], imm = imm8(s, i);
  setHalves(s, dst, [imm, imm >> 4].map((c) => c & 8 ? ZERO : all[c & 3]));
};

// ---- by a vector of indices

/** Byte indices for a swizzle: element index times its size, plus the byte within. */
const byteIndices = (index: Expr, size: 4 | 8): Expr =>
  size === 4
    ? w("i32x4.add", w("i32x4.mul", index, repeat(0x0404_0404n, 32)), repeat(0x0302_0100n, 32))
    : w("i64x2.add", w("i64x2.mul", index, repeat(0x0808_0808_0808_0808n, 64)), repeat(0x0706_0504_0302_0100n, 64));
/** VPERMILPS, VPERMILPD with a vector: within each half. PD takes its index from bit 1. */
function permuteWithin(x: Expr, control: Expr, size: 4 | 8): Expr {
  const index = size === 4
    ? w("v128.and", control, repeat(3n, 32))
    : w("v128.and", w("i64x2.shr_u", control, i32(1)), repeat(1n, 64));
  return w("i8x16.swizzle", x, byteIndices(index, size));
}
const permilps: Semantic = (s, i) => {
  const [dst, first, control] = i.ops;
  if (control.kind === "imm") {
    const imm = imm8(s, i);
    return setHalves(s, dst, halves(s, first).map((x) => shuffle(4, x, x, [0, 1, 2, 3].map((k) => field(imm, k)))));
  }
  const c = halves(s, control);
  setHalves(s, dst, halves(s, first).map((x, n) => permuteWithin(x, c[n], 4)));
};
const permilpd: Semantic = (s, i) => {
  const [dst, first, control] = i.ops;
  if (control.kind === "imm") {
    const imm = imm8(s, i);
    return setHalves(s, dst, halves(s, first).map((x, n) => shuffle(8, x, x, [imm >> (2 * n) & 1, imm >> (2 * n + 1) & 1])));
  }
  const c = halves(s, control);
  setHalves(s, dst, halves(s, first).map((x, n) => permuteWithin(x, c[n], 8)));
};
/** VPERMD, VPERMPS: any of the eight dwords of the last operand. A swizzle gives zero for bytes that are in the other half. */
const permute8: Semantic = (s, { ops: [dst, control, src] }) => {
  const [low, high] = halves(s, src), bind = bindOf(s);
  const half = (index: Expr): Expr => {
    const at = bind(byteIndices(w("v128.and", index, repeat(7n, 32)), 4));
    return w(
      "v128.or",
      w("i8x16.swizzle", low, at),
      w("i8x16.swizzle", high, w("i8x16.sub", at, repeat(16n, 8))),
    );
  };
  setHalves(s, dst, halves(s, control).map(half));
};

// ---- shifts with a count per lane

type VariableShift = (x: Expr, count: Expr) => Expr;
const within = (count: Expr): Expr => lt_u(count, count.type === "i64" ? i64(64) : i32(32));
const zero = (x: Expr): Expr => x.type === "i64" ? i64(0) : i32(0);
const left: VariableShift = (x, n) => select(within(n), shl(x, n), zero(x));
const right: VariableShift = (x, n) => select(within(n), shr_u(x, n), zero(x));
const arithmetic: VariableShift = (x, n) => shr_s(x, select(within(n), n, i32(31)));

function eachLane(shape: "i32x4" | "i64x2", x: Expr, counts: Expr, f: VariableShift, bind: Bind): Expr {
  const lanes = Array.from({ length: shape === "i32x4" ? 4 : 2 }, (_, k) => {
    const n = bind(w(`${shape}.extract_lane`, counts, k));
    return bind(f(w(`${shape}.extract_lane`, x, k), n));
  });
  return lanes.reduce((v, lane, k) => k === 0 ? w(`${shape}.splat`, lane) : w(`${shape}.replace_lane`, v, lane, k), ZERO as Expr);
}
const variableShift = (shape: "i32x4" | "i64x2", f: VariableShift): Semantic => (s, { ops: [dst, src, counts] }) => {
  const c = halves(s, counts), bind = bindOf(s);
  setHalves(s, dst, halves(s, src).map((x, n) => eachLane(shape, x, c[n], f, bind)));
};

// ---- extensions

/** VPMOVSX, VPMOVZX: the upper half extends what follows in the source, `bytes` further. */
const extend = (f: Unary, bytes: number): Semantic => (s, i) => {
  const [dst, src] = i.ops, x = source(s, src, true), bind = bindOf(s);
  const next = (): Expr => shuffle(bytes, x, x, Array.from({ length: 16 / bytes }, (_, k) => (k + 1) % (16 / bytes)));
  setHalves(s, dst, isWide(i) ? [f(x, bind), f(bind(next()), bind)] : [f(x, bind)]);
};
const CONSUMED = { bw: 8, bd: 4, bq: 2, wd: 8, wq: 4, dq: 8 } as const;
const EXTENSIONS = Object.fromEntries(
  (["s", "z"] as const).flatMap((sign) =>
    (Object.keys(CONSUMED) as (keyof typeof CONSUMED)[]).map((
      kind,
    ): [string, Semantic] => [`vpmov${sign}x${kind}`, extend(INTEGER_UNARY[`pmov${sign}x${kind}`], CONSUMED[kind])])
  ),
);

export const VEX_PERMUTES: Readonly<Record<string, Semantic>> = {
  ...EXTENSIONS,
  vpermq: permute4,
  vpermpd: permute4,
  vperm2f128: permute2,
  vperm2i128: permute2,
  vpermilps: permilps,
  vpermilpd: permilpd,
  vpermd: permute8,
  vpermps: permute8,
  vpsllvd: variableShift("i32x4", left),
  vpsllvq: variableShift("i64x2", left),
  vpsrlvd: variableShift("i32x4", right),
  vpsrlvq: variableShift("i64x2", right),
  vpsravd: variableShift("i32x4", arithmetic),
};
