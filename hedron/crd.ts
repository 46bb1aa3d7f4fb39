import { type Crd, CrdKind } from "./api.ts";

/** CRD bit layout (ABI 5.2): kind in bits 0..1, rights 2..6, order 7..11, base from bit 12. */
const RIGHTS_SHIFT = 2, ORDER_SHIFT = 7, BASE_SHIFT = 12;
/** Value of one unit of the high half, once the low twelve bits are shifted out. */
const HIGH_UNIT = 2 ** (32 - BASE_SHIFT);
export const ALL_RIGHTS = 0x1f;
export const MAX_ORDER = 31;
export const NULL_CRD: Crd = { kind: CrdKind.Null, base: 0, order: 0, rights: 0 };

/** Typed item and delegate flags (ABI 5.3). */
export const ITEM_KIND_MASK = 3, ITEM_TRANSLATE = 0, ITEM_DELEGATE = 1, ITEM_TRANSLATE_ELSE_DELEGATE = 2;
export const ITEM_HYPERVISOR = 1 << 11;
/** Bits of the meta word that survive into the result. */
export const ITEM_FLAGS_MASK = 0xfff;

export function decodeCrd(lo: number, hi: number): Crd {
  return {
    kind: lo & 3,
    rights: (lo >>> RIGHTS_SHIFT) & ALL_RIGHTS,
    order: (lo >>> ORDER_SHIFT) & MAX_ORDER,
    base: (hi >>> 0) * HIGH_UNIT + (lo >>> BASE_SHIFT),
  };
}

export function crdLow(crd: Crd): number {
  return (crd.kind | (crd.rights << RIGHTS_SHIFT) | (crd.order << ORDER_SHIFT) | ((crd.base % HIGH_UNIT) << BASE_SHIFT)) >>> 0;
}

export function crdHigh(crd: Crd): number {
  return Math.floor(crd.base / HIGH_UNIT) >>> 0;
}

/** Everything of one kind (ABI 5.2). */
export function everything(kind: CrdKind): Crd {
  return { kind, base: 0, order: MAX_ORDER, rights: ALL_RIGHTS };
}

function alignDown(value: number, order: number): number {
  return value - value % 2 ** order;
}

/** What a transfer really moves: 2^order units from `from` in the source to `to` in the destination. */
export interface Window {
  from: number;
  to: number;
  order: number;
}

/** Window computation for memory and objects (ABI 5.4, step 2). */
export function hotspotWindow(send: Crd, receive: Crd, hotspot: number): Window {
  let from = alignDown(send.base, send.order);
  let to = alignDown(receive.base, receive.order);
  if (send.order < receive.order) {
    to += alignDown(hotspot % 2 ** receive.order, send.order);
    return { from, to, order: send.order };
  }
  from += alignDown(hotspot % 2 ** send.order, receive.order);
  return { from, to, order: receive.order };
}

/** Window computation for I/O ports: the intersection of two aligned ranges, or undefined when they are disjoint. */
export function portWindow(send: Crd, receive: Crd): Window | undefined {
  const wide = Math.max(send.order, receive.order), order = Math.min(send.order, receive.order);
  if (alignDown(send.base, wide) !== alignDown(receive.base, wide)) return undefined;
  const base = send.order < receive.order ? alignDown(send.base, send.order) : alignDown(receive.base, receive.order);
  return { from: base, to: base, order };
}
