import assert from "node:assert/strict";
import { fastParse } from "./fast_parse.ts";
import type { RawOptions } from "./option_rows.ts";
import { buildProgram, forCommander } from "./program.ts";

type Parsed = { options: RawOptions; program: string; args: string[] } | undefined;

/** What commander makes of `run ARGS`; undefined when it refuses. */
async function withCommander(args: string[]): Promise<Parsed> {
  let result: Parsed;
  const actions = {
    run: (options: RawOptions, program: string, rest: string[]) =>
      Promise.resolve((result = { options, program, args: rest }, 0)),
    profile: () => Promise.resolve(0),
    demo: () => Promise.resolve(0),
    inspect: () => Promise.resolve(0),
    boot: () => Promise.resolve(0),
    syscalls: () => Promise.resolve(0),
    trace: () => Promise.resolve(0),
  };
  const output = { out: () => {}, err: () => {}, color: false, columns: 80 };
  try {
    await buildProgram(actions, output, () => {}).parseAsync(forCommander(["run", ...args]), { from: "user" });
  } catch {
    return undefined;
  }
  return result;
}

const LINES: readonly string[][] = [
  ["prog"],
  ["prog", "--help", "-x", "--", "y"],
  ["--strace", "prog", "--strace"],
  ["--env", "A=1", "--env=B=2", "prog"],
  ["--memory=64", "--root", "/tmp", "--cwd", "/x", "prog", "a", "b"],
  ["--", "prog", "-x"],
  ["--verbose", "--", "--prog"],
  ["--mount", "/a:/b", "--mount", "/c:/d:rw", "--kind", "linux", "prog"],
  ["--env", "--strace", "prog"],
  ["--env=", "prog"],
  ["prog", ""],
  [""],
  ["-"],
  [],
  ["--strace"],
  ["--memory"],
  ["--unknown", "prog"],
  ["--strace=yes", "prog"],
  ["-x", "prog"],
  ["--json", "prog"],
  ["--stats", "--json", "prog"],
  ["--"],
  ["--allow-env", "prog"],
  ["--allow-env=A,B", "prog", "--allow-env"],
  ["--allow-env=", "prog"],
  ["--cwd", "--allow-env", "prog"],
  ["--max-procs", "5", "--timeout=1.5", "prog"],
  ["--strace=%file,read", "--strace-summary", "prog"],
  ["--cpu-engine", "hedra", "prog"],
  ["--diff", "--commit", "out", "prog"],
  ["--maxProcs", "5", "prog"],
];

for (const line of LINES) {
  Deno.test(`the fast parser and commander agree on: run ${JSON.stringify(line)}`, async () => {
    assert.deepEqual(fastParse(line), await withCommander(line));
  });
}
