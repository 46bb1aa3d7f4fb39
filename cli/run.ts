import type { Layer } from "../fs/changes.ts";
import type { DenoHost } from "../host/deno_host.ts";
import type { Refused } from "../linux/trace/refusals.ts";
import type { MakeCpu } from "../machine.ts";
import type { BootConfig, BootResult, ProgramResult, ProgramSpec } from "../roottask/boot_config.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import { extraMount, rootMount, soleProgram } from "./mounts.ts";
import type { RawOptions } from "./option_rows.ts";
import { type RunOptions, validate } from "./options.ts";
import { permissionsOf } from "./permissions.ts";
import { cannotRun, openHostProgram } from "./target.ts";
import { print } from "./terminal.ts";

/** What every guest finds in its environment; `--env` comes after it. */
const DEFAULT_ENV = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"];

/** `hedra run`: gives the guest's exit code. */
export async function runProgram(raw: RawOptions, program: string, args: string[]): Promise<number> {
  const { denoHost } = await import("../host/deno_host.ts");
  const options = validate(raw), config = await configure(options, denoHost(), program, args);
  if (options.verbose) announce(config);
  if (options.learn === undefined) return runAndSave(config, options);
  const { printLearned } = await import("./learn.ts");
  const refused: Refused[] = [];
  const exitCode = await runAndSave({ ...config, learned: (all) => refused.splice(0, Infinity, ...all) }, options);
  printLearned(refused, options, program);
  return exitCode;
}

/** Runs, then tells and saves what was changed as far as wanted. */
async function runAndSave(config: RunConfig, options: RunOptions): Promise<number> {
  if (!options.diff && options.commit === undefined) return runConfigured(config, options);
  const { commitTarget, printChanges, saveChanges } = await import("./changes.ts");
  const layers: Layer[] = [], target = options.commit === undefined ? undefined : commitTarget(options.commit);
  const exitCode = await runConfigured({ ...config, mounted: (layer) => layers.push(layer) }, options);
  if (options.diff) printChanges(layers, options.json);
  if (target === undefined) return exitCode;
  const problems = saveChanges(layers, target);
  for (const problem of problems) print("stderr", `hedra: ${problem}\n`);
  return problems.length > 0 && exitCode === EXIT.OK ? EXIT.FAILURE : exitCode;
}

/** `learned`: see LinuxOptions. */
type RunConfig = BootConfig & { learned?: (refused: readonly Refused[]) => void };

/** What the guest is given. */
function announce(config: BootConfig): void {
  const [{ kind, path, argv, cwd, env }] = config.programs;
  const what = kind === "auto" ? "" : ` as a ${kind} program`;
  print("stderr", `hedra: Starting "${path}"${what} with ${argv.length - 1} arguments in ${cwd}, environment ${env.join(" ")}\n`);
  for (const { name, value } of config.permissions ?? []) print("stderr", `hedra: Granted: ${name} ${value}\n`);
}

async function runConfigured(config: RunConfig, options: RunOptions): Promise<number> {
  const { cachedRun } = await import("./code_cache.ts"), cached = cachedRun(options, config.programs[0].argv[0]);
  config = { ...config, layoutSeed: cached?.layoutSeed };
  try {
    return await runUncached(config, options, cached?.cpu);
  } finally {
    cached?.save();
  }
}

async function runUncached(config: RunConfig, options: RunOptions, cpu: MakeCpu | undefined): Promise<number> {
  if (options.stats) {
    const { runWithStats } = await import("./stats.ts");
    return runWithStats(config, options, cpu);
  }
  if (options.engine !== "hedra") {
    const { runWithEngine } = await import("./engine.ts");
    return runWithEngine(config, options.engine);
  }
  const started = performance.now(), result = (await bootMachine(config, cpu)).programs[0];
  if (options.verbose && result.pid >= 0) {
    const ms = Math.round(performance.now() - started);
    print("stderr", `hedra: "${result.spec.path}" (pid ${result.pid}) has ended with ${result.exitCode} after ${ms} ms\n`);
  }
  return finish(result);
}

/** The machine for one program. Throws a UserError when something on the host is missing or wrong. */
export async function configure(options: RunOptions, host: DenoHost, program: string, args: string[]): Promise<BootConfig> {
  const traceSet = options.straceSet === undefined ? undefined : await traceSetOf(options.straceSet);
  const { kind, path, mounts } = await place(options, program);
  const env = environment(options, host.stdout.isTerminal), connected = options.allowNet.length === 0 ? host : await online(host);
  return {
    memoryMiB: options.memoryMiB,
    cpuLevel: options.cpuLevel,
    host: options.deterministic ? (await import("../host/deterministic_host.ts")).deterministic(connected) : connected,
    mounts: [...mounts, ...options.mounts.map(extraMount)],
    programs: [{ kind, path, argv: [program, ...args], env, cwd: options.cwd }],
    output: { style: "raw" },
    personality: options.personality,
    strace: options.strace,
    traceSet,
    traceSummary: options.straceSummary,
    fixedAddresses: options.deterministic,
    user: options.user,
    permissions: permissionsOf(options, program),
    timeLimitSeconds: options.timeoutSeconds,
    verbose: options.verbose,
  };
}

