import type { Blocking, Result } from "../../linux/process/wait.ts";
import { E } from "../abi/errno.ts";
import { SIG } from "../abi/signals.ts";
import { waitFor } from "../files.ts";
import { CLD_EXITED, CLD_KILLED } from "../lifecycle.ts";
import type { Process } from "../process.ts";
import type { Thread } from "../thread.ts";
import { path } from "./files.ts";
import { sys, type SyscallRow } from "./row.ts";

function fork(t: Thread): Result {
  const child = t.os.life.fork(t);
  return typeof child === "number" ? child : child.pid;
}

/** The parent waits until the child has an image of its own or is dead; its memory is a copy all the same. */
function vfork(t: Thread): Result {
  const child = t.os.life.fork(t);
  if (typeof child === "number" || child.hasOwnImage) return typeof child === "number" ? child : child.pid;
  return untilOwnImage(t, child);
}

function* untilOwnImage(t: Thread, child: Process): Blocking {
  while (!child.hasOwnImage && !t.ending && !t.process.dying) {
    child.ownImage.add(t);
    yield* t.sleep(0);
    child.ownImage.remove(t);
    if (t.interrupted()) break;
  }
  return child.pid;
}

/** rfork(2): what is fork(2) with other words. sys/sys/unistd.h: RFFDG 4, RFPROC 16, RFMEM 32. */
function rfork(t: Thread): Result {
  const RFFDG = 4, RFPROC = 16, RFMEM = 32, RFPPWAIT = 0x8000_0000, flags = t.uint(0);
  if ((flags & RFPROC) === 0 || (flags & RFFDG) === 0 && (flags & RFMEM) === 0) return -E.EINVAL;
  return (flags & (RFMEM | RFPPWAIT)) !== 0 ? vfork(t) : fork(t);
}

/** ARG_MAX. */
const ARG_MAX = 512 << 10;

/** A vector of strings that ends with a null pointer; -errno. */
function strings(t: Thread, at: number): string[] | number {
  const { user } = t.process, list: string[] = [];
  let room = ARG_MAX;
  for (let i = 0; at !== 0; i++) {
    const pointer = user.u64(at + 8 * i);
    if (Number.isNaN(pointer)) return -E.EFAULT;
    if (pointer === 0) break;
    const text = user.string(pointer, room);
    if (text === undefined) return user.stringLength(pointer, room) === -2 ? -E.E2BIG : -E.EFAULT;
    room -= text.length + 9;
    if (room <= 0) return -E.E2BIG;
    list.push(text);
  }
  return list;
}

function execve(t: Thread): Result {
  const name = path(t, 0);
  if (typeof name === "number") return name;
  const argv = strings(t, t.arg(1)), env = strings(t, t.arg(2));
  if (typeof argv === "number") return argv;
  return typeof env === "number" ? env : t.os.life.exec(t, name, argv, env);
}

// ---- waiting ------------------------------------------------------------------------------------------------------------

/** sys/sys/wait.h. */
const WNOHANG = 1, WNOWAIT = 8, WEXITED = 16;
const P_PID = 0, P_PGID = 2, P_ALL = 7;
/** struct rusage, struct __wrusage, siginfo_t. */
const RUSAGE_BYTES = 144, WRUSAGE_BYTES = 288, SIGINFO_BYTES = 80;

/** Calls `found` with a dead child that `matches`; 0 with WNOHANG when none is dead yet. */
function wait(t: Thread, matches: (child: Process) => boolean, options: number, found: (child: Process) => number): Result {
  const { process } = t;
  const attempt = (): number => {
    const candidates = process.children.filter(matches);
    if (candidates.length === 0) return -E.ECHILD;
    const child = candidates.find(({ zombie }) => zombie);
    if (child === undefined) return (options & WNOHANG) !== 0 ? 0 : -E.EAGAIN;
    const result = found(child);
    if (result >= 0 && (options & WNOWAIT) === 0) t.os.life.bury(child);
    return result;
  };
  const now = attempt();
  return now !== -E.EAGAIN ? now : waitFor(t, process.endQueue, attempt);
}

