import type { Cpu } from "../cpu/api.ts";
import { GPR, IF, IOPL, RF, RIP, SEG_CS, SEG_SS } from "../cpu/layout.ts";

/**
 * The interrupt frame that the kernel keeps per guest EC: RIP, RSP, RFLAGS and CS of its last interrupt, exception or state
 * message (ABI 7.4). State messages show and change these four in the frame and everything else in the state block; the return from
 * a message loads the frame ("iret"). A foreign system call does not write it, so its message shows stale values (ABI 8.3).
 * SS never changes.
 *
 * FRAME_CALL_FLAGS is beside it: RFLAGS of the state block while the EC is in a foreign call, else 0; no message shows them
 * (`ArchState.callFlags`).
 */
export const FRAME_RIP = 0, FRAME_RSP = 8, FRAME_RFLAGS = 16, FRAME_CS = 20, FRAME_CALL_FLAGS = 24;
export const FRAME_BYTES = 64;

/** Segments and flags of an EC that never ran (ABI 7.5) and after sysret (ABI 6.1). */
export const INITIAL_CS = 0x1b, INITIAL_SS = 0x23, INITIAL_RFLAGS = 0x200;
export const SYSRET_CS = 0x2b, SYSRET_RFLAGS = 0x202, SYSRET_R11 = 0x200;

export const RAX = GPR, RCX = GPR + 8, RDX = GPR + 16, RBX = GPR + 24, RSP = GPR + 32;
export const RSI = GPR + 48, RDI = GPR + 56, R8 = GPR + 64, R11 = GPR + 88;

const VM = 1 << 17, VIF = 1 << 19, VIP = 1 << 20;

/** RFLAGS that a reply may set: IOPL, RF, VM, VIF, VIP forced 0, IF forced 1 (ABI 4.3). */
export function sanitizeFlags(rflags: number): number {
  return ((rflags & ~(IOPL | RF | VM | VIF | VIP)) | IF | 2) & 0x7fffff;
}

function copy64(u32: Uint32Array, to: number, from: number): void {
  u32[to >> 2] = u32[from >> 2];
  u32[(to + 4) >> 2] = u32[(from + 4) >> 2];
}

/** Entry by interrupt or exception: saves the located block's values. */
export function saveFrame(cpu: Cpu, at: number, frame: number): void {
  const u32 = cpu.ram.u32;
  copy64(u32, frame + FRAME_RIP, at + RIP);
  copy64(u32, frame + FRAME_RSP, at + RSP);
  u32[(frame + FRAME_RFLAGS) >> 2] = cpu.getFlags(at);
  u32[(frame + FRAME_CS) >> 2] = u32[(at + SEG_CS) >> 2];
  u32[(frame + FRAME_CALL_FLAGS) >> 2] = 0;
}

/** Return from a state message: what an interrupt saves, the frame restores. */
export function iret(cpu: Cpu, at: number, frame: number): void {
  const u32 = cpu.ram.u32;
  copy64(u32, at + RIP, frame + FRAME_RIP);
  copy64(u32, at + RSP, frame + FRAME_RSP);
  u32[(at + SEG_CS) >> 2] = u32[(frame + FRAME_CS) >> 2];
  const rflags = u32[(frame + FRAME_RFLAGS) >> 2];
  if (rflags === u32[(frame + FRAME_CALL_FLAGS) >> 2]) return;
  cpu.setFlags(at, rflags);
  u32[(frame + FRAME_CALL_FLAGS) >> 2] = 0;
}

/** Entry by `syscall`: the kernel keeps the user RSP in R11 (ABI 6.1). */
export function enterSyscall(cpu: Cpu, at: number): void {
  copy64(cpu.ram.u32, at + R11, at + RSP);
}

/** After a native system call an interrupted return (recall) continues at RCX with RSP = R11 (ABI 7.6). */
export function frameFromSysret(cpu: Cpu, at: number, frame: number): void {
  const u32 = cpu.ram.u32;
  copy64(u32, frame + FRAME_RIP, at + RCX);
  copy64(u32, frame + FRAME_RSP, at + RSP);
  u32[(frame + FRAME_CALL_FLAGS) >> 2] = 0;
  enterSyscall(cpu, at);
}

/** Return by sysret: R11, RFLAGS and segments as the kernel leaves them. RIP and RSP are in place. */
export function sysret(cpu: Cpu, at: number): void {
  const u32 = cpu.ram.u32;
  u32[(at + R11) >> 2] = SYSRET_R11;
  u32[(at + R11 + 4) >> 2] = 0;
  cpu.setFlags(at, SYSRET_RFLAGS);
  u32[(at + SEG_CS) >> 2] = SYSRET_CS;
  u32[(at + SEG_SS) >> 2] = INITIAL_SS;
}

/** Exact, because it is a power of two; cheaper than a division. */
const INVERSE_HIGH_UNIT = 2 ** -32;

export function setReg(u32: Uint32Array, at: number, lo: number, hi: number): void {
  u32[at >> 2] = lo;
  u32[(at + 4) >> 2] = hi;
}

/** Stores an exact integer as two's complement. */
export function setNumber(u32: Uint32Array, at: number, value: number): void {
  u32[at >> 2] = value | 0;
  u32[(at + 4) >> 2] = value === (value | 0) ? value >> 31 : Math.floor(value * INVERSE_HIGH_UNIT) | 0;
}

/** Reads an unsigned 64-bit word, exact below 2^53. */
export function getNumber(u32: Uint32Array, at: number): number {
  return u32[(at + 4) >> 2] * 0x1_0000_0000 + u32[at >> 2];
}

/** Gives a new EC's block and frame their first values: `rsp` is create_ec's stack argument. */
export function initialState(cpu: Cpu, state: number, frame: number, rsp: number): void {
  cpu.resetState(state);
  const at = cpu.locate(state), u32 = cpu.ram.u32;
  setNumber(u32, at + RSP, rsp);
  setNumber(u32, frame + FRAME_RIP, 0);
  setNumber(u32, frame + FRAME_RSP, rsp);
  u32[(frame + FRAME_RFLAGS) >> 2] = INITIAL_RFLAGS;
  u32[(frame + FRAME_CS) >> 2] = INITIAL_CS;
  u32[(frame + FRAME_CALL_FLAGS) >> 2] = 0;
  u32[(at + SEG_SS) >> 2] = INITIAL_SS;
  iret(cpu, at, frame);
}
