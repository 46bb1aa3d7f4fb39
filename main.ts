import { explain } from "./cli/errors.ts";
import type { BootOptions } from "./cli/boot.ts";
import { fastParse } from "./cli/fast_parse.ts";
import type { RawOptions } from "./cli/option_rows.ts";
import { print } from "./cli/terminal.ts";

// Start-up is a goal of its own: a module that a command does not need is not loaded.

async function run(options: RawOptions, program: string, args: string[]): Promise<number> {
  const { runProgram } = await import("./cli/run.ts");
  return runProgram(options, program, args);
}

async function demo(options: { verbose: boolean }, what: "programs" | "services" = "programs"): Promise<number> {
  const { runDemo, runServicesDemo } = await import("./cli/demo.ts");
  if (what === "services") return runServicesDemo(options);
  return runDemo(options);
}

async function inspect(view: "ps" | "caps", options: RawOptions, program: string | undefined, args: string[]): Promise<number> {
  const { runInspect } = await import("./cli/inspect.ts");
  return runInspect(view, options, program, args);
}

async function profile(options: RawOptions, program: string, args: string[]): Promise<number> {
  const { runProfile } = await import("./cli/profile.ts");
  return runProfile(options, program, args);
}

async function trace(options: RawOptions, program: string, args: string[]): Promise<number> {
  const { runTrace } = await import("./cli/trace.ts");
  return runTrace(options, program, args);
}

async function boot(options: BootOptions): Promise<number> {
  const { runBoot } = await import("./cli/boot.ts");
  return runBoot(options);
}

async function syscalls(options: { json: boolean }): Promise<number> {
  const { runSyscalls } = await import("./cli/syscalls.ts");
  return runSyscalls(options);
}

async function withCommander(args: readonly string[]): Promise<number> {
  const { commandLine } = await import("./cli/program.ts");
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

if (import.meta.main) {
  // The guard: whatever goes wrong, the user sees one line.
  globalThis.addEventListener("error", (event) => (event.preventDefault(), fail(event.error)));
  globalThis.addEventListener("unhandledrejection", (event) => (event.preventDefault(), fail(event.reason)));
  try {
    Deno.exit(await hedra(Deno.args));
  } catch (error) {
    fail(error);
  }
}
