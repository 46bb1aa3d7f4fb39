import { type Blocking, type Result, Woken } from "../../linux/process/wait.ts";
import { getI64, putU64 } from "../../linux/memory/user.ts";
import { BUFFER_BYTES } from "../personality.ts";
import { IntervalTimer } from "../../linux/process/itimer.ts";
import { sigInfo } from "../../linux/signals/state.ts";
import { E } from "../abi/errno.ts";
import { SI_TIMER, SIG } from "../abi/signals.ts";
import { routingInformation } from "../interfaces.ts";
import { OSRELDATE } from "../loader.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

const NS = 1_000_000_000;

// ---- sysctl -----------------------------------------------------------------------------------------------------------

/** MIB numbers of sys/sys/sysctl.h; those of dynamic entries (AUTO and up) are ours. */
interface Sysctl {
  readonly name: string;
  readonly mib: readonly number[];
  readonly value: number | string | ((t: Thread) => number | string);
}
const AUTO = 0x7fff_0000;
const SYSCTLS: readonly Sysctl[] = [
  { name: "kern.ostype", mib: [1, 1], value: "FreeBSD" },
  { name: "kern.osrelease", mib: [1, 2], value: "14.0-RELEASE" },
  { name: "kern.version", mib: [1, 4], value: "FreeBSD 14.0-RELEASE Hedra\n" },
  { name: "kern.hostname", mib: [1, 10], value: "hedra" },
  { name: "kern.proc.pathname", mib: [1, 14, 12, 0xffff_ffff], value: (t) => t.process.path },
  { name: "kern.osreldate", mib: [1, 24], value: OSRELDATE },
  { name: "kern.ipc.soacceptqueue", mib: [1, AUTO + 1], value: 128 },
  { name: "kern.smp.maxcpus", mib: [1, AUTO], value: 1 },
  { name: "hw.machine", mib: [6, 1], value: "amd64" },
  { name: "hw.ncpu", mib: [6, 3], value: 1 },
  { name: "hw.pagesize", mib: [6, 7], value: 4096 },
  { name: "hw.machine_arch", mib: [6, 11], value: "amd64" },
];
/** {0, 3}: the MIB of a name. */
const CTL_NET = 4, AF_ROUTE = 17;
const CTL_SYSCTL = 0, CTL_SYSCTL_NAME2OID = 3, CTL_MAXNAME = 24;

function sysctl(t: Thread): Result {
  const { user } = t.process, length = t.arg(1), { data } = t.os;
  if (length < 2 || length > CTL_MAXNAME) return -E.EINVAL;
  const at = user.in(t.arg(0), 4 * length);
  if (at < 0) return -E.EFAULT;
  const mib = Array.from({ length }, (_, i) => data.getUint32(at + 4 * i, true));
  if (mib[0] === CTL_SYSCTL && mib[1] === CTL_SYSCTL_NAME2OID) {
    const bytes = user.bytes(t.arg(4), Math.min(t.arg(5), 256));
    if (bytes === undefined) return -E.EFAULT;
    const name = new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
    const row = SYSCTLS.find((each) => each.name === name);
    return row === undefined ? -E.ENOENT : give(t, new Uint8Array(Uint32Array.from(row.mib).buffer));
  }
  if (t.arg(4) !== 0) return -E.EPERM;
  if (mib[0] === CTL_NET && mib[1] === AF_ROUTE && length === 6) {
    const bytes = routingInformation(mib[3], mib[4], mib[5]);
    return bytes === undefined ? -E.ENOENT : give(t, bytes);
  }
  const row = SYSCTLS.find((each) => each.mib.length === length && each.mib.every((part, i) => part === mib[i]));
  if (row === undefined) return -E.ENOENT;
  const value = typeof row.value === "function" ? row.value(t) : row.value;
  return give(
    t,
    typeof value === "string" ? new TextEncoder().encode(`${value}\0`) : new Uint8Array(Int32Array.of(value).buffer),
  );
}

/** The old value and its length, as far as there is room: SYSCTL_OUT. */
function give(t: Thread, bytes: Uint8Array): Result {
  const { user } = t.process, to = t.arg(2), lengthAt = t.arg(3);
  if (lengthAt === 0) return 0;
  const room = user.u64(lengthAt);
  if (Number.isNaN(room)) return -E.EFAULT;
  if (to !== 0 && !user.putBytes(to, bytes.subarray(0, Math.min(room, bytes.length)))) return -E.EFAULT;
  if (!user.putU64(lengthAt, to === 0 ? bytes.length : Math.min(room, bytes.length))) return -E.EFAULT;
  return to !== 0 && room < bytes.length ? -E.ENOMEM : 0;
}

// ---- time -------------------------------------------------------------------------------------------------------------

/** CLOCK_*: sys/sys/_clock_id.h. */
const REAL_CLOCKS = new Set([0, 9, 10, 13]), CPU_CLOCKS = new Set([1, 2, 14, 15]), UPTIME_CLOCKS = new Set([4, 5, 7, 8, 11, 12]);

function clockGettime(t: Thread): Result {
  const id = t.int(0), { user } = t.process, { clock } = t.os, now = t.os.now();
  if (REAL_CLOCKS.has(id)) clock.real(now);
  else if (UPTIME_CLOCKS.has(id)) clock.split(now);
  else if (CPU_CLOCKS.has(id)) clock.split(cpuTime(t, id === 14));
  else return -E.EINVAL;
  const at = user.out(t.arg(1), 16);
  if (at < 0) return -E.EFAULT;
  putU64(t.os.data, at, clock.seconds);
  putU64(t.os.data, at + 8, clock.nanoseconds);
  return user.done();
}

