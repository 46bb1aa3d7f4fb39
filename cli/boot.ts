import { DebugConsole, PortBus, Uart16550 } from "../devices/mod.ts";
import { type KernelEvent } from "../hedron/kernel.ts";
import { ROOT_LABEL } from "../hedron/boot.ts";
import { eventText } from "../hedron/event.ts";
import { inspect } from "../hedron/inspect.ts";
import { Trace } from "../hedron/trace.ts";
import { type Version, VERSIONS } from "../hedron/version.ts";
import { Machine, type ModuleFile, SERIAL_PORT } from "../machine.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import { capabilitiesText, treeText } from "./inspect_text.ts";
import { parseMemory, parseTimeout } from "./options.ts";
import { writeTrace } from "./trace.ts";
import { print } from "./terminal.ts";

/** Options of `hedra boot` as they stand on the command line. */
export interface BootOptions {
  roottask: string;
  module: string[];
  cmdline?: string;
  memory?: string;
  timeout?: string;
  abi?: string;
  /** Print how the kernel stands when the machine has ended. */
  ps?: true;
  caps?: true;
  /** File for what happened, as JSON for Perfetto. */
  trace?: string;
  verbose?: true;
}

/** 128 MiB of kernel memory and this make 1536 MiB: 512 MiB of free RAM from 1 GiB on, which the thesis's roottask relies on (ABI 10.7). */
const DEFAULT_BOOT_MIB = 1408;
/** Memory descriptors that fit the HIP beside the first MiB, RAM and kernel (ABI 3). */
const MAX_MODULES = 27;

/**
 * `hedra boot`: a machine whose roottask is a machine-code program. Exit code 0 when nothing can run any more (which is how
 * a roottask ends: Hedron has no call to switch off), 1 when the roottask's first EC was killed, 124 at the time limit.
 */
export async function runBoot(options: BootOptions): Promise<number> {
  const { memoryMiB, seconds, modules, version } = validate(options);
  const { denoHost } = await import("../host/deno_host.ts");
  const host = denoHost();
  let killed = false;
  const report = (event: KernelEvent) => {
    if (event.kind === "hypercall-error" && !options.verbose) return;
    killed ||= event.kind === "killed" && event.pd === ROOT_LABEL && event.ec === ROOT_LABEL;
    bus.flush();
    print("stderr", `hedra: ${eventText(event)}\n`);
  };
  const bus = new PortBus([new Uart16550(SERIAL_PORT, host.stdout, host.stdin), new DebugConsole(host.stderr)]);
  const machine = start(
    memoryMiB,
    modules,
    (memory) => new Machine({ memoryMiB: memory, host, ports: bus, event: report, version }),
  );
  const trace = options.trace === undefined ? undefined : new Trace(() => host.now());
  machine.kernel.trace = trace;
  let late = false;
  const timer = seconds === undefined ? undefined : setTimeout(() => (late = true, machine.stop()), seconds * 1000);
  const end = await machine.run({ endWhenIdle: true });
  if (timer !== undefined) clearTimeout(timer);
  bus.flush();
  if (trace !== undefined) writeTrace(trace, options.trace ?? "");
  if (options.ps || options.caps) {
    const state = inspect(machine.kernel);
    if (options.ps) print("stdout", treeText(state));
    if (options.caps) print("stdout", capabilitiesText(state));
  }
  if (late) {
    print("stderr", `hedra: Stopped the machine after ${options.timeout} s\n`);
    return EXIT.TIMEOUT;
  }
  print(
    "stderr",
    end === "idle"
      ? "hedra: Machine is idle: every EC waits and no timer runs\n"
      : "hedra: Machine has ended: no EC is left to run\n",
  );
  return killed ? EXIT.FAILURE : EXIT.OK;
}

function start(memoryMiB: number, modules: readonly ModuleFile[], create: (memoryMiB: number) => Machine): Machine {
  try {
    const machine = create(memoryMiB);
    machine.bootGuest(modules);
    return machine;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`Cannot boot with ${memoryMiB} MiB: ${reasonOf(error)} (see --memory)`, EXIT.FAILURE);
  }
}

function validate(
  options: BootOptions,
): { memoryMiB: number; seconds: number | undefined; modules: ModuleFile[]; version: Version } {
  const memoryMiB = options.memory === undefined ? DEFAULT_BOOT_MIB : parseMemory(options.memory);
  const seconds = options.timeout === undefined ? undefined : parseTimeout(options.timeout);
  if (options.module.length >= MAX_MODULES) throw new UserError(`Cannot boot: more than ${MAX_MODULES} modules`, EXIT.USAGE);
  const roottask = { bytes: readRoottask(options.roottask), commandLine: options.cmdline ?? baseName(options.roottask) };
  const version = VERSIONS.find(({ name }) => name === (options.abi ?? "5004"));
  if (!version) throw new UserError(`Cannot use "${options.abi}" as --abi: expected 5004 or 13.2`, EXIT.USAGE);
  return { memoryMiB, seconds, version, modules: [roottask, ...options.module.map(parseModule)] };
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** "FILE[=CMDLINE]"; a file whose name contains "=" needs the second part. */
function parseModule(text: string): ModuleFile {
  const at = text.indexOf("=");
  const path = at < 0 ? text : text.slice(0, at);
  return { bytes: read(path), commandLine: at < 0 ? baseName(path) : text.slice(at + 1) };
}

function read(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    throw new UserError(
      `Cannot read boot module "${path}": ${missing ? "no such file" : reasonOf(error)}`,
      missing ? EXIT.NOT_FOUND : EXIT.FAILURE,
    );
  }
}

/** Tells what the kernel will dislike before the machine is built; the kernel itself only says "No ELF" or "Bad ELF" (ABI 2.3). */
function readRoottask(path: string): Uint8Array {
  const bytes = read(path), reason = roottaskProblem(bytes);
  if (reason !== undefined) throw new UserError(`Cannot boot "${path}": ${reason}`, EXIT.NOT_EXECUTABLE);
  return bytes;
}

/** Offsets: Elf64_Ehdr and Elf64_Phdr (System V ABI, chapters 4 and 5). Undefined when the file meets the kernel's rules. */
export function roottaskProblem(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f45_4c46) return "No ELF: not an ELF file";
  if (view.getUint16(4) !== 0x0201) return "No ELF: not a little-endian 64-bit file";
  if (view.getUint16(0x10, true) !== 2) return "No ELF: not linked to a fixed address (ET_EXEC)";
  if (view.getUint16(0x12, true) !== 62) return "No ELF: not for x86-64";
  const first = Number(view.getBigUint64(0x20, true)), size = view.getUint16(0x36, true), count = view.getUint16(0x38, true);
  if (size < 56 || first + size * count > bytes.length) return "Bad ELF: program headers lie outside of the file";
  for (let i = 0; i < count; i++) {
    const at = first + i * size, word = (offset: number) => view.getBigUint64(at + offset, true);
    if (view.getUint32(at, true) !== 1) continue;
    const [offset, va, inFile, inMemory] = [0x08, 0x10, 0x20, 0x28].map(word);
    if (inFile !== inMemory) return `Bad ELF: segment ${i} is larger in memory than in the file (a .bss section)`;
    if (offset % 4096n !== va % 4096n) return `Bad ELF: segment ${i} has different page offsets in file and memory`;
    if (offset + inFile > BigInt(bytes.length)) return `Bad ELF: segment ${i} lies outside of the file`;
  }
  return undefined;
}
