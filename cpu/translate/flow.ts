/** Dataflow over a region: which registers must be valid in locals, which may be dirty, which flags are live. */
import type { Graph, Node } from "./cfg.ts";
import { ALL_FLAGS, ALL_HIGH } from "./regs.ts";

/** State at a point: register bits (GPR 0..15, XMM 16..31), upper YMM halves, and flag bits. */
export interface Bits {
  r: number;
  high: number;
  f: number;
}
export interface Need extends Bits {
  /** Flags that may be read later, in the region or after an exit: their definitions must not be dropped. */
  live: number;
}

export interface NodeFlow {
  /** At entry: locals that may differ from the state block. */
  dirty: Bits;
  /** At entry: what locals must hold (read later before being overwritten, or may have to be stored). */
  need: Need;
  /** The same after step i; `after[steps.length - 1]` is the state at the node's end. */
  after: Need[];
  /** Dirty before step i. */
  dirtyBefore: Bits[];
  /** Upper YMM halves that are certainly zero at entry, and before step i. */
  zero: number;
  zeroBefore: number[];
}

/** Flags that code at an address outside the region may read; ALL_FLAGS when unknown. */
export type FlagsNeededAt = (pc: number) => number;

/** Does other code run between the end of the node and its successor? */
export const isCall = (n: Node): boolean =>
  n.inlined === undefined && n.steps.length > 0 && n.steps[n.steps.length - 1].insn.name === "call";

/**
 * Flow of each node, by its position in reverse postorder.
 * @param strict flags may be passed through calls, returns and computed jumps
 */
export function analyse(g: Graph, flagsNeededAt: FlagsNeededAt, strict: boolean): NodeFlow[] {
  const flow = g.nodes.map((n): NodeFlow => ({
    dirty: { r: 0, high: 0, f: 0 },
    need: { r: 0, high: 0, f: 0, live: 0 },
    after: n.steps.map(() => ({ r: 0, high: 0, f: 0, live: 0 })),
    dirtyBefore: n.steps.map(() => ({ r: 0, high: 0, f: 0 })),
    zero: n === g.entry ? 0 : ALL_HIGH,
    zeroBefore: n.steps.map(() => 0),
  }));
  zeros(g, flow);
  forward(g, flow);
  backward(g, flow, flagsNeededAt, strict);
  return flow;
}

/** Upper halves that are zero on every way to a point, forwards. Calls and helpers may leave anything. */
function zeros(g: Graph, flow: readonly NodeFlow[]): void {
  for (let changed = true; changed;) {
    changed = false;
    for (let k = 0; k < g.nodes.length; k++) {
      const { steps, succ } = g.nodes[k], { zeroBefore } = flow[k];
      let { zero } = flow[k];
      for (let i = 0; i < steps.length; i++) {
        const e = steps[i].effects;
        zeroBefore[i] = zero;
        zero = e.helper ? 0 : (zero & ~e.highWrites) | e.highZeros;
      }
      if (isCall(g.nodes[k])) zero = 0;
      for (const s of succ) {
        const to = flow[s.rpo];
        if ((to.zero & ~zero) === 0) continue;
        to.zero &= zero;
        changed = true;
      }
    }
  }
}

/** May-dirty, forwards. A call and a helper write everything back. */
function forward(g: Graph, flow: readonly NodeFlow[]): void {
  for (let changed = true; changed;) {
    changed = false;
    for (let k = 0; k < g.nodes.length; k++) {
      const { steps, succ } = g.nodes[k], { dirty, dirtyBefore } = flow[k];
      let { r, high, f } = dirty;
      for (let i = 0; i < steps.length; i++) {
        const e = steps[i].effects, before = dirtyBefore[i];
        before.r = r;
        before.high = high;
        before.f = f;
        if (e.helper) r = high = f = 0;
        r |= e.writes;
        high |= e.highWrites;
        f |= e.flagWrites;
      }
      if (isCall(g.nodes[k])) r = high = f = 0;
      for (const s of succ) {
        const d = flow[s.rpo].dirty;
        if ((r & ~d.r) === 0 && (high & ~d.high) === 0 && (f & ~d.f) === 0) continue;
        d.r |= r;
        d.high |= high;
        d.f |= f;
        // A later node comes in this pass anyway.
        if (s.rpo <= k) changed = true;
      }
    }
  }
}

