import { E } from "../abi/errno.ts";
import { timespecNs } from "../abi/structs.ts";
import { getU64, putU64 } from "../memory/user.ts";
import { mayKill } from "../process/access.ts";
import { RLIMIT_SIGPENDING } from "../process/limits.ts";
import { Life, type Process } from "../process/process.ts";
import { R11, RAX, Reply, type Thread } from "../process/thread.ts";
import { type Blocking, type Result, Woken } from "../process/wait.ts";
import { REPLY_ALL } from "../process/dispatch.ts";
import { MTD } from "../../hedron/api.ts";
import { altStackFlags, leaveHandler, putSigInfo } from "../signals/frame.ts";
import { MINSIGSTKSZ, SA_RESTORER, SI_TKILL, SI_USER, SIG, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK } from "../signals/numbers.ts";
import { type SigInfo, sigInfo } from "../signals/state.ts";
import { SigSet } from "../signals/sigset.ts";
import { sys, type SyscallRow } from "./row.ts";

const SIGSET_BYTES = 8;
const valid = (signal: number): boolean => signal >= 1 && signal <= SIG.RTMAX;

/** struct sigaction of the kernel: handler, flags, restorer, mask. */
const SIGACTION_BYTES = 32;

function rtSigaction(t: Thread): Result {
  const signal = t.int(0);
  if (t.arg(3) !== SIGSET_BYTES || !valid(signal)) return -E.EINVAL;
  const { user, actions } = t.process;
  const action = actions.table[signal];
  const wanted = t.arg(1);
  let next: { handler: number; flags: number; restorer: number; lo: number; hi: number } | undefined;
  if (wanted !== 0) {
    const at = user.in(wanted, SIGACTION_BYTES);
    if (at < 0) return -E.EFAULT;
    if (signal === SIG.KILL || signal === SIG.STOP) return -E.EINVAL;
    const { data } = user;
    next = {
      handler: getU64(data, at),
      flags: data.getUint32(at + 8, true),
      restorer: getU64(data, at + 16),
      lo: data.getUint32(at + 24, true),
      hi: data.getUint32(at + 28, true),
    };
  }
  if (t.arg(2) !== 0) {
    const at = user.out(t.arg(2), SIGACTION_BYTES);
    if (at < 0) return -E.EFAULT;
    const { data } = user;
    putU64(data, at, action.handler);
    putU64(data, at + 8, action.flags);
    putU64(data, at + 16, action.restorer);
    data.setUint32(at + 24, action.mask.lo, true);
    data.setUint32(at + 28, action.mask.hi, true);
    user.done();
  }
  if (next !== undefined) {
    action.handler = next.handler;
    action.flags = next.flags;
    action.restorer = (next.flags & SA_RESTORER) !== 0 ? next.restorer : 0;
    action.mask.set(next.lo, next.hi);
    action.mask.remove(SIG.KILL);
    action.mask.remove(SIG.STOP);
    t.os.signals.actionChanged(t.process, signal);
  }
  return 0;
}

const SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2;

/** Sets the mask of blocked signals; pending ones may become deliverable. */
function setMask(t: Thread, lo: number, hi: number): void {
  t.mask.set(lo, hi);
  t.mask.remove(SIG.KILL);
  t.mask.remove(SIG.STOP);
  if (t.os.signals.wantsAttention(t)) t.attention = true;
}

function rtSigprocmask(t: Thread): Result {
  if (t.arg(3) !== SIGSET_BYTES) return -E.EINVAL;
  const { user } = t.process;
  const { lo, hi } = t.mask;
  const wanted = t.arg(1);
  if (wanted !== 0) {
    const at = user.in(wanted, 8);
    if (at < 0) return -E.EFAULT;
    const newLo = user.data.getUint32(at, true);
    const newHi = user.data.getUint32(at + 4, true);
    const how = t.int(0);
    if (how === SIG_BLOCK) setMask(t, lo | newLo, hi | newHi);
    else if (how === SIG_UNBLOCK) setMask(t, lo & ~newLo, hi & ~newHi);
    else if (how === SIG_SETMASK) setMask(t, newLo, newHi);
    else return -E.EINVAL;
  }
  return t.arg(2) === 0 ? 0 : putSet(t, t.arg(2), lo, hi);
}

