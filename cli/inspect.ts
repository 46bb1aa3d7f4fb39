import type { KernelView } from "../hedron/inspect.ts";
import type { BootConfig } from "../roottask/boot_config.ts";
import { EXIT, UserError } from "./errors.ts";
import { capabilitiesDot, onlyPd } from "./inspect_graph.ts";
import { capabilitiesText, treeText } from "./inspect_text.ts";
import { type RawOptions, validate } from "./options.ts";
import { bootMachine, configure, finish } from "./run.ts";
import { print } from "./terminal.ts";

/**
 * `hedra ps` and `hedra caps`: runs the demo or PROGRAM to its end with its output on stderr, and prints on stdout how the kernel stood
 * when it held most capabilities.
 */
export async function runInspect(
  view: "ps" | "caps",
  raw: RawOptions,
  program: string | undefined,
  args: string[],
): Promise<number> {
  const options = validate(raw);
  const config = await machineOf(options, program, args);
  let found: KernelView | undefined;
  const { programs } = await bootMachine({ ...config, observe: (state) => found = fuller(found, state) });
  const exitCode = program === undefined ? EXIT.OK : finish(programs[0]);
  if (found === undefined) {
    if (exitCode !== EXIT.OK) return exitCode;
    throw new UserError("Cannot show kernel objects: no program was started", EXIT.FAILURE);
  }
  if (options.pd !== undefined) found = onlyPd(found, options.pd);
  if (options.dot) print("stdout", capabilitiesDot(found));
  else if (options.json) print("stdout", `${JSON.stringify({ version: JSON_VERSION, ...select(view, found) }, undefined, 2)}\n`);
  else print("stdout", view === "ps" ? treeText(found) : capabilitiesText(found));
  return EXIT.OK;
}

const fuller = (a: KernelView | undefined, b: KernelView): KernelView =>
  a && a.capabilities.length >= b.capabilities.length ? a : b;

/** Version of the JSON that --json prints. */
const JSON_VERSION = 1;

const select = (view: "ps" | "caps", { pds, capabilities }: KernelView): object =>
  view === "ps" ? { pds } : { pds: pds.map(({ id, label }) => ({ id, label })), capabilities };

async function machineOf(options: ReturnType<typeof validate>, program: string | undefined, args: string[]): Promise<BootConfig> {
  const { denoHost } = await import("../host/deno_host.ts");
  const host = denoHost();
  // Standard output belongs to the tree.
  const quiet = { ...host, stdout: host.stderr };
  if (program !== undefined) return configure(options, quiet, program, args);
  const { demoConfig } = await import("./demo.ts");
  return { ...await demoConfig(options.verbose), host: quiet };
}
