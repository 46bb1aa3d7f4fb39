/** 128-by-64-bit unsigned division as expressions: the body of the runtime function `udiv128`. */
import { add, and, type Expr, ge_u, gt_u, i64, lt_u, mul, or, shl, shr_u, sub, toI64u, w } from "../wasm/expr.ts";

/**
 * Quotient of high:low / d; `bind` evaluates an expression once (`Sem.let`). Precondition: high < d (so the quotient fits).
 * Schoolbook division in base 2^32 with a normalised divisor: each of the two quotient digits is estimated from the divisor's upper
 * half and is at most two too large (Knuth, The Art of Computer Programming vol. 2, 4.3.1, algorithm D).
 */
export function udiv128(bind: (e: Expr) => Expr, high: Expr, low: Expr, d: Expr): Expr {
  const half = i64(32), base = i64(1n << 32n), mask = i64(0xffffffffn);
  const shift = bind(w("i64.clz", d));
  const v = bind(shl(d, shift)), v1 = bind(shr_u(v, half)), v0 = bind(and(v, mask));
  const top = bind(or(shl(high, shift), shr_u(shr_u(low, i64(1)), sub(i64(63), shift))));
  const rest = bind(shl(low, shift));

  const digit = (n: Expr, next: Expr): Expr => {
    let q = bind(w("i64.div_u", n, v1));
    let remainder = bind(sub(n, mul(q, v1)));
    for (let correction = 0; correction < 2; correction++) {
      const tooBig = or(ge_u(q, base), gt_u(mul(q, v0), or(shl(remainder, half), next)));
      const wrong = bind(toI64u(and(lt_u(remainder, base), tooBig)));
      q = bind(sub(q, wrong));
      remainder = bind(add(remainder, mul(wrong, v1)));
    }
    return q;
  };
  const next1 = bind(shr_u(rest, half)), next0 = bind(and(rest, mask));
  const q1 = digit(top, next1);
  const q0 = digit(bind(sub(or(shl(top, half), next1), mul(q1, v))), next0);
  return add(shl(q1, half), q0);
}
