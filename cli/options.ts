import { CPU_LEVELS, type CpuLevel } from "../cpu/level.ts";
import { PERSONALITIES, type PersonalityName } from "../roottask/layout.ts";
import { type Placement, PLACEMENTS } from "../roottask/boot_config.ts";
import { parseNetTarget } from "../roottask/net_grant.ts";
import { EXIT, UserError } from "./errors.ts";

/** How a guest program is to be started. */
export type Kind = PersonalityName | "hyperapp";
const KINDS: readonly string[] = [...PERSONALITIES, "hyperapp"] satisfies Kind[];

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
  { key: "memory", value: "MIB", help: "RAM that guests can use, in MiB (default: 1024)" },
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
    value: "hedra|unicorn|lockstep",
    help: "processor: ours, libunicorn2, or both instruction by instruction until they differ",
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

/** A host path that the guest may see. */
export interface Grant {
  host: string;
  /** Absolute path in the guest. */
  guest: string;
  writable: boolean;
}

/** Options after validation. */
export interface RunOptions {
  root: Grant | undefined;
  mounts: Grant[];
  /** K=V. */
  env: string[];
  /** Names of variables that the guest gets from the host. */
  allowEnv: "all" | string[];
  /** Hosts and ports of the network; ["all"] = every one. */
  allowNet: string[];
  cwd: string;
  memoryMiB: number;
  /** Processes and threads; undefined = no limit of its own. */
  maxProcs: number | undefined;
  timeoutSeconds: number | undefined;
  cpuLevel: CpuLevel;
  kind: Kind | undefined;
  /** Who Linux programs are started as. */
  user: { uid: number; gid: number } | undefined;
  deterministic: boolean;
  personality: Placement;
  strace: boolean;
  /** The calls that it is about, as typed; undefined = all. */
  straceSet: string | undefined;
  straceSummary: boolean;
  verbose: boolean;
  json: boolean;
  stats: boolean;
  engine: CpuEngine;
  diff: boolean;
  /** Host directory for what was changed. */
  commit: string | undefined;
  /** Tell what was not granted; a text is the file for the report in JSON. */
  learn: string | true | undefined;
  format: ProfileFormat;
  /** File for the profile; undefined = named after the format. */
  output: string | undefined;
  /** Label or id of the PD to show. */
  pd: string | undefined;
  intervalSeconds: number | undefined;
  dot: boolean;
}

export type CpuEngine = "hedra" | "unicorn" | "lockstep";
export type ProfileFormat = "folded" | "speedscope";

export const DEFAULT_MEMORY_MIB = 1024;
export const MIN_MEMORY_MIB = 16;
/** One 32-bit WebAssembly memory of 4 GiB less the 160 MiB that belong to the CPU and the kernel (cpu/layout.ts). */
export const MAX_MEMORY_MIB = 4096 - 160;

/** Longer timers fire at once. */
const MAX_TIMEOUT_S = 2_000_000;

const usage = (message: string): UserError => new UserError(message, EXIT.USAGE);

/** "PATH[:rw]" -> path and right. */
function splitRight(text: string): { path: string; writable: boolean } {
  if (text.endsWith(":rw")) return { path: text.slice(0, -3), writable: true };
  if (text.endsWith(":ro")) return { path: text.slice(0, -3), writable: false };
  return { path: text, writable: false };
}

function parseRoot(text: string): Grant {
  const { path, writable } = splitRight(text);
  if (path === "") throw usage(`Cannot use "${text}" as --root: expected DIR[:rw]|TAR`);
  return { host: path, guest: "/", writable };
}

function parseMount(text: string): Grant {
  const { path, writable } = splitRight(text);
  const colon = path.indexOf(":");
  const host = path.slice(0, colon);
  const guest = path.slice(colon + 1);
  if (colon <= 0 || guest === "") throw usage(`Cannot use "${text}" as --mount: expected HOST:GUEST[:rw]`);
  if (!guest.startsWith("/")) throw usage(`Cannot use "${text}" as --mount: the guest path must be absolute`);
  return { host, guest, writable };
}

function parseEnv(text: string): string {
  if (text.indexOf("=") <= 0) throw usage(`Cannot use "${text}" as --env: expected K=V`);
  return text;
}

export function parseMemory(text: string): number {
  const mib = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(mib >= MIN_MEMORY_MIB && mib <= MAX_MEMORY_MIB)) {
    throw usage(`Cannot use "${text}" as --memory: expected MiB from ${MIN_MEMORY_MIB} to ${MAX_MEMORY_MIB}`);
  }
  return mib;
}

function parseAllowEnv(text: string | true | undefined): "all" | string[] {
  if (text === undefined) return [];
  if (text === true) return "all";
  const names = text.split(",");
  if (names.some((name) => name === "" || name.includes("="))) {
    throw usage(`Cannot use "${text}" as --allow-env: expected names with commas between them`);
  }
  return names;
}

