import { E } from "../abi/errno.ts";
import { putU64 } from "../memory/user.ts";
import { mayReschedule } from "../process/access.ts";
import { CAP, capable } from "../process/credentials.ts";
import { RLIMIT_NICE } from "../process/limits.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

function target(t: Thread, n: number): Thread | undefined {
  const pid = t.int(n);
  return pid === 0 ? t : t.os.threadById(pid);
}

function schedGetaffinity(t: Thread): Result {
  if (target(t, 0) === undefined) return -E.ESRCH;
  const size = t.uint(1);
  if (size < 8 || size % 8 !== 0) return -E.EINVAL;
  // One virtual CPU.
  return t.process.user.putU64(t.arg(2), 1) ? 8 : -E.EFAULT;
}

function schedSetaffinity(t: Thread): Result {
  if (target(t, 0) === undefined) return -E.ESRCH;
  if (t.uint(1) === 0) return -E.EINVAL;
  const bytes = t.process.user.bytes(t.arg(2), Math.min(t.uint(1), 128));
  if (bytes === undefined) return -E.EFAULT;
  return (bytes[0] & 1) === 0 ? -E.EINVAL : 0;
}

function schedYield(t: Thread): Result {
  t.host.yieldCpu();
  return 0;
}

const POLICIES = [0, 1, 2, 3, 5];

function schedSetscheduler(t: Thread): Result {
  const other = target(t, 0);
  if (other === undefined) return -E.ESRCH;
  const policy = t.int(1) & ~0x4000_0000;
  const priority = t.process.user.u32(t.arg(2));
  if (priority < 0) return -E.EFAULT;
  if (!POLICIES.includes(policy)) return -E.EINVAL;
  const realtime = policy === 1 || policy === 2;
  if (realtime ? priority < 1 || priority > 99 : priority !== 0) return -E.EINVAL;
  other.policy = policy;
  other.priority = priority;
  return 0;
}

function schedSetparam(t: Thread): Result {
  const other = target(t, 0);
  if (other === undefined) return -E.ESRCH;
  const priority = t.process.user.u32(t.arg(1));
  if (priority < 0) return -E.EFAULT;
  const realtime = other.policy === 1 || other.policy === 2;
  if (realtime ? priority < 1 || priority > 99 : priority !== 0) return -E.EINVAL;
  other.priority = priority;
  return 0;
}

function schedGetparam(t: Thread): Result {
  const other = target(t, 0);
  if (other === undefined) return -E.ESRCH;
  return t.process.user.putU32(t.arg(1), other.priority) ? 0 : -E.EFAULT;
}

function priorityRange(t: Thread, realtime: number): Result {
  const policy = t.int(0);
  if (![0, 1, 2, 3, 5, 6].includes(policy)) return -E.EINVAL;
  return policy === 1 || policy === 2 ? realtime : 0;
}

function schedRrGetInterval(t: Thread): Result {
  if (target(t, 0) === undefined) return -E.ESRCH;
  const { user } = t.process;
  const at = user.out(t.arg(1), 16);
  if (at < 0) return -E.EFAULT;
  putU64(user.data, at, 0);
  putU64(user.data, at + 8, 10_000_000);
  return user.done();
}

function getpriority(t: Thread): Result {
  const which = t.int(0);
  if (which < 0 || which > 2) return -E.EINVAL;
  const p = which === 0 && t.int(1) !== 0 ? t.os.processes.get(t.int(1)) : t.process;
  return p === undefined ? -E.ESRCH : 20 - p.nice;
}

function setpriority(t: Thread): Result {
  const which = t.int(0);
  if (which < 0 || which > 2) return -E.EINVAL;
  const p = which === 0 && t.int(1) !== 0 ? t.os.processes.get(t.int(1)) : t.process;
  if (p === undefined) return -E.ESRCH;
  const nice = Math.max(-20, Math.min(19, t.int(2)));
  if (!mayReschedule(t, p)) return -E.EPERM;
  if (nice < p.nice && 20 - nice > p.limits.soft[RLIMIT_NICE] && !capable(t.credentials, CAP.SYS_NICE)) return -E.EACCES;
  p.nice = nice;
  return 0;
}

function getcpu(t: Thread): Result {
  const { user } = t.process;
  if (t.arg(0) !== 0 && !user.putU32(t.arg(0), 0)) return -E.EFAULT;
  return t.arg(1) !== 0 && !user.putU32(t.arg(1), 0) ? -E.EFAULT : 0;
}

export const SCHEDULING_CALLS: readonly SyscallRow[] = [
  sys(24, "sched_yield", [], schedYield),
  sys(140, "getpriority", ["int", "pid"], getpriority),
  sys(141, "setpriority", ["int", "pid", "int"], setpriority, "remembered, without effect on scheduling"),
  sys(142, "sched_setparam", ["pid", "ptr"], schedSetparam, "remembered, without effect on scheduling"),
  sys(143, "sched_getparam", ["pid", "ptr"], schedGetparam),
  sys(144, "sched_setscheduler", ["pid", "int", "ptr"], schedSetscheduler, "remembered, without effect on scheduling"),
  sys(145, "sched_getscheduler", ["pid"], (t) => target(t, 0)?.policy ?? -E.ESRCH),
  sys(146, "sched_get_priority_max", ["int"], (t) => priorityRange(t, 99)),
  sys(147, "sched_get_priority_min", ["int"], (t) => priorityRange(t, 1)),
  sys(148, "sched_rr_get_interval", ["pid", "outtimespec"], schedRrGetInterval),
  sys(203, "sched_setaffinity", ["pid", "size", "ptr"], schedSetaffinity),
  sys(204, "sched_getaffinity", ["pid", "size", "ptr"], schedGetaffinity),
  sys(309, "getcpu", ["ptr", "ptr", "ptr"], getcpu),
];
