/** Delegation of whole ranges, cut into the naturally aligned powers of two that the kernel wants (ABI 5.4). */
import { PAGE } from "../cpu/layout.ts";
import { type Crd, CrdKind, type HostEc, Status } from "../hedron/api.ts";
import { ALL_RIGHTS, ROOT } from "./layout.ts";

/** The largest chunk: 2^19 pages are 2 GiB, half of all the RAM a machine can have. */
const MAX_ORDER = 19;

/**
 * Maps roottask's [from, from + bytes) at `to` in another PD; rights 0 unmaps. Preconditions: everything page-aligned.
 */
export function delegateMemory(
  ec: HostEc,
  from: number,
  bytes: number,
  pd: number,
  to: number,
  rights: number,
  opts?: { hypervisor: boolean },
): Status {
  let source = from / PAGE, target = to / PAGE, pages = bytes / PAGE;
  while (pages > 0) {
    let order = 0;
    while (order < MAX_ORDER && 2 ** (order + 1) <= pages && source % 2 ** (order + 1) === 0 && target % 2 ** (order + 1) === 0) {
      order++;
    }
    const send: Crd = { kind: CrdKind.Memory, base: source, order, rights };
    const status = ec.delegate(ROOT.PD, send, pd, { kind: CrdKind.Memory, base: target, order, rights: ALL_RIGHTS }, opts);
    if (status !== Status.Success) return status;
    source += 2 ** order;
    target += 2 ** order;
    pages -= 2 ** order;
  }
  return Status.Success;
}

/** Gives one object capability to another PD. */
export function delegateObject(ec: HostEc, selector: number, rights: number, pd: number, to: number): Status {
  const send: Crd = { kind: CrdKind.Object, base: selector, order: 0, rights };
  return ec.delegate(ROOT.PD, send, pd, { kind: CrdKind.Object, base: to, order: 0, rights: ALL_RIGHTS });
}

/** Takes one object capability from another PD; true when there was one. */
export function fetchObject(ec: HostEc, pd: number, selector: number, to: number): boolean {
  const send: Crd = { kind: CrdKind.Object, base: selector, order: 0, rights: ALL_RIGHTS };
  ec.delegate(pd, send, ROOT.PD, { kind: CrdKind.Object, base: to, order: 0, rights: ALL_RIGHTS });
  return ec.lookup({ kind: CrdKind.Object, base: to, order: 0, rights: ALL_RIGHTS }).kind === CrdKind.Object;
}
