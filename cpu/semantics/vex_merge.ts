/** Writing the result of a scalar VEX instruction. */
import type { Operand } from "../insn.ts";
import type { Sem } from "../sem.ts";
import { type Expr, w } from "../wasm/expr.ts";
import { ZERO } from "./halves.ts";
import { setScalar } from "./vector.ts";

/** Writes a scalar result; the upper bits are those of the first source. */
export function setMerged(s: Sem, dst: Operand, first: Operand, value: Expr): void {
  if (dst.kind === "xmm" && first.kind === "xmm" && s.copyXmm) {
    if (dst.n !== first.n) s.copyXmm(dst, first);
    setScalar(s, dst, value);
  } else s.setXmm(dst, w(value.type === "f32" ? "f32x4.replace_lane" : "f64x2.replace_lane", s.xmm(first), value, 0));
  s.setYmmHigh(dst, ZERO);
}
