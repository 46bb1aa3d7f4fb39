/**
 * What the place of the personality costs (the thesis's mediator question): `deno task bench mediator [ROUNDS]`. Runs the benchmark
 * guest with each placement in turn, so that a slow moment of the host meets both, and prints the median of each operation with the
 * fastest and slowest round. A difference within that range says nothing. A library in the program's own domain needs a personality in
 * machine code: the second table has one in C in all places, and with the nested call that stands for a mediator. Ratios are to native
 * getppid of the same binary in the same run.
 */
import { execute, runHedra, text } from "../tests/process.ts";
import { PLACEMENTS } from "../roottask/boot_config.ts";
import { runRoottask } from "./roottask.ts";
import { extract } from "./suites.ts";

const IMAGE = new URL("../guests/boot.tar", import.meta.url).pathname;
/** Calls of the personality, and last a control that does not pass through it: what differs there is noise. */
const OPERATIONS = ["getppid", "set_tid_address", "fstat", "open_close", "hypercall_pt_ctrl"] as const;
const ROUNDS = Number(Deno.args[0] ?? 9), COUNT = "20000";

const samples = new Map<string, number[]>();
const note = (key: string, ns: number): void => void samples.set(key, [...samples.get(key) ?? [], ns]);
/** Operations of the roottask in C, by the place of its personality. */
const IN_C = [
  ["in a domain of its own", "foreign_call_guest_personality"],
  ["as a library in the program's domain", "foreign_call_library"],
  ["in a domain of its own, with a mediator", "foreign_call_mediator"],
] as const;
const directory = Deno.makeTempDirSync({ prefix: "hedra-bench-" }), native = extract("bench", directory);
for (let round = 0; round < ROUNDS; round++) {
  // Who goes first alternates.
  for (const placement of round % 2 === 0 ? PLACEMENTS : PLACEMENTS.toReversed()) {
    const { code, stdout, stderr } = await runHedra(["run", "--personality", placement, "--root", IMAGE, "/bin/bench", COUNT]);
    if (code !== 0) throw new Error(`The benchmark failed with --personality ${placement}: ${text(stderr)}`);
    for (const [, name, ns] of text(stdout).matchAll(/^(\w+) ns=([\d.]+)$/gm)) {
      note(`${name} ${placement}`, Number(ns));
    }
  }
  const { code, stdout } = await execute(native, [COUNT]);
  if (code !== 0) throw new Error("The benchmark failed natively");
  note("native", Number(/^getppid ns=([\d.]+)$/m.exec(text(stdout))?.[1]));
  const { ns } = await runRoottask("foreign_call_mediator");
  for (const [, name] of IN_C) note(name, ns.get(name) ?? NaN);
}
Deno.removeSync(directory, { recursive: true });

const medianOf = (key: string): number => {
  const sorted = (samples.get(key) ?? []).toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
};
const getppid = medianOf("native");

const cell = (key: string): string => {
  const sorted = (samples.get(key) ?? []).toSorted((a, b) => a - b);
  return `${medianOf(key)} (${sorted[0]} to ${sorted[sorted.length - 1]}), ${(medianOf(key) / getppid).toFixed(2)}x`;
};
console.log(
  `ns per operation, median of ${ROUNDS} interleaved rounds (fastest to slowest), ratio to native getppid (${getppid} ns)\n`,
);
console.log(["personality in TypeScript".padEnd(26), ...PLACEMENTS.map((placement) => placement.padStart(34))].join(""));
for (const operation of OPERATIONS) {
  console.log(operation.padEnd(26) + PLACEMENTS.map((placement) => cell(`${operation} ${placement}`).padStart(34)).join(""));
}
console.log("\npersonality in C, cheapest foreign call");
for (const [place, name] of IN_C) console.log(place.padEnd(42) + cell(name).padStart(34));
