/** What the options mean once they have been checked. */
import { CPU_LEVELS, type CpuLevel } from "../cpu/level.ts";
import { PERSONALITIES, type PersonalityName } from "../roottask/layout.ts";
import { type Placement, PLACEMENTS } from "../roottask/boot_config.ts";
import { parseNetTarget } from "../roottask/net_grant.ts";
import { EXIT, UserError } from "./errors.ts";
import type { RawOptions } from "./option_rows.ts";

/** How a guest program is to be started. */
export type Kind = PersonalityName | "hyperapp";
const KINDS: readonly string[] = [...PERSONALITIES, "hyperapp"] satisfies Kind[];

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
  /** Directory for translated code; "off" = none. */
  codeCache: string | undefined;
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

/** "interpreter" and "translator" are Hedra's processor that translates nothing, or everything at its first execution. */
export const CPU_ENGINES = ["hedra", "interpreter", "translator", "unicorn", "lockstep"] as const;
export type CpuEngine = typeof CPU_ENGINES[number];
/** Runs of a block before it is translated, for the engines that are Hedra's own processor with another number. */
export const ENGINE_HEAT: Partial<Record<CpuEngine, number>> = { interpreter: Infinity, translator: 1 };
export type ProfileFormat = "folded" | "speedscope";

export const DEFAULT_MEMORY_MIB = 2048;
export const MIN_MEMORY_MIB = 16;
/** One 32-bit WebAssembly memory of 4 GiB less the 176 MiB that belong to the CPU and the kernel (cpu/layout.ts). */
export const MAX_MEMORY_MIB = 4096 - 176;

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
  const engine = CPU_ENGINES.find((known) => known === text);
  if (engine === undefined) throw usage(`Cannot use "${text}" as --cpu-engine: expected ${CPU_ENGINES.join(", ")}`);
  return engine;
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
  if (raw.stats && engine !== "hedra" && ENGINE_HEAT[engine] === undefined) {
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
    codeCache: raw.codeCache,
    format: raw.format === undefined ? "folded" : parseFormat(raw.format),
    output: raw.output,
    pd: raw.pd,
    dot: raw.dot,
  };
}
