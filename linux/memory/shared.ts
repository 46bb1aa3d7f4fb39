import { PAGE, pageUp } from "../abi/mman.ts";
import { type Interval, Intervals } from "./intervals.ts";
import { Growth, Placement } from "./placement.ts";
import type { Pool } from "./pool.ts";
import type { MappedFile, SharedPages } from "./vma.ts";

interface Piece extends Interval {
  pa: number;
}

/** Pages per allocation of a shared object. */
const CHUNK = 64 << 10;

/** Memory shared by several mappings, with or without a file behind it. `start`/`end` of its pieces are byte offsets. */
export class SharedObject implements SharedPages {
  readonly file: MappedFile | undefined;
  readonly #pool: Pool;
  readonly #pieces = new Intervals<Piece>();
  readonly #placement: Placement;
  #refs = 1;
  /** Called when nobody maps it any more. */
  readonly #gone: () => void;
  /** Size when there is no file; offsets beyond it do not exist. */
  size: number;

  constructor(pool: Pool, file: MappedFile | undefined, size: number, gone: () => void = () => {}) {
    this.#pool = pool;
    this.#placement = new Placement(pool);
    this.file = file;
    this.size = size;
    this.#gone = gone;
  }

  get #limit(): number {
    return pageUp(this.file?.size() ?? this.size);
  }

  reaches(offset: number): boolean {
    return offset < this.#limit;
  }

  ensure(offset: number, bytes: number): { pa: number; bytes: number } | undefined {
    const limit = this.#limit;
    if (offset >= limit) return undefined;
    const have = this.#pieces.find(offset);
    if (have !== undefined) return { pa: have.pa + (offset - have.start), bytes: have.end - offset };
    const next = this.#pieces.items[this.#pieces.lowerBound(offset)];
    const end = Math.min(limit, next?.start ?? Infinity, offset + Math.max(pageUp(bytes), CHUNK));
    let length = end - offset;
    // What fits into one chunk is in one piece anyway.
    let pa = (limit > CHUNK ? this.#placement.take(offset, length, Growth.Up) : undefined) ?? this.#pool.take(length, offset);
    if (pa === undefined) {
      length = PAGE;
      pa = this.#pool.take(length, offset);
      if (pa === undefined) return undefined;
    }
    this.file?.read(offset, pa, length);
    this.#pieces.insert({ start: offset, end: offset + length, pa });
    return { pa, bytes: length };
  }

  sync(offset: number, bytes: number): number {
    const { file } = this;
    if (file === undefined) return 0;
    const size = file.size();
    return this.each(offset, Math.min(bytes, size - offset), (pa, at, length) => file.write(at, pa, length));
  }

  /** Calls `visit` for each allocated part of a range; stops at a negative result. */
  each(offset: number, bytes: number, visit: (pa: number, offset: number, bytes: number) => number): number {
    const end = offset + bytes;
    const { items } = this.#pieces;
    for (let i = this.#pieces.lowerBound(offset); i < items.length && items[i].start < end; i++) {
      const from = Math.max(offset, items[i].start);
      const to = Math.min(end, items[i].end);
      const status = visit(items[i].pa + (from - items[i].start), from, to - from);
      if (status < 0) return status;
    }
    return 0;
  }

  get allocated(): number {
    return this.#pieces.items.reduce((sum, piece) => sum + piece.end - piece.start, 0);
  }

  dup(): void {
    this.#refs++;
  }

  release(): void {
    if (--this.#refs > 0) return;
    for (const { start, end, pa } of this.#pieces.items) this.#pool.release(pa, end - start);
    this.#pieces.items.length = 0;
    this.file?.release();
    this.#gone();
  }
}
