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

/** Can step i of a node leave the region before it has changed anything (memory access, exception)? */
export type MayLeave = (n: Node, i: number) => boolean;

export const isCall = (n: Node): boolean => n.steps.at(-1)?.insn.name === "call";

/** @param strict flags may be passed through calls, returns and computed jumps */
export function analyse(g: Graph, flagsNeededAt: FlagsNeededAt, memoryExit: MayLeave, strict: boolean): Map<Node, NodeFlow> {
  const flow = new Map<Node, NodeFlow>();
  for (const n of g.nodes) {
    const dirty = { r: 0, high: 0, f: 0 }, need = { ...dirty, live: 0 };
    flow.set(n, { dirty, need, after: [], dirtyBefore: [], zero: n === g.entry ? 0 : ALL_HIGH, zeroBefore: [] });
  }
  zeros(g, flow);
  forward(g, flow);
  backward(g, flow, flagsNeededAt, memoryExit, strict);
  return flow;
}

/** Upper halves that are zero on every way to a point, forwards. Calls and helpers may leave anything. */
function zeros(g: Graph, flow: Map<Node, NodeFlow>): void {
  for (let changed = true; changed;) {
    changed = false;
    for (const n of g.nodes) {
      const fl = flow.get(n)!;
      let { zero } = fl;
      n.steps.forEach(({ effects: e }, i) => {
        fl.zeroBefore[i] = zero;
        zero = e.helper ? 0 : (zero & ~e.highWrites) | e.highZeros;
      });
      if (isCall(n)) zero = 0;
      for (const s of n.succ) {
        const to = flow.get(s)!;
        if ((to.zero & ~zero) === 0) continue;
        to.zero &= zero;
        changed = true;
      }
    }
  }
}

/** May-dirty, forwards. A call and a helper write everything back. */
function forward(g: Graph, flow: Map<Node, NodeFlow>): void {
  const work = [...g.nodes];
  while (work.length > 0) {
    const n = work.shift()!, fl = flow.get(n)!;
    let { r, high, f } = fl.dirty;
    for (let i = 0; i < n.steps.length; i++) {
      const e = n.steps[i].effects;
      fl.dirtyBefore[i] = { r, high, f };
      if (e.helper) r = high = f = 0;
      r |= e.writes;
      high |= e.highWrites;
      f |= e.flagWrites;
    }
    if (isCall(n)) r = high = f = 0;
    for (const s of n.succ) {
      const d = flow.get(s)!.dirty;
      if ((r & ~d.r) === 0 && (high & ~d.high) === 0 && (f & ~d.f) === 0) continue;
      d.r |= r;
      d.high |= high;
      d.f |= f;
      if (!work.includes(s)) work.push(s);
    }
  }
}

/**
 * Needed registers and live flags, backwards. At every exit the dirty registers must be valid; exits happen at accesses, at the
 * region's open ends, and at polls (loop headers).
 */
function backward(
  g: Graph,
  flow: Map<Node, NodeFlow>,
  flagsNeededAt: FlagsNeededAt,
  memoryExit: MayLeave,
  strict: boolean,
): void {
  const open = new Map<Node, number>();
  for (const n of g.nodes) open.set(n, openFlags(n, flagsNeededAt, strict));
  for (let changed = true; changed;) {
    changed = false;
    for (let k = g.nodes.length - 1; k >= 0; k--) {
      const n = g.nodes[k], fl = flow.get(n)!, last = n.steps.length - 1;
      let r = 0, high = 0, f = 0, live = open.get(n)!;
      for (const s of n.succ) {
        const need = flow.get(s)!.need;
        r |= need.r;
        high |= need.high;
        f |= need.f;
        live |= need.live;
      }
      if (last >= 0) {
        const e = n.steps[last].effects, dirty = fl.dirtyBefore[last];
        f |= (dirty.f | e.flagWrites) & open.get(n)!;
        fl.after[last] = { r, high, f, live };
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
        const e = n.steps[i].effects, dirty = fl.dirtyBefore[i];
        if (i < last) fl.after[i] = { r, high, f, live };
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
        if (memoryExit(n, i)) {
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
      if (r !== need.r || high !== need.high || f !== need.f || live !== need.live) {
        fl.need = { r, high, f, live };
        changed = true;
      }
    }
  }
}

/** Flags live where control leaves the region from the end of `n`. */
function openFlags(n: Node, flagsNeededAt: FlagsNeededAt, strict: boolean): number {
  const last = n.steps.at(-1)?.insn;
  // A fault or trap shows the flags to its handler.
  if (!last || (n.next === undefined && n.targets.length === 0 && last.name !== "ret" && last.name !== "jmp")) return ALL_FLAGS;
  let f = strict && (last.name === "ret" || last.name === "jmp") && n.next === undefined && last.ops[0]?.kind !== "rel"
    ? ALL_FLAGS
    : 0;
  const inside = new Set(n.succ.map((s) => s.pc));
  for (const pc of [n.next, ...n.targets]) if (pc !== undefined && !inside.has(pc)) f |= flagsNeededAt(pc);
  return f;
}