function put(t: Thread, at: number, bytes: Uint8Array): boolean {
  return at === 0 || t.process.user.putBytes(at, bytes);
}

function wait4(t: Thread): Result {
  const pid = t.int(0), statusAt = t.arg(1), rusageAt = t.arg(3), { group } = t.process;
  const matches = (child: Process) => pid > 0 ? child.pid === pid : pid === -1 || child.group === (pid === 0 ? group : -pid);
  return wait(t, matches, t.int(2), (child) => {
    if (statusAt !== 0 && !t.process.user.putU32(statusAt, child.exitStatus)) return -E.EFAULT;
    return put(t, rusageAt, new Uint8Array(RUSAGE_BYTES)) ? child.pid : -E.EFAULT;
  });
}

/** Returns the pid, the status in its argument. */
function wait6(t: Thread): Result {
  const type = t.int(0), id = t.arg(1), statusAt = t.arg(2), options = t.int(3), rusageAt = t.arg(4), infoAt = t.arg(5);
  if (type !== P_PID && type !== P_PGID && type !== P_ALL || (options & WEXITED) === 0) return -E.EINVAL;
  const matches = (child: Process) => type === P_ALL || (type === P_PID ? child.pid : child.group) === id;
  return wait(t, matches, options, (child) => {
    if (statusAt !== 0 && !t.process.user.putU32(statusAt, child.exitStatus)) return -E.EFAULT;
    const info = new Uint8Array(SIGINFO_BYTES), data = new DataView(info.buffer), killed = (child.exitStatus & 0x7f) !== 0;
    data.setInt32(0, SIG.CHLD, true);
    data.setInt32(8, killed ? CLD_KILLED : CLD_EXITED, true);
    data.setInt32(12, child.pid, true);
    data.setInt32(20, killed ? child.exitStatus & 0x7f : child.exitStatus >> 8, true);
    return put(t, rusageAt, new Uint8Array(WRUSAGE_BYTES)) && put(t, infoAt, info) ? child.pid : -E.EFAULT;
  });
}

// ---- groups and sessions ------------------------------------------------------------------------------------------------

function someProcess(t: Thread, pid: number): Process | undefined {
  return pid === 0 ? t.process : t.os.processes.get(pid);
}

function setpgid(t: Thread): Result {
  const target = someProcess(t, t.int(0)), group = t.int(1);
  if (target === undefined || target !== t.process && target.parent !== t.process) return -E.ESRCH;
  if (group < 0) return -E.EINVAL;
  if (target.session !== t.process.session || target.session === target.pid) return -E.EPERM;
  target.group = group === 0 ? target.pid : group;
  return 0;
}

function setsid(t: Thread): Result {
  const { process } = t;
  if (process.group === process.pid) return -E.EPERM;
  return process.session = process.group = process.pid;
}

export const CHILD_CALLS: readonly SyscallRow[] = [
  sys(2, "fork", 0, fork),
  sys(7, "wait4", 4, wait4, "resource usage is zero"),
  sys(39, "getppid", 0, (t) => t.process.parent?.pid ?? 1),
  sys(59, "execve", 3, execve, "static programs and scripts"),
  sys(66, "vfork", 0, vfork, "memory is copied"),
  sys(81, "getpgrp", 0, (t) => t.process.group),
  sys(82, "setpgid", 2, setpgid),
  sys(147, "setsid", 0, setsid),
  sys(207, "getpgid", 1, (t) => someProcess(t, t.int(0))?.group ?? -E.ESRCH),
  sys(251, "rfork", 1, rfork, "RFMEM as vfork"),
  sys(310, "getsid", 1, (t) => someProcess(t, t.int(0))?.session ?? -E.ESRCH),
  sys(532, "wait6", 6, wait6, "resource usage is zero"),
];
