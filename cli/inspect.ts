import { inspect, type KernelView } from "../hedron/inspect.ts";
import type { Machine } from "../machine.ts";
import type { BootConfig } from "../roottask/boot_config.ts";
import { EXIT, UserError } from "./errors.ts";
import { capabilitiesDot, onlyPd } from "./inspect_graph.ts";
import { capabilitiesText, treeText } from "./inspect_text.ts";
import type { RawOptions } from "./option_rows.ts";
import { type RunOptions, validate } from "./options.ts";
import { bootMachine, configure, finish } from "./run.ts";
import { print } from "./terminal.ts";

/**
 * `hedra ps` and `hedra caps`: runs the demo or PROGRAM with its output on stderr, and prints on stdout how the kernel stood when it held
 * most capabilities; or, with --interval, how it stands every so many seconds. Ctrl-C and --timeout end with the state of that moment.
 */
export async function runInspect(
  view: "ps" | "caps",
  raw: RawOptions,
  program: string | undefined,
  args: string[],
): Promise<number> {
  const options = validate(raw), watching = options.intervalSeconds !== undefined;
  const config = await machineOf(options, program, args);
  let found: KernelView | undefined, machine: Machine | undefined;
  const show = (state: KernelView) => print("stdout", render(view, options, state));
  const now = () => machine && inspect(machine.kernel);
  const interrupted = () => {
    const state = now();
    if (state !== undefined) show(state);
    Deno.exit(EXIT_INTERRUPTED);
  };
  Deno.addSignalListener("SIGINT", interrupted);
  const timer = watching
    ? setInterval(() => {
      const state = now();
      if (state !== undefined) show(state);
    }, (options.intervalSeconds ?? 0) * 1000)
    : undefined;
  try {
    const { programs } = await bootMachine({
      ...config,
      prepared: (it) => machine = it,
      observe: watching ? undefined : (state) => found = fuller(found, state),
    });
    const exitCode = program === undefined ? EXIT.OK : finish(programs[0]);
    if (exitCode === EXIT.TIMEOUT || watching) found = now();
    if (found !== undefined) show(found);
    else if (exitCode === EXIT.OK) throw new UserError("Cannot show kernel objects: no program was started", EXIT.FAILURE);
    return found === undefined || exitCode === EXIT.TIMEOUT ? exitCode : EXIT.OK;
  } finally {
    clearInterval(timer);
    Deno.removeSignalListener("SIGINT", interrupted);
  }
}

/** As a shell tells that SIGINT has ended a program. */
const EXIT_INTERRUPTED = 130;

function render(view: "ps" | "caps", options: RunOptions, state: KernelView): string {
  const shown = options.pd === undefined ? state : onlyPd(state, options.pd);
  if (options.dot) return capabilitiesDot(shown);
  if (options.json) return `${JSON.stringify({ version: JSON_VERSION, ...select(view, shown) }, undefined, 2)}\n`;
  return view === "ps" ? treeText(shown) : capabilitiesText(shown);
}

const fuller = (a: KernelView | undefined, b: KernelView): KernelView =>
  a && a.capabilities.length >= b.capabilities.length ? a : b;

/** Version of the JSON that --json prints. */
const JSON_VERSION = 1;

const select = (view: "ps" | "caps", { pds, capabilities }: KernelView): object =>
  view === "ps" ? { pds } : { pds: pds.map(({ id, label }) => ({ id, label })), capabilities };

async function machineOf(options: RunOptions, program: string | undefined, args: string[]): Promise<BootConfig> {
  const { denoHost } = await import("../host/deno_host.ts");
  const host = denoHost();
  // Standard output belongs to the tree.
  const quiet = { ...host, stdout: host.stderr };
  if (program !== undefined) return configure(options, quiet, program, args);
  const { demoConfig } = await import("./demo.ts");
  return { ...await demoConfig(options.verbose), host: quiet };
}
