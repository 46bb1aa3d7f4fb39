/** The first PD: gives out memory and capabilities, starts the services, the personality and the programs, and sees them end. */
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../cpu/space.ts";
import { FS_ROOT } from "../fs/api.ts";
import { IpcFsClient } from "../fs/client.ts";
import { O_DIRECTORY, O_PATH, O_RDONLY } from "../fs/flags.ts";
import { Pool } from "../fs/pool.ts";
import { fileService, type FileServiceHost, FS_ADMIN } from "../fs/program.ts";
import { FS_ADMIN_OP } from "../fs/protocol.ts";
import type { Coroutine, HostEc, HostProgram, Status, Wait } from "../hedron/api.ts";
import type { Host } from "../host/api.ts";
import { EISDIR, ENOENT, ENOEXEC, ENOTDIR } from "../host/errno.ts";
import type { BootConfig, Permission, Placement, ProgramResult, ProgramSpec } from "./boot_config.ts";
import { delegateMemory, fetchObject } from "./delegate.ts";
import { inspectExecutable } from "./diagnose.ts";
import { type Executable, parseElf, type ReadAt } from "./elf.ts";
import { exceptionHandler } from "./exceptions.ts";
import { administerFs, attachFs, createHostPd, type Range, startHostPd } from "./host_pds.ts";
import { type Grant, type Handlers, startHyperapp } from "./hyperapp.ts";
import { ALL_RIGHTS, GSI, KERNEL_GSI, object, PERSONALITIES, type PersonalityName, ROOT, THESIS_SLOTS } from "./layout.ts";
import type { ServiceSpec } from "./manifest.ts";
import { reason, startExitCode } from "./messages.ts";
import { networkPermissions } from "./network_service.ts";
import { Personalities } from "./personalities.ts";
import { createPermissions } from "./permissions.ts";
import { Output } from "./output.ts";
import { type Context, Processes } from "./processes.ts";
import { Services } from "./service_manager.ts";
import { serviceHandlers } from "./services.ts";

/** A mount as the boot loader has prepared it. */
export interface PreparedMount {
  guest: string;
  /** MOUNT_KIND and its arguments (fs/protocol.ts). */
  kind: number;
  a: number;
  b: number;
  overlay: boolean;
}

export interface RoottaskConfig {
  host: Host;
  /** RAM that is free, and boot modules (tar images). */
  ram: Range;
  modules: readonly Range[];
  fileService: FileServiceHost;
  mounts: readonly PreparedMount[];
  programs: readonly ProgramSpec[];
  permissions: readonly Permission[];
  personalities: Record<PersonalityName, BootConfig["linux"]>;
  manifest: BootConfig["manifest"];
  placement: Placement;
  output: BootConfig["output"];
  strace: boolean;
  verbose: boolean;
  /** See BootConfig.observe. */
  observe?(): void;
  /** All programs have ended. */
  finished(results: ProgramResult[]): void;
  /** The machine cannot be set up as asked; one line for the user. */
  failed(message: string): void;
}

const RWX = RIGHT_R | RIGHT_W | RIGHT_X;
/** The pools begin on such boundaries, so that they are delegated in few chunks. */
export const POOL_ALIGN = 2 << 20;
/** Shares of the free RAM: contents of files (as of a tmpfs), programs of personalities; the rest is for hyperapps. */
const FS_SHARE = 1 / 2, PERSONALITY_SHARE = 3 / 8;
/** In a small machine they come before files: a hyperapp's stack alone has 2 MiB. */
const MIN_OWN_BYTES = 6 << 20, MIN_PERSONALITY_BYTES = 6 << 20;
/** Bytes of a file that are read at a time while its headers are looked at. */
const HEADER_WINDOW = 64 << 10;
/** Two windows, the second being the bounce buffer of the services. */
const BUFFER_BYTES = 2 * HEADER_WINDOW;

export class Roottask implements HostProgram {
  readonly name = "roottask";
  private context: Context | undefined;
  /** Nothing in the machine can run any more: what still lives has ended by blocking (docs/guest-runtime.md, 5). */
  private quiet = false;

