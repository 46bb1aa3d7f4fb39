import { explain } from "./errors.ts";
import type { BootOptions } from "./boot.ts";
import { fastParse } from "./fast_parse.ts";
import type { RawOptions } from "./option_rows.ts";
import { print } from "./terminal.ts";

// Start-up is a goal of its own: a module that a command does not need is not loaded.

async function run(options: RawOptions, program: string, args: string[]): Promise<number> {
  const { runProgram } = await import("./run.ts");
  return runProgram(options, program, args);
}

async function demo(options: { verbose: boolean }, what: "programs" | "services" = "programs"): Promise<number> {
  const { runDemo, runServicesDemo } = await import("./demo.ts");
  if (what === "services") return runServicesDemo(options);
  return runDemo(options);
}

async function inspect(view: "ps" | "caps", options: RawOptions, program: string | undefined, args: string[]): Promise<number> {
  const { runInspect } = await import("./inspect.ts");
  return runInspect(view, options, program, args);
}

async function profile(options: RawOptions, program: string, args: string[]): Promise<number> {
  const { runProfile } = await import("./profile.ts");
  return runProfile(options, program, args);
}

async function trace(options: RawOptions, program: string, args: string[]): Promise<number> {
  const { runTrace } = await import("./trace.ts");
  return runTrace(options, program, args);
}

async function boot(options: BootOptions): Promise<number> {
  const { runBoot } = await import("./boot.ts");
  return runBoot(options);
}

async function syscalls(options: { json: boolean }): Promise<number> {
  const { runSyscalls } = await import("./syscalls.ts");
  return runSyscalls(options);
}

async function withCommander(args: readonly string[]): Promise<number> {
  const { commandLine } = await import("./program.ts");
  return commandLine({ run, profile, demo, inspect, trace, boot, syscalls }, args);
}

/** The exit code of `hedra ARGS`. */
export function hedra(args: readonly string[]): Promise<number> {
  const parsed = args[0] === "run" ? fastParse(args.slice(1)) : undefined;
  return parsed ? run(parsed.options, parsed.program, parsed.args) : withCommander(args);
}

function fail(error: unknown): never {
  const { text, exitCode } = explain(error, Deno.args.includes("--verbose"));
  print("stderr", text);
  Deno.exit(exitCode);
}

/** Runs the command line of this process and ends it. */
export async function main(): Promise<never> {
  // The guard: whatever goes wrong, the user sees one line.
  globalThis.addEventListener("error", (event) => (event.preventDefault(), fail(event.error)));
  globalThis.addEventListener("unhandledrejection", (event) => (event.preventDefault(), fail(event.reason)));
  try {
    Deno.exit(await hedra(Deno.args));
  } catch (error) {
    fail(error);
  }
}

if (import.meta.main) await main();
