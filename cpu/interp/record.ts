/**
 * Decoded instructions as the interpreter's handlers see them: fixed-size records in linear memory (area RECORDS).
 * A block is an *enter* record followed by one record per instruction and, when it does not end in a control transfer, an *end* record.
 */
import { GPR, ST, STATE, XMM } from "../layout.ts";
import type { Insn, Operand } from "../insn.ts";

/** Bytes per record. */
export const RECORD = 144;
/** i32: table index of the handler. */
export const REC_HANDLER = 0;
/** i64: address of the instruction, and of the next one. */
export const REC_PC = 8;
export const REC_NEXT = 16;
/** Operand k, 8 bytes each at REC_OPERAND + 8*k: linear address of the register, immediate value, or branch target. */
export const REC_OPERAND = 24;
/** Memory operand: linear addresses of base, index and segment base; index shift; displacement (i64). */
export const REC_BASE = 56;
export const REC_INDEX = 60;
export const REC_SEGMENT = 64;
export const REC_SCALE = 68;
export const REC_DISP = 72;
/** i32: records of the taken and the fall-through successor; 0 = not linked yet. */
export const REC_TAKEN = 80;
export const REC_FALL = 84;
/**
 * Profile of memory accesses for the translator: i64 highest and lowest virtual address accessed so far; highest 0 = never executed. The n-th
 * access of the instruction has them at REC_VA + 8*n and REC_MIN + 8*n (two accesses at most; one for jumps, which use REC_TARGETS).
 */
export const REC_VA = 88;
export const REC_MIN = 104;
/** Enter records: i32 executions left until the block is hot. */
export const REC_HEAT = 104;
/** Indirect jumps: i32 x TARGET_SLOTS, low halves of targets seen (profile); 0 = none. */
export const REC_TARGETS = 112;
export const TARGET_SLOTS = 8;

/** Linear address of a register operand's storage. */
export function registerAddress(op: Operand): number {
  switch (op.kind) {
    case "reg":
      return STATE + GPR + 8 * op.n + (op.high ? 1 : 0);
    case "xmm":
      return STATE + XMM + 16 * op.n;
    case "mmx":
      return STATE + ST + 16 * op.n;
    default:
      return 0;
  }
}

/** What a handler depends on; everything else about an instruction is in its record. */
export function formKey(i: Insn, row: string): string {
  let key = `${row}.${i.size}.${i.cc}.${i.rep ?? ""}.${i.addressSize}`;
  for (const op of i.ops) key += "," + operandKey(op);
  if (i.seg) key += "S" + i.seg;
  if (i.row.staticImm) {
    for (const op of i.ops) if (op.kind === "imm") key += "=" + (op.value & 0xffn);
  }
  return key;
}

function operandKey(op: Operand): string {
  switch (op.kind) {
    case "reg":
      return `r${op.size}`;
    case "mem":
      return `m${op.size}${op.base >= 0 ? "b" : ""}${op.index >= 0 ? "i" : ""}${op.seg ?? ""}`;
    case "imm":
      return `i${op.size}`;
    case "st":
      return `t${op.n}`;
    default:
      return op.kind + ("size" in op ? op.size : "");
  }
}