  constructor(private readonly config: RoottaskConfig) {}

  /** Code of the PD `pd` has thrown. True when that is a personality that the others can go on without. */
  personalityFailed(pd: string, error: unknown): boolean {
    return this.context?.personalities.failed(pd, error) === true;
  }

  /** Called from outside when the machine idles without any deadline: true = the remaining hyperapps count as ended. */
  quiesce(): boolean {
    const living = [...this.context?.processes.living ?? []];
    this.quiet = living.length > 0 && living.every((process) => process.kind === "hyperapp");
    return this.quiet;
  }

  *main(ec: HostEc): Coroutine {
    const { config } = this, names = PERSONALITIES.filter((name) => config.personalities[name]);
    const pools = split(config.ram, names);
    for (const { start, bytes } of [config.ram, ...config.modules]) {
      delegateMemory(ec, start, bytes, ROOT.PD, start, RWX, { hypervisor: true });
    }
    ec.delegate(ROOT.PD, object(KERNEL_GSI + GSI.IDLE, ALL_RIGHTS), ROOT.PD, object(ROOT.SLEEP, ALL_RIGHTS), {
      hypervisor: true,
    });
    ec.label(ROOT.EC, "main");
    ec.label(ROOT.SLEEP, "sleep");
    for (
      const [local, label] of [[ROOT.EXCEPTION_EC, "exceptions"], [ROOT.SERVICE_EC, "services"], [
        ROOT.RAW_ECHO_EC,
        "raw echo",
      ]] as const
    ) {
      ec.createEc(local, ROOT.PD, { global: false, utcb: 0 });
      ec.label(local, label);
    }

    createPermissions(ec, config.permissions, networkPermissions(config.host.network, pools.personalities.values()));

    createHostPd(ec, ROOT.FS_PD, ROOT.FS_EC, fileService(config.fileService), [pools.fs, ...config.modules]);
    yield* startHostPd(ec, ROOT.FS_PD, ROOT.FS_EC, ROOT.FS_SC, FS_ADMIN, ROOT.FS_ADMIN);
    administerFs(ec, FS_ADMIN_OP.START, [pools.fs.start, pools.fs.bytes]);
    for (const mount of config.mounts) {
      const status = administerFs(ec, FS_ADMIN_OP.MOUNT, [mount.kind, mount.a, mount.b, mount.overlay ? 1 : 0], mount.guest);
      if (status < 0) return config.failed(`Cannot mount at "${mount.guest}": ${reason(status)}`);
    }
    const portal = attachFs(ec, pools.own);
    if (portal < 0 || !fetchObject(ec, ROOT.FS_PD, portal, ROOT.FS_SESSION)) {
      return config.failed("Cannot start the file service");
    }

    const pool = new Pool(pools.own.start, pools.own.bytes), buffer = pool.take(BUFFER_BYTES);
    const output = new Output(config.host, config.output);
    const fs = new IpcFsClient(ec, ROOT.FS_SESSION);
    const context: Context = {
      main: ec,
      output,
      pool,
      fs,
      personalities: new Personalities(config, pools.personalities),
      processes: new Processes(config.placement === "roottask" ? THESIS_SLOTS : 0),
      observe: config.observe,
    };
    this.context = context;
    const handlers: Handlers = {
      exception: exceptionHandler(context),
      services: serviceHandlers(context, buffer + HEADER_WINDOW),
    };

    const problem = yield* this.startServices(context, buffer, handlers);
    if (problem !== undefined) return config.failed(problem);
    const results: ProgramResult[] = [];
    for (const spec of config.programs) {
      const file = this.inspect(context, ec, spec, buffer);
      const found = typeof file === "number" ? undefined : file.elf?.kind, kind = spec.kind === "auto" ? found : spec.kind;
      let pid: number;
      if (typeof file === "number") pid = file;
      else if (kind === "hyperapp") pid = this.startHyperapp(context, spec, file, handlers);
      else pid = yield* this.startForeign(context, ec, spec, kind ?? "linux", handlers);
      if (typeof file !== "number") {
        context.fs.ec = ec;
        context.fs.close(file.handle);
      }
      results.push(pid > 0 ? { spec, pid, exitCode: 0 } : failure(spec, pid, this.diagnose(context, ec, spec, buffer)));
    }
    yield* this.supervise(context, ec, results);
    config.finished(results);
  }

