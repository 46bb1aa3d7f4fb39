/** Which physical memory the pages of an address space have: the half of `Mm` below its areas. */
import { PAGE, pageUp, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { Areas } from "./areas.ts";
import { Intervals } from "./intervals.ts";
import { Growth, Placement } from "./placement.ts";
import type { Pool } from "./pool.ts";
import type { Backing, Vma } from "./vma.ts";

/** The hardware's side of an address space: one protection domain's memory. */
export interface PageTable {
  /** Maps [va, va+bytes) to [pa, ...) with PROT_* rights (not 0). */
  map(va: number, pa: number, bytes: number, rights: number): void;
  unmap(va: number, bytes: number): void;
}

/** Moves bytes of RAM; HostMemory is one. */
export interface Copier {
  copy(to: number, from: number, length: number): void;
  fill(va: number, value: number, length: number): void;
  codeChanged(va: number, length: number): void;
}

/**
 * Areas with memory.
 * Invariant: pages are mapped in `pages` iff they are backed and their area's prot is not PROT_NONE.
 */
export abstract class BackedAreas extends Areas {
  readonly backing = new Intervals<Backing>();
  /** How far the program break reaches. */
  brk = 0;

  readonly pool: Pool;
  pages: PageTable;
  readonly memory: Copier;
  readonly #placement: Placement;

  constructor(pool: Pool, pages: PageTable, memory: Copier) {
    super();
    this.pool = pool;
    this.pages = pages;
    this.memory = memory;
    this.#placement = new Placement(pool);
  }

  /** Bytes that are in RAM. */
  get backedBytes(): number {
    return this.backing.items.reduce((sum, b) => sum + b.end - b.start, 0);
  }

  /** Gives memory to every page of [from, to) of `vma`. False when the pool is empty. */
  populate(vma: Vma, from: number, to: number): boolean {
    let at = from;
    while (at < to) {
      const i = this.backing.lowerBound(at);
      const next = this.backing.items[i];
      if (next !== undefined && next.start <= at) {
        at = next.end;
        continue;
      }
      const end = next === undefined ? to : Math.min(to, next.start);
      const got = this.#back(vma, at, end);
      if (got === 0) return false;
      at += got;
    }
    return true;
  }

  /** Backs a run of unbacked pages from `at`; returns how many bytes, 0 on failure. */
  #back(vma: Vma, at: number, end: number): number {
    if (vma.shared !== undefined) {
      const part = vma.shared.ensure(vma.offset + (at - vma.start), end - at);
      if (part === undefined) return 0;
      const bytes = Math.min(part.bytes, end - at);
      this.install(vma, at, at + bytes, part.pa, false);
      return bytes;
    }
    const bytes = end - at;
    if (vma.file !== undefined && (vma.prot & PROT_WRITE) === 0) {
      const part = vma.file.pages(vma.offset + (at - vma.start), bytes, at);
      if (part !== undefined) {
        this.pool.share(part.pa, part.bytes);
        this.install(vma, at, at + part.bytes, part.pa, true);
        return part.bytes;
      }
      // A smaller piece may still be free.
      if (bytes > PAGE) return this.#back(vma, at, at + pageUp(bytes / 2));
    }
    const got = this.takeSome(at, bytes);
    if (got === undefined) return 0;
    if (vma.file !== undefined) vma.file.read(vma.offset + (at - vma.start), got.pa, got.bytes);
    this.install(vma, at, at + got.bytes, got.pa, true);
    return got.bytes;
  }

  /** As much memory in one piece as there is for the beginning of [va, va+bytes); undefined when there is none at all. */
  protected takeSome(va: number, bytes: number): { pa: number; bytes: number } | undefined {
    for (let some = bytes;; some = pageUp(some / 2)) {
      const pa = this.#take(va, some);
      if (pa !== undefined) return { pa, bytes: some };
      if (some <= PAGE) return undefined;
    }
  }

  /** Memory for [va, va+bytes): next to its neighbours' memory, or at a spot of this address space. */
  #take(va: number, bytes: number): number | undefined {
    const i = this.backing.lowerBound(va);
    const below = this.backing.items[i - 1];
    if (below !== undefined && below.end === va) {
      const pa = below.pa + (below.end - below.start);
      if (this.#isPrivate(below, pa - PAGE) && this.pool.takeAt(pa, bytes)) return pa;
    }
    const above = this.backing.items[i];
    if (above !== undefined && above.start === va + bytes && this.#isPrivate(above, above.pa)) {
      if (this.pool.takeAt(above.pa - bytes, bytes)) return above.pa - bytes;
    }
    return this.#placement.take(va, bytes, this.#growth(va)) ?? this.pool.take(bytes, va);
  }

  /** Beside a file's pages there is nothing that this address space could grow into. */
  #isPrivate({ owned }: Backing, pa: number): boolean {
    return owned && !this.pool.isShared(pa, PAGE);
  }

  #growth(va: number): Growth {
    if (this.mmapBase === 0 || va < this.mmapBase / 2 || va <= this.brk) return Growth.Up;
    return va < this.mmapBase ? Growth.Down : Growth.Stack;
  }

  /** Installs memory that the caller has allocated from the pool, filled for example by the loader. */
  adopt(vma: Vma, start: number, end: number, pa: number): void {
    this.version++;
    this.install(vma, start, end, pa, true);
  }

  protected install(vma: Vma, start: number, end: number, pa: number, owned: boolean): void {
    const i = this.backing.lowerBound(start), below = this.backing.items[i - 1], above = this.backing.items[i];
    const joins = (other: Backing | undefined, va: number): other is Backing =>
      other !== undefined && other.owned === owned && other.pa - other.start === pa - start &&
      (other.end === va || other.start === va);
    const joinsAbove = joins(above, end);
    if (joins(below, start)) {
      below.end = joinsAbove ? above.end : end;
      if (joinsAbove) this.backing.replace(i, 1);
    } else if (joinsAbove) {
      above.start = start;
      above.pa = pa;
    } else {
      this.backing.replace(i, 0, { start, end, pa, owned });
    }
    const rights = this.#rights(vma, pa, end - start, owned);
    if (rights !== 0) this.pages.map(start, pa, end - start, rights);
  }

  /** Pages shared copy-on-write with another process must not be written. */
  #rights(vma: Vma, pa: number, bytes: number, owned: boolean): number {
    if ((vma.prot & PROT_WRITE) === 0 || !owned || !this.pool.isShared(pa, bytes)) return vma.prot;
    return vma.prot & ~PROT_WRITE | PROT_READ;
  }

  protected mapPart(vma: Vma, backing: Backing, from: number, to: number): void {
    const pa = backing.pa + (from - backing.start);
    const rights = this.#rights(vma, pa, to - from, backing.owned);
    if (rights === 0) this.pages.unmap(from, to - from);
    else this.pages.map(from, pa, to - from, rights);
  }

  /** Brings the page table in line with the area's prot. */
  protected remap(vma: Vma): void {
    this.version++;
    const items = this.backing.items;
    for (let i = this.backing.lowerBound(vma.start); i < items.length && items[i].start < vma.end; i++) {
      this.mapPart(vma, items[i], Math.max(vma.start, items[i].start), Math.min(vma.end, items[i].end));
    }
  }

  /** Takes the memory of [start, end) away; the areas stay. */
  unback(start: number, end: number, unmap = true): void {
    const items = this.backing.items;
    let i = this.backing.lowerBound(start);
    this.version++;
    while (i < items.length && items[i].start < end) {
      const b = items[i];
      const from = Math.max(b.start, start);
      const to = Math.min(b.end, end);
      if (unmap) this.pages.unmap(from, to - from);
      if (b.owned) this.pool.release(b.pa + (from - b.start), to - from);
      const upper = to < b.end ? { start: to, end: b.end, pa: b.pa + (to - b.start), owned: b.owned } : undefined;
      if (b.start < from) {
        b.end = from;
        i++;
        if (upper !== undefined) this.backing.replace(i, 0, upper);
      } else if (upper !== undefined) {
        this.backing.replace(i, 1, upper);
      } else {
        this.backing.replace(i, 1);
      }
      if (upper !== undefined) break;
    }
  }

  /** Takes backing out of the tables without freeing it, for a move. */
  detach(start: number, end: number): Backing[] {
    const pieces: Backing[] = [];
    const { items } = this.backing;
    for (let i = this.backing.lowerBound(start); i < items.length && items[i].start < end; i++) {
      const from = Math.max(start, items[i].start);
      const to = Math.min(end, items[i].end);
      const pa = items[i].pa + (from - items[i].start);
      // The extra owner keeps the pages when the range is taken away below.
      if (items[i].owned) this.pool.share(pa, to - from);
      pieces.push({ start: from, end: to, pa, owned: items[i].owned });
    }
    this.unback(start, end);
    return pieces;
  }

  /** Puts detached backing back, `distance` bytes further up. */
  attach(vma: Vma, pieces: readonly Backing[], distance: number): void {
    this.version++;
    for (const { start, end, pa, owned } of pieces) {
      // An eagerly populated area has memory already.
      this.unback(start + distance, end + distance);
      this.install(vma, start + distance, end + distance, pa, owned);
    }
  }

  /** Forgets where memory was taken. */
  protected forgetSpots(): void {
    this.#placement.forget();
  }
}
