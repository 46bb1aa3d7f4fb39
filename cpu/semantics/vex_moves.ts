/** Moves, insertions and broadcasts under VEX. */
import type { Insn } from "../insn.ts";
import type { Semantic } from "../sem.ts";
import { type Expr, w } from "../wasm/expr.ts";
import { halves, setHalves, ZERO } from "./halves.ts";
import { mergeLow, shuffle } from "./lanes.ts";
import { bitsOf } from "./lanes_float.ts";
import { insertps } from "./lanes_shuffle.ts";
import { bindOf, imm8, scalar, setScalar, sized, source } from "./vector.ts";

/** 16 or 32 bytes between registers and memory. */
const move = (aligned: boolean): Semantic => (s, { ops: [dst, src] }) => {
  if (dst.kind === "xmm" && src.kind === "xmm" && src.size === 16 && s.copyXmm) {
    s.copyXmm(dst, src);
    return s.setYmmHigh(dst, ZERO);
  }
  setHalves(s, dst, halves(s, src, { aligned }), { aligned });
};

/** Loads clear the rest of the register; the form with three registers merges. */
const moveScalar: Semantic = (s, { ops }) => {
  const [dst, first] = ops, src = ops[ops.length - 1];
  if (dst.kind === "mem") return s.write(dst, bitsOf(scalar(s, sized(src))));
  if (src.kind === "mem") {
    if (s.setLow) setScalar(s, dst, scalar(s, sized(src)), true);
    else s.setXmm(dst, source(s, src));
    return s.setYmmHigh(dst, ZERO);
  }
  setHalves(s, dst, [mergeLow(sized(src).size, s.xmm(first), s.xmm(src))]);
};

/** One half of 128 bits from or to memory; the other one comes from the first source. */
const moveHalf = (half: 0 | 1): Semantic => (s, { ops: [dst, first, src] }) => {
  if (dst.kind === "mem") return s.write(dst, w("i64x2.extract_lane", s.xmm(first), half));
  const value = source(s, src), a = s.xmm(first);
  setHalves(s, dst, [half === 0 ? mergeLow(8, a, value) : shuffle(8, a, value, [0, 2])]);
};
const combine = (f: (a: Expr, b: Expr) => Expr): Semantic => (s, { ops: [dst, first, src] }) =>
  setHalves(s, dst, [f(s.xmm(first), s.xmm(src))]);
const rearrange = (f: (x: Expr) => Expr): Semantic => (s, { ops: [dst, src] }) => setHalves(s, dst, halves(s, src).map(f));

const insert = (op: "i8x16.replace_lane" | "i16x8.replace_lane" | undefined, lanes: number): Semantic => (s, i) => {
  const [dst, first, src] = i.ops, value = s.read(src);
  const wide = value.type === "i64", count = op ? lanes : wide ? 2 : 4;
  setHalves(s, dst, [
    w(op ?? (wide ? "i64x2.replace_lane" : "i32x4.replace_lane"), s.xmm(first), value, imm8(s, i) & (count - 1)),
  ]);
};
const insertSingle: Semantic = (s, i) => {
  const [dst, first, src] = i.ops, imm = imm8(s, i);
  const value = src.kind === "mem" ? scalar(s, src) : s.let(w("f32x4.extract_lane", s.xmm(src), imm >> 6));
  setHalves(s, dst, [insertps(s.xmm(first), value, imm)]);
};

/** The lowest element of a register or memory, everywhere. */
const SPLAT = { 1: "i8x16.splat", 2: "i16x8.splat", 4: "i32x4.splat", 8: "i64x2.splat" } as const;
const broadcast = (size: 1 | 2 | 4 | 8): Semantic => (s, { ops: [dst, src] }) => {
  const x = src.kind === "mem" ? w(SPLAT[size], s.read(src)) : spread(s.xmm(src), size);
  const all = bindOf(s)(x);
  setHalves(s, dst, sized(dst).size === 32 ? [all, all] : [all]);
};
const spread = (x: Expr, size: number): Expr => shuffle(size, x, x, Array.from({ length: 16 / size }, () => 0));
const broadcast128: Semantic = (s, { ops: [dst, src] }) => {
  const x = source(s, src, true);
  setHalves(s, dst, [x, x]);
};

const insert128: Semantic = (s, i) => {
  const [dst, first, src] = i.ops, value = source(s, src, true), [low, high] = halves(s, first);
  setHalves(s, dst, imm8(s, i) & 1 ? [low, value] : [value, high]);
};
const extract128: Semantic = (s, i) => setHalves(s, i.ops[0], [halves(s, i.ops[1])[imm8(s, i) & 1]]);

/** In JavaScript: elements that the mask leaves out are not accessed. Gathers likewise. */
const inHelper = (name: string): Semantic => (s, _: Insn) => s.helper(name);

const aligned = move(true), unaligned = move(false), toLow = moveHalf(0), toHigh = moveHalf(1);
const masked = inHelper("masked_move"), gather = inHelper("gather");

export const VEX_MOVES: Readonly<Record<string, Semantic>> = {
  vmovaps: aligned,
  vmovapd: aligned,
  vmovdqa: aligned,
  vmovntps: aligned,
  vmovntpd: aligned,
  vmovntdq: aligned,
  vmovntdqa: aligned,
  vmovups: unaligned,
  vmovupd: unaligned,
  vmovdqu: unaligned,
  vlddqu: unaligned,
  vmovss: moveScalar,
  vmovsd: moveScalar,
  vmovlps: toLow,
  vmovlpd: toLow,
  vmovhps: toHigh,
  vmovhpd: toHigh,
  vmovhlps: combine((a, b) => shuffle(8, a, b, [3, 1])),
  vmovlhps: combine((a, b) => shuffle(8, a, b, [0, 2])),
  vmovsldup: rearrange((x) => shuffle(4, x, x, [0, 0, 2, 2])),
  vmovshdup: rearrange((x) => shuffle(4, x, x, [1, 1, 3, 3])),
  vmovddup: rearrange((x) => shuffle(8, x, x, [0, 0])),
  vpinsrb: insert("i8x16.replace_lane", 16),
  vpinsrw: insert("i16x8.replace_lane", 8),
  vpinsrd: insert(undefined, 0),
  vinsertps: insertSingle,
  vpbroadcastb: broadcast(1),
  vpbroadcastw: broadcast(2),
  vpbroadcastd: broadcast(4),
  vpbroadcastq: broadcast(8),
  vbroadcastss: broadcast(4),
  vbroadcastsd: broadcast(8),
  vbroadcastf128: broadcast128,
  vbroadcasti128: broadcast128,
  vinsertf128: insert128,
  vinserti128: insert128,
  vextractf128: extract128,
  vextracti128: extract128,
  vmaskmovps: masked,
  vmaskmovpd: masked,
  vpmaskmovd: masked,
  vpmaskmovq: masked,
  ...Object.fromEntries(
    ["vpgatherdd", "vpgatherdq", "vpgatherqd", "vpgatherqq", "vgatherdps", "vgatherdpd", "vgatherqps", "vgatherqpd"].map(
      (name) => [name, gather],
    ),
  ),
};
