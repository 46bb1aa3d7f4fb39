/**
 * Runs a program in this process and then tells on stderr, as one line of JSON, the most host memory that was in use and how many regions
 * were made: `deno run -A bench/memory.ts translate|interpret PROGRAM ARGS`. The guest sees the host's root; every run has the same
 * addresses, so that both ways touch the same pages of the guest's RAM. What translation costs is the difference (memory_row.ts).
 */
import { noOptions } from "../cli/option_rows.ts";
import { validate } from "../cli/options.ts";
import { bootMachine, configure } from "../cli/run.ts";
import { HedraCpu } from "../cpu/cpu.ts";
import { denoHost } from "../host/deno_host.ts";

/** What this program prints. */
export interface MemoryUse {
  exitCode: number;
  /** Resident bytes of the whole process at its peak (VmHWM of /proc/self/status). */
  peak: number;
  /** Regions made, and the bytes of their WebAssembly. */
  regions: number;
  codeBytes: number;
}

function peakRss(): number {
  const kib = /^VmHWM:\s*(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
  if (kib === undefined) throw new Error("Cannot tell the peak of resident memory: /proc/self/status has no VmHWM");
  return Number(kib) * 1024;
}

if (import.meta.main) {
  const [way, program, ...args] = Deno.args;
  if (program === undefined || (way !== "translate" && way !== "interpret")) {
    console.error("usage: deno run -A bench/memory.ts translate|interpret PROGRAM ARGS");
    Deno.exit(2);
  }
  const config = await configure(validate({ ...noOptions(), root: "/", deterministic: true }), denoHost(), program, args);
  const heat = way === "interpret" ? Infinity : undefined;
  let cpu: HedraCpu | undefined;
  const { programs } = await bootMachine(config, (options) => cpu = new HedraCpu({ ...options, heat }));
  const regions = cpu?.stats().regions;
  if (regions === undefined) throw new Error("The machine has no processor of ours");
  const use: MemoryUse = {
    exitCode: programs[0].exitCode,
    peak: peakRss(),
    regions: regions.made,
    codeBytes: regions.codeBytes,
  };
  console.error(JSON.stringify(use));
  Deno.exit(0);
}
