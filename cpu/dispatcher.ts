/** Chooses what runs next, the region or the block at RIP, where the inner loop (dispatch.ts) does not know it. */
import type { Access } from "./access.ts";
import type { Ram } from "./api.ts";
import type { CodeMap } from "./code_map.ts";
import { Exit } from "./exit.ts";
import type { Block, Blocks } from "./interp/blocks.ts";
import type { Profile } from "./interp/profile.ts";
import type { JumpCache } from "./jump_cache.ts";
import { RECORD } from "./interp/record.ts";
import {
  CTL_ERROR,
  CTL_FLAGS,
  CTL_FLAGS_STEP,
  CTL_LINK,
  CTL_VECTOR,
  FLAGS_OTHER,
  GPR,
  MXCSR,
  RIP,
  STATE,
  TF,
  VEC,
} from "./layout.ts";
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
/** A block for which an earlier run has left a region is interpreted so often: until its memory is there. */
const KEPT_PASSES = 8;

export class Dispatcher {
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

  /** Runs what is at RIP until it needs more than generated code. Never Look, Side or RegionPoll. */
  step(): Exit {
    return this.finish(this.stepping ? Exit.Look : this.runtime.dispatch(0));
  }
  /** JavaScript's part of a step: what the inner loop has come back for. */
  finish(exit: Exit): Exit {
    if (exit === Exit.Look) return this.#look(false);
    if (exit === Exit.Side) return this.#look(true);
    if (exit !== Exit.RegionPoll) return exit;
    this.#translateLoop();
    return Exit.Poll;
  }

  /** The inner loop does not know what to do at RIP. `left`: a region has left there, so interpret, even if a region begins there. */
  #look(left: boolean): Exit {
    const { u32 } = this.ram, { space } = this.access;
    const pc = this.pc();
    if (u32[(STATE + RIP + 4) >> 2] >= 0x8000) return this.#badTarget(pc);
    if (this.stepping || (u32[(STATE + FLAGS_OTHER) >> 2] & TF) !== 0) return this.#oneStep(pc);
    const region = left ? undefined : this.regions.find(space, pc);
    if (region) return this.#prepare(space, region);
    const block = this.#block(space, pc, left);
    if (!left && block.regions > 0 && ++block.passes >= PASSES) {
      const region = this.regions.compile(space, pc);
      if (region) return this.#prepare(space, region);
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
  /** Lets the inner loop enter the region. */
  #prepare(space: Space, region: Region): Exit {
    this.jumps.put(space, region.pc, this.blocks.find(space, region.pc)?.record ?? 0, region.slot);
    return Exit.Continue;
  }

  #oneStep(pc: number): Exit {
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
    c.interpreted += block.count;
    // In other modes of MXCSR regions leave although nothing is wrong with them.
    const fast = (this.ram.u32[(STATE + MXCSR) >> 2] & MODE_BITS) === FAST_MODE;
    if (exit !== Exit.Fault) this.regions.missed(space, pc, fast, addresses);
  }

  /** Regions leave a record instead of flags (flag_record.ts). */
  settleFlags(): void {
    const { i32 } = this.ram;
    if (i32[CTL_FLAGS >> 2] !== 0 || i32[CTL_FLAGS_STEP >> 2] !== 0) this.runtime.settle_flags();
  }

  /** A long-running loop at RIP: translates from its head, so that it goes on in optimised code. */
  #translateLoop(): void {
    const pc = this.pc(), { space } = this.access;
    if (this.regions.find(space, pc)) return;
    this.#block(space, pc, false);
    this.regions.compile(space, pc);
  }

  /** The decoded block at `pc`; notes it where a jump has just missed it. */
  #block(space: Space, pc: number, left: boolean): Block {
    const { i32 } = this.ram;
    let block = this.blocks.find(space, pc);
    if (!block) {
      if (this.blocks.full) {
        this.blocks.clear();
        i32[CTL_LINK >> 2] = 0;
      }
      block = this.blocks.decode(pc);
      for (let n = this.regions.count(block); n > 0; n--) this.blocks.divert(block, true);
      if (this.regions.kept(pc)) this.blocks.warm(block, KEPT_PASSES);
      this.jumps.put(space, pc, block.record, 0);
    }
    const link = i32[CTL_LINK >> 2];
    if (link !== 0) this.blocks.link(link, block);
    else if (!left) this.jumps.put(space, pc, block.record, 0);
    i32[CTL_LINK >> 2] = 0;
    return block;
  }

  /** A jump to a non-canonical or kernel address: #GP, or #PF in the kernel half. */
  #badTarget(pc: number): Exit {
    const kernelHalf = pc >= 0xffff_8000_0000_0000;
    this.ram.i32[CTL_VECTOR >> 2] = kernelHalf ? VEC.PF : VEC.GP;
    this.ram.i32[CTL_ERROR >> 2] = kernelHalf ? 0x15 : 0;
    const at = (STATE + RIP) >> 2;
    this.access.faultAddress = this.ram.i32[at + 1] * TWO32 + this.ram.u32[at];
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
