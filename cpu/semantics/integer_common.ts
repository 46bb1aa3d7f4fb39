/** Small parts shared by the integer families. */
import { FS_BASE, GS_BASE } from "../layout.ts";
import type { Insn, MemOperand, Operand } from "../insn.ts";
import type { Sem } from "../sem.ts";
import { add, and, type Expr, i64, int, select, shr_u, toI32, toI64s, toI64u, truncate } from "../wasm/expr.ts";

/** Reads an operand as a value of `size` bytes; a narrower immediate is sign-extended, anything else narrower zero-extended. */
export function readAs(s: Sem, op: Operand, size: number): Expr {
  const v = s.read(op);
  if (size === 8) return op.kind === "imm" ? toI64s(v) : toI64u(v);
  return op.kind === "imm" ? truncate(toI32(v), size) : toI32(v);
}

/** Widens or narrows an i32 or i64 to the type used for `size` bytes, zero-extending. */
export const fit = (v: Expr, size: number): Expr => size === 8 ? toI64u(v) : toI32(v);

/** Bit `n` of a value as i32 0/1. */
export const bit = (v: Expr, n: number): Expr => and(toI32(shr_u(v, int(v.type === "i64" ? 8 : 4, n))), int(4, 1));

/** The most significant bit of a value of `size` bytes. */
export const msb = (v: Expr, size: number): Expr => bit(v, 8 * size - 1);

/** Makes an offset linear: truncated to the address size, then the base of the overridden segment is added. */
export function linear(s: Sem, offset: Expr, addressSize: 4 | 8, seg: "fs" | "gs" | undefined): Expr {
  const within = addressSize === 4 ? and(offset, i64(0xffffffffn)) : offset;
  return seg ? add(within, s.state(seg === "fs" ? FS_BASE : GS_BASE, "i64")) : within;
}

/** Address of a memory operand displaced by a run-time i64 amount (bit strings). */
export const displaced = (s: Sem, op: MemOperand, by: Expr): Expr => linear(s, add(s.offset(op), by), op.addressSize, op.seg);

/** Address held in GPR `n` at the instruction's address size, without segment base, as i64. */
export const pointer = (s: Sem, i: Insn, n: number): Expr => toI64u(s.reg(n, i.addressSize));

/** `value` if `cond`, else `otherwise`, evaluated once. */
export const choose = (s: Sem, cond: Expr, value: Expr, otherwise: Expr): Expr => s.let(select(cond, value, otherwise));
