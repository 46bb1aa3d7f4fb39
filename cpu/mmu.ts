/** Address spaces as sorted lists of extents. */
import { PAGE } from "./layout.ts";
import type { AddressSpace, Extent } from "./space.ts";

/** Told after a range of a space has lost or changed mappings (not for ranges that were unmapped before). */
export type SpaceListener = (space: Space, from: number, to: number) => void;

export class Space implements AddressSpace {
  /** Ascending, disjoint, maximal (neighbours that could merge have been merged). */
  #list: Extent[] = [];
  /** The extent found last: most lookups hit it. */
  #last: Extent | undefined;
  /** Linear address of its table of shared extents; 0 = it has none. */
  cells = 0;

  constructor(
    readonly id: number,
    private readonly changed: SpaceListener,
    private readonly released: (space: Space) => void,
    private readonly mapped: (space: Space, from: number) => void = () => {},
  ) {}

  map(va: number, pa: number, length: number, rights: number, tag = 0): void {
    this.#check(va, length);
    if (rights === 0 || pa % PAGE !== 0) throw new RangeError(`Bad mapping: pa ${pa}, rights ${rights}`);
    if (length === 0) return;
    let start = va, end = va + length, from = pa;
    const i = this.#cut(va, end);
    const before = this.#list[i.at - 1], after = this.#list[i.at];
    let at = i.at, remove = 0;
    if (before && before.end === start && joins(before, rights, tag) && before.pa + (before.end - before.start) === from) {
      start = before.start;
      from = before.pa;
      at--;
      remove++;
    }
    if (after && after.start === end && joins(after, rights, tag) && after.pa === pa + length) {
      end = after.end;
      remove++;
    }
    this.#list.splice(at, remove, { start, end, pa: from, rights, tag });
    this.#last = undefined;
    if (i.hit) this.changed(this, va, va + length);
    this.mapped(this, va);
  }

  unmap(va: number, length: number): void {
    this.#check(va, length);
    if (length === 0) return;
    const { hit } = this.#cut(va, va + length);
    this.#last = undefined;
    if (hit) this.changed(this, va, va + length);
  }

  find(va: number): Extent | undefined {
    const last = this.#last;
    if (last && va >= last.start && va < last.end) return last;
    const e = this.#list[this.#lower(va)];
    if (e && va >= e.start) return this.#last = e;
    return undefined;
  }

  extents(from: number, to: number): Extent[] {
    const out: Extent[] = [];
    for (let i = this.#lower(from); i < this.#list.length && this.#list[i].start < to; i++) out.push(this.#list[i]);
    return out;
  }

  destroy(): void {
    const [first, last] = [this.#list[0], this.#list[this.#list.length - 1]];
    this.#list = [];
    this.#last = undefined;
    if (first) this.changed(this, first.start, last.end);
    this.released(this);
  }

  /** Index of the first extent that ends after `va`. */
  #lower(va: number): number {
    let lo = 0, hi = this.#list.length;
    while (lo < hi) {
      const mid = (lo + hi) >>> 1;
      if (this.#list[mid].end > va) hi = mid;
      else lo = mid + 1;
    }
    return lo;
  }

  /** Removes [from, to) from the list, splitting extents at its ends; says where it was and whether anything was there. */
  #cut(from: number, to: number): { at: number; hit: boolean } {
    const at = this.#lower(from);
    let end = at;
    while (end < this.#list.length && this.#list[end].start < to) end++;
    if (end === at) return { at, hit: false };
    const first = this.#list[at], last = this.#list[end - 1];
    const keep: Extent[] = [];
    if (first.start < from) keep.push({ ...first, end: from });
    if (last.end > to) keep.push({ ...last, start: to, pa: last.pa + (to - last.start) });
    this.#list.splice(at, end - at, ...keep);
    return { at: first.start < from ? at + 1 : at, hit: true };
  }

  #check(va: number, length: number): void {
    if (va % PAGE !== 0 || length % PAGE !== 0 || va < 0 || length < 0 || va + length > 2 ** 47) {
      throw new RangeError(`Bad virtual range: ${va}, ${length}`);
    }
  }
}

const joins = (e: Extent, rights: number, tag: number): boolean => e.rights === rights && e.tag === tag;
