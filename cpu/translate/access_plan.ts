/**
 * Which memory accesses of a node share one extent check: those through the same base and index values, whose displacements lie close
 * together. The stack pointer is followed through constant changes.
 */
import { type Control, controlOf } from "../control.ts";
import type { MemOperand } from "../insn.ts";
import type { Node } from "./cfg.ts";

export const RSP = 4;
/** Displacements of one group span at most this many bytes. */
const MAX_SPAN = 0x8000;

export interface Group {
  base: number;
  index: number;
  scale: number;
  /** Hull of all accesses: bytes from `min` (inclusive) to `max` (exclusive), relative to the origin: the base's value (of RSP: at the node's or region's entry). */
  min: number;
  max: number;
  /** Filled in when the check has been emitted: wasm local (i32) with the offset of `min` within the extent, and the extent's address. */
  local: number | undefined;
  pa: number;
  writable: boolean;
  /** Some access of the group may write. */
  write: boolean;
  accesses: number;
  /** The group through the same values in a node before, on the only way to this one. */
  readonly before: Group | undefined;
  /** It is `before` of another one. */
  continued: boolean;
  /** Wasm local (i32) while the node and those that it dominates are emitted: address of `min` if the TLB knew its page at once, else -1. */
  known: number | undefined;
}
/** An access of a group. */
export interface Planned {
  group: Group;
  /** Displacement relative to the group's origin. */
  disp: number;
  /** Base register minus the group's origin at this access (RSP moves by known amounts; 0 for other bases). */
  moved: number;
}

export interface NodePlan {
  /** Memory operand of step i. */
  operand: (Planned | undefined)[];
  /** Implicit stack access of step i. */
  stack: (Planned | undefined)[];
  /** Groups that the node's successors may refer to. */
  open: readonly Reachable[];
}
/** A group, and the registers whose values it is for. */
export interface Reachable {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly group: Group;
}

/** A group that later accesses of the node may join, and which values of its registers it is for. */
interface Open {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  baseVersion: number;
  indexVersion: number;
  /** Relative to RSP, which is followed: not one that merely has RSP as its base. */
  readonly stack: boolean;
  group: Group;
}

/**
 * @param stackBase group for stack accesses when RSP at the node's entry is known relative to the region's entry, with that distance
 * @param before what is open at the end of the only predecessor
 */
export function planNode(
  n: Node,
  stackBase: { group: Group; delta: number } | undefined,
  before: readonly Reachable[],
): NodePlan {
  return new Planner(stackBase, before).plan(n);
}
/** Plans of all nodes, which are in reverse postorder; `stackBase` by that position. */
export function planNodes(
  nodes: readonly Node[],
  stackBase: (k: number) => { group: Group; delta: number } | undefined,
): NodePlan[] {
  const plans: NodePlan[] = [], writes = nodes.map(writesOf);
  for (const n of nodes) {
    plans.push(planNode(n, stackBase(n.rpo), n.idom && n.idom !== n ? reaching(n, n.idom, plans, writes) : NOTHING));
  }
  return plans;
}
const NOTHING: readonly Reachable[] = [];
/** What is open at the end of the dominator and stays so on all ways to `n`. */
function reaching(n: Node, from: Node, plans: readonly NodePlan[], writes: readonly number[]): readonly Reachable[] {
  const { open } = plans[from.rpo];
  if (open.length === 0 || !goesOn(from)) return NOTHING;
  let written = 0;
  if (n.pred.length > 1) {
    const seen = new Set<Node>([from]), todo = [n];
    for (let m = todo.pop(); m && written !== ALL; m = todo.pop()) {
      for (const p of m.pred) {
        if (seen.has(p)) continue;
        seen.add(p);
        written |= writes[p.rpo];
        todo.push(p);
      }
    }
  }
  return written === 0 ? open : open.filter(({ base, index }) => !isIn(written, base) && !isIn(written, index));
}
const ALL = 0xffff;
const isIn = (registers: number, n: number): boolean => n >= 0 && (registers >> n & 1) !== 0;
/** General registers that a node may write; all if other code runs in it or behind it. */
function writesOf(n: Node): number {
  if (!goesOn(n)) return ALL;
  let all = 0;
  for (const { effects: e } of n.steps) all |= e.helper ? ALL : e.writes & ALL;
  return all;
}
/** Nothing else runs between the end of `n` and its successors. */
function goesOn(n: Node): boolean {
  const last = n.steps.at(-1);
  return last !== undefined && !last.effects.helper && (n.inlined !== undefined || !ENDS.has(controlOf(last.insn.name)));
}
const ENDS: ReadonlySet<Control> = new Set<Control>(["call", "return", "trap"]);

const sameValues = (a: Omit<Reachable, "group">, b: Omit<Reachable, "group">): boolean =>
  a.base === b.base && a.index === b.index && a.scale === b.scale;

