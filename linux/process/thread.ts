import type { ArchState, HostEc, Status, Wait } from "../../hedron/api.ts";
import { Status as HedronStatus } from "../../hedron/api.ts";
import type { FsClient } from "../../fs/api.ts";
import { NO_TRAP, PendingSignals, type SigInfo } from "../signals/state.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Personality } from "../personality.ts";
import { type Credentials, isSomebodyElse } from "./credentials.ts";
import type { Process } from "./process.ts";
import type { Slot } from "./slot.ts";
import { TIMER_SLACK, Woken } from "./wait.ts";

/** Registers of the six arguments: RDI RSI RDX R10 R8 R9, as Intel numbers. */
const ARGUMENTS = [7, 6, 2, 10, 8, 9] as const;
export const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7, R8 = 8, R9 = 9, R10 = 10, R11 = 11;

export const enum Reply {
  /** The dispatcher, from the handler's result. */
  Normal,
  /** The handler has (rt_sigreturn, execve). */
  Own,
  /** Nobody: the EC was replaced or destroyed during the call. */
  Gone,
}

/** A Linux thread: one guest EC, served by the handler EC of its slot. */
export class Thread {
  /** Changed by execve only. */
  tid: number;
  readonly process: Process;
  readonly os: Personality;
  slot: Slot;
  /** The handler EC as its code sees it, and the guest's registers in it. Set when a handler starts. */
  host: HostEc;
  state: ArchState;
  /** Selectors of the guest EC and its SC, event base of its portals in its PD. */
  ec = 0;
  sc = 0;
  eventBase = 0;
  /** Only `become` changes it. */
  credentials: Credentials;
  /** comm, at most 15 bytes. */
  name: string;
  readonly mask = new SigSet();
  /** Restored after the handler that interrupts sigsuspend, ppoll ... */
  readonly savedMask = new SigSet();
  restoreMask = false;
  readonly pending = new PendingSignals();
  /** sigaltstack; size 0 = none. */
  altStack = 0;
  altStackSize = 0;
  altStackFlags = 0;
  clearChildTid = 0;
  robustList = 0;
  /** A signal, stop or end must be looked at before the thread runs again. */
  attention = false;
  /** It is to end, alone or with its process. */
  ending = false;
  /** Its handler runs or waits. */
  inKernel = false;
  sleeping = false;
  /** Number of the system call that runs, -1 in an exception. */
  call = -1;
  /** How the first run of the guest EC begins: sets the registers of the startup message. */
  start: ((t: Thread) => void) | undefined;
  /** Who sets the registers of the reply. Anything but Normal needs `attention` too. */
  reply: Reply = Reply.Normal;
  /** Deadline of an interrupted nanosleep and friends, for restart_syscall. */
  restart: (() => number | import("./wait.ts").Blocking) | undefined;
  /** The futex it waits on. */
  futexKey = "";
  /** PR_SET_TIMERSLACK, ns: remembered, without effect. */
  timerSlack = TIMER_SLACK;
  policy = 0;
  priority = 0;
  /** Only for WaitQueue users that must know who woke them. */
  token = 0;
  /** Set while sigtimedwait takes signals. */
  waitingFor: SigSet | undefined;
  lastFault: SigInfo | undefined;
  /** Every signal's context shows the last exception; children and programs that execve starts inherit it. */
  trap = NO_TRAP;

  constructor(os: Personality, process: Process, tid: number, slot: Slot, name: string) {
    this.os = os;
    this.process = process;
    this.tid = tid;
    this.slot = slot;
    this.host = slot.host;
    this.state = slot.host.state;
    this.name = name;
    this.credentials = process.credentials;
  }

  /** The file service, with this thread's rights. */
  get fs(): FsClient {
    return this.os.actAs(this.credentials, this.process.fsContext.root);
  }

  /** Other credentials from now on; gives 0. */
  become(c: Credentials): 0 {
    const p = this.process, old = this.credentials;
    this.credentials = c;
    if (this.tid === p.pid) p.credentials = c;
    if (isSomebodyElse(old, c)) p.dumpable = p.deathSignal = 0;
    return 0;
  }

  // ---- arguments of the running system call ---------------------------------------------------------------------------

  /** Unsigned 64-bit argument; exact below 2^53. */
  arg(n: number): number {
    return this.state.num(ARGUMENTS[n]);
  }

  /** Signed 64-bit argument. */
  long(n: number): number {
    return this.state.int(ARGUMENTS[n]);
  }

  /** The low half as a C int. */
  int(n: number): number {
    return this.state.lo(ARGUMENTS[n]) | 0;
  }

  /** The low half as an unsigned int. */
  uint(n: number): number {
    return this.state.lo(ARGUMENTS[n]);
  }

  hi(n: number): number {
    return this.state.hi(ARGUMENTS[n]);
  }

  // ---- waiting --------------------------------------------------------------------------------------------------------

  /** Is there a reason to stop waiting? */
  interrupted(): boolean {
    return this.ending || this.process.dying || this.os.signals.wantsAttention(this);
  }

  /**
   * Waits for `wake()`, a signal, or the deadline (TSC, 0 = none). A wait shorter than the timer slack may be over before anybody else has
   * run; on Linux it would take so long, and a program that spins with it counts on that.
   */
  *sleep(deadline: number): Generator<Wait, Woken, Status> {
    if (this.interrupted()) return Woken.Interrupted;
    const short = deadline !== 0 && deadline - this.os.now() < TIMER_SLACK;
    this.sleeping = true;
    const status = yield this.host.smDown(this.slot.sm, deadline, true);
    this.sleeping = false;
    this.os.enter(this.host);
    if (this.interrupted()) return Woken.Interrupted;
    if (status !== HedronStatus.ComTim) return Woken.Event;
    if (short) this.host.yieldCpu();
    return Woken.TimedOut;
  }

  /** Waits for `wake()` whatever signals come; the end of the process still ends the wait. */
  *sleepUninterrupted(): Generator<Wait, void, Status> {
    this.sleeping = true;
    yield this.host.smDown(this.slot.sm, 0, true);
    this.sleeping = false;
    this.os.enter(this.host);
  }

  wake(): void {
    if (!this.sleeping) return;
    this.sleeping = false;
    this.os.current.ec.smUp(this.slot.sm);
  }
}
