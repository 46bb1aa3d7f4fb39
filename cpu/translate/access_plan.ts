/**
 * Which memory accesses of a node share one extent check: those through the same base and index values, whose displacements lie close
 * together. The stack pointer is followed through constant changes.
 */
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
 */
export function planNode(n: Node, stackBase: { group: Group; delta: number } | undefined): NodePlan {
  return new Planner(stackBase).plan(n);
}

class Planner {
  readonly #open: Open[] = [];
  /** How often each register has changed. A plain array: the engine makes typed ones slowly. */
  readonly #version = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  /** RSP relative to the region's entry, or to the last point where it changed in an unknown way. */
  #rsp: number;
  #stack: Group | undefined;

  constructor(stackBase: { group: Group; delta: number } | undefined) {
    this.#rsp = stackBase?.delta ?? 0;
    this.#stack = stackBase?.group;
  }

  plan({ steps }: Node): NodePlan {
    const version = this.#version;
    const plan: NodePlan = { operand: [], stack: [] };
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
    return plan;
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
    const baseVersion = base < 0 ? 0 : this.#version[base], indexVersion = index < 0 ? 0 : this.#version[index];
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
    };
    if (open) {
      open.baseVersion = baseVersion;
      open.indexVersion = indexVersion;
      open.group = group;
    } else this.#open.push({ base, index, scale, baseVersion, indexVersion, stack, group });
    return { group, disp, moved };
  }
}
