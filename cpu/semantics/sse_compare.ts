/** Vector and scalar instructions that set flags or use implied operands: comparisons, tests, blends by XMM0, CRC32. */
import { HELPER_OPERAND } from "../layout.ts";
import type { Semantic } from "../sem.ts";
import { and, eqz, type Expr, i32, i64, or, shr_u, sub, toI32, toI64u, w, xor } from "../wasm/expr.ts";
import { testCarry, testZero } from "./lanes_integer.ts";
import { blendBySign } from "./lanes_shuffle.ts";
import { bindOf, scalar, sized, source } from "./vector.ts";

/** Unordered: Z = P = C = 1; greater: all 0; less: C; equal: Z. */
const compareScalar: Semantic = (s, { ops: [first, second] }) => {
  const b = scalar(s, sized(second)), a = scalar(s, sized(first)), f = a.type === "f32" ? "f32" : "f64";
  s.setFlags({
    kind: "set",
    compared: { a, b },
    z: eqz(or(w(`${f}.lt`, a, b), w(`${f}.gt`, a, b))),
    p: or(w(`${f}.ne`, a, a), w(`${f}.ne`, b, b)),
    c: eqz(w(`${f}.ge`, a, b)),
    o: i32(0),
    s: i32(0),
    a: i32(0),
  });
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
  pcmpistri: strings("string_index"),
  pcmpestrm: strings("string_mask"),
  pcmpistrm: strings("string_mask"),
};
