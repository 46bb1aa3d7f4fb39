/** Contents of one file in pool RAM: sparse, grown geometrically, in as few contiguous extents as possible. */
import { PAGE } from "../cpu/layout.ts";
import { EFBIG, ENOSPC } from "../host/errno.ts";
import type { Ram } from "./node.ts";
import type { Pool } from "./pool.ts";

/** Bytes allocated ahead at most when a file grows at its end. */
const MAX_GROWTH = 4 << 20;
const MAX_SIZE = Number.MAX_SAFE_INTEGER - PAGE;

interface FileExtent {
  offset: number;
  address: number;
  length: number;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;
const roundDown = (bytes: number): number => bytes - bytes % PAGE;

export class Contents {
  /** Bytes of the file. Allocated bytes beyond it are garbage; they are zeroed before the size grows over them. */
  size = 0;
  /** Ascending, disjoint, page-aligned; holes read as zeros. */
  private readonly extents: FileExtent[] = [];
  /** Index of the extent that was used last. */
  private last = 0;

  constructor(private readonly pool: Pool, private readonly ram: Ram) {}

  /** 512-byte units, without what is only allocated ahead. */
  get blocks(): number {
    const end = roundUp(this.size);
    let bytes = 0;
    for (const extent of this.extents) bytes += Math.max(0, Math.min(extent.offset + extent.length, end) - extent.offset);
    return bytes / 512;
  }

  read(offset: number, to: number, length: number): number {
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return 0;
    for (let at = offset; at < end;) {
      const i = this.find(at);
      const extent = this.extents[i];
      let upTo = end;
      if (extent !== undefined && extent.offset <= at) {
        upTo = Math.min(end, extent.offset + extent.length);
        this.ram.copy(to + at - offset, extent.address + at - extent.offset, upTo - at);
      } else {
        if (extent !== undefined) upTo = Math.min(end, extent.offset);
        this.ram.fill(to + at - offset, 0, upTo - at);
      }
      at = upTo;
    }
    return end - offset;
  }

  /** Writes as much as there is room for; -ENOSPC when that is nothing. */
  write(offset: number, from: number, length: number): number {
    if (length === 0) return 0;
    if (offset > MAX_SIZE - length) return -EFBIG;
    if (offset > this.size) this.zero(this.size, offset);
    const end = offset + length;
    let at = offset;
    while (at < end) {
      const i = this.find(at);
      let extent: FileExtent | undefined = this.extents[i];
      if (extent === undefined || extent.offset > at) {
        extent = this.allocate(i, at, end);
        if (extent === undefined) break;
      }
      const upTo = Math.min(end, extent.offset + extent.length);
      this.ram.copy(extent.address + at - extent.offset, from + at - offset, upTo - at);
      at = upTo;
    }
    if (at === offset) return -ENOSPC;
    if (at > this.size) this.size = at;
    return at - offset;
  }

  /** Sets the size; what is new reads as zeros. */
  truncate(size: number): number {
    if (size > MAX_SIZE) return -EFBIG;
    if (size > this.size) this.zero(this.size, size);
    this.size = size;
    this.trim();
    return 0;
  }

  /** The first offset from `offset` on that has data, or that is in a hole (the end counts as one). Precondition: `offset` < size. */
  seek(offset: number, hole: boolean): number {
    let i = this.find(offset), at = offset;
    const within = (n: number): boolean => this.extents[n] !== undefined && this.extents[n].offset <= at;
    if (!hole) return within(i) ? at : Math.min(this.extents[i]?.offset ?? Infinity, this.size);
    for (; within(i); i++) at = this.extents[i].offset + this.extents[i].length;
    return Math.min(at, this.size);
  }

  /** Makes [offset, offset + length) a hole: whole pages are given back, the rest is zeroed. The size stays. */
  punch(offset: number, length: number): void {
    const end = Math.min(offset + length, roundUp(this.size));
    this.zero(offset, end);
    const from = roundUp(offset), to = roundDown(end);
    for (let i = this.find(from); from < to && i < this.extents.length && this.extents[i].offset < to;) {
      const extent = this.extents[i], start = Math.max(from, extent.offset), stop = Math.min(to, extent.offset + extent.length);
      this.pool.give(extent.address + start - extent.offset, stop - start);
      const rest = extent.offset + extent.length - stop;
      const upper = { offset: stop, address: extent.address + stop - extent.offset, length: rest };
      extent.length = start - extent.offset;
      const parts = [...(extent.length > 0 ? [extent] : []), ...(rest > 0 ? [upper] : [])];
      this.extents.splice(i, 1, ...parts);
      i += parts.length;
    }
  }

