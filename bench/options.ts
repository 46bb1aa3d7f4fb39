/** The command line of `deno task bench ...`. */
import { parseArgs } from "node:util";

export interface Options {
  json: boolean;
  /** Only the tables, as README.md has them. */
  markdown: boolean;
  quick: boolean;
  /** Repetitions of everything. */
  reps: number;
  /** Keys of the groups to measure. */
  groups: readonly string[];
}

/** What `--help` says. */
const OPTIONS = [
  { key: "--json", help: "figures for machines, one object on standard output" },
  { key: "--markdown", help: "only the tables, as README.md has them" },
  { key: "--only GROUPS", help: "measure these groups, separated by commas" },
  { key: "--quick", help: "small inputs and one repetition: a rough picture" },
  { key: "--reps N", help: "repetitions of everything (default: 3)" },
  { key: "-h, --help", help: "print this" },
];
/** Options of benchmarks with groups. */
const GROUPED = new Set(["--markdown", "--only GROUPS"]);
const line = ({ key, help }: typeof OPTIONS[number]): string => `  ${key.padEnd(14)} ${help}`;

/**
 * Reads `args`; `groups` are all keys that `--only` may have, `more` ends the help. Ends the process: with code 0 after `--help`, with 2 when something is wrong.
 */
export function readOptions(
  args: readonly string[],
  name: string,
  groups: readonly string[],
  more: readonly string[] = [],
): Options {
  const only = groups.length > 0 ? ` [--markdown] [--only ${groups.join(",")}]` : "";
  const usage = `usage: deno task bench${name} [--json]${only} [--quick] [--reps N]`;
  const fail = (message: string): never => {
    console.error(`bench: ${message}\n${usage}`);
    Deno.exit(2);
  };
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: "boolean" },
        markdown: { type: "boolean" },
        quick: { type: "boolean" },
        reps: { type: "string" },
        only: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) {
      console.log(
        [usage, "", ...OPTIONS.filter(({ key }) => groups.length > 0 || !GROUPED.has(key)).map(line), ...more].join("\n"),
      );
      Deno.exit(0);
    }
    const { json = false, markdown = false, quick = false } = values;
    const reps = Number(values.reps ?? (quick ? 1 : 3)), only = values.only?.split(",");
    if (!Number.isInteger(reps) || reps < 1) return fail(`Cannot use "${values.reps}" as --reps: expected a number from 1 on`);
    const unknown = only?.find((key) => !groups.includes(key));
    if (unknown !== undefined) return fail(`Cannot use "${unknown}" as --only: expected some of ${groups.join(", ")}`);
    return { json, markdown, quick, reps, groups: groups.filter((key) => only?.includes(key) ?? true) };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}
