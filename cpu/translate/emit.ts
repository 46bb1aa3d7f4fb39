/**
 * Emits a region: structured control flow from the dominator tree (N. Ramsey, "Beyond Relooper", 2022), with the semantics of each step in
 * between. A region is a wasm function (target PC, depth) -> next PC; see docs/architecture.md.
 */
import { MAX_DEPTH } from "../dispatch.ts";
import { Exit } from "../exit.ts";
import type { Insn, Operand } from "../insn.ts";
import { CTL_BUDGET, CTL_CELLS, CTL_EXIT, CTL_SPACE, GPR, JUMP_CACHE, MXCSR, STATE } from "../layout.ts";
import { FAST_MODE, MODE_BITS } from "../mxcsr.ts";
import { jumpEntry, REGION_TYPE, UNWOUND } from "../runtime.ts";
import type { FuncBuilder, ModuleBuilder } from "../wasm/encoder.ts";
import { add, and, eq, type Expr, i32, i64, load, lt_s, ne, or, select, sub } from "../wasm/expr.ts";
import { type Group, type NodePlan, RSP } from "./access_plan.ts";
import { planStack, planWithoutStack, profiledStackAccess, type StackPlan } from "./stack_plan.ts";
import type { Graph, Node } from "./cfg.ts";
import { Exits } from "./exits.ts";
import { FlagState } from "./flag_state.ts";
import { ALL_GPRS, analyse, isCall, type NodeFlow } from "./flow.ts";
import { Locals } from "./locals.ts";
import { Memory, type MemoryEnvironment } from "./memory.ts";
import { type Ending, type RegionContext, RegionSem } from "./region_sem.ts";
import { type Dirty, gprBit } from "./regs.ts";

export interface RegionEnvironment extends MemoryEnvironment {
  /** Several spaces run the region: `memory` has their extents in tables. */
  shared: boolean;
  /** Table slot of the region at `pc`, compiled or not; undefined when that is not the same region in all spaces. */
  slot(pc: number): number | undefined;
  /** General registers that code there may write before it has defined all flags (flow.ts). */
  clobberedAt(pc: number): number;
  /** Has the code there hardly ever run? */
  isCold(pc: number): boolean;
  /** The region has an exit to cold code at `pc`. */
  opens(pc: number): void;
  /** The region leaves at `pc` when MXCSR is not in its fast mode. */
  checksMode(pc: number): void;
  /** Names an instruction for `region_helper`. */
  insnId(i: Insn): number;
}

/** Loop iterations per poll of the budget. */
const POLL_EVERY = 1024;
const DEPTH_LOCAL = 1;
const CLEAN: Dirty = { r: 0, high: 0, zero: 0 };

export function emitRegion(m: ModuleBuilder, name: string, g: Graph, env: RegionEnvironment): FuncBuilder {
  const emitter = new Emitter(m, name, g, env);
  emitter.run();
  return emitter.f;
}

class Emitter implements RegionContext {
  readonly f: FuncBuilder;
  readonly locals: Locals;
  readonly flags: FlagState;
  readonly memory: Memory;
  readonly #exits: Exits;
  readonly #flow: readonly NodeFlow[];
  readonly #regionType: number;
  readonly #poll: number;
  /** Local: the running space's table of extents. */
  readonly #table: number;
  readonly #loops = new Map<Node, number>();
  readonly #merges = new Map<Node, number>();
  #plans: readonly NodePlan[];
  readonly #stack: StackPlan;
  /** The common check of stack accesses, if there is one. */
  #entryGroup: Group | undefined;
  readonly #arithmetic: boolean;

  // ---- the step being emitted
  #node!: Node;
  #index = 0;
  /** Registers that may differ from the state block, now. */
  #dirty: Dirty = { r: 0, high: 0, zero: 0 };
  #ending: Ending | undefined;