  /** Fills the holes of [offset, offset + length); the size grows unless `keepSize`. -ENOSPC when there is no room. */
  reserve(offset: number, length: number, keepSize: boolean): number {
    const end = offset + length;
    if (end > MAX_SIZE) return -EFBIG;
    if (roundUp(length) > this.pool.available + this.blocks * 512) return -ENOSPC;
    for (let at = roundDown(offset); at < end;) {
      const i = this.find(at), there = this.extents[i];
      if (there !== undefined && there.offset <= at) {
        at = there.offset + there.length;
        continue;
      }
      const upTo = Math.min(end, there?.offset ?? Infinity);
      const made = this.allocate(i, at, upTo);
      if (made === undefined) return -ENOSPC;
      this.ram.fill(made.address + at - made.offset, 0, Math.min(roundUp(upTo), made.offset + made.length) - at);
      at = made.offset + made.length;
    }
    if (!keepSize && end > this.size) this.truncate(end);
    return 0;
  }

  /** Gives back what is allocated beyond the size. */
  trim(): void {
    const end = roundUp(this.size);
    while (this.extents.length > 0) {
      const extent = this.extents[this.extents.length - 1];
      const keep = Math.max(0, end - extent.offset);
      if (keep >= extent.length) break;
      this.pool.give(extent.address + keep, extent.length - keep);
      extent.length = keep;
      if (keep > 0) break;
      this.extents.pop();
    }
  }

  release(): void {
    for (const extent of this.extents) this.pool.give(extent.address, extent.length);
    this.extents.length = 0;
    this.size = 0;
  }

  /** Index of the extent that contains `offset`, else of the first one after it. */
  private find(offset: number): number {
    const hint = this.extents[this.last];
    if (hint !== undefined && hint.offset <= offset && offset < hint.offset + hint.length) return this.last;
    let low = 0, high = this.extents.length;
    while (low < high) {
      const middle = low + high >> 1;
      const extent = this.extents[middle];
      if (extent.offset + extent.length > offset) high = middle;
      else low = middle + 1;
    }
    this.last = low;
    return low;
  }

  private zero(from: number, to: number): void {
    for (const extent of this.extents) {
      const start = Math.max(from, extent.offset), end = Math.min(to, extent.offset + extent.length);
      if (start < end) this.ram.fill(extent.address + start - extent.offset, 0, end - start);
    }
  }

  /** Room at `at` in the hole before extent `i`, as much of [at, end) as one run gives. */
  private allocate(i: number, at: number, end: number): FileExtent | undefined {
    const start = roundDown(at);
    const holeEnd = i < this.extents.length ? this.extents[i].offset : Infinity;
    const needed = Math.min(roundUp(end), holeEnd) - start;
    const before: FileExtent | undefined = this.extents[i - 1];
    const appends = before !== undefined && before.offset + before.length === start;
    const ahead = appends && holeEnd === Infinity ? Math.min(roundDown(start), MAX_GROWTH) : 0;
    const wanted = Math.max(needed, ahead);

    for (const bytes of wanted > needed ? [wanted, needed] : [needed]) {
      if (appends && this.pool.extend(before.address + before.length, bytes)) {
        before.length += bytes;
        this.last = i - 1;
        this.zeroAround(before, start, at, end);
        return before;
      }
      const address = this.pool.take(bytes);
      if (address !== 0) return this.insert(i, start, address, bytes, at, end);
    }
    const bytes = Math.min(needed, this.pool.longest());
    const address = bytes > 0 ? this.pool.take(bytes) : 0;
    return address === 0 ? undefined : this.insert(i, start, address, bytes, at, end);
  }

  private insert(i: number, offset: number, address: number, length: number, at: number, end: number): FileExtent {
    const extent = { offset, address, length };
    this.extents.splice(i, 0, extent);
    this.last = i;
    this.zeroAround(extent, offset, at, end);
    return extent;
  }

  /** Zeroes what will belong to the file but is not about to be written: [start, at), and from `end` up to the size. */
  private zeroAround(extent: FileExtent, start: number, at: number, end: number): void {
    if (start < at) this.ram.fill(extent.address + start - extent.offset, 0, at - start);
    const tail = Math.min(extent.offset + extent.length, this.size);
    if (end < tail) this.ram.fill(extent.address + end - extent.offset, 0, tail - end);
  }
}
