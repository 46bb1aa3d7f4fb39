/** Remainder, root, rounding to integers, and conversions for stores. */
import { C0, C1, C2, C3, PE } from "../helpers/float80.ts";
import { STATE, X87_CW, X87_RESULT, X87_RESULT_SE, X87_RESULT_SW } from "../layout.ts";
import {
  add,
  and,
  call,
  eq,
  eqz,
  type Expr,
  f64bits,
  ge_s,
  ge_u,
  gt_s,
  gt_u,
  i32,
  i64,
  le_s,
  load,
  type LocalExpr,
  lt_u,
  mul,
  ne,
  or,
  select,
  shl,
  shr_u,
  sub,
  toI32,
  toI64s,
  toI64u,
  w,
  xor,
} from "../wasm/expr.ts";
import {
  allMasked,
  Code,
  type Define,
  exponent,
  exponentWord,
  F,
  isNegative,
  isNormal,
  isZero,
  popStatus,
  setStatus,
  SIGN,
  significand,
  statusWord,
  TOP_BIT,
  ZERO,
} from "./code.ts";
import { TO_80, TO_F64, TO_INTEGER } from "./formats.ts";
import { exact, round } from "./arithmetic.ts";

/** Operations on ST(0) that are not frequent enough for less general code. */
export function unary(define: Define): void {
  define("x87_remainder", F([], "i32"), (c) => {
    const at = c.var(call("x87_full", "i32", ZERO)), b = c.var(call("x87_full", "i32", i32(1)));
    c.giveUp(or(eqz(at), eqz(b)));
    const am = c.var(significand(at)), ase = c.var(exponentWord(at)), bm = c.var(significand(b)), bse = c.var(exponentWord(b));
    c.giveUp(eqz(and(isNormal(am, ase), isNormal(bm, bse))));
    const d = c.var(sub(exponent(ase), exponent(bse))), q = c.var(i64(0)), m = c.var(am), e = c.var(exponent(ase));
    c.giveUp(ge_s(d, i32(64)));
    c.if(ge_s(d, ZERO), () => {
      // am * 2^d / bm; the high half is below 2^63.
      const n = c.var(toI64s(d)), low = c.var(shl(am, n));
      const high = select(d, shr_u(am, sub(i64(64), n)), i64(0));
      c.set(q, call("udiv128", "i64", high, low, bm));
      c.set(m, sub(low, mul(q, bm)));
      c.set(e, exponent(bse));
      const zeros = c.var(toI32(w("i64.clz", m)));
      c.if(eqz(m), () => c.set(e, ZERO), () => {
        c.giveUp(le_s(e, zeros));
        c.set(e, sub(e, zeros));
        c.set(m, shl(m, toI64u(zeros)));
      });
    });
    c.store("i64.store", at, 0, m);
    c.store("i32.store16", at, 8, or(and(ase, SIGN), e));
    const bits = c.var(toI32(q)), bit = (n: number, code: number) => mul(and(shr_u(bits, i32(n)), i32(1)), i32(code));
    setStatus(c, or(and(statusWord(), i32(~(C0 | C1 | C2 | C3))), or(bit(2, C0), or(bit(1, C3), bit(0, C1)))));
    c.f.i32(1);
  });
  define("x87_root", F([], "i32"), (c) => {
    const at = c.var(call("x87_full", "i32", ZERO));
    c.giveUp(eqz(at));
    const m = c.var(significand(at)), se = c.var(exponentWord(at));
    c.giveUp(or(eqz(call("x87_usual", "i32")), or(eqz(isNormal(m, se)), and(se, SIGN))));
    // The root r of high:low is the significand: m * 2^63 for an odd biased exponent, else m * 2^64.
    const odd = c.var(toI64u(and(se, i32(1)))), high = c.var(shr_u(m, odd)), low = c.var(shl(mul(odd, m), i64(63)));
    const two64 = f64bits(0x43f0_0000_0000_0000n), unsigned = (x: Expr) => w("f64.convert_i64_u", x);
    const r = c.var(w("i64.trunc_sat_f64_u", w("f64.sqrt", w("f64.mul", unsigned(high), two64))));
    const restHigh = c.var(i64(0)), rest = c.var(i64(0));
    const takeRest = () => {
      c.set(rest, mul(r, r));
      c.set(restHigh, sub(sub(high, call("mulhi_u", "i64", r, r)), toI64u(lt_u(low, rest))));
      c.set(rest, sub(low, rest));
    };
    takeRest();
    // The estimate is off by some thousands: a Newton step in floating point, then single steps to floor(root).
    const error = w("f64.add", w("f64.mul", w("f64.convert_i64_s", restHigh), two64), unsigned(rest));
    c.set(r, add(r, w("i64.trunc_sat_f64_s", w("f64.div", error, w("f64.mul", unsigned(r), f64bits(0x4000_0000_0000_0000n))))));
    takeRest();
    const step = (by: number) => () => {
      c.set(r, add(r, i64(by)));
      takeRest();
    };
    c.while(() => isNegative(restHigh), step(-1));
    // 2r, which a remainder may not exceed, is 2^64 + (r << 1).
    c.while(() => or(gt_s(restHigh, i64(1)), and(eq(restHigh, i64(1)), gt_u(rest, shl(r, i64(1))))), step(1));
    // Above the half: the remainder exceeds r. It never is the half.
    const above = or(ne(restHigh, i64(0)), gt_u(rest, r));
    const x = select(above, i64(TOP_BIT | 1n), toI64u(ne(rest, i64(0))));
    c.f.expr(round(at, ZERO, shr_u(add(se, i32(16383)), i32(1)), r, x));
  });
  define("x87_integer", F([], "i32"), (c) => {
    const at = c.var(call("x87_full", "i32", ZERO));
    c.giveUp(eqz(at));
    const m = c.var(significand(at)), se = c.var(exponentWord(at));
    c.giveUp(eqz(allMasked()));
    c.if(isZero(m, se), () => c.return(exact(at, m, se)));
    const e = c.var(sub(exponent(se), i32(16383)));
    c.giveUp(eqz(isNormal(m, se)));
    c.if(ge_s(e, i32(63)), () => c.return(exact(at, m, se)));
    const { whole, flags } = toWhole(c, m, se, e, ZERO);
    const n = w("i64.clz", whole);
    c.store("i32.store16", at, 8, or(and(se, SIGN), select(w("i64.eqz", whole), ZERO, sub(i32(16446), toI32(n)))));
    c.store("i64.store", at, 0, shl(whole, n));
    setStatus(c, or(and(statusWord(), i32(~C1)), flags));
    c.f.i32(1);
  });
}

