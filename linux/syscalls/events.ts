import { E } from "../abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_NONBLOCK, S_IFDIR, S_IFMT } from "../abi/fcntl.ts";
import { timespecNs } from "../abi/structs.ts";
import { Epoll } from "../files/epoll.ts";
import { EventFd, SignalFd, TimerFd } from "../files/event_files.ts";
import { IN, Inotify, MAX_USER_INSTANCES } from "../files/inotify.ts";
import { MemFile } from "../files/mem_file.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { waitReady } from "./poll.ts";
import { sys, type SyscallRow } from "./row.ts";
import { statAt } from "./stat.ts";
import { putItimer, readItimer } from "./time.ts";
import { fileArg, pathArg, statBuffer } from "./util.ts";
import { temporaryMask } from "./signals.ts";

/** Gives a new file a descriptor. */
export function install(t: Thread, file: OpenFile, cloexec: boolean): number {
  const fd = t.process.files.add(file, cloexec, t.process.limits.openFiles);
  if (fd < 0) file.close(t);
  return fd;
}

// ---- epoll ----------------------------------------------------------------------------------------------------------

function epollCreate1(t: Thread): Result {
  const flags = t.int(0);
  return (flags & ~O_CLOEXEC) !== 0 ? -E.EINVAL : install(t, new Epoll(t.os.nextInode()), flags !== 0);
}

function epollCreate(t: Thread): Result {
  return t.int(0) <= 0 ? -E.EINVAL : install(t, new Epoll(t.os.nextInode()), false);
}

/** struct epoll_event is packed on x86-64: u32 events, u64 data. */
const EVENT_BYTES = 12;
const CTL_DEL = 2;

function epollCtl(t: Thread): Result {
  const epoll = fileArg(t, 0);
  const file = fileArg(t, 2);
  if (epoll === undefined || file === undefined) return -E.EBADF;
  if (!(epoll instanceof Epoll)) return -E.EINVAL;
  const operation = t.int(1);
  if (operation === CTL_DEL) return epoll.control(t, operation, t.int(2), file, 0, 0, 0);
  const { user } = t.process;
  const at = user.in(t.arg(3), EVENT_BYTES);
  if (at < 0) return -E.EFAULT;
  const { data } = user;
  const events = data.getUint32(at, true) | 0;
  return epoll.control(t, operation, t.int(2), file, events, data.getUint32(at + 4, true), data.getUint32(at + 8, true));
}

function epollWait(t: Thread, deadline: number, zero: boolean): Result {
  const epoll = fileArg(t, 0);
  const max = t.int(2);
  if (max <= 0 || max > 0x7fff_ffff / EVENT_BYTES) return -E.EINVAL;
  if (epoll === undefined) return -E.EBADF;
  if (!(epoll instanceof Epoll)) return -E.EINVAL;
  const address = t.arg(1);
  const { user } = t.process;
  const put = (i: number, events: number, lo: number, hi: number): boolean => {
    const at = user.out(address + i * EVENT_BYTES, EVENT_BYTES);
    if (at < 0) return false;
    user.data.setUint32(at, events, true);
    user.data.setUint32(at + 4, lo, true);
    user.data.setUint32(at + 8, hi, true);
    user.done();
    return true;
  };
  const now = epoll.collect(t, max, put);
  if (now !== 0 || zero) return now;
  // epoll_wait is never restarted (signal(7)).
  return waitReady(t, [epoll.queue], () => epoll.collect(t, max, put), deadline, -E.EINTR);
}

function epollWaitCall(t: Thread): Result {
  const timeout = t.int(3);
  return epollWait(t, timeout < 0 ? 0 : t.os.now() + timeout * 1e6, timeout === 0);
}

function mask(t: Thread): number {
  if (t.arg(4) === 0) return 0;
  if (t.arg(5) !== 8) return -E.EINVAL;
  return temporaryMask(t, t.arg(4)) ? 0 : -E.EFAULT;
}

function epollPwait(t: Thread): Result {
  return mask(t) || epollWaitCall(t);
}

function epollPwait2(t: Thread): Result {
  let deadline = 0, zero = false;
  if (t.arg(3) !== 0) {
    const at = t.process.user.in(t.arg(3), 16);
    if (at < 0) return -E.EFAULT;
    const ns = timespecNs(t.process.user.data, at);
    if (ns < 0) return -E.EINVAL;
    zero = ns === 0;
    deadline = ns === Infinity ? 0 : t.os.now() + ns;
  }
  return mask(t) || epollWait(t, deadline, zero);
}

// ---- eventfd, timerfd, signalfd, inotify, memfd ---------------------------------------------------------------------

const EFD_SEMAPHORE = 1;

function eventfd(t: Thread, flags: number): Result {
  if ((flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) !== 0) return -E.EINVAL;
  return install(t, new EventFd(t.os, t.uint(0), (flags & EFD_SEMAPHORE) !== 0, flags), (flags & O_CLOEXEC) !== 0);
}

