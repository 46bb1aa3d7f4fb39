/**
 * The instruction decoder (Intel SDM vol. 2, chapter 2), driven by the opcode table.
 *
 * Segment overrides other than FS and GS mean nothing in 64-bit mode. Of several F2/F3 prefixes the last counts, as mandatory prefix they
 * win over 66. REX counts only directly before the opcode. What the table does not list raises #UD.
 */
import { big, Cursor, readOpcode, REX_B, REX_R, REX_W, REX_X, TWO32 } from "./decode_cursor.ts";
import { Have } from "./decode_encoding.ts";
import { skipImmediate, skipUndefined } from "./decode_undefined.ts";
import { Op, Size, SizeRule } from "./decode_rows.ts";
import { type Candidate, type OpcodeNode, OpcodeTable, type OpSpec } from "./decode_rows.ts";
import type { Insn, InvalidInsn, MemOperand, Operand, OpRow } from "./insn.ts";
import { type CpuLevel, rowsOf } from "./level.ts";
import { ROWS } from "./opcodes/mod.ts";

/** Longest instruction (SDM vol. 2, 2.3.11). */
export const MAX_INSN_BYTES = 15;

export interface Decoder {
  /**
   * Decodes the instruction at bytes[offset..offset+available), which the processor sees at address `pc`.
   * `invalid: "more"` means that the byte at pc + length (length == available) is needed: fetch it, or raise the page fault there.
   */
  decode(bytes: Uint8Array, offset: number, available: number, pc: number): Insn | InvalidInsn;
}

function conditions(c: Cursor): number {
  let have: number = c.rep === 0xf2 ? Have.PF2 : c.rep === 0xf3 ? Have.PF3 : c.opSize ? Have.P66 : Have.Np;
  have |= (c.rex & REX_W) !== 0 ? Have.W : Have.NotW;
  have |= (c.rex & REX_B) !== 0 ? Have.B : Have.NotB;
  have |= c.vexL ? Have.L : Have.NotL;
  if (c.rep === 0) have |= Have.NoRep;
  return c.opSize ? have | Have.OpSize : have;
}

function select(node: OpcodeNode, c: Cursor): Candidate | undefined {
  const list = node.lists[node.hasModrm ? ((c.modrm >> 3) & 7) << 1 | (c.modrm >= 0xc0 ? 1 : 0) : 0];
  // Of most opcodes the first applies in any case.
  if (list.length > 0 && list[0].need === 0 && list[0].modrm < 0) return list[0];
  const have = conditions(c);
  for (let n = 0; n < list.length; n++) {
    const candidate = list[n];
    if ((candidate.need & ~have) === 0 && (candidate.modrm < 0 || candidate.modrm === c.modrm)) return candidate;
  }
  return undefined;
}

function operandSize(c: Cursor, rule: SizeRule, size: number): number {
  const w = (c.rex & REX_W) !== 0;
  switch (rule) {
    case SizeRule.Constant:
      return size;
    case SizeRule.Byte:
      return 1;
    case SizeRule.Forced64:
      return 8;
    case SizeRule.Default64:
      return c.opSize && !w ? 2 : 8;
    case SizeRule.Fixed:
      return w ? 8 : 4;
    case SizeRule.Narrow:
      return c.opSize && !w ? 2 : 4;
    case SizeRule.Default:
      return w ? 8 : c.opSize ? 2 : 4;
  }
}

function bytesOf(c: Cursor, size: number): number {
  if (size >= 0) return size;
  switch (size) {
    case Size.V:
      return c.size;
    case Size.Z:
      return Math.min(c.size, 4);
    case Size.Y:
      return (c.rex & REX_W) !== 0 ? 8 : 4;
    case Size.X:
      return c.vexL ? 32 : 16;
    default:
      return c.vexL ? 16 : 8;
  }
}

/** Memory operand of ModRM (mod != 3), with its SIB byte and displacement. RIP-relative displacements are completed at the end. */
function readMemory(c: Cursor): MemOperand {
  const mod = c.modrm >> 6;
  const rm = c.modrm & 7;
  const m: MemOperand = {
    kind: "mem",
    size: 0,
    base: -1,
    index: -1,
    scale: 0,
    disp: 0n,
    ripRelative: false,
    seg: c.seg,
    addressSize: c.addressSize,
  };
  let disp32 = mod === 2;
  if (rm === 4) {
    const sib = c.sib = c.u8();
    const index = (sib >> 3) & 7 | (c.rex & REX_X ? 8 : 0);
    if (index !== 4) {
      m.index = index;
      m.scale = sib >> 6;
    }
    if ((sib & 7) === 5 && mod === 0) disp32 = true;
    else m.base = sib & 7 | (c.rex & REX_B ? 8 : 0);
  } else if (rm === 5 && mod === 0) {
    m.ripRelative = true;
    disp32 = true;
  } else {
    m.base = rm | (c.rex & REX_B ? 8 : 0);
  }
  if (disp32) m.disp = big(c.s32());
  else if (mod === 1) m.disp = big(c.u8() << 24 >> 24);
  return m;
}

