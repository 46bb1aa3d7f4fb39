/** Statements and the parts of the x87 state, for the functions that make up the fast paths. */
import { ST, STATE, X87_CW, X87_SW, X87_TAG } from "../layout.ts";
import type { FuncBuilder, FuncType } from "../wasm/encoder.ts";
import {
  add,
  and,
  eq,
  eqz,
  type Expr,
  i32,
  i64,
  load,
  type LocalExpr,
  lt_s,
  lt_u,
  mul,
  or,
  shl,
  shr_u,
  type StoreOp,
  sub,
  type ValType,
  xor,
} from "../wasm/expr.ts";

export const F = (params: ValType[], ...results: ValType[]): FuncType => ({ params, results });

/** Control word bits that must be 33Fh: masks, precision 64 bits, nearest. For conversions to integers rounding is free. */
export const CW_MASK = 0xf3f, CW_USUAL = 0x33f, ALL_MASKED = 0x3f;
export const TOP_BIT = 1n << 63n;
export const ZERO = i32(0);

/** Statements on top of a function builder. */
export class Code {
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
  while(cond: () => Expr, body: () => void): void {
    const out = this.f.block(), again = this.f.loop();
    this.f.expr(eqz(cond()));
    this.f.brIf(out);
    body();
    this.f.br(again);
    this.f.end();
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

export const statusWord = (): Expr => load("i32.load16_u", ZERO, STATE + X87_SW);
export const tags = (): Expr => load("i32.load8_u", ZERO, STATE + X87_TAG);
export const physical = (sw: Expr, n: Expr): Expr => and(add(shr_u(sw, i32(11)), n), i32(7));
export const slotOf = (r: Expr): Expr => add(shl(r, i32(4)), i32(STATE + ST));
export const significand = (slot: Expr): Expr => load("i64.load", slot);
export const exponentWord = (slot: Expr): Expr => load("i32.load16_u", slot, 8);
export const exponent = (se: Expr): Expr => and(se, i32(0x7fff));
export const isNegative = (v: Expr): Expr => lt_s(v, v.type === "i64" ? i64(0) : ZERO);
/** 0 < e < 7FFFh and the integer bit set. */
export const isNormal = (m: Expr, se: Expr): Expr => and(isNegative(m), lt_u(sub(exponent(se), i32(1)), i32(0x7ffe)));
export const isZero = (m: Expr, se: Expr): Expr => and(eqz(m), eqz(exponent(se)));

export function setStatus(c: Code, sw: Expr): void {
  c.store("i32.store16", ZERO, STATE + X87_SW, sw);
}
/** Stores a status word with TOP moved by `n` pops; the popped registers become empty. */
export function popStatus(c: Code, sw: LocalExpr, n: Expr): void {
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

export type Define = (name: string, type: FuncType, body: (c: Code) => void) => void;

export const allMasked = (): Expr => eq(and(load("i32.load16_u", ZERO, STATE + X87_CW), i32(ALL_MASKED)), i32(ALL_MASKED));

export const SIGN = i32(0x8000);
