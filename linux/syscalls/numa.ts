import { E } from "../abi/errno.ts";
import { putU64 } from "../memory/user.ts";
import { mayTrace } from "../process/access.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { readVector } from "./io.ts";
import { sys, type SyscallRow } from "./row.ts";

// One node, one CPU, one I/O scheduler: policies can be asked for and set, and change nothing.

const MPOL_MAX = 6;

function getMempolicy(t: Thread): Result {
  const { user } = t.process;
  if ((t.uint(4) & ~7) !== 0) return -E.EINVAL;
  if (t.arg(0) !== 0 && !user.putU32(t.arg(0), 0)) return -E.EFAULT;
  const bits = t.arg(2);
  if (t.arg(1) === 0) return 0;
  if (bits < 1) return -E.EINVAL;
  // MPOL_F_MEMS_ALLOWED gives the set of nodes: node 0.
  return user.putU64(t.arg(1), (t.uint(4) & 4) !== 0 ? 1 : 0) ? 0 : -E.EFAULT;
}

const setMempolicy = (t: Thread): Result => (t.int(0) & 0xff) > MPOL_MAX ? -E.EINVAL : 0;

function mbind(t: Thread): Result {
  if (t.arg(0) % 4096 !== 0 || (t.int(2) & 0xff) > MPOL_MAX) return -E.EINVAL;
  return 0;
}

function movePages(t: Thread): Result {
  const { user } = t.process;
  for (let i = 0; i < Math.min(t.arg(1), 65536); i++) if (!user.putU32(t.arg(4) + 4 * i, 0)) return -E.EFAULT;
  return 0;
}

const IOPRIO_CLASS_SHIFT = 13, IOPRIO_NONE = 0, IOPRIO_CLASSES = 3;

function ioprioSet(t: Thread): Result {
  const which = t.int(0);
  if (which < 1 || which > 3 || t.int(2) >> IOPRIO_CLASS_SHIFT > IOPRIO_CLASSES) return -E.EINVAL;
  return which === 1 && t.int(1) !== 0 && t.os.threadById(t.int(1)) === undefined ? -E.ESRCH : 0;
}

function ioprioGet(t: Thread): Result {
  const which = t.int(0);
  if (which < 1 || which > 3) return -E.EINVAL;
  if (which === 1 && t.int(1) !== 0 && t.os.threadById(t.int(1)) === undefined) return -E.ESRCH;
  return IOPRIO_NONE;
}

/** struct sched_attr, version 0: 48 bytes. */
const SCHED_ATTR_BYTES = 48;

function schedGetattr(t: Thread): Result {
  const other = t.int(0) === 0 ? t : t.os.threadById(t.int(0));
  if (other === undefined) return -E.ESRCH;
  if (t.uint(2) < SCHED_ATTR_BYTES || t.uint(3) !== 0) return -E.EINVAL;
  const { user } = t.process;
  const at = user.out(t.arg(1), SCHED_ATTR_BYTES);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + SCHED_ATTR_BYTES);
  user.data.setUint32(at, SCHED_ATTR_BYTES, true);
  user.data.setUint32(at + 4, other.policy, true);
  user.data.setInt32(at + 16, other.process.nice, true);
  user.data.setUint32(at + 20, other.priority, true);
  return user.done();
}

function schedSetattr(t: Thread): Result {
  const other = t.int(0) === 0 ? t : t.os.threadById(t.int(0));
  if (other === undefined) return -E.ESRCH;
  const at = t.process.user.in(t.arg(1), SCHED_ATTR_BYTES);
  if (at < 0) return -E.EFAULT;
  const policy = t.process.user.data.getUint32(at + 4, true);
  if (![0, 1, 2, 3, 5].includes(policy)) return -E.EINVAL;
  other.policy = policy;
  other.priority = t.process.user.data.getUint32(at + 20, true);
  return 0;
}