function gpr(c: Cursor, n: number, size: number): Operand {
  const bytes = size === 1 || size === 2 || size === 8 ? size : 4;
  if (bytes === 1 && c.rex === 0 && n >= 4) return { kind: "reg", n: n - 4, size: 1, high: true };
  return { kind: "reg", n, size: bytes, high: false };
}

/** A gather's operand: base register and displacement, the index is a vector register. It needs a SIB byte; `illegal` checks that. */
function vectorMemory(c: Cursor): Operand {
  const mem = c.mem!; // as in `memory`
  mem.index = -1;
  mem.scale = c.sib >> 6;
  mem.vector = (c.sib >> 3) & 7 | (c.rex & REX_X ? 8 : 0);
  return mem;
}

function memory(c: Cursor, size: number): Operand {
  const mem = c.mem!; // select() leaves memory forms only when mod != 3, and then readMemory() has run
  mem.size = size;
  return mem;
}

function immediate(c: Cursor, size: number): Operand {
  if (size === 1) return { kind: "imm", value: big(c.u8()), size: 1 };
  if (size === 2) return { kind: "imm", value: big(c.u16()), size: 2 };
  return { kind: "imm", value: big(c.s32()), size: size === 8 ? 8 : 4 };
}

/** Iz and Iv: sign-extended where the operand is wider than the immediate; Iw alone is a plain 16-bit number. */
function readImmediate(c: Cursor, spec: OpSpec): Operand {
  if (spec.size === Size.Z) {
    if (c.size === 2) return { kind: "imm", value: big(c.u16() << 16 >> 16), size: 2 };
    return { kind: "imm", value: big(c.s32()), size: c.size === 8 ? 8 : 4 };
  }
  const size = bytesOf(c, spec.size);
  if (size === 8) return { kind: "imm", value: c.s64(), size: 8 };
  return immediate(c, size);
}

function target(c: Cursor, size: number, pc: number): Operand {
  const rel = size === 1 ? c.u8() << 24 >> 24 : c.s32();
  return { kind: "rel", target: pc + (c.p - c.start) + rel };
}

function moffs(c: Cursor, size: number): Operand {
  const disp = c.addressSize === 4 ? big(c.s32() >>> 0) : c.s64();
  return {
    kind: "mem",
    size,
    base: -1,
    index: -1,
    scale: 0,
    disp,
    ripRelative: false,
    seg: c.seg,
    addressSize: c.addressSize,
  };
}

function readOperand(c: Cursor, spec: OpSpec, pc: number): Operand {
  const size = bytesOf(c, spec.size);
  const reg = (c.modrm >> 3) & 7 | (c.rex & REX_R ? 8 : 0);
  const rm = c.modrm & 7 | (c.rex & REX_B ? 8 : 0);
  switch (spec.kind) {
    case Op.E:
      return c.mem === undefined ? gpr(c, rm, size) : memory(c, size);
    case Op.G:
      return gpr(c, reg, size);
    case Op.M:
      return memory(c, size);
    case Op.VM:
      return vectorMemory(c);
    case Op.R:
      return gpr(c, rm, size);
    case Op.I:
      return readImmediate(c, spec);
    case Op.SignedByte:
      return { kind: "imm", value: big(c.u8() << 24 >> 24), size: size === 2 || size === 8 ? size : 4 };
    case Op.J:
      return target(c, size, pc);
    case Op.O:
      return moffs(c, size);
    case Op.Z:
      return gpr(c, c.opcode & 7 | (c.rex & REX_B ? 8 : 0), size);
    case Op.V:
      return { kind: "xmm", n: reg, size };
    case Op.W:
      return c.mem === undefined ? { kind: "xmm", n: rm, size } : memory(c, size);
    case Op.U:
      return { kind: "xmm", n: rm, size };
    case Op.P:
      return { kind: "mmx", n: reg & 7 };
    case Op.Q:
      return c.mem === undefined ? { kind: "mmx", n: rm & 7 } : memory(c, size);
    case Op.N:
      return { kind: "mmx", n: rm & 7 };
    case Op.S:
      return { kind: "seg", n: reg & 7 };
    case Op.B:
      return gpr(c, c.vvvv, size);
    case Op.H:
      return { kind: "xmm", n: c.vvvv, size };
    case Op.L:
      return { kind: "xmm", n: c.u8() >> 4, size };
    case Op.STi:
      return { kind: "st", n: rm & 7 };
    case Op.FixedReg:
      // AL..BL never mean a high byte, whatever the REX prefix.
      return { kind: "reg", n: spec.n, size: size === 1 || size === 2 || size === 8 ? size : 4, high: false };
    case Op.FixedSt:
      return { kind: "st", n: spec.n };
    case Op.FixedSeg:
      return { kind: "seg", n: spec.n };
    case Op.FixedXmm:
      return { kind: "xmm", n: spec.n, size };
    case Op.One:
      return { kind: "imm", value: 1n, size: 1 };
  }
}

