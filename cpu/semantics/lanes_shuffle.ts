/** Shuffles, blends, insertions and extractions by an immediate. */
import { type Expr, i32, w } from "../wasm/expr.ts";
import { type BinaryImm, repeat, shuffle, shuffle8, type UnaryImm, ZERO } from "./lanes.ts";

/** Two-bit field k of an immediate. */
const field = (imm: number, k: number): number => (imm >> (2 * k)) & 3;
const bit = (imm: number, k: number): number => (imm >> k) & 1;
const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

/** Bytes `imm` .. `imm` + 15 of the 32-byte value a:b; zeros follow. */
const palignr: BinaryImm = (a, b, imm) => {
  if (imm >= 32) return ZERO;
  return imm < 16
    ? shuffle8(b, a, range(16).map((k) => imm + k))
    : shuffle8(a, ZERO, range(16).map((k) => Math.min(imm - 16 + k, 16)));
};

/**
 * Sums of four absolute differences: the eight windows of a (start: bit 2 of the immediate, in units of four bytes) against one block of b
 * (bits 0 and 1).
 */
const mpsadbw: BinaryImm = (a, b, imm, bind) => {
  const from = 4 * bit(imm, 2), block = 4 * (imm & 3);
  const term = (k: number): Expr => {
    const x = bind(shuffle8(a, ZERO, range(16).map((n) => n & 1 ? 16 : from + k + (n >> 1))));
    const y = shuffle8(b, ZERO, range(16).map((n) => n & 1 ? 16 : block + k));
    return w("i16x8.abs", w("i16x8.sub", x, y));
  };
  return [1, 2, 3].reduce((sum, k) => w("i16x8.add", sum, term(k)), term(0));
};

const blend = (size: number): BinaryImm => (a, b, imm) =>
  shuffle(size, a, b, range(16 / size).map((k) => bit(imm, k) ? 16 / size + k : k));

export const SHUFFLE_BINARY_IMM = {
  shufps: (a, b, imm) => shuffle(4, a, b, [field(imm, 0), field(imm, 1), 4 + field(imm, 2), 4 + field(imm, 3)]),
  shufpd: (a, b, imm) => shuffle(8, a, b, [bit(imm, 0), 2 + bit(imm, 1)]),
  palignr,
  blendps: blend(4),
  blendpd: blend(8),
  pblendw: blend(2),
  mpsadbw,
} satisfies Record<string, BinaryImm>;

export const SHUFFLE_UNARY_IMM = {
  pshufd: (a, imm) => shuffle(4, a, a, range(4).map((k) => field(imm, k))),
  pshuflw: (a, imm) => shuffle(2, a, a, [...range(4).map((k) => field(imm, k)), 4, 5, 6, 7]),
  pshufhw: (a, imm) => shuffle(2, a, a, [0, 1, 2, 3, ...range(4).map((k) => 4 + field(imm, k))]),
  // MMX; the upper half does not count.
  pshufw: (a, imm) => shuffle(2, a, a, [...range(4).map((k) => field(imm, k)), 4, 5, 6, 7]),
  pslldq: (a, imm) => shuffle8(a, ZERO, range(16).map((k) => k < imm ? 16 : k - imm)),
  psrldq: (a, imm) => shuffle8(a, ZERO, range(16).map((k) => Math.min(k + imm, 16))),
} satisfies Record<string, UnaryImm>;

/** MMX form of palignr: b in the low and a in the high half of one vector, shifted right. */
export const palignrMmx: BinaryImm = (a, b, imm, bind) => SHUFFLE_UNARY_IMM.psrldq(bind(shuffle(8, b, a, [0, 2])), imm);

/** INSERTPS with `value` (f32) already chosen: bits 5..4 say where it goes, bits 3..0 clear lanes. */
export function insertps(a: Expr, value: Expr, imm: number): Expr {
  const inserted = w("f32x4.replace_lane", a, value, field(imm, 2));
  const zeroed = imm & 15;
  return zeroed === 0 ? inserted : shuffle(4, inserted, ZERO, range(4).map((k) => bit(zeroed, k) ? 4 : k));
}

/** Blends by the sign bits of a mask: lanes of b where the mask is negative. */
export const blendBySign = (shape: "i8x16" | "i32x4" | "i64x2", a: Expr, b: Expr, mask: Expr): Expr =>
  w("v128.bitselect", b, a, shape === "i8x16" ? w("i8x16.lt_s", mask, repeat(0n, 8)) : w(`${shape}.shr_s`, mask, i32(63)));
