import { Argument, Command, CommanderError } from "commander";
import { EXIT } from "./errors.ts";
import project from "../deno.json" with { type: "json" };
import type { BootOptions } from "./boot.ts";
import { noOptions, optionName, type OptionRow, type RawOptions, rowsFor, setOption } from "./option_rows.ts";
import { columns, mayColor, print } from "./terminal.ts";

const VERSION = project.version;

/** What the commands do; main.ts binds them to their modules, which are loaded only when they run. Each gives the exit code. */
export interface Actions {
  run(options: RawOptions, program: string, args: string[]): Promise<number>;
  demo(options: { verbose: boolean }, what?: "programs" | "services"): Promise<number>;
  profile(options: RawOptions, program: string, args: string[]): Promise<number>;
  /** `view`: what to print about the objects of the demo, or of PROGRAM once it has ended. */
  inspect(view: "ps" | "caps", options: RawOptions, program: string | undefined, args: string[]): Promise<number>;
  trace(options: RawOptions, program: string, args: string[]): Promise<number>;
  boot(options: BootOptions): Promise<number>;
  syscalls(options: { json: boolean }): Promise<number>;
}

/** Where commander writes. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  color: boolean;
  columns: number;
}

const EXAMPLES = `
Examples:
  hedra demo                                       boot a hyperapp, a Linux program and a hybrid side by side
  hedra demo services                              a service dies in the middle of a call and comes back
  hedra run ./a.out first second                   a static Linux program of the host; it sees nothing else of the host
  hedra run busybox sha256sum < README.md          streams and exit code pass through
  hedra run --root rootfs.tar /bin/sh -c 'ls -l'   a whole root file system, read-only for the guest's host
  hedra run --root /srv/guest:rw /usr/bin/make     the guest may change /srv/guest
  hedra run --root / --diff /bin/sh -c 'touch /x'  the host's own programs; tells what they would have changed
  hedra profile -o out.folded ./a.out              where the guest spends its time
  hedra caps ./hello.elf                           who delegated which capability to whom
  hedra boot --roottask roottask --module userland.tar=userland

Exit codes: the guest's own; 128+n when signal n ended it; 126 not executable, 127 not found; 124 after --timeout; 2 usage error; 125 bug of Hedra.`;

/** The whole command line, as commander sees it. Usage errors are thrown as UserError. */
export function buildProgram(actions: Actions, output: Output, done: (exitCode: number) => void): Command {
  const program = new Command("hedra");
  program
    .description(
      "Boots an emulated x86-64 machine with the Hedron microhypervisor and runs hyperapps, hybrids and Linux programs on it.",
    )
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      getOutHasColors: () => output.color,
      getErrHasColors: () => output.color,
      getOutHelpWidth: () => output.columns,
      getErrHelpWidth: () => output.columns,
      outputError: (text, write) => write(`hedra: ${text.replace(/^error: /, "").replace(/\n(?=.)/g, "; ")}`),
    })
    .configureHelp({ styleTitle: (text) => `\x1b[1m${text}\x1b[22m` })
    .addHelpText("after", EXAMPLES);
  program.command("demo").description("boot the system and run a hyperapp, a Linux program and a hybrid side by side")
    .addArgument(
      new Argument("[what]", "services: a service that dies and comes back").choices(["programs", "services"] as const),
    )
    .option("--verbose", "say what the machine does")
    .action(async (what, options) => done(await actions.demo({ verbose: options.verbose ?? false }, what)));
  const run = program.command("run").description("run one program; its streams and exit code pass through")
    .argument("<program>", "path in the guest's root, or without --root a file of the host")
    .argument("[args...]", "arguments of the program; options after PROGRAM belong to it").passThroughOptions();
  addOptions(run as unknown as Command, "run");
  run.action(async (name, args, options) => done(await actions.run(collect("run", options), name, args)));
  for (
    const [view, text] of [["ps", "print the tree of PDs, ECs, SCs, PTs and SMs"], [
      "caps",
      "print who delegated which capability to whom",
    ]] as const
  ) {
    const command = program.command(view).description(`${text}, for the demo or a program`)
      .argument("[program]", "program to run instead of the demo")
      .argument("[args...]", "arguments of the program").passThroughOptions();
    addOptions(command as unknown as Command, view);
    command.action(async (name, args, options) => done(await actions.inspect(view, collect(view, options), name, args)));
  }
  const profile = program.command("profile").description(
    "run one program and write where its time went: sampled stacks with symbols",
  )
    .argument("<program>", "as for run").argument("[args...]", "arguments of the program").passThroughOptions();
  addOptions(profile as unknown as Command, "profile");
  profile.action(async (name, args, options) => done(await actions.profile(collect("profile", options), name, args)));
  const trace = program.command("trace").description(
    "run one program and tell every hypercall, IPC, exception and foreign system call; with -o as JSON for Perfetto",
  )
    .argument("<program>", "as for run").argument("[args...]", "arguments of the program").passThroughOptions();
  addOptions(trace as unknown as Command, "trace");
  trace.action(async (name, args, options) => done(await actions.trace(collect("trace", options), name, args)));
  program.command("syscalls").description("print the Linux system calls and how far each works")
    .option("--json", "print JSON")
    .action(async (options) => done(await actions.syscalls({ json: options.json ?? false })));
  addBoot(program, actions, done);
  return program;
}

