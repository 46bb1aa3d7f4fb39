import { type ArchState, type HostEc, Status, type Wait } from "../hedron/api.ts";
import type { Slot } from "../linux/process/slot.ts";
import { type Result, TIMER_SLACK, Woken } from "../linux/process/wait.ts";
import { SigSet } from "../linux/signals/sigset.ts";
import { PendingSignals, type SigInfo } from "../linux/signals/state.ts";
import type { FreeBsd } from "./personality.ts";
import type { Process } from "./process.ts";

/** Registers of the six arguments: RDI RSI RDX R10 R8 R9. */
const ARGUMENTS = [7, 6, 2, 10, 8, 9] as const;
export const RAX = 0, RCX = 1, RDX = 2, RSI = 6, RDI = 7, R11 = 11;

/** A FreeBSD thread: one guest EC, served by the handler EC of its slot. */
export class Thread {
  host: HostEc;
  state: ArchState;
  /** Selectors of the guest EC and its SC; event base of its portals in its PD. */
  ec = 0;
  sc = 0;
  eventBase = 0;
  readonly mask = new SigSet();
  readonly pending = new PendingSignals();
  altStack = 0;
  altStackSize = 0;
  /** A signal or the end must be looked at before the thread runs again. */
  attention = false;
  ending = false;
  /** Its handler runs or waits. */
  inKernel = false;
  sleeping = false;
  /** The handler has set the registers itself (sigreturn). */
  ownReply = false;
  /** The EC is gone. */
  gone = false;
  /** execve(2) has given it another EC: the running handler has nobody to answer. */
  replaced = false;
  /** How the first run begins. */
  start: ((t: Thread) => void) | undefined;
  /** First argument's index: 1 in the indirect calls `syscall` and `__syscall`. */
  shift = 0;
  lastFault: SigInfo | undefined;

  constructor(readonly os: FreeBsd, readonly process: Process, readonly tid: number, readonly slot: Slot<Thread>) {
    this.host = slot.host;
    this.state = slot.host.state;
  }

  /** Unsigned 64-bit argument; exact below 2^53. Arguments beyond the sixth lie on the stack. */
  arg(n: number): number {
    const i = n + this.shift;
    return i < ARGUMENTS.length ? this.state.num(ARGUMENTS[i]) : this.process.user.u64(this.#stackArgument(i));
  }

  long(n: number): number {
    const i = n + this.shift;
    return i < ARGUMENTS.length ? this.state.int(ARGUMENTS[i]) : this.process.user.i64(this.#stackArgument(i));
  }

  int(n: number): number {
    const i = n + this.shift;
    return i < ARGUMENTS.length ? this.state.lo(ARGUMENTS[i]) | 0 : this.process.user.u32(this.#stackArgument(i)) | 0;
  }

  uint(n: number): number {
    return this.int(n) >>> 0;
  }

  /** Above the return address (cpu_fetch_syscall_args). The user's RSP stands in R11. */
  #stackArgument(i: number): number {
    return this.state.num(R11) + 8 + 8 * (i - ARGUMENTS.length);
  }

  interrupted(): boolean {
    return this.ending || this.process.dying || this.os.signals.next(this) !== 0;
  }

  /** Waits for `wake()`, a signal, or the deadline (TSC, 0 = none). */
  *sleep(deadline: number): Generator<Wait, Woken, Status> {
    if (this.interrupted()) return Woken.Interrupted;
    const short = deadline !== 0 && deadline - this.os.now() < TIMER_SLACK;
    this.sleeping = true;
    const status = yield this.host.smDown(this.slot.sm, deadline, true);
    this.sleeping = false;
    this.os.enter(this.host);
    if (this.interrupted()) return Woken.Interrupted;
    if (status !== Status.ComTim) return Woken.Event;
    if (short) this.host.yieldCpu();
    return Woken.TimedOut;
  }

  wake(): void {
    if (!this.sleeping) return;
    this.sleeping = false;
    this.os.current.ec.smUp(this.slot.sm);
  }
}

export type Handler = (t: Thread) => Result;
