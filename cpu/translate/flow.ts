/** Dataflow over a region: which registers must be valid in locals, which may be dirty, which flags are live. */
import type { Insn } from "../insn.ts";
import type { Graph, Node } from "./cfg.ts";
import { effectsOf } from "./effects.ts";
import { ALL_FLAGS, FLAG_BIT } from "../flags.ts";
import { ALL_HIGH, type Effects } from "./regs.ts";

export const ALL_GPRS = 0xffff;

/** State at a point: register bits (GPR 0..15, XMM 16..31), upper YMM halves. */
export interface Bits {
  r: number;
  high: number;
}
export interface Need extends Bits {
  /** Flags that the region may read later. */
  live: number;
  /** Flags that somebody else may see later: exits come before they are defined anew. */
  shown: number;
  /** General registers that may be written before. */
  clobbered: number;
}

export interface NodeFlow {
  /** At entry: locals that may differ from the state block. */
  dirty: Bits;
  /** At entry: what locals must hold (read later before being overwritten, or may have to be stored), and what matters of the flags. */
  need: Need;
  /** The same after step i; `after[steps.length - 1]` is the state at the node's end. */
  after: Need[];
  /** Dirty before step i. */
  dirtyBefore: Bits[];
  /** Upper YMM halves that are certainly zero at entry, and before step i. */
  zero: number;
  zeroBefore: number[];
}

/** Does other code run between the end of the node and its successor? */
export const isCall = (n: Node): boolean =>
  n.inlined === undefined && n.steps.length > 0 && n.steps[n.steps.length - 1].insn.name === "call";

/** Flow of each node, by its position in reverse postorder. */
export function analyse(g: Graph): NodeFlow[] {
  const flow = g.nodes.map((n): NodeFlow => ({
    dirty: { r: 0, high: 0 },
    need: { r: 0, high: 0, live: 0, shown: 0, clobbered: 0 },
    after: n.steps.map(() => ({ r: 0, high: 0, live: 0, shown: 0, clobbered: 0 })),
    dirtyBefore: n.steps.map(() => ({ r: 0, high: 0 })),
    zero: n === g.entry ? 0 : ALL_HIGH,
    zeroBefore: n.steps.map(() => 0),
  }));
  zeros(g, flow);
  forward(g, flow);
  backward(g, flow);
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
      let { r, high } = dirty;
      for (let i = 0; i < steps.length; i++) {
        const e = steps[i].effects, before = dirtyBefore[i];
        before.r = r;
        before.high = high;
        if (e.helper) r = high = 0;
        r |= e.writes;
        high |= e.highWrites;
      }
      if (isCall(g.nodes[k])) r = high = 0;
      for (const s of succ) {
        const d = flow[s.rpo].dirty;
        if ((r & ~d.r) === 0 && (high & ~d.high) === 0) continue;
        d.r |= r;
        d.high |= high;
        // A later node comes in this pass anyway.
        if (s.rpo <= k) changed = true;
      }
    }
  }
}

/**
 * Needed registers and flags, backwards. At every exit the dirty registers must be valid; exits happen at accesses, at the region's open ends,
 * and at polls (on edges back to loop headers).
 */
function backward(g: Graph, flow: readonly NodeFlow[]): void {
  const { nodes } = g, open = nodes.map(isOpen), polls = nodes.map((n) => n.succ.some((s) => s.rpo <= n.rpo));
  for (let changed = true; changed;) {
    changed = false;
    for (let k = nodes.length - 1; k >= 0; k--) {
      const n = nodes[k], { steps, succ } = n, fl = flow[k], last = steps.length - 1;
      let r = 0, high = 0, live = 0, shown = open[k] || polls[k] ? ALL_FLAGS : 0, clobbered = open[k] ? ALL_GPRS : 0;
      for (const s of succ) {
        const { need } = flow[s.rpo];
        r |= need.r;
        high |= need.high;
        live |= need.live;
        shown |= need.shown;
        clobbered |= need.clobbered;
      }
      if (last >= 0) {
        const e = steps[last].effects, dirty = fl.dirtyBefore[last];
        put(fl.after[last], r, high, live, shown, clobbered);
        // After a call everything is reloaded.
        if (isCall(n)) {
          r = high = live = 0;
          shown = ALL_FLAGS;
          clobbered = ALL_GPRS;
        }
        r |= dirty.r & ~e.defs;
        high |= dirty.high & ~e.highDefs;
      }
      for (let i = last; i >= 0; i--) {
        const e = steps[i].effects, dirty = fl.dirtyBefore[i];
        if (i < last) put(fl.after[i], r, high, live, shown, clobbered);
        if (e.helper) {
          // What the semantics read themselves before the helper runs, too.
          r = dirty.r | e.uses;
          high = dirty.high | e.highUses;
          live = e.flagUses;
          shown = ALL_FLAGS;
          clobbered = 0;
          continue;
        }
        r = (r & ~e.defs) | e.uses;
        high = (high & ~e.highDefs) | e.highUses;
        live = (live & ~e.flagDefs) | e.flagUses;
        shown &= ~e.flagDefs;
        clobbered = shown === 0 ? 0 : settlesInPlace(e) ? ALL_GPRS : clobbered | (e.writes & ALL_GPRS);
        // It may leave before it has changed anything.
        if (e.leaves) {
          r |= dirty.r;
          high |= dirty.high;
          shown = ALL_FLAGS;
        }
      }
      if (n.loopHeader) {
        r |= fl.dirty.r;
        high |= fl.dirty.high;
      }
      const { need } = fl;
      if (r === need.r && high === need.high && live === need.live && shown === need.shown && clobbered === need.clobbered) {
        continue;
      }
      put(need, r, high, live, shown, clobbered);
      for (const p of n.pred) if (p.rpo >= k) changed = true;
    }
  }
}
function put(to: Need, r: number, high: number, live: number, shown: number, clobbered: number): void {
  to.r = r;
  to.high = high;
  to.live = live;
  to.shown = shown;
  to.clobbered = clobbered;
}
/** Flags of which only some are defined join older ones in the middle of the region (flag_record.ts, `merge_flags`). */
const settlesInPlace = (e: Effects): boolean =>
  e.flagsSometimes || (e.flagDefs !== 0 && e.flagDefs !== ALL_FLAGS && e.flagDefs !== (ALL_FLAGS & ~FLAG_BIT.c));

/** Does control leave the region from the end of `n`, or may it? */
function isOpen(n: Node): boolean {
  const ways = n.targets.length + (n.next === undefined ? 0 : 1), last = n.steps.at(-1)?.insn;
  if (!last || ways === 0 || n.succ.length < ways || n.inlined === "return") return true;
  return last.name === "jmp" && last.ops[0]?.kind !== "rel";
}

/** General registers that straight code may write before it has defined all flags, or shows them; all if that is not certain. */
export function clobberedBy(insns: readonly Insn[]): number {
  let clobbered = 0;
  for (const i of insns) {
    const e = effectsOf(i);
    if (e.helper || e.flagDefs === ALL_FLAGS || !e.semantic) return clobbered;
    if (settlesInPlace(e)) break;
    clobbered |= e.writes & ALL_GPRS;
  }
  return ALL_GPRS;
}
