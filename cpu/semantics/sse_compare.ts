/** Vector and scalar instructions that set flags or use implied operands: comparisons, tests, blends by XMM0, CRC32. */
import { comparison } from "../flags.ts";
import { HELPER_OPERAND } from "../layout.ts";
import type { Semantic } from "../sem.ts";
import {
  and,
  call,
  type Expr,
  i32,
  i64,
  lt_s,
  ne,
  or,
  select,
  shl,
  shr_u,
  sub,
  toI32,
  toI64u,
  v128,
  w,
  xor,
} from "../wasm/expr.ts";
import { testCarry, testZero } from "./lanes_integer.ts";
import { blendBySign } from "./lanes_shuffle.ts";
import { bindOf, scalar, sized, source } from "./vector.ts";

const RCX = 1;

const compareScalar: Semantic = (s, { ops: [first, second] }) => {
  const b = scalar(s, sized(second)), a = scalar(s, sized(first));
  s.setFlags(comparison(a, b));
};

const test: Semantic = (s, { ops: [first, second] }) => {
  const b = source(s, second), a = s.xmm(first), bind = bindOf(s), none = i32(0);
  s.setFlags({ kind: "set", z: testZero(a, b, bind), c: testCarry(a, b, bind), o: none, s: none, a: none, p: none });
};

const blend = (shape: "i8x16" | "i32x4" | "i64x2"): Semantic => (s, { ops: [dst, src] }) => {
  const b = source(s, src);
  s.setXmm(dst, blendBySign(shape, s.xmm(dst), b, s.xmmReg(0)));
};

/** CRC-32C, bit-reflected (polynomial 0x11EDC6F41), one bit per step. */
const crc32: Semantic = (s, { ops: [dst, src] }) => {
  const data = s.read(src), bits = 8 * sized(src).size;
  const step = (crc: Expr): Expr => xor(shr_u(crc, i32(1)), and(sub(i32(0), and(crc, i32(1))), i32(0x82f6_3b78 | 0)));
  let crc: Expr = toI32(s.read(dst)), rest = data;
  for (let done = 0; done < bits; done += 32) {
    crc = s.let(xor(crc, toI32(rest)));
    const n = Math.min(32, bits - done);
    // Narrow data: only its own bits are consumed; what stays of the register moves down.
    for (let k = 0; k < n; k++) crc = s.let(step(crc));
    if (bits === 64) rest = shr_u(data, i64(32));
  }
  s.write(dst, sized(dst).size === 8 ? toI64u(crc) : crc);
};

/** String comparison in JavaScript. The second operand is read here: from memory, it need not be aligned. */
const strings = (helper: string): Semantic => (s, { ops: [, second] }) => {
  const b = source(s, second, true);
  s.setState(HELPER_OPERAND, "i64", w("i64x2.extract_lane", b, 0));
  s.setState(HELPER_OPERAND + 8, "i64", w("i64x2.extract_lane", b, 1));
  s.helper(helper);
};

// Immediate byte of string comparisons.
const WORDS = 0x01, SIGNED = 0x02, NEGATIVE = 0x10, MASKED = 0x20, MOST_SIGNIFICANT = 0x40;

/** PCMPISTRI: strings end at a zero, or with the register. */
const indexOfMatch: Semantic = (s, { ops: [first, second, immediate] }) => {
  const control = s.staticImm(immediate), b = source(s, second, true), a = s.xmm(first);
  const words = (control & WORDS) !== 0, shape = words ? "i16x8" : "i8x16", bits = words ? 16 : 8;
  const count = 128 / bits, full = i32((1 << count) - 1);
  const length = (x: Expr): Expr =>
    s.let(w("i32.ctz", or(w(`${shape}.bitmask`, w(`${shape}.eq`, x, v128(0n))), i32(1 << count))));
  const below = (n: Expr): Expr => s.let(sub(shl(i32(1), n), i32(1)));
  const aLength = length(a), bLength = length(b), inA = below(aLength), inB = below(bLength), sign = control & SIGNED ? "s" : "u";
  const matches = (): Expr => {
    switch ((control >> 2) & 3) {
      case 0:
        return and(call(`string_any_${bits}`, "i32", a, b, aLength, bLength), inB);
      case 1:
        return and(call(`string_ranges_${sign}${bits}`, "i32", a, b, aLength, bLength), inB);
      case 2: // Equal each: beyond both ends, too.
        return xor(and(or(w(`${shape}.bitmask`, w(`${shape}.ne`, a, b)), xor(inA, inB)), or(inA, inB)), full);
      default:
        return call(`string_ordered_${bits}`, "i32", a, b, aLength, bLength);
    }
  };
  const found = s.let(control & NEGATIVE ? xor(matches(), control & MASKED ? inB : full) : matches());
  const index = control & MOST_SIGNIFICANT ? sub(i32(31), w("i32.clz", found)) : w("i32.ctz", found);
  s.setReg(RCX, 4, s.let(select(found, index, i32(count))));
  const none = i32(0);
  s.setFlags({
    kind: "set",
    c: ne(found, none),
    z: lt_s(bLength, i32(count)),
    s: lt_s(aLength, i32(count)),
    o: and(found, i32(1)),
    a: none,
    p: none,
  });
};

export const COMPARES: Readonly<Record<string, Semantic>> = {
  ucomiss: compareScalar,
  ucomisd: compareScalar,
  comiss: compareScalar,
  comisd: compareScalar,
  ptest: test,
  pblendvb: blend("i8x16"),
  blendvps: blend("i32x4"),
  blendvpd: blend("i64x2"),
  crc32,
  pcmpestri: strings("string_index"),
  pcmpistri: indexOfMatch,
  pcmpestrm: strings("string_mask"),
  pcmpistrm: strings("string_mask"),
};
