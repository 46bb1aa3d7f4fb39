/**
 * `deno task bench restarts [TIMES]`: kills the Linux personality, with a program that has just been started, and starts it again 1000 times
 * in a row. Kernel memory, domains and capabilities stay level; the host's memory grows with the code caches until these are full.
 */
import { killPersonality } from "../tests/support/kill_personality.ts";

const times = Number(Deno.args[0] ?? 1000), started = performance.now();
let kills = 0;
console.log("kills  seconds  host memory, MiB");
const { samples } = await killPersonality(times, () => {
  if (++kills % Math.ceil(times / 10) !== 0) return;
  const seconds = ((performance.now() - started) / 1000).toFixed(1), mib = (Deno.memoryUsage().rss / 2 ** 20).toFixed(0);
  console.log(String(kills).padEnd(7) + seconds.padEnd(9) + mib);
});
for (const what of ["pages", "domains", "roottask"] as const) {
  const values = samples.map((each) => each[what]);
  const name = { pages: "kernel memory, bytes", domains: "domains", roottask: "capabilities of roottask" }[what];
  console.log(`${name}: ${Math.min(...values)} to ${Math.max(...values)}`);
}
Deno.exit(0);
