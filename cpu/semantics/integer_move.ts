/** Moves, exchanges, stack. */
import { FLAG_D, FLAGS_OTHER, IF, IOPL, TF, VEC } from "../layout.ts";
import type { Insn } from "../insn.ts";
import type { Sem, Semantic } from "../sem.ts";
import {
  add,
  and,
  eq,
  type Expr,
  i32,
  i64,
  or,
  select,
  shl,
  shr_u,
  signExtend,
  sub,
  toI32,
  toI64s,
  toI64u,
  truncate,
  w,
} from "../wasm/expr.ts";
import { swapBytes } from "./integer_arithmetic.ts";
import { bit, linear, readAs } from "./integer_common.ts";

const mov: Semantic = (s, i) => {
  const [dst, src] = i.ops;
  s.write(dst, readAs(s, src, i.size));
};

const movsx: Semantic = (s, i) => {
  const [dst, src] = i.ops;
  const from = src.kind === "reg" || src.kind === "mem" ? src.size : i.size;
  const v = signExtend(s.read(src), from);
  s.write(dst, i.size === 8 ? toI64s(v) : v);
};

const xchg: Semantic = (s, i) => {
  const [dst, src] = i.ops;
  const b = s.read(src), a = s.rmw(dst);
  s.write(dst, b);
  s.write(src, a);
};

const xadd: Semantic = (s, i) => {
  const [dst, src] = i.ops, size = i.size;
  const b = s.read(src), a = s.rmw(dst);
  const r = s.let(truncate(add(a, b), size));
  s.write(src, a);
  s.write(dst, r);
  s.setFlags({ kind: "add", size, a, b, r });
};

/** A memory destination is written in both cases (its old value on failure), a register only on success; the accumulator only on failure. */
const cmpxchg: Semantic = (s, i) => {
  const [dst, src] = i.ops, size = i.size;
  const b = s.read(src), a = s.reg(0, size), rax = s.reg(0, 8), old = s.rmw(dst);
  const same = s.let(eq(a, old));
  if (size < 4) s.setReg(0, size, select(same, a, old));
  else s.setReg(0, 8, select(same, rax, toI64u(old)));
  if (dst.kind === "mem") s.write(dst, select(same, b, old));
  else s.if(same, () => s.write(dst, b));
  s.setFlags({ kind: "sub", size, a, b: old, r: s.let(truncate(sub(a, old), size)) });
};

/** Two registers as one value of double width: i64 for CMPXCHG8B, v128 for CMPXCHG16B. */
function pair(low: Expr, high: Expr): Expr {
  if (low.type === "i32") return or(toI64u(low), shl(toI64u(high), i64(32)));
  return w("i64x2.replace_lane", w("i64x2.splat", low), high, 1);
}

const cmpxchg8b: Semantic = (s, i) => {
  const [dst] = i.ops;
  if (dst.kind !== "mem") return s.raise(VEC.UD, 0);
  const wide = i.size === 8, half = wide ? 8 : 4;
  const address = s.let(s.address(dst));
  const old = s.load(address, 2 * half, { aligned: wide, write: true });
  const low = s.let(wide ? w("i64x2.extract_lane", old, 0) : toI32(old));
  const high = s.let(wide ? w("i64x2.extract_lane", old, 1) : toI32(shr_u(old, i64(32))));
  const a = s.reg(0, half), d = s.reg(2, half);
  const same = s.let(and(eq(low, a), eq(high, d)));
  const fresh = pair(s.reg(3, half), s.reg(1, half));
  s.store(address, 2 * half, s.let(select(same, fresh, old)), { aligned: wide });
  const rax = s.reg(0, 8), rdx = s.reg(2, 8);
  s.setReg(0, 8, select(same, rax, toI64u(low)));
  s.setReg(2, 8, select(same, rdx, toI64u(high)));
  s.setFlags({ kind: "set", z: same });
};

const push: Semantic = (s, i) => s.push(readAs(s, i.ops[0], i.size), i.size);

