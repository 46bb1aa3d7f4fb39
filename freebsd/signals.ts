import { VEC } from "../cpu/layout.ts";
import { Fault } from "../linux/memory/mm.ts";
import { type SigInfo, sigInfo } from "../linux/signals/state.ts";
import { hex } from "../linux/trace/report.ts";
import * as N from "./abi/signals.ts";
import { ignoredByDefault, SIG, SIG_DFL, SIG_IGN, signalName } from "./abi/signals.ts";
import { enterHandler } from "./frame.ts";
import type { FreeBsd } from "./personality.ts";
import type { Process } from "./process.ts";
import { RAX, type Thread } from "./thread.ts";

/** Bytes of `syscall`. */
const SYSCALL_BYTES = 2;
/** Page-fault error code bits, Intel SDM vol. 3, 4.7; FreeBSD's trap number for it (x86/include/trap.h). */
const PF_WRITE = 2, PF_FETCH = 16, T_PAGEFLT = 12;

/** Signal, si_code and FreeBSD's trap number of an exception: trap() in sys/amd64/amd64/trap.c. */
const TRAPS: Readonly<Record<number, readonly [signal: number, code: number, trapno: number]>> = {
  [VEC.DE]: [SIG.FPE, N.FPE_INTDIV, 18],
  [VEC.DB]: [SIG.TRAP, N.TRAP_TRACE, 10],
  [VEC.BP]: [SIG.TRAP, N.TRAP_BRKPT, 3],
  [VEC.OF]: [SIG.FPE, N.FPE_INTOVF, 20],
  [VEC.BR]: [SIG.FPE, N.FPE_FLTSUB, 21],
  [VEC.UD]: [SIG.ILL, N.ILL_PRVOPC, 1],
  [VEC.TS]: [SIG.BUS, N.BUS_OBJERR, 26],
  [VEC.NP]: [SIG.BUS, N.BUS_ADRALN, 27],
  [VEC.SS]: [SIG.BUS, N.BUS_OBJERR, 28],
  [VEC.GP]: [SIG.BUS, N.BUS_OBJERR, 9],
  [VEC.MF]: [SIG.FPE, N.FPE_FLTINV, 19],
  [VEC.AC]: [SIG.BUS, N.BUS_ADRALN, 14],
  [VEC.XM]: [SIG.FPE, N.FPE_FLTINV, 29],
};

/** Sending, choosing and delivering signals. */
export class Signals {
  constructor(private readonly os: FreeBsd) {}

  #ignored(p: Process, signal: number): boolean {
    const { handler } = p.actions.table[signal];
    return handler === SIG_IGN || handler === SIG_DFL && ignoredByDefault(signal);
  }

  sendToProcess(p: Process, info: SigInfo): void {
    if (this.#ignored(p, info.signal)) return;
    p.pending.add(info);
    for (const t of p.threads) if (!t.mask.has(info.signal)) return this.#alert(t);
  }

  sendToThread(t: Thread, info: SigInfo): void {
    if (this.#ignored(t.process, info.signal)) return;
    t.pending.add(info);
    if (!t.mask.has(info.signal)) this.#alert(t);
  }

  /** Makes `t` look at its signals soon: it is woken, or recalled from user mode. */
  #alert(t: Thread): void {
    t.attention = true;
    if (t.sleeping) t.wake();
    else if (!t.inKernel) this.os.current.ec.recall(t.ec);
  }

  /** Raised by an instruction: cannot be blocked or ignored (trapsignal). */
  #force(t: Thread, info: SigInfo): void {
    const action = t.process.actions.table[info.signal];
    if (t.mask.has(info.signal) || action.handler === SIG_IGN) {
      action.handler = SIG_DFL;
      t.mask.remove(info.signal);
    }
    t.pending.add(info);
    t.lastFault = info;
    t.attention = true;
  }

  /** The next signal `t` would take, 0 = none. Ignored ones are dropped. */
  next(t: Thread): number {
    while (true) {
      const forced = t.lastFault?.signal ?? 0;
      const signal = forced !== 0 && t.pending.set.has(forced)
        ? forced
        : t.pending.set.first(t.mask) || t.process.pending.set.first(t.mask);
      if (signal === 0 || signal === forced || !this.#ignored(t.process, signal)) return signal;
      t.pending.discard(signal);
      t.process.pending.discard(signal);
    }
  }

  /** True when memory was provided and the instruction can run again. */
  pageFault(t: Thread): boolean {
    const { errorCode, faultAddress } = t.state;
    const fault = t.process.space.mm.fault(faultAddress, (errorCode & PF_WRITE) !== 0, (errorCode & PF_FETCH) !== 0);
    if (fault === Fault.None) return true;
    const [signal, code] = fault === Fault.BeyondFile
      ? [SIG.BUS, N.BUS_OBJERR]
      : fault === Fault.NoMemory
      ? [SIG.KILL, N.SI_KERNEL]
      : [SIG.SEGV, fault === Fault.Denied ? N.SEGV_ACCERR : N.SEGV_MAPERR];
    const info = sigInfo(signal, code);
    info.address = faultAddress;
    info.fault = { trapno: T_PAGEFLT, errorCode: errorCode | 4, cr2: faultAddress };
    this.#force(t, info);
    return false;
  }

  trap(t: Thread, vector: number): void {
    const [signal, code, trapno] = TRAPS[vector] ?? [SIG.BUS, N.BUS_OBJERR, 0];
    const info = sigInfo(signal, code);
    info.address = t.state.rip;
    info.fault = { trapno, errorCode: 0, cr2: 0 };
    this.#force(t, info);
  }

  /** Everything between a call (or exception) and the next user instruction. `number`: of a call to be restarted, or -1. */
  beforeReturn(t: Thread, number: number): void {
    let restart = number;
    while (true) {
      t.attention = false;
      if (t.process.dying || t.ending) return this.os.life.endThread(t);
      const signal = this.next(t);
      if (signal === 0) break;
      const info = t.pending.set.has(signal) ? t.pending.take(signal) : t.process.pending.take(signal);
      if (t.lastFault?.signal === signal) t.lastFault = undefined;
      const action = t.process.actions.table[signal];
      if (action.handler === SIG_DFL) {
        this.#kill(t, info);
        continue;
      }
      if (restart >= 0 && (action.flags & N.SA_RESTART) !== 0) this.#again(t, restart);
      restart = -1;
      if (!enterHandler(t, action, info)) {
        this.#kill(t, sigInfo(SIG.ILL, N.SI_KERNEL));
        continue;
      }
      t.mask.set(t.mask.lo | action.mask.lo, t.mask.hi | action.mask.hi);
      if ((action.flags & N.SA_NODEFER) === 0) t.mask.add(signal);
      if ((action.flags & N.SA_RESETHAND) !== 0) action.handler = SIG_DFL;
    }
    if (restart >= 0) this.#again(t, restart);
  }

  /** The system call again: back over `syscall`, with its number. */
  #again(t: Thread, number: number): void {
    t.state.set(RAX, t.shift === 1 ? 0 : number);
    t.state.rip -= SYSCALL_BYTES;
  }

  #kill(t: Thread, info: SigInfo): void {
    const p = t.process;
    const address = info.fault === undefined ? "" : `, address ${hex(info.address)}`;
    // Who has started a process tells of its end; nobody else does for the first one.
    if (p.parent === undefined || this.os.options.verbose) {
      this.os.warn(`${p.path} (pid ${p.pid}): ${signalName(info.signal)}, PC 0x${t.state.rip.toString(16)}${address}`);
    }
    this.os.life.exit(p, info.signal, t);
  }
}
