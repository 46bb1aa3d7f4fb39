/** Operand access of vector instructions. */
import type { Insn, Operand } from "../insn.ts";
import type { Sem } from "../sem.ts";
import { type Expr, w } from "../wasm/expr.ts";
import type { Bind } from "./lanes.ts";
import { fromBits } from "./lanes_float.ts";
import { ZERO } from "./lanes.ts";

export const bindOf = (s: Sem): Bind => (value) => s.let(value);

/**
 * Source operand as a vector: a whole XMM register, an MMX register in the low half, or memory of 2, 4, 8 (the rest is zero) or 16 bytes.
 * 16 bytes of memory must be aligned unless `unaligned`. Read memory before MMX registers: the latter change TOP and tags.
 */
export function source(s: Sem, op: Operand, unaligned = false): Expr {
  if (op.kind === "xmm") return s.xmm(op);
  if (op.kind === "mmx") return s.let(w("i64x2.splat", s.mmx(op)));
  if (op.kind === "mem" && op.size === 16) return s.read(op, { aligned: !unaligned });
  const value = s.read(op, { as: "v128" });
  if (value.type === "v128") return value;
  return s.let(value.type === "i64" ? w("i64x2.replace_lane", ZERO, value, 0) : w("i32x4.replace_lane", ZERO, value, 0));
}

/** Lowest lane as f32 (operand size 4) or f64 (8). `lazy`: the consumer corrects NaNs itself, so that this value need not be, yet. */
export function scalar(s: Sem, op: Operand & { size: number }, lazy = false): Expr {
  const single = op.size === 4;
  if (op.kind === "xmm" && s.low) return s.low(op, single ? "f32" : "f64", lazy);
  if (op.kind === "xmm") return s.let(w(single ? "f32x4.extract_lane" : "f64x2.extract_lane", s.xmm(op), 0));
  const value = s.read(op, { as: single ? "f32" : "f64" });
  return value.type === "i32" || value.type === "i64" ? s.let(fromBits(value)) : value;
}

/** Writes the lowest lane of an XMM register from an f32 or f64; the rest stays, or becomes zero. */
export function setScalar(s: Sem, op: Operand, value: Expr, clear = false): void {
  if (op.kind === "xmm" && s.setLow) return s.setLow(op, value, clear);
  s.setXmm(op, w(value.type === "f32" ? "f32x4.replace_lane" : "f64x2.replace_lane", clear ? ZERO : s.xmm(op), value, 0));
}

/** Writes a whole XMM register, or an MMX register from the low half. */
export const setVector = (s: Sem, op: Operand, value: Expr): void =>
  op.kind === "mmx" ? s.setMmx(op, w("i64x2.extract_lane", value, 0)) : s.setXmm(op, value);

/** The operand, which must have a size (all but branch targets and plain register kinds). */
export function sized(op: Operand): Operand & { size: number } {
  if ("size" in op) return op;
  throw new Error(`Operand kind ${op.kind} has no size`);
}

/** Immediate byte of the last operand. */
export const imm8 = (s: Sem, i: Insn): number => s.staticImm(i.ops[i.ops.length - 1]);
