/** Runs the groups of workloads.ts and makes rows of them. */
import { execute, GUEST_ENV, type Outcome, REPOSITORY, runHedra, text } from "../tests/process.ts";
import { wallTime } from "./suites.ts";
import { geometricMean, median, parseLines, type Row } from "./table.ts";
import { cpuGroups, type Group, linuxGroups, type Places, type Workload } from "./workloads.ts";

/** Milliseconds per kernel. */
const KERNEL_MS = 300;

/** Builds what BENCH_SRC has; throws when it is missing or does not build. */
async function prepare(scratch: string): Promise<Places> {
  const source = Deno.env.get("BENCH_SRC");
  if (!source) throw new Error("set BENCH_SRC to the directory of the benchmarks' sources");
  const bin = Deno.env.get("BENCH_BIN") ?? `${scratch}/bin`, work = Deno.env.get("BENCH_WORK") ?? `${scratch}/work`;
  const env = { ...Deno.env.toObject(), BENCH_BIN: bin, BENCH_WORK: work };
  const made = await execute("make", ["-s", "-C", source, "all"], { env });
  if (made.code !== 0) throw new Error(`cannot build "${source}": ${text(made.stderr)}`);
  Deno.writeFileSync(`${work}/f4m`, Deno.readFileSync(`${work}/f20m`).subarray(0, 4 << 20));
  const { stdout } = await execute("gcc", ["-print-prog-name=cc1"]);
  return { source, bin, work, scratch, cc1: text(stdout).trim() };
}

/** A git work tree with 1000 files, one of them changed. */
async function makeTree(directory: string): Promise<void> {
  const script =
    'mkdir "$0" && cd "$0" && for d in $(seq 20); do mkdir $d; for f in $(seq 50); do echo $d $f > $d/$f; done; done && ' +
    "git init -q && git add . && git -c user.name=b -c user.email=b@b commit -qm all && echo more >> 1/1";
  const { code, stderr } = await execute("/bin/sh", ["-c", script, directory]);
  if (code !== 0) throw new Error(`cannot make a git tree: ${text(stderr)}`);
}