function parseAllowNet(text: string | true | undefined): string[] {
  if (text === undefined) return [];
  if (text === true) return ["all"];
  const places = text.split(",");
  for (const place of places) {
    if (parseNetTarget(place) === undefined) {
      throw usage(`Cannot use "${place}" as --allow-net: expected HOST, HOST:PORT, [IPV6]:PORT or a port`);
    }
  }
  return places;
}

function parseMaxProcs(text: string): number {
  const count = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw usage(`Cannot use "${text}" as --max-procs: expected a number from 1 on`);
  return count;
}

/** Seconds for a timer. */
export function parseTimeout(text: string, option = "timeout"): number {
  const seconds = /^[0-9]*\.?[0-9]+$/.test(text) ? Number(text) : 0;
  if (!(seconds > 0 && seconds <= MAX_TIMEOUT_S)) {
    throw usage(`Cannot use "${text}" as --${option}: expected seconds, at most ${MAX_TIMEOUT_S}`);
  }
  return seconds;
}

function parseKind(text: string): Kind {
  if (!KINDS.includes(text)) throw usage(`Cannot use "${text}" as --kind: expected linux, freebsd or hyperapp`);
  return text as Kind; // one of KINDS
}

function parseLevel(text: string): CpuLevel {
  const level = CPU_LEVELS.find((known) => known === text);
  if (level === undefined) throw usage(`Cannot use "${text}" as --cpu: expected ${CPU_LEVELS.join(", ")}`);
  return level;
}

function parseEngine(text: string): CpuEngine {
  if (text === "hedra" || text === "unicorn" || text === "lockstep") return text;
  throw usage(`Cannot use "${text}" as --cpu-engine: expected hedra, unicorn or lockstep`);
}

function parseFormat(text: string): ProfileFormat {
  if (text !== "folded" && text !== "speedscope") throw usage(`Cannot use "${text}" as --format: expected folded or speedscope`);
  return text;
}

/** Ids as Linux has them; -1 means "none" there. */
const LAST_ID = 2 ** 32 - 2;

function parseUser(text: string): { uid: number; gid: number } {
  const [uid, gid = uid] = (/^(\d+)(?::(\d+))?$/.exec(text)?.slice(1) ?? []).map((id) =>
    id === undefined ? undefined : Number(id)
  );
  if (uid === undefined || gid === undefined || uid > LAST_ID || gid > LAST_ID) {
    throw usage(`Cannot use "${text}" as --user: expected UID or UID:GID, numbers up to ${LAST_ID}`);
  }
  return { uid, gid };
}

function parsePlacement(text: string | undefined): Placement {
  const placement = text === undefined ? "own" : PLACEMENTS.find((each) => each === text);
  if (placement === undefined) throw usage(`Cannot use "${text}" as --personality: expected ${PLACEMENTS.join(" or ")}`);
  return placement;
}

function parseCwd(text: string): string {
  if (!text.startsWith("/")) throw usage(`Cannot use "${text}" as --cwd: expected an absolute path in the guest`);
  return text;
}

/** Checks what was typed. Throws a UserError with exit code 2. */
export function validate(raw: RawOptions): RunOptions {
  const engine = raw.cpuEngine === undefined ? "hedra" : parseEngine(raw.cpuEngine);
  if (raw.stats && engine !== "hedra") {
    throw usage(`Cannot use --stats with --cpu-engine ${engine}: only Hedra's own processor counts`);
  }
  return {
    root: raw.root === undefined ? undefined : parseRoot(raw.root),
    mounts: raw.mount.map(parseMount),
    env: raw.env.map(parseEnv),
    allowEnv: parseAllowEnv(raw.allowEnv),
    allowNet: parseAllowNet(raw.allowNet),
    cwd: raw.cwd === undefined ? "/" : parseCwd(raw.cwd),
    memoryMiB: raw.memory === undefined ? DEFAULT_MEMORY_MIB : parseMemory(raw.memory),
    maxProcs: raw.maxProcs === undefined ? undefined : parseMaxProcs(raw.maxProcs),
    intervalSeconds: raw.interval === undefined ? undefined : parseTimeout(raw.interval, "interval"),
    timeoutSeconds: raw.timeout === undefined ? undefined : parseTimeout(raw.timeout),
    cpuLevel: raw.cpu === undefined ? "v3" : parseLevel(raw.cpu),
    kind: raw.kind === undefined ? undefined : parseKind(raw.kind),
    user: raw.user === undefined ? undefined : parseUser(raw.user),
    deterministic: raw.deterministic,
    personality: parsePlacement(raw.personality),
    strace: raw.strace !== false || raw.straceSummary,
    straceSet: typeof raw.strace === "string" ? raw.strace : undefined,
    straceSummary: raw.straceSummary,
    verbose: raw.verbose,
    json: raw.json,
    stats: raw.stats,
    diff: raw.diff,
    commit: raw.commit,
    learn: raw.learn,
    engine,
    format: raw.format === undefined ? "folded" : parseFormat(raw.format),
    output: raw.output,
    pd: raw.pd,
    dot: raw.dot,
  };
}
