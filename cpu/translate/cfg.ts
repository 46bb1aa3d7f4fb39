/**
 * The control-flow graph of a region: what can be reached from an entry address without leaving the guest function, limited to code that the
 * interpreter has already executed. Anything else is an exit.
 */
import { controlOf } from "../control.ts";
import type { Insn } from "../insn.ts";
import type { Block, Blocks } from "../interp/blocks.ts";
import { REC_TARGETS, RECORD, TARGET_SLOTS } from "../interp/record.ts";
import type { Ram } from "../api.ts";
import { effectsOf } from "./effects.ts";
import type { Effects } from "./regs.ts";

export interface Step {
  readonly insn: Insn;
  /** The interpreter's record, for its profile. */
  readonly record: number;
  readonly effects: Effects;
}

/** A basic block of the region. */
export interface Node {
  readonly pc: number;
  steps: Step[];
  /** Address of the fall-through successor, when control can get there (also the return address of a call). */
  next: number | undefined;
  /** Addresses of taken branches and of likely targets of an indirect jump. */
  targets: number[];
  /** Successor nodes within the region (fall-through first). */
  succ: Node[];
  pred: Node[];
  // ---- filled in by `order`
  /** Position in reverse postorder. */
  rpo: number;
  idom: Node | undefined;
  /** Nodes whose immediate dominator this is. */
  children: Node[];
  /** Target of a back edge. */
  loopHeader: boolean;
  /** Target of several other edges. */
  merge: boolean;
}

export interface Graph {
  readonly entry: Node;
  /** In reverse postorder. */
  readonly nodes: Node[];
  readonly insns: number;
}

/** Blocks that have run less often are left out: exits. */
const WARM = 12;
/** Computed jumps with more targets seen end the region. */
const MAX_TARGETS = 5;

/** The decoded block at an address, if the region may contain it. */
export type FindBlock = (pc: number) => Block | undefined;

/** A node's decoded block, and where the block leads. */
interface Leader extends Successors {
  readonly pc: number;
  readonly block: Block;
}

/** @param limit roughly the most instructions; what lies beyond is left out */
export function buildGraph(ram: Ram, blocks: Blocks, find: FindBlock, entry: number, limit: number): Graph | undefined {
  const leaders = discover(ram, blocks, find, entry, limit), ascending = [...leaders.values()].sort((a, b) => a.pc - b.pc);
  // By distances from the entry: they are small integers, which maps find faster than addresses.
  const nodes = new Map<number, Node>();
  for (let k = 0; k < ascending.length; k++) nodes.set(ascending[k].pc - entry, makeNode(ascending, k));
  const root = nodes.get(0);
  if (!root) return undefined;
  for (const { succ, next, targets } of nodes.values()) {
    if (next !== undefined) addSuccessor(succ, nodes.get(next - entry));
    for (const pc of targets) addSuccessor(succ, nodes.get(pc - entry));
  }
  const ordered = order(root);
  let insns = 0;
  for (const n of ordered) insns += n.steps.length;
  return { entry: root, nodes: ordered, insns };
}
function addSuccessor(succ: Node[], n: Node | undefined): void {
  if (n && !succ.includes(n)) succ.push(n);
}

/** The region's nodes, by distance from the entry. */
function discover(ram: Ram, blocks: Blocks, find: FindBlock, entry: number, limit: number): Map<number, Leader> {
  const leaders = new Map<number, Leader>(), warm = Math.min(WARM, blocks.heat / 4);
  const work = [entry];
  let insns = 0;
  for (let k = 0; k < work.length; k++) {
    const pc = work[k];
    if (leaders.has(pc - entry)) continue;
    const block = find(pc);
    if (!block || block.insns.length === 0) continue;
    if (pc !== entry && blocks.executions(block) < warm) continue;
    if (insns > limit) continue;
    const count = block.insns.length, { next, targets } = successors(ram, block.insns[count - 1], block.record + count * RECORD);
    leaders.set(pc - entry, { pc, block, next, targets });
    insns += count;
    if (next !== undefined) work.push(next);
    for (const target of targets) work.push(target);
  }
  return leaders;
}

