/** One emulated computer: processor, kernel, ports and the loop that shares the host's event loop with it. */
import { type CpuLevel, createCpu } from "./cpu/mod.ts";
import type { CpuOptions } from "./cpu/cpu.ts";
import type { Cpu } from "./cpu/api.ts";
import { PAGE, USER_RAM } from "./cpu/layout.ts";
import type { HostProgram, MachineControl } from "./hedron/api.ts";
import { bootGuest } from "./hedron/boot.ts";
import type { BootModule } from "./hedron/hip.ts";
import { Kernel, type KernelHooks } from "./hedron/kernel.ts";
import type { Host } from "./host/api.ts";

/** Longest stretch without letting the host's event loop breathe, ns. */
const SLICE_NS = 10_000_000;
/** The first one: whatever a guest that has just started waits for is not there yet, and a short program has ended by then. */
const FIRST_SLICE_NS = 50_000_000;

/** Devices behind I/O ports; unknown ports read as all ones and swallow writes. */
export interface PortDevices {
  read(port: number, bytes: number): number;
  write(port: number, bytes: number, value: number): void;
  /** Called after each stretch of guest execution: hand on what was buffered. */
  flush?(): void;
}

/** Why `Machine.run` returned: `stop` was called; no EC can ever run again; or every EC waits and no timer will wake one. */
export type RunEnd = "stopped" | "finished" | "idle";

export interface MachineOptions {
  /** RAM that guests can be given, MiB. */
  memoryMiB: number;
  host: Pick<Host, "now" | "random" | "idle" | "prebuilt">;
  ports?: PortDevices;
  /** Diagnostics of the kernel; see KernelHooks. */
  event?: KernelHooks["event"];
  hostError?: KernelHooks["hostError"];
  /** Interface version of the kernel; API 5004 unless given. */
  version?: KernelHooks["version"];
  /** Replaces the processor, or makes it (tests, tools). */
  cpu?: Cpu | MakeCpu;
  /** Instruction set, default "v3". */
  level?: CpuLevel;
}

/** Makes a processor for a machine; see createCpu. */
export type MakeCpu = (options: CpuOptions) => Cpu;

/** A file that the boot loader puts into RAM. */
export interface ModuleFile {
  bytes: Uint8Array;
  /** What follows the file's name in the boot loader's menu; "" = none. */
  commandLine: string;
}

/** TSC ticks are nanoseconds. */
const TSC_KHZ = 1_000_000;
/** End of the RAM that boot modules may lie in. */
const MODULE_LIMIT = 0x4000_0000;
/** COM1. */
export const SERIAL_PORT = 0x3f8;

/** A machine is a value: make as many as memory allows. */
export class Machine implements MachineControl {
  readonly cpu: Cpu;
  readonly kernel: Kernel;
  readonly #host: MachineOptions["host"];
  readonly #ports: PortDevices | undefined;
  #stopped = false;
  /** Interrupts that came while the kernel was running. */
  readonly #pending: number[] = [];
  #running = false;
  #wake: (() => void) | undefined;

  constructor(options: MachineOptions) {
    const { host, ports } = options, tsc = () => host.now();
    this.#host = host;
    this.#ports = ports;
    const make = typeof options.cpu === "function" ? options.cpu : createCpu;
    this.cpu = typeof options.cpu === "object" ? options.cpu : make({
      ramBytes: USER_RAM + options.memoryMiB * 0x10_0000,
      hooks: {
        tsc,
        portAllowed: (port, bytes) => this.kernel.portAllowed(port, bytes),
        portIn: (port, bytes) => ports?.read(port, bytes) ?? 2 ** (8 * bytes) - 1,
        portOut: (port, bytes, value) => ports?.write(port, bytes, value),
        random: (out) => host.random(out),
      },
      level: options.level,
      prebuilt: host.prebuilt?.(),
    });
    this.kernel = new Kernel(this.cpu, { tsc, event: options.event, hostError: options.hostError, version: options.version });
  }

  /** Installs a TypeScript roottask; `run` starts it. */
  boot(roottask: HostProgram): void {
    this.kernel.bootHost(roottask);
  }

