/** MUL, IMUL, DIV, IDIV. */
import { VEC } from "../layout.ts";
import type { Operand } from "../insn.ts";
import type { Sem, Semantic } from "../sem.ts";
import {
  add,
  and,
  call,
  eq,
  type Expr,
  ge_u,
  gt_u,
  i32,
  i64,
  int,
  lt_s,
  mul,
  ne,
  or,
  select,
  shl,
  shr_s,
  shr_u,
  signExtend,
  sub,
  toI32,
  toI64s,
  toI64u,
  truncate,
  w,
  xor,
} from "../wasm/expr.ts";
import { readAs } from "./integer_common.ts";

/** CF = OF = the product does not fit; the other flags are undefined and stay. */
const overflowed = (s: Sem, o: Expr): void => s.setFlags({ kind: "set", c: o, o });

/** One operand: rDX:rAX = rAX * source (AX = AL * source for bytes). */
const widening = (signed: boolean): Semantic => (s, i) => {
  const [src] = i.ops, size = i.size;
  const extend = (v: Expr): Expr => signed ? signExtend(v, size) : v;
  const b = s.read(src), a = s.reg(0, size);
  if (size === 8) {
    const low = s.let(mul(a, b)), high = s.let(call(signed ? "mulhi_s" : "mulhi_u", "i64", a, b));
    s.setReg(0, 8, low);
    s.setReg(2, 8, high);
    overflowed(s, s.let(signed ? ne(high, shr_s(low, i64(63))) : ne(high, i64(0))));
  } else if (size === 4) {
    const wide = signed ? toI64s : toI64u;
    const p = s.let(mul(wide(a), wide(b)));
    s.setReg(0, 4, toI32(p));
    s.setReg(2, 4, toI32(shr_u(p, i64(32))));
    overflowed(s, s.let(signed ? ne(p, w("i64.extend32_s", p)) : ne(shr_u(p, i64(32)), i64(0))));
  } else {
    const p = s.let(mul(extend(a), extend(b)));
    if (size === 1) s.setReg(0, 2, p);
    else {
      s.setReg(0, 2, p);
      s.setReg(2, 2, shr_u(p, i32(16)));
    }
    overflowed(s, s.let(signed ? ne(p, signExtend(p, size)) : gt_u(p, i32(size === 1 ? 0xff : 0xffff))));
  }
};

/** Two or three operands: destination = truncated signed product. */
const truncating: Semantic = (s, i) => {
  const [dst] = i.ops, size = i.size, three = i.ops.length === 3;
  const a = s.read(three ? i.ops[1] : dst), b = readAs(s, i.ops[three ? 2 : 1], size);
  if (size === 8) {
    const low = s.let(mul(a, b)), high = call("mulhi_s", "i64", a, b);
    s.write(dst, low);
    overflowed(s, s.let(ne(high, shr_s(low, i64(63)))));
  } else if (size === 4) {
    const p = s.let(mul(toI64s(a), toI64s(b)));
    s.write(dst, toI32(p));
    overflowed(s, s.let(ne(p, w("i64.extend32_s", p))));
  } else {
    const p = s.let(mul(signExtend(a, 2), signExtend(b, 2)));
    s.write(dst, truncate(p, 2));
    overflowed(s, s.let(ne(p, signExtend(p, 2))));
  }
};

const divideError = (s: Sem, cond: Expr): void => s.raise(VEC.DE, 0, cond);

/** The dividend of a 1-, 2- or 4-byte division, as i32 (1, 2) or i64 (4), and its result pair. */
function narrowDividend(s: Sem, size: number): Expr {
  if (size === 1) return s.reg(0, 2);
  if (size === 2) return s.let(or(s.reg(0, 2), shl(s.reg(2, 2), i32(16))));
  return s.let(or(toI64u(s.reg(0, 4)), shl(toI64u(s.reg(2, 4)), i64(32))));
}

function results(s: Sem, size: number, q: Expr, r: Expr): void {
  if (size === 1) s.setReg(0, 2, or(and(q, i32(0xff)), shl(and(r, i32(0xff)), i32(8))));
  else {
    s.setReg(0, size, size === 8 ? q : toI32(q));
    s.setReg(2, size, size === 8 ? r : toI32(r));
  }
}

