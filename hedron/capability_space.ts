import type { CapabilitySpace, CapNode } from "./mdb.ts";
import { overlaps } from "./mdb.ts";
import type { Pd } from "./objects.ts";

/** Selectors are taken modulo 2^26 (ABI 5.1). */
export const SELECTORS = 2 ** 26;
const SELECTOR_MASK = SELECTORS - 1;
/** Selectors below this are kept in an array: every hot look-up (exceptions, services, foreign portals) is one of them. */
const DENSE = 256;

/** Object capabilities of a PD. An empty slot reads as null and never faults. */
export class ObjectSpace implements CapabilitySpace {
  readonly #dense: (CapNode | undefined)[] = [];
  readonly #sparse = new Map<number, CapNode>();
  constructor(readonly pd: Pd) {}

  find(selector: number): CapNode | undefined {
    const s = selector & SELECTOR_MASK;
    return s < DENSE ? this.#dense[s] : this.#sparse.get(s);
  }

  within(base: number, count: number): CapNode[] {
    const found: CapNode[] = [];
    const from = base & SELECTOR_MASK, to = Math.min(from + count, SELECTORS);
    for (let s = from; s < Math.min(to, this.#dense.length); s++) {
      const node = this.#dense[s];
      if (node) found.push(node);
    }
    if (to <= DENSE) return found;
    if (count <= this.#sparse.size) {
      for (let s = Math.max(from, DENSE); s < to; s++) {
        const node = this.#sparse.get(s);
        if (node) found.push(node);
      }
      return found;
    }
    const sparse = [...this.#sparse.values()].filter((node) => node.base >= from && node.base < to);
    return found.concat(sparse.sort((a, b) => a.base - b.base));
  }

  insert(node: CapNode): boolean {
    const s = node.base;
    if (this.find(s)) return false;
    if (s < DENSE) this.#dense[s] = node;
    else this.#sparse.set(s, node);
    return true;
  }

  remove(node: CapNode): void {
    if (this.find(node.base) !== node) return;
    if (node.base < DENSE) this.#dense[node.base] = undefined;
    else this.#sparse.delete(node.base);
  }
}

export const PORTS = 65536;

/** I/O port capabilities of a PD: nodes of 2^order ports, and the bitmap that the processor asks (one byte per port, made on demand). */
export class PortSpace implements CapabilitySpace {
  readonly #nodes: CapNode[] = [];
  #allowed: Uint8Array | undefined = undefined;
  constructor(readonly pd: Pd) {}

  find(port: number): CapNode | undefined {
    return this.#nodes.find((node) => overlaps(node, port, 0));
  }

  within(base: number, count: number): CapNode[] {
    return this.#nodes.filter((node) => node.base < base + count && base < node.base + 2 ** node.order);
  }

  insert(node: CapNode): boolean {
    if (this.#nodes.some((other) => overlaps(other, node.base, node.order))) return false;
    this.#nodes.push(node);
    this.#nodes.sort((a, b) => a.base - b.base);
    this.#allowed = undefined;
    return true;
  }

  remove(node: CapNode): void {
    const i = this.#nodes.indexOf(node);
    if (i >= 0) this.#nodes.splice(i, 1);
    this.#allowed = undefined;
  }

  /** May code of this PD access all of [port, port+bytes)? */
  allowed(port: number, bytes: number): boolean {
    if (this.#nodes.length === 0) return false;
    let map = this.#allowed;
    if (!map) {
      map = this.#allowed = new Uint8Array(PORTS);
      for (const node of this.#nodes) map.fill(node.rights & 1, node.base, node.base + 2 ** node.order);
    }
    for (let p = port; p < port + bytes; p++) if (p >= PORTS || map[p] === 0) return false;
    return true;
  }
}
