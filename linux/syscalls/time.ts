import { E } from "../abi/errno.ts";
import { timespecNs } from "../abi/structs.ts";
import { getI64, putU64 } from "../memory/user.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, Woken } from "../process/wait.ts";
import { IntervalTimer, PosixTimers, type TimerClock } from "../process/itimer.ts";
import { sys, type SyscallRow } from "./row.ts";
import { pendingExhausted } from "./signals.ts";

const NS = 1_000_000_000;
// deno-fmt-ignore
const CLOCK = {
  REALTIME: 0, MONOTONIC: 1, PROCESS_CPU: 2, THREAD_CPU: 3, MONOTONIC_RAW: 4, REALTIME_COARSE: 5, MONOTONIC_COARSE: 6, BOOTTIME: 7,
  REALTIME_ALARM: 8, BOOTTIME_ALARM: 9, TAI: 11,
} as const;
const TIMER_ABSTIME = 1;

/** CPU time of a thread, ns. */
export function threadTime(t: Thread): number {
  return Math.max(0, t.os.current.ec.scTime(t.sc)) * 1000;
}

/** Sets os.clock's fields to a clock; -EINVAL for an unknown one. */
function readClock(t: Thread, id: number): number {
  const { os } = t;
  const { clock } = os;
  switch (id) {
    case CLOCK.REALTIME:
    case CLOCK.REALTIME_COARSE:
    case CLOCK.REALTIME_ALARM:
    case CLOCK.TAI:
      clock.real(os.now());
      return 0;
    case CLOCK.MONOTONIC:
    case CLOCK.MONOTONIC_RAW:
    case CLOCK.MONOTONIC_COARSE:
    case CLOCK.BOOTTIME:
    case CLOCK.BOOTTIME_ALARM:
      clock.split(os.now());
      return 0;
    case CLOCK.PROCESS_CPU:
      clock.split(t.os.cpuTime(t.process));
      return 0;
    case CLOCK.THREAD_CPU:
      clock.split(threadTime(t));
      return 0;
  }
  return id < 0 ? readDynamicClock(t, id) : -E.EINVAL;
}

/** CPU clocks of other processes and threads: ~pid << 3 | bits (include/linux/posix-timers.h). */
const cpuClock = (id: number): { pid: number; perThread: boolean } => ({ pid: ~(id >> 3), perThread: (id & 4) !== 0 });

function readDynamicClock(t: Thread, id: number): number {
  const { pid, perThread } = cpuClock(id);
  if ((id & 3) === 3) return -E.EINVAL;
  const p = pid === 0 ? t.process : t.os.processes.get(pid);
  if (perThread) {
    const other = pid === 0 ? t : t.process.threads.find((each) => each.tid === pid);
    if (other === undefined) return -E.EINVAL;
    t.os.clock.split(threadTime(other));
    return 0;
  }
  if (p === undefined) return -E.EINVAL;
  t.os.clock.split(t.os.cpuTime(p));
  return 0;
}

function putClock(t: Thread, address: number, unit: number): number {
  const { user } = t.process;
  const { clock } = t.os;
  const at = user.out(address, 16);
  if (at < 0) return -E.EFAULT;
  putU64(user.data, at, clock.seconds);
  putU64(user.data, at + 8, unit === 1 ? clock.nanoseconds : Math.floor(clock.nanoseconds / unit));
  return user.done();
}

function clockGettime(t: Thread): Result {
  const status = readClock(t, t.int(0));
  return status < 0 ? status : putClock(t, t.arg(1), 1);
}

function clockGetres(t: Thread): Result {
  const id = t.int(0);
  const status = readClock(t, id);
  if (status < 0) return status;
  t.os.clock.seconds = 0;
  t.os.clock.nanoseconds = id === CLOCK.REALTIME_COARSE || id === CLOCK.MONOTONIC_COARSE ? 4_000_000 : 1;
  return t.arg(1) === 0 ? 0 : putClock(t, t.arg(1), 1);
}

