/** What workloads run on: this machine, Hedra, and other emulators of x86-64 in user mode ("peers"). */
import { execute, GUEST_ENV, HEDRA, type Outcome } from "../tests/process.ts";
import type { Workload } from "./workloads.ts";

export interface System {
  /** Head of its column. */
  readonly name: string;
  /** Runs it; undefined when it cannot run such a workload at all. */
  run(w: Workload): Promise<Outcome> | undefined;
  /** Runs that come first and do not count: it keeps something from run to run. */
  readonly warmUps?: number;
}

/** Interpreting peers on a busy machine take minutes. */
export const TIME_LIMIT_MS = 900_000;

const launch = ([command, ...args]: readonly string[], env: Record<string, string>): Promise<Outcome> =>
  execute(command, args, { env, timeLimitMs: TIME_LIMIT_MS });

/** This machine, behind `prefix`: nothing for the processor itself, an emulator for a peer. */
const behind = (name: string, prefix: readonly string[]): System => ({
  name,
  run: (w) => launch([...(w.pinned ? ["taskset", "-c", "0"] : []), ...prefix, ...w.command], { ...GUEST_ENV, ...w.env?.native }),
});

export const NATIVE: System = behind("native", []);

/** The command that stands for `hedra`, words with blanks between them; by default main.ts of this repository. */
const command = Deno.env.get("BENCH_HEDRA")?.split(/\s+/).filter((word) => word !== "") ?? HEDRA;

function runHedra(w: Workload, more: Readonly<Record<string, string>>): Promise<Outcome> {
  const env = Object.entries(w.env?.guest ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  // Deno finds its own caches by the host's environment.
  return launch([...command, "run", "--root", "/", ...env, ...w.command], { ...Deno.env.toObject(), ...more });
}
/** As it is used: with code kept from the runs before, in the benchmark's own directory (report.ts). */
export const OURS: System = { name: "Hedra", warmUps: 2, run: (w) => runHedra(w, {}) };
/** Every run is the first one. */
export const FIRST_RUN: System = { name: "Hedra 1st run", run: (w) => runHedra(w, { HEDRA_CACHE: "" }) };

/** Emulators that are looked for on PATH. */
const KNOWN_PEERS = ["qemu-x86_64", "blink"] as const;

function onPath(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((directory) => {
    try {
      return Deno.statSync(`${directory}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}

/** `BENCH_PEERS=NAME=COMMAND PREFIX,...` -> peers. Throws on anything else. */
export function parsePeers(text: string): System[] {
  return text.split(",").filter((each) => each.trim() !== "").map((each) => {
    const [, name, prefix] = /^\s*([^=]+?)\s*=\s*(.+?)\s*$/.exec(each) ?? [];
    if (name === undefined) throw new Error(`Cannot use "${each}" in BENCH_PEERS: expected NAME=COMMAND PREFIX`);
    return behind(name, prefix.split(/\s+/));
  });
}

/** The peers that are installed, and those of BENCH_PEERS. */
export function peers(): System[] {
  const named = parsePeers(Deno.env.get("BENCH_PEERS") ?? "");
  const found = KNOWN_PEERS.filter((name) => onPath(name) && !named.some((each) => each.name === name));
  return [...found.map((name) => behind(name, [name])), ...named];
}

/** The same kernels compiled from C to WebAssembly instead of x86-64: what no translator of machine code gets below. */
export const compiledToWasm = (runner: string, module: string): System => ({
  name: "C to wasm",
  run: ({ kernel }) =>
    kernel === undefined
      ? undefined
      : launch([Deno.execPath(), "run", "-A", runner, module, kernel.name, String(kernel.ms)], Deno.env.toObject()),
});
