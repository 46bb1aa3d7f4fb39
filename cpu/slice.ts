/** How long a run may take, measured by a budget of polls: reading the clock costs as much as a short system call. */
import type { Ram } from "./api.ts";
import { CTL_BUDGET, CTL_PAUSES } from "./layout.ts";

/** Limit of the poll budget: 0.2 ms of the shortest loop, and not too much of one whose every turn takes a microsecond. */
const MAX_POLLS = 1 << 19;
/** Between the two limits at which the budget is changed. */
const NORMAL_POLL_NS = 1_000_000;

/** PAUSE instructions between two polls after which a program spins: more than adaptive locks execute before they ask the kernel. */
const MAX_PAUSES = 256;
/** What the PAUSE after those takes from the budget; more than there can be. */
export const SPINNING = 1 << 30;

export class Slice {
  /** Length (ns), end and last poll (times, ns) of the current run; it begins to measure at its first poll. */
  ns = 0;
  end = 0;
  last = -1;
  /** Polls granted, less those that were left over. */
  granted = 0;
  /** Polls that take 0.2 to 2 ms; adapted while running. */
  pollsPerCheck = 4096;

  constructor(private readonly ram: Ram, private readonly clock: () => number) {}

  start(ns: number, end: number, last: number): void {
    this.ns = ns;
    this.end = end;
    this.last = last;
    this.#refill();
  }
  /** Has the program spun since the last poll? */
  get spinning(): boolean {
    return this.ram.i32[CTL_PAUSES >> 2] < 0;
  }
  #refill(): void {
    if (this.spinning) this.ram.i32[CTL_BUDGET >> 2] += SPINNING;
    this.ram.i32[CTL_PAUSES >> 2] = MAX_PAUSES;
  }
  grant(polls: number): void {
    this.#refill();
    const { i32 } = this.ram, at = CTL_BUDGET >> 2;
    this.granted += polls - i32[at];
    i32[at] = polls;
  }
  /** The poll budget is used up: 1 when the slice is over or the program spins, else 0 and more budget, whose size is adapted to polls every 0.2 to 2 ms. */
  poll(): number {
    if (this.spinning) return 1;
    const now = this.clock();
    if (this.end === 0) this.end = now + this.ns;
    // The first poll of a run has nothing to compare with.
    const since = this.last < 0 ? NORMAL_POLL_NS : now - this.last;
    if (since < 200_000 && this.pollsPerCheck < MAX_POLLS) this.pollsPerCheck *= 2;
    else if (since > 2_000_000 && this.pollsPerCheck > 64) this.pollsPerCheck >>= 1;
    if (now >= this.end) return 1;
    this.last = now;
    this.grant(this.pollsPerCheck);
    return 0;
  }
  /** RDTSC: a program that watches the clock polls so rarely that the budget would let it overrun its slice. */
  readonly tsc = (): number => {
    const now = this.clock();
    if (this.end === 0) this.end = now + this.ns;
    else if (now >= this.end) this.grant(0);
    return now;
  };
}
