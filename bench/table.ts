/** Results of `deno task bench`: collecting, comparing with native, printing. */

/** One measured quantity. */
export interface Row {
  group: string;
  name: string;
  /** Nanoseconds; undefined where native Linux has no such thing. */
  native: number | undefined;
  /** Nanoseconds under Hedra. */
  hedra: number;
  /** hedra / native: the median of the rounds, each round with its own native run. */
  ratio: number | undefined;
  /** What the project wants to reach. */
  goal?: Goal;
}

export interface Goal {
  /** "ratio" bounds hedra/native, "ns" the time itself. */
  of: "ratio" | "ns";
  atMost: number;
}

/** Version of the JSON that `--json` prints. */
export const JSON_VERSION = 2;

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** "NAME key=value key=value" lines, as the guests print them. */
export function parseLines(output: string): Map<string, Map<string, string>> {
  const lines = output.split("\n").filter((line) => line.includes("="));
  return new Map(lines.map((line) => {
    const [name, ...fields] = line.trim().split(/\s+/);
    return [name, new Map(fields.map((field): [string, string] => [field.split("=")[0], field.split("=")[1]]))];
  }));
}

/** Nanoseconds in a unit that reads well. */
export function duration(ns: number | undefined): string {
  if (ns === undefined) return "-";
  if (ns < 1000) return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(ns < 1e5 ? 2 : 1)} us`;
  return `${(ns / 1e6).toFixed(ns < 1e8 ? 2 : 0)} ms`;
}

/** Is the goal met? Nothing without a goal. */
export function verdict({ goal, ratio, hedra }: Pick<Row, "goal" | "ratio" | "hedra">): string {
  if (goal === undefined) return "";
  const value = goal.of === "ratio" ? ratio : hedra;
  const bound = goal.of === "ratio" ? `${goal.atMost}x` : duration(goal.atMost);
  return `${value !== undefined && value <= goal.atMost ? "met" : "MISSED"}: at most ${bound}`;
}

const GEOMETRIC_MEAN = "geometric mean";

/** One group as a Markdown table with the geometric mean of its ratios, which may have a goal of its own. */
export function markdown(group: string, rows: readonly Row[], meanGoal?: Goal): string {
  const times = (ratio: number | undefined) => ratio === undefined ? "-" : `${ratio.toFixed(2)}x`;
  const cells = rows.map((row) => [row.name, duration(row.native), duration(row.hedra), times(row.ratio), verdict(row)]);
  const ratios = rows.flatMap((row) => row.ratio ?? []);
  if (ratios.length > 1) {
    const ratio = geometricMean(ratios);
    cells.push([GEOMETRIC_MEAN, "", "", times(ratio), verdict({ ratio, hedra: 0, goal: meanGoal })]);
  }
  const table = [["", "native", "Hedra", "ratio", "goal"], ...cells];
  return `${group}\n\n${aligned(table, ["left", "right", "right", "right"])}`;
}

/** Lines of cells as a Markdown table whose columns stand in line, the first line as its head. Columns that `sides` does not name are left. */
export function aligned(table: readonly (readonly string[])[], sides: readonly ("left" | "right")[]): string {
  const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length), 3));
  const row = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
  const line = (texts: readonly string[]) =>
    row(texts.map((text, i) => sides[i] === "right" ? text.padStart(widths[i]) : text.padEnd(widths[i])));
  const rule = row(widths.map((width, i) => sides[i] === "right" ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  return [line(table[0]), rule, ...table.slice(1).map(line), ""].join("\n");
}
