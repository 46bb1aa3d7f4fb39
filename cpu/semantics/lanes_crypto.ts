/** AES, carry-less multiplication and SHA as lane functions. Sources: FIPS 197, FIPS 180-4, Intel SDM vol. 2. */
import { add, and, type Expr, i32, i64, mul, or, rotl, shl, shr_u, v128, w, xor } from "../wasm/expr.ts";
import { type Binary, type BinaryImm, type Bind, repeat, shuffle, shuffle8, type Unary, type UnaryImm, ZERO } from "./lanes.ts";

// ---- AES: byte 4c + r of the vector is row r, column c of the state -----------------------------------------------------------------

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2). */
function gfMul(a: number, b: number): number {
  let product = 0;
  for (; b; b >>= 1, a = (a << 1) ^ (a & 0x80 ? 0x11b : 0)) if (b & 1) product ^= a;
  return product;
}
/** Inverse (0 for 0), then the affine map (FIPS 197, 5.1.1). */
function sBox(x: number): number {
  let inverse = 1;
  for (let k = 0; k < 254; k++) inverse = gfMul(inverse, x);
  const rotate = (n: number) => ((inverse << n) | (inverse >> (8 - n))) & 0xff;
  return inverse ^ rotate(1) ^ rotate(2) ^ rotate(3) ^ rotate(4) ^ 0x63;
}
/** Built on first use: most programs have no AES, and computing them would be felt at every start. */
let forward: readonly number[] | undefined;
const forwardBox = (): readonly number[] => forward ??= Array.from({ length: 256 }, (_, x) => sBox(x));
const inverseBox = (): readonly number[] => forwardBox().reduce<number[]>((table, y, x) => (table[y] = x, table), []);

const bytes = (values: readonly number[]): Expr => v128(values.reduce((all, b, k) => all | (BigInt(b) << BigInt(8 * k)), 0n));
/** Substitutes every byte: a swizzle gives zero for indices that are not in its sixteen entries. */
function substitute(x: Expr, table: readonly number[]): Expr {
  const part = (k: number) =>
    w("i8x16.swizzle", bytes(table.slice(16 * k, 16 * k + 16)), k === 0 ? x : w("i8x16.sub", x, repeat(BigInt(16 * k), 8)));
  return Array.from({ length: 15 }, (_, k) => k + 1).reduce((all, k) => w("v128.or", all, part(k)), part(0));
}
const stateBytes = (from: (row: number, column: number) => number): number[] =>
  Array.from({ length: 16 }, (_, k) => from(k & 3, k >> 2));
/** Row r moves r columns to the left (or back). */
const SHIFT_ROWS = stateBytes((r, c) => r + 4 * ((c + r) & 3));
const INVERSE_SHIFT_ROWS = stateBytes((r, c) => r + 4 * ((c - r) & 3));
const rotateColumns = (x: Expr, by: number): Expr => shuffle8(x, x, stateBytes((r, c) => ((r + by) & 3) + 4 * c));
/** Times x in GF(2^8), every byte. */
const timesTwo = (x: Expr): Expr =>
  w("v128.xor", w("i8x16.add", x, x), w("v128.and", w("i8x16.lt_s", x, ZERO), repeat(0x1bn, 8)));
const xor128 = (first: Expr, ...rest: Expr[]): Expr => rest.reduce((all, x) => w("v128.xor", all, x), first);

/** FIPS 197, 5.1.3: 2*a0 + 3*a1 + a2 + a3 = 2*(a0 + a1) + a1 + a2 + a3. */
const mixColumns = (x: Expr, bind: Bind): Expr => {
  const next = bind(rotateColumns(x, 1)), pair = bind(xor128(x, next));
  return xor128(timesTwo(pair), next, rotateColumns(pair, 2));
};
/** The inverse is the forward map after adding 4*(a0 + a2) and 4*(a1 + a3) to the rows. */
const inverseMixColumns = (x: Expr, bind: Bind): Expr => {
  const sum = bind(xor128(x, rotateColumns(x, 2))), twice = bind(timesTwo(sum));
  return mixColumns(bind(xor128(x, timesTwo(twice))), bind);
};
const encrypted = (a: Expr, bind: Bind): Expr => bind(substitute(bind(shuffle8(a, a, SHIFT_ROWS)), forwardBox()));
const decrypted = (a: Expr, bind: Bind): Expr => bind(substitute(bind(shuffle8(a, a, INVERSE_SHIFT_ROWS)), inverseBox()));

