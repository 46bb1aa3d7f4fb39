import { E } from "../abi/errno.ts";
import { TASK_SIZE } from "../abi/mman.ts";
import { getU64, putU64 } from "../memory/user.ts";
import { BUFFER_BYTES } from "../personality.ts";
import { MTD } from "../../hedron/api.ts";
import { CAP, capable, SECURE } from "../process/credentials.ts";
import { limitCpu } from "../process/itimer.ts";
import { RLIMIT_CPU } from "../process/limits.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { type Result, TIMER_SLACK } from "../process/wait.ts";
import { bytesToText, textToBytes } from "../trace/text.ts";
import { ambient, dropBounding, keepCaps, readBounding, setSecurebits } from "./capabilities.ts";
import { sys, type SyscallRow } from "./row.ts";

/** What uname(2) tells; the release is that of the kernel whose interface this is. */
export const UTSNAME = {
  sysname: "Linux",
  nodename: "hedra",
  release: "6.1.0-hedra",
  version: "#1 SMP PREEMPT_DYNAMIC Hedra",
  machine: "x86_64",
  domainname: "(none)",
} as const;
const UTS_FIELD = 65;

function uname(t: Thread): Result {
  const { user } = t.process;
  const at = user.out(t.arg(0), UTS_FIELD * 6);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + UTS_FIELD * 6);
  const values = [UTSNAME.sysname, t.os.hostname, UTSNAME.release, UTSNAME.version, UTSNAME.machine, t.os.domainname];
  values.forEach((value, i) => user.u8.set(textToBytes(value).subarray(0, UTS_FIELD - 1), at + i * UTS_FIELD));
  return user.done();
}

function setName(t: Thread, set: (name: string) => void): Result {
  if (!capable(t.credentials, CAP.SYS_ADMIN)) return -E.EPERM;
  const length = t.int(1);
  if (length < 0 || length > 64) return -E.EINVAL;
  const bytes = t.process.user.bytes(t.arg(0), length);
  if (bytes === undefined) return -E.EFAULT;
  set(bytesToText(bytes));
  return 0;
}

/** struct sysinfo: 112 bytes. */
function sysinfo(t: Thread): Result {
  const { user } = t.process;
  const { os } = t;
  const at = user.out(t.arg(0), 112);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + 112);
  putU64(user.data, at, Math.floor(os.now() / 1e9));
  putU64(user.data, at + 32, os.pool.totalBytes);
  putU64(user.data, at + 40, os.pool.freeBytes);
  user.data.setUint16(at + 80, os.processes.size, true);
  user.data.setUint32(at + 104, 1, true);
  return user.done();
}

const GRND_VALID = 7;

function getrandom(t: Thread): Result {
  const flags = t.uint(2);
  if ((flags & ~GRND_VALID) !== 0 || (flags & 6) === 6) return -E.EINVAL;
  const bytes = Math.min(t.arg(1), 0x1ff_ffff);
  const { user } = t.process;
  let done = 0;
  while (done < bytes) {
    const pa = user.piece(t.arg(0) + done, bytes - done, true);
    if (pa < 0) return done > 0 ? done : -E.EFAULT;
    const part = Math.min(user.pieceBytes, BUFFER_BYTES);
    const got = t.os.random(pa, part);
    if (got < 0) return got;
    done += part;
  }
  return done;
}

// ---- prctl ----------------------------------------------------------------------------------------------------------

// deno-fmt-ignore
const PR = {
  SET_PDEATHSIG: 1, GET_PDEATHSIG: 2, GET_DUMPABLE: 3, SET_DUMPABLE: 4, GET_KEEPCAPS: 7, SET_KEEPCAPS: 8, GET_TIMING: 13, SET_TIMING: 14, SET_NAME: 15, GET_NAME: 16,
  GET_SECCOMP: 21, SET_SECCOMP: 22, CAPBSET_READ: 23, CAPBSET_DROP: 24, GET_TSC: 25, SET_TSC: 26, GET_SECUREBITS: 27, SET_SECUREBITS: 28, SET_TIMERSLACK: 29, GET_TIMERSLACK: 30, MCE_KILL: 33, MCE_KILL_GET: 34,
  SET_CHILD_SUBREAPER: 36, GET_CHILD_SUBREAPER: 37, SET_NO_NEW_PRIVS: 38, GET_NO_NEW_PRIVS: 39, GET_TID_ADDRESS: 40, SET_THP_DISABLE: 41,
  GET_THP_DISABLE: 42, CAP_AMBIENT: 47, SET_VMA: 0x5356_4d41,
} as const;
const MCE_KILL_DEFAULT = 2;
const COMM_BYTES = 16;

