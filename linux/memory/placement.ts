/** Where in RAM an address space takes its private memory, or a shared object the pages of its offsets. */
import type { Pool } from "./pool.ts";

/** How an area grows: a program's data and heap, mappings (each below the one before), the stack. */
export const enum Growth {
  Up,
  Down,
  Stack,
}

/** So much room beside a spot makes it worth having. */
const ROOM = 4 << 20;
/** Room for a stack. */
const STACK_ROOM = 16 << 20;
/** An address space whose spots have been built up all around takes what it gets from then on. */
const MAX_SPOTS = 8;

/**
 * The spots of one address space. All memory of a spot has the same difference of physical and virtual address, so that what is adjacent in
 * one is adjacent in the other and becomes one extent, in whatever order it comes and goes. Nothing is kept free: others may take the room
 * around a spot; then there is a new one. Each spot begins in the middle of the largest hole, so the room shrinks with the number of spots.
 */
export class Placement {
  /** pa - va of each spot. */
  readonly #deltas: number[] = [];

  constructor(private readonly pool: Pool) {}

  /** Takes memory for [va, va + bytes); undefined when there is none at a spot or for another one. */
  take(va: number, bytes: number, growth: Growth): number | undefined {
    const { pool } = this;
    for (const delta of this.#deltas) if (pool.takeAt(va + delta, bytes)) return va + delta;
    if (this.#deltas.length >= MAX_SPOTS) return undefined;
    const pa = growth === Growth.Stack
      ? pool.propose(bytes, va, STACK_ROOM, 3 / 4, true)
      : pool.propose(bytes, va, ROOM, growth === Growth.Up ? 1 / 4 : 3 / 4);
    if (pa === undefined || !pool.takeAt(pa, bytes)) return undefined;
    this.#deltas.push(pa - va);
    return pa;
  }

  /** The address space is empty: it may begin elsewhere. */
  forget(): void {
    this.#deltas.length = 0;
  }
}
