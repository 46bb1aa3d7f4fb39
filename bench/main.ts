/**
 * `deno task bench [--json] [--quick] [--reps N]`: this repository's own programs natively and under Hedra, in turn, in one run.
 * `deno task bench cpu|linux|hedron|mediator|restarts [ARGS]` runs that program of this folder.
 */
import { execute, runHedra } from "../tests/process.ts";
import { readOptions } from "./options.ts";
import { extract, type Measured, ownSuites, runNative, runUnderHedra, type Suite, wallTime } from "./suites.ts";
import { type Goal, JSON_VERSION, markdown, median, type Row } from "./table.ts";

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

/** Benchmarks that are programs of their own, and their arguments; undefined: it prints its usage itself. */
const PROGRAMS = new Map([["cpu", undefined], ["linux", undefined], ["hedron", ""], ["mediator", " [ROUNDS]"], [
  "restarts",
  " [TIMES]",
]]);
if (PROGRAMS.has(Deno.args[0])) {
  const usage = PROGRAMS.get(Deno.args[0]);
  if (usage !== undefined && /^(-h|--help)$/.test(Deno.args[1])) {
    console.log(`usage: deno task bench ${Deno.args[0]}${usage}`);
    Deno.exit(0);
  }
  const args = ["run", "-A", new URL(`${Deno.args[0]}.ts`, import.meta.url).href, ...Deno.args.slice(1)];
  Deno.exit(
    (await new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "inherit", stderr: "inherit" }).spawn().status).code,
  );
}

if (Deno.args[0] !== undefined && !Deno.args[0].startsWith("-")) {
  console.error(`bench: no benchmark "${Deno.args[0]}": there are ${[...PROGRAMS.keys()].join(", ")}`);
  Deno.exit(2);
}
const options = readOptions(Deno.args, "", [], [
  "",
  `Others: deno task bench ${[...PROGRAMS.keys()].join("|")}, each with --help`,
]);
const directory = Deno.makeTempDirSync({ prefix: "hedra-bench-" });
const rows: Row[] = [];
const report = (added: Row[], meanGoal?: Goal) => {
  rows.push(...added);
  if (!options.json) console.log(markdown(added[0].group, added, meanGoal));
};
let failed = false;
try {
  const suites = ownSuites(directory, options.quick ? 10_000 : 100_000);
  for (const suite of suites) report(await measure(suite, options.reps));
  report(await measureStart(directory, options.reps));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  failed = true;
} finally {
  Deno.removeSync(directory, { recursive: true });
}
if (options.json) {
  console.log(
    JSON.stringify(
      { version: JSON_VERSION, deno: Deno.version.deno, v8: Deno.version.v8, reps: options.reps, rows },
      undefined,
      2,
    ),
  );
}
Deno.exit(failed ? 1 : 0);
