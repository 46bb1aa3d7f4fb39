import { PAGE, pageDown } from "../abi/mman.ts";

/** What the pool needs from HostMemory. */
export interface Zeroer {
  fill(va: number, value: number, length: number): void;
}

/**
 * The personality's physical memory: one range of RAM, handed out in page runs.
 * Free runs are kept in address order; a run that was never handed out is known to be zero and is not cleared again, so that
 * untouched RAM stays unallocated on the host.
 */
export class Pool {
  readonly base: number;
  readonly end: number;
  /** Free runs [start, end), ascending, never adjacent. Only #cut() and #insert() change them. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** 1 = the page may hold old data. */
  readonly #dirty: Uint8Array;
  /** Owners of a page in use beyond the first (copy-on-write after fork). */
  readonly #shares: Uint16Array;
  readonly #memory: Zeroer;
  #freeBytes: number;

  /** Preconditions: `base` and `bytes` are page multiples; the RAM is zero unless `used`. */
  constructor(memory: Zeroer, base: number, bytes: number, used = false) {
    this.#memory = memory;
    this.base = base;
    this.end = base + bytes;
    this.#starts.push(base);
    this.#ends.push(this.end);
    this.#dirty = new Uint8Array(bytes / PAGE).fill(used ? 1 : 0);
    this.#shares = new Uint16Array(bytes / PAGE);
    this.#freeBytes = bytes;
  }

  /** Free memory; what is reserved belongs to it. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  get totalBytes(): number {
    return this.end - this.base;
  }

  /** Takes exactly [pa, pa+bytes), cleared; false when part of it is in use. */
  takeAt(pa: number, bytes: number): boolean {
    if (pa < this.base || pa + bytes > this.end) return false;
    const i = this.#indexOf(pa);
    if (i < 0 || this.#ends[i] < pa + bytes) return false;
    this.#cut(i, pa, bytes);
    this.#use(pa, bytes);
    return true;
  }

  /**
   * Takes `bytes` of cleared memory whose address is congruent to `like` modulo the largest useful alignment, so that few power-of-two
   * delegations map it. Small requests fill the first hole; returns undefined when no hole is large enough.
   */
  take(bytes: number, like: number): number | undefined {
    const pa = this.#takeAny(bytes, like);
    if (pa !== undefined || this.reclaim === undefined) return pa;
    this.reclaim();
    return this.#takeAny(bytes, like);
  }

  /** Called when nothing is left: gives back what is only kept for speed. */
  reclaim: (() => void) | undefined;

  #takeAny(bytes: number, like: number): number | undefined {
    const pa = this.#cutAny(bytes, like);
    if (pa !== undefined) this.#use(pa, bytes);
    return pa;
  }

