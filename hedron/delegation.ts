import { type Crd, CrdKind } from "./api.ts";
import {
  crdHigh,
  crdLow,
  decodeCrd,
  hotspotWindow,
  ITEM_DELEGATE,
  ITEM_FLAGS_MASK,
  ITEM_HYPERVISOR,
  ITEM_KIND_MASK,
  ITEM_TRANSLATE,
  ITEM_TRANSLATE_ELSE_DELEGATE,
  NULL_CRD,
  portWindow,
} from "./crd.ts";
import type { Kernel } from "./kernel.ts";
import { type CapabilitySpace, CapNode, overlaps, revokeNode } from "./mdb.ts";
import { copyMappings, revokeMappings } from "./memory_space.ts";
import type { Ec, Pd } from "./objects.ts";
import { typedCount, typedItem, UTCB_DEL, UTCB_XLT } from "./utcb.ts";

/** The capability space for objects or ports; undefined for other kinds. */
export function spaceOf(pd: Pd, kind: CrdKind): CapabilitySpace | undefined {
  return kind === CrdKind.Object ? pd.objects : kind === CrdKind.Port ? pd.ports : undefined;
}

/** Makes child nodes for all capabilities in the source range; occupied places are skipped (ABI 5.4, objects and ports). */
function copyCapabilities(
  source: CapabilitySpace,
  from: number,
  target: CapabilitySpace,
  to: number,
  order: number,
  rights: number,
) {
  const count = 2 ** order;
  for (const node of source.within(from, count)) {
    const granted = node.rights & rights;
    if (granted === 0) continue;
    // Nodes and ranges are aligned powers of two: one contains the other.
    const whole = node.order <= order;
    const base = (whole ? node.base : from) - from + to;
    const child = new CapNode(target, base, whole ? node.order : order, granted, node.object);
    if (target.insert(child)) node.adopt(child);
  }
}

/**
 * Delegates what `send` names in `source` into the window `receive` of `destination` (ABI 5.4). The result names the place in
 * the destination; it is returned even when nothing was there to copy. `hypervisor` takes the kern PD as the source, if the
 * source PD is privileged.
 */
export function delegate(
  k: Kernel,
  source: Pd,
  send: Crd,
  destination: Pd,
  receive: Crd,
  hotspot: number,
  hypervisor: boolean,
): Crd {
  if (send.kind !== receive.kind || send.kind === CrdKind.Null) return NULL_CRD;
  const rights = send.rights & receive.rights, kind = send.kind;
  if (rights === 0 && kind !== CrdKind.Memory) return NULL_CRD;
  const from = hypervisor && source.privileged ? k.kern : source;
  const window = kind === CrdKind.Port ? portWindow(send, receive) : hotspotWindow(send, receive, hotspot);
  if (!window) return NULL_CRD;
  if (kind === CrdKind.Memory) copyMappings(from, window.from, destination, window.to, window.order, rights);
  else {
    const a = spaceOf(from, kind), b = spaceOf(destination, kind);
    if (a && b) copyCapabilities(a, window.from, b, window.to, window.order, rights);
  }
  return { kind, base: window.to, order: window.order, rights };
}

/** Translation (ABI 5.5): the name that an object or port of the sender has in the receiver's window; null CRD when it has none. */
export function translate(sender: Pd, send: Crd, receiver: Pd, window: Crd): Crd {
  if (send.kind === CrdKind.Memory) return send;
  if (send.kind !== window.kind) return NULL_CRD;
  const node = spaceOf(sender, send.kind)?.find(send.base);
  if (!node) return NULL_CRD;
  const space = spaceOf(receiver, send.kind), base = window.base - window.base % 2 ** window.order;
  for (let n = node.parent; n; n = n.parent) {
    if (n.space === space && overlaps(n, base, window.order)) return named(send.kind, n, node, window);
  }
  return sender === receiver && overlaps(node, base, window.order) ? named(send.kind, node, node, window) : NULL_CRD;
}

/**
 * What translation answers when `found` names the sender's `node`. The kernel ORs the window's base to the place (ABI 5.5), so a window
 * whose base is not aligned to its size shows only places that have those low bits.
 */