/**
 * Needed registers and live flags, backwards. At every exit the dirty registers must be valid; exits happen at accesses, at the
 * region's open ends, and at polls (loop headers).
 */
function backward(g: Graph, flow: readonly NodeFlow[], flagsNeededAt: FlagsNeededAt, strict: boolean): void {
  const { nodes } = g, open = nodes.map((n) => openFlags(n, flagsNeededAt, strict));
  for (let changed = true; changed;) {
    changed = false;
    for (let k = nodes.length - 1; k >= 0; k--) {
      const n = nodes[k], { steps, succ } = n, fl = flow[k], last = steps.length - 1;
      let r = 0, high = 0, f = 0, live = open[k];
      for (const s of succ) {
        const { need } = flow[s.rpo];
        r |= need.r;
        high |= need.high;
        f |= need.f;
        live |= need.live;
      }
      if (last >= 0) {
        const e = steps[last].effects, dirty = fl.dirtyBefore[last];
        f |= (dirty.f | e.flagWrites) & open[k];
        put(fl.after[last], r, high, f, live);
        // After a call everything is reloaded; unless strict, the callee is expected to define flags before it reads them.
        if (isCall(n)) {
          r = high = 0;
          f = strict ? dirty.f : 0;
          live = strict ? ALL_FLAGS : 0;
        }
        r |= dirty.r & ~e.defs;
        high |= dirty.high & ~e.highDefs;
      }
      for (let i = last; i >= 0; i--) {
        const e = steps[i].effects, dirty = fl.dirtyBefore[i];
        if (i < last) put(fl.after[i], r, high, f, live);
        if (e.helper) {
          // What the semantics read themselves before the helper runs, too.
          r = dirty.r | e.uses;
          high = dirty.high | e.highUses;
          f = dirty.f | e.flagUses;
          live = ALL_FLAGS;
          continue;
        }
        r = (r & ~e.defs) | e.uses;
        high = (high & ~e.highDefs) | e.highUses;
        f = (f & ~e.flagDefs) | e.flagUses;
        live = (live & ~e.flagDefs) | e.flagUses;
        // It may leave before it has changed anything.
        if (e.leaves) {
          r |= dirty.r;
          high |= dirty.high;
          f |= dirty.f & live;
        }
      }
      if (n.loopHeader) {
        r |= fl.dirty.r;
        high |= fl.dirty.high;
        f |= fl.dirty.f & live;
      }
      const { need } = fl;
      if (r === need.r && high === need.high && f === need.f && live === need.live) continue;
      put(need, r, high, f, live);
      for (const p of n.pred) if (p.rpo >= k) changed = true;
    }
  }
}
function put(to: Need, r: number, high: number, f: number, live: number): void {
  to.r = r;
  to.high = high;
  to.f = f;
  to.live = live;
}

/** Flags live where control leaves the region from the end of `n`. */
function openFlags(n: Node, flagsNeededAt: FlagsNeededAt, strict: boolean): number {
  const last = n.steps.at(-1)?.insn;
  // A fault or trap shows the flags to its handler.
  if (!last || (n.next === undefined && n.targets.length === 0 && last.name !== "ret" && last.name !== "jmp")) return ALL_FLAGS;
  let f = strict && (last.name === "ret" || last.name === "jmp") && n.next === undefined && last.ops[0]?.kind !== "rel"
    ? ALL_FLAGS
    : 0;
  if (n.next !== undefined && !leadsTo(n, n.next)) f |= flagsNeededAt(n.next);
  for (const pc of n.targets) if (!leadsTo(n, pc)) f |= flagsNeededAt(pc);
  return f;
}
const leadsTo = (n: Node, pc: number): boolean => n.succ.some((s) => s.pc === pc);
