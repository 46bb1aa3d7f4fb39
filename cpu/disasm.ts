/** Text of decoded instructions, in the Intel syntax that `objdump -M intel` prints (except symbols). */
import type { Insn, InvalidInsn, MemOperand, Operand } from "./insn.ts";

/** Suffixes of condition codes 0..15 (SDM vol. 1, appendix B), as binutils names them. */
export const CC_NAMES = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"] as const;

const LEGACY = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const HIGH_BYTES = ["ah", "ch", "dh", "bh"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];

/** Name of a GPR by Intel number and size in bytes. */
export function gprName(n: number, size: number, high = false): string {
  if (high) return HIGH_BYTES[n];
  if (n >= 8) return `r${n}${{ 1: "b", 2: "w", 4: "d" }[size] ?? ""}`;
  const name = LEGACY[n];
  if (size === 1) return n < 4 ? `${name[0]}l` : `${name}l`;
  return size === 2 ? name : `${size === 4 ? "e" : "r"}${name}`;
}

const POINTERS: Readonly<Record<number, string>> = {
  1: "BYTE PTR ",
  2: "WORD PTR ",
  4: "DWORD PTR ",
  6: "FWORD PTR ",
  8: "QWORD PTR ",
  10: "TBYTE PTR ",
  16: "XMMWORD PTR ",
  32: "YMMWORD PTR ",
};

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** The bracketed part of a memory operand, with its segment. */
function addressText(m: MemOperand, next: number): string {
  const bytes = m.addressSize;
  if (m.ripRelative) {
    const rel = BigInt.asUintN(bytes * 8, m.disp - BigInt(next));
    return `${m.seg === undefined ? "" : `${m.seg}:`}[${bytes === 8 ? "rip" : "eip"}+${hex(rel)}]`;
  }
  if (m.base < 0 && m.index < 0) return `${m.seg ?? "ds"}:${hex(BigInt.asUintN(64, m.disp))}`;
  const parts: string[] = [];
  if (m.base >= 0) parts.push(gprName(m.base, bytes));
  if (m.index >= 0) parts.push(`${gprName(m.index, bytes)}*${1 << m.scale}`);
  if (m.vector !== undefined) parts.push(`VECTOR${m.vector}*${1 << m.scale}`);
  const disp = m.disp === 0n ? "" : `${m.disp < 0n ? "-" : "+"}${hex(m.disp < 0n ? -m.disp : m.disp)}`;
  return `${m.seg === undefined ? "" : `${m.seg}:`}[${parts.join("+")}${disp}]`;
}

/** Elements are of REX.W's size; the index register is long when the instruction is, and the indices are as long as the elements or longer. */
function gatherText(m: MemOperand, insn: Insn): string {
  const wide = insn.ops.some((op) => op.kind === "xmm" && op.size === 32), quad = (insn.rex & 8) !== 0;
  const long = wide && (insn.name.includes("gatherq") || !quad);
  return POINTERS[quad ? 8 : 4] + addressText(m, insn.pc + insn.length).replace("VECTOR", long ? "ymm" : "xmm");
}

function operandText(op: Operand, insn: Insn, code: string | undefined): string {
  switch (op.kind) {
    case "reg":
      return gprName(op.n, op.size, op.high);
    case "mem":
      if (op.vector !== undefined) return gatherText(op, insn);
      return (code?.startsWith("O") ? "" : POINTERS[op.size] ?? "") + addressText(op, insn.pc + insn.length);
    case "imm":
      // The implied count of D0 and D1 is printed without a base.
      if (code === "1") return "1";
      return hex(BigInt.asUintN(op.size * 8, op.value));
    case "rel":
      return hex(BigInt.asUintN(64, BigInt(op.target)));
    case "xmm":
      return `${op.size === 32 ? "ymm" : "xmm"}${op.n}`;
    case "mmx":
      return `mm${op.n}`;
    case "st":
      return code === "ST0" ? "st" : `st(${op.n})`;
    case "seg":
      return SEGMENTS[op.n];
  }
}

