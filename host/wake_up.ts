/** Timers are this coarse: for less, the event loop is turned until the time has come. */
const SHORT_MS = 1.5;
/** Timers above 2^31 ms fire at once; such waits just end early and are begun again. */
const LONGEST_MS = 2 ** 31 - 1;

/** Something that can be waited for with a deadline, by one waiter at a time; an event that comes first is not lost. */
export class WakeUp {
  private pending = false;
  /** Ends the wait that is going on. */
  private finish: (() => void) | undefined;

  wake(): void {
    if (this.finish === undefined) this.pending = true;
    else this.finish();
  }

  /** Resolves after `ms` milliseconds (at once when <= 0, never when Infinity), at the next `wake`, or when the next `wait` begins. */
  wait(ms: number): Promise<void> {
    this.finish?.();
    const isOver = this.pending;
    this.pending = false;
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const finish = () => {
        if (this.finish === finish) this.finish = undefined;
        if (timer !== undefined) clearTimeout(timer);
        resolve();
      };
      this.finish = finish;
      if (isOver || ms < SHORT_MS) {
        // Through the event loop in any case, so that host events get their turn when a guest always has something to do.
        const end = performance.now() + (isOver ? 0 : ms);
        const turn = () => {
          if (this.finish !== finish) return;
          if (performance.now() >= end) finish();
          else setImmediate(turn);
        };
        setImmediate(turn);
      } else if (Number.isFinite(ms)) timer = setTimeout(finish, Math.min(ms, LONGEST_MS));
    });
  }
}
