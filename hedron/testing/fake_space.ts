import type { AddressSpace, Extent } from "../../cpu/space.ts";

interface Piece {
  start: number;
  end: number;
  pa: number;
  rights: number;
  tag: number;
}

/** A plain sorted list of extents; adjacent pieces that fit are merged. */
export class FakeSpace implements AddressSpace {
  #list: Piece[] = [];
  destroyed = false;
  constructor(readonly id: number) {}

  map(va: number, pa: number, length: number, rights: number, tag = 0): void {
    this.unmap(va, length);
    this.#list.push({ start: va, end: va + length, pa, rights, tag });
    this.#list.sort((a, b) => a.start - b.start);
    const merged: Piece[] = [];
    for (const piece of this.#list) {
      const last = merged[merged.length - 1];
      const fits = last && last.end === piece.start && last.pa + (last.end - last.start) === piece.pa &&
        last.rights === piece.rights && last.tag === piece.tag;
      if (fits) last.end = piece.end;
      else merged.push(piece);
    }
    this.#list = merged;
  }

  unmap(va: number, length: number): void {
    const end = va + length, kept: Piece[] = [];
    for (const p of this.#list) {
      if (p.end <= va || p.start >= end) {
        kept.push(p);
        continue;
      }
      if (p.start < va) kept.push({ ...p, end: va });
      if (p.end > end) kept.push({ ...p, start: end, pa: p.pa + (end - p.start) });
    }
    this.#list = kept;
  }

  find(va: number): Extent | undefined {
    return this.#list.find((p) => va >= p.start && va < p.end);
  }

  extents(from: number, to: number): Extent[] {
    return this.#list.filter((p) => p.end > from && p.start < to);
  }

  destroy(): void {
    this.#list = [];
    this.destroyed = true;
  }
}