  /** Waits for all programs that were started; their processes' descendants are not waited for. */
  private *supervise(context: Context, ec: HostEc, results: ProgramResult[]): Coroutine {
    const { endings } = context.processes, waiting = new Map<number, ProgramResult>();
    for (const result of results) if (result.pid > 0) waiting.set(result.pid, result);
    for (;;) {
      for (const [pid, ending] of endings) {
        const result = waiting.get(pid);
        if (result !== undefined) Object.assign(result, ending);
        waiting.delete(pid);
      }
      endings.clear();
      if (waiting.size === 0) return;
      yield* context.services?.startWanted() ?? [];
      // While something was being started the semaphore may have been used up.
      if (endings.size === 0 && !context.personalities.ending) yield ec.smDown(ROOT.SLEEP, 0, true);
      context.personalities.finishEnds(context, ec);
      if (!this.quiet) continue;
      this.quiet = false;
      for (const process of [...context.processes.living]) context.processes.end(context, ec, process, { exitCode: 0 });
    }
  }

  /** Reads the manifest and starts its services. What is wrong with it, if so. */
  private *startServices(
    context: Context,
    buffer: number,
    handlers: Handlers,
  ): Generator<Wait, string | undefined, Status> {
    const { manifest } = this.config, { main: ec, fs } = context;
    if (manifest === undefined) return undefined;
    fs.ec = ec;
    const handle = fs.open(FS_ROOT, manifest.path, O_RDONLY, 0);
    if (handle < 0) return `Cannot read "${manifest.path}": ${reason(handle)}`;
    const text = new TextDecoder().decode(reader(context, ec, handle, buffer)(0, HEADER_WINDOW));
    fs.close(handle);
    const specs = manifest.parse(text);
    if (typeof specs === "string") return `Cannot use "${manifest.path}": ${specs}`;
    const services = new Services(context, specs, (each) => this.startService(context, each, buffer, handlers));
    context.services = services;
    handlers.broker = services.broker;
    yield* services.startWanted();
    return undefined;
  }

  private *startService(
    context: Context,
    { name, program, capabilities }: ServiceSpec,
    buffer: number,
    handlers: Handlers,
  ): Generator<Wait, number, Status> {
    const { fs, main: ec, personalities } = context;
    if ("host" in program) {
      const personality = yield* personalities.start(context, ec, program.host, handlers);
      return typeof personality === "number" ? personality : 0;
    }
    const { binary, args } = program;
    const spec: ProgramSpec = { kind: "auto", path: binary, argv: [binary, ...args], env: [], cwd: "/", name };
    const file = this.inspect(context, ec, spec, buffer);
    if (typeof file === "number") return file;
    fs.ec = ec;
    const kind = file.elf?.kind ?? "linux";
    const pid = kind === "hyperapp"
      ? this.startHyperapp(context, spec, file, handlers, (each) => capabilities.includes(each))
      : yield* this.startForeign(context, ec, spec, kind, handlers);
    fs.ec = ec;
    fs.close(file.handle);
    return pid;
  }

  /** Opens the program and reads its headers. `elf` is undefined when it is something else, for example a script. */
  private inspect(
    context: Context,
    ec: HostEc,
    spec: ProgramSpec,
    buffer: number,
  ): { handle: number; elf: Executable | undefined } | number {
    const { fs } = context;
    fs.ec = ec;
    const handle = fs.open(FS_ROOT, spec.path, O_RDONLY, 0);
    if (handle < 0) return handle;
    const elf = parseElf(reader(context, ec, handle, buffer));
    return { handle, elf: typeof elf === "number" ? undefined : elf };
  }

