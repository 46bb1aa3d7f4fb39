import type { Status, Wait } from "../../hedron/api.ts";

/** A handler that waits: yields to the kernel, returns the call's result (a value, or -errno). */
export type Blocking = Generator<Wait, number, Status>;
/** What a system-call handler returns. */
export type Result = number | Blocking;

/** Why a sleeping thread runs again. */
export const enum Woken {
  Event = 0,
  TimedOut = 1,
  /** A signal wants to be delivered, or the thread is to end. */
  Interrupted = 2,
}

/** How much later than asked for a wait may end, ns (prctl(2), PR_SET_TIMERSLACK). */
export const TIMER_SLACK = 50_000;

export interface Sleeper {
  wake(): void;
}

/** Threads that wait for something to happen to one object. A wake is a hint: the woken thread looks again. */
export class WaitQueue {
  readonly #sleepers: Sleeper[] = [];

  get empty(): boolean {
    return this.#sleepers.length === 0;
  }

  get length(): number {
    return this.#sleepers.length;
  }

  add(sleeper: Sleeper): void {
    this.#sleepers.push(sleeper);
  }

  remove(sleeper: Sleeper): void {
    const i = this.#sleepers.indexOf(sleeper);
    if (i >= 0) this.#sleepers.splice(i, 1);
  }

  wakeAll(): void {
    if (this.#sleepers.length === 0) return;
    for (const sleeper of [...this.#sleepers]) sleeper.wake();
  }

  /** The one that has waited longest. */
  wakeOne(): void {
    this.#sleepers[0]?.wake();
  }
}
