/** Vector instructions in JavaScript: string comparison (Intel SDM vol. 2, 4.1) and masked stores. */
import { AF, CF, GPR, HELPER_OPERAND, OF, PF, SF, ST, STATE, XMM, YMM_HIGH, ZF } from "../layout.ts";
import type { Insn, Operand } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { low, pointer, RAX, RCX, RDI, RDX, segmentBase } from "./registers.ts";

/** Immediate byte. */
const WORDS = 0x01; // elements are words, else bytes
const SIGNED = 0x02;
const AGGREGATION_SHIFT = 2; // bits 3..2: equal any, ranges, equal each, equal ordered
const NEGATIVE = 0x10;
const MASKED = 0x20; // negation only where the second string has elements
const MOST_SIGNIFICANT = 0x40; // index of the last set bit; or a mask of whole elements

/** Where the register of an operand lies in the state block. */
function registerAt(op: Operand): number {
  if (op.kind === "xmm") return STATE + XMM + 16 * op.n;
  if (op.kind === "mmx") return STATE + ST + 16 * op.n;
  throw new Error(`No vector register: ${op.kind}`);
}

/** Absolute value of RAX or RDX (EAX, EDX without REX.W), at most `limit`. */
function explicitLength(c: HelperContext, register: number, wide: boolean, limit: number): number {
  const at = (STATE + GPR + 8 * register) >> 2, lo = c.ram.i32[at], hi = wide ? c.ram.i32[at + 1] : lo >> 31;
  return Math.min(Math.abs(hi * 0x1_0000_0000 + (lo >>> 0)), limit);
}

interface Text {
  /** At least `count` elements, of the current comparison. */
  readonly elements: Int32Array;
  length: number;
}
// These instructions stand in inner loops of string functions: nothing is allocated for one of them.
const FIRST: Text = { elements: new Int32Array(16), length: 0 }, SECOND: Text = { elements: new Int32Array(16), length: 0 };

/** Takes the elements of the vector at `at` and their number: `explicit`, or up to the first zero when that is negative. */
function read(text: Text, c: HelperContext, at: number, control: number, count: number, explicit: number): void {
  const { u8 } = c.ram, { elements } = text;
  for (let n = 0; n < count; n++) {
    const value = control & WORDS ? u8[at + 2 * n] | u8[at + 2 * n + 1] << 8 : u8[at + n];
    elements[n] = !(control & SIGNED) ? value : control & WORDS ? value << 16 >> 16 : value << 24 >> 24;
  }
  let length = explicit;
  if (length < 0) { for (length = 0; length < count && elements[length] !== 0;) length++; }
  text.length = length;
}

/** IntRes1, before polarity: is bit j of the result set? `a` is the first operand (set, ranges or needle), `b` the text. */
type Aggregation = (a: Text, b: Text, j: number, count: number) => boolean;
const AGGREGATIONS: readonly Aggregation[] = [
  function equalAny(a, b, j) {
    if (j >= b.length) return false;
    for (let i = 0; i < a.length; i++) if (a.elements[i] === b.elements[j]) return true;
    return false;
  },
  function ranges(a, b, j) {
    if (j >= b.length) return false;
    for (let i = 0; i + 1 < a.length; i += 2) {
      if (a.elements[i] <= b.elements[j] && b.elements[j] <= a.elements[i + 1]) return true;
    }
    return false;
  },
  function equalEach(a, b, j) {
    return j < a.length && j < b.length ? a.elements[j] === b.elements[j] : j >= a.length && j >= b.length;
  },
  function equalOrdered(a, b, j, count) {
    for (let i = 0; i < a.length && i + j < count; i++) {
      if (i + j >= b.length || a.elements[i] !== b.elements[i + j]) return false;
    }
    return true;
  },
];

function compare(c: HelperContext, i: Insn): { bits: number; count: number; control: number } {
  const [first, , immediate] = i.ops;
  const control = immediate.kind === "imm" ? Number(immediate.value & 0xffn) : 0;
  const count = control & WORDS ? 8 : 16, explicit = i.name.includes("pcmpestr"), wide = (i.rex & 8) !== 0;
  const length = (register: number): number => explicit ? explicitLength(c, register, wide, count) : -1;
  read(FIRST, c, registerAt(first), control, count, length(RAX));
  read(SECOND, c, STATE + HELPER_OPERAND, control, count, length(RDX));
  const a = FIRST, b = SECOND, matches = AGGREGATIONS[(control >> AGGREGATION_SHIFT) & 3];
  let bits = 0;
  for (let j = 0; j < count; j++) if (matches(a, b, j, count)) bits |= 1 << j;
  if (control & NEGATIVE) bits ^= control & MASKED ? (1 << b.length) - 1 : (1 << count) - 1;
  const flags = c.getFlags() & ~(CF | PF | AF | ZF | SF | OF);
  c.setFlags(
    flags | (bits ? CF : 0) | (b.length < count ? ZF : 0) | (a.length < count ? SF : 0) | (bits & 1 ? OF : 0),
  );
  return { bits, count, control };
}

/** Index of the first (or last) set bit to ECX, the number of elements when there is none. */
function index(c: HelperContext, i: Insn): void {
  const { bits, count, control } = compare(c, i), at = (STATE + GPR + 8 * RCX) >> 2;
  const found = control & MOST_SIGNIFICANT ? 31 - Math.clz32(bits) : 31 - Math.clz32(bits & -bits);
  c.ram.i32[at] = bits ? found : count;
  c.ram.i32[at + 1] = 0;
}

/** The result as bits, or as whole elements, to XMM0. */
function mask(c: HelperContext, i: Insn): void {
  const { bits, count, control } = compare(c, i), at = STATE + XMM, size = 16 / count;
  for (let k = 0; k < 16; k++) {
    const byte = control & MOST_SIGNIFICANT ? ((bits >> Math.floor(k / size)) & 1 ? 0xff : 0) : k < 2 ? bits >> (8 * k) : 0;
    c.ram.u8[at + k] = byte;
  }
  if (i.name.startsWith("v")) c.ram.u8.fill(0, STATE + YMM_HIGH, STATE + YMM_HIGH + 16);
}

/** MASKMOVQ, MASKMOVDQU: stores the bytes whose mask is negative at rDI, all or none of them; the others are not accessed. */
function maskedStore(c: HelperContext, i: Insn): void {
  const [data, mask] = i.ops, bytes = data.kind === "mmx" ? 8 : 16, from = registerAt(data), masks = registerAt(mask);
  const start = (i.addressSize === 4 ? low(c.ram, RDI) : pointer(c.ram, RDI)) + segmentBase(c.ram, i.seg);
  const selected = Array.from({ length: bytes }, (_, k) => k).filter((k) => c.ram.u8[masks + k] & 0x80);
  for (const k of selected) c.translate(start + k, 1, true);
  for (const k of selected) c.storeBytes(start + k, c.ram.u8.subarray(from + k, from + k + 1));
}

export const SSE_HELPERS: Readonly<Record<string, Helper>> = {
  string_index: index,
  string_mask: mask,
  masked_store: maskedStore,
};