/** The node of the k-th leader: its block, or as much of it as comes before another leader. */
function makeNode(leaders: readonly Leader[], k: number): Node {
  const { pc, block, next, targets } = leaders[k], steps: Step[] = [], { insns } = block;
  let cut: number | undefined;
  for (let n = 0, record = block.record; n < insns.length; n++) {
    const insn = insns[n];
    while (n > 0 && k < leaders.length && leaders[k].pc < insn.pc) k++;
    if (n > 0 && k < leaders.length && leaders[k].pc === insn.pc) {
      cut = insn.pc;
      break;
    }
    steps.push({ insn, record: record += RECORD, effects: effectsOf(insn) });
  }
  return {
    pc,
    steps,
    next: cut ?? next,
    targets: cut === undefined ? targets : [],
    succ: [],
    pred: [],
    rpo: -1,
    idom: undefined,
    children: [],
    loopHeader: false,
    merge: false,
  };
}

interface Successors {
  readonly next: number | undefined;
  readonly targets: number[];
}
function successors(ram: Ram, last: Insn, record: number): Successors {
  const after = last.pc + last.length, to = last.ops[0];
  switch (controlOf(last.name)) {
    case "next":
      return { next: last.row.fault ? undefined : after, targets: [] };
    case "call":
      return { next: after, targets: [] };
    case "branch":
      return { next: after, targets: to.kind === "rel" ? [to.target] : [] };
    case "jump":
      return { next: undefined, targets: to.kind === "rel" ? [to.target] : seenTargets(ram, last, record) };
    default:
      return { next: last.name === "syscall" ? after : undefined, targets: [] };
  }
}

/** Targets of an indirect jump that the interpreter has seen, near the jump (the same function, most likely). */
function seenTargets(ram: Ram, jump: Insn, record: number): number[] {
  const out: number[] = [];
  const high = Math.floor(jump.pc / 0x1_0000_0000) * 0x1_0000_0000;
  for (let n = 0; n < TARGET_SLOTS; n++) {
    const low = ram.u32[(record + REC_TARGETS + 4 * n) >> 2];
    if (low !== 0 && Math.abs(high + low - jump.pc) < 0x4000) out.push(high + low);
  }
  // A dispatcher (an interpreter's loop, for example): its targets are better regions of their own.
  return out.length > MAX_TARGETS ? [] : out;
}

/**
 * Numbers the nodes in reverse postorder and computes immediate dominators (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm).
 * Edges that enter a loop beside its header are cut (the successor is then outside the region for that edge), so the graph is reducible.
 */
function order(root: Node): Node[] {
  for (;;) {
    const list = postorder(root).reverse();
    for (let k = 0; k < list.length; k++) {
      const n = list[k];
      n.rpo = k;
      n.pred = [];
      n.idom = undefined;
    }
    for (const n of list) for (const s of n.succ) s.pred.push(n);
    dominators(root, list);
    let cut = false;
    for (const n of list) {
      if (n.succ.every((s) => s.rpo > n.rpo || dominates(s, n))) continue;
      n.succ = n.succ.filter((s) => s.rpo > n.rpo || dominates(s, n));
      cut = true;
    }
    if (cut) continue;
    for (const n of list) {
      if (n.idom && n !== root) n.idom.children.push(n);
      let forward = 0;
      for (const p of n.pred) if (p.rpo < n.rpo) forward++;
      n.merge = forward > 1;
      n.loopHeader = forward < n.pred.length;
    }
    return list;
  }
}

function postorder(root: Node): Node[] {
  const out: Node[] = [], seen = new Set<Node>([root]);
  const stack: { n: Node; next: number }[] = [{ n: root, next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const s = top.n.succ[top.next++];
    if (s === undefined) {
      out.push(top.n);
      stack.pop();
    } else if (!seen.has(s)) {
      seen.add(s);
      stack.push({ n: s, next: 0 });
    }
  }
  return out;
}

function dominators(root: Node, list: Node[]): void {
  root.idom = root;
  for (let changed = true; changed;) {
    changed = false;
    for (const n of list) {
      if (n === root) continue;
      let dom: Node | undefined;
      for (const p of n.pred) {
        if (!p.idom) continue;
        dom = dom ? intersect(p, dom) : p;
      }
      if (n.idom !== dom) {
        n.idom = dom;
        changed = true;
      }
    }
  }
}
function intersect(a: Node, b: Node): Node {
  while (a !== b) {
    while (a.rpo > b.rpo) a = a.idom!;
    while (b.rpo > a.rpo) b = b.idom!;
  }
  return a;
}
export function dominates(a: Node, b: Node): boolean {
  for (let n = b;; n = n.idom!) {
    if (n === a) return true;
    if (n.idom === n || !n.idom) return false;
  }
}
