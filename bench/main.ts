/**
 * `deno task bench [cpu|linux] [--json] [--quick] [--rounds N]`: the same ELF files natively and under Hedra, in turn, in one run. Without
 * a table's name this repository's own programs, with BENCH_SRC=DIR also the kernels of DIR/cpu.c; `cpu` and `linux` are the tables of
 * workloads.ts. `deno task bench hedron|mediator|restarts [ARGS]` runs that program of this folder.
 */
import { execute, runHedra } from "../tests/process.ts";
import { peerTables } from "./peers.ts";
import { extract, foreignSuite, type Measured, ownSuites, runNative, runUnderHedra, type Suite, wallTime } from "./suites.ts";
import { type Goal, JSON_VERSION, markdown, median, type Row } from "./table.ts";

interface Settings {
  table: "own" | "cpu" | "linux";
  json: boolean;
  rounds: number;
  iterations: number;
  /** Per kernel. */
  ms: number;
}

function settings(args: readonly string[]): Settings {
  const at = args.indexOf("--rounds");
  const quick = args.includes("--quick");
  const rounds = at >= 0 ? Number(args[at + 1]) : quick ? 1 : 3;
  const known = args.filter((arg, i) => !["--json", "--quick", "--rounds"].includes(arg) && !(at >= 0 && i === at + 1));
  const table = known.length === 0 ? "own" : known[0];
  if (known.length > 1 || (table !== "own" && table !== "cpu" && table !== "linux") || !Number.isInteger(rounds) || rounds < 1) {
    console.error("usage: deno task bench [cpu|linux|hedron|mediator|restarts] [--json] [--quick] [--rounds N]");
    Deno.exit(2);
  }
  return { table, json: args.includes("--json"), rounds, iterations: quick ? 10_000 : 100_000, ms: quick ? 100 : 300 };
}

/** Runs one suite in interleaved rounds. */
async function measure(suite: Suite, rounds: number): Promise<Row[]> {
  const native: Measured[] = [], guest: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    if (suite.native) native.push(await runNative(suite));
    guest.push(await runUnderHedra(suite));
    for (const [name, check] of guest[round].checks) {
      const expected = native[round]?.checks.get(name);
      if (expected !== check) throw new Error(`${suite.program} ${name}: checksum ${check} under Hedra, ${expected} natively`);
    }
  }
  return [...guest[0].ns.keys()].map((name) => {
    const natives = native.flatMap((round) => round.ns.get(name) ?? []);
    const guests = guest.flatMap((round) => round.ns.get(name) ?? []);
    const ratio = natives.length === guests.length ? median(guests.map((value, i) => value / natives[i])) : undefined;
    const nativeTime = natives.length > 0 ? median(natives) : undefined;
    return { group: suite.group, name, native: nativeTime, hedra: median(guests), ratio, goal: suite.goals[name] };
  });
}

/** From the command to its end, against a Deno program that prints one line. */
async function measureStart(directory: string, rounds: number): Promise<Row[]> {
  const group = "Start to end of a small static program (native column: a Deno program that prints one line)";
  const script = `${directory}/hello.ts`;
  Deno.writeTextFileSync(script, 'console.log("hello");\n');
  const deno: number[] = [], times = { matrix: [] as number[], hello: [] as number[] };
  const programs = { matrix: extract("matrix", directory), hello: extract("hello", directory) };
  for (let round = 0; round < 4 * rounds + 1; round++) {
    const plain = await wallTime(() => execute(Deno.execPath(), ["run", script]));
    const matrix = await wallTime(() => runHedra(["run", programs.matrix, "2"]));
    const hello = await wallTime(() => runHedra(["run", programs.hello]));
    if (round === 0) continue; // fills caches
    deno.push(plain);
    times.matrix.push(matrix);
    times.hello.push(hello);
  }
  const row = (name: string, hedra: number[]): Row => ({
    group,
    name,
    native: median(deno),
    hedra: median(hedra),
    ratio: median(hedra) / median(deno),
    goal: { of: "ns", atMost: 250e6 },
  });
  return [row("hedra run matrix 2 (Linux, C)", times.matrix), row("hedra run hello (hyperapp)", times.hello)];
}

/** Benchmarks that are programs of their own. */
const PROGRAMS: readonly string[] = ["hedron", "mediator", "restarts"];
if (PROGRAMS.includes(Deno.args[0])) {
  const args = ["run", "-A", new URL(`${Deno.args[0]}.ts`, import.meta.url).href, ...Deno.args.slice(1)];
  Deno.exit(
    (await new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "inherit", stderr: "inherit" }).spawn().status).code,
  );
}

const options = settings(Deno.args);
const directory = Deno.makeTempDirSync({ prefix: "hedra-bench-" });
const rows: Row[] = [];
const report = (added: Row[], meanGoal?: Goal) => {
  rows.push(...added);
  if (!options.json) console.log(markdown(added[0].group, added, meanGoal));
};
let failed = false;
async function ownTables(): Promise<void> {
  const suites = ownSuites(directory, options.iterations, options.ms);
  const source = Deno.env.get("BENCH_SRC");
  if (source) suites.push(await foreignSuite(source, directory, options.ms));
  for (const suite of suites) report(await measure(suite, options.rounds), suite.meanGoal);
  report(await measureStart(directory, options.rounds));
}
try {
  if (options.table === "own") await ownTables();
  else {
    const note = (line: string) => console.error(line);
    for await (const t of peerTables(options.table, options.rounds, note)) {
      report(t.rows.map((row) => ({ ...row, group: t.title })), t.meanGoal);
    }
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  failed = true;
} finally {
  Deno.removeSync(directory, { recursive: true });
}
if (options.json) {
  console.log(
    JSON.stringify(
      { version: JSON_VERSION, deno: Deno.version.deno, v8: Deno.version.v8, rounds: options.rounds, rows },
      undefined,
      2,
    ),
  );
}
Deno.exit(failed ? 1 : 0);
