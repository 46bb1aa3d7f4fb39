/** Measures groups of workloads and prints how it goes: tables on stdout, progress on stderr. Shared by `bench cpu` and `bench linux`. */
import { failures, groupTable, type Summary, summaryTable } from "./comparison.ts";
import { contest, type Entry } from "./contest.ts";
import type { Options } from "./options.ts";
import type { System } from "./systems.ts";
import { duration, type Goal } from "./table.ts";
import type { Group, Workload } from "./workloads.ts";

/** Version of the JSON that `--json` prints. */
const JSON_VERSION = 2;
/** Exit code of a shell after SIGINT. */
const INTERRUPTED = 130;

export class Report {
  readonly #groups: { key: string; title: string; entries: Entry[] }[] = [];
  readonly #tables: string[] = [];
  readonly #problems: string[] = [];
  readonly #began = performance.now();
  readonly names: readonly string[];

  /** @param systems native first, Hedra last */
  constructor(private readonly options: Options, private readonly systems: readonly System[]) {
    this.names = systems.map(({ name }) => name);
  }

  /** Has something of Hedra's failed? */
  failed = false;

  /** Tells what goes on, on stderr. */
  readonly note = (line: string): void => {
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    console.error(`[${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}] ${line}`);
  };

  /** Runs all workloads of a group. What cannot be measured natively is left out with a note. */
  async measure(group: Group, systems = this.systems, reps = this.options.reps): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (const [i, w] of group.workloads.entries()) {
      const place = `${group.key} ${i + 1}/${group.workloads.length}`;
      this.note(`${place} ${w.name} ...`);
      try {
        const measured = await contest(w, systems, reps);
        entries.push(...measured);
        this.note(`${place} ${measured.map(oneLine).join("; ")}`);
      } catch (error) {
        this.note(`${place} ${w.name}: left out: ${error instanceof Error ? error.message : error}`);
      }
    }
    this.#problems.push(...failures(entries));
    this.failed ||= entries.some(({ failed }) => failed.has("Hedra"));
    this.#groups.push({ key: group.key, title: group.title, entries });
    return entries;
  }

  /** Keeps the group's table, and prints it at once when people read along. */
  show(title: string, entries: readonly Entry[], goals: { mean?: Goal; workloads?: readonly Workload[] } = {}): void {
    if (entries.length === 0) return;
    const of = ({ name }: Entry) => goals.workloads?.find((w) => w.name === name || goals.workloads?.length === 1)?.goal;
    const table = groupTable(`**${title[0].toUpperCase()}${title.slice(1)}**`, entries, this.names, { mean: goals.mean, of });
    this.#tables.push(table);
    if (!this.options.json && !this.options.markdown) console.log(table);
  }

  /** Prints what is printed at the end. */
  finish(summaries: readonly Summary[] = []): void {
    for (const problem of this.#problems) console.error(`failed: ${problem}`);
    if (this.options.json) return console.log(JSON.stringify(this.#json(summaries), undefined, 2));
    if (this.options.markdown) console.log(`${machine()}; medians of ${this.options.reps} alternating repetitions.\n`);
    if (summaries.length > 0) console.log(summaryTable(summaries, this.names));
    if (!this.options.markdown) return;
    for (const table of this.#tables) console.log(table);
  }

  #json(summaries: readonly Summary[]): unknown {
    return {
      version: JSON_VERSION,
      machine: machine(),
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      reps: this.options.reps,
      systems: this.names,
      groups: this.#groups.map(({ key, title, entries }) => ({
        key,
        title,
        entries: entries.map(({ name, times, failed }) => ({
          name,
          times: Object.fromEntries(times),
          failed: Object.fromEntries(failed),
        })),
      })),
      summary: summaries.map(({ name, unit, values, counts, entries, goal, judged }) => ({
        name,
        unit,
        values: Object.fromEntries(values),
        counts: Object.fromEntries(counts),
        entries,
        goal: goal.atMost,
        judged,
      })),
    };
  }
}

const oneLine = ({ name, times, failed }: Entry): string => {
  const systems = [...times].map(([system, t], i) => `${system} ${i === 0 ? duration(t.median) : `${t.ratio.toFixed(2)}x`}`);
  return `${name}: ${[...systems, ...[...failed].map(([system, why]) => `${system} failed (${why})`)].join(", ")}`;
};

/** Processor and operating system. */
function machine(): string {
  let model = Deno.build.arch as string;
  try {
    model = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? model;
  } catch {
    // Not on Linux.
  }
  return `${navigator.hardwareConcurrency} processors (${model}), ${Deno.build.os}, Deno ${Deno.version.deno}`;
}

/** Runs a benchmark in an empty directory of its own and ends the process: with 1 when something of Hedra's has failed or `body` throws. */
export async function runBenchmark(body: (scratch: string) => Promise<Report>): Promise<never> {
  const scratch = Deno.makeTempDirSync({ prefix: "hedra-bench-" }), clean = () => Deno.removeSync(scratch, { recursive: true });
  Deno.env.set("HEDRA_CACHE", `${scratch}/cache`);
  Deno.addSignalListener("SIGINT", () => {
    clean();
    Deno.exit(INTERRUPTED);
  });
  let failed = true;
  try {
    failed = (await body(scratch)).failed;
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}`);
  } finally {
    clean();
  }
  Deno.exit(failed ? 1 : 0);
}
