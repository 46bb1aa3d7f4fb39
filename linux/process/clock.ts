import type { HostEc } from "../../hedron/api.ts";
import { HOST_PD, PROCESS_SERVICE } from "../../roottask/protocol.ts";

const NS = 1_000_000_000;

/**
 * CLOCK_REALTIME is the TSC (ns since boot) plus an offset asked of roottask once; split in seconds and nanoseconds, as nanoseconds since
 * 1970 are not exact in a number. Results stand in `seconds` and `nanoseconds`: reading a clock allocates nothing.
 */
export class Clock {
  seconds = 0;
  nanoseconds = 0;
  /** Wall clock at TSC 0. */
  #bootSeconds = 0;
  #bootNanoseconds = 0;

  /** Asks roottask for the wall clock. */
  sync(ec: HostEc): void {
    const { utcb } = ec;
    utcb.set(0, PROCESS_SERVICE.WALL_CLOCK);
    utcb.untyped = 1;
    utcb.typed = 0;
    ec.call(HOST_PD.PROCESS);
    const seconds = utcb.get(0);
    const nanoseconds = utcb.get(1);
    const tsc = utcb.get(2);
    this.#bootSeconds = seconds - Math.floor(tsc / NS);
    this.#bootNanoseconds = nanoseconds - tsc % NS;
    if (this.#bootNanoseconds < 0) {
      this.#bootNanoseconds += NS;
      this.#bootSeconds--;
    }
  }

  /** Sets the fields to a time since boot. */
  split(tsc: number): void {
    this.seconds = Math.floor(tsc / NS);
    this.nanoseconds = tsc - this.seconds * NS;
  }

  /** Sets the fields to the wall clock. */
  real(tsc: number): void {
    this.split(tsc);
    this.seconds += this.#bootSeconds;
    this.nanoseconds += this.#bootNanoseconds;
    if (this.nanoseconds >= NS) {
      this.nanoseconds -= NS;
      this.seconds++;
    }
  }

  /** TSC of a wall-clock time. */
  tscOfReal(seconds: number, nanoseconds: number): number {
    return (seconds - this.#bootSeconds) * NS + (nanoseconds - this.#bootNanoseconds);
  }

  /** clock_settime(CLOCK_REALTIME) of this machine. */
  setReal(tsc: number, seconds: number, nanoseconds: number): void {
    this.split(tsc);
    this.#bootSeconds = seconds - this.seconds;
    this.#bootNanoseconds = nanoseconds - this.nanoseconds;
    if (this.#bootNanoseconds < 0) {
      this.#bootNanoseconds += NS;
      this.#bootSeconds--;
    }
  }

  get bootNanoseconds(): number {
    return this.#bootNanoseconds;
  }

  get bootSeconds(): number {
    return this.#bootSeconds;
  }
}
