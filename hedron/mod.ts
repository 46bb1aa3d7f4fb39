export * from "./api.ts";
export * from "./inspect.ts";
export { Kernel, type KernelEvent, type KernelHooks, NUM_CPU, NUM_GSI, type RunResult, type RunState } from "./kernel.ts";
