import { SA_NODEFER, SIG, SIG_DFL, SIG_IGN } from "./numbers.ts";
import { SigSet } from "./sigset.ts";

/** What is delivered with a signal: the used fields of siginfo_t. */
export interface SigInfo {
  signal: number;
  code: number;
  /** si_pid / si_uid, or si_timerid. */
  pid: number;
  uid: number;
  /** si_status of SIGCHLD. */
  status: number;
  /** si_addr of faults; si_value of queued signals. */
  address: number;
  /** si_value's upper half is lost beyond 2^53: kept as halves. */
  valueLo: number;
  valueHi: number;
  /** Raised by the processor on this instruction. */
  fault?: Trap;
}

/** What an exception leaves with its thread (thread_struct of Linux). */
export interface Trap {
  readonly trapno: number;
  readonly errorCode: number;
  /** Address of the last page fault that became a signal. */
  readonly cr2: number;
}
export const NO_TRAP: Trap = { trapno: 0, errorCode: 0, cr2: 0 };

export function sigInfo(signal: number, code: number, pid = 0, uid = 0): SigInfo {
  return { signal, code, pid, uid, status: 0, address: 0, valueLo: 0, valueHi: 0 };
}

/** One `struct sigaction` (kernel form). */
export interface SigAction {
  handler: number;
  flags: number;
  restorer: number;
  readonly mask: SigSet;
}

/** Dispositions; shared by threads (CLONE_SIGHAND). */
export class SigActions {
  users = 1;
  readonly table: SigAction[] = [];

  constructor(from?: SigActions) {
    for (let i = 0; i <= SIG.RTMAX; i++) {
      const old = from?.table[i];
      const mask = new SigSet();
      if (old !== undefined) mask.copy(old.mask);
      this.table.push({ handler: old?.handler ?? SIG_DFL, flags: old?.flags ?? 0, restorer: old?.restorer ?? 0, mask });
    }
  }

  /** execve(2): handlers become default, ignored signals stay ignored. */
  resetForExec(): void {
    for (const action of this.table) {
      if (action.handler !== SIG_IGN) action.handler = SIG_DFL;
      action.flags = 0;
      action.restorer = 0;
      action.mask.set(0, 0);
    }
  }

  /** Signals blocked while the handler of `signal` runs are `mask` plus these. */
  blocks(signal: number): boolean {
    return (this.table[signal].flags & SA_NODEFER) === 0;
  }
}

/** Signals that wait for delivery: to one thread, or to any thread of a process. */
export class PendingSignals {
  readonly set = new SigSet();
  readonly #queue: SigInfo[] = [];

  /** Standard signals are merged, real-time ones queue. */
  add(info: SigInfo): void {
    if (info.signal < SIG.RTMIN && this.set.has(info.signal)) return;
    this.set.add(info.signal);
    this.#queue.push(info);
  }

  get count(): number {
    return this.#queue.length;
  }

  take(signal: number): SigInfo {
    const i = this.#queue.findIndex((info) => info.signal === signal);
    const info = this.#queue.splice(i, 1)[0];
    if (!this.#queue.some((other) => other.signal === signal)) this.set.remove(signal);
    return info;
  }

  discard(signal: number): void {
    if (!this.set.has(signal)) return;
    this.set.remove(signal);
    for (let i = this.#queue.length - 1; i >= 0; i--) if (this.#queue[i].signal === signal) this.#queue.splice(i, 1);
  }

  clear(): void {
    this.set.set(0, 0);
    this.#queue.length = 0;
  }
}
