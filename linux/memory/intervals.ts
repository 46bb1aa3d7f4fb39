/** Something that covers the addresses [start, end). */
export interface Interval {
  start: number;
  end: number;
}

/** Disjoint intervals in ascending order, with binary search and a memory of the last hit. */
export class Intervals<T extends Interval> {
  readonly items: T[] = [];
  #last = 0;

  get length(): number {
    return this.items.length;
  }

  /** The interval that contains `at`. */
  find(at: number): T | undefined {
    const items = this.items;
    const hint = items[this.#last];
    if (hint !== undefined && at >= hint.start && at < hint.end) return hint;
    const i = this.lowerBound(at);
    const item = items[i];
    if (item === undefined || item.start > at) return undefined;
    this.#last = i;
    return item;
  }

  /** Index of the first interval that ends after `at` (so it contains `at` or lies above it). */
  lowerBound(at: number): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.items[mid].end <= at) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  /** Does any interval intersect [from, to)? */
  intersects(from: number, to: number): boolean {
    const item = this.items[this.lowerBound(from)];
    return item !== undefined && item.start < to;
  }

  /** Preconditions: `item` intersects no other interval. */
  insert(item: T): void {
    this.items.splice(this.lowerBound(item.start), 0, item);
  }

  /** Replaces the `count` intervals from index `i`. */
  replace(i: number, count: number, ...by: T[]): void {
    this.items.splice(i, count, ...by);
  }
}