function gettimeofday(t: Thread): Result {
  t.os.clock.real(t.os.now());
  if (t.arg(0) !== 0) {
    const status = putClock(t, t.arg(0), 1000);
    if (status < 0) return status;
  }
  return t.arg(1) !== 0 && !t.process.user.putU64(t.arg(1), 0) ? -E.EFAULT : 0;
}

function time(t: Thread): Result {
  t.os.clock.real(t.os.now());
  const { seconds } = t.os.clock;
  return t.arg(0) !== 0 && !t.process.user.putU64(t.arg(0), seconds) ? -E.EFAULT : seconds;
}

function settable(t: Thread): Result {
  return capable(t.credentials, CAP.SYS_TIME) ? 0 : -E.EPERM;
}

function clockSettime(t: Thread): Result {
  if (t.int(0) !== CLOCK.REALTIME) return -E.EINVAL;
  if (settable(t) !== 0) return -E.EPERM;
  const at = t.process.user.in(t.arg(1), 16);
  if (at < 0) return -E.EFAULT;
  const seconds = getI64(t.process.user.data, at);
  const ns = getI64(t.process.user.data, at + 8);
  if (seconds < 0 || ns < 0 || ns >= NS) return -E.EINVAL;
  t.os.clock.setReal(t.os.now(), seconds, ns);
  t.os.vdso?.update(t.os.clock);
  return 0;
}

/** Sleeps until `deadline`; writes the rest to `remaining` when a signal comes. */
function* sleepUntil(t: Thread, deadline: number, remaining: number, absolute: boolean): Blocking {
  let now = t.os.now();
  // Even a sleep of nothing lets others run.
  if (now >= deadline) t.host.yieldCpu();
  while (now < deadline) {
    // Beyond 2^53 ns the kernel's timer would not be exact: sleep in pieces.
    const why = yield* t.sleep(Math.min(deadline, now + 2 ** 50));
    now = t.os.now();
    if (why !== Woken.Interrupted) continue;
    if (absolute) return -E.ERESTARTNOHAND;
    if (remaining !== 0) {
      t.os.clock.split(Math.max(0, deadline - now));
      const status = putClock(t, remaining, 1);
      if (status < 0) return status;
    }
    t.restart = () => sleepUntil(t, deadline, remaining, false);
    return -E.ERESTART_RESTARTBLOCK;
  }
  return 0;
}

function nanosleep(t: Thread): Result {
  const at = t.process.user.in(t.arg(0), 16);
  if (at < 0) return -E.EFAULT;
  const ns = timespecNs(t.process.user.data, at);
  return ns < 0 ? -E.EINVAL : sleepUntil(t, t.os.now() + ns, t.arg(1), false);
}

function clockNanosleep(t: Thread): Result {
  const id = t.int(0);
  const known = id === CLOCK.REALTIME || id === CLOCK.MONOTONIC || id === CLOCK.BOOTTIME || id === CLOCK.TAI;
  if (!known) return id === CLOCK.THREAD_CPU ? -E.EINVAL : id === CLOCK.PROCESS_CPU ? -E.EOPNOTSUPP : -E.EINVAL;
  const { user } = t.process;
  const at = user.in(t.arg(2), 16);
  if (at < 0) return -E.EFAULT;
  const ns = timespecNs(user.data, at);
  if (ns < 0) return -E.EINVAL;
  if ((t.int(1) & TIMER_ABSTIME) === 0) return sleepUntil(t, t.os.now() + ns, t.arg(3), false);
  const real = id === CLOCK.REALTIME || id === CLOCK.TAI;
  const deadline = real ? t.os.clock.tscOfReal(getI64(user.data, at), getI64(user.data, at + 8)) : ns;
  return sleepUntil(t, deadline, 0, true);
}

function restartSyscall(t: Thread): Result {
  const { restart } = t;
  t.restart = undefined;
  return restart === undefined ? -E.EINTR : restart();
}

// ---- interval timers ------------------------------------------------------------------------------------------------

/**
 * struct itimerval or itimerspec at `address`: [interval, value] in ns, or -errno. `absolute`: the value is a time of CLOCK_REALTIME
 * ("real") or of a clock that now shows that number, and becomes the time until then.
 */
