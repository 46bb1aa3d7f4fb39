/**
 * The RAM that file contents live in: pages of one range, handed out in contiguous runs.
 * Invariant: `free` holds disjoint, non-adjacent runs in ascending order.
 */
import { PAGE } from "../cpu/layout.ts";

interface Run {
  start: number;
  end: number;
}

export class Pool {
  private readonly free: Run[] = [];
  /** Single pages given back, reused before runs are cut: most small files need exactly one. */
  private readonly pages: number[] = [];
  private bytesFree = 0;

  /** Preconditions: both page-aligned. */
  constructor(readonly base: number, readonly bytes: number) {
    if (bytes > 0) this.free.push({ start: base, end: base + bytes });
    this.bytesFree = bytes;
  }

  get available(): number {
    return this.bytesFree;
  }

  /** A contiguous run of exactly `bytes` (a multiple of the page size), or 0 when there is none that long. */
  take(bytes: number): number {
    if (bytes > this.bytesFree) return 0;
    if (bytes === PAGE && this.pages.length > 0) {
      this.bytesFree -= PAGE;
      return this.pages.pop()!;
    }
    const address = this.cut(bytes);
    if (address !== 0 || this.pages.length === 0) return address;
    this.mergePages();
    return this.cut(bytes);
  }

  /** As few runs as it takes to hold `bytes`, or undefined (and nothing taken) when there is not enough memory. */
  takeRuns(bytes: number): { start: number; bytes: number }[] | undefined {
    if (bytes > this.bytesFree) return undefined;
    const runs: { start: number; bytes: number }[] = [];
    for (let left = bytes; left > 0;) {
      let size = left, start = this.take(size);
      if (start === 0) start = this.take(size = Math.min(left, this.longest()));
      runs.push({ start, bytes: size });
      left -= size;
    }
    return runs;
  }

  /** Extends a run that ends at `end` in place; false when the memory behind it is in use. */
  extend(end: number, bytes: number): boolean {
    const i = this.indexAfter(end - 1);
    const run = this.free[i];
    if (run === undefined || run.start !== end || run.end - run.start < bytes) return false;
    this.shrink(i, bytes);
    return true;
  }

  give(start: number, bytes: number): void {
    this.bytesFree += bytes;
    if (bytes === PAGE) this.pages.push(start);
    else this.insert(start, start + bytes);
  }

  /** The longest run that `take` could return. */
  longest(): number {
    this.mergePages();
    let longest = 0;
    for (const run of this.free) longest = Math.max(longest, run.end - run.start);
    return longest;
  }

  private cut(bytes: number): number {
    for (let i = 0; i < this.free.length; i++) {
      const run = this.free[i];
      if (run.end - run.start < bytes) continue;
      const start = run.start;
      this.shrink(i, bytes);
      return start;
    }
    return 0;
  }

  private shrink(i: number, bytes: number): void {
    const run = this.free[i];
    run.start += bytes;
    if (run.start === run.end) this.free.splice(i, 1);
    this.bytesFree -= bytes;
  }

  private mergePages(): void {
    for (const page of this.pages) this.insert(page, page + PAGE);
    this.pages.length = 0;
  }

  /** Index of the first run that starts above `address`. */
  private indexAfter(address: number): number {
    let low = 0, high = this.free.length;
    while (low < high) {
      const middle = low + high >> 1;
      if (this.free[middle].start > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private insert(start: number, end: number): void {
    const i = this.indexAfter(start);
    const before = this.free[i - 1], after = this.free[i];
    const joinsBefore = before !== undefined && before.end === start, joinsAfter = after !== undefined && after.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.free.splice(i, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else this.free.splice(i, 0, { start, end });
  }
}