/** All operands. An array that grows by `push` takes four times the memory, and every decoded instruction keeps one. */
function readOperands(c: Cursor, specs: readonly OpSpec[], pc: number): Operand[] {
  switch (specs.length) {
    case 0:
      return [];
    case 1:
      return [readOperand(c, specs[0], pc)];
    case 2:
      return [readOperand(c, specs[0], pc), readOperand(c, specs[1], pc)];
    default:
      return specs.map((spec) => readOperand(c, spec, pc));
  }
}

/** Makes a RIP-relative displacement absolute (SDM vol. 2, 2.2.1.6: relative to the next instruction). */
function completeRip(mem: MemOperand, next: number): void {
  const address = next + Number(mem.disp);
  mem.disp = mem.addressSize === 4 ? BigInt(address < 0 ? address + TWO32 : address % TWO32) : BigInt(address);
}

/** #UD cases that no row can express: LOCK on what does not allow it, no such segment register, load of CS. */
function illegal(c: Cursor, candidate: Candidate, ops: readonly Operand[]): boolean {
  if (c.lock && !(candidate.row.lock === true && ops.length > 0 && ops[0].kind === "mem")) return true;
  for (let n = 0; n < ops.length; n++) {
    const op = ops[n];
    if (op.kind === "seg" && (op.n > 5 || (n === 0 && op.n === 1))) return true;
  }
  return (candidate.noVvvv && c.vvvv !== 0) || (c.mem?.vector !== undefined && gatherClash(c, c.mem.vector));
}

/** Gathers without SIB byte, or with two equal ones among destination, index and mask. */
function gatherClash(c: Cursor, index: number): boolean {
  const to = (c.modrm >> 3) & 7 | (c.rex & REX_R ? 8 : 0);
  return c.sib < 0 || to === index || to === c.vvvv || index === c.vvvv;
}

function repOf(c: Cursor, row: OpRow): Insn["rep"] {
  if (c.rep === 0) return undefined;
  return row.rep === "repcc" && c.rep === 0xf2 ? "repne" : "rep";
}

class TableDecoder implements Decoder {
  private readonly cursor = new Cursor();

  constructor(private readonly table: OpcodeTable) {}

  decode(bytes: Uint8Array, offset: number, available: number, pc: number): Insn | InvalidInsn {
    const c = this.cursor;
    c.begin(bytes, offset, offset + Math.min(available, MAX_INSN_BYTES));
    const insn = this.read(c, pc);
    const length = c.p - offset;
    if (length > available && available < MAX_INSN_BYTES) return { pc, length: available, invalid: "more" };
    if (length > MAX_INSN_BYTES) return { pc, length: MAX_INSN_BYTES, invalid: "gp" };
    return insn ?? { pc, length, invalid: "ud" };
  }

  private read(c: Cursor, pc: number): Insn | undefined {
    const node = readOpcode(c) ? this.table.node(c.map, c.opcode) : null;
    if (node === null) {
      skipUndefined(c, this.table, readMemory);
      return undefined;
    }
    if (node.hasModrm) c.modrm = c.u8();
    const candidate = select(node, c);
    if (node.hasModrm && c.modrm < 0xc0 && !candidate?.row.anyMod) c.mem = readMemory(c);
    if (candidate === undefined) {
      skipImmediate(c, node);
      return undefined;
    }
    c.size = operandSize(c, candidate.sizeRule, candidate.size);
    const ops = readOperands(c, candidate.ops, pc);
    const length = c.p - c.start;
    if (c.mem !== undefined && c.mem.ripRelative) completeRip(c.mem, pc + length);
    const { row } = candidate;
    if ((c.lock || candidate.restricted) && illegal(c, candidate, ops)) return undefined;
    return {
      pc,
      length,
      row,
      name: row.name,
      size: c.size,
      cc: candidate.cc,
      ops,
      rep: row.rep === undefined ? undefined : repOf(c, row),
      lock: c.lock,
      addressSize: c.addressSize,
      seg: candidate.implicitMemory ? c.seg : undefined,
      rex: c.rex,
      effects: undefined,
    };
  }
}

/** A decoder for any table (tests, or a table cut down to a CPU level). */
export function createDecoder(rows: readonly OpRow[]): Decoder {
  return new TableDecoder(new OpcodeTable(rows));
}

/** Built on first use; never changes afterwards. */
const standard: { decoder: Decoder | undefined } = { decoder: undefined };

/** The decoder of the full table, or of a lower level. */
export function decoderOf(level: CpuLevel): Decoder {
  return level === "v3" ? (standard.decoder ??= createDecoder(ROWS)) : createDecoder(rowsOf(level, ROWS));
}

/** Decodes with the full table; see `Decoder.decode`. */
export function decode(bytes: Uint8Array, offset: number, available: number, pc: number): Insn | InvalidInsn {
  return decoderOf("v3").decode(bytes, offset, available, pc);
}