const pop: Semantic = (s, i) => {
  const [dst] = i.ops;
  // An RSP-based address uses RSP after the increment, yet a fault must leave RSP: too rare for more than a helper.
  if (dst.kind === "mem") return s.helper("pop_memory");
  const v = s.let(s.pop(i.size));
  s.popped(i.size);
  s.write(dst, v);
};

/** RFLAGS as PUSHF stores it: RF and VM read as zero. */
function flagsWord(s: Sem): Expr {
  const at = (e: Expr, n: number): Expr => shl(e, i32(n));
  const other = and(s.state(FLAGS_OTHER, "i32"), i32(~0x30000));
  const arithmetic = or(
    or(or(s.flag("c"), at(s.flag("p"), 2)), or(at(s.flag("a"), 4), at(s.flag("z"), 6))),
    or(at(s.flag("s"), 7), at(s.flag("o"), 11)),
  );
  return s.let(or(or(other, i32(2)), or(arithmetic, at(s.state(FLAG_D, "i32"), 10))));
}

const pushf: Semantic = (s, i) => {
  const word = flagsWord(s);
  s.push(i.size === 8 ? toI64u(word) : and(word, i32(0xffff)), i.size);
};

/** TF, NT; with the 64-bit form also AC and ID. IF and IOPL keep their value at CPL 3, RF is cleared. */
const POPPED = 1 << 8 | 1 << 14, POPPED_HIGH = 1 << 18 | 1 << 21;

const popf: Semantic = (s, i) => {
  const v = s.let(toI32(s.pop(i.size)));
  // The dispatcher has to know that single steps begin.
  s.helperIf(and(v, i32(TF)), "popf", () => popFlags(s, i, v));
};

function popFlags(s: Sem, i: Insn, v: Expr): void {
  s.popped(i.size);
  const taken = i.size === 2 ? POPPED : POPPED | POPPED_HIGH;
  const kept = IF | IOPL | (i.size === 2 ? POPPED_HIGH : 0);
  const other = s.let(or(or(and(s.state(FLAGS_OTHER, "i32"), i32(kept)), and(v, i32(taken))), i32(2)));
  s.setState(FLAGS_OTHER, "i32", other);
  s.setState(FLAG_D, "i32", bit(v, 10));
  s.setFlags({ kind: "set", c: bit(v, 0), p: bit(v, 2), a: bit(v, 4), z: bit(v, 6), s: bit(v, 7), o: bit(v, 11) });
}

const leave: Semantic = (s, i) => {
  const frame = s.reg(5, 8);
  const v = s.let(s.load(frame, i.size));
  s.setReg(4, 8, add(frame, i64(i.size)));
  s.setReg(5, i.size, v);
};

const xlat: Semantic = (s, i: Insn) => {
  const offset = add(s.reg(3, 8), toI64u(s.reg(0, 1)));
  s.setReg(0, 1, s.let(s.load(s.let(linear(s, offset, i.addressSize, i.seg)), 1)));
};

const swap: Semantic = (s, i) => {
  const [dst] = i.ops, src = i.ops[i.ops.length - 1];
  const v = s.read(src);
  s.write(dst, swapBytes(v, i.size, (e) => s.let(e)));
};

export const MOVE: Record<string, Semantic> = {
  mov,
  movzx: mov,
  movsx,
  movsxd: movsx,
  lea: (s, i) => {
    const [dst, src] = i.ops;
    if (src.kind !== "mem") return s.raise(VEC.UD, 0);
    const offset = s.offset(src);
    s.write(dst, i.size === 8 ? offset : truncate(toI32(offset), i.size));
  },
  bswap: (s, i) => i.size === 2 ? s.write(i.ops[0], i32(0)) : swap(s, i),
  movbe: swap,
  xchg,
  xadd,
  cmpxchg,
  cmpxchg8b,
  cmovcc: (s, i) => {
    const [dst, src] = i.ops;
    const v = s.read(src);
    s.write(dst, select(s.cond(i.cc), v, s.read(dst)));
  },
  setcc: (s, i) => s.write(i.ops[0], s.cond(i.cc)),
  xlat,
  push,
  pop,
  pushf,
  popf,
  enter: (s) => s.helper("enter"),
  leave,
};