  /**
   * Loads boot modules at the bottom of guest RAM, the roottask's ELF file first, and starts it (ABI 2). Their command lines stand
   * behind them. Everything lies below 1 GiB: the thesis's roottask takes what is above for free RAM (ABI 10.7). Throws a RangeError
   * when that is too little.
   */
  bootGuest(files: readonly ModuleFile[]): void {
    const { u8, size } = this.cpu.ram, modules: BootModule[] = [];
    let next = USER_RAM;
    const place = (bytes: Uint8Array): number => {
      const address = next;
      if (address + bytes.length > Math.min(size, MODULE_LIMIT)) {
        throw new RangeError("Cannot load boot modules: memory is too small");
      }
      u8.set(bytes, address);
      next = Math.ceil((address + bytes.length) / PAGE) * PAGE;
      return address;
    };
    const addresses = files.map(({ bytes }) => place(bytes));
    files.forEach(({ bytes, commandLine }, i) => {
      const text = commandLine === "" ? 0 : place(new TextEncoder().encode(`${commandLine}\0`));
      modules.push({ address: addresses[i], size: bytes.length, commandLine: text });
    });
    bootGuest(this.kernel, { modules, tscKhz: TSC_KHZ, serialPort: SERIAL_PORT });
  }

  /**
   * Runs until `stop`, or until nothing can happen any more. Uses no host CPU while every EC waits. `endWhenIdle`: no interrupt
   * will ever come from outside, so a machine in which all ECs wait without a deadline has ended too.
   */
  async run(how: { endWhenIdle?: boolean } = {}): Promise<RunEnd> {
    const turns = new Turns();
    try {
      return await this.#turns(turns, how);
    } finally {
      turns.close();
    }
  }
  async #turns(turns: Turns, how: { endWhenIdle?: boolean }): Promise<RunEnd> {
    for (let slice = FIRST_SLICE_NS; !this.#stopped; slice = SLICE_NS) {
      this.#running = true;
      const result = this.kernel.run(slice);
      this.#running = false;
      this.#ports?.flush?.();
      const interrupted = this.#deliver();
      if (this.#stopped) break;
      if (result.state === "finished" && !interrupted) return "finished";
      if (how.endWhenIdle && result.state === "idle" && result.deadline === Infinity && !interrupted) return "idle";
      if (result.state === "slice" || interrupted) await turns.next();
      else await Promise.race([this.#host.idle(result.deadline), this.#interrupted()]);
    }
    return "stopped";
  }

  interrupt(gsi: number): void {
    if (this.#running) {
      this.#pending.push(gsi);
      return;
    }
    this.kernel.interrupt(gsi);
    this.#wake?.();
  }

  stop(): void {
    this.#stopped = true;
    this.kernel.stop();
    this.#wake?.();
  }

  #deliver(): boolean {
    const any = this.#pending.length > 0;
    for (const gsi of this.#pending.splice(0)) this.kernel.interrupt(gsi);
    return any;
  }

  /** Ends an idle wait when an interrupt comes without a host event. */
  #interrupted(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** Turns that go through a message port: a program of a fifth of a second needs no more. */
const PORT_TURNS = 15;

/**
 * Turns of the event loop: about 5 us each, where setTimeout(0) takes 1 to 2 ms. For setImmediate Deno first loads modules for 3 ms, so
 * the first turns are messages; but these overtake timers, signals and input.
 */
class Turns {
  #channel: MessageChannel | undefined;
  #done: () => void = () => {};
  #count = 0;

  next(): Promise<void> {
    if (this.#count++ >= PORT_TURNS) return new Promise((resolve) => setImmediate(() => resolve()));
    if (!this.#channel) {
      this.#channel = new MessageChannel();
      this.#channel.port1.onmessage = () => this.#done();
    }
    const { port2 } = this.#channel;
    return new Promise((resolve) => {
      this.#done = resolve;
      port2.postMessage(undefined);
    });
  }
  /** Lets the process end. */
  close(): void {
    this.#channel?.port1.close();
  }
}
