/** Takes regions of earlier runs from the code cache, where they fit this one, and gives it those of this run. */
import type { Ram } from "../api.ts";
import { fusedMultiplyAdd } from "../fused.ts";
import type { Insn } from "../insn.ts";
import type { Blocks } from "../interp/blocks.ts";
import { MXCSR, STATE } from "../layout.ts";
import type { Space } from "../mmu.ts";
import { FAST_MODE, MODE_BITS } from "../mxcsr.ts";
import { GENERATED_IMPORTS, REGION_TYPE } from "../runtime.ts";
import { ModuleBuilder } from "../wasm/encoder.ts";
import type { Body } from "../wasm/func_builder.ts";
import { type Bounds, type CodeCache, type KeptRegion, MAX_SLOTS, type Reserved } from "./code_cache.ts";
import { bytesOf, physicalRanges, type Range } from "./ranges.ts";
import type { RegionSet, Relied } from "./region_set.ts";
import { hashOf, type SavedRegion } from "./saved_region.ts";

/** A kept region that does not fit yet is tried again when its first block has run so often. */
const TRY_AGAIN = [60, 250, 1000];
/** The same for one with floating point that waits for MXCSR's fast mode. */
const AFTER_MODE = 20;

/** What is known of a region that is being made. */
export interface Draft {
  readonly pc: number;
  readonly slot: number;
  readonly virtual: Range[];
  readonly physical: Range[];
  readonly sites: [pc: number, extent: Relied][];
  readonly modeChecks: number[];
  readonly opens: number[];
  /** Names of instructions for `region_helper`. */
  readonly ids: [id: number, insn: Insn][];
  readonly interior: number[];
}
/** A region that can be installed. */
export interface Restored {
  readonly draft: Draft;
  readonly run: CallableFunction;
  /** WebAssembly bytes. */
  readonly bytes: number;
}

export class KeptRegions {
  /** Numbers below these belong to the cache. */
  readonly reserved: Readonly<Reserved>;
  /** Slots among them that are in use. */
  readonly #taken = new Set<number>();

  constructor(
    private readonly ram: Ram,
    private readonly blocks: Blocks,
    private readonly cache: CodeCache,
    private readonly pages: number,
    private readonly instantiate: (bytes: Uint8Array<ArrayBuffer>) => Record<string, CallableFunction>,
    private readonly idTaken: (id: number) => boolean,
  ) {
    this.reserved = { ...cache.reserved };
  }