export function readItimer(t: Thread, address: number, unit: number, absolute?: "real" | number): [number, number] | number {
  const { user } = t.process;
  const at = user.in(address, 32);
  if (at < 0) return -E.EFAULT;
  const read = (where: number): number => {
    const seconds = getI64(user.data, where);
    const fraction = getI64(user.data, where + 8);
    return seconds < 0 || fraction < 0 || fraction * unit >= NS ? -1 : Math.min(seconds * NS + fraction * unit, 2 ** 52);
  };
  const interval = read(at);
  const value = read(at + 16);
  if (interval < 0 || value < 0) return -E.EINVAL;
  if (absolute === undefined || value === 0) return [interval, value];
  if (absolute !== "real") return [interval, Math.max(1, value - absolute)];
  const when = t.os.clock.tscOfReal(getI64(user.data, at + 16), getI64(user.data, at + 24) * unit);
  return [interval, Math.max(1, when - t.os.now())];
}

export function putItimer(t: Thread, address: number, timer: IntervalTimer | undefined, unit: number): number {
  const { user } = t.process;
  const at = user.out(address, 32);
  if (at < 0) return -E.EFAULT;
  const write = (where: number, ns: number): void => {
    putU64(user.data, where, Math.floor(ns / NS));
    putU64(user.data, where + 8, Math.floor(ns % NS / unit));
  };
  write(at, timer?.interval ?? 0);
  // What is armed never shows as 0.
  const left = timer?.remaining(t.os.now()) ?? 0;
  write(at + 16, left > 0 ? Math.max(unit, left) : 0);
  return user.done();
}

const MICRO = 1000;

function setitimer(t: Thread): Result {
  const which = t.int(0);
  if (which < 0 || which > 2) return -E.EINVAL;
  const wanted = t.arg(1) === 0 ? [0, 0] as [number, number] : readItimer(t, t.arg(1), MICRO);
  if (typeof wanted === "number") return wanted;
  const timer = t.os.itimer(t.process, which);
  if (t.arg(2) !== 0) {
    const status = putItimer(t, t.arg(2), timer, MICRO);
    if (status < 0) return status;
  }
  timer.set(t.os, wanted[1], wanted[0]);
  return 0;
}

function getitimer(t: Thread): Result {
  const which = t.int(0);
  return which < 0 || which > 2 ? -E.EINVAL : putItimer(t, t.arg(1), t.os.itimer(t.process, which), MICRO);
}

function alarm(t: Thread): Result {
  const timer = t.os.itimer(t.process, 0);
  const left = Math.ceil(timer.remaining(t.os.now()) / NS);
  timer.set(t.os, t.uint(0) * NS, 0);
  return left;
}

/** Clocks that no timer goes by. */
const UNTIMED: readonly number[] = [CLOCK.MONOTONIC_RAW, CLOCK.REALTIME_COARSE, CLOCK.MONOTONIC_COARSE];

function timerClock(t: Thread, id: number): TimerClock {
  if (id >= 0 && id !== CLOCK.THREAD_CPU && id !== CLOCK.PROCESS_CPU) return { real: id === CLOCK.REALTIME };
  const { pid, perThread } = id >= 0 ? { pid: 0, perThread: id === CLOCK.THREAD_CPU } : cpuClock(id);
  if (perThread) {
    const thread = t.process.threads.find((each) => each.tid === pid) ?? t;
    return { used: () => threadTime(thread) };
  }
  const process = t.os.processes.get(pid) ?? t.process;
  return { used: () => t.os.cpuTime(process) };
}

const posix = (t: Thread): PosixTimers => t.os.posixTimers(t.process);

