/**
 * Which memory accesses of a node share one extent check: those through the same base and index values, whose displacements lie close
 * together. The stack pointer is followed through constant changes.
 */
import type { Insn, MemOperand } from "../insn.ts";
import type { Node } from "./cfg.ts";
import { gprBit } from "./regs.ts";

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
}
/** An access of a group. */
export interface Planned {
  group: Group;
  /** Displacement relative to the group's origin. */
  disp: number;
  /** Base register minus the group's origin at this access (RSP moves by known amounts; 0 for other bases). */
  moved: number;
}

/** Constant change of RSP by an instruction; undefined when it is not constant. 0 for those that do not touch it. */
export function stackChange(i: Insn, writes: number): number | undefined {
  switch (i.name) {
    case "push":
    case "pushf":
      return -i.size;
    case "pop":
      return i.ops[0]?.kind === "reg" && i.ops[0].n === RSP ? undefined : i.size;
    case "popf":
      return i.size;
    case "call":
      return 0;
    case "add":
    case "sub": {
      const [to, by] = i.ops;
      if (to.kind !== "reg" || to.n !== RSP || !(writes & gprBit(RSP))) break;
      if (to.size !== 8 || by.kind !== "imm") return undefined;
      return i.name === "add" ? Number(by.value) : -Number(by.value);
    }
    case "lea": {
      const [to, m] = i.ops;
      if (to.kind !== "reg" || to.n !== RSP) break;
      return to.size === 8 && m.kind === "mem" && m.base === RSP && m.index < 0 && m.addressSize === 8 && !m.seg
        ? Number(m.disp)
        : undefined;
    }
  }
  return writes & gprBit(RSP) ? undefined : 0;
}

/** Stack accesses that an instruction makes beside its memory operand, relative to RSP before it: [displacement, bytes]. */
export function stackAccess(i: Insn): [number, number] | undefined {
  switch (i.name) {
    case "push":
    case "pushf":
      return [-i.size, i.size];
    case "call":
      return [-8, 8];
    case "pop":
    case "popf":
      return [0, i.size];
    case "ret":
      return [0, 8];
  }
  return undefined;
}

/** Instructions that only read their first operand. */
const READS_FIRST = new Set(["cmp", "test", "push", "call", "jmp", "bt", "mul", "imul", "div", "idiv", "fld", "fild"]);

export interface NodePlan {
  /** Memory operand of step i. */
  operand: (Planned | undefined)[];
  /** Implicit stack access of step i. */
  stack: (Planned | undefined)[];
}

/**
 * @param stackBase group for stack accesses when RSP at the node's entry is known relative to the region's entry, with that distance
 */
export function planNode(n: Node, stackBase: { group: Group; delta: number } | undefined): NodePlan {
  const plan: NodePlan = { operand: [], stack: [] };
  const open = new Map<string, Group>();
  const version = new Array<number>(16).fill(0);
  // RSP relative to `origin`: the region's entry, or the last point where it changed in an unknown way.
  let rsp = stackBase?.delta ?? 0, epochGroup = stackBase?.group;

  const join = (
    key: string,
    base: number,
    index: number,
    scale: number,
    disp: number,
    bytes: number,
    write: boolean,
    moved = 0,
  ): Planned => {
    const g = open.get(key);
    if (g && Math.max(g.max, disp + bytes) - Math.min(g.min, disp) <= MAX_SPAN) {
      g.min = Math.min(g.min, disp);
      g.max = Math.max(g.max, disp + bytes);
      g.write ||= write;
      return { group: g, disp, moved };
    }
    const fresh: Group = { base, index, scale, min: disp, max: disp + bytes, local: undefined, pa: 0, writable: false, write };
    open.set(key, fresh);
    return { group: fresh, disp, moved };
  };
  const stackRelative = (disp: number, bytes: number): Planned => {
    if (!epochGroup) return join(`rsp${version[RSP]}`, RSP, -1, 0, disp, bytes, true, rsp);
    epochGroup.min = Math.min(epochGroup.min, disp);
    epochGroup.max = Math.max(epochGroup.max, disp + bytes);
    return { group: epochGroup, disp, moved: rsp };
  };

  for (const { insn, effects } of n.steps) {
    const implicit = stackAccess(insn);
    plan.stack.push(implicit && stackRelative(rsp + implicit[0], implicit[1]));
    const m = insn.ops.find((o): o is MemOperand => o.kind === "mem" && o.size > 0);
    plan.operand.push(m && planOperand(m, insn.ops[0] === m && !READS_FIRST.has(insn.name)));
    const change = stackChange(insn, effects.writes);
    if (change === undefined || effects.helper) {
      epochGroup = undefined;
      rsp = 0;
      version[RSP]++;
    } else rsp += change;
    for (let r = 0; r < 16; r++) if (r !== RSP && (effects.helper || effects.writes & gprBit(r))) version[r]++;
  }
  return plan;

  function planOperand(m: MemOperand, write: boolean): Planned | undefined {
    if (m.seg || m.addressSize === 4 || (m.base < 0 && m.index < 0)) return undefined;
    if (m.disp > 0x7fff_ffffn || m.disp < -0x8000_0000n) return undefined;
    const disp = Number(m.disp);
    if (m.base === RSP && m.index < 0) return stackRelative(rsp + disp, m.size);
    // A base of RSP is followed too, so that its version does not change by pushes.
    const extra = m.base === RSP ? rsp : 0;
    const b = m.base < 0 ? "" : `${m.base}v${version[m.base]}`,
      x = m.index < 0 ? "" : `${m.index}v${version[m.index]}s${m.scale}`;
    return join(`${b}+${x}`, m.base, m.index, m.scale, disp + extra, m.size, write, extra);
  }
}
