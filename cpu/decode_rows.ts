/**
 * Turns the opcode table (rows with the manual's notation) into what the decoder walks: per opcode map and opcode byte a short list of
 * candidates, the most specific first, and for each row its operands as numbers.
 */
import { type Encoding, Have, HEX_BYTES, parseEncoding, PP_MASK, VEX_MAP } from "./decode_encoding.ts";
import type { OpRow } from "./insn.ts";

/** Kinds of operand that a code such as "Ev" stands for (Intel SDM vol. 2, appendix A.2.1). */
export const enum Op {
  /** ModRM r/m: GPR or memory. */
  E,
  /** ModRM.reg GPR. */
  G,
  /** ModRM r/m, memory only. */
  M,
  /** Memory of a gather: SIB with a vector register as index. */
  VM,
  /** ModRM r/m, GPR only. */
  R,
  I,
  /** Immediate byte sign-extended to the operand size. */
  SignedByte,
  J,
  O,
  /** GPR in the low three opcode bits. */
  Z,
  V,
  W,
  U,
  P,
  Q,
  N,
  S,
  /** VEX.vvvv as GPR / as vector register. */
  B,
  H,
  /** Vector register in the high half of an immediate byte. */
  L,
  /** ST(ModRM.rm). */
  STi,
  /** Implied: register, ST(0), segment register, XMM0 or constant 1; the number is in `n`. */
  FixedReg,
  FixedSt,
  FixedSeg,
  FixedXmm,
  One,
}

/** Sizes that depend on the instruction's prefixes; other sizes are their bytes. */
export const enum Size {
  /** Operand size. */
  V = -1,
  /** Operand size, but at most 4. */
  Z = -2,
  /** 8 with REX.W, else 4. */
  Y = -3,
  /** 16 or 32 with VEX.L. */
  X = -4,
  /** 8 or 16 with VEX.L. */
  HalfX = -5,
}

export interface OpSpec {
  kind: Op;
  /** Bytes, or a Size. */
  size: number;
  /** Register number of Fixed*. */
  n: number;
}

export const enum SizeRule {
  Byte,
  Default64,
  Forced64,
  Fixed,
  Default,
  /** 2 or 4: there is no 64-bit input and output. */
  Narrow,
  /** Bytes are in `Candidate.size`. */
  Constant,
}

export interface Candidate {
  row: OpRow;
  need: number;
  /** The whole ModRM byte, or -1. */
  modrm: number;
  ops: OpSpec[];
  sizeRule: SizeRule;
  size: number;
  cc: number;
  /** VEX.vvvv must be 1111. */
  noVvvv: boolean;
  /** Some operands, or VEX.vvvv, can be illegal. */
  restricted: boolean;
  /** Segment overrides matter although no operand is in memory. */
  implicitMemory: boolean;
  /** Higher is tried first. */
  weight: number;
}

/** One opcode byte of one map. */
export interface OpcodeNode {
  hasModrm: boolean;
  /** Without ModRM one list; with it, 16: index (reg << 1) | (mod == 3). */
  lists: Candidate[][];
}
const SIZES: Readonly<Record<string, number>> = {
  "": 0,
  b: 1,
  w: 2,
  d: 4,
  q: 8,
  dq: 16,
  qq: 32,
  t: 10,
  v: Size.V,
  z: Size.Z,
  y: Size.Y,
  x: Size.X,
  ps: Size.X,
  pd: Size.X,
  hx: Size.HalfX,
  ss: 4,
  sd: 8,
  si: 4,
  pi: 8,
  p: 10,
  s: 10,
};

const KINDS: Readonly<Record<string, Op>> = {
  E: Op.E,
  G: Op.G,
  M: Op.M,
  R: Op.R,
  I: Op.I,
  J: Op.J,
  O: Op.O,
  Z: Op.Z,
  V: Op.V,
  W: Op.W,
  U: Op.U,
  P: Op.P,
  Q: Op.Q,
  N: Op.N,
  S: Op.S,
  B: Op.B,
  H: Op.H,
  L: Op.L,
};
const KINDS_WITH_MODRM = new Set<Op>([Op.E, Op.G, Op.M, Op.R, Op.V, Op.W, Op.U, Op.P, Op.Q, Op.N, Op.S, Op.STi, Op.VM]);
const MEMORY_ONLY = new Set<Op>([Op.M, Op.VM]);
const REGISTER_ONLY = new Set<Op>([Op.R, Op.U, Op.N, Op.STi]);

const GPR_NAMES = ["AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"];
const BYTE_NAMES = ["AL", "CL", "DL", "BL"];
const SEG_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS"];