  constructor(m: ModuleBuilder, name: string, private readonly g: Graph, private readonly env: RegionEnvironment) {
    this.f = m.func(REGION_TYPE, name, true);
    this.#regionType = m.typeIndex(REGION_TYPE);
    this.locals = new Locals(this.f);
    this.flags = new FlagState(this.f, this.locals);
    this.#table = this.f.newLocal("i32");
    const table = { kind: "local", type: "i32", index: this.#table } as const;
    this.memory = new Memory(this.f, this.locals, env, (cond) => this.leave(cond), table);
    this.#exits = new Exits(this.f, this.locals, this.flags, this.#regionType, DEPTH_LOCAL);
    this.#poll = this.f.newLocal("i32");
    this.#stack = planStack(g);
    this.#plans = this.#stack.plans;
    this.#entryGroup = this.#stack.group;
    this.#arithmetic = g.nodes.some((n) => n.steps.some((step) => step.effects.arithmetic));
    this.#flow = analyse(g);
  }

  run(): void {
    const { f } = this;
    this.#entry();
    this.#emitNode(this.g.entry);
    f.unreachable();
    f.prepend(this.#exits.opening());
    this.#exits.close();
    f.unreachable();
  }

  /** Polls (where the region may call itself or others), then loads what is needed. */
  #entry(): void {
    const { f } = this, need = this.#flow[this.g.entry.rpo].need;
    const { nodes, entry } = this.g, calls = nodes.some(isCall);
    if (calls || nodes.some((n) => mayComeBack(n, entry.pc))) {
      const left = this.locals.temp("i32"), depth = { kind: "local", type: "i32", index: DEPTH_LOCAL } as const;
      f.assign(left.index, sub(load("i32.load", i32(0), CTL_BUDGET), i32(1)));
      f.storeAt(CTL_BUDGET, "i32.store", left);
      // Is one of both negative?
      const deeper = sub(i32(MAX_DEPTH), depth);
      f.expr(lt_s(calls ? or(left, deeper) : left, i32(0)));
      f.hint(false);
      f.if();
      f.expr(lt_s(left, i32(0)));
      f.if();
      f.call("poll");
      f.if();
      f.storeAt(CTL_EXIT, "i32.store", i32(Exit.Poll));
      f.i64(entry.pc);
      f.return();
      f.end();
      f.end();
      if (calls) {
        f.expr(lt_s(deeper, i32(0)));
        f.if();
        f.i64(entry.pc);
        f.return();
        f.end();
      }
      f.end();
    }
    this.#checkMode(this.g.entry.pc);
    if (this.env.shared) f.assign(this.#table, load("i32.load", i32(0), CTL_CELLS));
    this.locals.loadRegisters(need.r, need.high);
    this.locals.loadFlags(need.live, false);
    this.#node = this.g.entry;
    this.#index = 0;
    const group = this.#entryGroup;
    if (group && group.max > group.min) {
      const first = profiledStackAccess(this.g, this.#stack, (record, slot) => this.env.accessed(record, slot));
      const possible = first && need.r & gprBit(RSP);
      if (!possible || !this.memory.check(group, 0, first.step, first.slot, this.g.entry.pc)) this.#entryGroup = undefined;
    }
    this.locals.endStep([]);
    if (this.#entryGroup === undefined) this.#plans = planWithoutStack(this.g);
  }

  /**
   * Regions with floating-point arithmetic are for MXCSR's fast mode only (cpu/mxcsr.ts): they check it when they begin and whenever other
   * code has run, and leave for the interpreter at `pc`. Nothing may be dirty.
   */
  #checkMode(pc: number): void {
    if (!this.#arithmetic) return;
    this.env.checksMode(pc);
    const mode = and(load("i32.load", i32(0), STATE + MXCSR), i32(MODE_BITS));
    this.#exits.leave(ne(mode, i32(FAST_MODE)), pc, Exit.Side, CLEAN);
  }

  // ---- structure

  #emitNode(n: Node): void {
    if (n.loopHeader) this.#loops.set(n, this.f.loop());
    const merges = n.children.filter((c) => c.merge);
    this.#emitWithin(n, merges);
    if (n.loopHeader) this.f.end();
    const { operand, stack } = this.#plans[n.rpo];
    for (const p of operand) if (p && p.group !== this.#entryGroup) this.memory.forget(p.group);
    for (const p of stack) if (p && p.group !== this.#entryGroup) this.memory.forget(p.group);
  }
  #emitWithin(n: Node, merges: Node[]): void {
    const y = merges.pop();
    if (!y) return this.#emitBody(n);
    this.#merges.set(y, this.f.block());
    this.#emitWithin(n, merges);
    this.f.end();
    this.flags.note(false, 0);
    this.#emitNode(y);
  }
  /** On an edge back to `header`. */
  #emitPoll(header: Node): void {
    const { f } = this, poll = { kind: "local", type: "i32", index: this.#poll } as const;
    f.assign(this.#poll, sub(poll, i32(1)));
    f.expr(lt_s(poll, i32(0)));
    f.if();
    const left = this.locals.temp("i32");
    f.assign(left.index, sub(load("i32.load", i32(0), CTL_BUDGET), i32(1)));
    f.storeAt(CTL_BUDGET, "i32.store", left);
    this.#exits.leave(lt_s(left, i32(0)), header.pc, Exit.Poll, this.#dirty);
    f.assign(this.#poll, i32(POLL_EVERY));
    f.end();
  }
  #startNode(n: Node): void {
    this.#node = n;
    this.#index = 0;
    this.locals.forgetLows();
    const { dirty, zero } = this.#flow[n.rpo];
    this.#dirty = { r: dirty.r, high: dirty.high, zero };
  }

  #emitBody(n: Node): void {
    this.#startNode(n);
    const plan = this.#plans[n.rpo], fl = this.#flow[n.rpo];
    this.#ending = undefined;
    for (let i = 0; i < n.steps.length; i++) {
      this.#index = i;
      const step = n.steps[i], { semantic } = step.effects;
      this.#ending = undefined;
      if (!semantic) {
        this.#ending = { kind: "exit", reason: Exit.Side, pc: step.insn.pc };
        break;
      }
      semantic(new RegionSem(this, step, plan.operand[i], plan.stack[i]), step.insn);
      if (this.#ending) break;
      this.locals.endStep(this.flags.kept());
    }
    this.locals.flushLows();
    this.#finish(n, fl, this.#ending ?? { kind: "jump", target: { kind: "rel", target: n.next! }, to: undefined });
  }

  #finish(n: Node, fl: NodeFlow, ending: Ending): void {
    switch (ending.kind) {
      case "exit":
        this.#exits.leave(undefined, ending.pc, ending.reason, this.#dirty);
        this.locals.endStep([]);
        return;
      case "return":
        if (n.inlined) this.#returnInside(n, ending.to);
        else this.#return(ending.to);
        this.locals.endStep([]);
        return;
      case "jump":
        if (ending.to) this.#indirectJump(n, ending.to);
        else this.#goto(n, target(ending.target));
        this.locals.endStep([]);
        return;
      case "branch":
        return this.#branch(n, fl, ending.cond, target(ending.target));
      case "call":
        if (n.inlined) this.#goto(n, target(ending.target));
        else {
          this.#call(ending, fl);
          this.#goto(n, n.next!);
        }
        this.locals.endStep([]);
    }
  }

  #return(to: Expr): void {
    this.flags.note(true, ALL_GPRS);
    this.locals.storeRegisters(this.#dirty);
    this.f.expr(to);
    this.f.return();
  }
  /** Returns from a callee's copy: within the region, unless the return address has been changed. */
  #returnInside(n: Node, to: Expr): void {
    const [back] = n.targets, { f } = this, flags = this.flags.snapshot();
    f.expr(ne(to, i64(back)));
    f.hint(false);
    f.if();
    this.#return(to);
    f.end();
    this.flags.restore(flags);
    this.#goto(n, back);
  }

  #branch(n: Node, fl: NodeFlow, cond: Expr, to: number): void {
    const c = this.locals.temp("i32");
    this.f.assign(c.index, cond);
    this.#settleForSuccessors(n);
    this.locals.endStep([...this.flags.kept(), c]);
    this.locals.detach();
    const release = this.locals.hold(), flags = this.flags.snapshot();
    this.f.get(c.index);
    this.f.if();
    this.#goto(n, to);
    this.f.end();
    this.#startAfter(n, fl);
    this.flags.restore(flags);
    this.#goto(n, n.next!);
    release();
    this.flags.note(false, 0);
  }
  /** State at the end of `n` again, after other code has been emitted. */
  #startAfter(n: Node, fl: NodeFlow): void {
    this.#node = n;
    this.#index = n.steps.length - 1;
    const last = n.steps[this.#index].effects;
    const before = fl.dirtyBefore[this.#index];
    this.#dirty = {
      r: before.r | last.writes,
      high: before.high | last.highWrites,
      zero: (fl.zeroBefore[this.#index] & ~last.highWrites) | last.highZeros,
    };
  }

  /** Flags that a join or loop reads must be in their locals. */
  #settleForSuccessors(n: Node): void {
    let live = 0;
    for (const s of n.succ) if (s.merge || s.loopHeader || s.rpo <= n.rpo) live |= this.#flow[s.rpo].need.live;
    this.flags.settle(live);
  }

  /** Control goes from the end of `n` to `pc`: inside the region by structure, else out of it. */
  #goto(n: Node, pc: number): void {
    const s = n.succ.find((x) => x.pc === pc);
    if (!s) return this.#leaveFor(pc);
    const back = s.rpo <= n.rpo;
    if (back) this.#emitPoll(s);
    if (back || s.merge || s.loopHeader) {
      const { live, shown, clobbered } = this.#flow[s.rpo].need;
      this.flags.settle(live);
      this.flags.note(shown !== 0, clobbered);
    }
    if (back || s.merge) this.f.br(back ? this.#loops.get(s)! : this.#merges.get(s)!);
    else this.#emitNode(s);
  }
  #leaveFor(pc: number): void {
    if (this.env.isCold(pc)) this.env.opens(pc);
    const slot = this.env.slot(pc);
    this.#exits.jump(pc, slot === undefined ? this.#regionSlot(i64(pc)) : i32(slot), this.#dirty, this.env.clobberedAt(pc));
  }

  #indirectJump(n: Node, to: Expr): void {
    const { f } = this, local = this.locals.temp("i64");
    f.assign(local.index, to);
    this.#settleForSuccessors(n);
    this.locals.endStep([...this.flags.kept(), local]);
    this.locals.detach();
    const release = this.locals.hold(), flags = this.flags.snapshot(), { succ } = n;
    for (const s of succ) {
      f.expr(eq(local, i64(s.pc)));
      f.if();
      this.#goto(n, s.pc);
      f.end();
      this.#startAfter(n, this.#flow[n.rpo]);
      this.flags.restore(flags);
    }
    this.flags.note(true, ALL_GPRS);
    this.locals.storeRegisters(this.#dirty);
    this.#tailCall(local);
    release();
  }
  /** Table slot of the region at a computed address, from the jump cache; slot 0 (no_region) when it is not there. `to` is a local. */
  #regionSlot(to: Expr): Expr {
    const entry = this.locals.temp("i32");
    this.f.assign(entry.index, jumpEntry(to));
    const hit = and(
      eq(load("i64.load", entry, JUMP_CACHE), to),
      eq(load("i32.load", entry, JUMP_CACHE + 8), load("i32.load", i32(0), CTL_SPACE)),
    );
    return select(hit, load("i32.load", entry, JUMP_CACHE + 12), i32(0));
  }
  /** Jumps to a computed address: straight into its region when there is one. */
  #tailCall(to: Expr): void {
    const { f } = this;
    f.expr(to);
    f.get(DEPTH_LOCAL);
    f.expr(this.#regionSlot(to));
    f.returnCallIndirect(this.#regionType);
  }

  /** The return address has been pushed. Comes back here when the callee returns as it should, else unwinds. */
  #call(ending: Ending & { kind: "call" }, fl: NodeFlow): void {
    const { f } = this, node = this.#node, back = node.next!;
    this.flags.note(true, ending.to ? ALL_GPRS : this.env.clobberedAt(target(ending.target)));
    this.locals.storeRegisters(this.#dirty);
    const slot = this.locals.temp("i32"), to = ending.to ?? i64(target(ending.target));
    const known = ending.to ? undefined : this.env.slot(target(ending.target));
    // While the region runs it has not been dropped: the table would lead to it as well.
    const itself = known !== undefined && target(ending.target) === this.g.entry.pc;
    if (known === undefined) f.assign(slot.index, this.#regionSlot(to));
    f.expr(to);
    f.expr(add({ kind: "local", type: "i32", index: DEPTH_LOCAL }, i32(1)));
    if (itself) f.callSelf();
    else {
      if (known === undefined) f.get(slot.index);
      else f.i32(known);
      f.callIndirect(this.#regionType);
    }
    const result = this.locals.temp("i64"), rsp = this.locals.read(RSP);
    f.set(result.index);
    f.expr(or(ne(result, i64(back)), ne(load("i64.load", i32(0), STATE + GPR + 8 * RSP), add(rsp, i64(8)))));
    f.if();
    this.#resume(result, back, add(rsp, i64(8)));
    f.end();
    this.locals.write(RSP, add(rsp, i64(8)));
    this.#clean();
    this.#checkMode(back);
    const after = fl.after[node.steps.length - 1];
    this.locals.loadRegisters(after.r & ~gprBit(RSP), after.high);
    this.locals.loadFlags(after.live, false);
    this.#clean();
    this.locals.endStep([]);
  }

  /** The callee is elsewhere: lets the dispatcher bring it back, or unwinds. */
  #resume(at: Expr, back: number, rsp: Expr): void {
    const { f } = this;
    f.expr(at);
    f.i64(back);
    f.expr(rsp);
    f.get(DEPTH_LOCAL);
    f.call("resume");
    f.op(0x45);
    f.if();
    f.i64(UNWOUND);
    f.return();
    f.end();
  }

  // ---- RegionContext

  leave(cond?: Expr): void {
    this.#exits.leave(cond, this.#node.steps[this.#index].insn.pc, Exit.Side, this.#dirty);
  }
  writeBack(): void {
    this.flags.note(true, 0);
    this.locals.storeRegisters(this.#dirty);
    this.#clean();
  }
  reload(): void {
    const { insn } = this.#node.steps[this.#index];
    this.#checkMode(insn.pc + insn.length);
    const after = this.#flow[this.#node.rpo].after[this.#index];
    this.locals.loadRegisters(after.r, after.high);
    this.locals.loadFlags(after.live, true);
  }
  liveAfter(): number {
    return this.#flow[this.#node.rpo].after[this.#index].live;
  }
  noteFlags(): void {
    // An arm's flags join them in memory while registers are in locals.
    this.flags.note(this.#flow[this.#node.rpo].after[this.#index].shown !== 0, ALL_GPRS);
  }
  insnId(): number {
    return this.env.insnId(this.#node.steps[this.#index].insn);
  }
  markWritten(register: number): void {
    this.flags.written(register);
    this.#dirty.r |= 1 << register;
  }
  markHigh(register: number, zero: boolean): void {
    const bit = 1 << register;
    this.#dirty.high |= bit;
    this.#dirty.zero = zero ? this.#dirty.zero | bit : this.#dirty.zero & ~bit;
  }
  /** Everything has been written back; others may have put anything into the registers since. */
  #clean(): void {
    this.#dirty = { r: 0, high: 0, zero: 0 };
  }
  end(how: Ending): void {
    this.#ending = how;
  }
}

const target = (op: Operand): number => op.kind === "rel" ? op.target : NaN;

/**
 * May control go on in another region from here, without the dispatcher, and so at last come back to the region's entry? Not by direct jumps
 * that all lead to higher addresses; the dispatcher polls, and so does who calls.
 */
function mayComeBack(n: Node, entry: number): boolean {
  const last = n.steps.at(-1)?.insn;
  if (last?.name === "jmp" && last.ops[0].kind !== "rel") return true;
  const leaves = (pc: number | undefined) => pc !== undefined && pc <= entry && !n.succ.some((s) => s.pc === pc);
  return leaves(n.next) || n.targets.some(leaves);
}
