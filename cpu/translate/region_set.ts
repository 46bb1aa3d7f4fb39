/** Regions that know each other's table slots, and what has been learned about their instructions. */
import type { Translation } from "../code_map.ts";
import type { Space } from "../mmu.ts";
import type { FindBlock } from "./cfg.ts";
import type { KeptSet } from "./code_cache.ts";
import type { Baked } from "./memory.ts";
import type { SavedExtent } from "./saved_region.ts";

/** An extent that regions rely on. */
export interface Relied extends Baked {
  readonly users: Set<Region>;
  /** An address that has always been inside. */
  readonly anchor: number;
}

export class Region implements Translation {
  dead = false;
  /** Instruction ids in use. */
  readonly ids: number[] = [];
  /** Instructions that rely on an extent, and extents. */
  readonly sites: number[] = [];
  /** Size of its module. */
  bytes = 0;
  constructor(
    readonly set: RegionSet,
    readonly pc: number,
    readonly slot: number,
    readonly source: readonly (readonly [number, number])[],
    /** Virtual ranges of the instructions. */
    readonly code: readonly (readonly [number, number])[],
    private readonly onKill: (r: Region) => void,
  ) {}
  kill(): void {
    this.dead = true;
    this.onKill(this);
  }
}

export interface Site {
  readonly users: Map<Region, Relied>;
  misses: number;
}

/** The regions of one space, or those of an image, which all its spaces can run. */
export class RegionSet {
  /** Living regions by entry address. */
  readonly regions = new Map<number, Region>();
  /** Table slots by entry address, compiled or not. */
  slots = new Map<number, number>();
  /** Regions that have an exit to cold code at this address. */
  readonly openings = new Map<number, Region>();
  /** Which regions rely on which extent at an instruction, and how often it has been elsewhere. */
  readonly sites = new Map<number, Site>();
  /** Instructions that access many extents. */
  roaming = new Set<number>();
  /** Nodes of regions that are not their entries: code there has been translated before. */
  readonly interior = new Set<number>();
  /** Addresses at which a region leaves when MXCSR is not in its fast mode: that is no miss. */
  readonly modeChecks = new Set<number>();
  /** How many roaming instructions have been found in a region, by its entry. */
  readonly wild = new Map<number, number>();
  /** How many roaming instructions this run has found. */
  roamed = 0;
  /** How often the region at an entry has been extended. */
  readonly extended = new Map<number, number>();
  /** What the code cache has of it. */
  kept: KeptSet | undefined;

  constructor(
    readonly extents: {
      /** The extent around `va`, as it is in the space that the region is made in. */
      around(va: number, write: boolean, space: Space): Relied | undefined;
      /** The extent of a region of an earlier run; undefined when it is not there. */
      adopt(saved: SavedExtent): Relied | undefined;
      forget(region: Region): void;
    },
    /** The addresses that it is for. */
    private readonly start: number,
    private readonly end: number,
    /** The decoded block at an address of it. */
    readonly block: FindBlock,
  ) {}
  contains(pc: number): boolean {
    return pc >= this.start && pc < this.end;
  }

  /** Goes on with what is known from earlier runs, and lets the next one know. */
  keep(kept: KeptSet): void {
    this.kept = kept;
    ({ slots: this.slots, roaming: this.roaming } = kept);
  }

  relies(region: Region, pc: number, extent: Relied): void {
    extent.users.add(region);
    let site = this.sites.get(pc);
    if (!site) this.sites.set(pc, site = { users: new Map(), misses: 0 });
    site.users.set(region, extent);
    region.sites.push(pc);
  }
  /** Forgets everything; none of its regions lives any more. */
  reset(): void {
    this.kept = undefined;
    // The code cache may have these.
    this.slots = new Map();
    this.roaming = new Set();
    this.roamed = 0;
    for (const each of [this.openings, this.wild, this.extended, this.sites, this.interior, this.modeChecks]) each.clear();
  }
  forget(r: Region): void {
    this.regions.delete(r.pc);
    this.extents.forget(r);
    for (const pc of r.sites) {
      const site = this.sites.get(pc);
      if (site?.users.delete(r) && site.users.size === 0) this.sites.delete(pc);
    }
  }
}
