/** Chooses what runs next: the region at RIP, or the interpreter from the block at RIP. */
import type { Access } from "./access.ts";
import type { Ram } from "./api.ts";
import type { CodeMap } from "./code_map.ts";
import { Exit } from "./exit.ts";
import type { Block, Blocks } from "./interp/blocks.ts";
import type { Profile } from "./interp/profile.ts";
import type { JumpCache } from "./jump_cache.ts";
import { CTL_LINK } from "./interp/generate.ts";
import { RECORD } from "./interp/record.ts";
import { CTL_BUDGET, CTL_ERROR, CTL_EXIT, CTL_VECTOR, FLAGS_OTHER, GPR, MXCSR, RIP, STATE, TF, VEC } from "./layout.ts";
import type { Space } from "./mmu.ts";
import { FAST_MODE, MODE_BITS } from "./mxcsr.ts";
import type { Runtime } from "./runtime.ts";
import type { SingleStep } from "./single_step.ts";
import type { Counters } from "./stats.ts";
import type { Regions } from "./translate/regions.ts";
import type { Region } from "./translate/region_set.ts";

const TWO32 = 0x1_0000_0000;
/** A block for which other spaces have a region is hot: it is interpreted so often before this space has one as well. */
const PASSES = 8;

export class Dispatcher {
  /** A region has left at RIP: interpret there, even if a region begins there. */
  interpretNext = false;

  constructor(
    private readonly ram: Ram,
    private readonly access: Access,
    private readonly code: CodeMap,
    private readonly blocks: Blocks,
    private readonly profile: Profile,
    private readonly jumps: JumpCache,
    private readonly regions: Regions,
    private readonly runtime: Runtime,
    private readonly single: SingleStep,
    /** One instruction at a time. */
    private readonly stepping: boolean,
    private readonly counters: Counters,
  ) {}

  /** RIP. */
  pc(): number {
    const { u32 } = this.ram;
    return u32[(STATE + RIP) >> 2] + u32[(STATE + RIP + 4) >> 2] * TWO32;
  }

  /** Runs something at RIP until it leaves generated code. */
  step(): Exit {
    const { u32 } = this.ram, { space } = this.access;
    const pc = this.pc();
    if (u32[(STATE + RIP + 4) >> 2] >= 0x8000) return this.#badTarget(pc);
    if (this.stepping || (u32[(STATE + FLAGS_OTHER) >> 2] & TF) !== 0) return this.#oneStep(pc);
    if (!this.interpretNext) {
      const region = this.regions.find(space, pc);
      if (region) return this.#enter(region);
    }
    const block = this.#block(space, pc), left = this.interpretNext;
    this.interpretNext = false;
    if (!left && block.regions > 0 && ++block.passes >= PASSES) {
      const region = this.regions.compile(space, pc);
      if (region) return this.#enter(region);
    }
    // The first record counts heat and polls; a block whose region has been left, or cannot be used, must get past it.
    const start = left || block.regions > 0 ? block.record + RECORD : block.record;
    // A check of stack accesses may stand where there are none.
    const sp = u32[(STATE + GPR + 32) >> 2] + u32[(STATE + GPR + 36) >> 2] * TWO32;
    const probe = left && block.insns.length > 0 ? this.profile.probe(start, block.insns[0]) : undefined;
    const exit = this.runtime.interpret(start);
    if (left) this.#afterSideExit(space, block, exit, [...probe?.() ?? [], sp]);
    this.access.codeKilled = false;
    return exit === Exit.Side ? this.#fetchFault(block) : exit;
  }

