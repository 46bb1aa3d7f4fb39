/** The emulated x86-64 processor. */
import type { Cpu } from "./api.ts";
import { type CpuOptions, HedraCpu } from "./cpu.ts";

export * from "./api.ts";
export type { CpuOptions } from "./cpu.ts";
export { CPU_LEVELS, type CpuLevel } from "./level.ts";
export * from "./space.ts";

export const createCpu = (options: CpuOptions): Cpu => new HedraCpu(options);
