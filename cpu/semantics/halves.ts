/** Operands of VEX instructions: one vector of 128 bits, or the low and the high half of one of 256. */
import type { Insn, Operand } from "../insn.ts";
import type { AccessOptions, Sem } from "../sem.ts";
import { type Expr, v128 } from "../wasm/expr.ts";
import { source } from "./vector.ts";

/** One element, or two (low half first). */
export type Halves = readonly Expr[];

export const ZERO = v128(0n);

/** Does the instruction work on 256 bits? */
export const isWide = (i: Insn): boolean => i.ops.some((op) => (op.kind === "xmm" || op.kind === "mem") && op.size === 32);

/** Memory need not be aligned, unless `opts` says so. */
export function halves(s: Sem, op: Operand, opts?: AccessOptions): Halves {
  if (op.kind === "xmm" && op.size === 32) return [s.xmm(op), s.ymmHigh(op)];
  if (op.kind === "mem" && op.size === 32) return s.readPair(op, opts);
  return [source(s, op, opts?.aligned !== true)];
}

/** Writes a register (128 bits clear the upper half) or memory. */
export function setHalves(s: Sem, op: Operand, value: Halves, opts?: AccessOptions): void {
  if (op.kind === "mem") return value.length === 2 ? s.writePair(op, [value[0], value[1]], opts) : s.write(op, value[0], opts);
  s.setXmm(op, value[0]);
  s.setYmmHigh(op, value[1] ?? ZERO);
}
