/** Vector moves, insertions and extractions. */
import type { Operand } from "../insn.ts";
import type { Sem, Semantic } from "../sem.ts";
import { and, type Expr, i32, toI32, v128, w } from "../wasm/expr.ts";
import { mergeLow, shuffle, ZERO } from "./lanes.ts";
import { bitsOf } from "./lanes_float.ts";
import { insertps } from "./lanes_shuffle.ts";
import { imm8, scalar, setScalar, setVector, sized, source } from "./vector.ts";

const lane64 = (v: Expr, lane: 0 | 1): Expr => w("i64x2.extract_lane", v, lane);

/** 16 bytes between registers and memory. */
const move = (aligned: boolean): Semantic => (s, { ops: [dst, src] }) => {
  if (dst.kind === "mem") return s.write(dst, s.xmm(src), { aligned });
  if (dst.kind === "xmm" && src.kind === "xmm" && s.copyXmm) return s.copyXmm(dst, src);
  s.setXmm(dst, source(s, src, !aligned));
};

/** movss, movsd: loads clear the rest of the register, register moves keep it. */
const moveScalar: Semantic = (s, { ops: [dst, src] }) => {
  if (dst.kind === "mem") return s.write(dst, bitsOf(scalar(s, sized(src))));
  // As a vector where scalars are not kept apart: a load that clears the rest is one instruction.
  if (src.kind === "mem" && !s.setLow) return s.setXmm(dst, source(s, src));
  setScalar(s, dst, scalar(s, sized(src)), src.kind === "mem");
};

/** movlps, movhps ...: one half of a register and 8 bytes of memory. */
const moveHalf = (half: 0 | 1): Semantic => (s, { ops: [dst, src] }) => {
  if (dst.kind === "mem") return s.write(dst, lane64(s.xmm(src), half));
  const value = source(s, src);
  s.setXmm(dst, half === 0 ? mergeLow(8, s.xmm(dst), value) : shuffle(8, s.xmm(dst), value, [0, 2]));
};

/** Low 4 or 8 bytes of an MMX register. Memory must be known to be writable before reading the register changes the x87 state. */
function storeMmx(s: Sem, dst: Operand, src: Operand): void {
  if (dst.kind === "mem") s.rmw(dst);
  const value = s.mmx(src);
  s.write(dst, sized(dst).size === 4 ? toI32(value) : value);
}

/** movd, movq between general registers or memory and vectors. */
const moveInt: Semantic = (s, { ops: [dst, src] }) => {
  if (dst.kind === "mmx") {
    const value = s.read(src);
    return s.setMmx(dst, value.type === "i32" ? w("i64.extend_i32_u", value) : value);
  }
  if (dst.kind === "xmm") {
    if (src.kind === "mem") return s.setXmm(dst, source(s, src));
    const value = s.read(src);
    return s.setXmm(dst, w(value.type === "i32" ? "i32x4.replace_lane" : "i64x2.replace_lane", ZERO, value, 0));
  }
  const four = sized(dst).size === 4;
  if (src.kind === "mmx") return storeMmx(s, dst, src);
  s.write(dst, w(four ? "i32x4.extract_lane" : "i64x2.extract_lane", s.xmm(src), 0));
};

/** movq between vectors of one kind and memory: the upper half of a destination register is cleared. */
const moveQuad: Semantic = (s, { ops: [dst, src] }) => {
  if (dst.kind === "mmx") return s.setMmx(dst, src.kind === "mmx" ? s.mmx(src) : s.read(src));
  if (dst.kind === "mem") return src.kind === "mmx" ? storeMmx(s, dst, src) : s.write(dst, lane64(s.xmm(src), 0));
  s.setXmm(dst, src.kind === "mem" ? source(s, src) : shuffle(8, s.xmm(src), ZERO, [0, 2]));
};

/** In JavaScript. Reading the mask as an MMX register has the effect on the x87 state that every MMX instruction has, even when this faults. */
const maskedStore: Semantic = (s, { ops: [, mask] }) => {
  if (mask.kind === "mmx") s.mmx(mask);
  s.helper("masked_store");
};

