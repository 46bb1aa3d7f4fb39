/** Legacy (two-operand) semantics of the vector instructions, made from the lane functions. */
import type { Semantic } from "../sem.ts";
import { toI32, w } from "../wasm/expr.ts";
import type { Binary, BinaryImm, Unary, UnaryImm } from "./lanes.ts";
import { CONVERT_UNARY } from "./lanes_convert.ts";
import {
  CRYPTO_BINARY,
  CRYPTO_BINARY_IMM,
  CRYPTO_UNARY,
  CRYPTO_UNARY_IMM,
  sha1rnds4,
  sha256rnds2,
  SHA_BINARY,
} from "./lanes_crypto.ts";
import {
  DOT_BINARY_IMM,
  FLOAT_BINARY,
  FLOAT_BINARY_IMM,
  FLOAT_UNARY,
  LOW_BINARY,
  LOW_BINARY_IMM,
  SCALAR_BINARY,
  SCALAR_UNARY,
} from "./lanes_float.ts";
import { INTEGER_BINARY, INTEGER_UNARY, MMX_BINARY, type Shift, SHIFTS } from "./lanes_integer.ts";
import { palignrMmx, SHUFFLE_BINARY_IMM, SHUFFLE_UNARY_IMM } from "./lanes_shuffle.ts";
import { COMPARES } from "./sse_compare.ts";
import { CONVERSIONS } from "./sse_convert.ts";
import { MOVES } from "./sse_moves.ts";
import { bindOf, imm8, scalar, setScalar, setVector, sized, source } from "./vector.ts";

const twoOperands = (f: Binary, mmx: Binary = f): Semantic => (s, { ops: [dst, src] }) => {
  const b = source(s, src), a = source(s, dst);
  setVector(s, dst, (dst.kind === "mmx" ? mmx : f)(a, b, bindOf(s)));
};
const oneSource = (f: Unary): Semantic => (s, { ops: [dst, src] }) => setVector(s, dst, f(source(s, src), bindOf(s)));
const twoOperandsImm = (f: BinaryImm, mmx: BinaryImm = f): Semantic => (s, i) => {
  const [dst, src] = i.ops, b = source(s, src), a = source(s, dst);
  setVector(s, dst, (dst.kind === "mmx" ? mmx : f)(a, b, imm8(s, i), bindOf(s)));
};
/** Source is the operand before the immediate: the destination itself in the byte shifts. */
const oneSourceImm = (f: UnaryImm): Semantic => (s, i) =>
  setVector(s, i.ops[0], f(source(s, i.ops[i.ops.length - 2]), imm8(s, i), bindOf(s)));
const scalars = (f: Binary): Semantic => (s, { ops: [dst, src] }) => {
  const b = scalar(s, sized(src), true), a = scalar(s, sized(dst), true);
  setScalar(s, dst, f(a, b, bindOf(s)));
};
const oneScalar = (f: Unary): Semantic => (s, { ops: [dst, src] }) =>
  setScalar(s, dst, f(scalar(s, sized(src), true), bindOf(s)));
/** The count is an immediate byte, or the low 64 bits of a vector. */
const shift = (f: Shift): Semantic => (s, { ops: [dst, count] }) => {
  if (count.kind === "imm") return setVector(s, dst, f(source(s, dst), toI32(s.read(count)), bindOf(s)));
  const n = s.let(w("i64x2.extract_lane", source(s, count), 0));
  setVector(s, dst, f(source(s, dst), n, bindOf(s)));
};

/**
 * The SDM asks for aligned memory operands here, too, but AMD processors accept any address. So do we: no program relies on the fault.
 */
const shaOperands = (f: Binary): Semantic => (s, { ops: [dst, src] }) => {
  const b = source(s, src, true);
  s.setXmm(dst, f(s.xmm(dst), b, bindOf(s)));
};

function mapped<F>(table: Readonly<Record<string, F>>, make: (f: F, name: string) => Semantic): Record<string, Semantic> {
  return Object.fromEntries(Object.entries(table).map(([name, f]) => [name, make(f, name)]));
}

let table: Readonly<Record<string, Semantic>> | undefined;
/** By row name; made when the first is needed, which for most programs is never: their handlers are prebuilt. */
export const sseSemantics = (): Readonly<Record<string, Semantic>> =>
  table ??= {
    ...MOVES,
    ...COMPARES,
    ...CONVERSIONS,
    ...mapped<Binary>(INTEGER_BINARY, (f, name) => twoOperands(f, MMX_BINARY[name])),
    ...mapped<Binary>(FLOAT_BINARY, (f) => twoOperands(f)),
    ...mapped<Binary>(LOW_BINARY, (f) => twoOperands(f)),
    ...mapped<Unary>(INTEGER_UNARY, oneSource),
    ...mapped<Unary>(FLOAT_UNARY, oneSource),
    ...mapped<Unary>(CONVERT_UNARY, oneSource),
    ...mapped<Binary>(SCALAR_BINARY, scalars),
    ...mapped<Unary>(SCALAR_UNARY, oneScalar),
    ...mapped<BinaryImm>(SHUFFLE_BINARY_IMM, (f, name) => twoOperandsImm(f, name === "palignr" ? palignrMmx : f)),
    ...mapped<BinaryImm>(FLOAT_BINARY_IMM, (f) => twoOperandsImm(f)),
    ...mapped<BinaryImm>(LOW_BINARY_IMM, (f) => twoOperandsImm(f)),
    ...mapped<BinaryImm>(DOT_BINARY_IMM, (f) => twoOperandsImm(f)),
    ...mapped<UnaryImm>(SHUFFLE_UNARY_IMM, oneSourceImm),
    ...mapped<Shift>(SHIFTS, shift),
    ...mapped<Binary>(CRYPTO_BINARY, (f) => twoOperands(f)),
    ...mapped<Unary>(CRYPTO_UNARY, oneSource),
    ...mapped<UnaryImm>(CRYPTO_UNARY_IMM, oneSourceImm),
    ...mapped<BinaryImm>(CRYPTO_BINARY_IMM, (f) => twoOperandsImm(f)),
    ...mapped<Binary>(SHA_BINARY, (f) => shaOperands(f)),
    sha1rnds4: (s, i) => shaOperands((a, b, bind) => sha1rnds4(a, b, imm8(s, i), bind))(s, i),
    sha256rnds2: (s, { ops: [dst, src] }) => {
      const b = source(s, src, true);
      s.setXmm(dst, sha256rnds2(s.xmm(dst), b, s.xmmReg(0), bindOf(s)));
    },
  };