const aeskeygenassist: UnaryImm = (a, imm, bind) => {
  const words = bind(substitute(a, forwardBox()));
  // SubWord(X1), RotWord of it, SubWord(X3), RotWord of it.
  const rotated = shuffle8(words, words, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  return xor128(rotated, v128((BigInt(imm) << 32n) | (BigInt(imm) << 96n)));
};

// ---- carry-less multiplication -----------------------------------------------------------------------------------------------------

/** Reverses the bits of an i64. */
function reverseBits(x: Expr, bind: Bind): Expr {
  let r = x;
  for (
    const [n, mask] of [
      [1, 0x5555_5555_5555_5555n],
      [2, 0x3333_3333_3333_3333n],
      [4, 0x0f0f_0f0f_0f0f_0f0fn],
      [8, 0x00ff_00ff_00ff_00ffn],
      [16, 0x0000_ffff_0000_ffffn],
    ] as const
  ) r = bind(or(and(shr_u(r, i64(n)), i64(mask)), shl(and(r, i64(mask)), i64(n))));
  return rotl(r, i64(32));
}
/**
 * Low 64 bits of the carry-less product. Integer multiplication of operands with only every fourth bit set leaves three bits for carries,
 * which is enough below bit 64; sixteen such products make up the whole.
 */
function carrylessLow(x: Expr, y: Expr, bind: Bind): Expr {
  const masks = [0, 1, 2, 3].map((k) => i64(0x1111_1111_1111_1111n << BigInt(k)));
  const xs = masks.map((m) => bind(and(x, m))), ys = masks.map((m) => bind(and(y, m)));
  return masks.map((m, k) => {
    const terms = [0, 1, 2, 3].map((n) => mul(xs[n], ys[(k - n) & 3]));
    return and(terms.reduce((sum, t) => xor(sum, t)), m);
  }).reduce((all, part) => or(all, part));
}
const pclmulqdq: BinaryImm = (a, b, imm, bind) => {
  const x = bind(w("i64x2.extract_lane", a, imm & 1)), y = bind(w("i64x2.extract_lane", b, (imm >> 4) & 1));
  // The high half is the low half of the mirrored product, which has 127 bits.
  const mirrored = carrylessLow(bind(reverseBits(x, bind)), bind(reverseBits(y, bind)), bind);
  const high = shr_u(reverseBits(bind(mirrored), bind), i64(1));
  return w("i64x2.replace_lane", w("i64x2.splat", carrylessLow(x, y, bind)), high, 1);
};

// ---- SHA ---------------------------------------------------------------------------------------------------------------------------

const lane = (x: Expr, k: number): Expr => w("i32x4.extract_lane", x, k);
/** Vector of four i32, lane 0 first. */
const vector = (...lanes: Expr[]): Expr =>
  lanes.reduce((v, x, k) => k === 0 ? w("i32x4.splat", x) : w("i32x4.replace_lane", v, x, k), ZERO);
const rotateRight = (x: Expr, n: number): Expr => rotl(x, i32(32 - n));
const rotateLeft4 = (x: Expr, n: number): Expr => w("v128.or", w("i32x4.shl", x, i32(n)), w("i32x4.shr_u", x, i32(32 - n)));
const choice = (x: Expr, y: Expr, z: Expr): Expr => xor(and(x, xor(y, z)), z);
const majority = (x: Expr, y: Expr, z: Expr): Expr => or(and(x, y), and(z, or(x, y)));
const parity = (x: Expr, y: Expr, z: Expr): Expr => xor(xor(x, y), z);

/** FIPS 180-4, 4.2.1; the function and constant of each block of twenty rounds. */
const SHA1_ROUNDS = [
  { f: choice, k: 0x5a82_7999 },
  { f: parity, k: 0x6ed9_eba1 },
  { f: majority, k: 0x8f1b_bcdc },
  { f: parity, k: 0xca62_c1d6 },
] as const;
/** a: A (lane 3) .. D (lane 0); b: four message words, E already added to the first (lane 3). */
export const sha1rnds4: BinaryImm = (state, message, imm, bind) => {
  const { f, k } = SHA1_ROUNDS[imm & 3];
  let [a, b, c, d] = [3, 2, 1, 0].map((n) => bind(lane(state, n)));
  let e: Expr = i32(0);
  for (let round = 0; round < 4; round++) {
    const sum = add(add(f(b, c, d), rotl(a, i32(5))), add(add(lane(message, 3 - round), e), i32(k | 0)));
    [a, b, c, d, e] = [bind(sum), a, bind(rotl(b, i32(30))), c, d];
  }
  return vector(d, c, b, a);
};
const sha1nexte: Binary = (a, b) => w("i32x4.add", b, w("v128.and", rotateLeft4(a, 30), v128(0xffff_ffffn << 96n)));
const sha1msg1: Binary = (a, b) => w("v128.xor", a, shuffle(4, a, b, [6, 7, 0, 1]));
const sha1msg2: Binary = (a, b, bind) => {
  const mixed = bind(w("v128.xor", a, shuffle(4, ZERO, b, [0, 4, 5, 6])));
  const upper = bind(rotateLeft4(mixed, 1));
  // The lowest word also depends on the highest result.
  return w("i32x4.replace_lane", upper, rotl(xor(lane(mixed, 0), lane(upper, 3)), i32(1)), 0);
};

const bigSigma0 = (x: Expr): Expr => parity(rotateRight(x, 2), rotateRight(x, 13), rotateRight(x, 22));
const bigSigma1 = (x: Expr): Expr => parity(rotateRight(x, 6), rotateRight(x, 11), rotateRight(x, 25));
const smallSigma0 = (x: Expr): Expr => xor128(rotateLeft4(x, 25), rotateLeft4(x, 14), w("i32x4.shr_u", x, i32(3)));
const smallSigma1 = (x: Expr): Expr => xor128(rotateLeft4(x, 15), rotateLeft4(x, 13), w("i32x4.shr_u", x, i32(10)));

/** Two rounds; first: C D G H (lanes 3..0), second: A B E F, wk: message words plus constants in lanes 0 and 1. */
export function sha256rnds2(first: Expr, second: Expr, wk: Expr, bind: Bind): Expr {
  const at = (v: Expr, ...lanes: number[]) => lanes.map((n) => bind(lane(v, n)));
  let [c, d, g, h] = at(first, 3, 2, 1, 0), [a, b, e, f] = at(second, 3, 2, 1, 0);
  for (let round = 0; round < 2; round++) {
    const t1 = bind(add(add(h, bigSigma1(e)), add(choice(e, f, g), lane(wk, round))));
    const t2 = add(bigSigma0(a), majority(a, b, c));
    [a, b, c, d, e, f, g, h] = [bind(add(t1, t2)), a, b, c, bind(add(d, t1)), e, f, g];
  }
  return vector(f, e, b, a);
}
const sha256msg1: Binary = (a, b, bind) => w("i32x4.add", a, smallSigma0(bind(shuffle(4, a, b, [1, 2, 3, 4]))));
const sha256msg2: Binary = (a, b, bind) => {
  const low = bind(w("i32x4.add", a, w("v128.and", smallSigma1(bind(shuffle(4, b, b, [2, 3, 2, 3]))), v128((1n << 64n) - 1n))));
  const next = smallSigma1(bind(shuffle(4, low, low, [0, 1, 0, 1])));
  return w("i32x4.add", low, w("v128.and", next, v128(((1n << 64n) - 1n) << 64n)));
};

export const CRYPTO_BINARY = {
  aesenc: (a, key, bind) => xor128(mixColumns(encrypted(a, bind), bind), key),
  aesenclast: (a, key, bind) => xor128(encrypted(a, bind), key),
  aesdec: (a, key, bind) => xor128(inverseMixColumns(decrypted(a, bind), bind), key),
  aesdeclast: (a, key, bind) => xor128(decrypted(a, bind), key),
} satisfies Record<string, Binary>;
export const SHA_BINARY = { sha1nexte, sha1msg1, sha1msg2, sha256msg1, sha256msg2 } satisfies Record<string, Binary>;
export const CRYPTO_UNARY = { aesimc: inverseMixColumns } satisfies Record<string, Unary>;
export const CRYPTO_UNARY_IMM = { aeskeygenassist } satisfies Record<string, UnaryImm>;
export const CRYPTO_BINARY_IMM = { pclmulqdq } satisfies Record<string, BinaryImm>;
