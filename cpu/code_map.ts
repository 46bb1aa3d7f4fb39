/** Which physical memory holds bytes that have been decoded or translated, so that writes to it drop what was made from them. */
import { PAGE_SHIFT } from "./layout.ts";

/** Something made from guest code: a decoded block or a region. */
export interface Translation {
  /** Physical ranges [start, end) of the bytes it was made from; at most a few. */
  readonly source: readonly (readonly [number, number])[];
  /** Makes sure that it is never executed again. Called once; must not call back into the CodeMap. */
  kill(): void;
}

/** Writes are watched in units of 64 bytes, so that data beside code does not drop it. */
const LINE_SHIFT = 6;

interface CodePage {
  /** Bit n: line n of the page holds code (lines 0..31, 32..63). */
  low: number;
  high: number;
  readonly users: Set<Translation>;
}

export class CodeMap {
  readonly #pages = new Map<number, CodePage>();
  /** Page numbers in ascending order; dropped when they change. */
  #sorted: number[] | undefined;

  /** @param onNewCodePage called with a physical page number that holds code from now on: writes to it must be watched. */
  constructor(private readonly onNewCodePage: (page: number) => void) {}

  isCodePage(page: number): boolean {
    return this.#pages.has(page);
  }

  /** The closest code pages below and above a page that has no code; -1 and Infinity where there are none. */
  around(page: number): { below: number; above: number } {
    if (!this.#sorted) this.#sorted = [...this.#pages.keys()].sort((a, b) => a - b);
    let lo = 0, hi = this.#sorted.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.#sorted[mid] < page) lo = mid + 1;
      else hi = mid;
    }
    return { below: this.#sorted[lo - 1] ?? -1, above: this.#sorted[lo] ?? Infinity };
  }
  // Plain loops in what every block passes through: an iterator allocates for each step until it has been optimised.
  add(t: Translation): void {
    for (let n = 0; n < t.source.length; n++) {
      const range = t.source[n], start = range[0], end = range[1];
      for (let page = start >>> PAGE_SHIFT; page <= (end - 1) >>> PAGE_SHIFT; page++) {
        let p = this.#pages.get(page);
        if (!p) {
          p = { low: 0, high: 0, users: new Set() };
          this.#pages.set(page, p);
          this.#sorted = undefined;
          this.onNewCodePage(page);
        }
        p.users.add(t);
        mark(p, page, start, end);
      }
    }
  }

  remove(t: Translation): void {
    for (const [start, end] of t.source) {
      for (let page = start >>> PAGE_SHIFT; page <= (end - 1) >>> PAGE_SHIFT; page++) {
        const p = this.#pages.get(page);
        if (!p?.users.delete(t)) continue;
        if (p.users.size > 0) continue;
        this.#pages.delete(page);
        this.#sorted = undefined;
      }
    }
  }

  /** Bytes [pa, pa+length) change: kills what was made from them. True when anything was killed. */
  written(pa: number, length: number): boolean {
    let killed = false;
    const end = pa + length;
    for (let page = pa >>> PAGE_SHIFT; page <= (end - 1) >>> PAGE_SHIFT; page++) {
      const p = this.#pages.get(page);
      if (!p || !touches(p, page, pa, end)) continue;
      for (const t of [...p.users]) {
        if (!t.source.some(([s, e]) => s < end && e > pa)) continue;
        this.remove(t);
        t.kill();
        killed = true;
      }
      p.low = p.high = 0;
      for (const t of p.users) for (const [s, e] of t.source) mark(p, page, s, e);
    }
    return killed;
  }
}

/** The first line of the page that [start, end) touches, and the last. */
const firstLine = (page: number, start: number): number => Math.max(0, start - (page << PAGE_SHIFT >>> 0)) >> LINE_SHIFT;
const lastLine = (page: number, end: number): number => Math.min(4095, end - 1 - (page << PAGE_SHIFT >>> 0)) >> LINE_SHIFT;
function mark(p: CodePage, page: number, start: number, end: number): void {
  for (let l = firstLine(page, start), last = lastLine(page, end); l <= last; l++) {
    if (l < 32) p.low |= 1 << l;
    else p.high |= 1 << (l - 32);
  }
}
function touches(p: CodePage, page: number, start: number, end: number): boolean {
  for (let l = firstLine(page, start), last = lastLine(page, end); l <= last; l++) {
    if ((l < 32 ? p.low >> l : p.high >> (l - 32)) & 1) return true;
  }
  return false;
}
