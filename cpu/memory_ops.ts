/** Which wasm load or store carries out a guest access; shared by both back ends. */
import type { AccessOptions } from "./sem.ts";
import type { FuncBuilder } from "./wasm/encoder.ts";
import { type Expr, type LoadOp, type StoreOp, toI32 } from "./wasm/expr.ts";

const PLAIN: Record<number, LoadOp> = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load", 8: "i64.load", 16: "v128.load" };
const TYPED: Record<string, LoadOp> = {
  f32: "f32.load",
  f64: "f64.load",
  v4: "v128.load32_zero",
  v8: "v128.load64_zero",
  v16: "v128.load",
};
const STORE: Record<number, StoreOp> = { 1: "i32.store8", 2: "i32.store16", 4: "i32.store", 8: "i64.store", 16: "v128.store" };

export const loadOp = (bytes: number, opts?: AccessOptions): LoadOp => {
  const as = opts?.as;
  if (as === undefined || bytes < 4) return PLAIN[bytes];
  if (as === "v128") return TYPED[`v${bytes}`];
  return (as === "f32" && bytes === 4) || (as === "f64" && bytes === 8) ? TYPED[as] : PLAIN[bytes];
};
export const storeOp = (bytes: number): StoreOp => STORE[bytes];

/** Emits a store of the low `bytes` of `value`; `address` is linear. */
export function emitStore(f: FuncBuilder, address: Expr, offset: number, bytes: number, value: Expr): void {
  f.expr(address);
  if (value.kind === "op" && value.op === "i64.reinterpret_f64" && bytes === 8) {
    f.expr(value.a);
    return f.store("f64.store", offset);
  }
  if (value.kind === "op" && value.op === "i32.reinterpret_f32" && bytes === 4) {
    f.expr(value.a);
    return f.store("f32.store", offset);
  }
  if (value.type === "f64" || value.type === "f32") {
    f.expr(value);
    return f.store(value.type === "f64" ? "f64.store" : "f32.store", offset);
  }
  f.expr(bytes < 8 ? toI32(value) : value);
  f.store(STORE[bytes], offset);
}
