/** Something that can be waited for with a deadline; an event that comes first is not lost. */
export class WakeUp {
  private pending = false;
  private waiting: (() => void) | undefined;

  wake(): void {
    if (this.waiting === undefined) this.pending = true;
    else this.waiting();
  }

  /** Resolves after `ms` milliseconds (at once when <= 0, never when Infinity) or at the next `wake`. */
  wait(ms: number): Promise<void> {
    if (this.pending || ms <= 0) {
      this.pending = false;
      // Through the event loop, so that host events get their turn even when a guest always has something to do.
      return new Promise((resolve) => setTimeout(resolve, 0));
    }
    return new Promise((resolve) => {
      // Timers above 2^31 ms fire at once; such waits just end early and are begun again.
      const timer = Number.isFinite(ms) ? setTimeout(() => this.waiting?.(), Math.min(ms, 2 ** 31 - 1)) : undefined;
      this.waiting = () => {
        this.waiting = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
