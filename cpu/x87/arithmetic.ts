/** Sum, product, quotient, comparison of normal numbers and zeros. */
import { C0, C1, C2, C3, PE } from "../helpers/float80.ts";
import {
  add,
  and,
  call,
  eq,
  eqz,
  type Expr,
  ge_s,
  ge_u,
  i32,
  i64,
  le_s,
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
  toI64u,
  type ValType,
  w,
  xor,
} from "../wasm/expr.ts";
import {
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
import { OP_DIV, OP_MUL, OP_SUB, OP_SUBR } from "./formats.ts";

/** Rounds m:x (m's top bit set) to nearest, stores it at `at` and sets PE and C1. Precondition of success: the exponent stays in range. */
export function rounding(define: Define): void {
  define("x87_round", F(["i32", "i32", "i32", "i64", "i64"], "i32"), (c) => {
    const at = c.param(0, "i32"), sign = c.param(1, "i32"), e = c.param(2, "i32"), m = c.param(3, "i64"), x = c.param(4, "i64");
    c.giveUp(ge_u(sub(e, i32(1)), i32(0x7ffd)));
    const flags = c.var(ZERO);
    c.if(ne(x, i64(0)), () => {
      c.set(flags, i32(PE));
      c.if(and(isNegative(x), or(ne(shl(x, i64(1)), i64(0)), toI32(and(m, i64(1))))), () => {
        c.set(flags, i32(PE | C1));
        c.set(m, add(m, i64(1)));
        c.if(eqz(m), () => {
          c.set(m, i64(TOP_BIT));
          c.set(e, add(e, i32(1)));
        });
      });
    });
    c.store("i64.store", at, 0, m);
    c.store("i32.store16", at, 8, or(sign, e));
    setStatus(c, or(and(statusWord(), i32(~C1)), flags));
    c.f.i32(1);
  });
  /** Stores an exact result. */
  define("x87_exact", F(["i32", "i64", "i32"], "i32"), (c) => {
    c.store("i64.store", c.param(0, "i32"), 0, c.param(1, "i64"));
    c.store("i32.store16", c.param(0, "i32"), 8, c.param(2, "i32"));
    setStatus(c, and(statusWord(), i32(~C1)));
    c.f.i32(1);
  });
}

const PAIR: ValType[] = ["i32", "i64", "i32", "i64", "i32"];
interface Pair {
  at: LocalExpr;
  am: LocalExpr;
  ase: LocalExpr;
  bm: LocalExpr;
  bse: LocalExpr;
}
const pair = (c: Code): Pair => ({
  at: c.param(0, "i32"),
  am: c.param(1, "i64"),
  ase: c.param(2, "i32"),
  bm: c.param(3, "i64"),
  bse: c.param(4, "i32"),
});
export const round = (at: Expr, sign: Expr, e: Expr, m: Expr, x: Expr): Expr => call("x87_round", "i32", at, sign, e, m, x);
export const exact = (at: Expr, m: Expr, se: Expr): Expr => call("x87_exact", "i32", at, m, se);

function sum(c: Code): void {
  const { at, am, ase, bm, bse } = pair(c);
  c.if(eqz(and(isNormal(am, ase), isNormal(bm, bse))), () => {
    c.if(isZero(bm, bse), () => {
      c.if(isNormal(am, ase), () => c.return(exact(at, am, ase)));
      // Zeros of different signs: +0.
      c.if(isZero(am, ase), () => c.return(exact(at, i64(0), and(ase, bse))));
    });
    c.if(and(isZero(am, ase), isNormal(bm, bse)), () => c.return(exact(at, bm, bse)));
    c.return(ZERO);
  });
  const ea = c.var(exponent(ase)), eb = c.var(exponent(bse));
  const t32 = c.var(ZERO), t64 = c.var(i64(0));
  c.if(or(lt_u(ea, eb), and(eq(ea, eb), lt_u(am, bm))), () => {
    for (const [a, b, t] of [[am, bm, t64], [ase, bse, t32], [ea, eb, t32]]) {
      c.set(t, a);
      c.set(a, b);
      c.set(b, t);
    }
  });
  const d = c.var(toI64u(sub(ea, eb))), x = c.var(i64(0)), sign = c.var(and(ase, SIGN));
  c.if(ne(d, i64(0)), () =>
    c.if(lt_u(d, i64(64)), () => {
      c.set(x, shl(bm, sub(i64(64), d)));
      c.set(bm, shr_u(bm, d));
    }, () => {
      // All below the last place: two bits of it count (a difference may move up by one), the rest only by not being zero.
      const beyond = c.var(sub(d, i64(64)));
      c.set(x, i64(1));
      c.if(w("i64.eqz", beyond), () =>
        c.set(x, bm), () =>
        c.if(lt_u(beyond, i64(64)), () => c.set(x, or(shr_u(bm, beyond), toI64u(ne(shl(bm, sub(i64(64), beyond)), i64(0)))))));
      c.set(bm, i64(0));
    }));
  const s = c.var(i64(0));
  c.if(eqz(and(xor(ase, bse), SIGN)), () => {
    c.set(s, add(am, bm));
    c.if(lt_u(s, am), () => {
      c.set(x, or(or(shr_u(x, i64(1)), and(x, i64(1))), shl(s, i64(63))));
      c.set(s, or(shr_u(s, i64(1)), i64(TOP_BIT)));
      c.set(ea, add(ea, i32(1)));
    });
    c.return(round(at, sign, ea, s, x));
  });
  c.set(s, sub(sub(am, bm), toI64u(ne(x, i64(0)))));
  c.set(x, sub(i64(0), x));
  c.if(eqz(or(s, x)), () => c.return(exact(at, i64(0), ZERO)));
  c.if(w("i64.eqz", s), () => {
    c.set(s, x);
    c.set(x, i64(0));
    c.set(ea, sub(ea, i32(64)));
  });
  const n = c.var(w("i64.clz", s));
  c.if(ne(n, i64(0)), () => {
    c.set(s, or(shl(s, n), shr_u(x, sub(i64(64), n))));
    c.set(x, shl(x, n));
    c.set(ea, sub(ea, toI32(n)));
  });
  c.f.expr(round(at, sign, ea, s, x));
}

function product(c: Code): void {
  const { at, am, ase, bm, bse } = pair(c), sign = c.var(and(xor(ase, bse), SIGN));
  c.if(eqz(and(isNormal(am, ase), isNormal(bm, bse))), () => {
    const simple = (m: Expr, se: Expr) => or(isNormal(m, se), isZero(m, se));
    c.giveUp(eqz(and(simple(am, ase), simple(bm, bse))));
    c.return(exact(at, i64(0), sign));
  });
  const m = c.var(call("mulhi_u", "i64", am, bm)), x = c.var(mul(am, bm));
  const e = c.var(sub(add(exponent(ase), exponent(bse)), i32(16382)));
  c.if(ge_s(m, i64(0)), () => {
    c.set(m, or(shl(m, i64(1)), shr_u(x, i64(63))));
    c.set(x, shl(x, i64(1)));
    c.set(e, sub(e, i32(1)));
  });
  c.f.expr(round(at, sign, e, m, x));
}

function quotient(c: Code): void {
  const { at, am, ase, bm, bse } = pair(c), sign = c.var(and(xor(ase, bse), SIGN));
  c.giveUp(eqz(isNormal(bm, bse)));
  c.if(isZero(am, ase), () => c.return(exact(at, i64(0), sign)));
  c.giveUp(eqz(isNormal(am, ase)));
  const high = c.var(am), low = c.var(i64(0)), e = c.var(add(sub(exponent(ase), exponent(bse)), i32(16382)));
  c.if(ge_u(am, bm), () => {
    c.set(high, shr_u(am, i64(1)));
    c.set(low, shl(am, i64(63)));
    c.set(e, add(e, i32(1)));
  });
  const q = c.var(call("udiv128", "i64", high, low, bm)), r = c.var(sub(low, mul(q, bm))), rest = c.var(sub(bm, r));
  // The remainder against half the divisor: below, exactly half, above.
  const x = select(eqz(r), i64(0), select(lt_u(r, rest), i64(1), select(eq(r, rest), i64(TOP_BIT), i64(TOP_BIT | 1n))));
  c.f.expr(round(at, sign, e, q, x));
}

export function arithmetic(define: Define): void {
  define("x87_sum", F(PAIR, "i32"), sum);
  define("x87_product", F(PAIR, "i32"), product);
  define("x87_quotient", F(PAIR, "i32"), quotient);
  /** (OP_*, address of ST(d) and of the result, b's significand, b's sign and exponent) */
  define("x87_arithmetic", F(["i32", "i32", "i64", "i32"], "i32"), (c) => {
    const op = c.param(0, "i32"), at = c.param(1, "i32"), bm = c.param(2, "i64"), bse = c.param(3, "i32");
    const am = c.var(significand(at)), ase = c.var(exponentWord(at));
    c.giveUp(eqz(call("x87_usual", "i32")));
    c.if(le_s(op, i32(OP_SUBR)), () => {
      // The subtrahend's sign is flipped; a NaN is no simple case anyway.
      const a = xor(ase, select(eq(op, i32(OP_SUBR)), SIGN, ZERO)), b = xor(bse, select(eq(op, i32(OP_SUB)), SIGN, ZERO));
      c.return(call("x87_sum", "i32", at, am, a, bm, b));
    });
    c.if(eq(op, i32(OP_MUL)), () => c.return(call("x87_product", "i32", at, am, ase, bm, bse)));
    c.if(eq(op, i32(OP_DIV)), () => c.return(call("x87_quotient", "i32", at, am, ase, bm, bse)));
    c.f.expr(call("x87_quotient", "i32", at, bm, bse, am, ase));
  });
  define("x87_op", F(["i32", "i32", "i32", "i32"], "i32"), (c) => {
    const at = c.var(call("x87_full", "i32", c.param(1, "i32"))), from = c.var(call("x87_full", "i32", c.param(2, "i32")));
    c.giveUp(or(eqz(at), eqz(from)));
    c.giveUp(eqz(call("x87_arithmetic", "i32", c.param(0, "i32"), at, significand(from), exponentWord(from))));
    c.if(c.param(3, "i32"), () => popStatus(c, c.var(statusWord()), c.param(3, "i32")));
    c.f.i32(1);
  });
  define("x87_op_real", F(["i32", "i64", "i32"], "i32"), (c) => {
    const v = c.param(1, "i64"), kind = c.param(2, "i32");
    const at = c.var(call("x87_full", "i32", ZERO)), se = c.var(call("x87_widen_se", "i32", v, kind));
    c.giveUp(or(eqz(at), isNegative(se)));
    c.f.expr(call("x87_arithmetic", "i32", c.param(0, "i32"), at, call("x87_widen", "i64", v, kind), se));
  });
}

export function comparison(define: Define): void {
  const GREATER = 1, LESS = 2, EQUAL = 3;
  /** Of simple values: 0, or GREATER, LESS, EQUAL. */
  define("x87_order", F(["i64", "i32", "i64", "i32"], "i32"), (c) => {
    const am = c.param(0, "i64"), ase = c.param(1, "i32"), bm = c.param(2, "i64"), bse = c.param(3, "i32");
    const simple = (m: Expr, se: Expr) => or(isNormal(m, se), isZero(m, se));
    c.giveUp(eqz(and(simple(am, ase), simple(bm, bse))));
    c.if(eqz(or(am, bm)), () => c.return(i32(EQUAL)));
    // A zero's sign does not count beside another number.
    c.if(eqz(am), () => c.return(select(and(bse, SIGN), i32(GREATER), i32(LESS))));
    const below = c.var(and(shr_u(ase, i32(15)), i32(1)));
    c.if(or(eqz(bm), and(xor(ase, bse), SIGN)), () => c.return(add(below, i32(GREATER))));
    c.if(eq(am, bm), () => c.if(eq(ase, bse), () => c.return(i32(EQUAL))));
    const smaller = or(lt_u(ase, bse), and(eq(ase, bse), lt_u(am, bm)));
    c.f.expr(add(xor(smaller, below), i32(GREATER)));
  });
  const codes = (order: Expr): Expr =>
    or(
      and(statusWord(), i32(~(C0 | C1 | C2 | C3))),
      or(select(eq(order, i32(LESS)), i32(C0), ZERO), select(eq(order, i32(EQUAL)), i32(C3), ZERO)),
    );
  define("x87_com", F(["i32", "i32", "i32"], "i32"), (c) => {
    const a = c.var(call("x87_full", "i32", ZERO)), b = c.var(call("x87_full", "i32", c.param(0, "i32")));
    c.giveUp(or(eqz(a), eqz(b)));
    const order = c.var(call("x87_order", "i32", significand(a), exponentWord(a), significand(b), exponentWord(b)));
    c.giveUp(eqz(order));
    const sw = c.var(select(c.param(2, "i32"), codes(order), statusWord()));
    popStatus(c, sw, c.param(1, "i32"));
    c.f.expr(order);
  });
  define("x87_com_real", F(["i64", "i32", "i32"], "i32"), (c) => {
    const v = c.param(0, "i64"), kind = c.param(1, "i32"), a = c.var(call("x87_full", "i32", ZERO));
    const se = c.var(call("x87_widen_se", "i32", v, kind));
    c.giveUp(or(eqz(a), isNegative(se)));
    const order = c.var(call("x87_order", "i32", significand(a), exponentWord(a), call("x87_widen", "i64", v, kind), se));
    c.giveUp(eqz(order));
    popStatus(c, c.var(codes(order)), c.param(2, "i32"));
    c.f.expr(order);
  });
}
