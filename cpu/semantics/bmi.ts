/** BMI1, BMI2, ADX. Operands have 4 or 8 bytes. */
import type { FlagDef, Semantic } from "../sem.ts";
import {
  add,
  and,
  call,
  eqz,
  type Expr,
  i32,
  i64,
  int,
  lt_u,
  mul,
  or,
  rotr,
  select,
  shl,
  shr_s,
  shr_u,
  sub,
  toI32,
  toI64u,
  xor,
} from "../wasm/expr.ts";
import { fit, msb } from "./integer_common.ts";

/** Z and S from the result, O = 0, C as given; A and P are undefined and stay. */
const flags = (r: Expr, size: number, c: Expr): FlagDef => ({ kind: "set", c, z: eqz(r), s: msb(r, size), o: i32(0) });

/** One source into the VEX.vvvv register. */
const lowest = (f: (v: Expr, one: Expr) => Expr, carry: (v: Expr) => Expr): Semantic => (s, i) => {
  const [dst, src] = i.ops, v = s.read(src);
  const r = s.let(f(v, int(i.size, 1)));
  s.write(dst, r);
  s.setFlags(flags(r, i.size, s.let(carry(v))));
};

/** Shifts that touch no flag; the count is the register's low 5 or 6 bits (WebAssembly masks it the same way). */
const shift = (f: (v: Expr, n: Expr) => Expr): Semantic => (s, i) => {
  const [dst, src, count] = i.ops;
  const v = s.read(src);
  s.write(dst, f(v, fit(s.read(count), i.size)));
};

/** Add with one flag as carry in and out, the others untouched. */
const carryChain = (flag: "c" | "o"): Semantic => (s, i) => {
  const [dst, src] = i.ops;
  const b = s.read(src), a = s.read(dst), carry = s.let(s.flag(flag));
  const sum = s.let(add(a, b)), r = s.let(add(sum, fit(carry, i.size)));
  s.write(dst, r);
  s.setFlags({ kind: "set", [flag]: s.let(or(lt_u(sum, a), lt_u(r, sum))) });
};

export const BMI: Record<string, Semantic> = {
  andn: (s, i) => {
    const [dst, inverted, src] = i.ops, size = i.size;
    const b = s.read(src), r = s.let(and(xor(s.read(inverted), int(size, -1)), b));
    s.write(dst, r);
    s.setFlags(flags(r, size, i32(0)));
  },
  blsr: lowest((v, one) => and(v, sub(v, one)), eqz),
  blsmsk: lowest((v, one) => xor(v, sub(v, one)), eqz),
  blsi: lowest((v) => and(v, sub(int(v.type === "i64" ? 8 : 4, 0), v)), (v) => eqz(eqz(v))),
  bextr: (s, i) => {
    const [dst, src, control] = i.ops, size = i.size, bits = int(size, 8 * size);
    const v = s.read(src), k = s.read(control);
    const start = s.let(and(k, int(size, 0xff))), length = s.let(and(shr_u(k, int(size, 8)), int(size, 0xff)));
    const shifted = s.let(select(lt_u(start, bits), shr_u(v, start), int(size, 0)));
    const mask = sub(shl(int(size, 1), length), int(size, 1));
    const r = s.let(select(lt_u(length, bits), and(shifted, mask), shifted));
    s.write(dst, r);
    s.setFlags({ kind: "set", c: i32(0), z: eqz(r), o: i32(0) });
  },
  bzhi: (s, i) => {
    const [dst, src, index] = i.ops, size = i.size, bits = int(size, 8 * size);
    const v = s.read(src), n = s.let(and(s.read(index), int(size, 0xff)));
    const inside = s.let(lt_u(n, bits));
    const r = s.let(select(inside, and(v, sub(shl(int(size, 1), n), int(size, 1))), v));
    s.write(dst, r);
    s.setFlags(flags(r, size, eqz(inside)));
  },
  pext: (s) => s.helper("pext"),
  pdep: (s) => s.helper("pdep"),
  mulx: (s, i) => {
    const [highPart, lowPart, src] = i.ops;
    const b = s.read(src), a = s.reg(2, i.size);
    // When both destinations are the same register it gets the high half.
    if (i.size === 8) {
      const low = s.let(mul(a, b)), high = s.let(call("mulhi_u", "i64", a, b));
      s.write(lowPart, low);
      s.write(highPart, high);
    } else {
      const p = s.let(mul(toI64u(a), toI64u(b)));
      s.write(lowPart, toI32(p));
      s.write(highPart, toI32(shr_u(p, i64(32))));
    }
  },
  sarx: shift(shr_s),
  shlx: shift(shl),
  shrx: shift(shr_u),
  rorx: shift(rotr),
  adcx: carryChain("c"),
  adox: carryChain("o"),
};
