import type { CpuHooks, Ram } from "../api.ts";
import type { Insn, MemOperand } from "../insn.ts";
import type { CpuLevel } from "../level.ts";
import type { Float80 } from "./float80.ts";

/**
 * What a JavaScript helper of an instruction works on. All guest registers are in the state block at STATE (layout.ts) of `ram`; RIP there is
 * this instruction's address while the helper runs and is advanced by the caller unless the helper calls `repeat`.
 * Addresses are signed numbers, the upper half negative: exact if they are canonical; whatever is not faults with #GP in `translate`.
 * So are sums of them (an address and an offset, a segment's base and a pointer): what would be rounded is not canonical.
 */
export interface HelperContext {
  readonly ram: Ram;
  readonly hooks: CpuHooks;
  /** What the processor claims to be. */
  readonly level: CpuLevel;
  /** Working registers of the x87 arithmetic (`new Float80()`); nothing in it lives longer than one instruction. */
  readonly float80: Float80;
  /** Effective linear address (segment base included, wrapped to 64 bits). */
  address(op: MemOperand): number;
  /**
   * Physical address of `va` for an access of `bytes` (at most up to the end of its page). Raises #PF / #GP when not allowed.
   * For accesses that may cross a page use the load/store functions below.
   */
  translate(va: number, bytes: number, write: boolean): number;
  /** Longest physically contiguous run from `va` with the right, at most `limit` bytes; 0 when `va` itself is not accessible (nothing raised). */
  run(va: number, limit: number, write: boolean): number;
  /** Physical address of `va` when all of [va, va+bytes) is contiguous and allows the access, else -1 (nothing raised). */
  contiguous(va: number, bytes: number, write: boolean): number;
  /** Linear address at which `bytes` (at most 32) bytes of `va` can be read now, across pages, too. */
  readAt(va: number, bytes: number): number;
  load8(va: number): number;
  load16(va: number): number;
  load32(va: number): number;
  /** Checks [va, va+bytes) for the access, page by page, then copies; nothing is written when any byte faults. */
  loadBytes(va: number, into: Uint8Array): void;
  storeBytes(va: number, from: Uint8Array): void;
  /** Raises the fault that writing to [va, va + bytes) would raise; less than a page. */
  checkWrite(va: number, bytes: number): void;
  /** Guest memory was written by other means (through `ram` at a translated address): drop translated code made from it. */
  codeWritten(pa: number, bytes: number): void;
  /** Raises an exception at this instruction. Registers the helper has changed so far stay changed. */
  raise(vector: number, errorCode: number, address?: number): never;
  /** The instruction is not finished (REP with registers updated): run it again from its own RIP after a poll for interrupts. */
  repeat(): void;
  /** RFLAGS as one value, both ways. */
  getFlags(): number;
  setFlags(rflags: number): void;
}

export type Helper = (c: HelperContext, i: Insn) => void;
