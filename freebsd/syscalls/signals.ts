import type { Result } from "../../linux/process/wait.ts";
import { putU64 } from "../../linux/memory/user.ts";
import { getU64 } from "../../linux/memory/user.ts";
import { sigInfo } from "../../linux/signals/state.ts";
import { E } from "../abi/errno.ts";
import * as N from "../abi/signals.ts";
import { SIG, SIG_LAST } from "../abi/signals.ts";
import { altStackFlags, leaveHandler } from "../frame.ts";
import { R11, type Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

/** struct sigaction: handler, flags at 8, mask at 12 (sys/sys/signal.h). */
const ACTION_BYTES = 32;

function sigaction(t: Thread): Result {
  const signal = t.int(0), from = t.arg(1), to = t.arg(2), { user } = t.process, { data, u8 } = t.os;
  if (signal < 1 || signal > SIG_LAST) return -E.EINVAL;
  const action = t.process.actions.table[signal];
  if (from !== 0 && (signal === SIG.KILL || signal === SIG.STOP)) return -E.EINVAL;
  const old = { handler: action.handler, flags: action.flags, lo: action.mask.lo, hi: action.mask.hi };
  if (from !== 0) {
    const at = user.in(from, ACTION_BYTES);
    if (at < 0) return -E.EFAULT;
    action.handler = getU64(data, at);
    action.flags = data.getInt32(at + 8, true);
    action.mask.set(data.getUint32(at + 12, true), data.getUint32(at + 16, true));
  }
  if (to === 0) return 0;
  const at = user.out(to, ACTION_BYTES);
  if (at < 0) return -E.EFAULT;
  u8.fill(0, at, at + ACTION_BYTES);
  putU64(data, at, old.handler);
  data.setInt32(at + 8, old.flags, true);
  data.setUint32(at + 12, old.lo, true);
  data.setUint32(at + 16, old.hi, true);
  return user.done();
}

const MASK_BYTES = 16;

function sigprocmask(t: Thread): Result {
  const how = t.int(0), from = t.arg(1), to = t.arg(2), { user } = t.process, { data } = t.os;
  const { lo, hi } = t.mask;
  if (from !== 0) {
    const at = user.in(from, MASK_BYTES);
    if (at < 0) return -E.EFAULT;
    const newLo = data.getUint32(at, true), newHi = data.getUint32(at + 4, true);
    if (how === N.SIG_BLOCK) t.mask.set(lo | newLo, hi | newHi);
    else if (how === N.SIG_UNBLOCK) t.mask.set(lo & ~newLo, hi & ~newHi);
    else if (how === N.SIG_SETMASK) t.mask.set(newLo, newHi);
    else return -E.EINVAL;
    t.mask.remove(SIG.KILL);
    t.mask.remove(SIG.STOP);
    if (t.os.signals.next(t) !== 0) t.attention = true;
  }
  if (to === 0) return 0;
  const at = user.out(to, MASK_BYTES);
  if (at < 0) return -E.EFAULT;
  data.setUint32(at, lo, true);
  data.setUint32(at + 4, hi, true);
  data.setUint32(at + 8, 0, true);
  data.setUint32(at + 12, 0, true);
  return user.done();
}

const STACK_BYTES = 24;

function sigaltstack(t: Thread): Result {
  const from = t.arg(0), to = t.arg(1), { user } = t.process, { data } = t.os;
  const sp = t.state.num(R11), old = [t.altStack, t.altStackSize, altStackFlags(t, sp)];
  if (from !== 0) {
    if ((old[2] & N.SS_ONSTACK) !== 0) return -E.EPERM;
    const at = user.in(from, STACK_BYTES);
    if (at < 0) return -E.EFAULT;
    const flags = data.getInt32(at + 16, true);
    if ((flags & ~N.SS_DISABLE) !== 0) return -E.EINVAL;
    if (flags === 0 && getU64(data, at + 8) < N.MINSIGSTKSZ) return -E.ENOMEM;
    t.altStack = flags === 0 ? getU64(data, at) : 0;
    t.altStackSize = flags === 0 ? getU64(data, at + 8) : 0;
  }
  if (to === 0) return 0;
  const at = user.out(to, STACK_BYTES);
  if (at < 0) return -E.EFAULT;
  putU64(data, at, old[0]);
  putU64(data, at + 8, old[1]);
  putU64(data, at + 16, old[2]);
  return user.done();
}

function sigreturn(t: Thread): Result {
  if (!leaveHandler(t, t.arg(0))) return -E.EFAULT;
  t.ownReply = true;
  t.attention = true;
  return 0;
}

const valid = (signal: number): boolean => signal >= 0 && signal <= SIG_LAST;

function thrKill(t: Thread): Result {
  const id = t.long(0), signal = t.int(1);
  if (!valid(signal)) return -E.EINVAL;
  const targets = t.process.threads.filter((other) => id === -1 ? other !== t : other.tid === id);
  if (targets.length === 0) return -E.ESRCH;
  if (signal !== 0) { for (const target of targets) t.os.signals.sendToThread(target, sigInfo(signal, N.SI_LWP, t.process.pid)); }
  return 0;
}

/** A process, or with 0 and below a group; -1 = everybody else. */
function kill(t: Thread): Result {
  const pid = t.int(0), signal = t.int(1), { process } = t;
  if (!valid(signal)) return -E.EINVAL;
  const group = pid === 0 ? process.group : -pid, all = [...t.os.processes.values()];
  const targets = all.filter((p) => pid > 0 ? p.pid === pid : pid === -1 ? p !== process : p.group === group);
  if (targets.length === 0) return -E.ESRCH;
  const info = sigInfo(signal, N.SI_USER, process.pid);
  if (signal !== 0) { for (const target of targets) if (!target.zombie) t.os.signals.sendToProcess(target, info); }
  return 0;
}

export const SIGNAL_CALLS: readonly SyscallRow[] = [
  sys(37, "kill", 2, kill),
  sys(53, "sigaltstack", 2, sigaltstack),
  sys(340, "sigprocmask", 3, sigprocmask, "signals 1 to 64"),
  sys(416, "sigaction", 3, sigaction, "signals 1 to 64"),
  sys(417, "sigreturn", 1, sigreturn),
  sys(433, "thr_kill", 2, thrKill),
];