function prctl(t: Thread): Result {
  const p = t.process;
  const { user } = p;
  const value = t.arg(1), rest = t.arg(2) + t.arg(3) + t.arg(4);
  switch (t.int(0)) {
    case PR.SET_PDEATHSIG:
      if (value > 64) return -E.EINVAL;
      p.deathSignal = value;
      return 0;
    case PR.GET_PDEATHSIG:
      return user.putU32(value, p.deathSignal) ? 0 : -E.EFAULT;
    case PR.GET_DUMPABLE:
      return p.dumpable;
    case PR.SET_DUMPABLE:
      if (value > 1) return -E.EINVAL;
      p.dumpable = value;
      return 0;
    case PR.SET_NAME: {
      const length = user.stringLength(value, COMM_BYTES - 1);
      if (length === -1) return -E.EFAULT;
      const bytes = user.bytes(value, length === -2 ? COMM_BYTES - 1 : length);
      t.name = bytes === undefined ? t.name : bytesToText(bytes);
      return 0;
    }
    case PR.GET_NAME: {
      const bytes = new Uint8Array(COMM_BYTES);
      bytes.set(textToBytes(t.name).subarray(0, COMM_BYTES - 1));
      return user.putBytes(value, bytes) ? 0 : -E.EFAULT;
    }
    case PR.SET_TIMERSLACK:
      t.timerSlack = value > 0 ? value : TIMER_SLACK;
      return 0;
    case PR.SET_VMA:
      return 0;
    case PR.GET_TIMERSLACK:
      return t.timerSlack;
    case PR.SET_KEEPCAPS:
      return keepCaps(t, value);
    case PR.GET_KEEPCAPS:
      return (t.credentials.securebits & SECURE.KEEP_CAPS) === 0 ? 0 : 1;
    case PR.SET_SECUREBITS:
      return setSecurebits(t, value);
    case PR.GET_SECUREBITS:
      return t.credentials.securebits;
    case PR.CAPBSET_DROP:
      return dropBounding(t, value);
    case PR.CAP_AMBIENT:
      return ambient(t, value, t.arg(2), t.arg(3) + t.arg(4));
    case PR.GET_SECCOMP:
      return 0;
    case PR.SET_THP_DISABLE:
      if (rest !== 0) return -E.EINVAL;
      p.noHugePages = value !== 0;
      return 0;
    case PR.GET_THP_DISABLE:
      return value + rest !== 0 ? -E.EINVAL : p.noHugePages ? 1 : 0;
    case PR.GET_TIMING:
      return 0;
    case PR.SET_TIMING:
      return value === 0 ? 0 : -E.EINVAL;
    case PR.SET_TSC:
      return value === 1 ? 0 : -E.EINVAL;
    case PR.MCE_KILL:
      return value > 1 || t.arg(2) > (value === 0 ? 0 : 2) || t.arg(3) + t.arg(4) !== 0 ? -E.EINVAL : 0;
    case PR.MCE_KILL_GET:
      return value + rest !== 0 ? -E.EINVAL : MCE_KILL_DEFAULT;
    case PR.CAPBSET_READ:
      return readBounding(t, value);
    case PR.GET_TSC:
      return user.putU32(value, 1) ? 0 : -E.EFAULT;
    case PR.SET_CHILD_SUBREAPER:
      p.subreaper = value !== 0;
      return 0;
    case PR.GET_CHILD_SUBREAPER:
      return user.putU32(value, p.subreaper ? 1 : 0) ? 0 : -E.EFAULT;
    case PR.SET_NO_NEW_PRIVS:
      if (value !== 1 || rest !== 0) return -E.EINVAL;
      p.noNewPrivileges = true;
      return 0;
    case PR.GET_NO_NEW_PRIVS:
      return value + rest !== 0 ? -E.EINVAL : p.noNewPrivileges ? 1 : 0;
    case PR.GET_TID_ADDRESS:
      return user.putU64(value, t.clearChildTid) ? 0 : -E.EFAULT;
  }
  return -E.EINVAL;
}

const ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004;

function archPrctl(t: Thread): Result {
  const { state } = t;
  const address = t.arg(1);
  switch (t.int(0)) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (address >= TASK_SIZE) return -E.EPERM;
      state.mtd |= MTD.FS_GS;
      if (t.int(0) === ARCH_SET_FS) state.fsBase = address;
      else state.gsBase = address;
      return 0;
    case ARCH_GET_FS:
      return t.process.user.putU64(address, state.fsBase) ? 0 : -E.EFAULT;
    case ARCH_GET_GS:
      return t.process.user.putU64(address, state.gsBase) ? 0 : -E.EFAULT;
  }
  return -E.EINVAL;
}

// ---- limits and usage -----------------------------------------------------------------------------------------------

const RLIM_INFINITY_HALF = 0xffff_ffff;

function putLimit(data: DataView, at: number, value: number): void {
  if (value !== Infinity) return putU64(data, at, value);
  data.setUint32(at, RLIM_INFINITY_HALF, true);
  data.setUint32(at + 4, RLIM_INFINITY_HALF, true);
}

