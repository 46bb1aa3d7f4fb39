/** Exceptions of hyperapps: the start, the end by returning, and everything that kills. */
import { VEC } from "../cpu/layout.ts";
import { MTD, type PortalHandler } from "../hedron/api.ts";
import { PROCESS } from "./protocol.ts";
import { type Context, EXCEPTION_ID_SHIFT } from "./processes.ts";

interface Row {
  readonly name: string;
  /** The signal Linux would send (arch/x86/kernel/traps.c); exit code 128 + this. */
  readonly signal: number;
}

const SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11;

const EXCEPTION: Readonly<Record<number, Row>> = {
  [VEC.DE]: { name: "divide error", signal: SIGFPE },
  [VEC.DB]: { name: "debug exception", signal: SIGTRAP },
  [VEC.BP]: { name: "breakpoint", signal: SIGTRAP },
  [VEC.OF]: { name: "overflow", signal: SIGSEGV },
  [VEC.BR]: { name: "bound range exceeded", signal: SIGSEGV },
  [VEC.UD]: { name: "invalid opcode", signal: SIGILL },
  [VEC.NM]: { name: "device not available", signal: SIGSEGV },
  [VEC.TS]: { name: "invalid task state segment", signal: SIGSEGV },
  [VEC.NP]: { name: "segment not present", signal: SIGBUS },
  [VEC.SS]: { name: "stack fault", signal: SIGBUS },
  [VEC.GP]: { name: "general protection fault", signal: SIGSEGV },
  [VEC.PF]: { name: "page fault", signal: SIGSEGV },
  [VEC.MF]: { name: "x87 floating-point exception", signal: SIGFPE },
  [VEC.AC]: { name: "alignment check", signal: SIGBUS },
  [VEC.XM]: { name: "SIMD floating-point exception", signal: SIGFPE },
};
const UNKNOWN: Row = { name: "exception", signal: SIGSEGV };

/** RSP at the entry of a hyperapp: as if a return address had been pushed on a 64-byte aligned stack (ABI 10.4). */
const ENTRY_RSP = PROCESS.STACK_TOP - 64 + 8;
const RAX = 0;

/** Addresses of the upper half come as negative numbers. */
const hex = (value: number): string => `0x${(value < 0 ? BigInt.asUintN(64, BigInt(value)) : value).toString(16)}`;

export function exceptionHandler(context: Context): PortalHandler {
  return (id, ec) => {
    const process = context.processes.get(Math.floor(id / 2 ** EXCEPTION_ID_SHIFT)), { state } = ec;
    if (process === undefined) return;
    const vector = id % 2 ** EXCEPTION_ID_SHIFT;
    if (vector === PROCESS.STARTUP) {
      state.mtd = MTD.RIP | MTD.RSP;
      state.rip = process.entry;
      state.rsp = ENTRY_RSP;
      return;
    }
    if (vector === PROCESS.RECALL) return;
    if (vector === VEC.PF && state.rip === 0) {
      // The entry point has returned to the zero word at the bottom of its stack.
      return context.processes.end(context, ec, process, { exitCode: state.lo(RAX) & 0xff });
    }
    const { name, signal } = EXCEPTION[vector] ?? UNKNOWN;
    const where = vector === VEC.PF ? `, address ${hex(state.faultAddress)}` : "";
    const message = `Killed "${process.name}" (pid ${process.pid}): ${name} at ${hex(state.rip)}${where}`;
    context.output.message(message);
    context.processes.end(context, ec, process, { exitCode: 128 + signal, message });
  };
}
