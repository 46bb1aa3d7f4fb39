/**
 * Shifts and rotates. The count is masked to 5 bits (6 for 64-bit operands); a masked count of zero changes no flag, though a
 * 32-bit register destination is still written (its upper half cleared). Source: Intel SDM vol. 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD.
 * AF is undefined after shifts; AMD processors set it.
 */
import type { Operand } from "../insn.ts";
import type { FlagDef, Sem, Semantic } from "../sem.ts";
import {
  and,
  type Expr,
  i32,
  i64,
  int,
  le_u,
  or,
  rotl,
  rotr,
  select,
  shl,
  shr_s,
  shr_u,
  signExtend,
  sub,
  toI32,
  toI64u,
  truncate,
  w,
  xor,
} from "../wasm/expr.ts";
import { bit, fit, msb } from "./integer_common.ts";

/** The masked count, of the type of the shifted operand. */
const maskedCount = (s: Sem, op: Operand, size: number): Expr => {
  const raw = toI32(s.read(op));
  return s.let(fit(and(raw, i32(size === 8 ? 63 : 31)), size));
};

/** Sets flags unless the count is zero; a constant count decides now. */
function flagsUnlessZero(s: Sem, count: Expr, def: FlagDef): void {
  if (count.kind === "const") {
    if (count.n !== 0) s.setFlags(def);
  } else s.if(count.type === "i64" ? w("i64.ne", count, i64(0)) : count, () => s.setFlags(def));
}

const lowBit = (v: Expr): Expr => and(toI32(v), i32(1));

interface Shifted {
  r: Expr;
  c: Expr;
  o: Expr;
}
/** `shift` gives result, last bit shifted out (count not zero) and OF. Shifts also set Z, S and P; rotates leave them. */
const shifter = (keepZsp: boolean, shift: (v: Expr, n: Expr, size: number, s: Sem) => Shifted): Semantic => (s, i) => {
  const [dst, amount] = i.ops, size = i.size;
  const n = maskedCount(s, amount, size);
  const { r, c, o } = shift(s.rmw(dst), n, size, s);
  s.write(dst, r);
  flagsUnlessZero(s, n, keepZsp ? { kind: "set", c, o } : { kind: "set", r: { size, value: r }, c, o, a: i32(1) });
};

const left = shifter(false, (v, n, size, s) => {
  const bits = 8 * size;
  const shifted = s.let(shl(v, n)), r = size < 4 ? s.let(truncate(shifted, size)) : shifted;
  const c = s.let(size < 4 ? bit(shifted, bits) : lowBit(shr_u(v, sub(int(size, bits), n))));
  return { r, c, o: xor(msb(r, size), c) };
});

const right = shifter(false, (v, n, size, s) => ({
  r: s.let(shr_u(v, n)),
  c: lowBit(shr_u(v, sub(n, int(size, 1)))),
  o: msb(v, size),
}));

const arithmeticRight = shifter(false, (v, n, size, s) => {
  const wide = s.let(signExtend(v, size));
  return { r: s.let(truncate(shr_s(wide, n), size)), c: lowBit(shr_s(wide, sub(n, int(size, 1)))), o: i32(0) };
});

/** Rotates an 8- or 16-bit value left; `n` is taken modulo the width. */
function rotateNarrow(v: Expr, n: Expr, size: number): Expr {
  const bits = 8 * size, count = and(n, i32(bits - 1));
  return truncate(or(shl(v, count), shr_u(v, sub(i32(bits), count))), size);
}

const rotateLeft = shifter(true, (v, n, size, s) => {
  const r = s.let(size < 4 ? rotateNarrow(v, n, size) : rotl(v, n));
  return { r, c: lowBit(r), o: xor(msb(r, size), lowBit(r)) };
});

const rotateRight = shifter(true, (v, n, size, s) => {
  const r = s.let(size < 4 ? rotateNarrow(v, sub(i32(8 * size), and(n, i32(8 * size - 1))), size) : rotr(v, n));
  return { r, c: msb(r, size), o: xor(msb(r, size), bit(r, 8 * size - 2)) };
});

