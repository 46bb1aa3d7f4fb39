import { MAX_MAP_COUNT, MMAP_MIN_ADDR } from "../abi/mman.ts";
import { THREADS_MAX } from "../process/limits.ts";
import { MAX_QUEUED_EVENTS, MAX_USER_INSTANCES, MAX_USER_WATCHES } from "../files/inotify.ts";
import { ConsoleTerminal } from "../files/streams.ts";
import type { Thread } from "../process/thread.ts";
import { UTSNAME } from "../syscalls/system.ts";
import { cpuinfo } from "./cpuinfo.ts";
import { directory, file, link, type VirtualNode } from "./node.ts";
import { SYSVIPC } from "./sysvipc.ts";
import { processDirectory } from "./process_files.ts";

const kB = (bytes: number): string => `${String(Math.floor(bytes / 1024)).padStart(8)} kB`;

function meminfo({ os }: Thread): string {
  const total = os.pool.totalBytes, free = os.pool.freeBytes;
  const rows: [string, number][] = [
    ["MemTotal", total],
    ["MemFree", free],
    ["MemAvailable", free],
    ["Buffers", 0],
    ["Cached", 0],
    ["SwapCached", 0],
    ["Active", total - free],
    ["Inactive", 0],
    ["SwapTotal", 0],
    ["SwapFree", 0],
    ["Dirty", 0],
    ["Writeback", 0],
    ["AnonPages", total - free],
    ["Mapped", 0],
    ["Shmem", 0],
    ["Slab", 0],
    ["CommitLimit", total],
    ["Committed_AS", total - free],
    ["VmallocTotal", 0],
    ["VmallocUsed", 0],
  ];
  return rows.map(([name, bytes]) => `${`${name}:`.padEnd(16)}${kB(bytes)}\n`).join("");
}

function uptime({ os }: Thread): string {
  const seconds = (os.now() / 1e9).toFixed(2);
  return `${seconds} ${seconds}\n`;
}

function loadavg(t: Thread): string {
  const { processes } = t.os;
  const running = [...processes.values()].filter((p) => p.threads.some((each) => !each.sleeping)).length;
  return `0.00 0.00 0.00 ${running}/${processes.size} ${Math.max(0, ...processes.keys())}\n`;
}

function kernelStat({ os }: Thread): string {
  let used = 0;
  for (const p of os.processes.values()) used += os.cpuTime(p);
  const ticks = Math.floor(used / 1e7), all = Math.floor(os.now() / 1e7);
  const line = `${ticks} 0 0 ${Math.max(0, all - ticks)} 0 0 0 0 0 0`;
  return `cpu  ${line}\ncpu0 ${line}\nintr 0\nctxt 0\nbtime ${os.clock.bootSeconds}\nprocesses ${os.processes.size}\nprocs_running 1\nprocs_blocked 0\n`;
}

