/**
 * What the place of the personality costs (the thesis's mediator question): `deno run -A bench/mediator.ts [ROUNDS]`. Runs the benchmark
 * guest with each placement in turn, so that a slow moment of the host meets both, and prints the median of each operation with the
 * fastest and slowest round. A difference within that range says nothing.
 */
import { runHedra, text } from "../tests/process.ts";
import { PLACEMENTS } from "../roottask/boot_config.ts";

const IMAGE = new URL("../guests/boot.tar", import.meta.url).pathname;
/** Calls of the personality, and last a control that does not pass through it: what differs there is noise. */
const OPERATIONS = ["getppid", "set_tid_address", "fstat", "open_close", "hypercall_pt_ctrl"] as const;
const ROUNDS = Number(Deno.args[0] ?? 9), COUNT = "20000";

const samples = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  // Who goes first alternates.
  for (const placement of round % 2 === 0 ? PLACEMENTS : PLACEMENTS.toReversed()) {
    const { code, stdout, stderr } = await runHedra(["run", "--personality", placement, "--root", IMAGE, "/bin/bench", COUNT]);
    if (code !== 0) throw new Error(`The benchmark failed with --personality ${placement}: ${text(stderr)}`);
    for (const [, name, ns] of text(stdout).matchAll(/^(\w+) ns=([\d.]+)$/gm)) {
      const key = `${name} ${placement}`;
      samples.set(key, [...samples.get(key) ?? [], Number(ns)]);
    }
  }
}

console.log(`ns per operation, median of ${ROUNDS} interleaved rounds (fastest to slowest)\n`);
console.log(["operation".padEnd(20), ...PLACEMENTS.map((placement) => placement.padStart(28))].join(""));
for (const operation of OPERATIONS) {
  const cells = PLACEMENTS.map((placement) => {
    const sorted = (samples.get(`${operation} ${placement}`) ?? []).toSorted((a, b) => a - b);
    return `${sorted[sorted.length >> 1]} (${sorted[0]} to ${sorted[sorted.length - 1]})`.padStart(28);
  });
  console.log(operation.padEnd(20) + cells.join(""));
}