function timerfdCreate(t: Thread): Result {
  const clock = t.int(0), flags = t.int(1);
  if (![0, 1, 7, 8, 9].includes(clock) || (flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -E.EINVAL;
  return install(t, new TimerFd(t.os, clock === 0 || clock === 8, flags), (flags & O_CLOEXEC) !== 0);
}

const TFD_TIMER_ABSTIME = 1, TFD_CANCEL_ON_SET = 2;

function timerfdSettime(t: Thread): Result {
  const file = fileArg(t, 0);
  const flags = t.int(1);
  const timer = file instanceof TimerFd ? file.timer : undefined;
  const absolute = (flags & TFD_TIMER_ABSTIME) === 0 ? undefined : timer?.real ? "real" : t.os.now();
  const wanted = readItimer(t, t.arg(2), 1, absolute);
  if (typeof wanted === "number") return wanted;
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_CANCEL_ON_SET)) !== 0) return -E.EINVAL;
  if (!(file instanceof TimerFd)) return file === undefined ? -E.EBADF : -E.EINVAL;
  if (t.arg(3) !== 0) {
    const status = putItimer(t, t.arg(3), file.timer, 1);
    if (status < 0) return status;
  }
  const [interval, value] = wanted;
  file.reset();
  file.timer.set(t.os, value, interval);
  return 0;
}

function timerfdGettime(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  return file instanceof TimerFd ? putItimer(t, t.arg(1), file.timer, 1) : -E.EINVAL;
}

function signalfd(t: Thread, flags: number): Result {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0 || t.arg(2) !== 8) return -E.EINVAL;
  const { user } = t.process;
  const at = user.in(t.arg(1), 8);
  if (at < 0) return -E.EFAULT;
  const lo = user.data.getUint32(at, true), hi = user.data.getUint32(at + 4, true);
  if (t.int(0) !== -1) {
    const old = fileArg(t, 0);
    if (old === undefined) return -E.EBADF;
    if (!(old instanceof SignalFd)) return -E.EINVAL;
    old.setMask(lo, hi);
    return t.int(0);
  }
  const file = new SignalFd(t.os, flags);
  file.setMask(lo, hi);
  return install(t, file, (flags & O_CLOEXEC) !== 0);
}

function inotifyInit(t: Thread, flags: number): Result {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -E.EINVAL;
  if (t.os.watches.instances >= MAX_USER_INSTANCES) return -E.EMFILE;
  return install(t, new Inotify(t.os, flags), (flags & O_CLOEXEC) !== 0);
}

function inotifyAddWatch(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  const mask = t.uint(2);
  if (!(file instanceof Inotify) || (mask & 0xfff) === 0) return -E.EINVAL;
  if ((mask & IN.MASK_ADD) !== 0 && (mask & IN.MASK_CREATE) !== 0) return -E.EINVAL;
  const status = statAt(t, AT_FDCWD, pathArg(t, 1), (mask & IN.DONT_FOLLOW) !== 0 ? AT_SYMLINK_NOFOLLOW : 0);
  if (status < 0) return status;
  const { dev, ino, mode } = statBuffer(t);
  if ((mask & IN.ONLYDIR) !== 0 && (mode & S_IFMT) !== S_IFDIR) return -E.ENOTDIR;
  return file.watch(`${dev}:${ino}`, mask);
}

function inotifyRmWatch(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  return file instanceof Inotify ? file.remove(t.int(1)) : -E.EINVAL;
}

const MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_NOEXEC_SEAL = 8, MFD_EXEC = 16;
/** Longest name: NAME_MAX less "memfd:". */
const MFD_NAME = 249;

function memfdCreate(t: Thread): Result {
  const flags = t.uint(1);
  if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)) !== 0) return -E.EINVAL;
  const name = t.process.user.string(t.arg(0), MFD_NAME + 1);
  if (name === undefined) return t.process.user.stringLength(t.arg(0), MFD_NAME + 1) === -2 ? -E.EINVAL : -E.EFAULT;
  return install(t, MemFile.create(t.os, name, (flags & MFD_ALLOW_SEALING) !== 0), (flags & MFD_CLOEXEC) !== 0);
}

const NO_EVENTS = "changes that are made on the host, outside, are not reported";

export const EVENT_CALLS: readonly SyscallRow[] = [
  sys(213, "epoll_create", ["int"], epollCreate),
  sys(232, "epoll_wait", ["fd", "ptr", "int", "int"], epollWaitCall),
  sys(233, "epoll_ctl", ["fd", "epollop", "fd", "epevent"], epollCtl),
  sys(253, "inotify_init", [], (t) => inotifyInit(t, 0), NO_EVENTS),
  sys(254, "inotify_add_watch", ["fd", "path", "hex"], inotifyAddWatch, NO_EVENTS),
  sys(255, "inotify_rm_watch", ["fd", "int"], inotifyRmWatch, NO_EVENTS),
  sys(281, "epoll_pwait", ["fd", "ptr", "int", "int", "sigset", "size"], epollPwait),
  sys(282, "signalfd", ["fd", "sigset", "size"], (t) => signalfd(t, 0)),
  sys(283, "timerfd_create", ["clock", "oflags"], timerfdCreate),
  sys(284, "eventfd", ["uint"], (t) => eventfd(t, 0)),
  sys(286, "timerfd_settime", ["fd", "hex", "ptr", "ptr"], timerfdSettime),
  sys(287, "timerfd_gettime", ["fd", "ptr"], timerfdGettime),
  sys(289, "signalfd4", ["fd", "sigset", "size", "oflags"], (t) => signalfd(t, t.int(3))),
  sys(290, "eventfd2", ["uint", "hex"], (t) => eventfd(t, t.int(1))),
  sys(291, "epoll_create1", ["oflags"], epollCreate1),
  sys(294, "inotify_init1", ["oflags"], (t) => inotifyInit(t, t.int(0)), NO_EVENTS),
  sys(319, "memfd_create", ["string", "hex"], memfdCreate),
  sys(441, "epoll_pwait2", ["fd", "ptr", "int", "timespec", "sigset", "size"], epollPwait2),
];
