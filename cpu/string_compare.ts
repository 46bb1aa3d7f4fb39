/**
 * Runtime functions of PCMPISTRI (Intel SDM vol. 2, 4.1): which elements of the second string `b` match something in the first, `a`.
 * Results have bit j for element j of `b`; elements are bytes or words.
 */
import type { FuncBuilder, FuncImport, FuncType } from "./wasm/encoder.ts";
import { add, and, type Expr, i32, lt_s, or, shl, shr_u, sub, type ValType, w, xor } from "./wasm/expr.ts";

const TYPE: FuncType = { params: ["v128", "v128", "i32", "i32"], results: ["i32"] };

/** (a, b, elements of a, elements of b) -> IntRes1; `any` and `ranges` say nothing certain of elements beyond the end of `b`. */
export const STRING_IMPORTS = [
  { name: "string_any_8", type: TYPE },
  { name: "string_any_16", type: TYPE },
  { name: "string_ranges_u8", type: TYPE },
  { name: "string_ranges_s8", type: TYPE },
  { name: "string_ranges_u16", type: TYPE },
  { name: "string_ranges_s16", type: TYPE },
  { name: "string_ordered_8", type: TYPE },
  { name: "string_ordered_16", type: TYPE },
] as const satisfies readonly FuncImport[];
export type StringFunction = typeof STRING_IMPORTS[number]["name"];

type Shape = "i8x16" | "i16x8";
const param = (index: number, type: ValType): Expr => ({ kind: "local", type, index });
const A = param(0, "v128"), B = param(1, "v128"), A_LENGTH = param(2, "i32"), B_LENGTH = param(3, "i32");

/** Element `n` of `a` in all lanes. */
const every = (shape: Shape, n: Expr): Expr =>
  // A word's two bytes: 2n and 2n + 1.
  w("i8x16.swizzle", A, shape === "i8x16" ? w("i8x16.splat", n) : w("i16x8.splat", add(w("i32.mul", n, i32(0x202)), i32(0x100))));
const bits = (shape: Shape, lanes: Expr): Expr => w(`${shape}.bitmask`, lanes);

/** Body of a function: combines `step(n)` for n = 0, `stride`, ... while n + stride is not beyond the end of `a`. */
function loop(f: FuncBuilder, stride: number, start: number, step: (n: Expr, so_far: Expr) => Expr): void {
  const n = param(f.newLocal("i32"), "i32"), result = param(f.newLocal("i32"), "i32");
  const set = (local: Expr, value: Expr) => local.kind === "local" && f.assign(local.index, value);
  set(result, i32(start));
  const out = f.block(), again = f.loop();
  f.expr(lt_s(A_LENGTH, add(n, i32(stride))));
  f.brIf(out);
  set(result, step(n, result));
  set(n, add(n, i32(stride)));
  f.br(again);
  f.end();
  f.end();
  f.expr(result);
}
const any = (shape: Shape) => (f: FuncBuilder) =>
  loop(f, 1, 0, (n, before) => or(before, bits(shape, w(`${shape}.eq`, B, every(shape, n)))));
const ranges = (shape: Shape, sign: "s" | "u") => (f: FuncBuilder) =>
  loop(f, 2, 0, (n, before) => {
    const low = w(`${shape}.ge_${sign}`, B, every(shape, n)), high = w(`${shape}.le_${sign}`, B, every(shape, add(n, i32(1))));
    return or(before, bits(shape, w("v128.and", low, high)));
  });
/** `a` begins at element j of `b`, as far as the vector shows it. */
const ordered = (shape: Shape) => (f: FuncBuilder) => {
  const full = i32(shape === "i8x16" ? 0xffff : 0xff), valid = sub(shl(i32(1), B_LENGTH), i32(1));
  loop(f, 1, shape === "i8x16" ? 0xffff : 0xff, (n, before) => {
    const here = and(bits(shape, w(`${shape}.eq`, B, every(shape, n))), valid);
    return and(before, or(shr_u(here, n), xor(shr_u(full, n), full)));
  });
};

const BODIES: Record<StringFunction, (f: FuncBuilder) => void> = {
  string_any_8: any("i8x16"),
  string_any_16: any("i16x8"),
  string_ranges_u8: ranges("i8x16", "u"),
  string_ranges_s8: ranges("i8x16", "s"),
  string_ranges_u16: ranges("i16x8", "u"),
  string_ranges_s16: ranges("i16x8", "s"),
  string_ordered_8: ordered("i8x16"),
  string_ordered_16: ordered("i16x8"),
};
export function defineStrings(define: (name: string, type: FuncType, body: (f: FuncBuilder) => void) => void): void {
  for (const { name, type } of STRING_IMPORTS) define(name, type, BODIES[name]);
}