type Inserted = { size: number; op: "i8x16.replace_lane" | "i16x8.replace_lane" | "i32x4.replace_lane" | "i64x2.replace_lane" };
const INSERT: Record<string, Inserted> = {
  pinsrb: { size: 1, op: "i8x16.replace_lane" },
  pinsrw: { size: 2, op: "i16x8.replace_lane" },
};
/** Lane number: as many low bits of the immediate as the vector has lanes. */
const laneOf = (imm: number, vector: Operand, size: number): number => imm & ((vector.kind === "mmx" ? 8 : 16) / size - 1);
const insert: Semantic = (s, i) => {
  const [dst, src] = i.ops, value = s.read(src);
  const { size, op } = INSERT[i.name] ??
    (value.type === "i64" ? { size: 8, op: "i64x2.replace_lane" } : { size: 4, op: "i32x4.replace_lane" });
  setVector(s, dst, w(op, source(s, dst), value, laneOf(imm8(s, i), dst, size)));
};
const extract: Semantic = (s, i) => {
  const [dst, src] = i.ops, v = source(s, src);
  const size = i.name.endsWith("pextrb") ? 1 : i.name.endsWith("pextrw") ? 2 : sized(dst).size,
    lane = laneOf(imm8(s, i), src, size);
  const op = size === 1
    ? "i8x16.extract_lane_u"
    : size === 2
    ? "i16x8.extract_lane_u"
    : size === 4
    ? "i32x4.extract_lane"
    : "i64x2.extract_lane";
  s.write(dst, w(op, v, lane));
};
const insertSingle: Semantic = (s, i) => {
  const [dst, src] = i.ops, imm = imm8(s, i);
  const value = src.kind === "mem" ? scalar(s, src) : s.let(w("f32x4.extract_lane", s.xmm(src), imm >> 6));
  s.setXmm(dst, insertps(s.xmm(dst), value, imm));
};

/** Sign bits of the lanes to a general register. */
const signMask = (shape: "i8x16" | "i32x4" | "i64x2"): Semantic => (s, { ops: [dst, src] }) => {
  const bits = w(`${shape}.bitmask`, source(s, src));
  s.write(dst, src.kind === "mmx" ? and(bits, i32(0xff)) : bits);
};
const rearrange = (f: (dst: Expr, src: Expr) => Expr): Semantic => (s, { ops: [dst, src] }) => {
  const b = source(s, src);
  s.setXmm(dst, f(s.xmm(dst), b));
};

const aligned = move(true), unaligned = move(false);
const toLow = moveHalf(0), toHigh = moveHalf(1);

export const MOVES: Readonly<Record<string, Semantic>> = {
  movaps: aligned,
  movapd: aligned,
  movdqa: aligned,
  movntps: aligned,
  movntpd: aligned,
  movntdq: aligned,
  movntdqa: aligned,
  movups: unaligned,
  movupd: unaligned,
  movdqu: unaligned,
  lddqu: unaligned,
  movss: moveScalar,
  movsd: moveScalar,
  movlps: toLow,
  movlpd: toLow,
  movhps: toHigh,
  movhpd: toHigh,
  movhlps: rearrange((d, x) => shuffle(8, d, x, [3, 1])),
  movlhps: rearrange((d, x) => shuffle(8, d, x, [0, 2])),
  movsldup: rearrange((_, x) => shuffle(4, x, x, [0, 0, 2, 2])),
  movshdup: rearrange((_, x) => shuffle(4, x, x, [1, 1, 3, 3])),
  movddup: rearrange((_, x) => shuffle(8, x, x, [0, 0])),
  movd: moveInt,
  movq: moveQuad,
  movntq: moveQuad,
  movnti: (s, { ops: [dst, src] }) => s.write(dst, s.read(src)),
  movdq2q: (s, { ops: [dst, src] }) => s.setMmx(dst, lane64(s.xmm(src), 0)),
  movq2dq: (s, { ops: [dst, src] }) => s.setXmm(dst, w("i64x2.replace_lane", v128(0n), s.mmx(src), 0)),
  maskmovq: maskedStore,
  maskmovdqu: maskedStore,
  pinsrb: insert,
  pinsrw: insert,
  pinsrd: insert,
  pextrb: extract,
  pextrw: extract,
  pextrd: extract,
  extractps: extract,
  insertps: insertSingle,
  pmovmskb: signMask("i8x16"),
  movmskps: signMask("i32x4"),
  movmskpd: signMask("i64x2"),
};
