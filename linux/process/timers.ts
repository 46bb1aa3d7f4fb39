/** Something that is to happen at a time. */
export interface Timer {
  /** TSC, ns. */
  at: number;
  fire(now: number): void;
}

/** Timers of all processes, soonest first. The personality's main EC sleeps until the first one. */
export class Timers {
  readonly #list: Timer[] = [];
  /** Called when the soonest time became earlier. */
  onEarlier: (() => void) | undefined;

  get next(): number {
    return this.#list.length === 0 ? 0 : Math.max(1, this.#list[0].at);
  }

  add(timer: Timer): void {
    let i = this.#list.length;
    while (i > 0 && this.#list[i - 1].at > timer.at) i--;
    this.#list.splice(i, 0, timer);
    if (i === 0) this.onEarlier?.();
  }

  remove(timer: Timer): void {
    const i = this.#list.indexOf(timer);
    if (i >= 0) this.#list.splice(i, 1);
  }

  run(now: number): void {
    while (this.#list.length > 0 && this.#list[0].at <= now) this.#list.shift()?.fire(now);
  }
}