const collectTexts = (value: string, all: string[]): string[] => [...all, value];

function addBoot(program: Command, actions: Actions, done: (exitCode: number) => void): void {
  program.command("boot").description(
    "boot a Hedron-native roottask in machine code; its serial line is stdout, its debug console stderr",
  )
    .requiredOption("--roottask <FILE>", "ELF file of the roottask: the first boot module")
    .option(
      "--module <FILE[=CMDLINE]>",
      "a further boot module (may be repeated); its command line is FILE's name unless given",
      collectTexts,
      [],
    )
    .option("--cmdline <TEXT>", "command line of the roottask's module (default: FILE's name)")
    .option("--memory <MIB>", "RAM in MiB (default: 1408, which is 512 MiB beyond the first GiB)")
    .option("--abi <VERSION>", "interface of the kernel: 5004 (the thesis's fork) or 13.2 (default: 5004)")
    .option("--timeout <SECONDS>", "end the machine after so many seconds with exit code 124")
    .option("--ps", "when the machine has ended or stopped, print the tree of its objects")
    .option("--caps", "and who delegated which capability to whom")
    .option("--trace <FILE>", "write every hypercall, IPC, exception and foreign call as JSON for Perfetto")
    .option("--verbose", "also report hypercalls that fail")
    .action(async (options) => done(await actions.boot(options)));
}

/** The typed command is widened at the call: option types come from OPTIONS, which commander's types cannot follow. */
function addOptions(command: Command, commandName: string): void {
  for (const row of rowsFor(commandName)) {
    const name = row.short === undefined ? `--${optionName(row)}` : `-${row.short}, --${optionName(row)}`;
    if (row.value === undefined) command.option(name, row.help);
    else if (row.optional) command.option(`${name} [${row.value}]`, row.help);
    else if (row.repeat) {
      command.option(`${name} <${row.value}>`, row.help, (value: string, all: string[]) => [...all, value], [] as string[]);
    } else command.option(`${name} <${row.value}>`, row.help);
  }
}

function collect(name: string, parsed: object): RawOptions {
  const values = parsed as Record<string, string | string[] | boolean | undefined>; // commander stores each option under its key
  const options = noOptions();
  for (const row of rowsFor(name)) {
    const value = values[row.key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    if (Array.isArray(value)) { for (const each of value) setOption(options, row, each); }
    else if (typeof value === "string") setOption(options, row, value);
    else if (value === true) setOption(options, row, undefined);
  }
  return options;
}

/**
 * Commander takes the word after an option with an optional value for that value; here it stands behind "=" or not at all. So such
 * an option gets an empty value as long as PROGRAM has not been seen.
 */
export function forCommander(args: readonly string[]): string[] {
  const result = [...args], rows = new Map<string, OptionRow>();
  for (const row of rowsFor(args[0] ?? "")) {
    rows.set(`--${optionName(row)}`, row);
    if (row.short !== undefined) rows.set(`-${row.short}`, row);
  }
  for (let i = 1; i < result.length && result[i].startsWith("-") && result[i] !== "--"; i++) {
    const row = rows.get(result[i]);
    if (row?.optional) result[i] += "=";
    else if (row?.value !== undefined) i++;
  }
  return result;
}

/** Parses `args` with commander and runs the command. Commander's own exits (help, version, usage errors) become exit codes. */
export async function commandLine(actions: Actions, args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.OK;
  const output = {
    out: (text: string) => print("stdout", text),
    err: (text: string) => print("stderr", text),
    color: mayColor("stdout"),
    columns: columns(),
  };
  const program = buildProgram(actions, output, (code) => exitCode = code);
  try {
    await program.parseAsync(forCommander(args), { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    throw error;
  }
}
