import { pageUp } from "../abi/mman.ts";
import { type Interval, Intervals } from "./intervals.ts";
import type { Pool } from "./pool.ts";

/** A part of a file in RAM. `start` and `end` are offsets in the file, page multiples. */
interface Piece extends Interval {
  pa: number;
}

interface CachedFile {
  /** Changes when the file's contents do: size and times. */
  stamp: string;
  readonly pieces: Intervals<Piece>;
}

/** Files larger than this are not cached: they would push out everything else. */
const FILE_LIMIT = 32 << 20;
/** The cache is emptied when less than this part of the pool is free. */
const LEAST_FREE = 1 / 4;

/**
 * Pages of files that are mapped privately and not written: programs and libraries. Every process that maps the same part of a file gets
 * the same physical pages, copy-on-write. The cache holds one reference to each page.
 */
export class FileCache {
  readonly #pool: Pool;
  readonly #files = new Map<string, CachedFile>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * Pages at `offset` of the file `key`: their physical address and how many bytes of them lie together. `read` fills what is missing.
   * Undefined when the file is not to be cached. Preconditions: `offset` is a page multiple.
   */
  pages(
    key: string,
    stamp: string,
    size: number,
    offset: number,
    bytes: number,
    read: (offset: number, pa: number, bytes: number) => number,
  ): { pa: number; bytes: number } | undefined {
    if (size > FILE_LIMIT) return undefined;
    let file = this.#files.get(key);
    if (file !== undefined && file.stamp !== stamp) {
      this.#drop(key, file);
      file = undefined;
    }
    if (file === undefined) {
      if (this.#pool.freeBytes < this.#pool.totalBytes * LEAST_FREE) this.clear();
      file = { stamp, pieces: new Intervals() };
      this.#files.set(key, file);
    }
    const have = file.pieces.find(offset);
    if (have !== undefined) return { pa: have.pa + (offset - have.start), bytes: Math.min(bytes, have.end - offset) };
    const next = file.pieces.items[file.pieces.lowerBound(offset)];
    const length = Math.min(bytes, pageUp(size) - offset, (next?.start ?? Infinity) - offset);
    if (length <= 0) return undefined;
    const pa = this.#pool.take(length, offset);
    if (pa === undefined) return undefined;
    if (read(offset, pa, length) < 0) {
      this.#pool.release(pa, length);
      return undefined;
    }
    file.pieces.insert({ start: offset, end: offset + length, pa });
    return { pa, bytes: length };
  }

  has(key: string): boolean {
    return this.#files.has(key);
  }

  /**
   * A program has written the bytes at physical `pa` to [offset, offset + bytes) of a file: pages that show it show them as well, as far as
   * nobody has a copy. `stamp` is the new one.
   */
  written(
    key: string,
    stamp: string,
    offset: number,
    pa: number,
    bytes: number,
    copy: (to: number, from: number, n: number) => void,
  ): void {
    const file = this.#files.get(key);
    if (file === undefined) return;
    file.stamp = stamp;
    const { items } = file.pieces, end = offset + bytes;
    for (let i = file.pieces.lowerBound(offset); i < items.length && items[i].start < end; i++) {
      const from = Math.max(offset, items[i].start), to = Math.min(end, items[i].end);
      copy(items[i].pa + from - items[i].start, pa + from - offset, to - from);
    }
  }

  #drop(key: string, file: CachedFile): void {
    for (const { start, end, pa } of file.pieces.items) this.#pool.release(pa, end - start);
    this.#files.delete(key);
  }

  /** Gives up all pages; mappings keep theirs. */
  clear(): void {
    for (const [key, file] of [...this.#files]) this.#drop(key, file);
  }
}
