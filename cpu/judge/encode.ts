/** Random encodings of an opcode row: the decoder's table read backwards. */
import { decode } from "../decode.ts";
import { type Encoding, Have, parseEncoding, VEX_MAP } from "../decode_encoding.ts";
import { Op, operandLists, type OpSpec, Size } from "../decode_rows.ts";
import type { Insn, OpRow } from "../insn.ts";
import { integer, type Random } from "./random.ts";

const ESCAPES: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const REG_FIELD = new Set<Op>([Op.G, Op.V, Op.P, Op.S]);
const EITHER = new Set<Op>([Op.E, Op.W, Op.Q]);
const REGISTER = new Set<Op>([Op.R, Op.U, Op.N, Op.STi]);

/** Where a branch goes: bytes beyond the end of the instruction; the generator plants end markers there. */
export type BranchTarget = (r: Random) => number;

interface Shape {
  encoding: Encoding;
  ops: OpSpec[];
  memory: boolean;
  modrm: boolean;
}

function shape(row: OpRow, r: Random): Shape {
  const encoding = parseEncoding(row);
  const ops = r.pick(operandLists(row));
  const has = (kinds: Set<Op>) => ops.some((o) => kinds.has(o.kind));
  const memory = encoding.modrm < 0 && (ops.some((o) => o.kind === Op.M || o.kind === Op.VM) || (has(EITHER) && r.chance(55)));
  const modrm = encoding.modrm >= 0 || encoding.reg >= 0 || memory || has(EITHER) || has(REGISTER) || has(REG_FIELD);
  return { encoding, ops, memory, modrm };
}

function legacyPrefixes(row: OpRow, s: Shape, r: Random): number[] {
  const { need } = s.encoding;
  const out: number[] = [];
  if ((need & Have.P66) !== 0 || (need & Have.OpSize) !== 0) out.push(0x66);
  else if ((need & Have.Np) === 0 && row.size !== "f64" && r.chance(row.size === undefined || row.size === "d64" ? 25 : 3)) {
    out.push(0x66);
  }
  if ((need & Have.PF3) !== 0) out.push(0xf3);
  if ((need & Have.PF2) !== 0) out.push(0xf2);
  if (row.rep !== undefined && r.chance(66)) out.push(r.pick([0xf3, 0xf3, 0xf2]));
  if (row.lock && s.memory && r.chance(20)) out.push(0xf0);
  if (s.memory || row.rep !== undefined) {
    if (r.chance(5)) out.push(0x67);
    if (r.chance(6)) out.push(r.pick([0x64, 0x65]));
    else if (r.chance(2)) out.push(r.pick([0x2e, 0x3e]));
  }
  return out;
}

/** ModRM.mod and rm, and what follows it; `wide`: ends with a 32-bit displacement; `rexBits`: X and B, when they must have a value. */
export interface Addressing {
  mod: number;
  rm: number;
  bytes: number[];
  wide: boolean;
  rexBits?: number;
}

function anyAddress(r: Random): Addressing {
  const mod = r.below(3);
  const rm = r.below(8);
  const bytes: number[] = [];
  let wide = mod === 2 || (mod === 0 && rm === 5);
  if (rm === 4) {
    const sib = r.below(256);
    bytes.push(sib);
    if (mod === 0 && (sib & 7) === 5) wide = true;
  }
  if (mod === 1) bytes.push(r.below(256));
  if (wide) bytes.push(...word(r.chance(90) ? r.below(0x2000) - 0x1000 : r.u32(), 4));
  return { mod, rm, bytes, wide };
}

function word(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, n) => (n < 4 ? value >>> (8 * n) : value < 0 ? 255 : 0) & 255);
}