  /** What is wrong with a program that could not be started, if its file tells. */
  private diagnose(context: Context, ec: HostEc, spec: ProgramSpec, buffer: number): string | undefined {
    const { fs } = context;
    fs.ec = ec;
    const cwd = fs.open(FS_ROOT, spec.cwd, O_PATH | O_DIRECTORY, 0);
    if (cwd < 0) return `working directory "${spec.cwd}": ${cwd === -ENOTDIR ? "not a directory" : reason(cwd)}`;
    fs.close(cwd);
    const handle = fs.open(FS_ROOT, spec.path, O_RDONLY, 0);
    if (handle < 0) return undefined;
    const read = fs.read(handle, 0, buffer, 1);
    let diagnosis: string | undefined;
    if (read === -EISDIR) diagnosis = "is a directory";
    else if (read >= 0) {
      const found = inspectExecutable(reader(context, ec, handle, buffer), fs.size(handle));
      if (found.kind === "bad") diagnosis = found.reason;
      else if (found.interpreter !== undefined && !exists(context, found.interpreter)) {
        diagnosis = `its interpreter ${found.interpreter} is missing`;
      }
    }
    fs.close(handle);
    return diagnosis;
  }

  private startHyperapp(
    context: Context,
    spec: ProgramSpec,
    file: { handle: number; elf: Executable | undefined },
    handlers: Handlers,
    granted?: Grant,
  ): number {
    if (file.elf === undefined) return -ENOEXEC;
    const process = startHyperapp(context, nameOf(spec), file.handle, file.elf, handlers, granted);
    return typeof process === "number" ? process : process.pid;
  }

  private *startForeign(
    context: Context,
    ec: HostEc,
    spec: ProgramSpec,
    name: PersonalityName,
    handlers: Handlers,
  ): Generator<Wait, number, Status> {
    const { config } = this, personality = yield* context.personalities.start(context, ec, name, handlers);
    if (typeof personality === "number") return personality;
    const { path, argv, env, cwd } = spec;
    const pid = personality.spawn(ec, { path, argv, env, cwd, strace: config.strace, verbose: config.verbose });
    const process = context.processes.get(pid);
    if (process !== undefined) process.name = nameOf(spec);
    return pid === 0 ? -ENOENT : pid;
  }
}

function exists({ fs }: Context, path: string): boolean {
  const handle = fs.open(FS_ROOT, path, O_PATH, 0);
  if (handle >= 0) fs.close(handle);
  return handle >= 0;
}

/** Reads a file through the window at `buffer`. */
function reader({ fs }: Context, ec: HostEc, handle: number, buffer: number): ReadAt {
  return (offset, length) => {
    const got = fs.read(handle, offset, buffer, Math.min(length, HEADER_WINDOW));
    return ec.memory.view(buffer, Math.max(0, got), false).slice();
  };
}

const nameOf = (spec: ProgramSpec): string => spec.name ?? spec.path.slice(spec.path.lastIndexOf("/") + 1);

/** `diagnosis`: what its file tells. */
function failure(spec: ProgramSpec, status: number, diagnosis: string | undefined): ProgramResult {
  return { spec, pid: -1, exitCode: startExitCode(status), message: `Cannot run "${spec.path}": ${diagnosis ?? reason(status)}` };
}

/** `names`: the personalities that there may be; they share their part of the RAM equally. */
function split(
  ram: Range,
  names: readonly PersonalityName[],
): { fs: Range; personalities: Map<PersonalityName, Range>; own: Range } {
  const aligned = (bytes: number): number => Math.floor(bytes / POOL_ALIGN) * POOL_ALIGN;
  const spare = Math.max(0, ram.bytes - MIN_OWN_BYTES);
  const files = Math.min(ram.bytes * FS_SHARE, Math.max(spare / 4, spare - MIN_PERSONALITY_BYTES * names.length));
  const fs = { start: ram.start, bytes: aligned(files) };
  const most = Math.max(0, spare - fs.bytes);
  const share = names.length === 0 ? 0 : aligned(Math.min(ram.bytes * PERSONALITY_SHARE, most) / names.length);
  const personalities = new Map<PersonalityName, Range>();
  let start = fs.start + fs.bytes;
  for (const name of names) {
    personalities.set(name, { start, bytes: share });
    start += share;
  }
  return { fs, personalities, own: { start, bytes: ram.start + ram.bytes - start } };
}
