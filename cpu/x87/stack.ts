/** Register stack: loads, exchanges, moves. */
import { C1, ES } from "../helpers/float80.ts";
import { STATE, X87_CW, X87_TAG } from "../layout.ts";
import {
  add,
  and,
  call,
  eq,
  eqz,
  type Expr,
  i32,
  i64,
  load,
  lt_u,
  ne,
  or,
  select,
  shl,
  shr_s,
  shr_u,
  sub,
  toI32,
  w,
  xor,
} from "../wasm/expr.ts";
import {
  CW_MASK,
  CW_USUAL,
  type Define,
  exponentWord,
  F,
  isNegative,
  physical,
  popStatus,
  setStatus,
  significand,
  slotOf,
  statusWord,
  tags,
  TOP_BIT,
  ZERO,
} from "./code.ts";
import { FROM_F64 } from "./formats.ts";

export function slots(define: Define): void {
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

export function pushes(define: Define): void {
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

export function moves(define: Define): void {
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
