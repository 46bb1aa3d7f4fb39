import { MAX_MAP_COUNT, MMAP_MIN_ADDR, TASK_SIZE } from "../abi/mman.ts";
import { Intervals } from "./intervals.ts";
import { cutVma, dropVma, mergeable, type Vma } from "./vma.ts";

/** The areas of an address space: which addresses exist, and how they are treated. What pages they have is the business of `BackedAreas`. */
export abstract class Areas {
  readonly vmas = new Intervals<Vma>();
  /** mmap without an address goes below this. */
  mmapBase = 0;
  /** Sum of all areas, bytes. */
  totalBytes = 0;
  /** Increased by every change of areas or backing; guards UserMemory's cache. */
  version = 0;
  /** No gap of `bytes` or more lies between `from` and `top`. */
  readonly #dense = { bytes: Infinity, from: 0, top: 0 };

  /** An area goes: its pages are written back and given up. */
  protected abstract emptied(vma: Vma): void;

  /** Removes all areas within [start, end). */
  remove(start: number, end: number): void {
    const items = this.vmas.items;
    let i = this.vmas.lowerBound(start);
    if (i >= items.length || items[i].start >= end) return;
    this.version++;
    i = this.#splitAt(start, i);
    while (i < items.length && items[i].start < end) {
      this.#splitAt(end, i);
      const vma = items[i];
      this.totalBytes -= vma.end - vma.start;
      this.emptied(vma);
      this.vmas.replace(i, 1);
      dropVma(vma);
    }
    if (end > this.#dense.from) this.#dense.from = Math.max(this.#dense.from, items[i]?.start ?? Infinity);
  }

  /** Is there no room for a further area, which a change of [start, end) would make by cutting one at its borders? */
  crowded(start: number, end: number): boolean {
    return this.vmas.length >= MAX_MAP_COUNT && (this.cuts(start) || this.cuts(end));
  }
  /** Does `at` lie inside an area, and not at its beginning? */
  cuts(at: number): boolean {
    return (this.vmas.find(at)?.start ?? at) < at;
  }

  /** Is every page of [start, end) in some area? */
  covered(start: number, end: number): boolean {
    let i = this.vmas.lowerBound(start);
    let at = start;
    while (at < end) {
      const vma = this.vmas.items[i++];
      if (vma === undefined || vma.start > at) return false;
      at = vma.end;
    }
    return true;
  }

  /** Calls `change` for every area of [start, end), split at the borders, and merges what became equal. */
  change(start: number, end: number, change: (vma: Vma) => void): void {
    const items = this.vmas.items;
    let i = this.vmas.lowerBound(start);
    if (i >= items.length) return;
    this.version++;
    i = this.#splitAt(start, i);
    const first = i;
    for (; i < items.length && items[i].start < end; i++) {
      this.#splitAt(end, i);
      change(items[i]);
    }
    this.#merge(Math.max(0, first - 1), i);
  }

  /** The highest free range of `bytes` below `top` (0 = the mmap base); undefined when there is none. */
  findGap(bytes: number, top = this.mmapBase): number | undefined {
    const items = this.vmas.items, dense = this.#dense, known = dense.top === top && bytes >= dense.bytes && dense.from < top;
    let limit = known ? dense.from : top;
    for (let i = this.vmas.lowerBound(limit - 1); i >= 0; i--) {
      const vma = items[i];
      if (vma === undefined || vma.start >= limit) continue;
      if (limit - vma.end >= bytes) break;
      limit = vma.start;
    }
    // What is known about small gaps is worth more.
    if (!known || bytes === dense.bytes) {
      dense.bytes = bytes;
      dense.from = limit;
      dense.top = top;
    }
    if (limit - bytes >= MMAP_MIN_ADDR) return limit - bytes;
    return top < TASK_SIZE && top === this.mmapBase ? this.#findGapAbove(bytes) : undefined;
  }

  #findGapAbove(bytes: number): number | undefined {
    const items = this.vmas.items;
    let at = this.mmapBase;
    for (let i = this.vmas.lowerBound(at); i < items.length; i++) {
      if (items[i].start - at >= bytes) return at;
      at = items[i].end;
    }
    return undefined;
  }

  /** Inserts and merges; returns the area that now covers it. */
  protected insertArea(vma: Vma): Vma {
    this.version++;
    this.totalBytes += vma.end - vma.start;
    this.vmas.insert(vma);
    const i = this.vmas.lowerBound(vma.start);
    this.#merge(Math.max(0, i - 1), i + 1);
    return this.vmas.find(vma.start) ?? vma;
  }

  /** Merges equal neighbours with indices from..to. */
  #merge(from: number, to: number): void {
    const items = this.vmas.items;
    for (let i = Math.min(to, items.length - 1); i > from; i--) {
      if (!mergeable(items[i - 1], items[i])) continue;
      items[i - 1].end = items[i].end;
      dropVma(items[i]);
      this.vmas.replace(i, 1);
    }
  }

  /** Splits the area at index `i` when `at` lies inside it; returns the index of the first area that starts at or after `at`. */
  #splitAt(at: number, i: number): number {
    const vma = this.vmas.items[i];
    if (vma.start >= at || vma.end <= at) return vma.end <= at ? i + 1 : i;
    const upper = cutVma(vma, at, vma.end);
    vma.end = at;
    this.vmas.replace(i + 1, 0, upper);
    return i + 1;
  }
}
