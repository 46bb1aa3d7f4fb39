import { HOST_PD, PROCESS } from "../../roottask/protocol.ts";
import { CrdKind } from "../../hedron/api.ts";
import type { PageTable } from "../memory/backed_areas.ts";
import { Mm } from "../memory/mm.ts";
import type { HostMemory } from "../../hedron/api.ts";
import type { Pool } from "../memory/pool.ts";
import { type CurrentEc, objectCrd, PdPages } from "./kernel_space.ts";
import type { Selectors } from "./selectors.ts";

/** Portals of further threads stand in blocks of 64 selectors from here on, above what hybrids use for themselves. */
const THREAD_BASES = 0x1_0000;
const RIGHT_CREATE = 1;

/** Drops mappings without a hypercall per range: used when the whole PD is about to go. */
class SilentPages implements PageTable {
  map(): void {}
  unmap(): void {}
}

/** What an address space needs of its personality, whichever it is. */
export interface SpaceOwner {
  readonly current: CurrentEc;
  readonly selectors: Selectors;
  readonly pool: Pool;
  readonly memory: HostMemory;
}

/** A protection domain with the areas it shows: the address space of one process, or of several with CLONE_VM. */
export class Space {
  readonly os: SpaceOwner;
  readonly pd: number;
  readonly mm: Mm;
  /** ECs ever created in it: only the first one has the UTCB at its known address. */
  ecs = 0;
  readonly #freeBases: number[] = [];
  #nextBase = 0;

  private constructor(os: SpaceOwner, pd: number, mm: Mm) {
    this.os = os;
    this.pd = pd;
    this.mm = mm;
  }

  /** A foreign PD; its memory is empty, or a copy of `from` (then undefined when memory is short). */
  static create(os: SpaceOwner, from?: Space): Space | undefined {
    const pd = os.selectors.take();
    const { ec } = os.current;
    ec.createPd(pd, HOST_PD.SELF_PD, { kind: CrdKind.Null, base: 0, order: 0, rights: 0 }, { portalBase: PROCESS.FOREIGN_BASE });
    ec.delegate(HOST_PD.SELF_PD, objectCrd(pd, 0, RIGHT_CREATE), pd, objectCrd(PROCESS.SELF_PD, 0, RIGHT_CREATE));
    const pages = new PdPages(os.current, pd);
    const mm = from === undefined ? new Mm(os.pool, pages, os.memory) : from.mm.fork(pages);
    if (mm === undefined) {
      ec.revoke(objectCrd(pd), true);
      os.selectors.give(pd);
      return undefined;
    }
    return new Space(os, pd, mm);
  }

  takeBase(): number {
    const free = this.#freeBases.pop();
    if (free !== undefined) return free;
    const base = this.#nextBase;
    this.#nextBase = base === 0 ? THREAD_BASES : base + 64;
    return base;
  }

  giveBase(base: number): void {
    this.#freeBases.push(base);
  }

  /** One user less; the last one frees memory and PD. */
  release(): void {
    if (--this.mm.users > 0) return;
    this.mm.pages = new SilentPages();
    this.mm.destroy();
    this.os.current.ec.revoke(objectCrd(this.pd), true);
    this.os.selectors.give(this.pd);
  }
}
