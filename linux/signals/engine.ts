import type { Status, Wait } from "../../hedron/api.ts";
import { VEC } from "../../cpu/layout.ts";
import { E } from "../abi/errno.ts";
import { Fault } from "../memory/mm.ts";
import type { Personality } from "../personality.ts";
import { Life, type Process } from "../process/process.ts";
import { RAX, type Thread } from "../process/thread.ts";
import { enterHandler } from "./frame.ts";
import * as N from "./numbers.ts";
import { DefaultAction, defaultAction, SIG, SIG_DFL, SIG_IGN } from "./numbers.ts";
import { type SigInfo, sigInfo } from "./state.ts";

/** Bytes of the `syscall` instruction: an interrupted call is repeated by going back over it. */
const SYSCALL_BYTES = 2;
const NR_RESTART_SYSCALL = 219;
/** Page-fault error code bits, Intel SDM vol. 3, 4.7. */
const PF_WRITE = 2, PF_FETCH = 16;

/** si_signo and si_code of an exception; page faults are decided by the memory code. */
const TRAPS: Readonly<Record<number, readonly [number, number]>> = {
  [VEC.DE]: [SIG.FPE, N.FPE_INTDIV],
  [VEC.DB]: [SIG.TRAP, N.TRAP_TRACE],
  [VEC.BP]: [SIG.TRAP, N.SI_KERNEL],
  [VEC.OF]: [SIG.SEGV, N.SI_KERNEL],
  [VEC.BR]: [SIG.SEGV, N.SI_KERNEL],
  [VEC.UD]: [SIG.ILL, N.ILL_ILLOPN],
  [VEC.NM]: [SIG.SEGV, N.SI_KERNEL],
  [VEC.TS]: [SIG.SEGV, N.SI_KERNEL],
  [VEC.NP]: [SIG.BUS, N.SI_KERNEL],
  [VEC.SS]: [SIG.BUS, N.SI_KERNEL],
  [VEC.GP]: [SIG.SEGV, N.SI_KERNEL],
  [VEC.MF]: [SIG.FPE, N.FPE_FLTINV],
  [VEC.AC]: [SIG.BUS, N.BUS_ADRALN],
  [VEC.XM]: [SIG.FPE, N.FPE_FLTINV],
};

/** Exception flags of status word and MXCSR, in the order in which they decide; underflow counts denormal operands. */
const FLOAT_CODES: readonly (readonly [number, number])[] = [
  [1, N.FPE_FLTINV],
  [4, N.FPE_FLTDIV],
  [8, N.FPE_FLTOVF],
  [0x12, N.FPE_FLTUND],
  [0x20, N.FPE_FLTRES],
];

/** Sending, choosing and delivering signals. */
export class Signals {
  readonly #os: Personality;

  constructor(os: Personality) {
    this.#os = os;
  }

  /** Would this signal do nothing to `p`? */
  ignored(p: Process, signal: number): boolean {
    const { handler } = p.actions.table[signal];
    return handler === SIG_IGN || handler === SIG_DFL && defaultAction(signal) === DefaultAction.Ignore;
  }

  /** Sends to a process: any thread that does not block it takes it. */
  sendToProcess(p: Process, info: SigInfo): void {
    if (p.life === Life.Zombie || p.life === Life.Gone) return;
    const { signal } = info;
    this.#prepare(p, signal);
    if (this.#dropped(p, undefined, signal)) return;
    p.pending.add(info);
    for (const t of p.threads) {
      if (signal === SIG.KILL || !t.mask.has(signal) || t.waitingFor?.has(signal)) {
        this.#alert(t);
        if (signal !== SIG.KILL) break;
      }
    }
    this.#os.signalArrived(p, signal);
  }

  sendToThread(t: Thread, info: SigInfo): void {
    const { signal } = info;
    if (signal === SIG.KILL || signal === SIG.CONT || signal === SIG.STOP) return this.sendToProcess(t.process, info);
    this.#prepare(t.process, signal);
    if (this.#dropped(t.process, t, signal)) return;
    t.pending.add(info);
    if (!t.mask.has(signal) || t.waitingFor?.has(signal)) this.#alert(t);
    this.#os.signalArrived(t.process, signal);
  }

  /** An ignored signal is dropped at once unless somebody blocks (and may accept) it. */
  #dropped(p: Process, t: Thread | undefined, signal: number): boolean {
    if (signal === SIG.KILL || !this.ignored(p, signal)) return false;
    return !(t === undefined ? p.threads : [t]).some((each) => each.mask.has(signal) || each.waitingFor?.has(signal));
  }

  /** SIGCONT and stop signals cancel each other, and SIGCONT and SIGKILL end a stop, even when blocked. */
  #prepare(p: Process, signal: number): void {
    if (signal === SIG.CONT || signal === SIG.KILL) {
      for (const stop of [SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU]) this.#discard(p, stop);
      if (p.life === Life.Stopped) {
        p.life = Life.Running;
        p.stopSignal = 0;
        if (signal === SIG.CONT) {
          p.continued = true;
          this.#os.tellParent(p, N.CLD_CONTINUED, SIG.CONT);
        }
        for (const t of p.threads) t.wake();
      }
    } else if (defaultAction(signal) === DefaultAction.Stop) {
      this.#discard(p, SIG.CONT);
    }
  }