/** RCL and RCR of at most 32 bits: CF stands above the operand in an i64 and the 9, 17 or 33 bits rotate together. */
function rotateCarryNarrow(toLeft: boolean, s: Sem, v: Expr, n: Expr, size: number): { r: Expr; c: Expr } {
  const bits = 8 * size, width = i64(bits + 1);
  const x = s.let(or(toI64u(v), shl(toI64u(s.flag("c")), i64(bits)))), k = s.let(toI64u(n));
  const back = sub(width, k);
  const r = s.let(toLeft ? or(shl(x, k), shr_u(x, back)) : or(shr_u(x, k), shl(x, back)));
  return { r: s.let(truncate(toI32(r), size)), c: s.let(bit(r, bits)) };
}

function rotateCarryWide(toLeft: boolean, s: Sem, v: Expr, n: Expr): { r: Expr; c: Expr } {
  const carry = toI64u(s.flag("c")), one = i64(1), back = s.let(sub(i64(64), n));
  const r = toLeft
    ? or(or(shl(v, n), shl(carry, sub(n, one))), shr_u(shr_u(v, one), back))
    : or(or(shr_u(v, n), shl(carry, back)), shl(shl(v, one), back));
  const c = s.let(lowBit(toLeft ? shr_u(v, back) : shr_u(v, sub(n, one))));
  return { r: s.let(n.kind === "const" && n.n !== 0 ? r : select(w("i64.eqz", n), v, r)), c };
}

const rotateCarry = (toLeft: boolean): Semantic => (s, i) => {
  const [dst, amount] = i.ops, size = i.size;
  const masked = maskedCount(s, amount, size);
  // The whole turns of 9 or 17 bits change nothing, not even CF.
  const n = size < 4 ? s.let(w("i32.rem_u", masked, i32(8 * size + 1))) : masked;
  const v = s.rmw(dst);
  const { r, c } = size === 8 ? rotateCarryWide(toLeft, s, v, n) : rotateCarryNarrow(toLeft, s, v, n, size);
  s.write(dst, r);
  flagsUnlessZero(s, n, { kind: "set", c, o: xor(msb(r, size), toLeft ? c : bit(r, 8 * size - 2)) });
};

/**
 * SHLD and SHRD of 16 bits with a count above 16 are undefined in the manual; AMD processors go on with the source
 * (dst:src:src) and clear CF. */
function doubleNarrow(toLeft: boolean, s: Sem, v: Expr, fill: Expr, n: Expr): { r: Expr; c: Expr } {
  const f = s.let(toI64u(fill)), k = s.let(toI64u(n)), twice = or(shl(f, i64(16)), f);
  const x = s.let(toLeft ? or(shl(toI64u(v), i64(32)), twice) : or(shl(twice, i64(16)), toI64u(v)));
  const r = toLeft ? shr_u(shl(x, k), i64(32)) : shr_u(x, k);
  const c = toLeft ? shr_u(x, sub(i64(48), k)) : shr_u(x, sub(k, i64(1)));
  return { r: s.let(truncate(toI32(r), 2)), c: s.let(and(lowBit(c), le_u(n, i32(16)))) };
}

function doubleWide(toLeft: boolean, s: Sem, v: Expr, fill: Expr, n: Expr, size: number): { r: Expr; c: Expr } {
  const bits = 8 * size, one = int(size, 1), back = sub(int(size, bits - 1), n);
  const r = toLeft ? or(shl(v, n), shr_u(shr_u(fill, one), back)) : or(shr_u(v, n), shl(shl(fill, one), back));
  const c = toLeft ? shr_u(v, sub(int(size, bits), n)) : shr_u(v, sub(n, one));
  return { r: s.let(r), c: s.let(lowBit(c)) };
}

const double = (toLeft: boolean): Semantic => (s, i) => {
  const [dst, src, amount] = i.ops, size = i.size;
  const n = maskedCount(s, amount, size), fill = s.read(src), v = s.rmw(dst);
  const { r, c } = size === 2 ? doubleNarrow(toLeft, s, v, fill, n) : doubleWide(toLeft, s, v, fill, n, size);
  s.write(dst, r);
  flagsUnlessZero(s, n, { kind: "set", r: { size, value: r }, c, o: xor(msb(r, size), msb(v, size)), a: i32(1) });
};

export const SHIFT: Record<string, Semantic> = {
  shl: left,
  shr: right,
  sar: arithmeticRight,
  rol: rotateLeft,
  ror: rotateRight,
  rcl: rotateCarry(true),
  rcr: rotateCarry(false),
  shld: double(true),
  shrd: double(false),
};