function cpuTime(t: Thread, threadOnly: boolean): number {
  const { ec } = t.os.current;
  return (threadOnly ? [t] : t.process.threads).reduce((sum, each) => sum + Math.max(0, ec.scTime(each.sc)) * 1000, 0);
}

function clockGetres(t: Thread): Result {
  const at = t.arg(1), { user } = t.process;
  return at === 0 || user.putU64(at, 0) && user.putU64(at + 8, 1) ? 0 : -E.EFAULT;
}

function gettimeofday(t: Thread): Result {
  const { user } = t.process, { clock } = t.os;
  clock.real(t.os.now());
  const at = user.out(t.arg(0), 16);
  if (at < 0) return -E.EFAULT;
  putU64(t.os.data, at, clock.seconds);
  putU64(t.os.data, at + 8, Math.floor(clock.nanoseconds / 1000));
  return user.done();
}

function nanosleep(t: Thread): Result {
  const at = t.process.user.in(t.arg(0), 16);
  if (at < 0) return -E.EFAULT;
  const seconds = getI64(t.os.data, at), ns = getI64(t.os.data, at + 8);
  if (seconds < 0 || ns < 0 || ns >= NS) return -E.EINVAL;
  return sleeping(t, t.os.now() + seconds * NS + ns, t.arg(1));
}

function* sleeping(t: Thread, deadline: number, rest: number): Blocking {
  while (t.os.now() < deadline) {
    if ((yield* t.sleep(deadline)) !== Woken.Interrupted) continue;
    const left = Math.max(0, deadline - t.os.now());
    if (rest !== 0) {
      t.process.user.putU64(rest, Math.floor(left / NS));
      t.process.user.putU64(rest + 8, left % NS);
    }
    return -E.EINTR;
  }
  return 0;
}

/** Signals of ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF, which all run by the wall clock. */
const TIMER_SIGNALS = [SIG.ALRM, SIG.VTALRM, SIG.PROF] as const, ITIMERVAL_BYTES = 32, US = 1000;

/** struct itimerval: interval, then value, in seconds and microseconds. */
function putTimer(t: Thread, which: number, address: number): boolean {
  if (address === 0) return true;
  const timer = t.process.timers[which], bytes = new Uint8Array(ITIMERVAL_BYTES), data = new DataView(bytes.buffer);
  [timer?.interval ?? 0, timer?.remaining(t.os.now()) ?? 0].forEach((ns, i) => {
    putU64(data, 16 * i, Math.floor(ns / NS));
    putU64(data, 16 * i + 8, Math.floor(ns % NS / US));
  });
  return t.process.user.putBytes(address, bytes);
}

function setitimer(t: Thread): Result {
  const { process, os } = t, which = t.int(0), at = process.user.in(t.arg(1), ITIMERVAL_BYTES);
  if (which < 0 || which >= TIMER_SIGNALS.length) return -E.EINVAL;
  if (at < 0) return -E.EFAULT;
  const [interval, value] = [0, 16].map((offset) => getI64(os.data, at + offset) * NS + getI64(os.data, at + offset + 8) * US);
  if (!(interval >= 0 && value >= 0)) return -E.EINVAL;
  if (!putTimer(t, which, t.arg(2))) return -E.EFAULT;
  const send = () => os.signals.sendToProcess(process, sigInfo(TIMER_SIGNALS[which], SI_TIMER));
  (process.timers[which] ??= new IntervalTimer(os, send)).set(os, value, interval);
  return 0;
}

function getitimer(t: Thread): Result {
  if (t.int(0) < 0 || t.int(0) >= TIMER_SIGNALS.length) return -E.EINVAL;
  return putTimer(t, t.int(0), t.arg(1)) ? 0 : -E.EFAULT;
}

// ---- others -----------------------------------------------------------------------------------------------------------

function getrandom(t: Thread): Result {
  const { user } = t.process, { buffer } = t.os;
  let done = 0;
  for (const bytes = t.arg(1); done < bytes;) {
    const part = Math.min(bytes - done, BUFFER_BYTES);
    t.os.random(buffer, part);
    if (!user.write(t.arg(0) + done, buffer, part)) return -E.EFAULT;
    done += part;
  }
  return done;
}

/** struct rlimit: nothing is limited. */
function getrlimit(t: Thread): Result {
  const { user } = t.process, at = t.arg(1), RLIM_INFINITY = new Uint8Array(16).fill(0xff);
  RLIM_INFINITY[7] = RLIM_INFINITY[15] = 0x7f;
  return user.putBytes(at, RLIM_INFINITY) ? 0 : -E.EFAULT;
}

export const SYSTEM_CALLS: readonly SyscallRow[] = [
  sys(83, "setitimer", 3, setitimer, "all by the wall clock"),
  sys(86, "getitimer", 2, getitimer),
  sys(116, "gettimeofday", 2, gettimeofday),
  sys(194, "getrlimit", 2, getrlimit, "nothing is limited"),
  sys(195, "setrlimit", 2, () => 0, "without effect"),
  sys(202, "__sysctl", 6, sysctl, "reading the entries of SYSCTLS"),
  sys(232, "clock_gettime", 2, clockGettime),
  sys(234, "clock_getres", 2, clockGetres),
  sys(240, "nanosleep", 2, nanosleep),
  sys(563, "getrandom", 3, getrandom),
];
