/**
 * MXCSR in the state block: beside the architectural bits one that says whether the sticky exception flags are known.
 *
 * Fast code for floating point gives the results of the default modes and sets no flags. It may run only while the flags are *unknown*, which
 * means: nobody is known to look at them. While they are known, or another mode is set, every instruction goes through
 * helpers/sse_exact.ts, which is slow. A context starts with known flags and a budget of instructions; when that is spent, the flags become
 * unknown. A program that clears flags makes them known, for good, and exact from then on: LDMXCSR with less than there is, or of what STMXCSR
 * has just given without any flag (feclearexcept when there is none). Loading what an earlier STMXCSR gave restores what was known then: code
 * that saves, clears and restores the environment (rounding functions of C libraries) leaves things as they were. Unknown flags read as PE
 * and DE; once a program has been told so, loading just these makes them unknown again.
 */
import { FP_BUDGET, FP_TOLD, FP_TOLD_BUDGET, MXCSR } from "./layout.ts";

/** Bit of the MXCSR field; never visible to programs. */
export const FLAGS_UNKNOWN = 1 << 16;
/** The program has read unknown flags. */
export const FLAGS_TOLD = 1 << 17;
/** What unknown flags look like: inexact, as after nearly any arithmetic, and denormal operand, which C does not know. */
export const UNKNOWN_FLAGS = 0x22;
/** Bits that exist, in the instruction set. */
export const MXCSR_BITS = 0xffff;
/** Everything but the sticky flags: while it is FAST_MODE, fast code may run. */
export const MODE_BITS = 0x1ffc0, FAST_MODE = 0x1f80 | FLAGS_UNKNOWN;
/** Instructions that a fresh context executes exactly before its flags become unknown. */
export const FRESH_BUDGET = 1000;

/** The value that programs see. */
export const visibleMxcsr = (field: number): number =>
  field & FLAGS_UNKNOWN ? field & MXCSR_BITS | UNKNOWN_FLAGS : field & MXCSR_BITS;

/** The program sees the field: what it must be from then on. */
export const toldMxcsr = (field: number): number => field & FLAGS_UNKNOWN ? field | FLAGS_TOLD : field;

/** The field after a program has loaded `value` (reserved bits clear). */
function loadedMxcsr(field: number, value: number): number {
  const flags = value & 0x3f, told = field & FLAGS_TOLD;
  const stays = (field & FLAGS_UNKNOWN) !== 0 && (flags & UNKNOWN_FLAGS) === UNKNOWN_FLAGS;
  return value | told | (stays || (told !== 0 && flags === UNKNOWN_FLAGS) ? FLAGS_UNKNOWN : 0);
}

/** Loads MXCSR into the state block at `at`, as XRSTOR does. Whoever clears a flag wants to know it from now on. */
export function setMxcsr(u32: Uint32Array, at: number, value: number): void {
  const field = (at + MXCSR) >> 2, old = u32[field];
  u32[field] = loadedMxcsr(old, value & MXCSR_BITS);
  if (visibleMxcsr(old) & ~value & 0x3f) u32[(at + FP_BUDGET) >> 2] = 0;
}

/** Bit of FP_TOLD. */
export const JUST_TOLD = 1 << 31;

/** LDMXCSR. */
export function loadMxcsr(u32: Uint32Array, at: number, value: number): void {
  const field = (at + MXCSR) >> 2,
    told = u32[(at + FP_TOLD) >> 2],
    just = (told & JUST_TOLD) !== 0,
    budget = (at + FP_BUDGET) >> 2;
  u32[(at + FP_TOLD) >> 2] = told & ~JUST_TOLD;
  if (told !== 0 && !just && value === visibleMxcsr(told)) {
    u32[field] = told;
    u32[budget] = u32[(at + FP_TOLD_BUDGET) >> 2];
    return;
  }
  const asked = just && value === visibleMxcsr(u32[field]) && (value & 0x3f) === 0;
  setMxcsr(u32, at, value);
  if (asked) u32[budget] = 0;
}

/** What is known of a context's flags, in images that a kernel keeps: until the budget is spent, for good, nothing (and told so). */
export type FlagKnowledge = 0 | 1 | 2;
export function flagKnowledge(u32: Uint32Array, at: number): FlagKnowledge {
  const field = u32[(at + MXCSR) >> 2];
  if (field & (FLAGS_UNKNOWN | FLAGS_TOLD)) return 2;
  return u32[(at + FP_BUDGET) >> 2] === 0 ? 1 : 0;
}
/** What a kernel puts into a context. */
export function restoreMxcsr(u32: Uint32Array, at: number, value: number, known: number): void {
  const flags = value & UNKNOWN_FLAGS;
  const unknown = known === 2 ? FLAGS_TOLD | (flags === UNKNOWN_FLAGS ? FLAGS_UNKNOWN : 0) : 0;
  u32[(at + MXCSR) >> 2] = value & MXCSR_BITS | unknown;
  u32[(at + FP_BUDGET) >> 2] = known === 0 ? FRESH_BUDGET : 0;
}
