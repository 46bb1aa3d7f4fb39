/** ADD .. CMP, TEST, INC, DEC, NEG, NOT and the widening moves of the accumulator. */
import type { Semantic } from "../sem.ts";
import {
  add,
  and,
  type Expr,
  i32,
  i64,
  int,
  or,
  shl,
  shr_s,
  shr_u,
  signExtend,
  sub,
  toI64s,
  truncate,
  xor,
} from "../wasm/expr.ts";
import { fit, readAs } from "./integer_common.ts";

const addition = (carry: boolean): Semantic => (s, i) => {
  const [dst, src] = i.ops, size = i.size;
  const b = readAs(s, src, size), a = s.rmw(dst);
  const c = carry ? s.let(s.flag("c")) : undefined;
  const sum = add(a, b);
  const r = s.let(truncate(c ? add(sum, fit(c, size)) : sum, size));
  s.write(dst, r);
  s.setFlags(c ? { kind: "add", size, a, b, r, carry: c } : { kind: "add", size, a, b, r });
};

const subtraction = (borrow: boolean): Semantic => (s, i) => {
  const [dst, src] = i.ops, size = i.size;
  const b = readAs(s, src, size), a = s.rmw(dst);
  const c = borrow ? s.let(s.flag("c")) : undefined;
  const difference = sub(a, b);
  const r = s.let(truncate(c ? sub(difference, fit(c, size)) : difference, size));
  s.write(dst, r);
  s.setFlags(c ? { kind: "sub", size, a, b, r, carry: c } : { kind: "sub", size, a, b, r });
};

const logic = (f: (a: Expr, b: Expr) => Expr): Semantic => (s, i) => {
  const [dst, src] = i.ops;
  const b = readAs(s, src, i.size);
  const r = s.let(f(s.rmw(dst), b));
  s.write(dst, r);
  s.setFlags({ kind: "logic", size: i.size, r });
};

const step = (kind: "inc" | "dec"): Semantic => (s, i) => {
  const [dst] = i.ops, size = i.size, one = int(size, 1);
  const a = s.rmw(dst);
  const r = s.let(truncate(kind === "inc" ? add(a, one) : sub(a, one), size));
  s.write(dst, r);
  s.setFlags({ kind, size, r });
};

export const ARITHMETIC: Record<string, Semantic> = {
  add: addition(false),
  adc: addition(true),
  sub: subtraction(false),
  sbb: subtraction(true),
  and: logic(and),
  or: logic(or),
  xor: logic(xor),
  cmp: (s, i) => {
    const [dst, src] = i.ops, size = i.size;
    const a = s.read(dst), b = readAs(s, src, size);
    s.setFlags({ kind: "sub", size, a, b, r: s.let(truncate(sub(a, b), size)) });
  },
  test: (s, i) => {
    const [dst, src] = i.ops;
    const a = s.read(dst), b = readAs(s, src, i.size);
    s.setFlags({ kind: "logic", size: i.size, r: s.let(and(a, b)), of: [a, b] });
  },
  inc: step("inc"),
  dec: step("dec"),
  neg: (s, i) => {
    const [dst] = i.ops, size = i.size, a = int(size, 0);
    const b = s.rmw(dst);
    const r = s.let(truncate(sub(a, b), size));
    s.write(dst, r);
    s.setFlags({ kind: "sub", size, a, b, r });
  },
  not: (s, i) => {
    const [dst] = i.ops;
    s.write(dst, xor(s.rmw(dst), int(i.size, -1)));
  },
  cbw: (s, i) => {
    const half = i.size >> 1, low = signExtend(s.reg(0, half), half);
    s.setReg(0, i.size, i.size === 8 ? toI64s(low) : low);
  },
  cwd: (s, i) => {
    const a = s.reg(0, i.size);
    s.setReg(2, i.size, i.size === 8 ? shr_s(a, i64(63)) : shr_s(signExtend(a, i.size), i32(31)));
  },
};

/** BSWAP and MOVBE: bytes of a value of `size` in the opposite order. */
export function swapBytes(v: Expr, size: number, bind: (e: Expr) => Expr): Expr {
  const swapped = (x: Expr, odd: bigint, by: number): Expr => {
    const wide = x.type === "i64" ? 8 : 4, mask = int(wide, odd), count = int(wide, by);
    return bind(or(shl(and(x, mask), count), and(shr_u(x, count), mask)));
  };
  if (size === 2) return truncate(swapped(v, 0x00ffn, 8), 2);
  if (size === 4) return swapped(swapped(v, 0x00ff00ffn, 8), 0x0000ffffn, 16);
  const bytes = swapped(v, 0x00ff00ff00ff00ffn, 8);
  return swapped(swapped(bytes, 0x0000ffff0000ffffn, 16), 0xffffffffn, 32);
}
