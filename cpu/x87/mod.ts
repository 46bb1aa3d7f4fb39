/**
 * Fast paths of the x87 as functions of the runtime module: register stack, sums, products, quotients, comparisons and conversions of normal
 * numbers and zeros under the usual control word (64-bit precision, to nearest, everything masked).
 *
 * Each returns 0 without having changed anything when a case is not that simple (NaN, infinity, denormal, overflow, stack fault, other
 * control words, pending exception); the helper of the instruction (cpu/helpers/x87*.ts) then does it all. Their results are the same.
 */
import type { ModuleBuilder } from "../wasm/encoder.ts";
import { arithmetic, comparison, rounding } from "./arithmetic.ts";
import { Code, type Define } from "./code.ts";
import { moves, pushes, slots } from "./stack.ts";
import { stores, unary } from "./unary.ts";

export * from "./formats.ts";

/** Adds the functions to the runtime module (which has mulhi_u and udiv128). */
export function defineX87(m: ModuleBuilder): void {
  const define: Define = (name, type, body) => body(new Code(m.func(type, name, true)));
  slots(define);
  pushes(define);
  rounding(define);
  arithmetic(define);
  unary(define);
  comparison(define);
  moves(define);
  stores(define);
}
