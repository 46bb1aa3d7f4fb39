/**
 * `deno task bench cpu`: the speed of translated code next to native's and to what other emulators reach, group by group, with the goals.
 * Kernels (steady state and first repetition), whole programs, the start of a small program, host memory for translated code. Each
 * workload runs natively, on the peers that are installed, and under Hedra in turn, `--reps` times. BENCH_SRC, BENCH_BIN, BENCH_WORK,
 * BENCH_PEERS, BENCH_HEDRA: README.md, Speed.
 */
import { execute, text } from "../tests/process.ts";
import { summarize, type Summary } from "./comparison.ts";
import type { Entry } from "./contest.ts";
import type { MemoryUse } from "./memory.ts";
import { readOptions } from "./options.ts";
import { findPlaces, type Places } from "./places.ts";
import { Report, runBenchmark } from "./report.ts";
import { compiledToWasm, FIRST_RUN, NATIVE, OURS, peers, type System, TIME_LIMIT_MS } from "./systems.ts";
import { duration } from "./table.ts";
import { FIRST, type Group, KERNEL_GOALS, kernelGroups, REAL_GOAL, realGroup, type Workload } from "./workloads.ts";

const KERNELS = ["int", "call", "mem", "fp"] as const;
const options = readOptions(Deno.args, " cpu", [...KERNELS, "real", "hello", "memory"]);
const wants = (key: string): boolean => options.groups.includes(key);

/** A program of some milliseconds needs more repetitions. */
const HELLO_REPS = 5;
const START_GOAL = 2;
const MEMORY_GOAL_BYTES = 6000;
/** Each takes half a minute, and memory varies little. */
const MEMORY_REPS = 3;

async function kernels(p: Places, report: Report): Promise<Summary[]> {
  const groups = kernelGroups(p, options.quick ? 100 : 300).filter(({ key }) => wants(key));
  const summaries: Summary[] = [], all: Entry[] = [], first: Entry[] = [];
  for (const group of groups) {
    const entries = await report.measure(group), steady = entries.filter(({ name }) => !name.endsWith(FIRST));
    if (entries.length === 0) continue;
    all.push(...steady);
    for (const entry of entries) {
      if (entry.name.endsWith(FIRST)) first.push({ ...entry, name: entry.name.slice(0, -FIRST.length) });
    }
    report.show(group.title, steady, { mean: group.meanGoal });
    const atMost = group.meanGoal?.atMost ?? NaN;
    summaries.push(summarize(`${group.key}: ${steady.map(({ name }) => name).join(" ")}`, steady, report.names, atMost));
  }
  if (groups.length < KERNELS.length) return summaries;
  report.show("first repetition of each kernel", first, { mean: { of: "ratio", atMost: KERNEL_GOALS.first } });
  summaries.push(summarize(`all ${all.length} kernels`, all, report.names, KERNEL_GOALS.all));
  summaries.push(summarize("first repetition of each kernel", first, report.names, KERNEL_GOALS.first));
  return summaries;
}

async function wholePrograms(p: Places, report: Report): Promise<Summary[]> {
  const group = realGroup(p), entries = await report.measure(group);
  if (entries.length === 0) return [];
  report.show(group.title, entries, { mean: group.meanGoal });
  return [summarize(`${entries.length} real programs`, entries, report.names, REAL_GOAL)];
}

/** From the command to its end, next to a Deno program of one line that prints the same: the floor that Deno sets. */
async function hello(p: Places, report: Report, systems: readonly System[]): Promise<Summary[]> {
  const [program, ...args] = p.hello, script = `${p.scratch}/one_line.ts`;
  const expected = text((await execute(program, args)).stdout).replace(/\n$/, "");
  Deno.writeTextFileSync(script, `console.log(${JSON.stringify(expected)});\n`);
  const line: System = { name: "Deno", run: () => execute(Deno.execPath(), ["run", script]) };
  const w: Workload = { name: "hello", command: [...p.hello], measure: "wall", warmUp: true };
  const group: Group = { key: "hello", title: "start of a small program", workloads: [w] };
  const [entry] = await report.measure(group, [...systems.slice(0, -1), line, ...systems.slice(-1)], HELLO_REPS * options.reps);
  if (!entry) return [];
  const values = new Map([...entry.times].map(([system, { median }]) => [system, median]));
  const floor = values.get(line.name), ours = values.get(OURS.name);
  return [{
    name: `hello, start to end (one line of Deno: ${duration(floor)})`,
    unit: "ns",
    values,
    counts: new Map(),
    entries: 1,
    goal: { atMost: START_GOAL, text: `at most ${START_GOAL}x one line of Deno` },
    judged: ours === undefined || floor === undefined ? undefined : ours / floor,
  }];
}

