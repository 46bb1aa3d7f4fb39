/**
 * Runtime functions of FMA and F16C: a * b + c with one rounding, without hardware help.
 *
 * f32: the product is exact in f64; the sum is rounded to odd, so that rounding it again to f32 gives what one rounding would. f64: S. Boldo
 * and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008; operands for which an
 * intermediate result could overflow or lose bits go to `slow_fma` in JavaScript. NaNs are corrected by the caller.
 */
import type { FuncBuilder, FuncImport, FuncType } from "./wasm/encoder.ts";
import {
  add,
  and,
  call,
  eq,
  eqz,
  type Expr,
  f64bits,
  i32,
  i64,
  or,
  select,
  shl,
  shr_u,
  sub,
  v128,
  type ValType,
  w,
} from "./wasm/expr.ts";

const F = (params: ValType[], result: ValType): FuncType => ({ params, results: [result] });

/** What generated code may call. fma_*: (a, b, c). nan3_*: (result, first, second, third operand), only the result's NaNs change. */
export const FMA_IMPORTS = [
  { name: "fma_f32x4", type: F(["v128", "v128", "v128"], "v128") },
  { name: "fma_f64x2", type: F(["v128", "v128", "v128"], "v128") },
  { name: "nan3_f32x4", type: F(["v128", "v128", "v128", "v128"], "v128") },
  { name: "nan3_f64x2", type: F(["v128", "v128", "v128", "v128"], "v128") },
  { name: "f32_to_f16", type: F(["i32", "i32"], "i32") },
] as const satisfies readonly FuncImport[];
/** From JavaScript: exact, for any operands. */
export const SLOW_FMA = { name: "slow_fma", type: F(["f64", "f64", "f64"], "f64") } as const satisfies FuncImport;

const param = (index: number, type: ValType): Expr => ({ kind: "local", type, index });
const binder = (f: FuncBuilder) => (e: Expr): Expr => {
  const index = f.newLocal(e.type);
  f.assign(index, e);
  return { kind: "local", type: e.type, index };
};
type Bind = (e: Expr) => Expr;
type Pair = readonly [Expr, Expr];

const vadd = (a: Expr, b: Expr): Expr => w("f64x2.add", a, b);
const vsub = (a: Expr, b: Expr): Expr => w("f64x2.sub", a, b);
const vmul = (a: Expr, b: Expr): Expr => w("f64x2.mul", a, b);
const both = (n: bigint): Expr => v128(n | n << 64n);

/** Knuth: a + b as rounded sum and exact error. */
function twoSum(a: Expr, b: Expr, bind: Bind): Pair {
  const s = bind(vadd(a, b)), part = bind(vsub(s, a));
  return [s, bind(vadd(vsub(a, vsub(s, part)), vsub(b, part)))];
}
/** Veltkamp: upper and lower half of the significand. */
function split(a: Expr, bind: Bind): Pair {
  const scaled = bind(vmul(a, both(0x41a0_0000_0200_0000n))); // 2^27 + 1
  const high = bind(vsub(scaled, vsub(scaled, a)));
  return [high, bind(vsub(a, high))];
}
/** Dekker: a * b as rounded product and exact error. */
function twoProduct(a: Expr, b: Expr, bind: Bind): Pair {
  const p = bind(vmul(a, b)), [ah, al] = split(a, bind), [bh, bl] = split(b, bind);
  const rest = vadd(vadd(vsub(vmul(ah, bh), p), vmul(ah, bl)), vmul(al, bh));
  return [p, bind(vadd(rest, vmul(al, bl)))];
}
/** a + b, rounded to odd: when inexact, the neighbour with an odd significand. Infinities and NaNs have a NaN as error and stay. */
function oddSum(a: Expr, b: Expr, bind: Bind): Expr {
  const [s, error] = twoSum(a, b, bind);
  const inexact = w("f64x2.gt", w("f64x2.abs", error), both(0n));
  const even = w("i64x2.eq", w("v128.and", s, both(1n)), both(0n));
  // Away from zero when error and sum have the same sign: +1 on the bits, else -1.
  const step = w("v128.or", w("i64x2.shr_s", w("v128.xor", s, error), i32(63)), both(1n));
  return w("i64x2.add", s, w("v128.and", step, w("v128.and", inexact, even)));
}

