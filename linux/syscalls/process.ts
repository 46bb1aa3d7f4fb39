import { E } from "../abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_NOFOLLOW } from "../abi/fcntl.ts";
import { getU64, putU64 } from "../memory/user.ts";
import { PidFd } from "../files/pidfd.ts";
import { planExec } from "../loader/exec.ts";
import type { CloneOptions } from "../process/lifecycle.ts";
import { reap } from "../process/parents.ts";
import { CAP, capable } from "../process/credentials.ts";
import { Life, type Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, Woken } from "../process/wait.ts";
import { CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SI_KERNEL, SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { install } from "./events.ts";
import { sys, type SyscallRow } from "./row.ts";
import { putRusage } from "./system.ts";
import { dirHandle, pathArg } from "./util.ts";

// ---- clone ----------------------------------------------------------------------------------------------------------

/** CLONE_* of include/uapi/linux/sched.h. */
// deno-fmt-ignore
const C = {
  VM: 0x100, FS: 0x200, FILES: 0x400, SIGHAND: 0x800, PIDFD: 0x1000, PTRACE: 0x2000, VFORK: 0x4000, PARENT: 0x8000, THREAD: 0x1_0000,
  NEWNS: 0x2_0000, SYSVSEM: 0x4_0000, SETTLS: 0x8_0000, PARENT_SETTID: 0x10_0000, CHILD_CLEARTID: 0x20_0000, DETACHED: 0x40_0000,
  UNTRACED: 0x80_0000, CHILD_SETTID: 0x100_0000, NEWCGROUP: 0x200_0000, NEWUTS: 0x400_0000, NEWIPC: 0x800_0000, NEWUSER: 0x1000_0000,
  NEWPID: 0x2000_0000, NEWNET: 0x4000_0000, IO: 0x8000_0000,
} as const;
const NAMESPACES = C.NEWNS | C.NEWCGROUP | C.NEWUTS | C.NEWIPC | C.NEWUSER | C.NEWPID | C.NEWNET;
/** clone3 only, in the upper half. */
const CLEAR_SIGHAND = 1, INTO_CGROUP = 2;

interface CloneRequest {
  flags: number;
  highFlags: number;
  exitSignal: number;
  stack: number;
  parentTid: number;
  childTid: number;
  tls: number;
  /** Where the descriptor for the child goes. */
  pidfd: number;
}

function clone(t: Thread, request: CloneRequest): Result {
  const { flags } = request;
  const has = (bit: number): boolean => (flags & bit) !== 0;
  if (has(C.SIGHAND) && !has(C.VM) || has(C.THREAD) && !has(C.SIGHAND)) return -E.EINVAL;
  if (has(C.SIGHAND) && (request.highFlags & CLEAR_SIGHAND) !== 0) return -E.EINVAL;
  if (has(NAMESPACES)) return capable(t.credentials, CAP.SYS_ADMIN) ? -E.EINVAL : -E.EPERM;
  if ((request.highFlags & INTO_CGROUP) !== 0 || has(C.PIDFD) && has(C.THREAD)) return -E.EINVAL;
  if (request.exitSignal > 64) return -E.EINVAL;
  if (has(C.FS) && has(C.NEWNS)) return -E.EINVAL;
  const options: CloneOptions = {
    shareMemory: has(C.VM),
    shareFiles: has(C.FILES),
    shareFs: has(C.FS),
    shareActions: has(C.SIGHAND),
    thread: has(C.THREAD),
    vfork: has(C.VFORK),
    sibling: has(C.PARENT),
    clearHandlers: (request.highFlags & CLEAR_SIGHAND) !== 0,
    exitSignal: request.exitSignal,
    stack: request.stack,
    tls: has(C.SETTLS) ? request.tls : undefined,
    parentTid: has(C.PARENT_SETTID) ? request.parentTid : 0,
    childTid: has(C.CHILD_SETTID) ? request.childTid : 0,
    clearChildTid: has(C.CHILD_CLEARTID) ? request.childTid : 0,
  };
  const child = t.os.life.clone(t, options);
  if (typeof child === "number") return child;
  if (has(C.PIDFD)) {
    const fd = install(t, new PidFd(child.process, t.os.nextInode(), 0), true);
    if (fd >= 0) t.process.user.putU32(request.pidfd, fd);
  }
  return has(C.VFORK) ? waitForVfork(t, child) : child.tid;
}

/** The parent of vfork runs again when the child has its own memory, or none. */
function* waitForVfork(t: Thread, child: Thread): Blocking {
  const { tid } = child;
  let done = false;
  child.process.vforkDone = () => {
    done = true;
    t.wake();
  };
  // Signals wait; only the end of the process does not.
  while (!done && !t.process.dying && !t.ending) yield* t.sleepUninterrupted();
  return tid;
}

const NO_REQUEST = { highFlags: 0, parentTid: 0, childTid: 0, tls: 0, pidfd: 0 };
const fork = (t: Thread): Result => clone(t, { ...NO_REQUEST, flags: 0, exitSignal: SIG.CHLD, stack: 0 });
const vfork = (t: Thread): Result => clone(t, { ...NO_REQUEST, flags: C.VM | C.VFORK, exitSignal: SIG.CHLD, stack: 0 });

function cloneCall(t: Thread): Result {
  const flags = t.uint(0);
  return clone(t, {
    flags: flags & ~0xff,
    highFlags: 0,
    exitSignal: flags & 0xff,
    stack: t.arg(1),
    parentTid: t.arg(2),
    childTid: t.arg(3),
    tls: t.arg(4),
    // clone() gives both results at the same place.
    pidfd: t.arg(2),
  });
}

/** struct clone_args: 64 bytes in version 0, 80 and 88 later. */
const CLONE_ARGS_MIN = 64;

function clone3(t: Thread): Result {
  const size = t.arg(1);
  if (size > 4096) return -E.E2BIG;
  if (size < CLONE_ARGS_MIN) return -E.EINVAL;
  const bytes = t.process.user.bytes(t.arg(0), size);
  if (bytes === undefined) return -E.EFAULT;
  if (bytes.subarray(88).some((b) => b !== 0)) return -E.E2BIG;
  const data = new DataView(bytes.buffer);
  const word = (i: number): number => i * 8 < size ? getU64(data, i * 8) : 0;
  const flags = data.getUint32(0, true);
  if ((flags & 0xff) !== 0 || (flags & C.DETACHED) !== 0 || word(4) > 64) return -E.EINVAL;
  // set_tid needs a pid namespace of one's own.
  if (word(8) !== 0 || word(9) !== 0) return -E.EINVAL;
  const stack = word(5), stackSize = word(6);
  if ((stack === 0) !== (stackSize === 0)) return -E.EINVAL;
  return clone(t, {
    flags,
    highFlags: data.getUint32(4, true),
    exitSignal: word(4),
    stack: stack + stackSize,
    parentTid: word(3),
    childTid: word(2),
    tls: word(7),
    pidfd: word(1),
  });
}

// ---- execve ---------------------------------------------------------------------------------------------------------

const MAX_ARGUMENTS = 0x10_0000, MAX_STRING = 131072;

/** A NULL-terminated array of strings; null counts as empty. */
function strings(t: Thread, address: number): string[] | number {
  const list: string[] = [];
  if (address === 0) return list;
  const { user } = t.process;
  let total = 0;
  while (true) {
    const at = user.u64(address + 8 * list.length);
    if (Number.isNaN(at)) return -E.EFAULT;
    if (at === 0) return list;
    const text = user.string(at, MAX_STRING);
    if (text === undefined) return user.stringLength(at, MAX_STRING) === -2 ? -E.E2BIG : -E.EFAULT;
    total += text.length + 9;
    if (total > 6 << 20 || list.length > MAX_ARGUMENTS) return -E.E2BIG;
    list.push(text);
  }
}

function exec(t: Thread, fd: number, path: string | number, argvAt: number, envAt: number, flags: number): Result {
  if (typeof path === "number") return path;
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -E.EINVAL;
  let dir: number;
  let name = path;
  if (path === "") {
    if ((flags & AT_EMPTY_PATH) === 0) return -E.ENOENT;
    const file = t.process.files.get(fd);
    if (file?.handle === undefined) return file === undefined ? -E.EBADF : -E.EACCES;
    dir = t.process.fsContext.cwd;
    name = file.path;
  } else {
    dir = dirHandle(t, fd, path);
    if (dir < 0) return dir;
  }
  const argv = strings(t, argvAt);
  if (typeof argv === "number") return argv;
  const env = strings(t, envAt);
  if (typeof env === "number") return env;
  // An empty argv becomes one empty string (fs/exec.c).
  if (argv.length === 0) argv.push("");
  t.os.actAs(t.credentials, t.process.fsContext.root);
  const plan = planExec(t.os, dir, t.os.execPath(t, name), argv, env, (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? O_NOFOLLOW : 0);
  if (plan === -E.EINVAL) {
    // Past the point of no return the kernel forces SIGSEGV (fs/exec.c).
    t.os.life.killProcess(t.process, sigInfo(SIG.SEGV, SI_KERNEL), t);
    return 0;
  }
  return typeof plan === "number" ? plan : t.os.life.exec(t, plan);
}

// ---- waiting --------------------------------------------------------------------------------------------------------

const WNOHANG = 1, WUNTRACED = 2, WEXITED = 4, WCONTINUED = 8, WNOWAIT = 0x0100_0000;
const WAIT_FLAGS = WNOHANG | WUNTRACED | WCONTINUED | 0xe000_0000;

interface Report {
  child: Process;
  /** As wait4 gives it. */
  status: number;
  code: number;
}

/** The next thing to tell about a child that `select` accepts; -ECHILD without such children. */
function report(p: Process, select: (child: Process) => boolean, options: number, keep: boolean): Report | number {
  const children = p.children.filter(select);
  if (children.length === 0) return -E.ECHILD;
  for (const child of children) {
    if (child.life === Life.Zombie && (options & WEXITED) !== 0) {
      const status = child.exitStatus;
      const code = (status & 0x7f) === 0 ? CLD_EXITED : (status & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED;
      return { child, status, code };
    }
    if (child.life === Life.Stopped && child.stopSignal !== 0 && (options & WUNTRACED) !== 0) {
      const status = child.stopSignal << 8 | 0x7f;
      if (!keep) child.stopSignal = 0;
      return { child, status, code: CLD_STOPPED };
    }
    if (child.continued && (options & WCONTINUED) !== 0) {
      if (!keep) child.continued = false;
      return { child, status: 0xffff, code: CLD_CONTINUED };
    }
  }
  return 0;
}

function* waitFor(
  t: Thread,
  select: (child: Process) => boolean,
  options: number,
  finish: (report: Report) => number,
  nothing: () => number,
): Blocking {
  const p = t.process;
  p.childQueue.add(t);
  try {
    while (true) {
      const found = report(p, select, options, (options & WNOWAIT) !== 0);
      if (typeof found !== "number") return finish(found);
      if (found < 0) return found;
      if ((options & WNOHANG) !== 0) return nothing();
      if ((yield* t.sleep(0)) === Woken.Interrupted) {
        const last = report(p, select, options, (options & WNOWAIT) !== 0);
        return typeof last === "number" ? -E.ERESTARTSYS : finish(last);
      }
    }
  } finally {
    p.childQueue.remove(t);
  }
}

function wait4(t: Thread): Result {
  const pid = t.int(0);
  const options = t.uint(2);
  if ((options & ~WAIT_FLAGS) !== 0) return -E.EINVAL;
  if (pid === -0x8000_0000) return -E.ESRCH;
  const statusAt = t.arg(1), usageAt = t.arg(3);
  const finish = ({ child, status }: Report): number => {
    const { user } = t.process;
    const ended = child.life === Life.Zombie;
    if (ended) reap(t.os, child);
    if (statusAt !== 0 && !user.putU32(statusAt, status)) return -E.EFAULT;
    if (usageAt !== 0 && putRusage(t, usageAt, t.os.cpuTime(child) + child.childrenTime, 0) < 0) return -E.EFAULT;
    return child.pid;
  };
  return waitFor(t, selector(t, pid), options | WEXITED, finish, () => 0);
}

function selector(t: Thread, pid: number): (child: Process) => boolean {
  if (pid > 0) return (child) => child.pid === pid;
  if (pid === -1) return () => true;
  const group = pid === 0 ? t.process.pgid : -pid;
  return (child) => child.pgid === group;
}

const P_ALL = 0, P_PID = 1, P_PGID = 2, P_PIDFD = 3;
const WAITID_FLAGS = WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT | 0xe000_0000;

function waitid(t: Thread): Result {
  const kind = t.int(0), id = t.int(1), infoAt = t.arg(2), options = t.uint(3), usageAt = t.arg(4);
  if ((options & ~WAITID_FLAGS) !== 0 || (options & (WEXITED | WUNTRACED | WCONTINUED)) === 0) return -E.EINVAL;
  let select: (child: Process) => boolean;
  if (kind === P_ALL) select = () => true;
  else if (kind === P_PID) select = id > 0 ? (child) => child.pid === id : () => false;
  else if (kind === P_PGID) select = selector(t, id === 0 ? 0 : -id);
  else if (kind === P_PIDFD) {
    const file = t.process.files.get(id);
    if (!(file instanceof PidFd)) return -E.EBADF;
    select = (child) => child === file.process;
  } else return -E.EINVAL;
  if (kind === P_PID && id <= 0 || kind === P_PGID && id < 0) return -E.EINVAL;
  const { user } = t.process;
  const finish = ({ child, status, code }: Report): number => {
    if (child.life === Life.Zombie && (options & WNOWAIT) === 0) reap(t.os, child);
    if (infoAt !== 0) {
      const at = user.out(infoAt, 128);
      if (at < 0) return -E.EFAULT;
      user.u8.fill(0, at, at + 128);
      user.data.setInt32(at, SIG.CHLD, true);
      user.data.setInt32(at + 8, code, true);
      user.data.setInt32(at + 16, child.pid, true);
      user.data.setUint32(at + 20, child.credentials.ruid, true);
      const value = code === CLD_EXITED
        ? status >> 8
        : code === CLD_STOPPED
        ? status >> 8
        : code === CLD_CONTINUED
        ? SIG.CONT
        : status & 0x7f;
      user.data.setInt32(at + 24, value, true);
      user.done();
    }
    return usageAt !== 0 && putRusage(t, usageAt, child.cpuTime, 0) < 0 ? -E.EFAULT : 0;
  };
  const nothing = (): number => {
    if (infoAt === 0) return 0;
    const at = user.out(infoAt, 24);
    if (at < 0) return -E.EFAULT;
    putU64(user.data, at, 0);
    putU64(user.data, at + 8, 0);
    putU64(user.data, at + 16, 0);
    return user.done();
  };
  return waitFor(t, select, options, finish, nothing);
}

function exit(t: Thread): Result {
  t.os.life.exitThread(t, t.int(0));
  return 0;
}

function exitGroup(t: Thread): Result {
  t.os.life.exitGroup(t.process, (t.int(0) & 0xff) << 8, t);
  return 0;
}

function setTidAddress(t: Thread): Result {
  t.clearChildTid = t.arg(0);
  return t.tid;
}

export const PROCESS_CALLS: readonly SyscallRow[] = [
  sys(56, "clone", ["cloneflags", "ptr", "ptr", "ptr", "ptr"], cloneCall, "no namespaces"),
  sys(57, "fork", [], fork),
  sys(58, "vfork", [], vfork),
  sys(
    59,
    "execve",
    ["path", "argv", "ptr"],
    (t) => exec(t, AT_FDCWD, pathArg(t, 0), t.arg(1), t.arg(2), 0),
  ),
  sys(60, "exit", ["int"], exit),
  sys(61, "wait4", ["pid", "wstatus", "waitflags", "rusage"], wait4),
  sys(218, "set_tid_address", ["ptr"], setTidAddress),
  sys(231, "exit_group", ["int"], exitGroup),
  sys(247, "waitid", ["int", "pid", "ptr", "waitflags", "rusage"], waitid),
  sys(
    322,
    "execveat",
    ["dirfd", "path", "argv", "ptr", "atflags"],
    (t) => exec(t, t.int(0), pathArg(t, 1), t.arg(2), t.arg(3), t.int(4)),
  ),
  sys(435, "clone3", ["ptr", "size"], clone3, "no namespaces, no cgroup"),
];