function putSet(t: Thread, address: number, lo: number, hi: number): number {
  const { user } = t.process;
  const at = user.out(address, 8);
  if (at < 0) return -E.EFAULT;
  user.data.setUint32(at, lo, true);
  user.data.setUint32(at + 4, hi, true);
  return user.done();
}

function rtSigpending(t: Thread): Result {
  if (t.arg(1) > SIGSET_BYTES) return -E.EINVAL;
  const own = t.pending.set;
  const shared = t.process.pending.set;
  return putSet(t, t.arg(0), (own.lo | shared.lo) & t.mask.lo, (own.hi | shared.hi) & t.mask.hi);
}

/** Replaces the mask until the next handler has run: sigsuspend, ppoll, pselect, epoll_pwait. False for a bad pointer. */
export function temporaryMask(t: Thread, address: number): boolean {
  const { user } = t.process;
  const at = user.in(address, 8);
  if (at < 0) return false;
  const lo = user.data.getUint32(at, true);
  const hi = user.data.getUint32(at + 4, true);
  t.savedMask.copy(t.mask);
  setMask(t, lo, hi);
  t.restoreMask = true;
  // The dispatcher must put the old mask back.
  t.attention = true;
  return true;
}

function rtSigsuspend(t: Thread): Result {
  if (t.arg(1) !== SIGSET_BYTES) return -E.EINVAL;
  return temporaryMask(t, t.arg(0)) ? untilSignal(t) : -E.EFAULT;
}

function* untilSignal(t: Thread): Blocking {
  while ((yield* t.sleep(0)) !== Woken.Interrupted);
  return -E.ERESTARTNOHAND;
}

function rtSigreturn(t: Thread): Result {
  const { state } = t;
  const sp = state.num(R11);
  state.mtd |= REPLY_ALL | MTD.FPU;
  t.reply = Reply.Own;
  t.attention = true;
  if (!leaveHandler(t, sp)) {
    const info = sigInfo(SIG.SEGV, 0x80);
    info.fault = t.trap;
    t.os.signals.force(t, info);
  }
  return state.int(RAX);
}

/** struct stack_t: sp, flags, size. */
const STACK_T_BYTES = 24;

function sigaltstack(t: Thread): Result {
  const { user } = t.process;
  const sp = t.state.num(R11);
  const flagsNow = altStackFlags(t, sp);
  const oldStack = t.altStack, oldSize = t.altStackSize, oldFlags = t.altStackFlags;
  if (t.arg(0) !== 0) {
    const at = user.in(t.arg(0), STACK_T_BYTES);
    if (at < 0) return -E.EFAULT;
    const address = getU64(user.data, at);
    const flags = user.data.getUint32(at + 8, true);
    const size = getU64(user.data, at + 16);
    if (flagsNow === SS_ONSTACK) return -E.EPERM;
    const mode = flags & ~SS_AUTODISARM;
    if (mode !== 0 && mode !== SS_ONSTACK && mode !== SS_DISABLE) return -E.EINVAL;
    if (mode === SS_DISABLE) {
      t.altStack = t.altStackSize = 0;
      t.altStackFlags = 0;
    } else {
      if (size < MINSIGSTKSZ) return -E.ENOMEM;
      t.altStack = address;
      t.altStackSize = size;
      t.altStackFlags = flags & SS_AUTODISARM;
    }
  }
  if (t.arg(1) === 0) return 0;
  const at = user.out(t.arg(1), STACK_T_BYTES);
  if (at < 0) return -E.EFAULT;
  putU64(user.data, at, oldStack);
  user.data.setUint32(at + 8, (flagsNow | oldFlags) >>> 0, true);
  user.data.setUint32(at + 12, 0, true);
  putU64(user.data, at + 16, oldSize);
  return user.done();
}

// ---- sending --------------------------------------------------------------------------------------------------------

function fromUser(t: Thread, signal: number, code = SI_USER): SigInfo {
  return sigInfo(signal, code, t.process.pid, t.credentials.ruid);
}

