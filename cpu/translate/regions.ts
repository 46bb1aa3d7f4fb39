/** Translated regions: when to make them, where to find them, when to drop them. */
import type { Access } from "../access.ts";
import type { Ram } from "../api.ts";
import type { CodeMap, Translation } from "../code_map.ts";
import { controlOf } from "../control.ts";
import { fusedMultiplyAdd } from "../fused.ts";
import type { Insn } from "../insn.ts";
import type { Block, Blocks } from "../interp/blocks.ts";
import type { Space } from "../mmu.ts";
import { GENERATED_IMPORTS } from "../runtime.ts";
import type { Counters, CpuStats, KillCause } from "../stats.ts";
import { ModuleBuilder } from "../wasm/encoder.ts";
import type { WasmOp } from "../wasm/expr.ts";
import { buildGraph, type Graph } from "./cfg.ts";
import { effectsOf } from "./effects.ts";
import { emitRegion, type RegionEnvironment } from "./emit.ts";
import { type Extent, ExtentCells, Extents } from "./extents.ts";
import { ALL_FLAGS } from "./regs.ts";

/** Side exits at an instruction before its region is made anew with what has been learned. */
const MISSES = 24;
/** WebAssembly bytes of living regions; beyond that all are dropped, and what is still in use comes back. Bounds what endless new code can take. */
const MAX_CODE_BYTES = 96 << 20;
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

/** Runtime functions of which the host has an operation. The host is asked when one of them is first needed. */
const inlined = (name: string): WasmOp | undefined =>
  name.startsWith("fma_") ? fusedMultiplyAdd()?.operations.get(name) : undefined;

