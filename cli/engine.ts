import type { Cpu } from "../cpu/api.ts";
import { type CpuOptions, HedraCpu } from "../cpu/cpu.ts";
import { LockstepCpu } from "../host/unicorn/lockstep_cpu.ts";
import { UnicornCpu, unicornLevel } from "../host/unicorn/unicorn_cpu.ts";
import type { BootConfig } from "../roottask/boot_config.ts";
import { EXIT, UserError } from "./errors.ts";
import { type CpuEngine, ENGINE_HEAT } from "./options.ts";
import { bootMachine, finish } from "./run.ts";
import { print } from "./terminal.ts";

/** `hedra run --cpu-engine`: the same machine over another processor. Lockstep ends with exit code 1 at the first difference. */
export async function runWithEngine(config: BootConfig, engine: Exclude<CpuEngine, "hedra">): Promise<number> {
  let lockstep: LockstepCpu | undefined;
  const make = (options: CpuOptions): Cpu => {
    const heat = ENGINE_HEAT[engine];
    if (heat !== undefined) return new HedraCpu({ ...options, heat });
    try {
      return engine === "unicorn" ? new UnicornCpu(options) : lockstep = new LockstepCpu(options, stop);
    } catch (error) {
      if (!(error instanceof Error) || !/libunicorn/.test(error.message)) throw error;
      throw new UserError(`Cannot load libunicorn.so.2: install Debian's package libunicorn2`, EXIT.FAILURE);
    }
  };
  const cpuLevel = engine === "unicorn" ? unicornLevel(config.cpuLevel) : config.cpuLevel;
  const exitCode = finish((await bootMachine({ ...config, cpuLevel }, make)).programs[0]);
  if (lockstep) {
    const { judged, skipped } = lockstep;
    print("stderr", `hedra: lockstep: ${judged} instructions equal, ${skipped} not compared\n`);
  }
  return exitCode;
}

/** Nothing after the difference means anything. */
function stop(report: string): never {
  print("stderr", `${report}\n`);
  Deno.exit(EXIT.FAILURE);
}