/** A version 4 UUID from the machine's entropy. */
function uuid({ os }: Thread): string {
  os.random(os.scratch, 16);
  const bytes = os.u8.slice(os.scratch, os.scratch + 16);
  bytes[6] = bytes[6] & 15 | 64;
  bytes[8] = bytes[8] & 63 | 128;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

const text = (value: string): VirtualNode => file(() => `${value}\n`);
const setting = (value: string): VirtualNode => file(() => `${value}\n`, 0o644);

const PRESSURE = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0";

const FIXED: Readonly<Record<string, VirtualNode>> = {
  buddyinfo: text("Node 0, zone   Normal"),
  consoles: text("tty0                 -WU (EC  p  )    4:1"),
  crypto: file(() => ""),
  diskstats: file(() => ""),
  execdomains: text("0-0\tLinux           \t[kernel]"),
  interrupts: text("           CPU0"),
  iomem: file(() => ""),
  ioports: file(() => ""),
  locks: file((t) => t.os.locks.text(t)),
  misc: file(() => ""),
  modules: file(() => ""),
  partitions: text("major minor  #blocks  name\n"),
  pressure: directory(Object.fromEntries(["cpu", "io", "memory"].map((name) => [name, text(PRESSURE)]))),
  schedstat: text("version 15\ntimestamp 0\ncpu0 0 0 0 0 0 0 0 0 0"),
  softirqs: text("                    CPU0"),
  tty: directory({
    drivers: text(
      "/dev/tty             /dev/tty        5       0 system:/dev/tty\npty_slave            /dev/pts      136 0-1048575 pty:slave",
    ),
  }),
  cgroups: text("#subsys_name\thierarchy\tnum_cgroups\tenabled"),
  cmdline: text("hedra"),
  cpuinfo: file(({ os }) => cpuinfo(os.options.cpuLevel)),
  devices: text("Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:"),
  filesystems: text("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevpts"),
  loadavg: file(loadavg),
  meminfo: file(meminfo),
  mounts: link(() => "self/mounts"),
  net: link(() => "self/net"),
  stat: file(kernelStat),
  swaps: text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"),
  sys: directory({
    fs: directory({
      "file-max": setting("9223372036854775807"),
      "nr_open": setting("1048576"),
      "pipe-max-size": setting("1048576"),
      "protected_fifos": setting("0"),
      "protected_hardlinks": setting("1"),
      "protected_regular": setting("0"),
      "protected_symlinks": setting("0"),
      "suid_dumpable": setting("0"),
      mqueue: directory({
        msg_default: setting("10"),
        msg_max: setting("10"),
        msgsize_default: setting("8192"),
        msgsize_max: setting("8192"),
        queues_max: setting("256"),
      }),
      inotify: directory({
        max_user_watches: setting(String(MAX_USER_WATCHES)),
        max_user_instances: setting(String(MAX_USER_INSTANCES)),
        max_queued_events: setting(String(MAX_QUEUED_EVENTS)),
      }),
    }),
    kernel: directory({
      cap_last_cap: text("40"),
      domainname: file((t) => `${t.os.domainname}\n`, 0o644),
      hostname: file((t) => `${t.os.hostname}\n`, 0o644),
      ngroups_max: text("65536"),
      osrelease: text(UTSNAME.release),
      ostype: text(UTSNAME.sysname),
      overflowuid: setting("65534"),
      overflowgid: setting("65534"),
      pid_max: setting("4194304"),
      random: directory({
        boot_id: text("6d2b3c3e-0f5a-4d0c-9c1e-5b5f3f2f7a10"),
        uuid: file((t) => `${uuid(t)}\n`),
        entropy_avail: text("256"),
        poolsize: text("256"),
      }),
      randomize_va_space: file(({ os }) => `${os.options.fixedAddresses ? 0 : 2}\n`, 0o644),
      msgmax: setting("8192"),
      msgmnb: setting("16384"),
      msgmni: setting("32000"),
      sem: setting("32000\t1024000000\t500\t32000"),
      shmall: setting("18446744073692774399"),
      shmmax: setting("18446744073692774399"),
      shmmni: setting("4096"),
      "threads-max": setting(String(THREADS_MAX)),
      version: text(UTSNAME.version),
      yama: directory({ ptrace_scope: setting("1") }),
    }),
    net: directory({
      core: directory({ somaxconn: setting("4096") }),
      ipv4: directory({ ip_local_port_range: setting("32768\t60999") }),
    }),
    vm: directory({
      overcommit_memory: setting("0"),
      max_map_count: setting(String(MAX_MAP_COUNT)),
      mmap_min_addr: setting(String(MMAP_MIN_ADDR)),
      swappiness: setting("60"),
    }),
  }),
  sysvipc: SYSVIPC,
  uptime: file(uptime),
  version: file(() => `Linux version ${UTSNAME.release} (hedra) ${UTSNAME.version}\n`),
  vmstat: text("nr_free_pages 0\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0"),
};

/** /proc. */
export const PROC: VirtualNode = {
  kind: "directory",
  lookup: (t, name) => {
    if (name === "self") return link((asker) => String(asker.process.pid));
    if (name === "thread-self") return link((asker) => `${asker.process.pid}/task/${asker.tid}`);
    const fixed = Object.hasOwn(FIXED, name) ? FIXED[name] : undefined;
    if (fixed !== undefined || !/^\d+$/.test(name)) return fixed;
    const p = t.os.processes.get(Number(name)) ?? t.os.threadById(Number(name))?.process;
    return p === undefined ? undefined : processDirectory(p);
  },
  names: (t) => [...[...t.os.processes.keys()].map(String), ...Object.keys(FIXED), "self", "thread-self"],
};

const PTS_MAJOR = 136;

/** /dev/pts. */
export const PTS: VirtualNode = {
  kind: "directory",
  lookup: (t, name) => {
    if (!/^\d+$/.test(name)) return undefined;
    const index = Number(name), { consoleTty, ptys } = t.os;
    const rdev = PTS_MAJOR << 8 | index;
    if (index === 0 && consoleTty !== undefined) {
      return {
        kind: "device",
        rdev,
        owner: consoleTty.owner,
        open: (_t, flags) => new ConsoleTerminal(consoleTty, 0, flags),
      };
    }
    const master = ptys.get(index);
    return master === undefined
      ? undefined
      : { kind: "device", rdev, owner: master.tty.owner, open: (opener, flags) => master.slave(opener, flags) };
  },
  names: (t) => [...(t.os.consoleTty === undefined ? [] : ["0"]), ...t.os.ptys.indices.map(String)],
};

/** /sys: what C libraries and language runtimes look for. */
export const SYS: VirtualNode = directory({
  devices: directory({
    system: directory({
      cpu: directory({
        online: text("0"),
        possible: text("0"),
        present: text("0"),
        kernel_max: text("0"),
        cpu0: directory({
          online: text("1"),
          topology: directory({
            core_id: text("0"),
            physical_package_id: text("0"),
            ...Object.fromEntries(
              ["thread_siblings", "core_siblings", "core_cpus", "package_cpus"].map((name) => [name, text("1")]),
            ),
            ...Object.fromEntries(
              ["thread_siblings_list", "core_siblings_list", "core_cpus_list", "package_cpus_list"].map((
                name,
              ) => [name, text("0")]),
            ),
          }),
        }),
      }),
      node: directory({
        online: text("0"),
        possible: text("0"),
        node0: directory({ cpulist: text("0"), cpumap: text("1"), distance: text("10") }),
      }),
    }),
  }),
  class: directory({ net: directory({ lo: directory({ address: text("00:00:00:00:00:00"), mtu: text("65536") }) }) }),
  fs: directory({ cgroup: directory({}) }),
  kernel: directory({
    mm: directory({
      transparent_hugepage: directory({ enabled: text("always madvise [never]"), hpage_pmd_size: text("2097152") }),
      hugepages: directory({}),
    }),
  }),
});
