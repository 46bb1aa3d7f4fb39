/** Translated regions: when to make them, where to find them, when to drop them. */
import type { Access } from "../access.ts";
import type { Ram } from "../api.ts";
import type { CodeMap } from "../code_map.ts";
import { fusedMultiplyAdd } from "../fused.ts";
import type { Image, Images } from "../images.ts";
import type { Insn } from "../insn.ts";
import type { Block, Blocks } from "../interp/blocks.ts";
import type { Profile } from "../interp/profile.ts";
import type { JumpCache } from "../jump_cache.ts";
import { CTL_EPOCH } from "../layout.ts";
import type { Space } from "../mmu.ts";
import { GENERATED_IMPORTS } from "../runtime.ts";
import type { Counters, CpuStats, KillCause } from "../stats.ts";
import { type FuncBuilder, ModuleBuilder } from "../wasm/encoder.ts";
import type { WasmOp } from "../wasm/expr.ts";
import { buildGraph } from "./cfg.ts";
import { emitRegion, type RegionEnvironment } from "./emit.ts";
import { ExtentCells, Extents } from "./extents.ts";
import { ALL_GPRS, clobberedBy } from "./flow.ts";
import type { CodeCache } from "./code_cache.ts";
import { type Draft, KeptRegions } from "./kept_regions.ts";
import { overlaps, physicalRanges, virtualRanges } from "./ranges.ts";
import { Region, RegionSet, type Relied } from "./region_set.ts";
import { SharedExtents } from "./shared_extents.ts";

/** Side exits at an instruction before its region is made anew with what has been learned. */
const MISSES = 24;
/** What may live at once; beyond that all regions are dropped, and what is still in use comes back. Bounds what endless new code can take. */
export interface RegionLimits {
  /** V8 takes some 20 KiB for each, however small, and more until the dropped ones have been collected. */
  readonly regions: number;
  /** Of WebAssembly. */
  readonly bytes: number;
}
const LIMITS: RegionLimits = { regions: 20_000, bytes: 96 << 20 };
/** Largest region, in instructions; the rest of a longer function becomes regions of its own. */
const MAX_INSNS = 600;
/** The same for regions that begin inside another one (where control has come back after leaving it): they only lead to the next entry. */
const INTERIOR_INSNS = 100;
/** How often a region is made anew with code that was cold when it was made. */
const EXTENSIONS = 4;
/** After so many in a space, regions of that space rely on extents for their stack and fixed addresses only. */
const WILD_SPACE = 150;
/** After so many instructions of a region have turned out to roam, the whole region is made with the TLB (but for its stack). */
const WILD = 2;

/** So many regions are made at once at most. */
const BATCH = 8;
/** Causes that say nothing against a region in the next run. */
const ENDED: ReadonlySet<KillCause> = new Set(["unmapped", "space", "limit"]);

/** Runtime functions of which the host has an operation. The host is asked when one of them is first needed. */
const inlined = (name: string): WasmOp | undefined =>
  name.startsWith("fma_") ? fusedMultiplyAdd()?.operations.get(name) : undefined;

/** A region that has been written into a module. */
interface Made {
  readonly s: RegionSet;
  readonly draft: Draft;
  readonly f: FuncBuilder;
  readonly insns: number;
}

export interface RegionStats {
  regions: number;
  killed: number;
  codeBytes: number;
  insns: number;
}

export class Regions {
  readonly stats: RegionStats = { regions: 0, killed: 0, codeBytes: 0, insns: 0 };
  /** Regions of one space: those made while it was the only one with their code. */
  readonly #spaces = new Map<Space, { set: RegionSet; extents: Extents<Region> }>();
  /** Regions for all spaces that have an image. */
  readonly #images = new Map<Image, RegionSet>();
  readonly #cells: ExtentCells;
  readonly #shared: SharedExtents;
  readonly #freeSlots: number[] = [];
  /** Regions of earlier runs, and for later ones. */
  readonly #kept: KeptRegions | undefined;
  /** Hot blocks of a space that shall become regions together. */
  readonly #waiting: { space: Space | undefined; readonly pcs: Set<number> } = { space: undefined, pcs: new Set() };
  #liveBytes = 0;
  #live = 0;
  readonly #insns: (Insn | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** Of the next kill; the code map gives none. */
  #cause: KillCause = "written";

