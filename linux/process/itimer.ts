import type { Personality } from "../personality.ts";
import { SI_KERNEL, SI_TIMER, SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { RLIMIT_CPU } from "./limits.ts";
import type { Process } from "./process.ts";
import type { Timer } from "./timers.ts";

/** Signals of ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. */
const SIGNALS = [SIG.ALRM, SIG.VTALRM, SIG.PROF] as const;

/** What a timer needs of its personality, whichever it is. */
export type TimerOwner = Pick<Personality, "timers" | "now">;

/** The clock that a timer goes by: the wall clock (for absolute times), or CPU time as `used` tells it, ns; else the time since boot. */
export interface TimerClock {
  readonly real?: boolean;
  readonly used?: () => number;
}

/** A timer of CPU time looks again after at least this; when nothing has been used since, after twice as long, up to the second. ns. */
const SHORTEST_LOOK = 1_000_000, LONGEST_LOOK = 100_000_000;

/** A timer that sends a signal once or repeatedly. */
export class IntervalTimer implements Timer {
  at = 0;
  /** When it is due, by its own clock. */
  #due = 0;
  #look = SHORTEST_LOOK;
  #usedBefore = 0;
  /** ns, 0 = once. */
  interval = 0;
  overrun = 0;
  #armed = false;
  readonly #os: TimerOwner;
  readonly #send: () => void;
  /** Runs by CLOCK_REALTIME: absolute times are wall-clock times. */
  readonly real: boolean;
  readonly #used: (() => number) | undefined;

  constructor(os: TimerOwner, send: () => void, { real = false, used }: TimerClock = {}) {
    this.#os = os;
    this.#send = send;
    this.real = real;
    this.#used = used;
  }

  /** The time of its clock, for those that do not go by CLOCK_REALTIME. */
  get now(): number {
    return this.#used?.() ?? this.#os.now();
  }

  /** Arms it `value` ns from now; 0 disarms. */
  set(os: TimerOwner, value: number, interval: number): void {
    if (this.#armed) os.timers.remove(this);
    this.#armed = value > 0;
    this.interval = interval;
    this.overrun = 0;
    if (!this.#armed) return;
    this.#due = this.now + value;
    this.at = os.now() + value;
    os.timers.add(this);
  }

  remaining(now: number): number {
    return this.#armed ? Math.max(1, this.#used === undefined ? this.at - now : this.#due - this.#used()) : 0;
  }

  fire(now: number): void {
    const own = this.#used?.() ?? now, due = this.#used === undefined ? this.at : this.#due;
    // Real time is over, but CPU time need not be.
    if (own < due) return this.#lookAgain(now, own, due - own);
    this.#armed = this.interval > 0;
    if (this.#armed) {
      const missed = Math.floor((own - due) / this.interval);
      this.overrun = missed;
      this.#due = due + (missed + 1) * this.interval;
      this.at = this.#used === undefined ? this.#due : now + this.#due - own;
      this.#os.timers.add(this);
    }
    this.#send();
  }

  #lookAgain(now: number, own: number, left: number): void {
    this.#look = own === this.#usedBefore ? Math.min(2 * this.#look, LONGEST_LOOK) : SHORTEST_LOOK;
    this.#usedBefore = own;
    this.at = now + Math.max(left, this.#look);
    this.#os.timers.add(this);
  }

  stop(): void {
    this.set(this.#os, 0, 0);
  }
}

/** A process's setitimer timer number `which`. */
export function processTimer(os: Personality, p: Process, which: number): IntervalTimer {
  const clock = which === 0 ? {} : { used: () => os.cpuTime(p) };
  return new IntervalTimer(os, () => os.signals.sendToProcess(p, sigInfo(SIGNALS[which], SI_KERNEL)), clock);
}

const SECOND = 1_000_000_000;

/** RLIMIT_CPU: SIGXCPU at the soft limit and each second from there on, SIGKILL at the hard one. */
export function limitCpu(os: Personality, p: Process): void {
  p.cpuLimit?.stop();
  const soft = p.limits.soft[RLIMIT_CPU], hard = p.limits.hard[RLIMIT_CPU];
  if (soft === Infinity && hard === Infinity) return;
  p.cpuLimit = new IntervalTimer(os, () => {
    const over = os.cpuTime(p) >= hard * SECOND;
    os.signals.sendToProcess(p, sigInfo(over ? SIG.KILL : SIG.XCPU, SI_KERNEL));
  }, { used: () => os.cpuTime(p) });
  p.cpuLimit.set(os, Math.max(1, Math.min(soft, hard) * SECOND - os.cpuTime(p)), SECOND);
}

/** timer_create(2) timers of one process. */
export class PosixTimers {
  readonly #os: Personality;
  readonly #timers = new Map<number, IntervalTimer>();
  #next = 0;

  constructor(os: Personality) {
    this.#os = os;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** `signal` 0 = no notification; `tid` 0 = any thread; value -1 in `lo` = the timer's own id. */
  create(p: Process, clock: TimerClock, signal: number, lo: number, hi: number, tid: number): number {
    const id = this.#next++;
    const send = (): void => {
      if (signal === 0) return;
      // si_tid and si_overrun stand where si_pid and si_uid stand otherwise.
      const info = sigInfo(signal, SI_TIMER, id, this.#timers.get(id)?.overrun ?? 0);
      info.valueLo = lo === -1 ? id : lo;
      info.valueHi = lo === -1 ? 0 : hi;
      const thread = p.threads.find((t) => t.tid === tid);
      if (thread !== undefined) this.#os.signals.sendToThread(thread, info);
      else if (tid === 0) this.#os.signals.sendToProcess(p, info);
    };
    this.#timers.set(id, new IntervalTimer(this.#os, send, clock));
    return id;
  }

  get(id: number): IntervalTimer | undefined {
    return this.#timers.get(id);
  }

  remove(_os: Personality, id: number): boolean {
    this.#timers.get(id)?.stop();
    return this.#timers.delete(id);
  }

  stopAll(): void {
    for (const timer of this.#timers.values()) timer.stop();
    this.#timers.clear();
  }
}