/**
 * Host memory for each region: how much higher resident memory peaks when a program is translated than when the same run is interpreted to
 * its end, divided by the regions that were made. All that comes with them is in it: V8's machine code and its compiler's working memory,
 * WebAssembly, our tables, and garbage that has not been collected.
 */
async function memory(p: Places, report: Report): Promise<Summary[]> {
  const command = memoryProgram(p);
  if (command === undefined) {
    report.note("memory: left out: neither cc1 nor python3 is installed");
    return [];
  }
  const run = async (way: "translate" | "interpret"): Promise<MemoryUse> => {
    const path = new URL("memory.ts", import.meta.url).pathname;
    const { code, stderr } = await execute(Deno.execPath(), ["run", "-A", path, way, ...command], { timeLimitMs: TIME_LIMIT_MS });
    const use = code === 0 ? JSON.parse(text(stderr).trim().split("\n").at(-1) ?? "") as MemoryUse : undefined; // what it prints
    if (use?.exitCode !== 0) throw new Error(`Cannot ${way} "${command[0]}": ${text(stderr).trim().split("\n")[0]}`);
    return use;
  };
  // A late garbage collection only ever raises a peak, so the lowest of each way are compared.
  let interpretedPeak = Infinity, best: MemoryUse | undefined;
  try {
    for (let rep = 0; rep < Math.min(options.reps, MEMORY_REPS); rep++) {
      report.note(`memory ${command[0]} ...`);
      const interpreted = await run("interpret"), translated = await run("translate");
      interpretedPeak = Math.min(interpretedPeak, interpreted.peak);
      if (best === undefined || translated.peak < best.peak) best = translated;
      const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
      report.note(
        `memory ${command[0]}: ${translated.regions} regions, peak ${mb(translated.peak)}, interpreted ${mb(interpreted.peak)}`,
      );
    }
  } catch (error) {
    report.failed = true;
    report.note(`memory: failed: ${error instanceof Error ? error.message : error}`);
    return [];
  }
  if (best === undefined) return [];
  const each = (best.peak - interpretedPeak) / best.regions;
  return [{
    name: `host memory for each region (${command[0].split("/").at(-1)})`,
    unit: "bytes",
    values: new Map([[OURS.name, each]]),
    counts: new Map(),
    entries: 1,
    goal: { atMost: MEMORY_GOAL_BYTES, text: `at most ${MEMORY_GOAL_BYTES / 1000} KB` },
    judged: each,
  }];
}

/** A program with as many regions as possible, so that what does not depend on them hardly counts. */
function memoryProgram({ cc1, inputs, python }: Places): readonly string[] | undefined {
  const exists = (path: string): boolean => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  };
  if (exists(cc1)) return [cc1, "-quiet", "-O1", inputs.c, "-o", "/dev/null"];
  return exists(python[0]) ? python : undefined;
}

await runBenchmark(async (scratch) => {
  const others = peers(), notes: string[] = [], places = await findPlaces(scratch, (line) => notes.push(line));
  const { wasm } = places.kernels;
  const systems = [NATIVE, ...others, ...(wasm ? [compiledToWasm(wasm.runner, wasm.module)] : []), FIRST_RUN, OURS];
  const report = new Report(options, systems);
  for (const line of notes) report.note(line);
  report.note(`${report.names.join(", ")}; ${options.reps} repetitions`);
  const summaries = await kernels(places, report);
  if (wants("real")) summaries.push(...await wholePrograms(places, report));
  if (wants("hello")) summaries.push(...await hello(places, report, systems));
  if (wants("memory")) summaries.push(...await memory(places, report));
  report.finish(summaries);
  return report;
});