function immediateBytes(spec: OpSpec, operandSize: number, r: Random, branch: BranchTarget): number[] {
  const any = (n: number) => {
    const value = integer(r);
    return Array.from({ length: n }, (_, k) => Number(value >> BigInt(8 * k) & 255n));
  };
  switch (spec.kind) {
    case Op.SignedByte:
    case Op.L:
      return any(1);
    case Op.I:
      if (spec.size === Size.Z) return any(operandSize === 2 ? 2 : 4);
      return any(spec.size === Size.V ? operandSize : spec.size);
    case Op.J:
      return word(branch(r), spec.size === 1 ? 1 : 4);
    case Op.O:
      return any(8);
    default:
      return [];
  }
}

function vexPrefix(e: Encoding, rex: number, ops: OpSpec[], r: Random): number[] {
  const pp = e.need & Have.P66 ? 1 : e.need & Have.PF3 ? 2 : e.need & Have.PF2 ? 3 : 0;
  const long = e.need & Have.L ? 1 : e.need & Have.NotL ? 0 : r.below(2);
  const vvvv = ops.some((o) => o.kind === Op.H || o.kind === Op.B) ? r.below(16) : 15;
  const map = e.map - VEX_MAP;
  const tail = vvvv << 3 | long << 2 | pp;
  if (map === 1 && (rex & 11) === 0 && r.chance(70)) return [0xc5, (rex & 4 ? 0 : 0x80) | tail];
  return [0xc4, ((rex & 7) << 5 ^ 0xe0) | map, (rex & 8) << 4 | tail];
}

interface Attempt {
  bytes: number[];
  displacementAt: number;
}

/** Choices that a caller makes instead of chance. */
export interface Choices {
  branch: BranchTarget;
  addressing?: (r: Random) => Addressing;
}

function attempt(row: OpRow, r: Random, { branch, addressing }: Choices): Attempt {
  const s = shape(row, r);
  const address = s.memory ? (addressing ?? anyAddress)(r) : undefined;
  const { encoding: e } = s;
  const vex = e.map >= VEX_MAP;
  const prefixes = vex ? [] : legacyPrefixes(row, s, r);
  let rex = vex || r.chance(60) ? 0x40 | r.below(16) : 0;
  if ((e.need & Have.W) !== 0) rex |= 0x48;
  if ((e.need & Have.NotW) !== 0) rex &= ~8;
  if (address?.rexBits !== undefined && rex !== 0) rex = (rex & ~3) | address.rexBits;
  const out = vex ? vexPrefix(e, rex, s.ops, r) : [...prefixes, ...(rex ? [rex] : []), ...ESCAPES[e.map]];
  out.push(e.opcode + (e.plusR ? r.below(8) : 0));
  let displacementAt = s.ops.some((o) => o.kind === Op.O) ? out.length : -1;
  if (s.modrm) {
    const reg = e.reg >= 0 ? e.reg : r.below(8);
    if (e.modrm >= 0) out.push(e.modrm);
    else if (address !== undefined) {
      const { mod, rm, bytes, wide } = address;
      out.push(mod << 6 | reg << 3 | rm, ...bytes);
      if (wide) displacementAt = out.length - 4;
    } else out.push(0xc0 | reg << 3 | r.below(8));
  }
  const size = row.size === "b" ? 1 : rex & 8 ? 8 : prefixes.includes(0x66) ? 2 : 4;
  for (const spec of s.ops) out.push(...immediateBytes(spec, size, r, branch));
  return { bytes: out, displacementAt };
}

export interface Encoded {
  code: Uint8Array;
  insn: Insn;
  /** Where the 32-bit displacement (64-bit for moffs) starts in `code`, or -1. */
  displacementAt: number;
}

/** A random encoding of `row`, decoded at `pc`; undefined when none was found that decodes as this row (a table error, or all of it shadowed). */
export function encodeRow(row: OpRow, r: Random, pc: number, choices: Choices): Encoded | undefined {
  for (let tries = 0; tries < 60; tries++) {
    const { bytes, displacementAt } = attempt(row, r, choices);
    const code = Uint8Array.from(bytes);
    const insn = decode(code, 0, code.length, pc);
    if (!("invalid" in insn) && insn.row === row && insn.length === code.length) return { code, insn, displacementAt };
  }
  return undefined;
}
