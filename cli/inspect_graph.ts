import type { KernelView } from "../hedron/inspect.ts";
import { EXIT, UserError } from "./errors.ts";
import { rightsText } from "./inspect_text.ts";

/** A view of which only one PD shall be shown; the others are kept, because they are named as givers and receivers. */
export type Filtered = KernelView & { only?: number };

/** Keeps the PD with this label or id. Throws a UserError when there is none. */
export function onlyPd(view: KernelView, name: string): Filtered {
  const pd = view.pds.find((each) => each.label === name || String(each.id) === name);
  if (!pd) {
    const names = view.pds.map((each) => each.label || String(each.id)).join(", ");
    throw new UserError(`Cannot show PD "${name}": there are ${names}`, EXIT.FAILURE);
  }
  const shown = ({ pd: holder, from }: KernelView["capabilities"][number]) => holder === pd.id || from?.pd === pd.id;
  return { pds: view.pds, capabilities: view.capabilities.filter(shown), only: pd.id };
}

const quote = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

/** The capabilities as a graph for Graphviz: a node per PD, an arrow per kind and rights from giver to receiver. */
export function capabilitiesDot(view: Filtered): string {
  const name = new Map(view.pds.map((pd) => [pd.id, pd.label || `PD ${pd.id}`]));
  const arrows = new Map<string, number>(), nodes = new Set<number>();
  for (const each of view.capabilities) {
    nodes.add(each.pd);
    if (!each.from) continue;
    nodes.add(each.from.pd);
    const key = `${each.from.pd} -> ${each.pd} ${each.kind} ${rightsText(each)}`;
    arrows.set(key, (arrows.get(key) ?? 0) + 1);
  }
  const lines = [...nodes].map((id) => `  ${id} [label=${quote(name.get(id) ?? `PD ${id}`)}];\n`);
  for (const [key, count] of arrows) {
    const [from, arrow, to, kind, ...rights] = key.split(" ");
    lines.push(`  ${from} ${arrow} ${to} [label=${quote(`${count} ${kind} ${rights.join(" ")}`)}];\n`);
  }
  return `digraph capabilities {\n  rankdir=LR;\n  node [shape=box];\n${lines.join("")}}\n`;
}
