import { pageUp } from "../abi/mman.ts";
import { type Interval, Intervals } from "./intervals.ts";
import { ALIGN_MAX, type Pool } from "./pool.ts";

/** A part of a file in RAM. `start` and `end` are offsets in the file, page multiples. */
interface Piece extends Interval {
  pa: number;
}

interface CachedFile {
  /** Changes when the file's contents do: size and times. */
  stamp: string;
  readonly pieces: Intervals<Piece>;
  /**
   * Memory that has been kept together for [0, span) of the file; undefined when there is none (any more). Parts without a piece are
   * reserved in the pool.
   */
  place: { pa: number; span: number } | undefined;
}

/** What the cache needs of a file to read it. */
export interface CacheableFile {
  readonly key: string;
  readonly stamp: string;
  /** Bytes when it had that stamp. */
  readonly bytes: number;
  /** Reads up to `bytes` at `offset` to physical memory; bytes read or -errno. */
  read(offset: number, pa: number, bytes: number): number;
}

/** The largest part of free memory that is kept together for one file. */
const LARGEST = 1 / 2;
/** What nobody maps is dropped from the cache when less than this part of the pool is free. */
const LEAST_FREE = 1 / 4;

/**
 * Pages of files that are mapped privately and not written: programs and libraries. Every process that maps the same part of a file gets
 * the same physical pages, copy-on-write. The cache holds one reference to each page. A file lies in one piece in RAM when there is room
 * for all of it, so that a segment is one extent however it came to be read.
 */
export class FileCache {
  readonly #pool: Pool;
  readonly #files = new Map<string, CachedFile>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * Pages at `offset` of a file: their physical address and how many bytes of them lie together. What is missing is read. `va`: where they
   * are to be mapped. Undefined without memory or when reading fails. Preconditions: `offset` is a page multiple.
   */
  pages(source: CacheableFile, offset: number, bytes: number, va: number): { pa: number; bytes: number } | undefined {
    const { key, stamp } = source, size = pageUp(source.bytes);
    let file = this.#files.get(key);
    if (file !== undefined && file.stamp !== stamp) {
      this.#drop(key, file);
      file = undefined;
    }
    if (file === undefined) {
      if (this.#pool.freeBytes < this.#pool.totalBytes * LEAST_FREE) this.trim();
      const like = va + ALIGN_MAX - offset % ALIGN_MAX;
      const pa = size <= this.#pool.freeBytes * LARGEST ? this.#pool.reserve(size, like) : undefined;
      file = { stamp, pieces: new Intervals(), place: pa === undefined ? undefined : { pa, span: size } };
      this.#files.set(key, file);
    }
    const have = file.pieces.find(offset);
    if (have !== undefined) return { pa: have.pa + (offset - have.start), bytes: Math.min(bytes, have.end - offset) };
    const next = file.pieces.items[file.pieces.lowerBound(offset)];
    const length = Math.min(bytes, size - offset, (next?.start ?? Infinity) - offset);
    if (length <= 0) return undefined;
    const pa = this.#memory(file, offset, length, va);
    if (pa === undefined) return undefined;
    // To get memory everything that nobody maps may have been dropped.
    this.#files.set(key, file);
    this.#insert(file, { start: offset, end: offset + length, pa });
    if (source.read(offset, pa, length) >= 0) return { pa, bytes: length };
    this.#drop(key, file);
    return undefined;
  }

  /** Memory for a part that has none: at the file's place, or anywhere. */
  #memory({ place }: CachedFile, offset: number, bytes: number, va: number): number | undefined {
    // A file that programs have made longer goes on behind its place.
    if (place === undefined || offset + bytes > place.span) return this.#pool.take(bytes, va);
    this.#pool.claim(place.pa + offset, bytes);
    return place.pa + offset;
  }

  #insert({ pieces }: CachedFile, piece: Piece): void {
    const i = pieces.lowerBound(piece.start), below = pieces.items[i - 1], above = pieces.items[i];
    const joins = (a: Piece | undefined, b: Piece | undefined) =>
      a && b && a.end === b.start && a.pa + (a.end - a.start) === b.pa;
    if (joins(piece, above)) {
      piece.end = above.end;
      pieces.replace(i, 1);
    }
    if (joins(below, piece)) below.end = piece.end;
    else pieces.insert(piece);
  }

  /** How many bytes from `offset` on are in RAM. */
  cached({ key, stamp }: Pick<CacheableFile, "key" | "stamp">, offset: number): number {
    const file = this.#files.get(key);
    const piece = file?.stamp === stamp ? file.pieces.find(offset) : undefined;
    return piece === undefined ? 0 : piece.end - offset;
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

  /** A file has become shorter: what it has beyond its new end later is something else. */
  shortened(key: string): void {
    const file = this.#files.get(key);
    if (file !== undefined) this.#drop(key, file);
  }

  #drop(key: string, file: CachedFile): void {
    this.#unreserve(file);
    for (const { start, end, pa } of file.pieces.items.splice(0)) this.#pool.release(pa, end - start);
    this.#files.delete(key);
  }

  /** Gives up the parts of a file's place that have not been read. */
  #unreserve(file: CachedFile): void {
    if (file.place === undefined) return;
    const { pa, span } = file.place;
    file.place = undefined;
    let at = 0;
    for (const { start, end } of [...file.pieces.items, { start: span, end: span }]) {
      const to = Math.min(start, span);
      if (to > at) this.#pool.unreserve(pa + at, to - at);
      at = Math.max(at, end);
    }
  }

  /** Gives up what nobody maps, and all that is reserved: mapped pages would not become free. */
  trim(): void {
    for (const [key, file] of this.#files) {
      this.#unreserve(file);
      const kept: Piece[] = [];
      for (const { start, pa, end } of file.pieces.items) {
        this.#pool.runs(pa, end - start, (from, bytes, mapped) => {
          const offset = start + from - pa;
          if (mapped) kept.push({ start: offset, end: offset + bytes, pa: from });
        });
      }
      if (kept.length === 0) {
        this.#drop(key, file);
        continue;
      }
      for (const { start, pa, end } of file.pieces.items.splice(0, Infinity, ...kept)) {
        this.#pool.runs(pa, end - start, (from, bytes, mapped) => {
          if (!mapped) this.#pool.release(from, bytes);
        });
      }
    }
  }
}
