/**
 * The first level of the software TLB, for translated code: what must be added to a virtual address to get the linear one, for the pages of
 * the running space. An entry has no tag. There are so many entries that pages which share one lie at least as far apart as guests' RAM is
 * large, so the sum is in the RAM if the entry is that of the address, and never otherwise. A hit takes one load, one addition and one
 * comparison.
 *
 * The RAM is counted in a window of a power of two, whose last page has no entry: that is where the pages of empty entries would be.
 *
 * Only pages of RAM have entries: those of the kernel's memory that guests see lie outside of the window. And a page has an entry only if the page behind it continues it, with the same right: accesses may cross pages. (So the last page of RAM has
 * none.) All others, and what is not here yet, are for the second level (runtime.ts), which fills this one.
 */
import type { Ram } from "./api.ts";
import { CTL_QUICK_COUNT, CTL_QUICK_MASK, PAGE, PAGE_SHIFT, QUICK_LIST, QUICK_TLB, USER_RAM } from "./layout.ts";
import { add, and, type Expr, i32, i64, load, sub, w } from "./wasm/expr.ts";

const ENTRY_SHIFT = 3;
/** Entries that may be filled before all are emptied. */
export const QUICK_FILLED = 0x1_0000;

export interface QuickShape {
  /** Mask of an entry's byte offset. */
  readonly mask: number;
  /** Byte offset of the table for writing from that for reading. */
  readonly writing: number;
  /** Bytes of the window. */
  readonly window: number;
}

export function quickShape(ramBytes: number): QuickShape {
  const window = 2 ** Math.ceil(Math.log2(ramBytes - USER_RAM)), writing = (window / PAGE) << ENTRY_SHIFT;
  return { mask: writing - (1 << ENTRY_SHIFT), writing, window };
}

/** Byte offset of the entry of an i64 address within its table. */
export const quickEntry = (va: Expr, mask: Expr): Expr =>
  and(w("i32.shr_u", w("i32.wrap_i64", va), i32(PAGE_SHIFT - ENTRY_SHIFT)), mask);

/** The linear address of an access, i64, if the entry is that of the address. */
export const quickSum = (va: Expr, write: boolean, { mask, writing }: QuickShape): Expr =>
  add(va, load("i64.load", quickEntry(va, i32(mask)), QUICK_TLB + (write ? writing : 0)));

export const quickHit = (sum: Expr, { window }: QuickShape): Expr =>
  w("i64.le_u", sub(sum, i64(USER_RAM)), i64(window - PAGE - 1));

export class QuickTlb {
  readonly shape: QuickShape;
  #ready = false;

  constructor(private readonly ram: Ram) {
    this.shape = quickShape(ram.size);
  }

  /** Makes all entries empty, before the first translated code runs. */
  prepare(): void {
    if (this.#ready) return;
    this.#ready = true;
    const { i32 } = this.ram,
      { mask, writing, window } = this.shape,
      step = 1 << (ENTRY_SHIFT - 2),
      end = (QUICK_TLB + writing) >> 2;
    // What `#empty` does, millions of times.
    for (let at = QUICK_TLB >> 2, sum = USER_RAM + window - PAGE; at < end; at += step, sum -= PAGE) {
      i32[at] = i32[at + (writing >> 2)] = sum | 0;
      if (sum >= 0x1_0000_0000) i32[at + 1] = i32[at + (writing >> 2) + 1] = 1;
    }
    i32[CTL_QUICK_MASK >> 2] = mask;
  }
  /** Makes room, if there is none, for one more. */
  reserve(): void {
    if (this.ram.i32[CTL_QUICK_COUNT >> 2] >= QUICK_FILLED) this.flush();
  }
  flush(): void {
    const { i32 } = this.ram, count = i32[CTL_QUICK_COUNT >> 2];
    for (let n = 0; n < count; n++) this.#empty(i32[(QUICK_LIST >> 2) + n] - QUICK_TLB);
    i32[CTL_QUICK_COUNT >> 2] = 0;
  }
  /** Empties the entries of `count` pages. */
  flushPages(first: number, count: number): void {
    if (count >= this.ram.i32[CTL_QUICK_COUNT >> 2]) return this.flush();
    const { mask, writing } = this.shape;
    for (let page = first; page < first + count; page++) {
      const entry = (page * (1 << ENTRY_SHIFT)) & mask;
      this.#empty(entry);
      this.#empty(writing + entry);
    }
  }
  /** @param entry byte offset in the tables */
  #empty(entry: number): void {
    const { i32 } = this.ram, { mask, window } = this.shape, at = (QUICK_TLB + entry) >> 2;
    const sum = USER_RAM + window - PAGE - (entry & mask) * (PAGE >> ENTRY_SHIFT);
    i32[at] = sum | 0;
    i32[at + 1] = sum < 0x1_0000_0000 ? 0 : 1;
  }
}