const divide: Semantic = (s, i) => {
  const [src] = i.ops, size = i.size;
  if (size === 8) return divide128(s, src);
  const wide = size === 4;
  const d = s.let(wide ? toI64u(s.read(src)) : s.read(src)), n = narrowDividend(s, size);
  divideError(s, w(wide ? "i64.eqz" : "i32.eqz", d));
  const q = s.let(w(wide ? "i64.div_u" : "i32.div_u", n, d));
  divideError(s, gt_u(q, int(wide ? 8 : 4, (1n << BigInt(8 * size)) - 1n)));
  results(s, size, q, s.let(sub(n, mul(q, d))));
};

/** The quotient fits exactly if the high half is below the divisor, which also excludes a divisor of zero. */
function divide128(s: Sem, src: Operand): void {
  const d = s.read(src), low = s.reg(0, 8), high = s.reg(2, 8);
  divideError(s, ge_u(high, d));
  s.if(w("i64.eqz", high), () => {
    const q = s.let(w("i64.div_u", low, d));
    results(s, 8, q, s.let(sub(low, mul(q, d))));
  }, () => {
    const q = s.let(call("udiv128", "i64", high, low, d));
    results(s, 8, q, s.let(sub(low, mul(q, d))));
  });
}

const divideSigned: Semantic = (s, i) => {
  const [src] = i.ops, size = i.size;
  if (size === 8) return divideSigned128(s, src);
  const wide = size === 4;
  const d = s.let(wide ? toI64s(s.read(src)) : signExtend(s.read(src), size));
  const dividend = narrowDividend(s, size), n = size === 1 ? s.let(signExtend(dividend, 2)) : dividend;
  divideError(s, w(wide ? "i64.eqz" : "i32.eqz", d));
  // The one quotient that does not even fit the wider type (and traps in WebAssembly); impossible for bytes.
  const most = wide ? i64(-(1n << 63n)) : i32(-0x80000000);
  if (size !== 1) divideError(s, and(eq(d, int(wide ? 8 : 4, -1)), eq(n, most)));
  const q = s.let(w(wide ? "i64.div_s" : "i32.div_s", n, d));
  divideError(s, ne(q, wide ? w("i64.extend32_s", q) : signExtend(q, size)));
  results(s, size, q, s.let(sub(n, mul(q, d))));
};

/**
 * Nearly always RDX is the sign of RAX (CQO) and one 64-bit division does it. Otherwise divide magnitudes: the quotient fits if its
 * magnitude is below 2^63, or equal to it and negative.
 */
function divideSigned128(s: Sem, src: Operand): void {
  const d = s.read(src), low = s.reg(0, 8), high = s.reg(2, 8);
  const signs = shr_s(low, i64(63)), zero = i64(0), most = i64(-(1n << 63n));
  const simple = s.let(eq(high, signs));
  divideError(s, w("i64.eqz", d));
  divideError(s, and(simple, and(eq(d, i64(-1)), eq(low, most))));
  s.if(simple, () => {
    const q = s.let(w("i64.div_s", low, d));
    results(s, 8, q, s.let(sub(low, mul(q, d))));
  }, () => {
    const negative = s.let(lt_s(high, zero)), flip = s.let(lt_s(xor(high, d), zero));
    const size = s.let(select(lt_s(d, zero), sub(zero, d), d));
    const lowSize = s.let(select(negative, sub(zero, low), low));
    // -(high:low) has the high half ~high plus a carry when low is zero.
    const carried = add(xor(high, i64(-1)), toI64u(w("i64.eqz", low)));
    const highSize = s.let(select(negative, carried, high));
    divideError(s, ge_u(highSize, size));
    const magnitude = s.let(call("udiv128", "i64", highSize, lowSize, size));
    divideError(s, gt_u(magnitude, sub(most, toI64u(w("i32.eqz", flip)))));
    const q = s.let(select(flip, sub(zero, magnitude), magnitude));
    results(s, 8, q, s.let(sub(low, mul(q, d))));
  });
}

export const MULDIV: Record<string, Semantic> = {
  mul: widening(false),
  imul: (s, i) => i.ops.length === 1 ? widening(true)(s, i) : truncating(s, i),
  div: divide,
  idiv: divideSigned,
};
