/** Tables of several systems side by side: every quantity of a group, and one line for each group against its goal. */
import type { Entry } from "./contest.ts";
import { aligned, duration, geometricMean, type Goal, verdict } from "./table.ts";

const NATIVE = "native", OURS = "Hedra";

/** A group in one line. */
export interface Summary {
  name: string;
  /** What the values are: times native's, nanoseconds, or bytes. */
  unit: "ratio" | "ns" | "bytes";
  /** By name of system. */
  values: Map<string, number>;
  /** How many quantities each value stands for, and how many there are. */
  counts: Map<string, number>;
  entries: number;
  /** What `judged` must not exceed: Hedra's value, or what is said beside it. */
  goal: { atMost: number; text: string };
  judged: number | undefined;
}

const times = (ratio: number | undefined): string => ratio === undefined ? "-" : `${ratio.toFixed(2)}x`;
const byteText = (bytes: number): string => `${(bytes / 1000).toFixed(1)} KB`;
const size = (summary: Summary, system: string): string => {
  const value = summary.values.get(system), count = summary.counts.get(system) ?? summary.entries;
  if (value === undefined) return "-";
  const text = summary.unit === "ratio" ? value.toFixed(2) : summary.unit === "ns" ? duration(value) : byteText(value);
  return count < summary.entries ? `${text} (${count} of ${summary.entries})` : text;
};

/** The geometric mean of the ratios in a group; `entries` are those that could be measured natively. */
export function summarize(name: string, entries: readonly Entry[], systems: readonly string[], atMost: number): Summary {
  const values = new Map<string, number>(), counts = new Map<string, number>();
  for (const system of systems) {
    const ratios = entries.flatMap((entry) => entry.times.get(system)?.ratio ?? []);
    if (ratios.length === 0) continue;
    values.set(system, geometricMean(ratios));
    counts.set(system, ratios.length);
  }
  const goal = { atMost, text: `at most ${atMost}` };
  return { name, unit: "ratio", values, counts, entries: entries.length, goal, judged: values.get(OURS) };
}

/** Is the goal reached, by everything that the line is about? */
export const isMet = ({ judged, goal, counts, entries }: Summary): boolean =>
  judged !== undefined && judged <= goal.atMost && (counts.get(OURS) ?? entries) === entries;

/** All groups as one Markdown table. */
export function summaryTable(summaries: readonly Summary[], systems: readonly string[]): string {
  const lines = summaries.map((each) => {
    const ratio = each.unit === "ns" ? `: ${times(each.judged)}` : "";
    const outcome = isMet(each) ? `met${ratio}` : `MISSED${ratio}`;
    return [each.name, ...systems.map((system) => size(each, system)), each.goal.text, outcome];
  });
  return aligned([["times native, lower is better", ...systems, "goal", ""], ...lines], [
    "left",
    ...systems.map(() => "right" as const),
  ]);
}

/** Everything that a group measured as a Markdown table, with the geometric mean, which may have a goal. */
export function groupTable(
  title: string,
  entries: readonly Entry[],
  systems: readonly string[],
  goals: { mean?: Goal; of?: (entry: Entry) => Goal | undefined } = {},
): string {
  const peers = systems.filter((system) => system !== NATIVE && system !== OURS);
  const cell = (entry: Entry, system: string): string =>
    entry.failed.has(system) ? "failed" : times(entry.times.get(system)?.ratio);
  const lines = entries.map((entry) => {
    const ours = entry.times.get(OURS), goal = goals.of?.(entry);
    return [
      entry.name,
      duration(entry.times.get(NATIVE)?.median),
      ...peers.map((peer) => cell(entry, peer)),
      entry.failed.has(OURS) ? "failed" : duration(ours?.median),
      times(ours?.ratio),
      times(ours?.ratioOfMinima),
      ours ? verdict({ goal, ratio: ours.ratio, hedra: ours.median }) : goal ? "MISSED" : "",
    ];
  });
  if (entries.length > 1) {
    const mean = (of: (entry: Entry) => number | undefined): number | undefined => {
      const ratios = entries.flatMap((entry) => of(entry) ?? []);
      return ratios.length === 0 ? undefined : geometricMean(ratios);
    };
    const ratio = mean((entry) => entry.times.get(OURS)?.ratio);
    lines.push([
      "geometric mean",
      "",
      ...peers.map((peer) => times(mean((entry) => entry.times.get(peer)?.ratio))),
      "",
      times(ratio),
      times(mean((entry) => entry.times.get(OURS)?.ratioOfMinima)),
      verdict({ goal: goals.mean, ratio, hedra: 0 }),
    ]);
  }
  const head = ["", NATIVE, ...peers, OURS, "ratio", "of minima", "goal"];
  return `${title}\n\n${aligned([head, ...lines], ["left", ...Array.from({ length: head.length - 2 }, () => "right" as const)])}`;
}

/** What failed, a line each. */
export const failures = (entries: readonly Entry[]): string[] =>
  entries.flatMap(({ name, failed }) => [...failed].map(([system, why]) => `${name} on ${system}: ${why}`));
