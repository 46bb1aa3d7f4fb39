/**
 * Fast paths of the x87 as functions of the runtime module: register stack, sums, products, quotients, comparisons and conversions of normal
 * numbers and zeros under the usual control word (64-bit precision, to nearest, everything masked).
 *
 * Each returns 0 without having changed anything when a case is not that simple (NaN, infinity, denormal, overflow, stack fault, other
 * control words, pending exception); the helper of the instruction (cpu/helpers/x87*.ts) then does it all. Their results are the same.
 */
import { ST, STATE, X87_CW, X87_RESULT, X87_RESULT_SE, X87_RESULT_SW, X87_SW, X87_TAG } from "./layout.ts";
import { C0, C1, C3, ES, PE } from "./helpers/float80.ts";
import type { FuncBuilder, FuncImport, FuncType, ModuleBuilder } from "./wasm/encoder.ts";
import {
  add,
  and,
  call,
  eq,
  eqz,
  type Expr,
  ge_s,
  ge_u,
  gt_u,
  i32,
  i64,
  le_s,
  load,
  type LocalExpr,
  lt_s,
  lt_u,
  mul,
  ne,
  or,
  select,
  shl,
  shr_s,
  shr_u,
  type StoreOp,
  sub,
  toI32,
  toI64s,
  toI64u,
  type ValType,
  w,
  xor,
} from "./wasm/expr.ts";

/** What bits from memory (or a register) are: 32- or 64-bit floating point, or a sign-extended integer. */
export const FROM_F32 = 0, FROM_F64 = 1, FROM_INTEGER = 2;
/** Arithmetic: destination op source. */
export const OP_ADD = 0, OP_SUB = 1, OP_SUBR = 2, OP_MUL = 3, OP_DIV = 4, OP_DIVR = 5;
/** Destination formats of `x87_store`. */
export const TO_F32 = 0, TO_F64 = 1, TO_80 = 2, TO_INTEGER = 3;

const F = (params: ValType[], ...results: ValType[]): FuncType => ({ params, results });

export const X87_IMPORTS = [
  /** (significand, sign and exponent) */
  { name: "x87_push", type: F(["i64", "i32"], "i32") },
  /** (bits, FROM_*) */
  { name: "x87_push_real", type: F(["i64", "i32"], "i32") },
  /** ST(n) on top. */
  { name: "x87_push_st", type: F(["i32"], "i32") },
  /** (OP_*, destination ST(n), source ST(n), pops) */
  { name: "x87_op", type: F(["i32", "i32", "i32", "i32"], "i32") },
  /** (OP_*, bits, FROM_*): ST(0) op= value. */
  { name: "x87_op_real", type: F(["i32", "i64", "i32"], "i32") },
  /** (ST(n), pops, set condition codes) -> 0, or 1 greater, 2 less, 3 equal. */
  { name: "x87_com", type: F(["i32", "i32", "i32"], "i32") },
  /** (bits, FROM_*, pops), sets condition codes. */
  { name: "x87_com_real", type: F(["i64", "i32", "i32"], "i32") },
  { name: "x87_exchange", type: F(["i32"], "i32") },
  /** Sign of ST(0): (and mask, xor mask). */
  { name: "x87_sign", type: F(["i32", "i32"], "i32") },
  /** FCMOVcc: (condition, ST(n)) */
  { name: "x87_cmov", type: F(["i32", "i32"], "i32") },
  /** ST(n) = ST(0): (n, pops) */
  { name: "x87_move", type: F(["i32", "i32"], "i32") },
  /**
   * (TO_*, bits of an integer, truncate) -> ST(0) converted in X87_RESULT and X87_RESULT_SE, the status word to be in X87_RESULT_SW.
   */
  { name: "x87_store", type: F(["i32", "i32", "i32"], "i32") },
  /** After the value has reached memory: (pops). */
  { name: "x87_stored", type: F(["i32"], "i32") },
] as const satisfies readonly FuncImport[];

