/** Puts a machine together, boots it and runs it until its programs have ended. */
import type { Cpu } from "../cpu/api.ts";
import { PAGE, USER_RAM } from "../cpu/layout.ts";
import { MOUNT_KIND } from "../fs/protocol.ts";
import { writeTar } from "../fs/tar_writer.ts";
import { eventText } from "../hedron/event.ts";
import { inspect } from "../hedron/inspect.ts";
import type { KernelEvent } from "../hedron/kernel.ts";
import type { Host, HostDirectory } from "../host/api.ts";
import { Machine, type MakeCpu } from "../machine.ts";
import type { BootConfig, BootResult, FileSource, ProgramResult, ProgramSpec } from "./boot_config.ts";
import type { Range } from "./host_pds.ts";
import { GSI } from "./layout.ts";
import { POOL_ALIGN, type PreparedMount, Roottask } from "./roottask.ts";

/** The user asked for something impossible; the message is one line for the terminal. */
export class BootError extends Error {
  override name = "BootError";
}

/** A machine that is set up and can be run once. Tools look at its kernel before, while and after it runs. */
export interface BootedMachine {
  readonly machine: Machine;
  /** Throws BootError when the machine cannot be set up as asked; anything else thrown is a bug. */
  run(): Promise<BootResult>;
}

const MIN_MEMORY_MIB = 16;

/** `cpu` replaces the processor, or makes it (tests, tools). */
export function prepare(config: BootConfig, cpu?: Cpu | MakeCpu): BootedMachine {
  if (!(config.memoryMiB >= MIN_MEMORY_MIB)) {
    throw new BootError(`Cannot boot with ${config.memoryMiB} MiB: ${MIN_MEMORY_MIB} is the least`);
  }
  const loader = new Loader(USER_RAM + config.memoryMiB * 0x10_0000);
  const directories: HostDirectory[] = [];
  const mounts = config.mounts.map(({ guest, source, overlay }): PreparedMount => ({
    guest,
    overlay,
    ...place(source, loader, directories),
  }));

  let results: ProgramResult[] | undefined, failure: string | undefined;
  const { host } = config;
  const roottask = new Roottask({
    host,
    ram: loader.rest(),
    modules: loader.modules.map(({ range }) => range),
    fileService: {
      wallClock: () => host.wallClock(),
      random: (out) => host.random(out),
      directories,
      mounted: config.mounted,
    },
    mounts,
    programs: config.programs,
    permissions: config.permissions ?? [],
    manifest: config.manifest,
    placement: config.personality ?? "own",
    personalities: { linux: config.linux, freebsd: config.freebsd },
    output: config.output,
    strace: config.strace,
    verbose: config.verbose,
    observe: config.observe && (() => config.observe?.(inspect(machine.kernel))),
    finished: (ended) => {
      results = ended;
      machine.stop();
    },
    failed: (message) => {
      failure = message;
      machine.stop();
    },
  });
  const machine = new Machine({
    memoryMiB: config.memoryMiB,
    level: config.cpuLevel,
    cpu,
    host: {
      now: () => host.now(),
      random: (out) => host.random(out),
      prebuilt: () => host.prebuilt?.(),
      idle(deadline) {
        if (deadline !== Infinity || !roottask.quiesce()) return host.idle(deadline);
        machine.interrupt(GSI.IDLE);
        return Promise.resolve();
      },
    },
    hostError(error, pd) {
      if (!roottask.personalityFailed(pd, error)) throw error;
      machine.interrupt(GSI.IDLE);
    },
    event: config.verbose ? (event) => report(host, event) : undefined,
  });
  for (const { range, bytes } of loader.modules) machine.cpu.ram.u8.set(bytes, range.start);
  machine.boot(roottask);
  config.prepared?.(machine);

  return {
    machine,
    async run() {
      host.stdin.onReady = () => machine.interrupt(GSI.CONSOLE);
      // The same interrupt: the personality that hears the console looks at both.
      if (host.network !== undefined) host.network.onReady = () => machine.interrupt(GSI.CONSOLE);
      const { timeLimitSeconds: limit } = config;
      let late = false;
      const timer = limit === undefined ? undefined : setTimeout(() => (late = true, machine.stop()), limit * 1000);
      try {
        await machine.run();
      } finally {
        host.stdin.onReady = undefined;
        if (host.network !== undefined) {
          host.network.onReady = undefined;
          await host.network.end();
        }
        // Also a call for nothing would load all of Deno's timers (3 ms).
        if (timer !== undefined) clearTimeout(timer);
      }
      if (late && results === undefined && failure === undefined) {
        // Nobody else can: the guest that switched the terminal is no more.
        host.stdin.setRaw?.(false);
        return { programs: config.programs.map((spec) => stopped(spec, limit ?? 0)) };
      }
      if (failure !== undefined) throw new BootError(failure);
      if (results === undefined) throw new Error("The machine stopped before its programs had ended");
      return { programs: results };
    },
  };
}

export function boot(config: BootConfig, cpu?: Cpu | MakeCpu): Promise<BootResult> {
  return prepare(config, cpu).run();
}

const EXIT_TIMEOUT = 124;

const stopped = (spec: ProgramSpec, seconds: number): ProgramResult => ({
  spec,
  pid: -1,
  exitCode: EXIT_TIMEOUT,
  message: `Stopped "${spec.path}" after ${seconds} s`,
});

/** Lays boot modules out at the beginning of RAM, as a boot loader would. */
class Loader {
  readonly modules: { range: Range; bytes: Uint8Array }[] = [];
  private next = USER_RAM;

  constructor(private readonly end: number) {}

  add(bytes: Uint8Array): Range {
    const range = { start: this.next, bytes: Math.max(PAGE, Math.ceil(bytes.length / PAGE) * PAGE) };
    this.modules.push({ range, bytes });
    this.next += range.bytes;
    return range;
  }

  rest(): Range {
    const start = Math.ceil(this.next / POOL_ALIGN) * POOL_ALIGN, bytes = this.end - start;
    if (bytes < MIN_MEMORY_MIB * 0x10_0000 / 2) throw new BootError("Cannot boot: the file images leave too little memory");
    return { start, bytes };
  }
}

function place(source: FileSource, loader: Loader, directories: HostDirectory[]): Pick<PreparedMount, "kind" | "a" | "b"> {
  const tar = (bytes: Uint8Array) => ({ kind: MOUNT_KIND.TAR, a: loader.add(bytes).start, b: bytes.length });
  switch (source.kind) {
    case "memory":
      return { kind: MOUNT_KIND.MEMORY, a: 0, b: 0 };
    case "tar":
      return tar(source.bytes);
    case "files":
      return tar(writeTar(source.files));
    case "host":
      return { kind: MOUNT_KIND.HOST, a: directories.push(source.directory) - 1, b: 0 };
  }
}

function report(host: Host, event: KernelEvent): void {
  host.stderr.write(new TextEncoder().encode(`hedra: ${eventText(event)}\n`));
}