  #oneStep(pc: number): Exit {
    this.interpretNext = false;
    this.counters.steps++;
    if ((this.ram.u32[(STATE + FLAGS_OTHER) >> 2] & TF) !== 0) return this.single.trapped(pc);
    const exit = this.single.one(pc);
    return exit === Exit.Continue ? Exit.Poll : exit;
  }

  /** The instruction that left its region has been executed. */
  #afterSideExit(space: Space, block: Block, exit: Exit, addresses: readonly number[]): void {
    const c = this.counters, { pc } = block;
    const cause = exit === Exit.Fault
      ? "fault"
      : this.access.codeKilled
      ? "code"
      : this.regions.reliesOnExtent(space, pc)
      ? "extent"
      : "other";
    c.sideExits[cause]++;
    c.interpreted += block.insns.length;
    // In other modes of MXCSR regions leave although nothing is wrong with them.
    const fast = (this.ram.u32[(STATE + MXCSR) >> 2] & MODE_BITS) === FAST_MODE;
    if (exit !== Exit.Fault) this.regions.missed(space, pc, fast, addresses);
  }

  #enter(region: Region): Exit {
    const { i32 } = this.ram;
    // Regions that lead to each other by returns do not poll themselves.
    if (--i32[CTL_BUDGET >> 2] < 0) return Exit.Poll;
    i32[CTL_EXIT >> 2] = Exit.Continue;
    i32[CTL_LINK >> 2] = 0;
    // Another address may have taken its place in the jump cache.
    const { space } = this.access;
    if (!this.jumps.has(space, region.pc, region.slot)) {
      this.jumps.put(space, region.pc, this.blocks.find(space, region.pc)?.record ?? 0, region.slot);
    }
    this.runtime.enter(region.slot);
    const exit: Exit = i32[CTL_EXIT >> 2];
    this.counters.entries++;
    this.counters.regionExits[exit]++;
    if (exit === Exit.Side) this.interpretNext = true;
    // A long-running loop: translate from its head, so that it goes on in optimised code.
    if (exit === Exit.Poll) {
      const pc = this.pc();
      if (!this.regions.find(this.access.space, pc)) {
        this.#block(this.access.space, pc);
        this.regions.compile(this.access.space, pc);
      }
    }
    return exit;
  }

  /** The decoded block at `pc`; notes it where a jump has just missed it. */
  #block(space: Space, pc: number): Block {
    const { i32 } = this.ram;
    let block = this.blocks.find(space, pc);
    if (!block) {
      if (this.blocks.full) {
        this.blocks.clear();
        i32[CTL_LINK >> 2] = 0;
      }
      block = this.blocks.decode(pc);
      for (let n = this.regions.count(block); n > 0; n--) this.blocks.divert(block, true);
      this.jumps.put(space, pc, block.record, 0);
      if (!this.interpretNext && this.blocks.comesFromElsewhere(block)) this.regions.checkFlags(space, pc);
    }
    const link = i32[CTL_LINK >> 2];
    if (link !== 0) this.blocks.link(link, block);
    else if (!this.interpretNext) this.jumps.put(space, pc, block.record, this.regions.find(space, pc)?.slot ?? 0);
    i32[CTL_LINK >> 2] = 0;
    return block;
  }

  /** A jump to a non-canonical or kernel address: #GP, or #PF in the kernel half. */
  #badTarget(pc: number): Exit {
    const kernelHalf = pc >= 0xffff_8000_0000_0000;
    this.ram.i32[CTL_VECTOR >> 2] = kernelHalf ? VEC.PF : VEC.GP;
    this.ram.i32[CTL_ERROR >> 2] = kernelHalf ? 0x15 : 0;
    this.access.faultAddress = pc;
    return Exit.Fault;
  }
  #fetchFault(fallback: Block): Exit {
    const at = (STATE + RIP) >> 2;
    const pc = this.ram.u32[at] + this.ram.u32[at + 1] * TWO32;
    const block = this.blocks.find(this.access.space, pc) ?? fallback;
    const va = this.blocks.fetchFault(block);
    this.ram.i32[CTL_VECTOR >> 2] = VEC.PF;
    this.ram.i32[CTL_ERROR >> 2] = this.blocks.fetchError(va);
    this.access.faultAddress = va;
    // What cannot be fetched now may be mapped later.
    this.code.remove(block);
    block.kill();
    return Exit.Fault;
  }
}
