/** Where the code is that a region was made from. */
import type { Ram } from "../api.ts";
import type { Space } from "../mmu.ts";
import type { Graph } from "./cfg.ts";

/** Addresses [from, to). */
export type Range = readonly [from: number, to: number];

/** Virtual addresses of the instructions of a graph. */
export function virtualRanges(g: Graph): Range[] {
  const out: [number, number][] = [];
  // The instructions of a node follow each other.
  const pieces = g.nodes.flatMap(({ steps }): [number, number][] => {
    const last = steps.at(-1)?.insn;
    return last ? [[steps[0].insn.pc, last.pc + last.length]] : [];
  });
  for (const piece of pieces.sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last && piece[0] <= last[1]) last[1] = Math.max(last[1], piece[1]);
    else out.push(piece);
  }
  return out;
}

/** The same in physical memory; undefined when something is not mapped. */
export function physicalRanges(space: Space, virtual: readonly Range[]): Range[] | undefined {
  const out: Range[] = [];
  for (const [from, to] of virtual) {
    for (let va = from; va < to;) {
      const e = space.find(va);
      if (!e) return undefined;
      const end = Math.min(to, e.end);
      out.push([e.pa + (va - e.start), e.pa + (end - e.start)]);
      va = end;
    }
  }
  return out;
}

export const overlaps = (ranges: readonly Range[], from: number, to: number): boolean =>
  ranges.some(([s, e]) => s < to && e > from);
/** The bytes of physical ranges. */
export const bytesOf = ({ u8 }: Ram, ranges: readonly Range[]): Uint8Array[] => ranges.map(([from, to]) => u8.subarray(from, to));
