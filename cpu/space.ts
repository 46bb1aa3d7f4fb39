/** Rights of a mapping, as in Hedron's memory capabilities (ABI 5.1). */
export const RIGHT_R = 1, RIGHT_W = 2, RIGHT_X = 4;

/**
 * A maximal run of virtual pages that are physically contiguous and have the same rights and tag.
 * All numbers are bytes; addresses are exact JavaScript numbers (48 bits).
 */
export interface Extent {
  readonly start: number;
  /** First address after the extent. */
  readonly end: number;
  /** Physical address of `start`. */
  readonly pa: number;
  /** RIGHT_* bits; never 0. */
  readonly rights: number;
  /** Free for the kernel (for example "not delegatable"); extents with different tags never merge. */
  readonly tag: number;
}

/**
 * Virtual memory of one protection domain, as the MMU sees it.
 * Every change is seen at once by the interpreter and drops translations that relied on what changed.
 */
export interface AddressSpace {
  /** Small integer, unique among living spaces of one machine; tags TLB entries. */
  readonly id: number;
  /** Maps [va, va+length) to [pa, pa+length), replacing what was there. Preconditions: all page-aligned, rights != 0. */
  map(va: number, pa: number, length: number, rights: number, tag?: number): void;
  unmap(va: number, length: number): void;
  /** The extent that contains `va`, or undefined. */
  find(va: number): Extent | undefined;
  /** The extents that intersect [from, to), in ascending order, not clipped. */
  extents(from: number, to: number): Extent[];
  /** Drops all mappings and translations; the id may be reused. */
  destroy(): void;
}
