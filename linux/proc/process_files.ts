import { PAGE } from "../abi/mman.ts";
import { capText } from "../process/credentials.ts";
import { Life, type Process } from "../process/process.ts";
import { RLIMITS } from "../process/limits.ts";
import type { Thread } from "../process/thread.ts";
import { putU64 } from "../memory/user.ts";
import { SIG_DFL, SIG_IGN } from "../signals/numbers.ts";
import type { SigSet } from "../signals/sigset.ts";
import { textToBytes } from "../trace/text.ts";
import { kiB, maps, smaps, smapsRollup, statm, sum } from "./memory_files.ts";
import { ProcessMemory } from "../files/process_memory.ts";
import { NET } from "./net.ts";
import { directory, file, guarded, link, type VirtualNode } from "./node.ts";

const TICK_NS = 10_000_000;

/** State letters of proc(5). */
function stateOf(p: Process, t: Thread | undefined): string {
  if (p.life === Life.Zombie) return "Z";
  if (p.life === Life.Stopped) return "T";
  return t?.sleeping ? "S" : "R";
}

const STATE_NAMES: Readonly<Record<string, string>> = { Z: "zombie", T: "stopped", S: "sleeping", R: "running" };

/** fs/proc/array.c, do_task_stat(): 52 fields. */
function stat(asker: Thread, p: Process, t: Thread | undefined): string {
  const { os } = asker;
  const { mm } = p;
  const ended = p.life === Life.Zombie;
  const ticks = Math.floor(os.cpuTime(p) / TICK_NS);
  const tty = p.tty === undefined ? 0 : 136 << 8;
  const fields = [
    t?.tid ?? p.pid,
    `(${t?.name ?? p.name})`,
    stateOf(p, t),
    p.parentPid,
    p.pgid,
    p.sid,
    tty,
    tty === 0 ? -1 : p.tty?.foreground ?? -1,
    0x40_0000,
    0,
    0,
    0,
    0,
    ticks,
    0,
    Math.floor(p.childrenTime / TICK_NS),
    0,
    20 + p.nice,
    p.nice,
    Math.max(1, p.threads.length),
    0,
    Math.floor(p.startTime / TICK_NS),
    ended ? 0 : mm.totalBytes,
    ended ? 0 : mm.backedBytes / PAGE,
    "18446744073709551615",
    ended ? 0 : mm.brkStart,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    p.exitSignal || 17,
    0,
    t?.priority ?? 0,
    t?.policy ?? 0,
    0,
    0,
    0,
    0,
    0,
    mm.brkStart,
    p.image.argStart,
    p.image.argEnd,
    p.image.envStart,
    p.image.envEnd,
    ended ? p.exitStatus : 0,
  ];
  return `${fields.join(" ")}\n`;
}

const setText = (set: SigSet): string => set.hi.toString(16).padStart(8, "0") + set.lo.toString(16).padStart(8, "0");

/** Signals with a disposition, as one 64-bit mask. */
function actionMask(p: Process, select: (handler: number) => boolean): string {
  let lo = 0, hi = 0;
  p.actions.table.forEach((action, signal) => {
    if (signal === 0 || !select(action.handler)) return;
    if (signal <= 32) lo = (lo | 1 << (signal - 1)) >>> 0;
    else hi = (hi | 1 << (signal - 33)) >>> 0;
  });
  return hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
}

