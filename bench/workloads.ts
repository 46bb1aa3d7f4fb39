/**
 * What `deno task bench cpu` and `deno task bench linux` run: programs nobody made for Hedra, from BENCH_SRC and from this machine, or for
 * `cpu` without BENCH_SRC kernels of our own.
 */
import type { Goal } from "./table.ts";
import type { Places } from "./places.ts";

export interface Workload {
  name: string;
  command: string[];
  /**
   * "wall": time of the whole process, output compared; "lines": the program prints `NAME field=NANOSECONDS`; "requests": the program prints
   * `NAME: N requests per second`.
   */
  measure: "wall" | "lines" | "requests";
  /** Fields of the printed lines to read, and what to add to the line's name: `first` of `sieve` becomes "sieve first". */
  fields?: Readonly<Record<string, string>>;
  /** The kernel that it is, where there is a build of the same kernel for WebAssembly. */
  kernel?: { name: string; ms: number };
  /** One more repetition, first, that does not count: it fills caches. */
  warmUp?: boolean;
  /** Runs natively on one processor, as Hedra has one. */
  pinned?: boolean;
  /** Under Hedra the host's `/` is the root; writes stay in memory. Natively the directory is gone afterwards. */
  env?: { native: Record<string, string>; guest: Record<string, string> };
  goal?: Goal;
  /** Factor for the time printed (nanoseconds otherwise). */
  scale?: number;
}
export interface Group {
  /** For `--only`. */
  key: string;
  title: string;
  workloads: Workload[];
  meanGoal?: Goal;
}

const ratio = (atMost: number): Goal => ({ of: "ratio", atMost });
const wall = (name: string, ...command: string[]): Workload => ({ name, command, measure: "wall" });

/** Goals for the kernels: medians in their groups, medians of all, first repetitions of all. */
export const KERNEL_GOALS = { int: 1.8, call: 2.4, mem: 1.2, fp: 1.6, all: 1.8, first: 5 } as const;
export const REAL_GOAL = 3.5;
const TITLES = { int: "integers", call: "calls", mem: "memory", fp: "floating point" } as const;
type KernelGroup = keyof typeof TITLES;
/** What is added to a kernel's name for its first repetition. */
export const FIRST = " first";

/** Kernels that time themselves: the median of many repetitions, and the first one, when all code is cold. */
export function kernelGroups({ kernels }: Places, ms: number): Group[] {
  const { program, names, median, wasm } = kernels;
  return (Object.keys(TITLES) as KernelGroup[]).map((key): Group => ({ // Object.keys forgets the keys' type
    key,
    title: `kernels: ${TITLES[key]}`,
    meanGoal: ratio(KERNEL_GOALS[key]),
    workloads: names[key].map((name) => ({
      name,
      command: [program, name, String(ms)],
      measure: "lines",
      fields: { [median]: "", first: FIRST },
      kernel: wasm ? { name, ms } : undefined,
    })),
  }));
}

/** Programs of this machine at their work, from start to end. */
export function realGroup(p: Places): Group {
  const { small, large, c } = p.inputs;
  return {
    key: "real",
    title: "whole programs",
    meanGoal: ratio(REAL_GOAL),
    workloads: [
      wall("lua", ...p.lua),
      wall("sqlite", ...p.sqlite),
      wall("gzip", "/bin/gzip", "-c", small),
      wall("xz", "/usr/bin/xz", "-0", "-T1", "-c", small),
      wall("busybox sha256sum", "/bin/busybox", "sha256sum", large),
      wall("busybox gzip", "/bin/busybox", "gzip", "-c", small),
      wall("openssl sha256", "/usr/bin/openssl", "dgst", "-sha256", large, large, large, large, large),
      wall("python3", ...p.python),
      wall("cc1", p.cc1, "-quiet", "-O1", c, "-o", "-"),
    ],
  };
}

/** 100 programs that bash starts. */
const EXTERNALS = "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done";
const REDIS =
  "redis-server --port 6399 --save '' --daemonize yes >/dev/null; until redis-cli -p 6399 ping >/dev/null 2>&1; do :; done; " +
  'redis-benchmark -p 6399 -t get,set -n 5000 -c 10 --csv | sed -n \'s/^"\\([GS]ET\\)","\\([0-9.]*\\)".*/\\1: \\2 requests per second/p\'; ' +
  "redis-cli -p 6399 shutdown nosave >/dev/null 2>&1";

/** Ratios of the Linux personality: calls, processes, files, shells. */
export function linuxGroups(p: Places): Group[] {
  const shm = { native: { BENCH_DIR: "/dev/shm" }, guest: { BENCH_DIR: "/tmp" } };
  const ipc = (name: string): Workload => ({
    name,
    command: [`${p.bin}/ipc`, name, "10000"],
    measure: "lines",
    fields: { ns: "" },
    pinned: true,
  });
  const within = (atMost: number, w: Workload): Workload => ({ ...w, goal: ratio(atMost) });
  return [
    {
      key: "calls",
      title: "system calls",
      meanGoal: ratio(1),
      workloads: [{ name: "sysb", command: [`${p.bin}/sysb`], measure: "lines", fields: { ns: "" }, env: shm }],
    },
    {
      key: "ipc",
      title: "between processes and threads",
      meanGoal: ratio(1.5),
      workloads: ["pipe", "futex", "fork", "thread"].map(ipc),
    },
    {
      key: "spawn",
      title: "start of a program (posix_spawn, exec, wait) by a program",
      workloads: [{
        name: "spawn",
        command: [`${p.bin}/spawn`, "40", `${p.bin}/hello`],
        measure: "lines",
        fields: { us: "" },
        scale: 1000,
        goal: { of: "ns", atMost: 5e6 },
      }],
    },
    {
      key: "files",
      title: "files of 64 KiB and 1 MiB (time per pass)",
      meanGoal: ratio(1),
      workloads: [
        {
          name: "filet",
          command: ["/bin/sh", "-c", `exec ${p.bin}/filet $BENCH_DIR 60`],
          measure: "lines",
          fields: { ns: "" },
          env: shm,
        },
      ],
    },
    {
      key: "real",
      title: "whole programs",
      workloads: [
        within(5, wall("bash, 100 programs", "/bin/bash", "-c", EXTERNALS)),
        within(6, wall("git status, 1000 files", "/usr/bin/git", "-C", `${p.scratch}/tree`, "status", "--short")),
        within(6, wall("gcc -c, 2000 lines", "/usr/bin/gcc", "-O1", "-c", p.inputs.c, "-o", "/dev/null")),
      ],
    },
    {
      key: "redis",
      title: "redis-benchmark in the machine (time per request)",
      workloads: [{ name: "redis", command: ["/bin/sh", "-c", REDIS], measure: "requests" }],
    },
  ];
}
