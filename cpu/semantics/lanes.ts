/**
 * Building blocks of the lane functions: pure functions on v128 expressions from which the legacy two-operand and the VEX three-operand
 * semantics are made. Operands are always bound (locals or constants), so they may be used several times.
 */
import { type Expr, v128, w, type WasmOp } from "../wasm/expr.ts";

/** Evaluates a value once (Sem.let). */
export type Bind = (value: Expr) => Expr;
export type Unary = (a: Expr, bind: Bind) => Expr;
/** `a` is the first source (the destination of the legacy form), `b` the second. */
export type Binary = (a: Expr, b: Expr, bind: Bind) => Expr;
/** A Binary that needs no temporaries. */
export type Mix = (a: Expr, b: Expr) => Expr;
/** The immediate byte is known when the code is made. */
export type UnaryImm = (a: Expr, imm: number, bind: Bind) => Expr;
export type BinaryImm = (a: Expr, b: Expr, imm: number, bind: Bind) => Expr;

export const unary = (op: WasmOp): Unary => (a) => w(op, a);
export const binary = (op: WasmOp): Binary => (a, b) => w(op, a, b);

/** One byte, u16, u32 or u64 in every lane. */
export function repeat(value: bigint, bits: number): Expr {
  let all = 0n;
  for (let at = 0; at < 128; at += bits) all |= BigInt.asUintN(bits, value) << BigInt(at);
  return v128(all);
}
export const ZERO = v128(0n);

/** Chooses bytes from a (0..15) and b (16..31), byte 0 first. */
export const shuffle8 = (a: Expr, b: Expr, bytes: readonly number[]): Expr => w("i8x16.shuffle", a, b, ...bytes);
/** The same in units of `size` bytes: `lanes` has 16 / size numbers, those >= 16 / size choose from b. */
export const shuffle = (size: number, a: Expr, b: Expr, lanes: readonly number[]): Expr =>
  shuffle8(a, b, lanes.flatMap((lane) => Array.from({ length: size }, (_, k) => lane * size + k)));

/** Interleaves the low (or high) halves of a and b in units of `size` bytes. */
export function interleave(size: number, half: "low" | "high"): Mix {
  const n = 16 / size, from = half === "low" ? 0 : n / 2;
  const lanes = Array.from({ length: n }, (_, k) => from + (k >> 1) + (k & 1 ? n : 0));
  return (a, b) => shuffle(size, a, b, lanes);
}
/** The even (or odd) lanes of a, then those of b. */
export function deinterleave(size: number, which: "even" | "odd"): Mix {
  const lanes = Array.from({ length: 16 / size }, (_, k) => 2 * k + (which === "odd" ? 1 : 0));
  return (a, b) => shuffle(size, a, b, lanes);
}
/** Low 64 bits of a, then low 64 bits of b. */
export const join64: Mix = (a, b) => shuffle(8, a, b, [0, 2]);

/** `to` with its lowest 32 or 64 bits taken from `from` (moves bits only: NaNs pass unchanged). */
export const mergeLow = (size: number, to: Expr, from: Expr): Expr =>
  size === 4
    ? w("f32x4.replace_lane", to, w("f32x4.extract_lane", from, 0), 0)
    : w("f64x2.replace_lane", to, w("f64x2.extract_lane", from, 0), 0);
