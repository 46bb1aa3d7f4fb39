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

/** Reads `args`; `groups` are all keys that `--only` may have. Ends the process with code 2 when something is wrong. */
export function readOptions(args: readonly string[], name: string, groups: readonly string[]): Options {
  const fail = (message: string): never => {
    const only = groups.length > 0 ? ` [--markdown] [--only ${groups.join(",")}]` : "";
    console.error(`bench: ${message}\nusage: deno task bench${name} [--json]${only} [--quick] [--reps N]`);
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
      },
    });
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