  constructor(
    private readonly ram: Ram,
    private readonly access: Access,
    private readonly code: CodeMap,
    private readonly images: Images,
    private readonly blocks: Blocks,
    private readonly profile: Profile,
    private readonly jumps: JumpCache,
    private readonly pages: number,
    private readonly table: WebAssembly.Table,
    private readonly imports: WebAssembly.ModuleImports,
    private readonly allocateSlot: () => number,
    private readonly noRegion: CallableFunction,
    private readonly counters: Counters,
    private readonly cache: CodeCache | undefined,
    private readonly limits: RegionLimits = LIMITS,
  ) {
    this.#kept = cache &&
      new KeptRegions(ram, blocks, cache, pages, (bytes) => this.#instantiate(bytes), (id) => this.#insns[id] !== undefined);
    this.#cells = new ExtentCells(cache?.reserved.cells);
    this.#insns.length = cache?.reserved.ids ?? 0;
    this.#shared = new SharedExtents(ram, code, () => this.#nextEpoch());
  }

  /** Code that may be on the stack must not go on: its region was dropped, or an extent that it has checked lost pages. */
  #nextEpoch(): void {
    this.ram.i32[CTL_EPOCH >> 2]++;
  }

  /** The region at `pc` that can run in `space`. */
  find(space: Space, pc: number): Region | undefined {
    const own = this.#spaces.get(space)?.set.regions.get(pc);
    if (own) return own;
    const shared = this.#images.get(this.images.at(space, pc))?.regions.get(pc);
    return shared && this.#ensureTable(space) ? shared : undefined;
  }
  /** How many living regions begin at a block that has just been decoded. */
  count({ image, pc }: Block): number {
    let n = this.#images.get(image)?.regions.has(pc) ? 1 : 0;
    for (const space of image.spaces) if (this.#spaces.get(space)?.set.regions.has(pc)) n++;
    return n;
  }
  insnOf(id: number): Insn {
    return this.#insns[id]!;
  }

  /** The block at `pc` is hot: translates it, or makes the region anew that has been leaving for it. */
  hot(space: Space, pc: number): void {
    for (const s of this.#setsAt(space, pc)) {
      const owner = s.openings.get(pc);
      s.openings.delete(pc);
      const extended = owner ? s.extended.get(owner.pc) ?? 0 : 0;
      if (!owner || owner.dead || extended >= EXTENSIONS) continue;
      s.extended.set(owner.pc, extended + 1);
      const entry = owner.pc;
      this.#drop(owner, "extended");
      this.compile(space, entry);
      // Should control still come here by other ways, it becomes hot once more.
      this.#warm(space, pc);
      return;
    }
    // Each module takes memory of its own, whatever is in it: hot blocks wait a little for others.
    const waiting = this.#waiting, block = this.blocks.find(space, pc), soon = this.blocks.heat >> 5;
    if (waiting.space !== space) waiting.pcs.clear();
    waiting.space = space;
    if (!block || soon === 0 || this.kept(pc)) return void this.compile(space, pc);
    const patient = !waiting.pcs.has(pc);
    waiting.pcs.add(pc);
    if (patient && waiting.pcs.size < BATCH) return this.blocks.warm(block, soon);
    this.#compileAll(space, [...waiting.pcs]);
    waiting.pcs.clear();
  }

  *#sets(): Iterable<RegionSet> {
    for (const { set } of this.#spaces.values()) yield set;
    yield* this.#images.values();
  }
  /** The sets that a region for `pc` in `space` may be in. */
  #setsAt(space: Space, pc: number): RegionSet[] {
    const own = this.#spaces.get(space)?.set, shared = this.#images.get(this.images.at(space, pc));
    return own && shared ? [own, shared] : own ? [own] : shared ? [shared] : [];
  }
  /** Drops all regions; then no code knows a slot any more, and what has been learned about code that may be long gone goes with them. */
  #dropAll(): void {
    for (const s of this.#sets()) {
      this.#free(s, "limit");
      s.reset();
    }
  }
  #ensureTable(space: Space): boolean {
    return this.#shared.ensure(space, space === this.access.space);
  }

  /** The region at `pc`, there or new. */
  compile(space: Space, pc: number): Region | undefined {
    return this.#compileAll(space, [pc]) ?? this.find(space, pc);
  }
  /** Makes regions, those that are new as one module; gives the last one. */
  #compileAll(space: Space, pcs: readonly number[]): Region | undefined {
    if (this.#live >= this.limits.regions || this.#liveBytes >= this.limits.bytes) this.#dropAll();
    const began = this.counters.now(), m = new ModuleBuilder(this.pages, GENERATED_IMPORTS, true, inlined);
    const made: Made[] = [], regions: Region[] = [];
    for (const pc of pcs) {
      // Most likely control comes there in that region from now on; else it becomes hot once more.
      if (made.some(({ draft }) => draft.interior.includes(pc))) {
        this.#warm(space, pc);
        continue;
      }
      const found = this.#restoreOrDraft(m, space, pc);
      if (found instanceof Region) regions.push(found);
      else if (found) made.push(found);
    }
    const emitted = this.counters.now();
    if (made.length > 0) {
      const bytes = m.finish(), functions = this.#instantiate(bytes);
      this.stats.codeBytes += bytes.length;
      for (const { s, draft, f, insns } of made) {
        regions.push(this.#install(space, s, draft, functions[nameOf(draft)], bytes.length / made.length));
        this.stats.regions++;
        this.stats.insns += insns;
        if (s.kept) this.#kept?.keep(space, s, draft, insns, f.body());
      }
    }
    // Now that all are where a page that turns out to be code finds them.
    for (const region of regions) if (!region.dead) this.code.add(region);
    this.counters.emitNs += emitted - began;
    this.counters.compileNs += this.counters.now() - emitted;
    return regions.at(-1);
  }
  /** Takes the region at `pc` from an earlier run, or adds a function for it to the module; nothing when it is there, or there can be none. */
  #restoreOrDraft(m: ModuleBuilder, space: Space, pc: number): Region | Made | undefined {
    const image = this.images.at(space, pc);
    const shared = image.shared && image.blocks.has(pc) && this.#ensureTable(space);
    const s = shared ? this.#ofImage(image, space) : this.#ofSpace(space).set;
    if (s.regions.has(pc)) return undefined;
    const restored = this.#kept?.restore(space, s, pc);
    if (restored === "later") return undefined;
    if (restored) {
      this.counters.restored++;
      return this.#install(space, s, restored.draft, restored.run, restored.bytes);
    }
    const limit = s.interior.has(pc) ? INTERIOR_INSNS : MAX_INSNS;
    const graph = buildGraph(this.ram, this.blocks, s.block, pc, limit);
    const virtual = graph && virtualRanges(graph), physical = virtual && physicalRanges(space, virtual);
    if (!physical) return undefined;
    const interior = graph.nodes.flatMap((n) => n.copy || n.pc === pc ? [] : [n.pc]);
    const draft: Draft = {
      pc,
      slot: this.#slot(s, pc),
      virtual,
      physical,
      sites: [],
      modeChecks: [],
      opens: [],
      ids: [],
      interior,
    };
    const f = emitRegion(m, nameOf(draft), graph, this.#environment(space, s, draft, shared));
    return { s, draft, f, insns: graph.insns };
  }
  #instantiate(bytes: Uint8Array<ArrayBuffer>): Record<string, CallableFunction> {
    // Regions export nothing but functions.
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: this.imports }).exports as Record<
      string,
      CallableFunction
    >;
  }
  /** Puts a region where it is found, but for the code map. `bytes`: length of its code. */
  #install(space: Space, s: RegionSet, draft: Draft, run: CallableFunction, bytes: number): Region {
    const { pc, slot } = draft, block = s.block(pc);
    const region = new Region(s, pc, slot, draft.physical, draft.virtual, (r) => this.#killed(r));
    for (const [pc, extent] of draft.sites) s.relies(region, pc, extent);
    for (const pc of draft.modeChecks) s.modeChecks.add(pc);
    for (const pc of draft.opens) s.openings.set(pc, region);
    for (const [id, insn] of draft.ids) {
      this.#insns[id] = insn;
      region.ids.push(id);
    }
    for (const pc of draft.interior) s.interior.add(pc);
    this.table.set(slot, run);
    s.regions.set(pc, region);
    if (block) this.blocks.divert(block, true);
    this.jumps.put(space, pc, block?.record ?? 0, slot);
    this.#live++;
    this.#liveBytes += region.bytes = bytes;
    return region;
  }

  /** Is a region kept for code at `pc`? */
  kept(pc: number): boolean {
    return this.#kept?.has(pc) ?? false;
  }
  /** Ends what a cache is told: what the next run must not use for anything else. */
  reserve(slots: number): void {
    if (this.cache) Object.assign(this.cache.reserved, { slots, ids: this.#insns.length, cells: this.#cells.end });
  }

  /** Does the instruction rely on an extent in some region? */
  reliesOnExtent(space: Space, pc: number): boolean {
    return this.#setsAt(space, pc).some((s) => s.sites.has(pc));
  }
  view(): Pick<CpuStats["regions"], "made" | "killed" | "instructionsTranslated" | "codeBytes"> {
    const { regions, killed, insns, codeBytes } = this.stats;
    return { made: regions, killed, instructionsTranslated: insns, codeBytes };
  }

  /**
   * The instruction at `pc` has left its region because of its address (or, where regions check it, because MXCSR is not in its fast mode).
   * @param addresses what it has accessed, as far as is known
   */
  missed(space: Space, pc: number, fastMode: boolean, addresses: readonly number[]): void {
    for (const s of this.#setsAt(space, pc)) this.#missed(space, s, pc, fastMode, addresses);
  }
  #missed(space: Space, s: RegionSet, pc: number, fastMode: boolean, addresses: readonly number[]): void {
    const site = s.sites.get(pc);
    if (!site || (!fastMode && s.modeChecks.has(pc))) return;
    for (const extent of site.users.values()) {
      if (extent.shared && addresses.some((va) => this.#shared.refill(space, extent, va))) return;
    }
    if (++site.misses < MISSES) return;
    site.misses = 0;
    // The last one is RSP, for checks of the stack where the instruction itself accesses nothing.
    const accessed = addresses.length > 1 ? addresses.slice(0, -1) : addresses, outdated: Region[] = [];
    let roams = false;
    for (const [region, extent] of site.users) {
      const now = space.find(extent.anchor);
      if (!now || accessed.some((va) => !within(now, va))) roams = true;
      else if (!extent.shared && extent.cell === 0 && accessed.some((va) => !within(extent, va))) {
        // The extent has grown since.
        this.#spaces.get(space)?.extents.makeFluid(extent);
        outdated.push(region);
      }
    }
    // What nothing explains (other accesses that share the check may reach beyond the extent) counts as roaming.
    if (outdated.length === 0) roams = true;
    if (roams && !s.roaming.has(pc)) {
      s.roaming.add(pc);
      s.roamed++;
    }
    for (const region of roams ? [...site.users.keys()] : outdated) {
      if (roams) s.wild.set(region.pc, (s.wild.get(region.pc) ?? 0) + 1);
      this.#drop(region, roams ? "roaming" : "grown");
      this.#warm(space, region.pc);
    }
  }
  #warm(space: Space, pc: number): void {
    const block = this.blocks.find(space, pc);
    if (block && block.regions === 0) this.blocks.warm(block);
  }
  /** Something has been mapped in `space`. */
  mapped(space: Space): void {
    this.#spaces.get(space)?.extents.mapped();
  }

  spaceChanged(space: Space, from: number, to: number): void {
    this.#shared.changed(space, from, to);
    const s = this.#spaces.get(space);
    if (!s) return;
    for (const r of s.set.regions.values()) {
      if (overlaps(r.code, from, to)) this.#drop(r, "unmapped");
    }
    s.extents.changed(from, to);
  }
  release(space: Space): void {
    this.#shared.release(space);
    const s = this.#spaces.get(space);
    if (!s) return;
    this.#free(s.set, "space");
    this.#spaces.delete(space);
  }
  /** The space does not run the image's regions any more. */
  detached(image: Image): void {
    if (this.#images.has(image)) this.#nextEpoch();
  }
  /** Nobody will run the image again. */
  discard(image: Image): void {
    const s = this.#images.get(image);
    if (!s) return;
    this.#free(s, "space");
    this.#images.delete(image);
  }
  #free(s: RegionSet, cause: KillCause): void {
    for (const r of s.regions.values()) this.#drop(r, cause);
    for (const slot of s.slots.values()) {
      this.table.set(slot, this.noRegion);
      if (!this.#kept?.keeps(s, slot)) this.#freeSlots.push(slot);
    }
  }
  /** Memory that translated code writes to without looking now holds code. */
  codePageAppeared(page: number): void {
    for (const s of this.#spaces.values()) s.extents.codePageAppeared(page);
    this.#shared.codePageAppeared(page);
  }

  #drop(r: Region, cause: KillCause): void {
    if (r.dead) return;
    this.code.remove(r);
    this.#cause = cause;
    r.kill();
    this.#cause = "written";
  }
  #killed(r: Region): void {
    r.set.forget(r);
    if (!ENDED.has(this.#cause)) this.#kept?.drop(r.set, r.pc);
    this.#liveBytes -= r.bytes;
    this.#live--;
    this.table.set(r.slot, this.noRegion);
    for (const id of r.ids) {
      this.#insns[id] = undefined;
      if (id >= (this.#kept?.reserved.ids ?? 0)) this.#freeIds.push(id);
    }
    this.jumps.remove(r.pc);
    const block = r.set.block(r.pc);
    if (block && !block.dead) this.blocks.divert(block, false);
    this.stats.killed++;
    this.#nextEpoch();
    this.counters.killed[this.#cause]++;
  }

  #ofSpace(space: Space): { set: RegionSet; extents: Extents<Region> } {
    let s = this.#spaces.get(space);
    if (!s) {
      const extents = new Extents<Region>(this.ram, space, this.code, this.#cells, {
        kill: (r) => this.#drop(r, "unmapped"),
        shrunk: () => this.#nextEpoch(),
      });
      const set = new RegionSet(extents, 0, Infinity, (pc) => this.blocks.find(space, pc));
      this.#bind(space, set, undefined);
      this.#spaces.set(space, s = { set, extents });
    }
    return s;
  }
  #ofImage(image: Image, space: Space): RegionSet {
    let set = this.#images.get(image);
    if (!set) {
      set = new RegionSet(this.#shared, image.start, image.end, (pc) => image.blocks.get(pc));
      this.#bind(space, set, image);
      this.#images.set(image, set);
    }
    return set;
  }
  #bind(space: Space, set: RegionSet, image: Image | undefined): void {
    for (const slot of this.#kept?.bind(space, set, image) ?? []) this.table.set(slot, this.noRegion);
  }
  #slot(s: RegionSet, pc: number): number {
    let slot = s.slots.get(pc);
    if (slot === undefined) {
      slot = this.#freeSlots.pop() ?? this.allocateSlot();
      s.slots.set(pc, slot);
      this.table.set(slot, this.noRegion);
    }
    return slot;
  }

  #environment(space: Space, s: RegionSet, draft: Draft, shared: boolean): RegionEnvironment {
    return {
      shared,
      quick: this.access.quick.shape,
      bake: (va, write) => s.extents.around(va, write, space),
      bakeProfile: (record, slot, write) => {
        const high = slot > 1 ? 0 : this.profile.highestAddress(record, slot);
        if (high === 0) return undefined;
        const e = s.extents.around(high, write, space);
        return e && this.profile.lowestAddress(record, slot) >= e.start ? e : undefined;
      },
      accessed: (record, slot) => slot <= 1 && this.profile.highestAddress(record, slot) !== 0,
      roams: (pc, stack) => s.roaming.has(pc) || (!stack && (s.roamed > WILD_SPACE || (s.wild.get(draft.pc) ?? 0) >= WILD)),
      relies: (pc, baked) => void draft.sites.push([pc, baked as Relied]),
      slot: (pc) => s.contains(pc) ? this.#slot(s, pc) : undefined,
      clobberedAt: (pc) => {
        const block = s.contains(pc) ? s.block(pc) : undefined, clobbered = block ? clobberedBy(block.insns) : ALL_GPRS;
        // That is only true while the code there is the same.
        if (block && clobbered !== ALL_GPRS) {
          draft.physical.push(...block.source);
          draft.virtual.push([pc, block.end]);
        }
        return clobbered;
      },
      isCold: (pc) => {
        const block = s.block(pc);
        return !s.regions.has(pc) && !(block && this.blocks.executions(block) >= this.blocks.heat / 2);
      },
      checksMode: (pc) => void draft.modeChecks.push(pc),
      opens: (pc) => void draft.opens.push(pc),
      insnId: (i) => {
        const id = this.#freeIds.pop() ?? this.#insns.length;
        this.#insns[id] = i;
        draft.ids.push([id, i]);
        return id;
      },
    };
  }
}

const within = ({ start, end }: { start: number; end: number }, va: number): boolean => va >= start && va < end;
/** A region's name in its module. */
const nameOf = ({ slot }: Draft): string => `r${slot}`;