function status(asker: Thread, p: Process, t: Thread | undefined): string {
  const { mm } = p;
  const c = t?.credentials ?? p.credentials;
  const state = stateOf(p, t);
  const memory = p.life === Life.Zombie ? [] : [
    ["VmPeak", kiB(mm.totalBytes)],
    ["VmSize", kiB(mm.totalBytes)],
    ["VmLck", kiB(mm.sum((vma) => vma.locked))],
    ["VmHWM", kiB(mm.backedBytes)],
    ["VmRSS", kiB(mm.backedBytes)],
    ["VmData", kiB(sum(mm, (vma) => (vma.prot & 2) !== 0))],
    ["VmStk", kiB(sum(mm, (vma) => vma.name === "[stack]"))],
    ["VmExe", kiB(sum(mm, (vma) => (vma.prot & 4) !== 0))],
    ["VmSwap", "       0 kB"],
  ];
  const rows: string[][] = [
    ["Name", t?.name ?? p.name],
    ["Umask", `0${p.fsContext.umask.toString(8).padStart(3, "0")}`],
    ["State", `${state} (${STATE_NAMES[state]})`],
    ["Tgid", String(p.pid)],
    ["Ngid", "0"],
    ["Pid", String(t?.tid ?? p.pid)],
    ["PPid", String(p.parentPid)],
    ["TracerPid", "0"],
    ["Uid", [c.ruid, c.euid, c.suid, c.uid].join("\t")],
    ["Gid", [c.rgid, c.egid, c.sgid, c.gid].join("\t")],
    ["FDSize", String(Math.max(64, p.files.files.length))],
    ["Groups", `${c.groups.join(" ")} `],
    ["NStgid", String(p.pid)],
    ["NSpid", String(t?.tid ?? p.pid)],
    ["NSpgid", String(p.pgid)],
    ["NSsid", String(p.sid)],
    ...memory,
    ["Threads", String(Math.max(1, p.threads.length))],
    ["SigQ", `${p.pending.count}/${p.limits.soft[11]}`],
    ["SigPnd", t === undefined ? "0".repeat(16) : setText(t.pending.set)],
    ["ShdPnd", setText(p.pending.set)],
    ["SigBlk", t === undefined ? "0".repeat(16) : setText(t.mask)],
    ["SigIgn", actionMask(p, (handler) => handler === SIG_IGN)],
    ["SigCgt", actionMask(p, (handler) => handler !== SIG_DFL && handler !== SIG_IGN)],
    ["CapInh", capText(c.inheritable)],
    ["CapPrm", capText(c.permitted)],
    ["CapEff", capText(c.effective)],
    ["CapBnd", capText(c.bounding)],
    ["CapAmb", capText(c.ambient)],
    ["NoNewPrivs", p.noNewPrivileges ? "1" : "0"],
    ["Seccomp", "0"],
    ["Cpus_allowed", "1"],
    ["Cpus_allowed_list", "0"],
    ["Mems_allowed", "1"],
    ["Mems_allowed_list", "0"],
    ["voluntary_ctxt_switches", "0"],
    ["nonvoluntary_ctxt_switches", "0"],
  ];
  void asker;
  return rows.map(([name, value]) => `${name}:\t${value}\n`).join("");
}

const UNITS = [
  "seconds",
  "bytes",
  "bytes",
  "bytes",
  "bytes",
  "bytes",
  "processes",
  "files",
  "bytes",
  "bytes",
  "locks",
  "signals",
  "bytes",
  "",
  "",
  "us",
];
const LIMIT_NAMES = [
  "Max cpu time",
  "Max file size",
  "Max data size",
  "Max stack size",
  "Max core file size",
  "Max resident set",
  "Max processes",
  "Max open files",
  "Max locked memory",
  "Max address space",
  "Max file locks",
  "Max pending signals",
  "Max msgqueue size",
  "Max nice priority",
  "Max realtime priority",
  "Max realtime timeout",
];

function limits(p: Process): string {
  const value = (n: number): string => (n === Infinity ? "unlimited" : String(n)).padEnd(21);
  const rows = RLIMITS.map((_, i) =>
    `${LIMIT_NAMES[i].padEnd(26)}${value(p.limits.soft[i])}${value(p.limits.hard[i])}${UNITS[i].padEnd(10)}\n`
  );
  return `${"Limit".padEnd(26)}${"Soft Limit".padEnd(21)}${"Hard Limit".padEnd(21)}Units     \n${rows.join("")}`;
}

function memoryRange(p: Process, start: number, end: number): Uint8Array {
  return p.user.bytes(start, end - start) ?? new Uint8Array(0);
}

function auxv(p: Process): Uint8Array {
  const bytes = new Uint8Array(p.image.auxv.length * 16);
  const data = new DataView(bytes.buffer);
  p.image.auxv.forEach(([key, value], i) => {
    putU64(data, i * 16, key);
    putU64(data, i * 16 + 8, value);
  });
  return bytes;
}

function descriptors(p: Process): VirtualNode {
  return {
    kind: "directory",
    mode: 0o500,
    guarded: true,
    lookup: (_t, name) => {
      const open = /^\d+$/.test(name) ? p.files.get(Number(name)) : undefined;
      return open === undefined ? undefined : link(() => open.path, () => open);
    },
    names: () => p.files.files.flatMap((open, fd) => open === undefined ? [] : [String(fd)]),
  };
}

function descriptorInfo(p: Process): VirtualNode {
  return {
    kind: "directory",
    guarded: true,
    lookup: (_t, name) => {
      const open = /^\d+$/.test(name) ? p.files.get(Number(name)) : undefined;
      return open === undefined
        ? undefined
        : file(() => `pos:\t${open.offset}\nflags:\t0${open.flags.toString(8)}\nmnt_id:\t1\nino:\t0\n`);
    },
    names: () => p.files.files.flatMap((open, fd) => open === undefined ? [] : [String(fd)]),
  };
}

