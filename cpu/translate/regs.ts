/**
 * Sets of what translated code keeps in locals: one bit per GPR (0..15) and XMM register (16..31).
 */
import type { Semantic } from "../sem.ts";

export const gprBit = (n: number): number => 1 << n;
export const xmmBit = (n: number): number => 1 << (16 + n);

/** Registers whose locals may differ from the state block, `high`: upper YMM halves (bit n), `zero`: those of them that are zero. */
export interface Dirty {
  r: number;
  high: number;
  zero: number;
}
export const ALL_HIGH = 0xffff;

/** What one instruction does with registers and flags. */
export interface Effects {
  /** Read, or written only in part or on some paths. */
  uses: number;
  /** Certainly overwritten as a whole. */
  defs: number;
  /** Written in any way. */
  writes: number;
  /** The same of upper YMM halves (bit n), and which of them certainly become zero. */
  highUses: number;
  highDefs: number;
  highWrites: number;
  highZeros: number;
  flagUses: number;
  /** Certainly overwritten. */
  flagDefs: number;
  /** Flags are set on some paths only (in `Sem.if`). */
  flagsSometimes: boolean;
  /** Works on the state block in memory: everything is written back before and reloaded after. */
  helper: boolean;
  /** May leave the region before anything has changed: accesses memory, or raises an exception. */
  leaves: boolean;
  /** Change of RSP; NaN when it is not constant. */
  moves: number;
  /** Stack access beside the memory operand: displacement from RSP before the instruction, and bytes (0 = none). */
  stackAt: number;
  stackBytes: number;
  /** Which operand is memory that is accessed (-1 = none), and whether it may be written. */
  operandAt: number;
  writesOperand: boolean;
  /** Undefined when there is none, or the instruction always faults. */
  semantic: Semantic | undefined;
  /** Floating point that may run only while MXCSR is in its fast mode (cpu/mxcsr.ts). */
  arithmetic: boolean;
}

/** Flags that can be read by condition code cc (pairs share). */
export const CC_FLAGS = [32, 32, 1, 1, 8, 8, 1 | 8, 1 | 8, 16, 16, 2, 2, 16 | 32, 16 | 32, 8 | 16 | 32, 8 | 16 | 32] as const;