/** The magnitude of a normal number with unbiased exponent e < 63 as an integer, rounded as the control word says or truncated. */
function toWhole(c: Code, m: Expr, se: Expr, e: Expr, truncate: Expr): { whole: LocalExpr; flags: Expr } {
  const whole = c.var(i64(0)), x = c.var(i64(1));
  c.if(ge_s(e, ZERO), () => {
    c.set(whole, shr_u(m, toI64s(sub(i32(63), e))));
    c.set(x, shl(m, toI64s(add(e, i32(1)))));
  }, () => c.if(eq(e, i32(-1)), () => c.set(x, m)));
  // Rounding control: 0 nearest, 1 down, 2 up, 3 truncate.
  const mode = c.var(select(truncate, i32(3), and(shr_u(load("i32.load16_u", ZERO, STATE + X87_CW), i32(10)), i32(3))));
  const nearest = and(isNegative(x), or(ne(shl(x, i64(1)), i64(0)), toI32(and(whole, i64(1)))));
  const directed = and(eq(mode, select(and(se, SIGN), i32(1), i32(2))), ne(x, i64(0)));
  const up = c.var(select(mode, directed, nearest));
  c.set(whole, add(whole, toI64u(up)));
  return { whole, flags: select(w("i64.eqz", x), ZERO, select(up, i32(PE | C1), i32(PE))) };
}