/** Control word bits that must be 33Fh: masks, precision 64 bits, nearest. For conversions to integers rounding is free. */
const CW_MASK = 0xf3f, CW_USUAL = 0x33f, ALL_MASKED = 0x3f;
const TOP_BIT = 1n << 63n;
const ZERO = i32(0);

/** Statements on top of a function builder. */
class Code {
  constructor(readonly f: FuncBuilder) {}
  param(index: number, type: ValType): LocalExpr {
    return { kind: "local", type, index };
  }
  /** A local variable with this value. */
  var(value: Expr): LocalExpr {
    const index = this.f.newLocal(value.type);
    this.f.assign(index, value);
    return { kind: "local", type: value.type, index };
  }
  set(v: LocalExpr, value: Expr): void {
    this.f.assign(v.index, value);
  }
  if(cond: Expr, then: () => void, otherwise?: () => void): void {
    this.f.expr(cond);
    this.f.if();
    then();
    if (otherwise) {
      this.f.else();
      otherwise();
    }
    this.f.end();
  }
  return(value: Expr): void {
    this.f.expr(value);
    this.f.return();
  }
  /** Returns 0: the helper shall do it. */
  giveUp(cond: Expr): void {
    this.if(cond, () => this.return(ZERO));
  }
  store(op: StoreOp, address: Expr, offset: number, value: Expr): void {
    this.f.expr(address);
    this.f.expr(value);
    this.f.store(op, offset);
  }
}

const statusWord = (): Expr => load("i32.load16_u", ZERO, STATE + X87_SW);
const tags = (): Expr => load("i32.load8_u", ZERO, STATE + X87_TAG);
const physical = (sw: Expr, n: Expr): Expr => and(add(shr_u(sw, i32(11)), n), i32(7));
const slotOf = (r: Expr): Expr => add(shl(r, i32(4)), i32(STATE + ST));
const significand = (slot: Expr): Expr => load("i64.load", slot);
const exponentWord = (slot: Expr): Expr => load("i32.load16_u", slot, 8);
const exponent = (se: Expr): Expr => and(se, i32(0x7fff));
const isNegative = (v: Expr): Expr => lt_s(v, v.type === "i64" ? i64(0) : ZERO);
/** 0 < e < 7FFFh and the integer bit set. */
const isNormal = (m: Expr, se: Expr): Expr => and(isNegative(m), lt_u(sub(exponent(se), i32(1)), i32(0x7ffe)));
const isZero = (m: Expr, se: Expr): Expr => and(eqz(m), eqz(exponent(se)));

function setStatus(c: Code, sw: Expr): void {
  c.store("i32.store16", ZERO, STATE + X87_SW, sw);
}
/** Stores a status word with TOP moved by `n` pops; the popped registers become empty. */
function popStatus(c: Code, sw: LocalExpr, n: Expr): void {
  c.if(n, () => {
    const top = physical(sw, ZERO);
    const freed = and(mul(sub(shl(i32(1), n), i32(1)), shl(i32(1), top)), i32(0xffff));
    // With two pops from register 7 the second bit wraps around.
    const wrapped = c.var(or(freed, shr_u(freed, i32(8))));
    c.store("i32.store8", ZERO, STATE + X87_TAG, and(tags(), xor(wrapped, i32(-1))));
    c.set(sw, or(and(sw, i32(~0x3800)), shl(and(add(top, n), i32(7)), i32(11))));
  });
  setStatus(c, sw);
}

function slots(define: Define): void {
  /** ST(n)'s address, 0 when it is empty or an exception is pending. */
  define("x87_full", F(["i32"], "i32"), (c) => {
    const sw = c.var(statusWord()), r = c.var(physical(sw, c.param(0, "i32")));
    c.giveUp(or(and(sw, i32(ES)), eqz(and(shr_u(tags(), r), i32(1)))));
    c.f.expr(slotOf(r));
  });
  /** Is the control word the usual one? */
  define(
    "x87_usual",
    F([], "i32"),
    (c) => c.f.expr(eq(and(load("i32.load16_u", ZERO, STATE + X87_CW), i32(CW_MASK)), i32(CW_USUAL))),
  );
}

