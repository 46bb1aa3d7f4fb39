/**
 * What `boot()` (roottask/boot.ts) is told: memory, what the guests may see of the host, and the programs to run.
 */
import type { CpuLevel } from "../cpu/level.ts";
import type { Host, HostDirectory } from "../host/api.ts";
import type { PersonalityName } from "./layout.ts";
import type { ServiceSpec } from "./manifest.ts";
import type { Layer } from "../fs/changes.ts";
import type { HostProgram } from "../hedron/api.ts";
import type { KernelView } from "../hedron/inspect.ts";
import type { Machine } from "../machine.ts";

/** Where a personality's code runs: in a protection domain of its own, or in roottask's. */
export const PLACEMENTS = ["own", "roottask"] as const;
export type Placement = (typeof PLACEMENTS)[number];

export type ProgramKind = PersonalityName | "hyperapp" | "auto";

export interface ProgramSpec {
  /** "auto": told apart by the ELF file (docs/guest-runtime.md, section 1). */
  kind: ProgramKind;
  /** Absolute path in the guest's file tree. */
  path: string;
  /** argv[0] included; ignored by hyperapps. */
  argv: string[];
  /** "KEY=value". The personality adds LINUX_UNDER_HEDRON=true. */
  env: string[];
  /** Absolute. */
  cwd: string;
  /** Name in prefixed output and messages; default: last component of `path`. */
  name?: string;
}

/** Where the files of one mount come from. */
export type FileSource =
  | { kind: "memory" }
  /** An uncompressed tar image (ustar, pax or GNU). Read-only by itself. */
  | { kind: "tar"; bytes: Uint8Array }
  /** Writable as far as the directory says so. */
  | { kind: "host"; directory: HostDirectory }
  /** A few single files, for example one program of the host made visible alone. `path` is relative to the mount. */
  | { kind: "files"; files: { path: string; bytes: Uint8Array; mode: number }[] };

export interface Mount {
  /** Absolute guest path; "/" is the root and must come first. */
  guest: string;
  source: FileSource;
  /** Puts a writable layer in guest memory over a source that cannot or must not be written. */
  overlay: boolean;
}

/** Something that the user has granted or limited, for `hedra caps` and for the personality that enforces it. */
export interface Permission {
  /** Without blanks, for example "mount" or "max-procs". */
  name: string;
  value: string;
}

export interface BootConfig {
  /** RAM for guests, MiB; at least 16. It is reserved lazily by the host. */
  memoryMiB: number;
  /** Instruction set of the processor, default "v3". */
  cpuLevel?: CpuLevel;
  host: Host;
  /** The first one is the root. /dev is added by the file service. */
  mounts: Mount[];
  programs: ProgramSpec[];
  /** Makes the Linux personality; absent = Linux programs cannot be started. Called once per boot. */
  linux?: () => HostProgram;
  /** The same for FreeBSD. */
  freebsd?: () => HostProgram;
  /** Raw: bytes pass through. Prefixed: each line gets "[name pid] ", in colour when `colour`. */
  /** Default: own. */
  personality?: Placement;
  /** Services to start before the programs: path of the manifest in the guest's tree, and what reads it (roottask/manifest.ts). */
  manifest?: { path: string; parse: (text: string) => ServiceSpec[] | string };
  output: { style: "raw" } | { style: "prefixed"; colour: boolean };
  strace: boolean;
  /** Numbers of the Linux system calls that strace is about; every one when undefined. */
  traceSet?: ReadonlySet<number>;
  /** Strace gives a table at the end instead of a line for each call. */
  traceSummary?: boolean;
  /** Linux programs get the same addresses in each run. */
  fixedAddresses?: boolean;
  /** 16 bytes that decide on these addresses; random when absent. */
  layoutSeed?: Uint8Array;
  /** Who the Linux programs are started as; root when absent. */
  user?: { uid: number; gid: number };
  /** Each becomes a capability of the personalities. "max-procs N" is enforced by Linux's; the others tell what stands elsewhere here. */
  permissions?: readonly Permission[];
  /** The machine stops after so many seconds, whatever its guests do. */
  timeLimitSeconds?: number;
  verbose: boolean;
  /** Called when a hyperapp is about to end and when a Linux program writes to the console: for `ps` and `caps`. */
  observe?: (view: KernelView) => void;
  /** Called with each writable layer of `mounts`; once the machine has ended it tells what was changed. */
  mounted?: (layer: Layer) => void;
  /** Called once with the machine before it runs: for tools that watch it. */
  prepared?: (machine: Machine) => void;
}

/** How one program ended. */
export interface ProgramResult {
  spec: ProgramSpec;
  /** -1 when it could not be started. */
  pid: number;
  /** Shell convention: exit code, 128 + signal, 126 cannot be executed, 127 not found; 124 when the time limit ended it. */
  exitCode: number;
  /** One line, when it could not be started or was killed by an exception. */
  message?: string;
}

export interface BootResult {
  /** In the order of `programs`. */
  programs: ProgramResult[];
}
