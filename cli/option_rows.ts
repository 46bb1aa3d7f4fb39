/** The options of the commands that run a program, as they are typed: one row each. */

/** Options of `hedra run`, `ps` and `caps` as they stand on the command line. */
export interface RawOptions {
  root?: string;
  mount: string[];
  env: string[];
  /** Names with commas between them; true = all. */
  allowEnv?: string | true;
  /** Hosts and ports with commas between them; true = all. */
  allowNet?: string | true;
  cwd?: string;
  memory?: string;
  maxProcs?: string;
  timeout?: string;
  cpu?: string;
  kind?: string;
  user?: string;
  deterministic: boolean;
  personality?: string;
  /** A set of calls; true = all. */
  strace: boolean | string;
  straceSummary: boolean;
  verbose: boolean;
  json: boolean;
  stats: boolean;
  cpuEngine?: string;
  codeCache?: string;
  diff: boolean;
  commit?: string;
  /** File for the report in JSON; true = none. */
  learn?: string | true;
  format?: string;
  output?: string;
  pd?: string;
  interval?: string;
  dot: boolean;
}

/** One option of the commands that run a program. The fast parser and commander are both fed from these rows. */
export interface OptionRow {
  readonly key: keyof RawOptions;
  /** One-letter form. */
  readonly short?: string;
  /** Name of the value in the help text; none for a switch. */
  readonly value?: string;
  /** The value may be left out; when given, it stands behind "=". */
  readonly optional?: true;
  /** May be given several times. */
  readonly repeat?: true;
  readonly help: string;
  /** Commands that take this option; every one when absent. */
  readonly only?: readonly string[];
}

export const OPTIONS: readonly OptionRow[] = [
  {
    key: "root",
    value: "DIR[:rw]|TAR",
    help: "host directory or tar archive that is the guest's /; without :rw changes stay in memory",
  },
  { key: "mount", value: "HOST:GUEST[:rw]", repeat: true, help: "make a host directory visible in the guest" },
  { key: "env", value: "K=V", repeat: true, help: "set an environment variable of the guest" },
  {
    key: "allowEnv",
    value: "K,...",
    optional: true,
    help: "hand on variables of the host's environment to the guest; all of them without =K,...",
  },
  {
    key: "allowNet",
    value: "HOST[:PORT],...",
    optional: true,
    help: "let the guest use the host's network: these names and addresses, or (without =...) all but the host's own loopback",
  },
  { key: "cwd", value: "DIR", help: "working directory in the guest (default: /)" },
  { key: "memory", value: "MIB", help: "RAM that guests can use, in MiB (default: 2048)" },
  { key: "maxProcs", value: "N", help: "processes and threads that Linux programs may have at a time; more is EAGAIN" },
  { key: "timeout", value: "SECONDS", help: "end the whole machine after so many seconds with exit code 124" },
  {
    key: "cpu",
    value: "v1|v2|v3",
    help: "instruction set: level of the x86-64 psABI (default: v3, with everything else there is)",
  },
  {
    key: "user",
    value: "UID[:GID]",
    help: "start Linux programs as this user (default: 0, root; a GID that is left out is the UID)",
  },
  {
    key: "deterministic",
    help: "the same addresses, random numbers and date (2025-01-01) in every run",
  },
  { key: "kind", value: "linux|freebsd|hyperapp", help: "how to start PROGRAM instead of telling by its ELF file" },
  {
    key: "personality",
    value: "own|roottask",
    help: "protection domain that the personality runs in (default: its own)",
    only: ["run"],
  },
  {
    key: "strace",
    value: "SET",
    optional: true,
    help: "print Linux system calls on stderr: every one, or those of SET: names and classes such as %file, or !SET",
  },
  { key: "straceSummary", help: "print counts, errors and time of each Linux system call instead, at the end" },
  {
    key: "verbose",
    help: "say what is granted, which hypercalls fail and how long the program ran; internal errors with a stack trace",
  },
  {
    key: "json",
    help: "print JSON (with run: the statistics, the changes and what was not granted)",
    only: ["ps", "caps", "run"],
  },
  { key: "stats", help: "when the program has ended, print what the processor did on stderr", only: ["run"] },
  {
    key: "diff",
    help: "when the program has ended, list on stderr what it added (A), changed (C) and removed (D)",
    only: ["run"],
  },
  { key: "commit", value: "DIR", help: "then save what was changed in memory to a directory of the host", only: ["run"] },
  {
    key: "learn",
    value: "FILE",
    optional: true,
    help: "when the program has ended, tell what it did not get and which options would have granted it; in FILE as JSON",
    only: ["run"],
  },
  {
    key: "cpuEngine",
    value: "hedra|interpreter|translator|unicorn|lockstep",
    help: "processor: ours, ours without or with nothing but translated code, libunicorn2, or both, compared at each instruction",
    only: ["run"],
  },
  {
    key: "codeCache",
    value: "DIR|off",
    help: "where translated code is kept for the next run (default: code below $HEDRA_CACHE or ~/.cache/hedra)",
    only: ["run"],
  },
  { key: "format", value: "folded|speedscope", help: "how to write the profile (default: folded)", only: ["profile"] },
  {
    key: "output",
    short: "o",
    value: "FILE",
    help: "where to write the profile (default: profile.FORMAT), or the trace",
    only: ["profile", "trace"],
  },
  {
    key: "interval",
    value: "SECONDS",
    help: "show how it stands every so many seconds, while the program runs",
    only: ["ps", "caps"],
  },
  { key: "pd", value: "NAME", help: "show one protection domain only", only: ["caps"] },
  { key: "dot", help: "print a graph for Graphviz", only: ["caps"] },
];

/** The option as it is typed, without dashes. */
export const optionName = (row: OptionRow): string => row.key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const rowsFor = (command: string): OptionRow[] => OPTIONS.filter((row) => !row.only || row.only.includes(command));

export const noOptions = (): RawOptions => ({
  mount: [],
  env: [],
  deterministic: false,
  strace: false,
  straceSummary: false,
  verbose: false,
  json: false,
  stats: false,
  diff: false,
  dot: false,
});

/** Stores one parsed option. `value` is undefined for a switch; an optional one that is empty counts as left out. */
export function setOption(options: RawOptions, row: OptionRow, value: string | undefined): void {
  const slot = options as unknown as Record<string, string | boolean | string[]>; // keys and value types are paired by OPTIONS
  if (row.repeat) (slot[row.key] as string[]).push(value ?? "");
  else slot[row.key] = row.optional ? value || true : value ?? true;
}