function kill(t: Thread): Result {
  const pid = t.int(0);
  const signal = t.int(1);
  if (signal !== 0 && !valid(signal)) return -E.EINVAL;
  const all = [...t.os.processes.values()].filter((p) => p.life !== Life.Gone);
  const group = pid === 0 ? t.process.pgid : -pid;
  const targets = pid > 0
    ? all.filter((p) => p.pid === pid || p.threads.some((each) => each.tid === pid))
    : pid === -1
    ? all.filter((p) => p.pid !== 1 && p !== t.process && p.root === t.process.root)
    : all.filter((p) => p.pgid === group);
  if (targets.length === 0) return -E.ESRCH;
  const allowed = targets.filter((p) => mayKill(t, p, signal));
  if (allowed.length === 0) return -E.EPERM;
  if (signal !== 0) { for (const p of allowed) t.os.signals.sendToProcess(p, fromUser(t, signal)); }
  return 0;
}

function threadTarget(t: Thread, tgid: number, tid: number): Thread | undefined {
  for (const p of tgid > 0 ? [t.os.processes.get(tgid)] : t.os.processes.values()) {
    const found = p?.threads.find((each) => each.tid === tid);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sendTo(t: Thread, tgid: number, tid: number, signal: number, info: SigInfo): Result {
  if (signal !== 0 && !valid(signal)) return -E.EINVAL;
  const target = threadTarget(t, tgid, tid);
  if (target === undefined) {
    const zombie = t.os.processes.get(tid);
    return zombie !== undefined && (tgid <= 0 || tgid === tid) ? 0 : -E.ESRCH;
  }
  if (!mayKill(t, target.process, signal)) return -E.EPERM;
  if (signal !== 0) t.os.signals.sendToThread(target, info);
  return 0;
}

function tkill(t: Thread): Result {
  return t.int(0) <= 0 ? -E.EINVAL : sendTo(t, 0, t.int(0), t.int(1), fromUser(t, t.int(1), SI_TKILL));
}

function tgkill(t: Thread): Result {
  if (t.int(0) <= 0 || t.int(1) <= 0) return -E.EINVAL;
  return sendTo(t, t.int(0), t.int(1), t.int(2), fromUser(t, t.int(2), SI_TKILL));
}

/** The siginfo that rt_sigqueueinfo passes; -errno for one that a program must not forge. */
export function queuedInfo(t: Thread, signal: number, address: number, toSelf: boolean): SigInfo | number {
  const { user } = t.process;
  const at = user.in(address, 128);
  if (at < 0) return -E.EFAULT;
  const code = user.data.getInt32(at + 8, true);
  if ((code >= 0 || code === SI_TKILL) && !toSelf) return -E.EPERM;
  const info = sigInfo(signal, code, user.data.getInt32(at + 16, true), user.data.getUint32(at + 20, true));
  info.valueLo = user.data.getUint32(at + 24, true);
  info.valueHi = user.data.getUint32(at + 28, true);
  return info;
}

function rtSigqueueinfo(t: Thread): Result {
  const pid = t.int(0);
  const signal = t.int(1);
  const info = queuedInfo(t, signal, t.arg(2), pid === t.process.pid);
  if (typeof info === "number") return info;
  if (signal !== 0 && !valid(signal)) return -E.EINVAL;
  const p = t.os.processes.get(pid);
  if (p === undefined) return -E.ESRCH;
  if (!mayKill(t, p, signal)) return -E.EPERM;
  if (queueFull(t, p, signal)) return -E.EAGAIN;
  if (signal !== 0) t.os.signals.sendToProcess(p, info);
  return 0;
}

function queueFull(t: Thread, p: Process, signal: number): boolean {
  return signal >= SIG.RTMIN && pendingExhausted(t, p);
}

/** RLIMIT_SIGPENDING: has the user of `p` as many signals queued as may be? Each timer has room for one. */
export function pendingExhausted(t: Thread, p: Process): boolean {
  const limit = p.limits.soft[RLIMIT_SIGPENDING];
  if (limit === Infinity) return false;
  let queued = 0;
  for (const other of t.os.processes.values()) {
    if (other.credentials.ruid !== p.credentials.ruid) continue;
    queued += other.pending.count + (other.posixTimers?.size ?? 0);
    for (const thread of other.threads) queued += thread.pending.count;
  }
  return queued >= limit;
}

function rtTgsigqueueinfo(t: Thread): Result {
  if (t.int(0) <= 0 || t.int(1) <= 0) return -E.EINVAL;
  const info = queuedInfo(t, t.int(2), t.arg(3), t.int(0) === t.process.pid);
  return typeof info === "number" ? info : sendTo(t, t.int(0), t.int(1), t.int(2), info);
}

// ---- taking ---------------------------------------------------------------------------------------------------------

function rtSigtimedwait(t: Thread): Result {
  if (t.arg(3) !== SIGSET_BYTES) return -E.EINVAL;
  const { user } = t.process;
  const at = user.in(t.arg(0), 8);
  if (at < 0) return -E.EFAULT;
  const wanted = new SigSet();
  wanted.set(user.data.getUint32(at, true), user.data.getUint32(at + 4, true));
  wanted.remove(SIG.KILL);
  wanted.remove(SIG.STOP);
  let deadline = 0;
  if (t.arg(2) !== 0) {
    const time = user.in(t.arg(2), 16);
    if (time < 0) return -E.EFAULT;
    const ns = timespecNs(user.data, time);
    if (ns < 0) return -E.EINVAL;
    deadline = ns === Infinity ? 0 : t.os.now() + ns;
  }
  const now = takeWanted(t, wanted, t.arg(1));
  if (now !== 0) return now;
  return deadline !== 0 && deadline <= t.os.now() ? -E.EAGAIN : waitForSignal(t, wanted, t.arg(1), deadline);
}

function takeWanted(t: Thread, wanted: SigSet, infoAt: number): number {
  const none = new SigSet();
  none.set(~wanted.lo, ~wanted.hi);
  const signal = t.pending.set.first(none) || t.process.pending.set.first(none);
  if (signal === 0) return 0;
  const info = t.os.signals.take(t, signal);
  if (infoAt !== 0) {
    const { user } = t.process;
    const at = user.out(infoAt, 128);
    if (at < 0) return -E.EFAULT;
    putSigInfo(user.data, user.u8, at, info);
    user.done();
  }
  return signal;
}

function* waitForSignal(t: Thread, wanted: SigSet, infoAt: number, deadline: number): Blocking {
  t.waitingFor = wanted;
  try {
    while (true) {
      const why = yield* t.sleep(deadline);
      const signal = takeWanted(t, wanted, infoAt);
      if (signal !== 0) return signal;
      if (why === Woken.TimedOut) return -E.EAGAIN;
      if (why === Woken.Interrupted) return -E.EINTR;
    }
  } finally {
    t.waitingFor = undefined;
  }
}

export const SIGNAL_CALLS: readonly SyscallRow[] = [
  sys(13, "rt_sigaction", ["signal", "sigact", "sigact", "size"], rtSigaction),
  sys(14, "rt_sigprocmask", ["how", "sigset", "outsigset", "size"], rtSigprocmask),
  sys(15, "rt_sigreturn", [], rtSigreturn),
  sys(34, "pause", [], untilSignal),
  sys(62, "kill", ["pid", "signal"], kill),
  sys(127, "rt_sigpending", ["outsigset", "size"], rtSigpending),
  sys(128, "rt_sigtimedwait", ["sigset", "ptr", "timespec", "size"], rtSigtimedwait),
  sys(129, "rt_sigqueueinfo", ["pid", "signal", "ptr"], rtSigqueueinfo),
  sys(130, "rt_sigsuspend", ["sigset", "size"], rtSigsuspend),
  sys(131, "sigaltstack", ["ptr", "ptr"], sigaltstack),
  sys(200, "tkill", ["pid", "signal"], tkill),
  sys(234, "tgkill", ["pid", "pid", "signal"], tgkill),
  sys(297, "rt_tgsigqueueinfo", ["pid", "pid", "signal", "ptr"], rtTgsigqueueinfo),
];