function native(w: Workload): Promise<Outcome> {
  const [command, ...args] = w.pinned ? ["taskset", "-c", "0", ...w.command] : w.command;
  return execute(command, args, { env: { ...GUEST_ENV, ...w.env?.native } });
}
function underHedra(w: Workload): Promise<Outcome> {
  const env = Object.entries(w.env?.guest ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  return runHedra(["run", "--root", "/", ...env, ...w.command]);
}

interface Measured {
  ns: Map<string, number>;
  /** What must be the same on both sides. */
  result: string;
}
async function measure(w: Workload, run: (w: Workload) => Promise<Outcome>): Promise<Measured> {
  let outcome: Outcome | undefined;
  const wall = await wallTime(async () => outcome = await run(w));
  const stdout = text(outcome!.stdout);
  switch (w.measure) {
    case "wall":
      return { ns: new Map([[w.name, wall]]), result: stdout };
    case "requests": {
      const found = [...stdout.matchAll(/^(\w+): ([\d.]+) requests per second/gm)];
      return { ns: new Map(found.map(([, name, n]) => [`${w.name} ${name}`, 1e9 / Number(n)])), result: String(found.length) };
    }
    case "lines": {
      const lines = [...parseLines(stdout)];
      const ns = lines.flatMap(([name, fields]) =>
        (w.fields ?? []).flatMap((f): [string, number][] =>
          fields.has(f) ? [[w.fields!.length > 1 ? `${name} ${f}` : name, Number(fields.get(f)) * (w.scale ?? 1)]] : []
        )
      );
      return { ns: new Map(ns), result: lines.map(([name, fields]) => `${name} ${fields.get("check") ?? ""}`).join("\n") };
    }
  }
}

async function rowsOf(group: Group, rounds: number, note: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  for (const w of group.workloads) {
    const samples: { native: Measured; hedra: Measured }[] = [];
    try {
      for (let round = 0; round < rounds; round++) {
        samples.push({ native: await measure(w, native), hedra: await measure(w, underHedra) });
      }
    } catch (error) {
      note(
        `not measured: ${group.title}: ${w.name || w.command[0]}: ${
          error instanceof Error ? error.message.split("\n")[0] : error
        }`,
      );
      continue;
    }
    for (const s of samples) if (s.native.result !== s.hedra.result) throw new Error(`${w.name}: another result under Hedra`);
    for (const name of samples[0].native.ns.keys()) {
      const pairs = samples.map((s) => [s.native.ns.get(name)!, s.hedra.ns.get(name)!]);
      rows.push({
        group: group.title,
        name,
        native: median(pairs.map(([n]) => n)),
        hedra: median(pairs.map(([, h]) => h)),
        ratio: median(pairs.map(([n, h]) => h / n)),
        goal: w.goal,
      });
    }
  }
  return rows;
}

export interface Table {
  title: string;
  rows: Row[];
  meanGoal: Group["meanGoal"];
}

/** The table "cpu" or "linux", group by group. `note` is told what could not be measured, and why, and what is no time. */
export async function* peerTables(which: "cpu" | "linux", rounds: number, note: (line: string) => void): AsyncGenerator<Table> {
  const scratch = Deno.makeTempDirSync({ prefix: "hedra-bench-" });
  try {
    const places = await prepare(scratch);
    if (which === "linux") await makeTree(`${scratch}/tree`);
    const first: Row[] = [], steady: Row[] = [];
    for (const group of which === "cpu" ? cpuGroups(places, KERNEL_MS) : linuxGroups(places)) {
      const rows = await rowsOf(group, rounds, note);
      if (rows.length === 0) continue;
      const shown = group.field ? rows.filter((r) => r.name.endsWith(` ${group.field}`)) : rows;
      if (group.field) {
        first.push(...rows.filter((r) => r.name.endsWith(" first")));
        steady.push(...shown);
      }
      yield { title: group.title, rows: shown, meanGoal: group.meanGoal };
      if (which === "cpu" && steady.length === 13 && group.title.endsWith("fp")) {
        yield { title: "first repetition of each kernel", rows: first, meanGoal: { of: "ratio", atMost: 5 } };
        yield { title: "all kernels", rows: [allOf(steady)], meanGoal: undefined };
      }
    }
    if (which !== "cpu") return;
    yield* start(places, rounds);
    note(await memoryPerRegion(places));
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

function allOf(rows: readonly Row[]): Row {
  const ratio = geometricMean(rows.flatMap((r) => r.ratio ?? []));
  const mean = (of: "native" | "hedra") => geometricMean(rows.map((r) => r[of]!));
  return {
    group: "",
    name: "geometric mean",
    native: mean("native"),
    hedra: mean("hedra"),
    ratio,
    goal: { of: "ratio", atMost: 1.8 },
  };
}

/** A small program's start against a line of Deno. */
async function* start(p: Places, rounds: number): AsyncGenerator<Table> {
  const script = `${p.scratch}/hello.ts`, hello = `${p.bin}/hello`, deno: number[] = [], ours: number[] = [];
  Deno.writeTextFileSync(script, 'console.log("hello");\n');
  for (let round = 0; round < 4 * rounds + 1; round++) {
    const plain = await wallTime(() => execute(Deno.execPath(), ["run", script]));
    const started = await wallTime(() => runHedra(["run", hello]));
    if (round === 0) continue; // fills caches
    deno.push(plain);
    ours.push(started);
  }
  const row: Row = {
    group: "",
    name: "hello, static (native column: a Deno program of one line)",
    native: median(deno),
    hedra: median(ours),
    ratio: median(ours.map((t, i) => t / deno[i])),
    goal: { of: "ratio", atMost: 2 },
  };
  yield { title: "start to end", rows: [row], meanGoal: undefined };
}

/** Host memory for each region of a program with thousands of them; an upper bound, as the program's own memory is in it. */
async function memoryPerRegion(p: Places): Promise<string> {
  const peak = async (command: string[]) => {
    const hedra = [Deno.execPath(), "run", "-A", `${REPOSITORY}main.ts`, "run", "--root", "/", "--stats", "--json", ...command];
    const { stderr, code } = await execute("/usr/bin/time", ["-f", "%M", ...hedra]);
    const [, made] = text(stderr).match(/"made": ?(\d+)/) ?? [];
    if (code !== 0 || made === undefined) throw new Error(`${command[0]}: ${text(stderr).split("\n")[0]}`);
    return { kib: Number(text(stderr).trim().split("\n").at(-1)), regions: Number(made) };
  };
  try {
    const small = await peak([`${p.bin}/hello`]),
      large = await peak([p.cc1, "-quiet", "-O1", `${p.work}/f2k.c`, "-o", "/dev/null"]);
    const each = (large.kib - small.kib) / (large.regions - small.regions);
    return `memory: at most ${each.toFixed(1)} KiB of RSS per region (goal: 6 KB): cc1 makes ${large.regions} and takes ${
      (large.kib / 1024).toFixed(0)
    } MiB, hello takes ${(small.kib / 1024).toFixed(0)} MiB`;
  } catch (error) {
    return `not measured: memory per region: ${error instanceof Error ? error.message : error}`;
  }
}