/** process_vm_readv(2), process_vm_writev(2): between one's own memory and another process's. */
function processVm(t: Thread, write: boolean): Result {
  const p = t.os.processes.get(t.int(0));
  if (p === undefined) return -E.ESRCH;
  if (t.arg(5) !== 0) return -E.EINVAL;
  if (!mayTrace(t, p, true)) return -E.EPERM;
  const local = readVector(t, t.arg(1), t.arg(2));
  const remote = readVector(t, t.arg(3), t.arg(4));
  if (typeof local === "number") return local;
  if (typeof remote === "number") return remote;
  let done = 0;
  for (let i = 0, j = 0; i < local.length && j < remote.length;) {
    const n = Math.min(local[i + 1], remote[j + 1]);
    const [from, fromAt, to, toAt] = write
      ? [t.process.user, local[i], p.user, remote[j]] as const
      : [p.user, remote[j], t.process.user, local[i]] as const;
    const bytes = from.bytes(fromAt, n);
    if (bytes === undefined || !to.putBytes(toAt, bytes)) return done > 0 ? done : -E.EFAULT;
    done += n;
    local[i] += n;
    local[i + 1] -= n;
    remote[j] += n;
    remote[j + 1] -= n;
    if (local[i + 1] === 0) i += 2;
    if (j < remote.length && remote[j + 1] === 0) j += 2;
  }
  return done;
}

/** kcmp(2): orders two resources; here by identity only. */
function kcmp(t: Thread): Result {
  const a = t.os.processes.get(t.int(0)), b = t.os.processes.get(t.int(1));
  if (a === undefined || b === undefined) return -E.ESRCH;
  const type = t.int(2);
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [a.files.get(t.int(3)), b.files.get(t.int(4))],
    [a.mm, b.mm],
    [a.files, b.files],
    [a.fsContext, b.fsContext],
    [a.actions, b.actions],
  ];
  const pair = pairs[type];
  if (pair === undefined) return -E.EINVAL;
  if (type === 0 && (pair[0] === undefined || pair[1] === undefined)) return -E.EBADF;
  return pair[0] === pair[1] ? 0 : a.pid < b.pid ? 1 : 2;
}

/** struct timex: reading only; the clock runs as the host's does. */
const TIMEX_BYTES = 208, TIME_ERROR = 5;

function clockAdjtime(t: Thread): Result {
  if (t.int(0) !== 0) return -E.EINVAL;
  return adjust(t, t.arg(1));
}

function adjust(t: Thread, address: number): Result {
  const { user } = t.process;
  const modes = user.u32(address);
  if (modes < 0) return -E.EFAULT;
  if (modes !== 0) return -E.EPERM;
  const at = user.out(address, TIMEX_BYTES);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + TIMEX_BYTES);
  t.os.clock.real(t.os.now());
  user.data.setUint32(at + 40, 0x40, true);
  putU64(user.data, at + 72, t.os.clock.seconds);
  putU64(user.data, at + 80, Math.floor(t.os.clock.nanoseconds / 1000));
  putU64(user.data, at + 88, 10_000);
  user.done();
  return TIME_ERROR;
}

const IDLE = "one node, one CPU: accepted without effect";

export const NUMA_CALLS: readonly SyscallRow[] = [
  sys(159, "adjtimex", ["ptr"], (t) => adjust(t, t.arg(0)), "reading only: the clock belongs to the host"),
  sys(237, "mbind", ["ptr", "size", "int", "ptr", "size", "hex"], mbind, IDLE),
  sys(238, "set_mempolicy", ["int", "ptr", "size"], setMempolicy, IDLE),
  sys(239, "get_mempolicy", ["ptr", "ptr", "size", "ptr", "hex"], getMempolicy),
  sys(251, "ioprio_set", ["int", "pid", "hex"], ioprioSet, IDLE),
  sys(252, "ioprio_get", ["int", "pid"], ioprioGet, IDLE),
  sys(256, "migrate_pages", ["pid", "size", "ptr", "ptr"], () => 0, IDLE),
  sys(279, "move_pages", ["pid", "size", "ptr", "ptr", "ptr", "hex"], movePages, IDLE),
  sys(305, "clock_adjtime", ["clock", "ptr"], clockAdjtime, "reading only: the clock belongs to the host"),
  sys(310, "process_vm_readv", ["pid", "ptr", "size", "ptr", "size", "hex"], (t) => processVm(t, false)),
  sys(311, "process_vm_writev", ["pid", "ptr", "size", "ptr", "size", "hex"], (t) => processVm(t, true)),
  sys(312, "kcmp", ["pid", "pid", "int", "hex", "hex"], kcmp, "different resources are ordered by process only"),
  sys(314, "sched_setattr", ["pid", "ptr", "hex"], schedSetattr, "remembered, without effect on scheduling"),
  sys(315, "sched_getattr", ["pid", "ptr", "uint", "hex"], schedGetattr),
];
