import type { OpenFile } from "../files/open_file.ts";
import { pageUp } from "../abi/mman.ts";
import type { Address } from "./address.ts";

export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

/** Data on its way: a datagram, or a piece of a stream. */
export interface Packet {
  data: Uint8Array<ArrayBuffer>;
  /** Bytes already read from a stream piece. */
  at: number;
  from: Address | undefined;
  files: OpenFile[] | undefined;
  credentials: PeerCredentials;
}

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

/** TCP: what comes in small pieces shares a buffer up to this size. */
const SHARED_BUFFER = 4096;

/** Puts more data of a stream into the buffer of its last piece; false when that is too large. */
export function appended(last: Packet, data: Uint8Array<ArrayBuffer>): boolean {
  const waiting = last.data.subarray(last.at);
  if (waiting.length + data.length > SHARED_BUFFER) return false;
  last.data = new Uint8Array(waiting.length + data.length);
  last.data.set(waiting);
  last.data.set(data, waiting.length);
  last.at = 0;
  return true;
}
