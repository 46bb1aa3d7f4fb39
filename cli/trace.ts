import { Trace } from "../hedron/trace.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import type { RawOptions } from "./option_rows.ts";
import { validate } from "./options.ts";
import { bootMachine, configure, finish } from "./run.ts";
import { print } from "./terminal.ts";
import { countKinds, perfettoJson, traceText } from "./trace_format.ts";

/**
 * `hedra trace`: runs PROGRAM and tells every hypercall, IPC, exception and foreign system call. With -o FILE as JSON for Perfetto
 * in a file, with a summary on stderr; else as text on stdout, with the program's output on stderr. Gives the guest's exit code.
 */
export async function runTrace(raw: RawOptions, program: string, args: string[]): Promise<number> {
  const { denoHost } = await import("../host/deno_host.ts");
  const options = validate(raw), host = denoHost();
  const quiet = options.output === undefined ? { ...host, stdout: host.stderr } : host;
  const trace = new Trace(() => host.now());
  const config = await configure(options, quiet, program, args);
  const { programs } = await bootMachine({ ...config, prepared: (machine) => machine.kernel.trace = trace });
  const exitCode = finish(programs[0]);
  if (options.output === undefined) print("stdout", traceText(trace.events));
  else writeTrace(trace, options.output);
  if (options.output === undefined) tellDropped(trace);
  return exitCode;
}

/** Writes the trace for Perfetto and a summary to stderr. */
export function writeTrace(trace: Trace, file: string): void {
  try {
    Deno.writeTextFileSync(file, perfettoJson(trace.events));
  } catch (error) {
    throw new UserError(`Cannot write "${file}": ${reasonOf(error)}`, EXIT.FAILURE);
  }
  const counts = [...countKinds(trace.events)].map(([kind, n]) => `${n} ${kind}`).join(", ");
  print("stderr", `Trace for https://ui.perfetto.dev: ${file} (${counts})\n`);
  tellDropped(trace);
}

function tellDropped(trace: Trace): void {
  if (trace.dropped > 0) print("stderr", `hedra: The trace lacks the last ${trace.dropped} events\n`);
}
