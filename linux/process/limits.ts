/** RLIMIT_* (asm-generic/resource.h): index, name, soft and hard default of a fresh Debian session. Infinity = RLIM_INFINITY. */
export const RLIMITS = [
  ["CPU", Infinity, Infinity],
  ["FSIZE", Infinity, Infinity],
  ["DATA", Infinity, Infinity],
  ["STACK", 8 << 20, Infinity],
  ["CORE", 0, Infinity],
  ["RSS", Infinity, Infinity],
  ["NPROC", 4096, 4096],
  ["NOFILE", 1024, 1 << 20],
  ["MEMLOCK", 8 << 20, 8 << 20],
  ["AS", Infinity, Infinity],
  ["LOCKS", Infinity, Infinity],
  ["SIGPENDING", 4096, 4096],
  ["MSGQUEUE", 819200, 819200],
  ["NICE", 0, 0],
  ["RTPRIO", 0, 0],
  ["RTTIME", Infinity, Infinity],
] as const;

export const RLIMIT_CPU = 0,
  RLIMIT_FSIZE = 1,
  RLIMIT_DATA = 2,
  RLIMIT_STACK = 3,
  RLIMIT_NPROC = 6,
  RLIMIT_NOFILE = 7,
  RLIMIT_MEMLOCK = 8,
  RLIMIT_AS = 9,
  RLIMIT_SIGPENDING = 11,
  RLIMIT_MSGQUEUE = 12,
  RLIMIT_NICE = 13;

/** kernel.threads-max: no machine has more, whatever is granted to whom. */
export const THREADS_MAX = 4096;

export class Limits {
  readonly soft: number[];
  readonly hard: number[];

  constructor(from?: Limits) {
    this.soft = from === undefined ? RLIMITS.map((row) => row[1]) : [...from.soft];
    this.hard = from === undefined ? RLIMITS.map((row) => row[2]) : [...from.hard];
  }

  get openFiles(): number {
    return this.soft[RLIMIT_NOFILE];
  }
}