export function stores(define: Define): void {
  const result = (c: Code, value: Expr, flags: Expr) => {
    c.store("i64.store", ZERO, STATE + X87_RESULT, value);
    c.store("i32.store16", ZERO, STATE + X87_RESULT_SW, or(and(statusWord(), i32(~C1)), flags));
    c.return(i32(1));
  };
  /** A significand cut to its top 64 - `drop` bits and rounded to nearest; normal results only. */
  const real = (c: Code, m: LocalExpr, se: LocalExpr, drop: number, top: number, bias: number) => {
    const width = drop === 11 ? 52 : 23;
    const sign = shl(toI64u(shr_u(se, i32(15))), i64(width + (drop === 11 ? 11 : 8)));
    c.if(isZero(m, se), () => result(c, sign, ZERO));
    const e = c.var(sub(exponent(se), i32(bias)));
    c.giveUp(or(eqz(isNormal(m, se)), ge_u(sub(e, i32(1)), i32(top - 2))));
    const rest = c.var(and(m, i64((1n << BigInt(drop)) - 1n))), half = 1n << BigInt(drop - 1);
    const kept = c.var(shr_u(shl(m, i64(1)), i64(drop + 1)));
    const up = c.var(toI64u(or(gt_u(rest, i64(half)), and(eq(rest, i64(half)), toI32(and(kept, i64(1)))))));
    const flags = select(eqz(rest), ZERO, select(toI32(up), i32(PE | C1), i32(PE)));
    // A carry out of the fraction raises the exponent by itself.
    result(c, or(sign, add(add(kept, up), shl(toI64u(e), i64(width)))), flags);
  };
  /** To an integer of n bits, rounding as the control word (0 nearest, 1 down, 2 up, 3 truncate) or truncating. */
  const integer = (c: Code, m: LocalExpr, se: LocalExpr, bits: Expr, truncate: Expr) => {
    c.if(isZero(m, se), () => result(c, i64(0), ZERO));
    const e = c.var(sub(exponent(se), i32(16383)));
    c.giveUp(or(eqz(isNormal(m, se)), ge_s(e, sub(bits, i32(1)))));
    const { whole, flags } = toWhole(c, m, se, e, truncate), sign = c.var(sub(i64(0), toI64u(shr_u(se, i32(15)))));
    // Rounding up may leave the range.
    c.giveUp(ne(shr_u(whole, toI64s(sub(bits, i32(1)))), i64(0)));
    result(c, sub(xor(whole, sign), sign), flags);
  };
  define("x87_store", F(["i32", "i32", "i32"], "i32"), (c) => {
    const kind = c.param(0, "i32"), at = c.var(call("x87_full", "i32", ZERO));
    c.giveUp(eqz(at));
    const m = c.var(significand(at)), se = c.var(exponentWord(at));
    c.if(eq(kind, i32(TO_80)), () => {
      c.store("i32.store16", ZERO, STATE + X87_RESULT_SE, se);
      result(c, m, ZERO);
    });
    c.if(eq(kind, i32(TO_INTEGER)), () => {
      c.giveUp(eqz(allMasked()));
      integer(c, m, se, c.param(1, "i32"), c.param(2, "i32"));
    });
    c.giveUp(eqz(call("x87_usual", "i32")));
    c.if(eq(kind, i32(TO_F64)), () => real(c, m, se, 11, 0x7ff, 15360));
    real(c, m, se, 40, 0xff, 16256);
    c.f.unreachable();
  });
  define("x87_stored", F(["i32"], "i32"), (c) => {
    popStatus(c, c.var(load("i32.load16_u", ZERO, STATE + X87_RESULT_SW)), c.param(0, "i32"));
    c.f.i32(1);
  });
}
