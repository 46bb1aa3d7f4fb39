/** Follows RSP through a region: stack accesses whose distance from the region's entry is known share one check there. */
import { type Group, type NodePlan, planNodes, RSP } from "./access_plan.ts";
import type { Graph, Step } from "./cfg.ts";

export interface StackPlan {
  /** By the node's position in reverse postorder. */
  readonly plans: readonly NodePlan[];
  /** All stack accesses at known distances; its origin is RSP at the region's entry. */
  readonly group: Group;
}

export function planStack(g: Graph): StackPlan {
  const group: Group = {
    base: RSP,
    index: -1,
    scale: 0,
    min: 0,
    max: 0,
    local: undefined,
    pa: 0,
    writable: false,
    write: true,
    accesses: 0,
    before: undefined,
    continued: false,
    known: undefined,
  };
  const distance = distances(g);
  return {
    plans: planNodes(g.nodes, (k) => Number.isNaN(distance[k]) ? undefined : { group, delta: distance[k] }),
    group,
  };
}

/** Plans without a common check, for a region whose stack is not where a check could say. */
export const planWithoutStack = (g: Graph): NodePlan[] => planNodes(g.nodes, () => undefined);

/** RSP at each node's start minus RSP at the region's entry; NaN where paths disagree or it is not known. */
function distances(g: Graph): number[] {
  const { nodes } = g, out: number[] = [], through: number[] = [], reached: boolean[] = [];
  for (const n of nodes) {
    let change = 0;
    for (const { insn, effects } of n.steps) {
      // A call whose callee is part of the region leaves the return address on the stack, and that one's return takes it.
      if (n.inlined && insn.name === n.inlined.replace("return", "ret")) change += n.inlined === "call" ? -8 : 8;
      else change += effects.helper ? NaN : effects.moves;
    }
    through.push(change);
    out.push(n === g.entry ? 0 : NaN);
    reached.push(n === g.entry);
  }
  for (let changed = true; changed;) {
    changed = false;
    for (let k = 0; k < nodes.length; k++) {
      if (!reached[k]) continue;
      const d = out[k] + through[k];
      for (const { rpo } of nodes[k].succ) {
        const next = !reached[rpo] || out[rpo] === d ? d : NaN;
        if (reached[rpo] && (out[rpo] === next || Number.isNaN(out[rpo]))) continue;
        reached[rpo] = true;
        out[rpo] = next;
        changed = true;
      }
    }
  }
  return out;
}

/** An access of the common group that the interpreter has carried out, so that its profile shows where the stack is. */
export function profiledStackAccess(
  g: Graph,
  { plans, group }: StackPlan,
  accessed: (record: number, slot: number) => boolean,
): { step: Step; slot: number } | undefined {
  for (const n of g.nodes) {
    const plan = plans[n.rpo];
    for (let i = 0; i < n.steps.length; i++) {
      const implicit = plan.stack[i]?.group === group, explicit = plan.operand[i]?.group === group;
      if (!implicit && !explicit) continue;
      // PUSH and CALL with a memory operand access that first.
      const both = n.steps[i].effects.operandAt >= 0 && plan.stack[i] !== undefined;
      const slot = implicit && both && n.steps[i].insn.name !== "pop" ? 1 : 0;
      if (accessed(n.steps[i].record, slot)) return { step: n.steps[i], slot };
    }
  }
  return undefined;
}