function pushes(define: Define): void {
  define("x87_push", F(["i64", "i32"], "i32"), (c) => {
    const sw = c.var(statusWord()), r = c.var(physical(sw, i32(7))), at = c.var(slotOf(r)), bit = c.var(shl(i32(1), r));
    c.giveUp(or(and(sw, i32(ES)), and(tags(), bit)));
    c.store("i64.store", at, 0, c.param(0, "i64"));
    c.store("i32.store16", at, 8, c.param(1, "i32"));
    c.store("i32.store8", ZERO, STATE + X87_TAG, or(tags(), bit));
    setStatus(c, or(and(sw, i32(~(0x3800 | C1))), shl(r, i32(11))));
    c.f.i32(1);
  });
  /** Sign and exponent of a widened value, -1 for what is not simple. */
  define("x87_widen_se", F(["i64", "i32"], "i32"), (c) => {
    const v = c.param(0, "i64"), kind = c.param(1, "i32"), high = c.var(toI32(shr_u(v, i64(32)))), low = c.var(toI32(v));
    const real = (sign: Expr, e: Expr, top: number, bias: number, fraction: Expr) => {
      const x = c.var(e);
      c.if(lt_u(sub(x, i32(1)), i32(top - 1)), () => c.return(or(sign, add(x, i32(bias)))));
      c.return(select(or(x, ne(fraction, i64(0))), i32(-1), sign));
    };
    c.if(
      eq(kind, i32(FROM_F64)),
      () => real(and(shr_u(high, i32(16)), i32(0x8000)), and(shr_u(high, i32(20)), i32(0x7ff)), 0x7ff, 15360, shl(v, i64(12))),
    );
    c.if(
      eqz(kind),
      () => real(and(shr_u(low, i32(16)), i32(0x8000)), and(shr_u(low, i32(23)), i32(0xff)), 0xff, 16256, shl(v, i64(41))),
    );
    c.if(w("i64.eqz", v), () => c.return(ZERO));
    const sign = c.var(shr_s(v, i64(63)));
    c.f.expr(or(and(toI32(sign), i32(0x8000)), sub(i32(16446), toI32(w("i64.clz", sub(xor(v, sign), sign))))));
  });
  define("x87_widen", F(["i64", "i32"], "i64"), (c) => {
    const v = c.param(0, "i64"), kind = c.param(1, "i32");
    c.if(
      eq(kind, i32(FROM_F64)),
      () => c.return(select(w("i64.eqz", shl(v, i64(1))), i64(0), or(shl(v, i64(11)), i64(TOP_BIT)))),
    );
    c.if(eqz(kind), () => c.return(select(w("i64.eqz", shl(v, i64(33))), i64(0), or(shl(v, i64(40)), i64(TOP_BIT)))));
    const sign = c.var(shr_s(v, i64(63))), m = c.var(sub(xor(v, sign), sign));
    c.f.expr(shl(m, w("i64.clz", m)));
  });
  define("x87_push_real", F(["i64", "i32"], "i32"), (c) => {
    const v = c.param(0, "i64"), kind = c.param(1, "i32"), se = c.var(call("x87_widen_se", "i32", v, kind));
    c.giveUp(isNegative(se));
    c.f.expr(call("x87_push", "i32", call("x87_widen", "i64", v, kind), se));
  });
  define("x87_push_st", F(["i32"], "i32"), (c) => {
    const at = c.var(call("x87_full", "i32", c.param(0, "i32")));
    c.giveUp(eqz(at));
    c.f.expr(call("x87_push", "i32", significand(at), exponentWord(at)));
  });
}

