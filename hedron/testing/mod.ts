import type { HostProgram } from "../api.ts";
import { Kernel, type KernelEvent, type RunResult } from "../kernel.ts";
import { FakeCpu } from "./fake_cpu.ts";

export { FakeCpu, type Machine, type Script, type Step } from "./fake_cpu.ts";
export { FakeSpace } from "./fake_space.ts";

/** A kernel on a fake processor and a fake clock: 1 us per look at the clock. */
export interface TestKernel {
  readonly kernel: Kernel;
  readonly cpu: FakeCpu;
  readonly events: KernelEvent[];
  /** Runs until nothing is ready (at most a fake second). */
  run(): RunResult;
}

export function testKernel(main: HostProgram["main"], ramBytes?: number): TestKernel {
  const cpu = new FakeCpu(ramBytes), events: KernelEvent[] = [];
  const kernel = new Kernel(cpu, { tsc: () => cpu.time += 100, event: (event) => events.push(event) });
  kernel.bootHost({ name: "roottask", main });
  return { kernel, cpu, events, run: () => kernel.run(1e9) };
}
