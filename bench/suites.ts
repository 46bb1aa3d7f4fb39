/** What `deno task bench` measures: each suite is one program that is run natively and under Hedra. */
import { committedGuests } from "../guests/build.ts";
import { execute, type Outcome, runHedra, text } from "../tests/process.ts";
import { type Goal, parseLines } from "./table.ts";

export interface Suite {
  group: string;
  /** Path of the program on this machine. */
  program: string;
  args: string[];
  /** false: there is no native counterpart (hyperapps). */
  native: boolean;
  /** The same file system kind on both sides: Linux's tmpfs against Hedra's memory file system. */
  env: { native: Record<string, string>; guest: Record<string, string> };
  /** Field of the printed lines that holds nanoseconds. */
  field: string;
  goals: Record<string, Goal>;
}

const ratio = (atMost: number): Goal => ({ of: "ratio", atMost });
const ns = (atMost: number): Goal => ({ of: "ns", atMost });

/** Measurements by name, and checksums that must be the same on both sides. */
export interface Measured {
  ns: Map<string, number>;
  checks: Map<string, string>;
}

/** Writes a guest of the boot image to `directory`. */
export function extract(name: string, directory: string): string {
  const member = committedGuests().get(`bin/${name}`);
  if (member === undefined) throw new Error(`boot.tar has no ${name}; run: deno task guests`);
  const path = `${directory}/${name}`;
  Deno.writeFileSync(path, member.bytes, { mode: 0o755 });
  return path;
}

/** tmpfs where there is one. */
function tmpfs(): string {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : "/tmp";
  } catch {
    return "/tmp";
  }
}

/** The suites of this repository. `iterations` scales the short operations. */
export function ownSuites(directory: string, iterations: number): Suite[] {
  const none = { native: {}, guest: {} };
  return [
    {
      group: "Linux system calls, hypercalls, IPC and files (Linux program and hybrid: one binary)",
      program: extract("bench", directory),
      args: [String(iterations)],
      native: true,
      env: { native: { BENCH_DIR: tmpfs() }, guest: { BENCH_DIR: "/tmp" } },
      field: "ns",
      goals: { getppid: ratio(3), ipc_cross_raw: ns(1000), write_1m_256k: ratio(2), read_1m_256k: ratio(2) },
    },
    {
      group: "Hypercalls, IPC and files (hyperapp)",
      program: extract("bench-hyperapp", directory),
      args: [],
      native: false,
      env: none,
      field: "ns",
      goals: { ipc_cross_raw: ns(1000) },
    },
  ];
}

function measured(suite: Suite, outcome: Outcome): Measured {
  if (outcome.code !== 0) throw new Error(`${suite.program} ended with ${outcome.code}: ${text(outcome.stderr)}`);
  const lines = [...parseLines(text(outcome.stdout))];
  return {
    ns: new Map(lines.flatMap(([name, fields]) => fields.has(suite.field) ? [[name, Number(fields.get(suite.field))]] : [])),
    checks: new Map(lines.flatMap(([name, fields]) => fields.has("check") ? [[name, String(fields.get("check"))]] : [])),
  };
}

export async function runNative(suite: Suite): Promise<Measured> {
  return measured(suite, await execute(suite.program, suite.args, { env: suite.env.native }));
}

export async function runUnderHedra(suite: Suite): Promise<Measured> {
  const options = Object.entries(suite.env.guest).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  return measured(suite, await runHedra(["run", ...options, suite.program, ...suite.args]));
}

/** Wall time in ns of one run of a command. */
export async function wallTime(run: () => Promise<Outcome>): Promise<number> {
  const start = performance.now();
  const outcome = await run();
  if (outcome.code !== 0) throw new Error(`ended with ${outcome.code}: ${text(outcome.stderr)}`);
  return (performance.now() - start) * 1e6;
}