export class Region implements Translation {
  dead = false;
  /** Instruction ids in use. */
  readonly ids: number[] = [];
  /** Instructions that rely on an extent. */
  readonly sites: number[] = [];
  /** Size of its module. */
  bytes = 0;
  constructor(
    readonly space: Space,
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

interface Site {
  readonly users: Map<Region, Extent<Region>>;
  misses: number;
}

interface SpaceRegions {
  /** Living regions by entry address. */
  readonly regions: Map<number, Region>;
  /** Table slots by entry address, compiled or not. */
  readonly slots: Map<number, number>;
  /** Regions that have an exit to cold code at this address. */
  readonly openings: Map<number, Region>;
  /** Which regions rely on which extent at an instruction, and how often it has been elsewhere. */
  readonly sites: Map<number, Site>;
  readonly extents: Extents<Region>;
  /** Instructions that access many extents. */
  readonly roaming: Set<number>;
  /** Nodes of regions that are not their entries: code there has been translated before. */
  readonly interior: Set<number>;
  /** Addresses at which a region leaves when MXCSR is not in its fast mode: that is no miss. */
  readonly modeChecks: Set<number>;
  /** How many of them have been found in a region, by its entry. */
  readonly wild: Map<number, number>;
  readonly flagsNeeded: Map<number, number>;
  /** How often the region at an entry has been extended. */
  readonly extended: Map<number, number>;
  /** Code has been found that reads flags at the start of a function or after a call. */
  strictFlags: boolean;
}

export interface RegionStats {
  regions: number;
  killed: number;
  codeBytes: number;
  insns: number;
}

export class Regions {
  readonly stats: RegionStats = { regions: 0, killed: 0, codeBytes: 0, insns: 0 };
  /**
   * Changes when code that may be on the stack must not go on: its region was dropped, or an extent that it has checked lost pages.
   */
  epoch = 0;
  readonly #spaces = new Map<Space, SpaceRegions>();
  readonly #cells = new ExtentCells();
  readonly #freeSlots: number[] = [];
  #liveBytes = 0;
  /** What `#of` found last. */
  #lastSpace: Space | undefined;
  #last: SpaceRegions | undefined;
  readonly #insns: (Insn | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** Of the next kill; the code map gives none. */
  #cause: KillCause = "written";

  constructor(
    private readonly ram: Ram,
    private readonly access: Access,
    private readonly code: CodeMap,
    private readonly blocks: Blocks,
    private readonly pages: number,
    private readonly table: WebAssembly.Table,
    private readonly imports: WebAssembly.ModuleImports,
    private readonly allocateSlot: () => number,
    private readonly noRegion: CallableFunction,
    private readonly counters: Counters,
  ) {}

  find(space: Space, pc: number): Region | undefined {
    return this.#of(space).regions.get(pc);
  }
  insnOf(id: number): Insn {
    return this.#insns[id]!;
  }

  /** The block at `pc` is hot: translates it, or makes the region anew that has been leaving for it. */
  hot(space: Space, pc: number): void {
    if (this.#liveBytes > MAX_CODE_BYTES) this.#dropAll();
    const s = this.#of(space), owner = s.openings.get(pc);
    s.openings.delete(pc);
    const extended = owner ? s.extended.get(owner.pc) ?? 0 : 0;
    if (owner && !owner.dead && extended < EXTENSIONS) {
      s.extended.set(owner.pc, extended + 1);
      const entry = owner.pc;
      this.#drop(owner, "extended");
      this.compile(space, entry);
      // Should control still come here by other ways, it becomes hot once more.
      this.blocks.warm(space, pc);
      return;
    }
    this.compile(space, pc);
  }

  #dropAll(): void {
    for (const s of this.#spaces.values()) for (const r of s.regions.values()) this.#drop(r, "space");
  }

  compile(space: Space, pc: number): Region | undefined {
    const s = this.#of(space);
    const existing = s.regions.get(pc);
    if (existing) return existing;
    const limit = s.interior.has(pc) ? INTERIOR_INSNS : MAX_INSNS;
    const graph = buildGraph(this.ram, this.blocks, space, pc, limit);
    const block = this.blocks.find(space, pc);
    if (!graph || !block) return undefined;
    const slot = this.#slot(s, pc);
    const ranges = this.#ranges(space, graph);
    const region = new Region(space, pc, slot, ranges.physical, ranges.virtual, (r) => this.#killed(r));
    const began = this.counters.now();
    const m = new ModuleBuilder(this.pages, GENERATED_IMPORTS, true, false, inlined);
    emitRegion(m, "r", graph, this.#environment(space, s, region));
    const bytes = m.finish(), emitted = this.counters.now();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: this.imports });
    this.table.set(slot, instance.exports.r as CallableFunction);
    s.regions.set(pc, region);
    for (const n of graph.nodes) if (n.pc !== pc) s.interior.add(n.pc);
    this.code.add(region);
    this.blocks.divert(block, true);
    this.blocks.publish(space, pc, block.record, slot);
    this.counters.emitNs += emitted - began;
    this.counters.compileNs += this.counters.now() - emitted;
    this.stats.regions++;
    this.stats.codeBytes += bytes.length;
    this.#liveBytes += region.bytes = bytes.length;
    this.stats.insns += graph.insns;
    return region;
  }

  /**
   * Control has come to `pc` by other ways than direct jumps. When code there reads flags, they are part of a calling convention: from now on
   * regions pass them on.
   */
  checkFlags(space: Space, pc: number): void {
    const s = this.#of(space);
    if (s.strictFlags || this.#flagsNeededAt(space, s, pc, 0) === 0) return;
    s.strictFlags = true;
    for (const r of s.regions.values()) this.#drop(r, "flags");
  }

  /** Does the instruction rely on an extent in some region? */
  reliesOnExtent(space: Space, pc: number): boolean {
    return this.#of(space).sites.has(pc);
  }
  view(): Pick<CpuStats["regions"], "made" | "killed" | "instructionsTranslated" | "codeBytes"> {
    const { regions, killed, insns, codeBytes } = this.stats;
    return { made: regions, killed, instructionsTranslated: insns, codeBytes };
  }

  /** The instruction at `pc` has left its region because of its address (or, where regions check it, because MXCSR is not in its fast mode). */
  missed(space: Space, pc: number, fastMode: boolean): void {
    const s = this.#of(space), site = s.sites.get(pc);
    if (!site || (!fastMode && s.modeChecks.has(pc)) || ++site.misses < MISSES) return;
    s.sites.delete(pc);
    let roams = false;
    for (const extent of site.users.values()) {
      const now = space.find(extent.anchor);
      if (extent.cell === 0 && now !== undefined && now.end - now.start > extent.end - extent.start) s.extents.makeFluid(extent);
      else roams = true;
    }
    if (roams) s.roaming.add(pc);
    for (const region of site.users.keys()) {
      if (roams) s.wild.set(region.pc, (s.wild.get(region.pc) ?? 0) + 1);
      this.#drop(region, roams ? "roaming" : "grown");
      this.blocks.warm(space, region.pc);
    }
  }
  /** Something has been mapped in `space`. */
  mapped(space: Space): void {
    this.#spaces.get(space)?.extents.mapped();
  }

  spaceChanged(space: Space, from: number, to: number): void {
    const s = this.#spaces.get(space);
    if (!s) return;
    for (const r of s.regions.values()) {
      if (overlaps(r.code, from, to)) this.#drop(r, "unmapped");
    }
    s.extents.changed(from, to);
  }
  release(space: Space): void {
    const s = this.#spaces.get(space);
    if (!s) return;
    for (const r of s.regions.values()) this.#drop(r, "space");
    for (const slot of s.slots.values()) {
      this.table.set(slot, this.noRegion);
      this.#freeSlots.push(slot);
    }
    this.#spaces.delete(space);
    this.#lastSpace = this.#last = undefined;
  }
  /** Memory that translated code writes to without looking now holds code. */
  codePageAppeared(page: number): void {
    for (const s of this.#spaces.values()) s.extents.codePageAppeared(page);
  }

  #drop(r: Region, cause: KillCause): void {
    if (r.dead) return;
    this.code.remove(r);
    this.#cause = cause;
    r.kill();
    this.#cause = "written";
  }
  #killed(r: Region): void {
    const s = this.#of(r.space);
    s.regions.delete(r.pc);
    this.#liveBytes -= r.bytes;
    s.extents.forget(r);
    for (const pc of r.sites) {
      const site = s.sites.get(pc);
      if (site?.users.delete(r) && site.users.size === 0) s.sites.delete(pc);
    }
    s.flagsNeeded.clear();
    this.table.set(r.slot, this.noRegion);
    for (const id of r.ids) {
      this.#insns[id] = undefined;
      this.#freeIds.push(id);
    }
    this.blocks.unpublish(r.pc);
    const block = this.blocks.find(r.space, r.pc);
    if (block && !block.dead) this.blocks.divert(block, false);
    this.stats.killed++;
    this.epoch++;
    this.counters.killed[this.#cause]++;
  }

  #of(space: Space): SpaceRegions {
    if (this.#lastSpace === space) return this.#last!;
    let s = this.#spaces.get(space);
    if (!s) {
      s = {
        regions: new Map(),
        slots: new Map(),
        openings: new Map(),
        sites: new Map(),
        extents: new Extents<Region>(this.ram, space, this.code, this.#cells, {
          kill: (r) => this.#drop(r, "unmapped"),
          shrunk: () => this.epoch++,
        }),
        roaming: new Set(),
        interior: new Set(),
        modeChecks: new Set(),
        wild: new Map(),
        extended: new Map(),
        flagsNeeded: new Map(),
        strictFlags: false,
      };
      this.#spaces.set(space, s);
    }
    this.#lastSpace = space;
    this.#last = s;
    return s;
  }
  #slot(s: SpaceRegions, pc: number): number {
    let slot = s.slots.get(pc);
    if (slot === undefined) {
      slot = this.#freeSlots.pop() ?? this.allocateSlot();
      s.slots.set(pc, slot);
      this.table.set(slot, this.noRegion);
    }
    return slot;
  }

  #environment(space: Space, s: SpaceRegions, region: Region): RegionEnvironment {
    return {
      bake: (va, write) => s.extents.around(va, write),
      bakeProfile: (record, slot, write) => {
        const high = slot > 1 ? 0 : this.blocks.highestAddress(record, slot);
        if (high === 0) return undefined;
        const e = s.extents.around(high, write);
        return e && this.blocks.lowestAddress(record, slot) >= e.start ? e : undefined;
      },
      accessed: (record, slot) => slot <= 1 && this.blocks.highestAddress(record, slot) !== 0,
      roams: (pc, stack) =>
        s.roaming.has(pc) || (!stack && (s.roaming.size > WILD_SPACE || (s.wild.get(region.pc) ?? 0) >= WILD)),
      relies: (pc, baked) => {
        const extent = baked as Extent<Region>;
        extent.users.add(region);
        let site = s.sites.get(pc);
        if (!site) s.sites.set(pc, site = { users: new Map(), misses: 0 });
        site.users.set(region, extent);
        region.sites.push(pc);
      },
      flagsNeededAt: (pc) => this.#flagsNeededAt(space, s, pc, 0),
      strictFlags: s.strictFlags,
      slot: (pc) => this.#slot(s, pc),
      isCold: (pc) => {
        const block = this.blocks.find(space, pc);
        return !s.regions.has(pc) && !(block && this.blocks.executions(block) >= this.blocks.heat / 2);
      },
      checksMode: (pc) => s.modeChecks.add(pc),
      opens: (pc) => s.openings.set(pc, region),
      insnId: (i) => {
        const id = this.#freeIds.pop() ?? this.#insns.length;
        this.#insns[id] = i;
        region.ids.push(id);
        return id;
      },
    };
  }

  #flagsNeededAt(space: Space, s: SpaceRegions, pc: number, depth: number): number {
    const known = s.flagsNeeded.get(pc);
    if (known !== undefined) return known;
    if (space !== this.access.space) return ALL_FLAGS;
    const block: Block = this.blocks.find(space, pc) ?? this.blocks.decode(pc);
    let need = 0, defined = 0;
    for (const i of block.insns) {
      const e = effectsOf(i);
      need |= e.flagUses & ~defined;
      defined |= e.flagDefs;
      if (defined === ALL_FLAGS) break;
    }
    const last = block.insns.at(-1);
    // Nothing can be fetched there: a page fault shows the flags.
    if (!last) need = ALL_FLAGS;
    const open = ALL_FLAGS & ~defined;
    if (last && open !== 0 && (need & open) !== open) {
      const control = controlOf(last.name), to = last.ops[0];
      const onward: number[] = [];
      if (control === "next" || control === "branch" || last.name === "syscall") onward.push(block.end);
      if ((control === "branch" || control === "jump") && to?.kind === "rel") onward.push(to.target);
      if (control === "trap" && last.name !== "syscall") need |= open;
      for (const next of onward) need |= open & (depth < 3 ? this.#flagsNeededAt(space, s, next, depth + 1) : ALL_FLAGS);
    }
    if (depth === 0) s.flagsNeeded.set(pc, need);
    return need;
  }

  #ranges(space: Space, g: Graph): { physical: [number, number][]; virtual: [number, number][] } {
    const virtual: [number, number][] = [];
    const steps = g.nodes.flatMap((n) => n.steps).sort((a, b) => a.insn.pc - b.insn.pc);
    for (const { insn } of steps) {
      const last = virtual.at(-1), end = insn.pc + insn.length;
      if (last && insn.pc <= last[1]) last[1] = Math.max(last[1], end);
      else virtual.push([insn.pc, end]);
    }
    const physical: [number, number][] = [];
    for (const [from, to] of virtual) {
      for (let va = from; va < to;) {
        const e = space.find(va)!;
        const end = Math.min(to, e.end);
        physical.push([e.pa + (va - e.start), e.pa + (end - e.start)]);
        va = end;
      }
    }
    return { physical, virtual };
  }
}

const overlaps = (ranges: readonly (readonly [number, number])[], from: number, to: number): boolean =>
  ranges.some(([s, e]) => s < to && e > from);
