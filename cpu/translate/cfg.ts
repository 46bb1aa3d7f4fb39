/**
 * The control-flow graph of a region: what can be reached from an entry address without leaving the guest function, limited to code that the
 * interpreter has already executed. Anything else is an exit. Small functions that it calls are part of it, a copy for each call.
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
  /** The call at the end leads to a copy of the callee within the region; or the return at the end, most likely, to that copy's caller. */
  inlined: "call" | "return" | undefined;
  /** Belongs to the copy of a callee. */
  readonly copy: boolean;
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
/** Calls that have run so often get a copy of their callee if that has at most so many instructions; copies within copies up to a depth. */
const INLINE_HOT = 500, INLINE_INSNS = 40, INLINE_DEPTH = 3;

/** The decoded block at an address, if the region may contain it. */
export type FindBlock = (pc: number) => Block | undefined;

/** A node's decoded block, and where the block leads. */
interface Leader extends Successors {
  readonly pc: number;
  readonly block: Block;
}

/** @param limit roughly the most instructions; what lies beyond is left out */
export function buildGraph(ram: Ram, blocks: Blocks, find: FindBlock, entry: number, limit: number): Graph | undefined {
  const body = new Discovery(ram, blocks, find, entry).body(limit);
  const root = body && instantiate(body, undefined);
  if (!root) return undefined;
  const ordered = order(root);
  let insns = 0;
  for (const n of ordered) insns += n.steps.length;
  return { entry: root, nodes: ordered, insns };
}

/** Turns a body into nodes and returns the first of them. `back`: where its returns lead, of a callee's copy. */
function instantiate(body: Body, back: Return | undefined): Node | undefined {
  const { entry } = body, ascending = [...body.leaders.values()].sort((a, b) => a.pc - b.pc);
  // By distances from the entry: they are small integers, which maps find faster than addresses.
  const nodes = new Map<number, Node>();
  for (let k = 0; k < ascending.length; k++) nodes.set(ascending[k].pc - entry, makeNode(ascending, k, back !== undefined));
  for (const n of nodes.values()) {
    const last = n.steps[n.steps.length - 1].insn, callee = last.name === "call" ? body.callees.get(last.pc - entry) : undefined;
    if (callee) {
      const to = { pc: n.next!, node: nodes.get(n.next! - entry) };
      n.inlined = "call";
      n.next = undefined;
      n.targets = [callee.entry];
      addSuccessor(n.succ, instantiate(callee, to));
    } else if (back && last.name === "ret") {
      n.inlined = "return";
      n.targets = [back.pc];
      addSuccessor(n.succ, back.node);
    } else {
      if (n.next !== undefined) addSuccessor(n.succ, nodes.get(n.next - entry));
      for (const pc of n.targets) addSuccessor(n.succ, nodes.get(pc - entry));
    }
  }
  return nodes.get(0);
}
function addSuccessor(succ: Node[], n: Node | undefined): void {
  if (n && !succ.includes(n)) succ.push(n);
}
/** Where a callee's copy returns to; `node` is missing when that is not in the region. */
interface Return {
  readonly pc: number;
  readonly node: Node | undefined;
}

/** What is known of a function's code, from an entry on. */
interface Body {
  readonly entry: number;
  /** By distance from the entry. */
  readonly leaders: Map<number, Leader>;
  /** Bodies to put in place of calls, by the calls' distances. */
  readonly callees: Map<number, Body>;
  /** Instructions, those of the callees' copies included. */
  insns: number;
}

class Discovery {
  readonly #warm: number;
  /** A call that has run less often keeps its callee outside. */
  readonly #hot: number;
  /** Entries of the bodies that are being discovered. */
  readonly #open: number[] = [];
  /** Callees seen so far; undefined = not to be inlined. */
  readonly #callees = new Map<number, Body | undefined>();

  constructor(
    private readonly ram: Ram,
    private readonly blocks: Blocks,
    private readonly find: FindBlock,
    private readonly entry: number,
  ) {
    this.#warm = Math.min(WARM, blocks.heat / 4);
    this.#hot = Math.min(INLINE_HOT, blocks.heat / 4);
  }

  body(limit: number): Body | undefined {
    this.#open.push(this.entry);
    return this.#discover(this.entry, limit, false);
  }

  /** `whole`: undefined when it is too long, or a call in it stays a call, or it never returns. */
  #discover(entry: number, limit: number, whole: boolean): Body | undefined {
    const body: Body = { entry, leaders: new Map(), callees: new Map(), insns: 0 }, { leaders } = body, work = [entry];
    let returns = false;
    for (let k = 0; k < work.length; k++) {
      const pc = work[k];
      if (leaders.has(pc - entry)) continue;
      const block = this.find(pc);
      if (!block || block.insns.length === 0) continue;
      if (pc !== entry && this.blocks.executions(block) < this.#warm) continue;
      if (body.insns > limit) {
        if (whole) return undefined;
        continue;
      }
      const count = block.insns.length, last = block.insns[count - 1];
      const { next, targets } = successors(this.ram, last, block.record + count * RECORD);
      leaders.set(pc - entry, { pc, block, next, targets });
      body.insns += count;
      if (last.name === "call") {
        const callee = this.#callee(last, block, limit - body.insns);
        if (callee) {
          body.callees.set(last.pc - entry, callee);
          body.insns += callee.insns;
        } else if (whole) return undefined;
      }
      if (whole && (last.name === "ret" ? last.ops.length > 0 : controlOf(last.name) === "trap" || isComputed(last))) {
        return undefined;
      }
      returns ||= last.name === "ret";
      if (next !== undefined) work.push(next);
      for (const target of targets) work.push(target);
    }
    return !leaders.has(0) || (whole && !returns) ? undefined : body;
  }

  /** The body to put in place of a call. */
  #callee(call: Insn, block: Block, room: number): Body | undefined {
    const to = call.ops[0], open = this.#open;
    if (to.kind !== "rel" || open.length > INLINE_DEPTH || open.includes(to.target)) return undefined;
    if (this.blocks.executions(block) < this.#hot) return undefined;
    if (!this.#callees.has(to.target)) {
      open.push(to.target);
      this.#callees.set(to.target, this.#discover(to.target, INLINE_INSNS, true));
      open.pop();
    }
    const body = this.#callees.get(to.target);
    return body && body.insns <= room ? body : undefined;
  }
}
const isComputed = (jump: Insn): boolean => jump.name === "jmp" && jump.ops[0].kind !== "rel";

/** The node of the k-th leader: its block, or as much of it as comes before another leader. */
function makeNode(leaders: readonly Leader[], k: number, copy: boolean): Node {
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
    inlined: undefined,
    copy,
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