  #discard(p: Process, signal: number): void {
    p.pending.discard(signal);
    for (const t of p.threads) t.pending.discard(signal);
  }

  /** Makes `t` look at its signals soon: it is woken, or recalled from user mode. */
  #alert(t: Thread): void {
    t.attention = true;
    if (t.sleeping) t.wake();
    else if (!t.inKernel) this.#os.current.ec.recall(t.ec);
  }

  alertAll(p: Process): void {
    for (const t of p.threads) this.#alert(t);
  }

  /** Raised by an instruction: cannot be blocked or ignored (force_sig_info). */
  force(t: Thread, info: SigInfo): void {
    const action = t.process.actions.table[info.signal];
    if (t.mask.has(info.signal) || action.handler === SIG_IGN) {
      action.handler = SIG_DFL;
      t.mask.remove(info.signal);
    }
    t.lastFault = info;
    t.pending.add(info);
    t.attention = true;
  }

  /** A pending signal that is now ignored goes away (POSIX, sigaction). */
  actionChanged(p: Process, signal: number): void {
    if (this.ignored(p, signal)) this.#discard(p, signal);
  }

  /** A signal to deliver, a stop or an end. */
  wantsAttention(t: Thread): boolean {
    const p = t.process;
    return p.dying || p.life === Life.Stopped || this.#next(t) !== 0;
  }

  /** The next signal `t` would take, 0 = none; skips (and drops) ignored ones. */
  #next(t: Thread): number {
    const p = t.process;
    while (true) {
      if (t.pending.set.empty && p.pending.set.empty) return 0;
      const signal = this.#lowest(t);
      if (signal === 0 || !this.ignored(p, signal)) return signal;
      this.#discard(p, signal);
    }
  }

  #lowest(t: Thread): number {
    if (t.lastFault !== undefined && t.pending.set.has(t.lastFault.signal)) return t.lastFault.signal;
    const own = t.pending.set.first(t.mask);
    const shared = t.process.pending.set.first(t.mask);
    return own !== 0 && (shared === 0 || own <= shared) ? own : shared;
  }

  /** Removes a pending signal from the thread or its process. */
  take(t: Thread, signal: number): SigInfo {
    return t.pending.set.has(signal) ? t.pending.take(signal) : t.process.pending.take(signal);
  }

  // ---- exceptions -----------------------------------------------------------------------------------------------------

  /** True when memory was provided and the instruction can run again. */
  pageFault(t: Thread): boolean {
    const { state } = t;
    const { errorCode, faultAddress } = state;
    const outcome = t.process.mm.fault(faultAddress, (errorCode & PF_WRITE) !== 0, (errorCode & PF_FETCH) !== 0);
    if (outcome === Fault.None) return true;
    const [signal, code] = outcome === Fault.Unmapped
      ? [SIG.SEGV, N.SEGV_MAPERR]
      : outcome === Fault.Denied
      ? [SIG.SEGV, N.SEGV_ACCERR]
      : outcome === Fault.BeyondFile
      ? [SIG.BUS, N.BUS_ADRERR]
      : [SIG.KILL, N.SI_KERNEL];
    const info = sigInfo(signal, code);
    info.address = faultAddress;
    // Linux reports user accesses as such: bit 2.
    info.fault = t.trap = { trapno: VEC.PF, errorCode: errorCode | 4, cr2: faultAddress };
    if (signal === SIG.KILL) this.#warnOfMemory(t);
    this.force(t, info);
    return false;
  }

  /** A system call of `t` has found no memory for the program's own pages: the end, as at a page fault. */
  outOfMemory(t: Thread): void {
    this.#warnOfMemory(t);
    this.force(t, sigInfo(SIG.KILL, N.SI_KERNEL));
  }
  #warnOfMemory(t: Thread): void {
    this.#os.warn(`${t.process.image.path}: out of memory`);
  }

  /** si_code of a floating-point exception by the unmasked flags (fpu__exception_code of Linux). */
  #floatCode(t: Thread, vector: number): number {
    const { data, scratch } = this.#os;
    t.state.fxsave(scratch);
    const mxcsr = data.getUint32(scratch + 24, true);
    const flags = vector === VEC.MF ? data.getUint16(scratch + 2, true) & ~data.getUint16(scratch, true) : mxcsr & ~(mxcsr >> 7);
    return FLOAT_CODES.find(([bits]) => (flags & bits) !== 0)?.[1] ?? 0;
  }

  trap(t: Thread, vector: number): void {
    const [signal, code] = TRAPS[vector] ?? [SIG.SEGV, N.SI_KERNEL];
    const float = vector === VEC.MF || vector === VEC.XM;
    const info = sigInfo(signal, float ? this.#floatCode(t, vector) : code);
    const { rip, errorCode } = t.state;
    const hasAddress = vector === VEC.DE || vector === VEC.UD || vector === VEC.MF || vector === VEC.XM || vector === VEC.DB;
    info.address = hasAddress ? rip : 0;
    const hasError = vector === VEC.GP || vector === VEC.TS || vector === VEC.NP || vector === VEC.SS || vector === VEC.AC;
    info.fault = t.trap = { trapno: vector, errorCode: hasError ? errorCode : 0, cr2: t.trap.cr2 };
    this.force(t, info);
  }

  // ---- delivery -------------------------------------------------------------------------------------------------------

  /**
   * Everything that happens between a call (or exception) and the next user instruction. The registers to return with are in `t.state`;
   * `number` is -1 when no call is to be restarted.
   */
  *beforeReturn(t: Thread, number: number, result: number): Generator<Wait, void, Status> {
    const p = t.process;
    let restartable = number >= 0 && result <= -E.ERESTARTSYS && result >= -E.ERESTART_RESTARTBLOCK;
    while (true) {
      t.attention = false;
      if (p.dying || t.ending) return this.#os.endThread(t);
      if (p.life === Life.Stopped) {
        t.sleeping = true;
        yield t.host.smDown(t.slot.sm, 0, true);
        t.sleeping = false;
        this.#os.enter(t.host);
        continue;
      }
      const signal = this.#next(t);
      if (signal === 0) break;
      const info = this.take(t, signal);
      if (t.lastFault === info) t.lastFault = undefined;
      const action = p.actions.table[signal];
      this.#os.tracer?.signal?.(t, info);
      if (action.handler !== SIG_DFL) {
        if (restartable) this.#restart(t, number, result, (action.flags & N.SA_RESTART) !== 0);
        restartable = false;
        if (!this.#deliver(t, info)) {
          // The frame does not fit: SIGSEGV that cannot be caught (force_sigsegv).
          const fatal = sigInfo(SIG.SEGV, N.SI_KERNEL);
          fatal.fault = t.trap;
          this.#os.killProcess(p, fatal, t);
        }
        continue;
      }
      this.#default(t, info);
    }
    if (t.restoreMask) {
      t.restoreMask = false;
      t.mask.copy(t.savedMask);
      if (this.#next(t) !== 0) t.attention = true;
      if (t.attention) return yield* this.beforeReturn(t, restartable ? number : -1, result);
    }
    if (restartable) this.#again(t, result === -E.ERESTART_RESTARTBLOCK ? NR_RESTART_SYSCALL : number);
  }

  #restart(t: Thread, number: number, result: number, flagged: boolean): void {
    if (result === -E.ERESTARTSYS && flagged) this.#again(t, number);
    else t.state.set(RAX, -E.EINTR);
  }

  #again(t: Thread, number: number): void {
    t.state.set(RAX, number);
    t.state.rip = t.state.rip - SYSCALL_BYTES;
  }

  #deliver(t: Thread, info: SigInfo): boolean {
    const action = t.process.actions.table[info.signal];
    const interrupted = t.restoreMask ? t.savedMask : t.mask;
    t.restoreMask = false;
    if (!enterHandler(t, action, info, interrupted)) return false;
    t.mask.set(t.mask.lo | action.mask.lo, t.mask.hi | action.mask.hi);
    if ((action.flags & N.SA_NODEFER) === 0) t.mask.add(info.signal);
    t.mask.remove(SIG.KILL);
    t.mask.remove(SIG.STOP);
    if ((action.flags & N.SA_RESETHAND) !== 0) action.handler = SIG_DFL;
    return true;
  }

  #default(t: Thread, info: SigInfo): void {
    const p = t.process;
    const what = defaultAction(info.signal);
    if (what === DefaultAction.Terminate || what === DefaultAction.Core) {
      this.#os.killProcess(p, info, t);
    } else if (what === DefaultAction.Stop) {
      p.life = Life.Stopped;
      p.stopSignal = info.signal;
      this.#os.tellParent(p, N.CLD_STOPPED, info.signal);
      for (const other of p.threads) if (other !== t) this.#alert(other);
    }
  }
}