export const MOUNTS = [
  "root / rootfs rw,relatime 0 0",
  "devtmpfs /dev devtmpfs rw,relatime 0 0",
  "devpts /dev/pts devpts rw,relatime 0 0",
  "tmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0",
  "proc /proc proc rw,relatime 0 0",
  "sysfs /sys sysfs ro,relatime 0 0",
  "",
].join("\n");
const MOUNTINFO = MOUNTS.split("\n").filter((line) => line !== "").map((line, i) => {
  const [source, where, type, options] = line.split(" ");
  return `${20 + i} ${i === 0 ? 0 : 20} 0:${i + 1} / ${where} ${options} - ${type} ${source} ${options}\n`;
}).join("");

/** Namespaces: one of each kind, with the numbers that the first ones have (include/uapi/linux/nsfs.h). */
const NAMESPACES = directory(Object.fromEntries(
  ([
    ["cgroup", 0xeffffffb],
    ["ipc", 0xefffffff],
    ["mnt", 0xf0000000],
    ["net", 0xf0000001],
    ["pid", 0xeffffffc],
    ["pid_for_children", 0xeffffffc],
    ["time", 0xeffffffa],
    ["time_for_children", 0xeffffffa],
    ["user", 0xeffffffd],
    ["uts", 0xeffffffe],
  ] as const).map(([name, number]) => [name, guarded(link(() => `${name.split("_")[0]}:[${number}]`))]),
));

/** What a thread (or, without one, a process that has ended) shows in its own directory. */
function common(p: Process, t: Thread | undefined): Record<string, VirtualNode> {
  return {
    cmdline: file(() => p.life === Life.Zombie ? "" : memoryRange(p, p.image.argStart, p.image.argEnd)),
    comm: file(() => `${t?.name ?? p.name}\n`, 0o644),
    cwd: guarded(link((asker) => {
      const path = p.fsContext.virtualCwd ?? asker.fs.pathOf(p.fsContext.cwd);
      return typeof path === "string" ? path : "/";
    })),
    environ: guarded(file(() => memoryRange(p, p.image.envStart, p.image.envEnd), 0o400)),
    exe: guarded(link(() => p.image.path)),
    fd: descriptors(p),
    fdinfo: descriptorInfo(p),
    io: file(() => "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n", 0o400),
    limits: file(() => limits(p)),
    maps: guarded(file(() => maps(p))),
    mem: guarded({ kind: "file", mode: 0o600, content: () => "", open: (flags) => new ProcessMemory(p, flags) }),
    mountstats: file(() =>
      MOUNTS.split("\n").filter((line) => line !== "").map((line) => {
        const [source, where, type] = line.split(" ");
        return `device ${source} mounted on ${where} with fstype ${type}\n`;
      }).join("")
    ),
    net: NET,
    ns: NAMESPACES,
    mountinfo: file(() => MOUNTINFO),
    mounts: file(() => MOUNTS),
    oom_adj: file(() => "0\n", 0o644),
    oom_score: file(() => "0\n"),
    oom_score_adj: file(() => "0\n", 0o644),
    root: guarded(link(() => "/")),
    schedstat: file((asker) => `${Math.round(asker.os.cpuTime(p))} 0 0\n`),
    smaps_rollup: guarded(file(() => smapsRollup(p))),
    syscall: guarded(file(() => "running\n", 0o400)),
    timerslack_ns: file(() => `${t?.timerSlack ?? 0}\n`, 0o666),
    smaps: guarded(file(() => smaps(p))),
    stat: file((asker) => stat(asker, p, t)),
    statm: file(() => statm(p)),
    status: file((asker) => status(asker, p, t)),
    wchan: file(() => "0"),
  };
}

export function processDirectory(p: Process): VirtualNode {
  const leader = p.threads[0];
  const names = directory({
    ...common(p, leader),
    auxv: guarded(file(() => auxv(p), 0o400)),
    cgroup: file(() => "0::/\n"),
    coredump_filter: file(() => "00000033\n", 0o644),
    gid_map: file(() => "         0          0 4294967295\n"),
    loginuid: file(() => "4294967295"),
    sessionid: file(() => "4294967295"),
    personality: file(() => `${p.personality.toString(16).padStart(8, "0")}\n`),
    setgroups: file(() => "allow\n"),
    uid_map: file(() => "         0          0 4294967295\n"),
    task: {
      kind: "directory",
      lookup: (_t, name) => {
        const thread = p.threads.find((each) => String(each.tid) === name);
        return thread === undefined ? undefined : directory(common(p, thread));
      },
      names: () => p.threads.map((each) => String(each.tid)),
    },
  });
  return { ...names, process: p };
}

/** Bytes of what a node holds. */
export function contentBytes(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? textToBytes(content) : content;
}