function singles(f: FuncBuilder): void {
  const bind = binder(f),
    half = (k: number, high: boolean): Expr => {
      const x = param(k, "v128");
      return bind(w("f64x2.promote_low_f32x4", high ? w("i8x16.shuffle", x, x, ...upper) : x));
    };
  const upper = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
  const [low, high] = [false, true].map((h) => {
    const a = half(0, h), b = half(1, h), c = half(2, h);
    return bind(w("f32x4.demote_f64x2_zero", oddSum(bind(vmul(a, b)), c, bind)));
  });
  f.expr(w("i8x16.shuffle", low, high, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
}

/** |x| in [2^-400, 2^400] for both factors and |c| < 2^900: no step of the algorithm overflows or underflows. */
const LEAST = both(BigInt(1023 - 400) << 52n),
  MOST = both(BigInt(1023 + 400) << 52n),
  MOST_ADDEND = both(BigInt(1023 + 900) << 52n);

function doubles(f: FuncBuilder): void {
  const bind = binder(f), [a, b, c] = [0, 1, 2].map((k) => param(k, "v128"));
  const sizes = [a, b].map((x) => bind(w("f64x2.abs", x)));
  const ordinary = [
    ...sizes.map((x) => w("v128.and", w("f64x2.ge", x, LEAST), w("f64x2.le", x, MOST))),
    w("f64x2.lt", w("f64x2.abs", c), MOST_ADDEND),
  ].reduce((all, x) => w("v128.and", all, x));
  f.expr(w("i64x2.all_true", ordinary));
  f.if();
  const [uh, ul] = twoProduct(a, b, bind), [th, tl] = twoSum(c, ul, bind), [vh, vl] = twoSum(uh, th, bind);
  f.expr(vadd(vh, oddSum(tl, vl, bind)));
  f.return();
  f.end();
  const lane = (k: number): Expr => call("fma_f64", "f64", ...[a, b, c].map((x) => w("f64x2.extract_lane", x, k)));
  f.expr(w("f64x2.replace_lane", w("f64x2.splat", lane(0)), lane(1), 1));
}

/** One lane that may be anything. Products with zero, infinity or NaN are exact; an infinite addend decides alone. */
function double(f: FuncBuilder): void {
  const bind = binder(f), [a, b, c] = [0, 1, 2].map((k) => param(k, "f64"));
  const p = bind(w("f64.mul", a, b)), infinity = f64bits(0x7ffn << 52n);
  const finite = (x: Expr) => w("f64.lt", w("f64.abs", x), infinity);
  const none = f64bits(0n);
  f.expr(or(or(eqz(finite(a)), eqz(finite(b))), or(w("f64.eq", a, none), w("f64.eq", b, none))));
  f.if();
  f.expr(w("f64.add", p, c));
  f.return();
  f.end();
  f.expr(eqz(finite(c)));
  f.if();
  f.expr(c);
  f.return();
  f.end();
  f.expr(call("slow_fma", "f64", a, b, c));
}

/** The first operand that is a NaN, made quiet, else the default NaN (cpu/nan.ts). */
function nan3(f: FuncBuilder, shape: "f32x4" | "f64x2"): void {
  const result = param(0, "v128");
  const lanes = (single: bigint, double: bigint) =>
    v128(shape === "f32x4" ? single * 0x1_0000_0001_0000_0001_0000_0001n : double * 0x1_0000_0000_0000_0001n);
  const nan = [3, 2, 1].reduce<Expr>((rest, k) => {
    const x = param(k, "v128");
    return w("v128.bitselect", x, rest, w(`${shape}.ne`, x, x));
  }, lanes(0xffc0_0000n, 0xfff8n << 48n));
  f.expr(w(
    "v128.bitselect",
    result,
    w("v128.or", nan, lanes(0x0040_0000n, 8n << 48n)),
    w(`${shape}.eq`, result, result),
  ));
}

/** Bits of an f32 and MXCSR.RC (0 nearest even, 1 down, 2 up, 3 towards zero) to bits of a 16-bit float. */
function toHalf(f: FuncBuilder): void {
  const bind = binder(f), x = param(0, "i32"), how = param(1, "i32");
  const sign = bind(shr_u(and(x, i32(-0x8000_0000)), i32(16))), size = bind(and(x, i32(0x7fff_ffff)));
  f.expr(w("i32.ge_u", size, i32(0x7f80_0000)));
  f.if();
  const payload = or(i32(0x7e00), and(shr_u(size, i32(13)), i32(0x3ff)));
  f.expr(or(sign, select(eq(size, i32(0x7f80_0000)), i32(0x7c00), payload)));
  f.return();
  f.end();
  const exponent = bind(shr_u(size, i32(23)));
  // Significand with its leading bit; as many bits go as bring the exponent up to the least one of the format.
  const significand = bind(select(
    exponent,
    or(and(size, i32(0x7f_ffff)), i32(0x80_0000)),
    shl(and(size, i32(0x7f_ffff)), i32(1)),
  ));
  const missing = bind(sub(i32(113), exponent));
  const drop = bind(
    select(w("i32.gt_s", missing, i32(0)), select(w("i32.lt_s", missing, i32(17)), add(missing, i32(13)), i32(30)), i32(13)),
  );
  const wide = bind(w("i64.extend_i32_u", significand)), count = bind(w("i64.extend_i32_u", drop));
  const kept = bind(w("i32.wrap_i64", shr_u(wide, count))), lost = bind(sub(wide, shl(w("i64.extend_i32_u", kept), count)));
  const halfway = bind(shl(i64(1), sub(count, i64(1))));
  const nearest = or(w("i64.gt_u", lost, halfway), and(eq(lost, halfway), and(kept, i32(1))));
  const directed = and(w("i64.ne", lost, i64(0)), select(sign, eq(how, i32(1)), eq(how, i32(2))));
  const up = select(how, directed, nearest);
  // A normal number's leading bit adds one to the exponent; rounding up may carry into it.
  const base = select(w("i32.gt_s", missing, i32(0)), i32(0), shl(sub(exponent, i32(113)), i32(10)));
  const rounded = bind(add(add(base, kept), up));
  const towardsZero = or(eq(how, i32(3)), select(sign, eq(how, i32(2)), eq(how, i32(1))));
  f.expr(or(sign, select(w("i32.ge_s", rounded, i32(0x7c00)), select(towardsZero, i32(0x7bff), i32(0x7c00)), rounded)));
}

export function defineFma(define: (name: string, type: FuncType, body: (f: FuncBuilder) => void) => void): void {
  const [singleType, doubleType, nanType, , halfType] = FMA_IMPORTS.map((i) => i.type);
  define("fma_f64", SLOW_FMA.type, double);
  define("fma_f32x4", singleType, singles);
  define("fma_f64x2", doubleType, doubles);
  define("nan3_f32x4", nanType, (f) => nan3(f, "f32x4"));
  define("nan3_f64x2", nanType, (f) => nan3(f, "f64x2"));
  define("f32_to_f16", halfType, toHalf);
}
