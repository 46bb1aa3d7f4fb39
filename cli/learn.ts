/** `hedra run --learn`: what the programs did not get, and the options that would have granted it. */
import type { Refused } from "../linux/trace/refusals.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import type { RunOptions } from "./options.ts";
import { print } from "./terminal.ts";

/** Version of the JSON. */
const JSON_VERSION = 1;

/** One line of the report. */
interface Lesson {
  /** "unimplemented call", or what was refused. */
  what: "call" | "connect" | "name" | "listen" | "file" | "memory" | "tasks" | "env";
  /** The call, place, name, path or variable. */
  value: string;
  program: string;
  times: number;
  /** The option that would have granted it; absent when none would. */
  option?: string;
}

/** Prints the report on stderr, or writes it as JSON. Throws a UserError when that file cannot be written. */
export function printLearned(refused: readonly Refused[], options: RunOptions, program: string): void {
  const lessons = [...refused.flatMap((each) => lessonOf(each, options)), ...variables(options, program)];
  const grants = merged(lessons, options);
  const json = `${JSON.stringify({ version: JSON_VERSION, lessons, options: grants }, undefined, 2)}\n`;
  if (typeof options.learn === "string") {
    try {
      Deno.writeTextFileSync(options.learn, json);
    } catch (error) {
      throw new UserError(`Cannot write "${options.learn}": ${reasonOf(error)}`, EXIT.FAILURE);
    }
  }
  if (options.json) return print("stderr", json);
  if (lessons.length === 0) return print("stderr", "hedra: The program got everything that it asked for\n");
  const rows = lessons.map(({ what, value, program, times, option }) => {
    const count = times === 1 ? "" : ` (${times} times)`;
    return `  ${HEADINGS[what].padEnd(16)}${value}${count}, ${program}${option === undefined ? "" : `: ${option}`}\n`;
  });
  print("stderr", `hedra: What programs asked for and did not get:\n${rows.join("")}`);
  if (grants.length > 0) print("stderr", `hedra: All of that: hedra run ${grants.join(" ")} ...\n`);
}

/** All options together. Those that hold a list are one option, with what was granted already. */
function merged(lessons: readonly Lesson[], { allowNet, allowEnv }: RunOptions): string[] {
  const wanted = new Set(lessons.flatMap(({ option }) => option ?? [])), merged: string[] = [];
  for (const [list, given] of [["--allow-net=", allowNet], ["--allow-env=", allowEnv === "all" ? [] : allowEnv]] as const) {
    const values = [...wanted].filter((option) => option.startsWith(list)).map((option) => option.slice(list.length));
    if (values.length > 0) merged.push(list + [...new Set([...given, ...values])].join(","));
  }
  return [...merged, ...[...wanted].filter((option) => !option.startsWith("--allow-"))];
}

const HEADINGS: Readonly<Record<Lesson["what"], string>> = {
  call: "system call",
  connect: "network",
  name: "name",
  listen: "being reached",
  file: "file",
  memory: "memory",
  tasks: "tasks",
  env: "variable",
};

function lessonOf(each: Refused, options: RunOptions): Lesson[] {
  const { kind: what, program, times } = each, lesson = { what, program, times };
  switch (each.kind) {
    case "call":
      return [{ ...lesson, value: each.name }];
    case "connect":
    case "name": {
      const value = each.kind === "name" ? each.name : each.place;
      return [{ ...lesson, value, option: `--allow-net=${value}` }];
    }
    case "listen":
      return [{ ...lesson, value: each.place, option: `--allow-net=${each.place}` }];
    case "file": {
      const option = mountFor(each.path, options);
      return option === undefined ? [] : [{ ...lesson, value: each.path, option }];
    }
    case "memory":
      return [{ ...lesson, value: `more than ${options.memoryMiB} MiB`, option: `--memory ${options.memoryMiB * 2}` }];
    case "tasks":
      return options.maxProcs === undefined
        ? []
        : [{ ...lesson, value: `more than ${options.maxProcs}`, option: `--max-procs ${options.maxProcs * 2}` }];
  }
}

/** What would have shown the host's file at this path; undefined when the host has none there either. */
function mountFor(path: string, { root }: RunOptions): string | undefined {
  if (/^\/(dev|proc|sys|tmp)(\/|$)/.test(path)) return undefined;
  try {
    const { isDirectory } = Deno.statSync(path), directory = isDirectory ? path : path.replace(/\/[^/]*$/, "") || "/";
    if (root?.host === "/") return undefined;
    return directory === "/" ? "--root /" : `--mount ${directory}:${directory}`;
  } catch {
    return undefined;
  }
}

/** Always there. */
const GIVEN: readonly string[] = ["PATH", "HOME", "TERM", "LINUX_UNDER_HEDRON"];
/** The shortest name that is taken for one. */
const MIN_NAME = 3;

/** Variables of the host that the guest did not get and that its file names: what it reads of its environment nobody sees. */
function variables({ env, allowEnv, root }: RunOptions, program: string): Lesson[] {
  if (allowEnv === "all") return [];
  const has = new Set([...GIVEN, ...allowEnv, ...env.map((entry) => entry.slice(0, entry.indexOf("=")))]);
  const names = Object.keys(Deno.env.toObject()).filter((name) => name.length >= MIN_NAME && !has.has(name));
  const found = namesIn(program, root?.host).filter((text) => names.includes(text));
  return [...new Set(found)].sort().map((value) => ({ what: "env", value, program, times: 1, option: `--allow-env=${value}` }));
}

/** Texts of a program's file that look like names of variables. */
function namesIn(program: string, root: string | undefined): string[] {
  try {
    const bytes = Deno.readFileSync(root === undefined ? program : `${root}/${program}`);
    return [...new TextDecoder("latin1").decode(bytes).matchAll(/\0([A-Z][A-Z0-9_]*)(?=\0)/g)].map(([, name]) => name);
  } catch {
    return [];
  }
}