function named(kind: CrdKind, found: CapNode, node: CapNode, window: Crd): Crd {
  const stray = window.base % 2 ** window.order;
  if (found.order < window.order && stray !== 0 && (found.base | stray) !== found.base) return NULL_CRD;
  return { kind, base: found.base, order: found.order, rights: node.rights };
}

/** One typed item (ABI 5.3 and 5.6). `meta` holds the flags in its low 12 bits. Returns the result and the returned meta. */
export function transferItem(
  k: Kernel,
  sender: Pd,
  send: Crd,
  metaLow: number,
  hotspot: number,
  receiver: Pd,
  xlt: Crd,
  del: Crd,
): { crd: Crd; meta: number } {
  const meta = metaLow & ITEM_FLAGS_MASK, hypervisor = (meta & ITEM_HYPERVISOR) !== 0;
  switch (meta & ITEM_KIND_MASK) {
    case ITEM_TRANSLATE:
      return { crd: translate(sender, send, receiver, xlt), meta };
    case ITEM_DELEGATE:
      return { crd: delegate(k, sender, send, receiver, del, hotspot, hypervisor), meta };
    case ITEM_TRANSLATE_ELSE_DELEGATE: {
      const crd = translate(sender, send, receiver, xlt);
      if (crd.kind !== CrdKind.Null) return { crd, meta };
      return { crd: delegate(k, sender, send, receiver, del, hotspot, hypervisor), meta: meta | 1 };
    }
    default:
      return { crd: NULL_CRD, meta };
  }
}

function readCrd(u32: Uint32Array, at: number): Crd {
  return decodeCrd(u32[at >> 2], u32[(at + 4) >> 2]);
}

/**
 * Transfers the typed items that stand in the sender's UTCB. Calls and replies write the results into the receiver's UTCB;
 * a reply to a state message (`pager` = the faulting address) has the window "memory at that page, all rights" and writes nothing
 * back (ABI 5.6).
 */
export function transferItems(k: Kernel, sender: Ec, receiver: Ec, pager: number | undefined): void {
  const u32 = k.cpu.ram.u32, n = typedCount(u32[(sender.utcb + k.version.utcbItems) >> 2]);
  const fault: Crd = { kind: CrdKind.Memory, base: Math.floor((pager ?? 0) / 4096), order: 31, rights: 31 };
  const xlt = pager === undefined ? readCrd(u32, receiver.utcb + UTCB_XLT) : fault;
  const del = pager === undefined ? readCrd(u32, receiver.utcb + UTCB_DEL) : fault;
  for (let i = 0; i < n; i++) {
    const at = typedItem(sender.utcb, i), metaLow = u32[(at + 8) >> 2];
    const hotspot = u32[(at + 12) >> 2] * 0x10_0000 + (metaLow >>> 12);
    const result = transferItem(k, sender.pd, readCrd(u32, at), metaLow, hotspot, receiver.pd, xlt, del);
    if (pager !== undefined) continue;
    const to = typedItem(receiver.utcb, i);
    u32[to >> 2] = crdLow(result.crd);
    u32[(to + 4) >> 2] = crdHigh(result.crd);
    u32[(to + 8) >> 2] = result.meta;
    u32[(to + 12) >> 2] = 0;
  }
}

/** Revocation (ABI 5.7) of a range of one kind in `pd`. Unknown kinds do nothing. */
export function revoke(k: Kernel, pd: Pd, crd: Crd, self: boolean): void {
  if (crd.kind === CrdKind.Memory) {
    revokeMappings(pd, crd.base, crd.order);
    return;
  }
  const space = spaceOf(pd, crd.kind);
  if (!space) return;
  const base = crd.base - crd.base % 2 ** crd.order;
  for (const node of space.within(base, 2 ** crd.order)) {
    // A node may have disappeared as the descendant of one before it.
    if (space.find(node.base) !== node) continue;
    revokeNode(node, crd.rights, self, (gone, wasRoot) => {
      if (wasRoot && gone.object) k.life.destroy(gone.object);
    });
  }
}

/** pd_ctrl lookup: the node that contains the base, or the null CRD; memory is always null. */
export function lookup(pd: Pd, crd: Crd): Crd {
  const node = spaceOf(pd, crd.kind)?.find(crd.base);
  return node ? { kind: crd.kind, base: node.base, order: node.order, rights: node.rights } : NULL_CRD;
}
