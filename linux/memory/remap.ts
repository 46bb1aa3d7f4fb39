import type { Mm } from "./mm.ts";
import { cutVma, newVma } from "./vma.ts";

/**
 * Moves the area [from, from+oldBytes) to [to, to+bytes) for mremap: its memory moves along as far as `keepBytes`. With `keepOld` the old
 * area stays, without memory. Returns `to`.
 * Preconditions: the old range lies in one area; the ranges do not overlap.
 */
export function moveMapping(
  mm: Mm,
  from: number,
  keepBytes: number,
  oldBytes: number,
  to: number,
  bytes: number,
  keepOld: boolean,
): number {
  const source = mm.vmas.find(from);
  if (source === undefined) return to;
  mm.remove(to, to + bytes);
  const part = cutVma(source, from, from + oldBytes);
  const offset = part.offset;
  // Detached pages are not freed: ownership passes to the new place.
  const pieces = mm.detach(from, from + keepBytes);
  if (keepOld) mm.unback(from, from + oldBytes);
  else mm.remove(from, from + oldBytes);
  part.start = to;
  part.end = to + bytes;
  part.offset = offset;
  mm.add(part, false);
  const area = mm.vmas.find(to) ?? newVma(to, to + bytes, part.prot);
  mm.attach(area, pieces, to - from);
  return to;
}
