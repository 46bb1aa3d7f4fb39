import { HedraCpu } from "../cpu/cpu.ts";
import { type Cpu, createCpu } from "../cpu/mod.ts";
import type { MakeCpu } from "../machine.ts";
import type { BootConfig } from "../roottask/boot_config.ts";
import { ENGINE_HEAT, type RunOptions } from "./options.ts";
import { bootMachine, finish } from "./run.ts";
import { statsText } from "./stats_text.ts";
import { print } from "./terminal.ts";

/** Version of the JSON that `--stats --json` prints. */
const JSON_VERSION = 1;

/** `hedra run --stats`: the statistics follow on stderr when the program has ended. */
export async function runWithStats(config: BootConfig, { json, engine }: RunOptions, make: MakeCpu = createCpu): Promise<number> {
  let cpu: Cpu | undefined;
  const began = config.host.now();
  const result = await bootMachine(config, (options) => cpu = make({ ...options, heat: ENGINE_HEAT[engine] }));
  const exitCode = finish(result.programs[0]), elapsedNs = config.host.now() - began;
  const stats = cpu instanceof HedraCpu ? cpu.stats() : undefined;
  if (stats && json) print("stderr", `${JSON.stringify({ version: JSON_VERSION, elapsedNs, ...stats })}\n`);
  else if (stats) print("stderr", `${statsText(stats)}${"elapsed".padEnd(16)}${(elapsedNs / 1e6).toFixed(1)} ms\n`);
  return exitCode;
}
