import type { KernelObject, Pd, Pt } from "./objects.ts";

/** A table of capabilities of one kind in one PD. */
export interface CapabilitySpace {
  readonly pd: Pd;
  find(base: number): CapNode | undefined;
  /** Nodes that overlap [base, base+count), in ascending order, as a snapshot. */
  within(base: number, count: number): CapNode[];
  /** False when the place is taken. */
  insert(node: CapNode): boolean;
  remove(node: CapNode): void;
}

/**
 * One capability: a node of the mapping database. Its children are what was delegated from it, so that revocation is exact
 * and an inspector can tell who gave what to whom.
 */
export class CapNode {
  parent: CapNode | undefined = undefined;
  /** Head of the children's list, newest first. */
  child: CapNode | undefined = undefined;
  next: CapNode | undefined = undefined;
  previous: CapNode | undefined = undefined;
  /** `object` when it is a portal: every call and message asks for it. */
  readonly portal: Pt | undefined;
  /** 2^order units from `base`; objects always have order 0. */
  constructor(
    readonly space: CapabilitySpace,
    readonly base: number,
    readonly order: number,
    public rights: number,
    /** The object of an object capability. */
    readonly object: KernelObject | undefined,
  ) {
    this.portal = object?.kind === "PT" ? object as Pt : undefined;
  }

  adopt(child: CapNode): void {
    child.parent = this;
    child.next = this.child;
    if (this.child) this.child.previous = child;
    this.child = child;
  }

  /** Takes the node out of its tree; children (there are none in an orderly revocation) move up to the parent. */
  unlink(): void {
    while (this.child) {
      const orphan = this.child;
      this.child = orphan.next;
      orphan.next = orphan.previous = orphan.parent = undefined;
      this.parent?.adopt(orphan);
    }
    if (this.previous) this.previous.next = this.next;
    else if (this.parent) this.parent.child = this.next;
    if (this.next) this.next.previous = this.previous;
    this.parent = this.next = this.previous = undefined;
  }
}

/** Do the nodes' ranges overlap? (Ports keep their numbers from PD to PD; object nodes are compared by object, not by place.) */
export function overlaps(node: CapNode, base: number, order: number): boolean {
  return node.base < base + 2 ** order && base < node.base + 2 ** node.order;
}

/**
 * Removes `rights` from every descendant of `node`, and from the node itself when `self` (ABI 5.7). Calls `gone` for each
 * capability that has no rights left, after it was taken out.
 */
export function revokeNode(node: CapNode, rights: number, self: boolean, gone: (node: CapNode, wasRoot: boolean) => void): void {
  for (let child = node.child; child;) {
    const next: CapNode | undefined = child.next;
    revokeNode(child, rights, true, gone);
    child = next;
  }
  if (!self) return;
  node.rights &= ~rights;
  if (node.rights !== 0) return;
  const wasRoot = node.parent === undefined;
  node.space.remove(node);
  node.unlink();
  gone(node, wasRoot);
}
