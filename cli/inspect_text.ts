import type { CapabilityView, KernelView, ObjectView, PdView, PtView } from "../hedron/inspect.ts";

/** What each right bit allows, by kind of object (Hedron ABI 5.1). */
const RIGHTS: Record<CapabilityView["kind"], readonly string[]> = {
  PD: ["create"],
  EC: ["ctrl", "", "create_sc", "create_pt"],
  SC: ["ctrl"],
  PT: ["ctrl", "call"],
  SM: ["up", "down"],
  KP: ["ctrl"],
};

const title = (kind: string, { id, label }: ObjectView): string => `${kind} ${id}${label ? ` ${label}` : ""}`;

/** Guests give no names: their portals are told by where the handler begins. */
const portalName = ({ label, entry }: PtView): string => label || (entry > 0 ? `entry 0x${entry.toString(16)}` : "");

/** Joins neighbours for which `next` holds into runs. */
function runs<T>(items: readonly T[], next: (previous: T, item: T) => boolean): T[][] {
  const result: T[][] = [];
  for (const item of items) {
    const last = result.at(-1);
    if (last && next(last[last.length - 1], item)) last.push(item);
    else result.push([item]);
  }
  return result;
}

interface Branch {
  text: string;
  branches: Branch[];
}

const leaf = (text: string): Branch => ({ text, branches: [] });

function draw(branches: readonly Branch[], indent: string): string {
  return branches.map(({ text, branches: below }, i) => {
    const last = i === branches.length - 1;
    return `${indent}${last ? "└─ " : "├─ "}${text}\n${draw(below, `${indent}${last ? "   " : "│  "}`)}`;
  }).join("");
}

function portals(pts: PdView["ecs"][number]["pts"]): Branch[] {
  const groups = runs(
    [...pts].sort((a, b) => a.portalId - b.portalId),
    (a, b) => portalName(a) === portalName(b) && a.mtd === b.mtd,
  );
  return groups.map((group) => {
    const [first, last] = [group[0], group[group.length - 1]];
    const mtd = first.mtd ? `, MTD 0x${first.mtd.toString(16)}` : "";
    if (group.length === 1) return leaf(`${title("PT", { ...first, label: portalName(first) })}, id ${first.portalId}${mtd}`);
    return leaf(
      `PT ${portalName(first)}, ${group.length} portals, ids ${first.portalId}-${last.portalId}${mtd}`,
    );
  });
}

function tree(pd: PdView): Branch[] {
  return [
    ...pd.ecs.map((ec): Branch => ({
      text: `${title("EC", ec)}, ${ec.type}, ${ec.state}`,
      branches: [
        ...ec.scs.map((sc) =>
          leaf(`${title("SC", sc)}, priority ${sc.priority}, quantum ${sc.quantumUs} us, used ${sc.timeUs} us`)
        ),
        ...portals(ec.pts),
      ],
    })),
    ...pd.sms.map((sm) =>
      leaf(`${title("SM", sm)}, count ${sm.count}${sm.waiters.length > 0 ? `, EC ${sm.waiters.join(", ")} waiting` : ""}`)
    ),
  ];
}

const heading = (pd: PdView): string =>
  `${title("PD", pd)}, ${pd.code}${pd.foreign ? ", foreign system calls" : ""}, ${(pd.memory / 1024).toFixed(0)} KiB mapped`;

/** The tree of PDs, ECs, SCs, PTs and SMs. */
export const treeText = (view: KernelView): string => view.pds.map((pd) => `${heading(pd)}\n${draw(tree(pd), "")}`).join("");

const range = (from: number, to: number): string => from === to ? String(from) : `${from}-${to}`;

export function rightsText({ kind, rights }: CapabilityView): string {
  return RIGHTS[kind].filter((name, bit) => name && rights & 1 << bit).join("+") || "-";
}

const place = ({ pd, selector }: { pd: number; selector: number }): string => `${pd}/${selector}`;

/** Capabilities by PD, with the place each was delegated from. Neighbours with the same label share a line. */
export function capabilitiesText(view: KernelView & { only?: number }): string {
  const pdNames = new Map(view.pds.map((pd) => [pd.id, pd.label || `PD ${pd.id}`]));
  const labels = new Map<number, string>(view.pds.flatMap((pd) => [
    [pd.id, pd.label] as const,
    ...pd.sms.map((sm) => [sm.id, sm.label] as const),
    ...pd.ecs.flatMap((ec) => [
      [ec.id, ec.label] as const,
      ...ec.scs.map((sc) => [sc.id, sc.label] as const),
      ...ec.pts.map((pt) => [pt.id, portalName(pt)] as const),
    ]),
  ]));
  const label = (each: CapabilityView) => labels.get(each.object) || `${each.kind} ${each.object}`;
  const named = (each: CapabilityView) => {
    const text = label(each);
    return text.startsWith("entry ") ? `${each.kind} ${each.object} ${text}` : text;
  };
  const isNext = (a: CapabilityView, b: CapabilityView) =>
    b.selector === a.selector + 1 && a.kind === b.kind && a.rights === b.rights && label(a) === label(b) &&
    a.from?.pd === b.from?.pd && (a.from === undefined || b.from?.selector === a.from.selector + 1);
  // Who has been given something from a place: places by PD and selector.
  const derived = new Map<string, CapabilityView[]>();
  for (const each of view.capabilities) {
    if (each.from) derived.set(place(each.from), [...derived.get(place(each.from)) ?? [], each]);
  }
  const to = (group: CapabilityView[]): string => {
    const places = new Map<number, number[]>();
    for (const { pd, selector } of group.flatMap((each) => derived.get(place(each)) ?? [])) {
      places.set(pd, [...places.get(pd) ?? [], selector]);
    }
    const names = [...places].map(([pd, at]) => `${pdNames.get(pd) ?? `PD ${pd}`} ${range(Math.min(...at), Math.max(...at))}`);
    if (names.length === 0) return "";
    return `, to ${names.slice(0, 4).join(", ")}${names.length > 4 ? ` and ${names.length - 4} more` : ""}`;
  };
  return view.pds.filter((pd) => view.only === undefined || view.only === pd.id).map((pd) => {
    const own = view.capabilities.filter((each) => each.pd === pd.id);
    const lines = runs(own, isNext).map((group) => {
      const [first, last] = [group[0], group[group.length - 1]];
      const what = group.length === 1 ? named(first) : `${label(first)} (${group.length})`;
      const from = first.from && last.from
        ? `from ${pdNames.get(first.from.pd) ?? `PD ${first.from.pd}`} ${range(first.from.selector, last.from.selector)}`
        : "created here";
      return `  ${range(first.selector, last.selector).padStart(15)}  ${first.kind}  ${rightsText(first).padEnd(24)} ${
        what.padEnd(28)
      } ${from}${to(group)}\n`;
    });
    return `${heading(pd)}\n${lines.join("")}`;
  }).join("");
}
