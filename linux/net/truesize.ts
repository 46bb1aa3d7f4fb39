import { pageUp } from "../abi/mman.ts";

/** Largest buffer in one piece, and what Linux keeps beside the data of every buffer (struct skb_shared_info, struct sk_buff). */
const LINEAR_MAX = 32 << 10, SHARED_INFO = 320, SK_BUFF = 256, SMALLEST = 512;
/** A buffer in pages: its head. */
const HEAD = 2304;

/** Bytes of a stream that go into one buffer. */
export const PIECE_BYTES = 32 << 10;

/** What a buffer with so many bytes of data counts as, where senders are held back: SKB_TRUESIZE() of allocations as slab caches round them up. */
export function truesize(bytes: number): number {
  const linear = bytes + SHARED_INFO;
  if (linear > LINEAR_MAX) return pageUp(bytes) + HEAD;
  return Math.max(SMALLEST, 2 ** (32 - Math.clz32(linear - 1))) + SK_BUFF;
}
