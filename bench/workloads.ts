/**
 * `deno task bench cpu` and `deno task bench linux`: programs nobody made for Hedra, natively and under Hedra. Their sources or inputs are
 * those of BENCH_SRC, a directory with a Makefile that builds into BENCH_BIN; the rest are Debian's programs on this machine.
 */
import type { Goal } from "./table.ts";

export interface Workload {
  name: string;
  command: string[];
  /**
   * "wall": time of the whole process, output compared; "lines": the program prints `NAME field=NANOSECONDS`; "requests": the program prints
   * `NAME: N requests per second`.
   */
  measure: "wall" | "lines" | "requests";
  /** Fields of the printed lines, and what to call them: `first` of `sieve` becomes "sieve first". */
  fields?: readonly string[];
  /** Runs natively on one processor, as Hedra has one. */
  pinned?: boolean;
  /** Under Hedra the host's `/` is the root; writes stay in memory. Natively the directory is gone afterwards. */
  env?: { native: Record<string, string>; guest: Record<string, string> };
  goal?: Goal;
  /** Factor for the time printed (nanoseconds otherwise). */
  scale?: number;
}
export interface Group {
  title: string;
  workloads: Workload[];
  meanGoal?: Goal;
  /** Which printed field the group is about. */
  field?: string;
}

const ratio = (atMost: number): Goal => ({ of: "ratio", atMost });

export interface Places {
  /** Sources and inputs. */
  source: string;
  /** Built programs. */
  bin: string;
  /** Generated inputs. */
  work: string;
  /** Empty, for this run. */
  scratch: string;
  /** gcc's compiler proper. */
  cc1: string;
}

const KERNELS: readonly [string, number, readonly string[]][] = [
  ["int", 1.8, ["sieve", "crc32", "sha256", "coremix", "qsort"]],
  ["call", 2.4, ["fib", "nqueens", "icall"]],
  ["mem", 1.2, ["chase", "memcpy"]],
  ["fp", 1.6, ["nbody", "mandel", "spectral"]],
];

/** Ratios of the processor's translation: kernels, their first repetition, whole programs. */
export function cpuGroups(p: Places, ms: number): Group[] {
  const kernel = (name: string): Workload => ({
    name,
    command: [`${p.bin}/cpu`, name, String(ms)],
    measure: "lines",
    fields: ["med", "first"],
  });
  const wall = (name: string, ...command: string[]): Workload => ({ name, command, measure: "wall" });
  const data = `${p.work}/f4m`, large = `${p.work}/f20m`;
  return [
    ...KERNELS.map(([group, goal, names]): Group => ({
      title: `kernels: ${group}`,
      workloads: names.map(kernel),
      meanGoal: ratio(goal),
      field: "med",
    })),
    {
      title: "whole programs",
      meanGoal: ratio(3.5),
      workloads: [
        wall("lua", `${p.bin}/luarun`, `${p.source}/work.lua`, "4"),
        wall("sqlite", `${p.bin}/sqlbench`, "200000"),
        wall("gzip", "/bin/gzip", "-c", data),
        wall("xz", "/usr/bin/xz", "-0", "-T1", "-c", data),
        wall("busybox sha256sum", "/bin/busybox", "sha256sum", large),
        wall("busybox gzip", "/bin/busybox", "gzip", "-c", data),
        wall("openssl sha256", "/usr/bin/openssl", "dgst", "-sha256", large, large, large, large, large),
        wall("python3", "/usr/bin/python3", "-S", "-E", `${p.source}/work.py`, "5"),
        wall("cc1", p.cc1, "-quiet", "-O1", `${p.work}/f2k.c`, "-o", "-"),
      ],
    },
  ];
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
    fields: ["ns"],
    pinned: true,
  });
  const wall = (name: string, atMost: number, ...command: string[]): Workload => ({
    name,
    command,
    measure: "wall",
    goal: ratio(atMost),
  });
  return [
    {
      title: "system calls",
      meanGoal: ratio(1),
      workloads: [{ name: "", command: [`${p.bin}/sysb`], measure: "lines", fields: ["ns"], env: shm }],
    },
    { title: "between processes and threads", meanGoal: ratio(1.5), workloads: ["pipe", "futex", "fork", "thread"].map(ipc) },
    {
      title: "start of a program (posix_spawn, exec, wait) by a program",
      workloads: [{
        name: "",
        command: [`${p.bin}/spawn`, "40", `${p.bin}/hello`],
        measure: "lines",
        fields: ["us"],
        scale: 1000,
        goal: { of: "ns", atMost: 5e6 },
      }],
    },
    {
      title: "files of 64 KiB and 1 MiB (time per pass)",
      meanGoal: ratio(1),
      workloads: [
        {
          name: "",
          command: ["/bin/sh", "-c", `exec ${p.bin}/filet $BENCH_DIR 60`],
          measure: "lines",
          fields: ["ns"],
          env: shm,
        },
      ],
    },
    {
      title: "whole programs",
      workloads: [
        wall("bash, 100 programs", 5, "/bin/bash", "-c", EXTERNALS),
        wall("git status, 1000 files", 6, "/usr/bin/git", "-C", `${p.scratch}/tree`, "status", "--short"),
        wall("gcc -c, 2000 lines", 6, "/usr/bin/gcc", "-O1", "-c", `${p.work}/f2k.c`, "-o", "/dev/null"),
      ],
    },
    {
      title: "redis-benchmark in the machine (time per request)",
      workloads: [{ name: "redis", command: ["/bin/sh", "-c", REDIS], measure: "requests" }],
    },
  ];
}
