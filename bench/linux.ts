/**
 * `deno task bench linux`: system calls, processes, files and programs under the Linux personality next to native Linux. Needs BENCH_SRC
 * (README.md, Speed).
 */
import { execute, text } from "../tests/process.ts";
import { readOptions } from "./options.ts";
import { fromSource } from "./places.ts";
import { Report, runBenchmark } from "./report.ts";
import { NATIVE, OURS } from "./systems.ts";
import { linuxGroups } from "./workloads.ts";

/** A git work tree with 1000 files, one of them changed. */
async function makeTree(directory: string): Promise<void> {
  const script =
    'mkdir "$0" && cd "$0" && for d in $(seq 20); do mkdir $d; for f in $(seq 50); do echo $d $f > $d/$f; done; done && ' +
    "git init -q && git add . && git -c user.name=b -c user.email=b@b commit -qm all && echo more >> 1/1";
  const { code, stderr } = await execute("/bin/sh", ["-c", script, directory]);
  if (code !== 0) throw new Error(`Cannot make a git tree: ${text(stderr).trim()}`);
}

const options = readOptions(Deno.args, " linux", ["calls", "ipc", "spawn", "files", "real", "redis"]);
await runBenchmark(async (scratch) => {
  const source = Deno.env.get("BENCH_SRC");
  if (!source) throw new Error("set BENCH_SRC to the directory of the benchmarks' sources (README.md, Speed)");
  const places = await fromSource(source, scratch, () => {});
  if (options.groups.includes("real")) await makeTree(`${scratch}/tree`);
  const report = new Report(options, [NATIVE, OURS]);
  for (const group of linuxGroups(places)) {
    if (!options.groups.includes(group.key)) continue;
    const entries = await report.measure(group);
    report.show(group.title, entries, { mean: group.meanGoal, workloads: group.workloads });
  }
  report.finish();
  return report;
});
