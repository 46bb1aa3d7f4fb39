import type { AddressSpace } from "./space.ts";

/** Why `Cpu.run` returned. */
export const enum Trap {
  /** The time slice is over; RIP is the next instruction. */
  Timer = 0,
  /** A `syscall` instruction: RIP and RCX are the next instruction, R11 is RFLAGS (as the hardware leaves them). */
  Syscall = 1,
  /** An exception; see `vector`, `errorCode`, `faultAddress`. RIP is the faulting instruction (or the next one for traps). */
  Exception = 2,
  /** Like Timer, but before the end: the program spins, as PAUSE tells (what virtual machines call a PAUSE-loop exit, SDM vol. 3, 26.1.3). */
  Pause = 3,
}

/** What the processor asks of the world around it. Everything is synchronous. */
export interface CpuHooks {
  /** Time-stamp counter, in ticks of 1 ns, as an exact integer below 2^53. */
  tsc(): number;
  /** May the code that runs now access these ports? Decides between I/O and #GP. */
  portAllowed(port: number, bytes: number): boolean;
  portIn(port: number, bytes: number): number;
  portOut(port: number, bytes: number, value: number): void;
  /** Fills `out` with entropy (RDRAND, RDSEED). */
  random(out: Uint8Array): void;
}

/**
 * Called at a `syscall` instruction, with the registers in the located block as the hardware leaves them (RIP and RCX: the next instruction,
 * R11: RFLAGS).
 * True: the same code goes on at RIP at once, without `run` returning. False: it has been dealt with, but `run` shall return `Trap.Syscall`.
 * The hook may change the registers and mappings, and may call `run` for another state block.
 */
export type SyscallHook = () => boolean;

/** WebAssembly modules made beforehand (cpu/prebuilt/), so that a machine starts sooner; they do what is otherwise generated at run time. */
export interface Prebuilt {
  /** `runtimeModule(undefined)`. */
  readonly runtime: Uint8Array<ArrayBuffer>;
  /** Handlers of common instruction forms, exported under their form keys. */
  readonly handlers: Uint8Array<ArrayBuffer>;
}

/** The machine's RAM and the usual views of it. The memory never grows, so the views stay valid. */
export interface Ram {
  readonly memory: WebAssembly.Memory;
  /** Bytes in total, the CPU's and kernel's private part included. */
  readonly size: number;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u16: Uint16Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
}

/** One virtual processor. The kernel is its only user. Created by `createCpu` (cpu/mod.ts). */
export interface Cpu {
  readonly ram: Ram;
  createSpace(): AddressSpace;
  /**
   * Runs user code of the EC whose saved state block is at physical address `state` (STATE_BYTES, 64-byte aligned) in
   * `space` until a trap; `sliceNs` bounds the run time, approximately (0 = return at the first poll).
   * The block's current content may stay cached at STATE until another block is run: read it through `locate`.
   */
  run(state: number, space: AddressSpace, sliceNs: number, onSyscall?: SyscallHook): Trap;
  /** Where the fields of this state block are *now*: STATE when the block is loaded, else `state` itself. */
  locate(state: number): number;
  /** Resets a block to the register values of a fresh EC: all zero, FCW 0x37f, MXCSR 0x1f80, RFLAGS 0x202 less IF rules of the ABI. */
  resetState(state: number): void;
  /** Forgets that a block is loaded (its EC has died). */
  discard(state: number): void;
  /** RFLAGS of a *located* block as one architectural value (bit 1 set). */
  getFlags(at: number): number;
  setFlags(at: number, rflags: number): void;
  /** Writes / reads the 512-byte FXSAVE64 image of a located block to / from RAM at `pa`. */
  fxsave(at: number, pa: number): void;
  fxrstor(at: number, pa: number): void;
  /** The same with the upper halves of the YMM registers: a standard XSAVE area of 832 bytes. */
  xsave(at: number, pa: number): void;
  xrstor(at: number, pa: number): void;
  /** After `Trap.Exception`. */
  readonly vector: number;
  readonly errorCode: number;
  /** CR2 for page faults; the upper half of the address space as negative numbers, so that it is exact. */
  readonly faultAddress: number;
  /** Bytes in RAM at physical [pa, pa+length) were changed from outside (kernel, host PD): drop translations made from them. */
  codeChanged(pa: number, length: number): void;
}