function timerCreate(t: Thread): Result {
  const id = t.int(0);
  if (readClock(t, id) < 0) return -E.EINVAL;
  if (UNTIMED.includes(id)) return -E.EOPNOTSUPP;
  const { user } = t.process;
  let signal = 14, notify = 0, lo = -1, hi = 0, tid = 0;
  if (t.arg(1) !== 0) {
    // struct sigevent: value, signo, notify, tid.
    const at = user.in(t.arg(1), 24);
    if (at < 0) return -E.EFAULT;
    lo = user.data.getUint32(at, true);
    hi = user.data.getUint32(at + 4, true);
    signal = user.data.getInt32(at + 8, true);
    notify = user.data.getInt32(at + 12, true);
    tid = user.data.getInt32(at + 16, true);
    if (notify !== 1 && (signal < 1 || signal > 64) || ![0, 1, 2, 4].includes(notify)) return -E.EINVAL;
    if (notify === 4 && !t.process.threads.some((each) => each.tid === tid)) return -E.EINVAL;
  }
  if (pendingExhausted(t, t.process)) return -E.EAGAIN;
  const timer = posix(t).create(t.process, timerClock(t, id), notify === 1 ? 0 : signal, lo, hi, notify === 4 ? tid : 0);
  if (!user.putU32(t.arg(2), timer)) return -E.EFAULT;
  return 0;
}

function timerSettime(t: Thread): Result {
  const timer = posix(t).get(t.int(0));
  if (timer === undefined) return -E.EINVAL;
  const absolute = (t.int(1) & TIMER_ABSTIME) === 0 ? undefined : timer.real ? "real" : timer.now;
  const wanted = readItimer(t, t.arg(2), 1, absolute);
  if (typeof wanted === "number") return wanted;
  if (t.arg(3) !== 0) {
    const status = putItimer(t, t.arg(3), timer, 1);
    if (status < 0) return status;
  }
  const [interval, value] = wanted;
  timer.set(t.os, value, interval);
  return 0;
}

function timerGettime(t: Thread): Result {
  const timer = posix(t).get(t.int(0));
  return timer === undefined ? -E.EINVAL : putItimer(t, t.arg(1), timer, 1);
}

function timerGetoverrun(t: Thread): Result {
  return posix(t).get(t.int(0))?.overrun ?? -E.EINVAL;
}

function timerDelete(t: Thread): Result {
  return posix(t).remove(t.os, t.int(0)) ? 0 : -E.EINVAL;
}

/** struct tms, in clock ticks of 10 ms. */
function times(t: Thread): Result {
  const { user } = t.process;
  const tick = NS / 100;
  if (t.arg(0) !== 0) {
    const at = user.out(t.arg(0), 32);
    if (at < 0) return -E.EFAULT;
    putU64(user.data, at, Math.floor(t.os.cpuTime(t.process) / tick));
    putU64(user.data, at + 8, 0);
    putU64(user.data, at + 16, Math.floor(t.process.childrenTime / tick));
    putU64(user.data, at + 24, 0);
    user.done();
  }
  return Math.floor(t.os.now() / tick);
}

export const TIME_CALLS: readonly SyscallRow[] = [
  sys(35, "nanosleep", ["timespec", "outtimespec"], nanosleep),
  sys(36, "getitimer", ["int", "ptr"], getitimer),
  sys(37, "alarm", ["uint"], alarm),
  sys(38, "setitimer", ["int", "ptr", "ptr"], setitimer, "ITIMER_VIRTUAL counts all CPU time, as ITIMER_PROF"),
  sys(96, "gettimeofday", ["outtimeval", "ptr"], gettimeofday),
  sys(100, "times", ["ptr"], times, "all CPU time counts as user time"),
  sys(201, "time", ["ptr"], time),
  sys(219, "restart_syscall", [], restartSyscall),
  sys(222, "timer_create", ["clock", "ptr", "ptr"], timerCreate),
  sys(223, "timer_settime", ["int", "hex", "ptr", "ptr"], timerSettime),
  sys(224, "timer_gettime", ["int", "ptr"], timerGettime),
  sys(225, "timer_getoverrun", ["int"], timerGetoverrun),
  sys(226, "timer_delete", ["int"], timerDelete),
  sys(227, "clock_settime", ["clock", "timespec"], clockSettime, "this machine's CLOCK_REALTIME only"),
  sys(228, "clock_gettime", ["clock", "outtimespec"], clockGettime),
  sys(229, "clock_getres", ["clock", "outtimespec"], clockGetres),
  sys(230, "clock_nanosleep", ["clock", "hex", "timespec", "outtimespec"], clockNanosleep),
];