class Planner {
  readonly #open: Open[] = [];
  /** How often each register has changed. A plain array: the engine makes typed ones slowly. */
  readonly #version = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  /** RSP relative to the region's entry, or to the last point where it changed in an unknown way. */
  #rsp: number;
  #stack: Group | undefined;

  constructor(stackBase: { group: Group; delta: number } | undefined, private readonly before: readonly Reachable[]) {
    this.#rsp = stackBase?.delta ?? 0;
    this.#stack = stackBase?.group;
  }

  plan({ steps }: Node): NodePlan {
    const version = this.#version;
    const plan: NodePlan = { operand: [], stack: [], open: [] };
    for (let i = 0; i < steps.length; i++) {
      const { insn, effects: e } = steps[i], operand = e.operandAt < 0 ? undefined : insn.ops[e.operandAt];
      plan.stack.push(e.stackBytes > 0 ? this.#onStack(this.#rsp + e.stackAt, e.stackBytes) : undefined);
      plan.operand.push(operand?.kind === "mem" ? this.#operand(operand, e.writesOperand) : undefined);
      if (e.helper || Number.isNaN(e.moves)) {
        this.#stack = undefined;
        this.#rsp = 0;
        version[RSP]++;
      } else this.#rsp += e.moves;
      for (let rest = (e.helper ? 0xffff : e.writes & 0xffff) & ~(1 << RSP); rest !== 0; rest &= rest - 1) {
        version[31 - Math.clz32(rest & -rest)]++;
      }
    }
    return { ...plan, open: this.#reachable() };
  }

  #reachable(): Reachable[] {
    const out: Reachable[] = [];
    for (const o of this.#open) {
      if (o.stack || o.base === RSP || this.#now(o.base) !== o.baseVersion || this.#now(o.index) !== o.indexVersion) continue;
      out.push({ base: o.base, index: o.index, scale: o.scale, group: o.group });
    }
    for (const o of this.before) {
      if (this.#now(o.base) === 0 && this.#now(o.index) === 0 && !out.some((own) => sameValues(own, o))) out.push(o);
    }
    return out;
  }
  #now(register: number): number {
    return register < 0 ? 0 : this.#version[register];
  }

  #operand(m: MemOperand, write: boolean): Planned | undefined {
    if (m.seg || m.addressSize === 4 || (m.base < 0 && m.index < 0)) return undefined;
    if (m.disp > 0x7fff_ffffn || m.disp < -0x8000_0000n) return undefined;
    const disp = Number(m.disp);
    if (m.base === RSP && m.index < 0) return this.#onStack(this.#rsp + disp, m.size);
    // A base of RSP is followed too, so that its version does not change by pushes.
    const extra = m.base === RSP ? this.#rsp : 0;
    return this.#join(m.base, m.index, m.index < 0 ? 0 : m.scale, false, disp + extra, m.size, write, extra);
  }
  #onStack(disp: number, bytes: number): Planned {
    const group = this.#stack;
    if (!group) return this.#join(RSP, -1, 0, true, disp, bytes, true, this.#rsp);
    group.min = Math.min(group.min, disp);
    group.max = Math.max(group.max, disp + bytes);
    group.accesses++;
    return { group, disp, moved: this.#rsp };
  }
  #join(
    base: number,
    index: number,
    scale: number,
    stack: boolean,
    disp: number,
    bytes: number,
    write: boolean,
    moved: number,
  ): Planned {
    const baseVersion = this.#now(base), indexVersion = this.#now(index);
    let open: Open | undefined;
    for (const o of this.#open) {
      if (o.base === base && o.index === index && o.scale === scale && o.stack === stack) {
        open = o;
        break;
      }
    }
    if (open && open.baseVersion === baseVersion && open.indexVersion === indexVersion) {
      const { group } = open;
      if (Math.max(group.max, disp + bytes) - Math.min(group.min, disp) <= MAX_SPAN) {
        group.min = Math.min(group.min, disp);
        group.max = Math.max(group.max, disp + bytes);
        group.write ||= write;
        group.accesses++;
        return { group, disp, moved };
      }
    }
    const values = { base, index, scale }, first = baseVersion === 0 && indexVersion === 0 && !stack && base !== RSP;
    const before = first ? this.before.find((o) => sameValues(o, values))?.group : undefined;
    if (before) before.continued = true;
    const group: Group = {
      base,
      index,
      scale,
      min: disp,
      max: disp + bytes,
      local: undefined,
      pa: 0,
      writable: false,
      write,
      accesses: 1,
      before,
      continued: false,
      known: undefined,
    };
    if (open) {
      open.baseVersion = baseVersion;
      open.indexVersion = indexVersion;
      open.group = group;
    } else this.#open.push({ base, index, scale, baseVersion, indexVersion, stack, group });
    return { group, disp, moved };
  }
}
