/** What the decoder hands to the semantics, the disassembler and the tests. */
import type { Effects } from "./translate/regs.ts";

export interface RegOperand {
  kind: "reg";
  /** Intel number 0..15; with `high`, 0..3 means AH, CH, DH, BH. */
  n: number;
  size: 1 | 2 | 4 | 8;
  high: boolean;
}
export interface MemOperand {
  kind: "mem";
  /** Bytes accessed; 0 when only the address counts (LEA, NOP, prefetch). */
  size: number;
  /** GPR numbers, -1 = none. */
  base: number;
  index: number;
  /** Index is shifted left by this (0..3). */
  scale: number;
  /** Sign-extended displacement; RIP-relative operands are folded to base -1 and an absolute `disp`. */
  disp: bigint;
  ripRelative: boolean;
  seg: "fs" | "gs" | undefined;
  /** 4 with the 67 prefix: the sum (before the segment base) is truncated to 32 bits. */
  addressSize: 4 | 8;
  /** Gathers: the index is this vector register, element by element (shifted by `scale`); `index` is -1 and `size` 0 then. */
  vector?: number;
}
export interface ImmOperand {
  kind: "imm";
  /** Already extended to 64 bits as the instruction wants it (sign- or zero-), as a signed two's complement value. */
  value: bigint;
  size: 1 | 2 | 4 | 8;
}
/** Branch target: absolute address; the upper half of the address space as negative numbers, so that it is exact. */
export interface RelOperand {
  kind: "rel";
  target: number;
}
/** Vector register; `size` is what the instruction reads or writes of it (4 or 8 for scalars, 32 with VEX.256). */
export interface XmmOperand {
  kind: "xmm";
  n: number;
  size: number;
}
export interface MmxOperand {
  kind: "mmx";
  n: number;
}
/** x87 ST(n). */
export interface StOperand {
  kind: "st";
  n: number;
}
/** Segment register 0 ES, 1 CS, 2 SS, 3 DS, 4 FS, 5 GS. */
export interface SegOperand {
  kind: "seg";
  n: number;
}
export type Operand = RegOperand | MemOperand | ImmOperand | RelOperand | XmmOperand | MmxOperand | StOperand | SegOperand;

/**
 * One row of the opcode table: the single source for decoder, disassembler, semantics, coverage and generated tests.
 */
export interface OpRow {
  /**
   * Encoding as in the Intel manual without operands: mandatory prefix ("66", "F2", "F3", "NP" = none of them, "NFx" = neither F2 nor F3), opcode bytes, and
   * "/n" for an opcode extension in ModRM.reg, or a third fixed ModRM byte ("D9 E8"). "+r" = register in the low 3 bits.
   */
  enc: string;
  /** Key of the semantics and mnemonic, lower case ("add", "cmovcc", "jcc": cc families use one name, condition = opcode & 15). */
  name: string;
  /**
   * Operand codes of the Intel manual's opcode map (appendix A.2), comma-separated: Eb Ev Ew Ed Eq Gb Gv Gw Gd Gq Ib Iz Iv Iw Jb Jz M Mb .. Mdq, Ob Ov, Zv (+r),
   * Wps Vps Wsd Vdq Udq ..., Pq Qq, Sw, "1", "CL", "AL", "rAX", "DX", "ST0", "STi" and so on. Under VEX: H (vector register in vvvv), B (GPR there),
   * L (vector register in an immediate), size x or ps or pd: 16 or 32 with VEX.L, hx: half of it; "VM": memory of a gather.
   */
  args: string;
  /** LOCK allowed when the first operand is memory. */
  lock?: boolean;
  /** REP/REPNE meaningful (string instructions). */
  rep?: "rep" | "repcc";
  /** Operand size: "d64" defaults to 64 bits in 64-bit mode (push, pop, jumps), "f64" is forced to it, "b" 1 byte, "fixed" ignores 66. */
  size?: "d64" | "f64" | "b" | "fixed";
  /** Flags left undefined by the manual (the judge masks them): letters of "oszapc"; data, for tests only. */
  undef?: string;
  /** The 8-bit immediate selects the operation (shuffles, compares ...): semantics read it with `Sem.staticImm`. */
  staticImm?: boolean;
  /** The result may differ from real processors in the last place of the significand (x87 transcendentals) or within 1.5 * 2^-12 (rcpps, rsqrtps); data, for tests only. */
  approximate?: boolean;
  /** ModRM.mod is ignored: the operand is a register whatever it says. */
  anyMod?: boolean;
  /** Feature bit that must be present, cpuid's name ("sse", "sse2", "ssse3", "avx2" ...); none = x86-64 baseline integer. */
  feature?: string;
  /** Only exists to raise #UD or #GP in user mode, and why ("privileged"). */
  fault?: "ud" | "gp";
}

export interface Insn {
  /** Address of the first byte and length in bytes (1..15). */
  pc: number;
  length: number;
  row: OpRow;
  name: string;
  /** Operand size in bytes (1, 2, 4 or 8), of the integer operation; 16 for vectors. */
  size: number;
  /** Low four bits of the opcode for cc families, else 0. */
  cc: number;
  ops: Operand[];
  rep: "rep" | "repne" | undefined;
  lock: boolean;
  /** 4 with 67, else 8 (also decides RCX/ECX in string instructions and JRCXZ). */
  addressSize: 4 | 8;
  /** Segment override for implicit memory operands (string sources). */
  seg: "fs" | "gs" | undefined;
  rex: number;
  /** Filled in by translate/effects.ts when it is first needed; instructions with the same effects may share it. */
  effects?: Effects;
}

/**
 * The bytes at this address are no instruction: raise the vector (UD, or GP for over-long ones) there. `length` covers what was read.
 * "more": all `length` bytes that were available are the beginning of an instruction; the byte at pc + length is needed.
 */
export interface InvalidInsn {
  pc: number;
  length: number;
  invalid: "ud" | "gp" | "more";
}