/** The host with its network. */
async function online(host: DenoHost): Promise<DenoHost> {
  const { DenoNetwork } = await import("../host/deno_network.ts");
  return { ...host, network: new DenoNetwork() };
}

async function traceSetOf(text: string): Promise<ReadonlySet<number>> {
  const { traceSet, TraceSetError } = await import("../linux/trace/sets.ts");
  try {
    return traceSet(text);
  } catch (error) {
    if (!(error instanceof TraceSetError)) throw error;
    throw new UserError(`Cannot use "${text}" as --strace: ${error.message}`, EXIT.USAGE);
  }
}

/** Where the program stands in the guest's tree, and what it is as far as the host can tell. */
async function place(
  options: RunOptions,
  program: string,
): Promise<Pick<ProgramSpec, "kind" | "path"> & Pick<BootConfig, "mounts">> {
  if (options.root === undefined) {
    const file = openHostProgram(program, options.kind);
    return { kind: file.kind, path: file.guestPath, mounts: soleProgram(file) };
  }
  if (program === "") throw cannotRun(program, "no such file", EXIT.NOT_FOUND);
  const path = program.startsWith("/") ? program : `${options.cwd.replace(/\/$/, "")}/${program}`;
  return { kind: options.kind ?? "auto", path, mounts: [await rootMount(options.root)] };
}

/** A later value of the same variable replaces an earlier one. */
function environment({ env, allowEnv }: RunOptions, terminal: boolean): string[] {
  const term = terminal ? Deno.env.get("TERM") : undefined;
  const names = allowEnv === "all" ? Object.keys(Deno.env.toObject()) : allowEnv;
  const granted = names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  const all = [...DEFAULT_ENV, ...(term ? [`TERM=${term}`] : []), ...granted, ...env];
  return [...new Map(all.map((entry) => [entry.slice(0, entry.indexOf("=")), entry])).values()];
}

/** Boots and runs to the end. Throws a UserError when the machine cannot be set up as asked. */
export async function bootMachine(config: RunConfig, cpu?: MakeCpu): Promise<BootResult> {
  const needsLinux = config.programs.some(({ kind }) => kind !== "hyperapp" && kind !== "freebsd");
  const [{ boot, BootError }, linux, freebsd] = await Promise.all([
    import("../roottask/boot.ts"),
    needsLinux ? import("../linux/mod.ts") : undefined,
    config.programs.some(({ kind }) => kind === "freebsd") ? import("../freebsd/mod.ts") : undefined,
  ]);
  const { strace, traceSet, traceSummary, verbose, fixedAddresses, layoutSeed, user, cpuLevel, learned } = config;
  const limit = config.timeLimitSeconds;
  const release = limit === undefined ? undefined : (await import("../host/watchdog.ts")).watch(limit * 1000, EXIT.TIMEOUT);
  // Without something to wait for Deno would end a process whose guest waits for a signal only. A port, as a timer loads node:timers (4 ms).
  const alive = new MessageChannel();
  alive.port1.onmessage = () => {};
  try {
    return await boot({
      ...config,
      linux: linux &&
        (() =>
          linux.createLinux({ strace, traceSet, traceSummary, verbose, fixedAddresses, layoutSeed, user, cpuLevel, learned })),
      freebsd: freebsd && (() => freebsd.createFreeBsd({ strace, verbose })),
    }, cpu);
  } catch (error) {
    if (error instanceof BootError) throw new UserError(error.message, EXIT.FAILURE);
    if (!(error instanceof RangeError) || !/memory/i.test(error.message)) throw error;
    throw new UserError(
      `Cannot allocate ${config.memoryMiB} MiB for the machine: ${reasonOf(error)} (see --memory)`,
      EXIT.NOT_EXECUTABLE,
    );
  } finally {
    alive.port1.close();
    release?.();
  }
}

/** Tells why it did not start, if so, and gives the exit code. */
export function finish(result: ProgramResult): number {
  // A kill has been reported when it happened.
  if (result.message !== undefined && result.pid < 0) print("stderr", `hedra: ${result.message}\n`);
  return result.exitCode;
}
