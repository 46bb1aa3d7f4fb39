/** Random and edge cases for x87 instructions, and their execution by the helpers: what x87_native_test.ts compares with a processor. */
import type { Ram } from "../api.ts";
import type { Insn, Operand, OpRow } from "../insn.ts";
import { FLAG_A, FLAG_C, FLAG_O, FLAG_P, FLAG_S, FLAG_Z, GPR, STATE } from "../layout.ts";
import type { HelperContext } from "./api.ts";
import { Float80 } from "./float80.ts";
import { X87_HELPERS } from "./x87_helpers.ts";
import { fxrstorState, fxsaveState } from "./x87_state.ts";

/** Bytes of a record to and from testdata/x87_native.c. */
export const IN_BYTES = 664, OUT_BYTES = 656;
const MEMORY = 512, CODE = 640, FLAGS_IN = 656, FLAGS_OUT = 640, RAX_OUT = 648;

/** A seeded generator (xorshift32); `below(n)` is 0..n-1. */
export class Random {
  constructor(private state: number) {}
  next(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }
  below(n: number): number {
    return this.next() % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

/** [sign and exponent, high, low]. */
type Pattern = [number, number, number];
const EDGES: Pattern[] = [
  [0, 0, 0],
  [0, 0, 1],
  [0, 0x7fff_ffff, 0xffff_ffff],
  [0, 0x8000_0000, 0],
  [0, 0x4000_0000, 0],
  [1, 0x8000_0000, 0],
  [1, 0x8000_0000, 1],
  [0x3fff, 0x8000_0000, 0],
  [0x3ffe, 0x8000_0000, 0],
  [0x4000, 0x8000_0000, 0],
  [0x3fff, 0xffff_ffff, 0xffff_ffff],
  [0x403d, 0xffff_ffff, 0xffff_fffe],
  [0x403e, 0x8000_0000, 0],
  [0x403e, 0x8000_0000, 1],
  [0x401d, 0xffff_ffff, 0],
  [0x401e, 0x8000_0000, 0],
  [0x400d, 0xffff_0000, 0],
  [0x400e, 0x8000_0000, 0],
  [0x7ffe, 0xffff_ffff, 0xffff_ffff],
  [0x7ffe, 0x8000_0000, 0],
  [0x7fff, 0x8000_0000, 0],
  [0x7fff, 0xc000_0000, 0],
  [0x7fff, 0xc000_0000, 5],
  [0x7fff, 0xe000_0000, 0],
  [0x7fff, 0x8000_0000, 1],
  [0x7fff, 0xa000_0000, 0],
  [0x7fff, 0, 0],
  [0x7fff, 0x4000_0000, 1],
  [0x3fff, 0x4000_0000, 0],
  [0x3fff, 0, 0],
  [0x43fe, 0xffff_ffff, 0xffff_f800],
  [0x43fe, 0xffff_ffff, 0xffff_fc00],
  [0x3c01, 0x8000_0000, 0],
  [0x3c00, 0xffff_ffff, 0xffff_ffff],
  [0x3bcd, 0x8000_0000, 0],
  [0x407e, 0xffff_ff80, 0],
  [0x407e, 0xffff_ff00, 0],
  [0x3f81, 0x8000_0000, 0],
  [0x3f80, 0xffff_ffff, 0],
  [0x3f6a, 0x8000_0000, 0],
  [0x4000, 0xc90f_daa2, 0x2168_c235],
  [0x403a, 0xde0b_6b3a, 0x763f_ffff],
];
const EXPONENTS = [
  0x3fff,
  0x3fff,
  0x3fff,
  0x4010,
  0x3fe0,
  0x403e,
  0x3c01,
  0x43fe,
  0x3f81,
  0x407e,
  1,
  0x40,
  0x7ffe,
  0x7fc0,
  0x2000,
  0x6000,
];
const LOW_PATTERNS = [0, 0x400, 0x7ff, 0x800, 0xc00, 0x401, 0x3ff, 0xffff_ffff, 1];

function pattern(r: Random): Pattern {
  const sign = r.below(2) << 15;
  if (r.below(4) === 0) {
    const [se, hi, lo] = r.pick(EDGES);
    return [se | sign, hi, lo];
  }
  const e = Math.min(Math.max(r.pick(EXPONENTS) + r.below(140) - 70, 1), 0x7ffe);
  const near = r.below(3) === 0 ? 0x3ff8 + r.below(16) : e;
  const kind = r.below(6);
  if (kind === 0) return [near | sign, (r.next() | 0x8000_0000) & (-1 << r.below(31)), 0];
  if (kind === 1) return [near | sign, r.next() | 0x8000_0000, (r.next() & ~0xfff) | r.pick(LOW_PATTERNS)];
  if (kind === 2) {
    return [near | sign, ((r.next() & ~0x1ff) | r.pick([0x80, 0x81, 0x7f, 0x180, 0xff])) | 0x8000_0000, r.pick([0, 0, 1])];
  }
  if (kind === 3 && r.below(4) === 0) return [sign, r.next() >>> (1 + r.below(31)), r.next()];
  return [near | sign, r.next() | 0x8000_0000, r.next()];
}

/** Machine code of a row with its x87 operand; a memory operand is [rdx]. */
function encode(row: OpRow, n: number): number[] {
  const parts = row.enc.split(" ");
  const first = parseInt(parts[0], 16);
  if (parts.length === 1) return [first];
  if (!parts[1].startsWith("/")) return [first, parseInt(parts[1], 16)];
  const reg = Number(parts[1].slice(1)) << 3;
  return [first, row.args.startsWith("M") ? reg | 2 : 0xc0 | reg | n];
}

const MEMORY_SIZES: Record<string, number> = { Mw: 2, Md: 4, Mq: 8, Mt: 10, M: 0 };
function operands(row: OpRow, n: number): Operand[] {
  return row.args.split(",").filter((a) => a !== "").map((arg): Operand => {
    if (arg === "ST0") return { kind: "st", n: 0 };
    if (arg === "STi") return { kind: "st", n };
    if (arg === "AX") return { kind: "reg", n: 0, size: 2, high: false };
    return {
      kind: "mem",
      size: MEMORY_SIZES[arg],
      base: 2,
      index: -1,
      scale: 0,
      disp: 0n,
      ripRelative: false,
      seg: undefined,
      addressSize: 8,
    };
  });
}

export interface Case {
  row: OpRow;
  insn: Insn;
  /** The record for the native harness. */
  input: Uint8Array;
}

/** Bytes that are interesting as an operand in memory of this size. */
function memoryOperand(r: Random, out: DataView, args: string): void {
  for (let n = 0; n < 128; n += 4) out.setUint32(n, r.next(), true);
  const kind = r.below(4), sign = r.below(2);
  if (args === "Mt") {
    const [se, hi, lo] = pattern(r);
    if (kind !== 0) {
      out.setUint32(0, lo, true);
      out.setUint32(4, hi, true);
      out.setUint16(8, se, true);
    } else for (let n = 0; n < 9; n++) out.setUint8(n, r.below(10) * 16 + r.below(10));
  } else if (kind === 0) {
    const special = r.pick([0, 1, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000]);
    out.setUint32(0, special, true);
    out.setUint32(4, r.pick([0, special, 0x8000_0000, 0x7ff0_0000, 0x7ff8_0000, 0x7ff4_0000, 0xffff_ffff, 0x000f_ffff]), true);
  } else if (kind === 1 && args === "Md") {
    const e = r.pick([0, 0, 0xff, 0xff, 1, 0xfe, 0x7f]);
    out.setUint32(0, ((sign << 31) | (e << 23) | r.pick([0, 1, 0x40_0000, 0x7f_ffff, 0x20_0000])) >>> 0, true);
  } else if (kind === 1) {
    const e = r.pick([0, 0, 0x7ff, 0x7ff, 1, 0x7fe, 0x3ff]);
    out.setUint32(4, ((sign << 31) | (e << 20) | r.pick([0, 1, 0x8_0000, 0xf_ffff])) >>> 0, true);
  }
}

/** `unmask`: some exceptions may be unmasked. */
export function makeCase(r: Random, row: OpRow, unmask: boolean): Case {
  const input = new Uint8Array(IN_BYTES), view = new DataView(input.buffer);
  const masks = unmask ? r.next() & 0x3f : 0x3f;
  const cw = masks | 0x40 | (r.below(2) === 0 ? 0x300 : r.pick([0, 0x100, 0x200, 0x300]) | (r.below(4) << 10));
  view.setUint16(0, cw, true);
  const pending = r.below(3) === 0 ? r.next() & 0x7f & (masks | 0x40) : 0;
  view.setUint16(2, (r.next() & 0x7f00) | pending, true);
  view.setUint8(4, r.below(6) === 0 ? r.next() & 0xff : 0xff);
  // Pushing instructions need room.
  if (r.below(8) !== 0) {
    const top = (view.getUint16(2, true) >> 11) & 7;
    view.setUint8(4, view.getUint8(4) & ~(1 << ((top + 7) & 7)));
  }
  view.setUint32(24, 0x1f80, true);
  for (let n = 0; n < 8; n++) {
    const [se, hi, lo] = pattern(r);
    view.setUint32(32 + 16 * n, lo, true);
    view.setUint32(36 + 16 * n, hi, true);
    view.setUint16(40 + 16 * n, se, true);
    // Related operands: equal significands or close exponents cancel.
    if (n === 1 && r.below(4) === 0) {
      input.copyWithin(48, 32, 42);
      if (r.below(2) === 0) input[48] ^= 1 << r.below(8);
      if (r.below(2) === 0) input[57] ^= 0x80;
    }
  }
  memoryOperand(r, new DataView(input.buffer, MEMORY, 128), row.args);
  const n = r.below(8) === 0 ? r.below(8) : 1, code = encode(row, n);
  input.fill(0x90, CODE, CODE + 16);
  input.set(code, CODE);
  view.setUint32(FLAGS_IN, 0x202 | (r.next() & 0x8d5), true);
  const insn: Insn = {
    pc: PC,
    length: code.length,
    row,
    name: row.name,
    size: 4,
    cc: 0,
    ops: operands(row, n),
    rep: undefined,
    lock: false,
    addressSize: 8,
    seg: undefined,
    rex: 0,
  };
  return { row, insn, input };
}

const PC = 0x9800, OPERAND = 0x9000;

/** A context over a small flat memory without address translation; `raised` is the last exception. */
export class FlatContext implements HelperContext {
  readonly level = "v3";
  readonly ram: Ram;
  readonly float80 = new Float80();
  readonly hooks = {
    tsc: () => 0,
    portAllowed: () => false,
    portIn: () => 0,
    portOut: () => {},
    random: () => {},
  };
  constructor() {
    const memory = new WebAssembly.Memory({ initial: 1 });
    // The memory is not shared.
    const b = memory.buffer as ArrayBuffer;
    this.ram = {
      memory,
      size: b.byteLength,
      u8: new Uint8Array(b),
      u16: new Uint16Array(b),
      u32: new Uint32Array(b),
      i32: new Int32Array(b),
      view: new DataView(b),
    };
  }
  address = () => OPERAND;
  translate = (va: number) => va;
  run = (_va: number, limit: number) => limit;
  contiguous = (va: number) => va;
  readAt = (va: number) => va;
  load8 = (va: number) => this.ram.u8[va];
  load16 = (va: number) => this.ram.view.getUint16(va, true);
  load32 = (va: number) => this.ram.view.getUint32(va, true);
  loadBytes = (va: number, into: Uint8Array) => into.set(this.ram.u8.subarray(va, va + into.length));
  storeBytes = (va: number, from: Uint8Array) => this.ram.u8.set(from, va);
  checkWrite = () => {};
  codeWritten = () => {};
  raise(vector: number): never {
    throw new Error(`exception ${vector}`);
  }
  repeat = () => {};
  getFlags = () => 0;
  setFlags = () => {};
}

/** Runs a case by the helper; the result has the form of the native harness's record. */
export function runCase(c: FlatContext, { row, insn, input }: Case): Uint8Array {
  const { u8, view, i32 } = c.ram, scratch = 0xa000, output = new Uint8Array(OUT_BYTES), out = new DataView(output.buffer);
  u8.set(input.subarray(0, 512), scratch);
  fxrstorState(c.ram, STATE, scratch);
  u8.set(input.subarray(MEMORY, MEMORY + 128), OPERAND);
  u8.set(input.subarray(CODE, CODE + 16), PC);
  const flags = new DataView(input.buffer).getUint32(FLAGS_IN, true);
  u8.fill(0, STATE + GPR, STATE + GPR + 8);
  setFlag(view, FLAG_C, flags & 1);
  setFlag(view, FLAG_P, flags & 4 ? 0 : 1);
  setFlag(view, FLAG_A, flags >> 4 & 1);
  setFlag(view, FLAG_O, flags >> 11 & 1);
  setFlag(view, FLAG_Z, flags & 0x40 ? 0 : 1, 0);
  setFlag(view, FLAG_S, flags & 0x80 ? -1 : 0, flags & 0x80 ? -1 : 0);
  X87_HELPERS[row.name](c, insn);
  u8.fill(0, scratch, scratch + 512);
  fxsaveState(c.ram, STATE, scratch);
  output.set(u8.subarray(scratch, scratch + 512));
  output.set(u8.subarray(OPERAND, OPERAND + 128), MEMORY);
  const at = (offset: number) => i32[(STATE + offset) >> 2];
  const b = at(FLAG_P) & 0xff, parity = [...b.toString(2)].filter((d) => d === "1").length % 2 === 0;
  const z = (at(FLAG_Z) | at(FLAG_Z + 4)) === 0;
  out.setUint32(
    FLAGS_OUT,
    0x202 | at(FLAG_C) | (parity ? 4 : 0) | (at(FLAG_A) << 4) | (z ? 0x40 : 0) | (at(FLAG_S + 4) < 0 ? 0x80 : 0) |
      (at(FLAG_O) << 11),
    true,
  );
  output.set(u8.subarray(STATE + GPR, STATE + GPR + 8), RAX_OUT);
  return output;
}

function setFlag(view: DataView, offset: number, low: number, high?: number): void {
  view.setInt32(STATE + offset, low, true);
  if (high !== undefined) view.setInt32(STATE + offset + 4, high, true);
}

/** Blanks what legitimately differs: MXCSR mask and addresses (instruction and data pointer). */
export function comparable(record: Uint8Array): Uint8Array {
  const copy = record.slice();
  copy.fill(0, 8, 24);
  copy.fill(0, 28, 32);
  copy.fill(0, 416, 512);
  return copy;
}
