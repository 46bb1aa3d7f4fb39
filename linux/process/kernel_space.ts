import { type Crd, CrdKind, type HostEc } from "../../hedron/api.ts";
import { HOST_PD } from "../../roottask/protocol.ts";
import { PAGE_SHIFT } from "../../cpu/layout.ts";
import type { PageTable } from "../memory/backed_areas.ts";

/** The host EC whose code runs now; set on every entry of a handler and after every wait. */
export interface CurrentEc {
  ec: HostEc;
}

export const ALL_RIGHTS = 0x1f;

export function objectCrd(base: number, order = 0, rights = ALL_RIGHTS): Crd {
  return { kind: CrdKind.Object, base, order, rights };
}

/**
 * A protection domain's memory through pd_ctrl: ranges are cut into naturally aligned power-of-two chunks (ABI 5.4). The personality
 * has its pool at virtual = physical, so physical addresses are source addresses.
 */
export class PdPages implements PageTable {
  readonly #current: CurrentEc;
  readonly #pd: number;
  // One pair, reused: a mapping call allocates nothing.
  readonly #send: Crd = { kind: CrdKind.Memory, base: 0, order: 0, rights: 0 };
  readonly #receive: Crd = { kind: CrdKind.Memory, base: 0, order: 0, rights: 0 };

  constructor(current: CurrentEc, pd: number) {
    this.#current = current;
    this.#pd = pd;
  }

  map(va: number, pa: number, bytes: number, rights: number): void {
    let to = va / (1 << PAGE_SHIFT);
    let from = pa / (1 << PAGE_SHIFT);
    let left = bytes / (1 << PAGE_SHIFT);
    const { ec } = this.#current;
    while (left > 0) {
      const order = chunkOrder(to, from, left);
      const send = this.#send;
      const receive = this.#receive;
      send.base = from;
      send.order = receive.order = order;
      send.rights = receive.rights = rights;
      receive.base = to;
      ec.delegate(HOST_PD.SELF_PD, send, this.#pd, receive);
      const pages = 2 ** order;
      to += pages;
      from += pages;
      left -= pages;
    }
  }

  unmap(va: number, bytes: number): void {
    let page = va / (1 << PAGE_SHIFT);
    let left = bytes / (1 << PAGE_SHIFT);
    while (left > 0) {
      const order = chunkOrder(page, page, left);
      this.#current.ec.revoke({ kind: CrdKind.Memory, base: page, order, rights: 7 }, true, this.#pd);
      page += 2 ** order;
      left -= 2 ** order;
    }
  }
}

/** log2 of the largest chunk that starts at both page numbers and fits. */
function chunkOrder(a: number, b: number, pages: number): number {
  let order = 0;
  let size = 1;
  while (order < 31 && size * 2 <= pages && a % (size * 2) === 0 && b % (size * 2) === 0) {
    size *= 2;
    order++;
  }
  return order;
}
