/** Follows RSP through a region: stack accesses whose distance from the region's entry is known share one check there. */
import { type Group, type NodePlan, planNode, RSP, stackChange } from "./access_plan.ts";
import type { Graph, Node, Step } from "./cfg.ts";

export interface StackPlan {
  readonly plans: Map<Node, NodePlan>;
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
  };
  const distance = distances(g), plans = new Map<Node, NodePlan>();
  for (const n of g.nodes) {
    const delta = distance.get(n);
    plans.set(n, planNode(n, delta === undefined ? undefined : { group, delta }));
  }
  return { plans, group };
}

/** Plans without a common check, for a region whose stack is not where a check could say. */
export function planWithoutStack(g: Graph): Map<Node, NodePlan> {
  return new Map(g.nodes.map((n) => [n, planNode(n, undefined)]));
}

/** RSP at each node's start minus RSP at the region's entry; undefined where paths disagree or it is not known. */
function distances(g: Graph): Map<Node, number | undefined> {
  const out = new Map<Node, number | undefined>([[g.entry, 0]]);
  for (let changed = true; changed;) {
    changed = false;
    for (const n of g.nodes) {
      if (!out.has(n)) continue;
      let d = out.get(n);
      for (const { insn, effects } of n.steps) {
        const c = effects.helper ? undefined : stackChange(insn, effects.writes);
        d = d === undefined || c === undefined ? undefined : d + c;
      }
      for (const s of n.succ) {
        const next = !out.has(s) || out.get(s) === d ? d : undefined;
        if (out.has(s) && out.get(s) === next) continue;
        out.set(s, next);
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
    const plan = plans.get(n)!;
    for (let i = 0; i < n.steps.length; i++) {
      const implicit = plan.stack[i]?.group === group, explicit = plan.operand[i]?.group === group;
      if (!implicit && !explicit) continue;
      // PUSH and CALL with a memory operand access that first.
      const both = n.steps[i].insn.ops.some((o) => o.kind === "mem" && o.size > 0) && plan.stack[i] !== undefined;
      const slot = implicit && both && n.steps[i].insn.name !== "pop" ? 1 : 0;
      if (accessed(n.steps[i].record, slot)) return { step: n.steps[i], slot };
    }
  }
  return undefined;
}