  #cutAny(bytes: number, like: number): number | undefined {
    const align = alignmentFor(bytes);
    return this.#cutFirst(bytes, align, like % align) ?? (align > PAGE ? this.#cutFirst(bytes, PAGE, 0) : undefined);
  }

  /**
   * Keeps `bytes` together for somebody who will need them part by part: `claim` makes a part memory in use, `unreserve` gives one up. Costs
   * nothing until then. Whoever reserves gives back in `reclaim`. Undefined when no hole is large enough.
   */
  reserve(bytes: number, like: number): number | undefined {
    return this.#cutAny(bytes, like);
  }

  /** Makes a reserved part memory in use, cleared: as if `take` had returned it. */
  claim(pa: number, bytes: number): void {
    this.#use(pa, bytes);
  }

  unreserve(pa: number, bytes: number): void {
    this.#insert(pa, bytes);
  }

  /**
   * A place for `bytes` that are to grow: in the largest hole, with `below` of the rest of it (0 to 1) before them; `tight`: in the smallest
   * with so much `room` beside (at least ALIGN_MAX). Undefined when no hole has it. Nothing is taken.
   */
  propose(bytes: number, like: number, room: number, below: number, tight = false): number | undefined {
    let best = -1, bestSize = 0;
    for (let i = 0; i < this.#starts.length; i++) {
      const size = this.#ends[i] - this.#starts[i];
      if (size < bytes + room || best >= 0 && (tight ? size >= bestSize : size <= bestSize)) continue;
      best = i;
      bestSize = size;
    }
    if (best < 0) return undefined;
    return alignUpTo(this.#starts[best] + pageDown((bestSize - bytes - ALIGN_MAX) * below), ALIGN_MAX, like % ALIGN_MAX);
  }

  /** One more owner of pages in use. */
  share(pa: number, bytes: number): void {
    const last = (pa + bytes - this.base) / PAGE;
    for (let page = (pa - this.base) / PAGE; page < last; page++) this.#shares[page]++;
  }

  /** Has any of these pages more than one owner? */
  isShared(pa: number, bytes: number): boolean {
    const last = (pa + bytes - this.base) / PAGE;
    for (let page = (pa - this.base) / PAGE; page < last; page++) if (this.#shares[page] !== 0) return true;
    return false;
  }

  /** One owner less; pages without an owner become free. */
  release(pa: number, bytes: number): void {
    this.runs(pa, bytes, (from, length, shared) => {
      if (!shared) return this.#free(from, length);
      const last = (from + length - this.base) / PAGE;
      for (let page = (from - this.base) / PAGE; page < last; page++) this.#shares[page]--;
    });
  }

  /** Tells which parts of a range in use have more than one owner. */
  runs(pa: number, bytes: number, visit: (pa: number, bytes: number, shared: boolean) => void): void {
    const last = (pa + bytes - this.base) / PAGE;
    let page = (pa - this.base) / PAGE;
    while (page < last) {
      const from = page, shared = this.#shares[page] !== 0;
      while (page < last && (this.#shares[page] !== 0) === shared) page++;
      visit(this.base + from * PAGE, (page - from) * PAGE, shared);
    }
  }

  #free(pa: number, bytes: number): void {
    this.#dirty.fill(1, (pa - this.base) / PAGE, (pa + bytes - this.base) / PAGE);
    this.#freeBytes += bytes;
    this.#insert(pa, bytes);
  }

  /** Adds a free run. */
  #insert(pa: number, bytes: number): void {
    const i = this.#upper(pa);
    const joinsLeft = i > 0 && this.#ends[i - 1] === pa;
    const joinsRight = i < this.#starts.length && this.#starts[i] === pa + bytes;
    if (joinsLeft && joinsRight) {
      this.#ends[i - 1] = this.#ends[i];
      this.#starts.splice(i, 1);
      this.#ends.splice(i, 1);
    } else if (joinsLeft) {
      this.#ends[i - 1] = pa + bytes;
    } else if (joinsRight) {
      this.#starts[i] = pa;
    } else {
      this.#starts.splice(i, 0, pa);
      this.#ends.splice(i, 0, pa + bytes);
    }
  }

  #cutFirst(bytes: number, align: number, offset: number): number | undefined {
    for (let i = 0; i < this.#starts.length; i++) {
      const pa = alignUpTo(this.#starts[i], align, offset);
      if (pa + bytes <= this.#ends[i]) {
        this.#cut(i, pa, bytes);
        return pa;
      }
    }
    return undefined;
  }

  /** Removes [pa, pa+bytes) from free run `i`, which contains it. */
  #cut(i: number, pa: number, bytes: number): void {
    const start = this.#starts[i];
    const end = this.#ends[i];
    if (start === pa && end === pa + bytes) {
      this.#starts.splice(i, 1);
      this.#ends.splice(i, 1);
    } else if (start === pa) {
      this.#starts[i] = pa + bytes;
    } else if (end === pa + bytes) {
      this.#ends[i] = pa;
    } else {
      this.#ends[i] = pa;
      this.#starts.splice(i + 1, 0, pa + bytes);
      this.#ends.splice(i + 1, 0, end);
    }
  }

  /** What belongs to no free run any more is in use from now on, and zero. */
  #use(pa: number, bytes: number): void {
    this.#freeBytes -= bytes;
    const dirty = this.#dirty;
    const last = (pa + bytes - this.base) / PAGE;
    let page = (pa - this.base) / PAGE;
    while (page < last) {
      if (dirty[page] === 0) {
        page++;
        continue;
      }
      const from = page;
      while (page < last && dirty[page] !== 0) dirty[page++] = 0;
      this.#memory.fill(this.base + from * PAGE, 0, (page - from) * PAGE);
    }
  }

  /** Index of the free run that contains `pa`, or -1. */
  #indexOf(pa: number): number {
    const i = this.#upper(pa) - 1;
    return i >= 0 && pa < this.#ends[i] ? i : -1;
  }

  /** Index of the first run that starts after `pa`. */
  #upper(pa: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.#starts[mid] <= pa) low = mid + 1;
      else high = mid;
    }
    return low;
  }
}

/** More congruence than this does not save delegations worth having. */
export const ALIGN_MAX = 2 << 20;

/** The next power of two of a request, at most ALIGN_MAX. */
function alignmentFor(bytes: number): number {
  let align = PAGE;
  while (align < bytes && align < ALIGN_MAX) align *= 2;
  return align;
}

function alignUpTo(x: number, align: number, offset: number): number {
  const aligned = x - x % align + offset;
  return aligned >= x ? aligned : aligned + align;
}
