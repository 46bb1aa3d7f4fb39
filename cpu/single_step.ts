/** One instruction at a time: for TF (Intel SDM vol. 3, 18.3.1.4), and for tools that compare states. */
import type { Access } from "./access.ts";
import type { Ram } from "./api.ts";
import { Exit } from "./exit.ts";
import type { Insn } from "./insn.ts";
import type { Blocks } from "./interp/blocks.ts";
import { RECORD } from "./interp/record.ts";
import { CTL_BUDGET, CTL_ERROR, CTL_LINK, CTL_VECTOR, GPR, RIP, STATE, VEC } from "./layout.ts";
import type { Runtime } from "./runtime.ts";

const RCX = (STATE + GPR + 8) >> 2;
/** String instructions that stop early when ZF is not what the prefix asks for. */
const COMPARES = new Set(["cmps", "scas"]);
const SS = 2;

export class SingleStep {
  constructor(
    private readonly ram: Ram,
    private readonly access: Access,
    private readonly blocks: Blocks,
    private readonly runtime: Runtime,
    private readonly zf: () => boolean,
  ) {}

  /**
   * Executes the instruction at `pc` (= RIP), a REP with all its iterations unless interrupts are to be polled. Continue: RIP is the next
   * one; else Fault or Syscall, as usual.
   */
  one(pc: number): Exit {
    const { i32 } = this.ram, budget = i32[CTL_BUDGET >> 2];
    const { block, release } = this.blocks.single(pc);
    // No poll left: wherever the instruction jumps to, the head of the block there returns.
    i32[CTL_BUDGET >> 2] = 0;
    const exit: Exit = this.runtime.interpret(block.record + RECORD);
    i32[CTL_BUDGET >> 2] = budget;
    i32[CTL_LINK >> 2] = 0;
    this.access.codeKilled = false;
    const fault = exit === Exit.Side ? this.blocks.fetchFault(block) : 0;
    release();
    if (exit === Exit.Poll) return Exit.Continue;
    if (exit !== Exit.Side) return exit;
    this.#raise(VEC.PF, this.blocks.fetchError(fault));
    this.access.faultAddress = fault;
    return Exit.Fault;
  }

  /** Executes the instruction at `pc` with TF set: #DB comes after it, and after each iteration of a REP. */
  trapped(pc: number): Exit {
    const i = this.blocks.peek(pc);
    const exit = i && i.row.rep && i.rep ? this.#iteration(i) : this.one(pc);
    // A load of SS holds the trap back for one instruction, so that a load of RSP can follow (SDM vol. 2, MOV).
    const shadow = i?.name === "movsreg" && i.ops[0].kind === "seg" && i.ops[0].n === SS;
    if (exit !== Exit.Continue || shadow) return exit;
    this.#raise(VEC.DB, 0);
    return Exit.Fault;
  }

  #iteration(i: Insn): Exit {
    const { u32 } = this.ram, lo = u32[RCX], high = u32[RCX + 1], hi = i.addressSize === 8 ? high : 0;
    if (lo === 0 && hi === 0) return this.one(i.pc);
    u32[RCX] = 1;
    u32[RCX + 1] = 0;
    const exit = this.one(i.pc), done = exit === Exit.Continue;
    u32[RCX] = done ? lo - 1 : lo;
    u32[RCX + 1] = done ? hi - (lo === 0 ? 1 : 0) : high;
    const isLast = lo === 1 && hi === 0, stopped = COMPARES.has(i.name) && this.zf() !== (i.rep === "rep");
    if (!done || isLast || stopped) return exit;
    u32[(STATE + RIP) >> 2] = i.pc;
    u32[(STATE + RIP + 4) >> 2] = Math.floor(i.pc / 0x1_0000_0000);
    return exit;
  }

  #raise(vector: number, error: number): void {
    this.ram.i32[CTL_VECTOR >> 2] = vector;
    this.ram.i32[CTL_ERROR >> 2] = error;
  }
}
