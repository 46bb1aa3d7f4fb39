/** BT family, bit scans and counts. */
import type { Semantic } from "../sem.ts";
import {
  and,
  eqz,
  type Expr,
  i32,
  i64,
  int,
  ne,
  or,
  shl,
  shr_s,
  shr_u,
  signExtend,
  sub,
  toI32,
  toI64s,
  w,
  xor,
} from "../wasm/expr.ts";
import { displaced, readAs } from "./integer_common.ts";

type Change = ((v: Expr, mask: Expr) => Expr) | undefined;

/**
 * C = the addressed bit, then `change` it. A register bit offset into memory is signed and reaches beyond the operand: the operand-sized unit
 * that holds the bit is accessed (SDM vol. 2, BT). Immediate offsets and register destinations wrap at the operand size.
 */
const bitTest = (change: Change): Semantic => (s, i) => {
  const [dst, offset] = i.ops, size = i.size, bits = 8 * size;
  const raw = readAs(s, offset, size);
  const n = s.let(and(raw, int(size, bits - 1)));
  const mask = (): Expr => shl(int(size, 1), n);
  const carry = (v: Expr): Expr => s.let(and(toI32(shr_u(v, n)), i32(1)));
  if (dst.kind === "mem" && offset.kind === "reg") {
    const signed = size === 8 ? raw : toI64s(signExtend(raw, size));
    const units = shr_s(signed, i64(Math.log2(bits)));
    const address = s.let(displaced(s, dst, shl(units, i64(Math.log2(size)))));
    const v = s.load(address, size, { write: change !== undefined }), c = carry(v);
    if (change) s.store(address, size, change(v, mask()));
    s.setFlags({ kind: "set", c });
  } else {
    const v = change ? s.rmw(dst) : s.read(dst), c = carry(v);
    if (change) s.write(dst, change(v, mask()));
    s.setFlags({ kind: "set", c });
  }
};

/** BSF, BSR: a zero source sets Z and leaves the destination (all of it); the other flags are undefined. */
const scan = (forward: boolean): Semantic => (s, i) => {
  const [dst, src] = i.ops, size = i.size, type = size === 8 ? "i64" : "i32";
  const v = s.read(src);
  const index = forward ? w(`${type}.ctz`, v) : sub(int(size, size === 8 ? 63 : 31), w(`${type}.clz`, v));
  s.if(s.let(ne(v, int(size, 0))), () => s.write(dst, index));
  s.setFlags({ kind: "set", z: s.let(eqz(v)) });
};

/** TZCNT, LZCNT: C = source is zero, Z = result is zero. */
const count = (f: (v: Expr, size: number) => Expr): Semantic => (s, i) => {
  const [dst, src] = i.ops;
  const v = s.read(src), r = s.let(f(v, i.size));
  s.write(dst, r);
  s.setFlags({ kind: "set", c: s.let(eqz(v)), z: eqz(r) });
};

export const BIT: Record<string, Semantic> = {
  bt: bitTest(undefined),
  bts: bitTest(or),
  btr: bitTest((v, mask) => and(v, xor(mask, int(v.type === "i64" ? 8 : 4, -1)))),
  btc: bitTest(xor),
  bsf: scan(true),
  bsr: scan(false),
  tzcnt: count((v, size) => size === 8 ? w("i64.ctz", v) : w("i32.ctz", size === 2 ? or(v, i32(0x10000)) : v)),
  lzcnt: count((v, size) => size === 8 ? w("i64.clz", v) : size === 4 ? w("i32.clz", v) : sub(w("i32.clz", v), i32(16))),
  popcnt: (s, i) => {
    const [dst, src] = i.ops;
    const v = s.read(src), zero = i32(0);
    s.write(dst, w(i.size === 8 ? "i64.popcnt" : "i32.popcnt", v));
    s.setFlags({ kind: "set", c: zero, p: zero, a: zero, s: zero, o: zero, z: s.let(eqz(v)) });
  },
};