function fixedOperand(code: string): OpSpec | undefined {
  if (code === "1") return { kind: Op.One, size: 1, n: 0 };
  if (code === "VM") return { kind: Op.VM, size: 0, n: 0 };
  if (code === "ST0") return { kind: Op.FixedSt, size: 10, n: 0 };
  if (code === "STi") return { kind: Op.STi, size: 10, n: 0 };
  if (code === "XMM0") return { kind: Op.FixedXmm, size: 16, n: 0 };
  const byte = BYTE_NAMES.indexOf(code);
  if (byte >= 0) return { kind: Op.FixedReg, size: 1, n: byte };
  const seg = SEG_NAMES.indexOf(code);
  if (seg >= 0) return { kind: Op.FixedSeg, size: 2, n: seg };
  const wide = GPR_NAMES.indexOf(code.replace(/^[erER](?=..$)/, ""));
  if (wide < 0) return undefined;
  const size = code.length === 2 ? 2 : code[0] === "r" ? Size.V : code[0] === "e" ? Size.Z : code[0] === "E" ? 4 : 8;
  return { kind: Op.FixedReg, size, n: wide };
}

const operands = new Map<string, OpSpec>();
/** Rows share operands; never changed afterwards. */
function operand(code: string, row: OpRow): OpSpec {
  let known = operands.get(code);
  if (!known) operands.set(code, known = parseOperand(code, row));
  return known;
}

function parseOperand(code: string, row: OpRow): OpSpec {
  const fixed = fixedOperand(code);
  if (fixed !== undefined) return fixed;
  if (code === "Ibs") return { kind: Op.SignedByte, size: Size.V, n: 0 };
  const size = SIZES[code.slice(1)];
  const kind = KINDS[code[0]];
  if (kind === undefined || size === undefined) throw new Error(`Bad operand code "${code}" in row "${row.enc}"`);
  return { kind, size, n: 0 };
}

const lists = new Map<string, OpSpec[][]>();
/** "Rv/Mw" stands for two forms; each operand list is returned with one of them. Rows with the same operands share it. */
export function operandLists(row: OpRow): OpSpec[][] {
  let known = lists.get(row.args);
  if (!known) lists.set(row.args, known = parseOperands(row));
  return known;
}

function parseOperands(row: OpRow): OpSpec[][] {
  const codes = row.args.split(",").map((s) => s.trim()).filter((s) => s !== "" && !/^[XYF][a-z]+$/.test(s));
  const pick = (n: number) => codes.map((c) => operand(c.split("/")[n] ?? c, row));
  return codes.some((c) => c.includes("/")) ? [pick(0), pick(1)] : [pick(0)];
}

/** Names whose memory operand is implied (segment overrides apply to it). */
const IMPLICIT_MEMORY = new Set(["xlat", "xlatb", "maskmovq", "maskmovdqu", "vmaskmovdqu"]);

const INPUT_OUTPUT = new Set(["in", "out", "ins", "outs"]);
const VARIABLE_SIZES = new Set<number>([Size.V, Size.Z, Size.Y]);

function sizeOf(row: OpRow, ops: OpSpec[]): [SizeRule, number] {
  if (ops.some((o) => [Op.V, Op.W, Op.U, Op.H].includes(o.kind))) return [SizeRule.Constant, 16];
  switch (row.size) {
    case "b":
      return [SizeRule.Byte, 1];
    case "d64":
      return [SizeRule.Default64, 8];
    case "f64":
      return [SizeRule.Forced64, 8];
    case "fixed":
      return [SizeRule.Fixed, 4];
    default:
  }
  if (INPUT_OUTPUT.has(row.name)) return [SizeRule.Narrow, 4];
  if (ops.length === 0 || ops.some((o) => VARIABLE_SIZES.has(o.size))) return [SizeRule.Default, 4];
  if (ops.some((o) => [Op.P, Op.Q, Op.N].includes(o.kind))) return [SizeRule.Constant, 8];
  const first = ops[0].size;
  return [1, 2, 4, 8].includes(first) ? [SizeRule.Constant, first] : [SizeRule.Default, 4];
}

function candidate(row: OpRow, e: Encoding, ops: OpSpec[], opcode: number): Candidate {
  const [sizeRule, size] = sizeOf(row, ops);
  const isCc = row.name.endsWith("cc"), noVvvv = e.map >= VEX_MAP && !ops.some((o) => o.kind === Op.B || o.kind === Op.H);
  const weight = (e.modrm >= 0 ? 64 : 0) + (e.reg >= 0 ? 32 : 0) + ((e.need & PP_MASK) !== 0 ? 16 : 0) +
    ((e.need & Have.OpSize) !== 0 ? 4 : 0) + ((e.need & (Have.W | Have.NotW)) !== 0 ? 2 : 0) + (e.plusR ? 0 : 1);
  return {
    row,
    need: e.need,
    modrm: e.modrm,
    ops,
    sizeRule,
    size,
    cc: isCc ? opcode & 15 : 0,
    noVvvv,
    restricted: noVvvv || ops.some((o) => o.kind === Op.S || o.kind === Op.FixedSeg || o.kind === Op.VM),
    implicitMemory: row.rep !== undefined || IMPLICIT_MEMORY.has(row.name),
    weight,
  };
}

interface Placed {
  candidate: Candidate;
  encoding: Encoding;
  usesModrm: boolean;
}

