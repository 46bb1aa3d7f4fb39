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

/** @param limit roughly the most instructions; what lies beyond is left out */
export function buildGraph(ram: Ram, blocks: Blocks, find: FindBlock, entry: number, limit: number): Graph | undefined {
  const leaders = discover(ram, blocks, find, entry, limit);
  if (!leaders) return undefined;
  const nodes = new Map<number, Node>();
  for (const [pc, block] of leaders) nodes.set(pc, makeNode(ram, pc, block, leaders));
  for (const n of nodes.values()) {
    const seen = new Set<Node>();
    for (const pc of [n.next, ...n.targets]) {
      const s = pc === undefined ? undefined : nodes.get(pc);
      if (!s || seen.has(s)) continue;
      seen.add(s);
      n.succ.push(s);
    }
  }
  const root = nodes.get(entry)!;
  const ordered = order(root);
  return { entry: root, nodes: ordered, insns: ordered.reduce((sum, n) => sum + n.steps.length, 0) };
}

/** Start addresses of the region's nodes, with the decoded block at each. */
function discover(ram: Ram, blocks: Blocks, find: FindBlock, entry: number, limit: number): Map<number, Block> | undefined {
  const leaders = new Map<number, Block>();
  const work = [entry];
  let insns = 0;
  while (work.length > 0) {
    const pc = work.shift()!;
    if (leaders.has(pc)) continue;
    const block = find(pc);
    if (!block || block.insns.length === 0) continue;
    if (pc !== entry && blocks.executions(block) < Math.min(WARM, blocks.heat / 4)) continue;
    if (insns > limit) continue;
    leaders.set(pc, block);
    insns += block.insns.length;
    const { next, targets } = successors(ram, block.insns.at(-1)!, block.record + block.insns.length * RECORD);
    if (next !== undefined) work.push(next);
    work.push(...targets);
  }
  return leaders.has(entry) ? leaders : undefined;
}

function makeNode(ram: Ram, pc: number, block: Block, leaders: Map<number, Block>): Node {
  const steps: Step[] = [];
  let next: number | undefined, targets: number[] = [];
  for (let n = 0; n < block.insns.length; n++) {
    const insn = block.insns[n];
    if (n > 0 && leaders.has(insn.pc)) {
      next = insn.pc;
      break;
    }
    const record = block.record + (n + 1) * RECORD;
    steps.push({ insn, record, effects: effectsOf(insn) });
    if (n === block.insns.length - 1) ({ next, targets } = successors(ram, insn, record));
  }
  return { pc, steps, next, targets, succ: [], pred: [], rpo: -1, idom: undefined, children: [], loopHeader: false };
}

function successors(ram: Ram, last: Insn, record: number): { next: number | undefined; targets: number[] } {
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
    list.forEach((n, i) => {
      n.rpo = i;
      n.pred = [];
      n.children = [];
      n.loopHeader = false;
      n.idom = undefined;
    });
    for (const n of list) for (const s of n.succ) s.pred.push(n);
    dominators(root, list);
    let cut = false;
    for (const n of list) {
      const keep = n.succ.filter((s) => s.rpo > n.rpo || dominates(s, n));
      if (keep.length < n.succ.length) {
        n.succ = keep;
        cut = true;
      }
    }
    if (cut) continue;
    for (const n of list) {
      if (n.idom && n !== root) n.idom.children.push(n);
      for (const s of n.succ) if (s.rpo <= n.rpo) s.loopHeader = true;
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