/** Rounds m:x (m's top bit set) to nearest, stores it at `at` and sets PE and C1. Precondition of success: the exponent stays in range. */
function rounding(define: Define): void {
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
const round = (at: Expr, sign: Expr, e: Expr, m: Expr, x: Expr): Expr => call("x87_round", "i32", at, sign, e, m, x);
const exact = (at: Expr, m: Expr, se: Expr): Expr => call("x87_exact", "i32", at, m, se);
const SIGN = i32(0x8000);

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

function arithmetic(define: Define): void {
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

function comparison(define: Define): void {
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
      and(statusWord(), i32(~(C0 | C1 | 0x400 | C3))),
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

function moves(define: Define): void {
  define("x87_exchange", F(["i32"], "i32"), (c) => {
    const a = c.var(call("x87_full", "i32", ZERO)), b = c.var(call("x87_full", "i32", c.param(0, "i32")));
    c.giveUp(or(eqz(a), eqz(b)));
    const t = c.var(load("v128.load", a));
    c.store("v128.store", a, 0, load("v128.load", b));
    c.store("v128.store", b, 0, t);
    setStatus(c, and(statusWord(), i32(~C1)));
    c.f.i32(1);
  });
  define("x87_sign", F(["i32", "i32"], "i32"), (c) => {
    const at = c.var(call("x87_full", "i32", ZERO));
    c.giveUp(eqz(at));
    c.store("i32.store16", at, 8, xor(and(exponentWord(at), c.param(0, "i32")), c.param(1, "i32")));
    setStatus(c, and(statusWord(), i32(~C1)));
    c.f.i32(1);
  });
  define("x87_cmov", F(["i32", "i32"], "i32"), (c) => {
    const a = c.var(call("x87_full", "i32", ZERO)), b = c.var(call("x87_full", "i32", c.param(1, "i32")));
    c.giveUp(or(eqz(a), eqz(b)));
    c.store("v128.store", a, 0, load("v128.load", select(c.param(0, "i32"), b, a)));
    c.f.i32(1);
  });
  define("x87_move", F(["i32", "i32"], "i32"), (c) => {
    const from = c.var(call("x87_full", "i32", ZERO)), sw = c.var(statusWord()), r = c.var(physical(sw, c.param(0, "i32")));
    c.giveUp(eqz(from));
    c.store("v128.store", slotOf(r), 0, load("v128.load", from));
    c.store("i32.store8", ZERO, STATE + X87_TAG, or(tags(), shl(i32(1), r)));
    c.set(sw, and(sw, i32(~C1)));
    popStatus(c, sw, c.param(1, "i32"));
    c.f.i32(1);
  });
}

function stores(define: Define): void {
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
    const whole = c.var(i64(0)), x = c.var(i64(1)), sign = c.var(sub(i64(0), toI64u(shr_u(se, i32(15)))));
    c.if(ge_s(e, ZERO), () => {
      c.set(whole, shr_u(m, toI64s(sub(i32(63), e))));
      // e = 63 is excluded, so the count is 1..63.
      c.set(x, shl(m, toI64s(add(e, i32(1)))));
    }, () => c.if(eq(e, i32(-1)), () => c.set(x, m)));
    const mode = c.var(select(truncate, i32(3), and(shr_u(load("i32.load16_u", ZERO, STATE + X87_CW), i32(10)), i32(3))));
    const nearest = and(isNegative(x), or(ne(shl(x, i64(1)), i64(0)), toI32(and(whole, i64(1)))));
    const directed = and(eq(mode, select(toI32(sign), i32(1), i32(2))), ne(x, i64(0)));
    const up = c.var(select(mode, directed, nearest));
    c.set(whole, add(whole, toI64u(up)));
    // Rounding up may leave the range.
    c.giveUp(ne(shr_u(whole, toI64s(sub(bits, i32(1)))), i64(0)));
    const flags = select(w("i64.eqz", x), ZERO, select(up, i32(PE | C1), i32(PE)));
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
      c.giveUp(ne(and(load("i32.load16_u", ZERO, STATE + X87_CW), i32(ALL_MASKED)), i32(ALL_MASKED)));
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

type Define = (name: string, type: FuncType, body: (c: Code) => void) => void;

/** Adds the functions to the runtime module (which has mulhi_u and udiv128). */
export function defineX87(m: ModuleBuilder): void {
  const define: Define = (name, type, body) => body(new Code(m.func(type, name, true)));
  slots(define);
  pushes(define);
  rounding(define);
  arithmetic(define);
  comparison(define);
  moves(define);
  stores(define);
}