function node(placed: Placed[]): OpcodeNode {
  placed.sort((a, b) => b.candidate.weight - a.candidate.weight);
  // "90" (NOP) beside "90 +r" (XCHG): with REX.B it is the register form.
  if (placed.some((p) => p.encoding.plusR)) {
    for (const p of placed) if (!p.encoding.plusR) p.candidate.need |= Have.NotB;
  }
  if (!placed.some((p) => p.usesModrm)) return { hasModrm: false, lists: [placed.map((p) => p.candidate)] };
  const lists: Candidate[][] = [];
  // Most opcodes have the same lists for every ModRM.reg.
  const different = placed.some(({ encoding }) => encoding.reg >= 0 || encoding.modrm >= 0);
  for (let reg = 0; reg < 8; reg++) {
    for (let isReg = 0; isReg < 2; isReg++) {
      lists.push(reg === 0 || different ? candidates(placed, reg, isReg === 1) : lists[isReg]);
    }
  }
  return { hasModrm: true, lists };
}

/** What applies with this ModRM.reg, and mod == 3 or not. */
function candidates(placed: Placed[], reg: number, isReg: boolean): Candidate[] {
  return placed.filter((p) => {
    const { modrm } = p.encoding;
    if (modrm >= 0) return isReg === (modrm >= 0xc0) && ((modrm >> 3) & 7) === reg;
    if (p.encoding.reg >= 0 && p.encoding.reg !== reg) return false;
    return p.candidate.row.anyMod || !p.candidate.ops.some((o) => (isReg ? MEMORY_ONLY : REGISTER_ONLY).has(o.kind));
  }).map((p) => p.candidate);
}

/**
 * The candidates of every opcode byte of every map: 0 one-byte, 1 0F, 2 0F 38, 3 0F 3A; VEX_MAP + m: the same under VEX.
 * A node is built when its opcode is met first, because most programs use few of them and start-up counts.
 */
export class OpcodeTable {
  /** By map << 8 | opcode; undefined = not built yet, null = no such opcode. */
  private readonly nodes: (OpcodeNode | null | undefined)[];
  /** Rows of each opcode byte (`+r` rows stand eight times). */
  private readonly rows: OpRow[][] = Array.from({ length: 2 * VEX_MAP << 8 });

  /** Throws on a row that is written wrongly. */
  constructor(rows: readonly OpRow[]) {
    this.nodes = Array.from({ length: this.rows.length });
    for (const row of rows) {
      const first = locate(row.enc) ?? slowLocate(row);
      for (let key = first; key < first + (row.enc.includes("+") ? 8 : 1); key++) {
        if (this.rows[key] === undefined) this.rows[key] = [row];
        else this.rows[key].push(row);
      }
    }
  }

  node(map: number, opcode: number): OpcodeNode | null {
    const key = map << 8 | opcode;
    const known = this.nodes[key];
    if (known !== undefined) return known;
    const rows = this.rows[key];
    return this.nodes[key] = rows === undefined ? null : node(rows.flatMap((row) => placements(row, opcode)));
  }
}

/** map << 8 | opcode of a legacy encoding, quickly; undefined when it is not that simple. */
function locate(enc: string): number | undefined {
  if (enc.startsWith("VEX.")) return locateVex(enc);
  let at = 0;
  let map = 0;
  for (;;) {
    if (enc.startsWith("NP ", at) || enc.startsWith("66 ", at) || enc.startsWith("F2 ", at) || enc.startsWith("F3 ", at)) at += 3;
    else if (enc.startsWith("REX.W ", at)) at += 6;
    else if (enc.startsWith("NFx ", at)) at += 4;
    else break;
  }
  if (enc.startsWith("0F ", at)) {
    at += 3;
    map = enc.startsWith("38 ", at) ? 2 : enc.startsWith("3A ", at) ? 3 : 1;
    if (map > 1) at += 3;
  }
  const byte = HEX_BYTES.get(enc.slice(at, at + 2));
  return byte === undefined ? undefined : map << 8 | byte;
}

/** "VEX.128.66.0F38.W0 18 /r": the map is in the middle, the opcode behind the first space. */
function locateVex(enc: string): number | undefined {
  const space = enc.indexOf(" "), map = enc.indexOf(".0F");
  const byte = HEX_BYTES.get(enc.slice(space + 1, space + 3));
  if (byte === undefined || map < 0) return undefined;
  const number = enc.startsWith("38", map + 3) ? 2 : enc.startsWith("3A", map + 3) ? 3 : 1;
  return VEX_MAP + number << 8 | byte;
}

function slowLocate(row: OpRow): number {
  const { map, opcode } = parseEncoding(row);
  return map << 8 | opcode;
}

function placements(row: OpRow, opcode: number): Placed[] {
  const encoding = parseEncoding(row);
  return operandLists(row).map((ops) => ({
    candidate: candidate(row, encoding, ops, opcode),
    encoding,
    usesModrm: encoding.reg >= 0 || encoding.modrm >= 0 || ops.some((o) => KINDS_WITH_MODRM.has(o.kind)),
  }));
}
