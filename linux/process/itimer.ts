import type { Personality } from "../personality.ts";
import { SI_KERNEL, SI_TIMER, SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import type { Process } from "./process.ts";
import type { Timer } from "./timers.ts";

/** Signals of ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. */
const SIGNALS = [SIG.ALRM, SIG.VTALRM, SIG.PROF] as const;

/** What a timer needs of its personality, whichever it is. */
export type TimerOwner = Pick<Personality, "timers" | "now">;

/** A timer that sends a signal once or repeatedly. */
export class IntervalTimer implements Timer {
  at = 0;
  /** ns, 0 = once. */
  interval = 0;
  overrun = 0;
  #armed = false;
  readonly #os: TimerOwner;
  readonly #send: () => void;
  /** Runs by CLOCK_REALTIME: absolute times are wall-clock times. */
  readonly real: boolean;

  constructor(os: TimerOwner, send: () => void, real = false) {
    this.#os = os;
    this.#send = send;
    this.real = real;
  }

  /** Arms it `value` ns from now; 0 disarms. */
  set(os: TimerOwner, value: number, interval: number): void {
    if (this.#armed) os.timers.remove(this);
    this.#armed = value > 0;
    this.interval = interval;
    this.overrun = 0;
    if (!this.#armed) return;
    this.at = os.now() + value;
    os.timers.add(this);
  }

  remaining(now: number): number {
    return this.#armed ? Math.max(1, this.at - now) : 0;
  }

  fire(now: number): void {
    this.#armed = this.interval > 0;
    if (this.#armed) {
      const missed = Math.floor((now - this.at) / this.interval);
      this.overrun = missed;
      this.at += (missed + 1) * this.interval;
      this.#os.timers.add(this);
    }
    this.#send();
  }

  stop(): void {
    this.set(this.#os, 0, 0);
  }
}

/** A process's setitimer timer number `which`. */
export function processTimer(os: Personality, p: Process, which: number): IntervalTimer {
  return new IntervalTimer(os, () => os.signals.sendToProcess(p, sigInfo(SIGNALS[which], SI_KERNEL)));
}

/** timer_create(2) timers of one process. */
export class PosixTimers {
  readonly #os: Personality;
  readonly #timers = new Map<number, IntervalTimer>();
  #next = 0;

  constructor(os: Personality) {
    this.#os = os;
  }

  /** `signal` 0 = no notification; `tid` 0 = any thread; value -1 in `lo` = the timer's own id. */
  create(p: Process, real: boolean, signal: number, lo: number, hi: number, tid: number): number {
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
    this.#timers.set(id, new IntervalTimer(this.#os, send, real));
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
