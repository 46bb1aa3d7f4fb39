import { HedraCpu } from "../cpu/cpu.ts";
import { folded, speedscope, topTable } from "../profile/formats.ts";
import { Sampler } from "../profile/sampler.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import type { RawOptions } from "./option_rows.ts";
import { type RunOptions, validate } from "./options.ts";
import { bootMachine, configure, finish } from "./run.ts";
import { openHostProgram } from "./target.ts";
import { print } from "./terminal.ts";

const ROWS = 20;
const DEFAULT_FILE = { folded: "profile.folded", speedscope: "profile.speedscope.json" } as const;

/** `hedra profile`: runs PROGRAM, writes where its time went to a file and the top functions on stderr; gives the guest's exit code. */
export async function runProfile(raw: RawOptions, program: string, args: string[]): Promise<number> {
  const { denoHost } = await import("../host/deno_host.ts");
  const options = validate(raw), host = denoHost(), config = await configure(options, host, program, args);
  const bytes = programFile(options, program, config.programs[0].path);
  let sampler: Sampler | undefined;
  const result = await bootMachine(config, (cpuOptions) => {
    const cpu = new HedraCpu(cpuOptions);
    sampler = new Sampler(cpu.ram, () => host.now(), { name: program.slice(program.lastIndexOf("/") + 1), bytes });
    cpu.sampler = sampler.sample;
    return cpu;
  });
  const exitCode = finish(result.programs[0]), profile = sampler?.profile();
  if (!profile || result.programs[0].pid < 0) return exitCode;
  const file = options.output ?? DEFAULT_FILE[options.format];
  const text = options.format === "folded" ? folded(profile) : speedscope(profile, program);
  try {
    Deno.writeTextFileSync(file, text);
  } catch (error) {
    throw new UserError(`Cannot write "${file}": ${reasonOf(error)}`, EXIT.FAILURE);
  }
  print("stderr", `${topTable(profile, ROWS)}Profile (${options.format}): ${file}\n`);
  return exitCode;
}

/** The program's file, for its symbols; undefined when it is in an archive or cannot be read: then names come from guest memory. */
function programFile(options: RunOptions, program: string, guestPath: string): Uint8Array | undefined {
  try {
    if (options.root === undefined) return openHostProgram(program, options.kind).bytes;
    return Deno.readFileSync(`${options.root.host}${guestPath}`);
  } catch {
    return undefined;
  }
}