const getLimit = (data: DataView, at: number): number => {
  const value = getU64(data, at);
  return value >= 2 ** 63 ? Infinity : value;
};

function limits(t: Thread, p: Process, resource: number, newAt: number, oldAt: number): Result {
  if (resource < 0 || resource > 15) return -E.EINVAL;
  const { user } = t.process;
  const { soft, hard } = p.limits;
  let wanted: [number, number] | undefined;
  if (newAt !== 0) {
    const at = user.in(newAt, 16);
    if (at < 0) return -E.EFAULT;
    wanted = [getLimit(user.data, at), getLimit(user.data, at + 8)];
    if (wanted[0] > wanted[1]) return -E.EINVAL;
    if (wanted[1] > hard[resource] && !capable(t.credentials, CAP.SYS_RESOURCE)) return -E.EPERM;
    if (resource === 7 && wanted[1] > 1 << 20) return -E.EPERM;
  }
  if (oldAt !== 0) {
    const at = user.out(oldAt, 16);
    if (at < 0) return -E.EFAULT;
    putLimit(user.data, at, soft[resource]);
    putLimit(user.data, at + 8, hard[resource]);
    user.done();
  }
  if (wanted !== undefined) {
    [soft[resource], hard[resource]] = wanted;
    if (resource === RLIMIT_CPU) limitCpu(t.os, p);
    if (resource === 3) p.mm.stackLimit = wanted[0];
  }
  return 0;
}

function prlimit64(t: Thread): Result {
  const pid = t.int(0);
  const p = pid === 0 ? t.process : t.os.processes.get(pid);
  if (p === undefined) return -E.ESRCH;
  const { ruid, rgid } = t.credentials, to = p.credentials;
  const isSame = [to.euid, to.suid, to.ruid].every((id) => id === ruid) && [to.egid, to.sgid, to.rgid].every((id) => id === rgid);
  if (p !== t.process && !isSame && !capable(t.credentials, CAP.SYS_RESOURCE)) return -E.EPERM;
  return limits(t, p, t.int(1), t.arg(2), t.arg(3));
}

/** struct rusage: 144 bytes. */
const RUSAGE_BYTES = 144;
const RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1;

export function putRusage(t: Thread, address: number, ns: number, residentBytes: number): number {
  const { user } = t.process;
  const at = user.out(address, RUSAGE_BYTES);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + RUSAGE_BYTES);
  putU64(user.data, at, Math.floor(ns / 1e9));
  putU64(user.data, at + 8, Math.floor(ns % 1e9 / 1000));
  putU64(user.data, at + 32, residentBytes / 1024);
  return user.done();
}

function getrusage(t: Thread): Result {
  const who = t.int(0);
  const resident = t.process.mm.backedBytes;
  if (who === RUSAGE_SELF) return putRusage(t, t.arg(1), t.os.cpuTime(t.process), resident);
  if (who === RUSAGE_THREAD) return putRusage(t, t.arg(1), Math.max(0, t.os.current.ec.scTime(t.sc)) * 1000, resident);
  return who === RUSAGE_CHILDREN ? putRusage(t, t.arg(1), t.process.childrenTime, 0) : -E.EINVAL;
}

function personality(t: Thread): Result {
  const old = t.process.personality;
  if (t.uint(0) !== 0xffff_ffff) t.process.personality = t.uint(0);
  return old;
}

export const SYSTEM_CALLS: readonly SyscallRow[] = [
  sys(63, "uname", ["utsname"], uname),
  sys(97, "getrlimit", ["resource", "rlimit"], (t) => limits(t, t.process, t.int(0), 0, t.arg(1))),
  sys(98, "getrusage", ["int", "rusage"], getrusage, "CPU time and resident memory only; all time counts as user time"),
  sys(99, "sysinfo", ["ptr"], sysinfo),
  sys(135, "personality", ["hex"], personality),
  sys(157, "prctl", ["prctl", "hex", "hex", "hex", "hex"], prctl, "no seccomp, no memory map fields, no speculation control"),
  sys(158, "arch_prctl", ["archprctl", "ptr"], archPrctl),
  sys(
    160,
    "setrlimit",
    ["resource", "rlimit"],
    (t) => limits(t, t.process, t.int(0), t.arg(1), 0),
    "all are enforced but RSS, LOCKS and those for real-time scheduling; no core files",
  ),
  sys(170, "sethostname", ["string", "size"], (t) => setName(t, (name) => void (t.os.hostname = name))),
  sys(171, "setdomainname", ["string", "size"], (t) => setName(t, (name) => void (t.os.domainname = name))),
  sys(
    302,
    "prlimit64",
    ["pid", "resource", "rlimit", "rlimit"],
    prlimit64,
    "all are enforced but RSS, LOCKS and those for real-time scheduling; no core files",
  ),
  sys(318, "getrandom", ["outbuf", "size", "randflags"], getrandom),
];