const STRING_NAMES = new Set(["movs", "stos", "lods", "scas", "cmps", "ins", "outs"]);
const SIZE_LETTERS: Readonly<Record<number, string>> = { 1: "b", 2: "w", 4: "d", 8: "q" };
/** Mnemonics that depend on the operand size: [2, 4, 8 bytes]. */
const BY_SIZE: Readonly<Record<string, readonly [string, string, string]>> = {
  cbw: ["cbw", "cwde", "cdqe"],
  cwd: ["cwd", "cdq", "cqo"],
  iret: ["iretw", "iret", "iretq"],
  retf: ["retfw", "retf", "retfq"],
  pushf: ["pushfw", "pushf", "pushf"],
  popf: ["popfw", "popf", "popf"],
  cmpxchg8b: ["cmpxchg8b", "cmpxchg8b", "cmpxchg16b"],
  fxsave: ["fxsave", "fxsave", "fxsave64"],
  fxrstor: ["fxrstor", "fxrstor", "fxrstor64"],
};

/** Predicates of CMPPS and its like (SDM vol. 2, table 3-1), which assemblers put into the mnemonic; those from 8 on need VEX. */
const PREDICATES = ("eq lt le unord neq nlt nle ord eq_uq nge ngt false neq_oq ge gt true " +
  "eq_os lt_oq le_oq unord_s neq_us nlt_uq nle_uq ord_s eq_us nge_uq ngt_uq false_os neq_os ge_oq gt_oq true_us").split(" ");
const COMPARES = /^v?cmp[ps][sd]$/;
function predicate(insn: Insn): string | undefined {
  const last = insn.ops[insn.ops.length - 1];
  if (!COMPARES.test(insn.name) || last?.kind !== "imm" || (last.value > 7n && insn.name[0] !== "v")) return undefined;
  return PREDICATES[Number(last.value)];
}

/** The mnemonic as an assembler spells it, condition and string size included, prefixes excluded. */
export function mnemonic(insn: Insn): string {
  const { name } = insn;
  const bySize = BY_SIZE[name];
  if (bySize !== undefined) return bySize[insn.size === 2 ? 0 : insn.size === 4 ? 1 : 2];
  if (name === "jrcxz" && insn.addressSize === 4) return "jecxz";
  if (name === "jcc" || name === "cmovcc" || name === "setcc") return name.slice(0, -2) + CC_NAMES[insn.cc];
  if (name.endsWith("sreg")) return name.slice(0, -4);
  const compare = predicate(insn);
  if (compare !== undefined) return `${name.slice(0, -2)}${compare}${name.slice(-2)}`;
  if (name === "mov" && insn.row.args === "Zv,Iv" && insn.size === 8) return "movabs";
  if (name === "mov" && insn.row.args.includes("O")) return "movabs";
  if (
    /^v?(mov|pextr|pinsr)d$/.test(name) &&
    insn.ops.some((o) => o.kind !== "xmm" && o.kind !== "mmx" && "size" in o && o.size === 8)
  ) {
    return `${name.slice(0, -1)}q`;
  }
  return STRING_NAMES.has(name) && insn.ops.length === 0 ? name + SIZE_LETTERS[insn.size] : name;
}

const REPEATS = { rep: "rep ", repe: "repz ", repne: "repnz " };

function repeat(insn: Insn): string {
  if (insn.rep === undefined) return "";
  return REPEATS[insn.rep === "rep" && insn.row.rep === "repcc" ? "repe" : insn.rep];
}

/** One line, for example "add    rax,QWORD PTR [rbx+0x8]". */
export function disassemble(insn: Insn | InvalidInsn): string {
  if ("invalid" in insn) return "(bad)";
  const name = `${insn.lock ? "lock " : ""}${repeat(insn)}${mnemonic(insn)}`;
  const codes = insn.row.args.split(",");
  const operands = insn.ops.map((op, n) => operandText(op, insn, codes[n]));
  if (predicate(insn) !== undefined) operands.pop();
  const ops = operands.join(",");
  return ops === "" ? name : `${name.padEnd(6)} ${ops}`;
}
