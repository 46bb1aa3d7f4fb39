import { PAGE } from "../cpu/layout.ts";
import type { Crd, Utcb } from "./api.ts";
import { crdHigh, crdLow, decodeCrd, ITEM_DELEGATE, ITEM_TRANSLATE } from "./crd.ts";

/** UTCB byte layout (ABI 4). */
export const UTCB_FLAGS = 0x00, UTCB_XLT = 0x08, UTCB_DEL = 0x10, UTCB_DATA = 0x20;
/** Bit 0 of UTCB_FLAGS: native system call toggle (NSCT). */
export const UTCB_NSCT = 1;
export const MAX_UNTYPED = 508, MAX_TYPED = 254;

export function untypedCount(items: number): number {
  const n = items & 0xffff;
  return n > MAX_UNTYPED ? MAX_UNTYPED : n;
}

export function typedCount(items: number): number {
  const n = items >>> 16;
  return n > MAX_TYPED ? MAX_TYPED : n;
}

/** Physical address of typed item `i` in the page at `utcb`. */
export function typedItem(utcb: number, i: number): number {
  return utcb + PAGE - 16 * (i + 1);
}

/** Copies the item counts (at `itemsAt`, see Version) and the untyped words from one UTCB to another (ABI 7.1, step 3). */
export function copyMessage(u32: Uint32Array, from: number, to: number, itemsAt: number): void {
  const items = u32[(from + itemsAt) >> 2];
  u32[(to + itemsAt) >> 2] = items;
  // The counts of API 13.2 are a whole word.
  if (itemsAt === 0) u32[(to + 4) >> 2] = u32[(from + 4) >> 2];
  const words = untypedCount(items) * 2, s = (from + UTCB_DATA) >> 2, d = (to + UTCB_DATA) >> 2;
  if (words > 64) u32.copyWithin(d, s, s + words);
  else for (let i = 0; i < words; i++) u32[d + i] = u32[s + i];
}

/** The UTCB of a host EC, a view on its page. */
export class HostUtcb implements Utcb {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #data: number;
  constructor(private readonly u32: Uint32Array<ArrayBuffer>, private readonly page: number, private readonly itemsAt: number) {
    this.bytes = new Uint8Array(u32.buffer, page + UTCB_DATA, PAGE - UTCB_DATA);
    this.#data = (page + UTCB_DATA) >> 2;
  }

  get untyped(): number {
    return this.u32[(this.page + this.itemsAt) >> 2] & 0xffff;
  }
  set untyped(n: number) {
    const at = (this.page + this.itemsAt) >> 2;
    this.u32[at] = (this.u32[at] & 0xffff0000) | (n & 0xffff);
  }
  get typed(): number {
    return this.u32[(this.page + this.itemsAt) >> 2] >>> 16;
  }
  set typed(n: number) {
    const at = (this.page + this.itemsAt) >> 2;
    this.u32[at] = (this.u32[at] & 0xffff) | (n << 16);
  }
  get xlt(): Crd {
    return this.#crd(UTCB_XLT);
  }
  set xlt(crd: Crd) {
    this.#setCrd(this.page + UTCB_XLT, crd);
  }
  get del(): Crd {
    return this.#crd(UTCB_DEL);
  }
  set del(crd: Crd) {
    this.#setCrd(this.page + UTCB_DEL, crd);
  }
  get(i: number): number {
    const at = this.#data + 2 * i;
    return (this.u32[at + 1] | 0) * 0x1_0000_0000 + this.u32[at];
  }
  set(i: number, value: number): void {
    const at = this.#data + 2 * i;
    this.u32[at] = value | 0;
    this.u32[at + 1] = value === (value | 0) ? value >> 31 : Math.floor(value / 0x1_0000_0000) | 0;
  }
  get32(i: number): number {
    return this.u32[this.#data + 2 * i];
  }
  setTyped(i: number, crd: Crd, flags: { delegate: boolean; hotspot: number }): void {
    const at = typedItem(this.page, i);
    this.#setCrd(at, crd);
    const kind = flags.delegate ? ITEM_DELEGATE : ITEM_TRANSLATE;
    this.u32[(at + 8) >> 2] = (flags.hotspot % 0x10_0000) * PAGE + kind;
    this.u32[(at + 12) >> 2] = Math.floor(flags.hotspot / 0x10_0000);
  }
  getTyped(i: number): Crd {
    return this.#crd(typedItem(0, i));
  }
  #crd(offset: number): Crd {
    const at = (this.page + offset) >> 2;
    return decodeCrd(this.u32[at], this.u32[at + 1]);
  }
  #setCrd(at: number, crd: Crd): void {
    this.u32[at >> 2] = crdLow(crd);
    this.u32[(at + 4) >> 2] = crdHigh(crd);
  }
}
