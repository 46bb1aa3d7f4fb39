export * from "./api.ts";
export * from "./inspect.ts";
export { eventText, type KernelEvent } from "./event.ts";
export { Kernel, type KernelHooks, type RunResult, type RunState } from "./kernel.ts";
export { bootGuest, type GuestBoot } from "./boot.ts";
export { type BootModule } from "./hip.ts";
