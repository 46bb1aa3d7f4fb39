import { PAGE, USER_ADDR } from "../cpu/layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../cpu/space.ts";
import type { Pd } from "./objects.ts";

/** Extent tag of pages that exist in one PD only: UTCBs (ABI 5.4). */
export const TAG_NOT_DELEGATABLE = 1;

interface Piece {
  /** Offset from the start of the range, bytes. */
  offset: number;
  length: number;
  pa: number;
  rights: number;
}

/**
 * Copies mappings of 2^order pages from page `from` of the source to page `to` of the destination (ABI 5.4, memory): holes and
 * non-delegatable pages unmap, rights 0 unmap everything, what was there is replaced. No tracking: later changes in the source
 * do not propagate. Works on extents, so the cost does not depend on the number of pages.
 */
export function copyMappings(source: Pd, from: number, destination: Pd, to: number, order: number, rights: number): void {
  const start = from * PAGE, target = to * PAGE;
  if (start >= USER_ADDR || target >= USER_ADDR) return;
  const length = Math.min(2 ** order * PAGE, USER_ADDR - start, USER_ADDR - target);
  destination.memoryVersion++;
  if (rights === 0) {
    destination.space.unmap(target, length);
    return;
  }
  // Rights and places are taken down before anything changes: source and destination may be the same space.
  const pieces: Piece[] = [];
  for (const extent of source.space.extents(start, start + length)) {
    if (extent.tag === TAG_NOT_DELEGATABLE) continue;
    const first = Math.max(extent.start, start), last = Math.min(extent.end, start + length);
    const granted = RIGHT_R | (extent.rights & rights & (RIGHT_W | RIGHT_X));
    pieces.push({ offset: first - start, length: last - first, pa: extent.pa + (first - extent.start), rights: granted });
  }
  let done = 0;
  for (const piece of pieces) {
    if (piece.offset > done) destination.space.unmap(target + done, piece.offset - done);
    destination.space.map(target + piece.offset, piece.pa, piece.length, piece.rights, 0);
    done = piece.offset + piece.length;
  }
  if (done < length) destination.space.unmap(target + done, length - done);
}

/** Revocation of memory: unmaps the whole range in this PD, whatever the rights (ABI 5.7). */
export function revokeMappings(pd: Pd, base: number, order: number): void {
  const start = (base - base % 2 ** order) * PAGE;
  if (start >= USER_ADDR) return;
  // Order 31 from page 0 means "everything".
  const length = base === 0 && order >= 31 ? USER_ADDR : Math.min(2 ** order * PAGE, USER_ADDR - start);
  pd.memoryVersion++;
  pd.space.unmap(start, length);
}
