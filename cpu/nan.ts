/**
 * Runtime functions that choose the NaN which Intel's rules demand (SDM vol. 1, table 4-7) after an operation has given some NaN: the first
 * operand that is one, made quiet, else the negative default NaN. Called rarely; they keep the arithmetic itself short.
 */
import type { FuncBuilder, FuncImport, FuncType } from "./wasm/encoder.ts";
import { type Expr, i32, i64, or, select, v128, type ValType, w } from "./wasm/expr.ts";

const F = (params: ValType[], result: ValType): FuncType => ({ params, results: [result] });

/** nan_f32, nan_f64: (first, second operand). nan_f32x4, nan_f64x2: (result, first, second operand), only the result's NaNs change. */
export const NAN_IMPORTS = [
  { name: "nan_f32", type: F(["f32", "f32"], "f32") },
  { name: "nan_f64", type: F(["f64", "f64"], "f64") },
  { name: "nan_f32x4", type: F(["v128", "v128", "v128"], "v128") },
  { name: "nan_f64x2", type: F(["v128", "v128", "v128"], "v128") },
] as const satisfies readonly FuncImport[];

/** Sign, exponent and quiet bit of the default NaN; the bit that makes a NaN quiet. */
const SINGLE = { defaultNaN: 0xffc0_0000n, quiet: 0x0040_0000n }, DOUBLE = { defaultNaN: 0xfff8n << 48n, quiet: 8n << 48n };

const param = (index: number, type: ValType): Expr => ({ kind: "local", type, index });

function scalar(f: FuncBuilder, type: "f32" | "f64"): void {
  const a = param(0, type), b = param(1, type), { defaultNaN, quiet } = type === "f32" ? SINGLE : DOUBLE;
  const bits = (x: Expr) => w(type === "f32" ? "i32.reinterpret_f32" : "i64.reinterpret_f64", x);
  const constant = (n: bigint) => type === "f32" ? i32(Number(n)) : i64(n);
  const nan = select(w(`${type}.ne`, a, a), bits(a), select(w(`${type}.ne`, b, b), bits(b), constant(defaultNaN)));
  f.expr(w(type === "f32" ? "f32.reinterpret_i32" : "f64.reinterpret_i64", or(nan, constant(quiet))));
}
function packed(f: FuncBuilder, shape: "f32x4" | "f64x2"): void {
  const result = param(0, "v128"), { defaultNaN, quiet } = shape === "f32x4" ? SINGLE : DOUBLE;
  const lanes = (n: bigint) => v128(shape === "f32x4" ? n * 0x1_0000_0001_0000_0001_0000_0001n : n * 0x1_0000_0000_0000_0001n);
  const nan = [2, 1].reduce<Expr>((rest, k) => {
    const x = param(k, "v128");
    return w("v128.bitselect", x, rest, w(`${shape}.ne`, x, x));
  }, lanes(defaultNaN));
  f.expr(w("v128.bitselect", result, w("v128.or", nan, lanes(quiet)), w(`${shape}.eq`, result, result)));
}

const BODIES: Record<typeof NAN_IMPORTS[number]["name"], (f: FuncBuilder) => void> = {
  nan_f32: (f) => scalar(f, "f32"),
  nan_f64: (f) => scalar(f, "f64"),
  nan_f32x4: (f) => packed(f, "f32x4"),
  nan_f64x2: (f) => packed(f, "f64x2"),
};
export function defineNaN(define: (name: string, type: FuncType, body: (f: FuncBuilder) => void) => void): void {
  for (const { name, type } of NAN_IMPORTS) define(name, type, BODIES[name]);
}