  /** Is a region kept for code at `pc`? */
  has(pc: number): boolean {
    return this.cache.has(pc);
  }
  /** Gives a new set what is kept of its program or image; gives the table slots that it has. */
  bind(space: Space, set: RegionSet, image: Bounds | undefined): Iterable<number> {
    const kept = this.cache.bind(image, (r) => physicalRanges(space, r.code) && this.#sameCode(space, r) !== undefined);
    const slots = [...kept.slots.values()];
    // A set that lives still may have them.
    if (slots.some((slot) => this.#taken.has(slot))) return [];
    for (const slot of slots) this.#taken.add(slot);
    set.keep(kept);
    return slots;
  }
  /** A slot is used no more: is it to stay what it is for, in this run and the next? */
  keeps({ kept }: RegionSet, slot: number): boolean {
    this.#taken.delete(slot);
    return slot < this.reserved.slots || (kept !== undefined && slot < MAX_SLOTS);
  }

  /** The region for `pc`; "later" when it may fit when the code there has run more often, which has been seen to. */
  restore(space: Space, s: RegionSet, pc: number): Restored | "later" | undefined {
    const kept = s.kept?.regions.get(pc);
    if (!kept || kept.spent) return undefined;
    const { region } = kept, physical = region && this.#fits(space, s, region);
    if (physical) {
      const restored = this.#mode(region) ? this.#restored(s, kept, region, physical) : undefined;
      if (restored) return restored;
      const runs = this.#mode(region) ? TRY_AGAIN[kept.tries++] : AFTER_MODE, block = this.blocks.find(space, pc);
      if (runs !== undefined && block) {
        if (block.regions === 0) this.blocks.warm(block, runs);
        return "later";
      }
    }
    kept.spent = true;
    if (!region) this.drop(s, pc);
    return undefined;
  }
  /** Would the region go on, or leave at once because it is for MXCSR's fast mode only (cpu/mxcsr.ts)? */
  #mode(r: SavedRegion): boolean {
    return r.modeChecks.length === 0 || (this.ram.u32[(STATE + MXCSR) >> 2] & MODE_BITS) === FAST_MODE;
  }
  /** Where the region's instructions are in physical memory, if they and its numbers are what they were. */
  #fits(space: Space, s: RegionSet, r: SavedRegion): Range[] | undefined {
    if (s.slots.get(r.pc) !== r.slot || r.ids.some(([id]) => this.idTaken(id))) return undefined;
    if (r.body.substituted && !fusedMultiplyAdd()) return undefined;
    return this.#sameCode(space, r);
  }
  #sameCode(space: Space, { code, hash }: SavedRegion): Range[] | undefined {
    const physical = physicalRanges(space, code);
    const [a, b] = hashOf(physical ? bytesOf(this.ram, physical) : []);
    return a === hash[0] && b === hash[1] ? physical : undefined;
  }
  #restored(s: RegionSet, kept: KeptRegion, r: SavedRegion, physical: Range[]): Restored | undefined {
    const extents = r.extents.map((e) => s.extents.adopt(e)), sites: Draft["sites"] = [], ids: Draft["ids"] = [];
    for (const [pc, n] of r.sites) {
      const extent = extents[n];
      if (!extent) return undefined;
      sites.push([pc, extent]);
    }
    for (const [id, pc] of r.ids) {
      const insn = this.blocks.peek(pc);
      if (!insn) return undefined;
      ids.push([id, insn]);
    }
    if (!kept.function) this.#compileBatch(s, kept);
    kept.spent = kept.used = true;
    const { pc, slot, code, modeChecks, opens, interior, body } = r;
    return {
      draft: {
        pc,
        slot,
        virtual: [...code],
        physical,
        sites,
        modeChecks: [...modeChecks],
        opens: [...opens],
        ids,
        interior: [...interior],
      },
      run: kept.function!,
      bytes: body.bytes.length,
    };
  }
  /** One module for a kept region and those that were made about when it was. */
  #compileBatch(s: RegionSet, kept: KeptRegion): void {
    const m = new ModuleBuilder(this.pages, GENERATED_IMPORTS, true);
    const batch = s.kept!.batchOf(kept).filter((k) => !k.spent && k.region);
    batch.forEach((k, n) => m.add(REGION_TYPE, `r${n}`, true, k.region!.body));
    const made = this.instantiate(m.finish());
    batch.forEach((k, n) => k.function = made[`r${n}`]);
  }

  /** Keeps a region for the next run. */
  keep(space: Space, s: RegionSet, draft: Draft, insns: number, body: Body): void {
    const physical = s.kept && physicalRanges(space, draft.virtual);
    if (!physical) return;
    const extents = [...new Set(draft.sites.map(([, extent]) => extent))], { pc, slot, modeChecks, opens, interior } = draft;
    this.cache.keep(s.kept!, {
      pc,
      slot,
      insns,
      code: draft.virtual,
      hash: hashOf(bytesOf(this.ram, physical)),
      extents,
      sites: draft.sites.map(([pc, extent]) => [pc, extents.indexOf(extent)]),
      interior,
      modeChecks,
      opens,
      ids: draft.ids.map(([id, { pc }]) => [id, pc]),
      body,
    });
  }
  /** The region at `pc` has proved wrong. */
  drop(s: RegionSet, pc: number): void {
    if (s.kept) this.cache.drop(s.kept, pc);
  }
}
