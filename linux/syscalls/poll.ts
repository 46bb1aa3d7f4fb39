import { E } from "../abi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI } from "../abi/fcntl.ts";
import { timespecNs } from "../abi/structs.ts";
import { makePipe } from "../files/pipe.ts";
import type { OpenFile } from "../files/open_file.ts";
import { getI64, getU64, putU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, type WaitQueue, Woken } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";
import { temporaryMask } from "./signals.ts";

const queuesOf = (t: Thread, files: readonly OpenFile[]): WaitQueue[] => files.map((file) => file.pollQueue(t));

/**
 * Waits in `queues` until `look` finds something (a result other than 0), the deadline passes (0 is returned) or a signal comes
 * (`interrupted` is returned).
 */
export function* waitReady(
  t: Thread,
  queues: readonly WaitQueue[],
  look: () => number,
  deadline: number,
  interrupted: number,
): Blocking {
  for (const queue of queues) queue.add(t);
  try {
    while (true) {
      const why = yield* t.sleep(deadline);
      const found = look();
      if (found !== 0) return found;
      if (why === Woken.TimedOut) return 0;
      if (why === Woken.Interrupted) return interrupted;
    }
  } finally {
    for (const queue of queues) queue.remove(t);
  }
}

/** struct pollfd: fd, events, revents. */
const POLLFD_BYTES = 8;

function poll(t: Thread, deadline: number, zero: boolean): Result {
  const address = t.arg(0);
  const count = t.uint(1);
  const { user, files, limits } = t.process;
  if (count > limits.openFiles) return -E.EINVAL;
  const look = (): number => {
    let ready = 0;
    for (let i = 0; i < count; i++) {
      const at = user.in(address + i * POLLFD_BYTES, POLLFD_BYTES);
      if (at < 0) return -E.EFAULT;
      const fd = user.data.getInt32(at, true);
      const wanted = user.data.getUint16(at + 4, true);
      let events = 0;
      if (fd >= 0) {
        const file = files.get(fd);
        events = file === undefined ? POLLNVAL : file.pollAll(t) & (wanted | POLLERR | POLLHUP);
      }
      const to = user.out(address + i * POLLFD_BYTES + 6, 2);
      if (to < 0) return -E.EFAULT;
      user.data.setUint16(to, events, true);
      user.done();
      if (events !== 0) ready++;
    }
    return ready;
  };
  const now = look();
  if (now !== 0 || zero) return now;
  const waiting: OpenFile[] = [];
  for (let i = 0; i < count; i++) {
    const at = user.in(address + i * POLLFD_BYTES, POLLFD_BYTES);
    const file = at < 0 ? undefined : files.get(user.data.getInt32(at, true));
    if (file !== undefined && !waiting.includes(file)) waiting.push(file);
  }
  return waitReady(t, queuesOf(t, waiting), look, deadline, -E.ERESTARTNOHAND);
}

function pollCall(t: Thread): Result {
  const timeout = t.int(2);
  return poll(t, timeout < 0 ? 0 : t.os.now() + timeout * 1e6, timeout === 0);
}

/** A timeout as struct timespec at `address`: deadline (0 = none) and whether it is zero. -errno. */
function timeoutAt(t: Thread, address: number, micro = false): { deadline: number; zero: boolean } | number {
  if (address === 0) return { deadline: 0, zero: false };
  const { user } = t.process;
  const at = user.in(address, 16);
  if (at < 0) return -E.EFAULT;
  const ns = micro ? getI64(user.data, at) * 1e9 + getI64(user.data, at + 8) * 1e3 : timespecNs(user.data, at);
  if (ns < 0) return -E.EINVAL;
  return { deadline: ns === Infinity ? 0 : t.os.now() + Math.min(ns, 2 ** 52), zero: ns === 0 };
}

/** Writes back what is left of a timeout, as Linux does for select, pselect and ppoll. */
function* leftover(t: Thread, waiting: Blocking, deadline: number, address: number, micro: boolean): Blocking {
  const result = yield* waiting;
  if (deadline !== 0) {
    const left = Math.max(0, deadline - t.os.now());
    const { user } = t.process;
    const at = user.out(address, 16);
    if (at >= 0) {
      putU64(user.data, at, Math.floor(left / 1e9));
      putU64(user.data, at + 8, Math.floor(left % 1e9 / (micro ? 1e3 : 1)));
      user.done();
    }
  }
  return result;
}

function ppoll(t: Thread): Result {
  const time = timeoutAt(t, t.arg(2));
  if (typeof time === "number") return time;
  if (t.arg(3) !== 0) {
    if (t.arg(4) !== 8) return -E.EINVAL;
    if (!temporaryMask(t, t.arg(3))) return -E.EFAULT;
  }
  const timeAt = t.arg(2);
  const result = poll(t, time.deadline, time.zero);
  return typeof result === "number" ? result : leftover(t, result, time.deadline, timeAt, false);
}

// ---- select ---------------------------------------------------------------------------------------------------------

/** Events that make a descriptor appear in the three sets: fs/select.c. */
const SETS = [POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI] as const;

function select(t: Thread, deadline: number, zero: boolean): Result {
  const count = t.int(0);
  if (count < 0) return -E.EINVAL;
  const { user, files } = t.process;
  const n = Math.min(count, 1024);
  const bytes = Math.ceil(n / 64) * 8;
  const addresses = [t.arg(1), t.arg(2), t.arg(3)];
  const wanted: (Uint8Array | undefined)[] = [];
  for (const address of addresses) {
    const set = address === 0 ? undefined : user.bytes(address, bytes);
    if (address !== 0 && set === undefined) return -E.EFAULT;
    wanted.push(set);
  }
  const chosen: { fd: number; file: OpenFile }[] = [];
  for (let fd = 0; fd < n; fd++) {
    if (!wanted.some((set) => set !== undefined && (set[fd >> 3] >> (fd & 7) & 1) !== 0)) continue;
    const file = files.get(fd);
    if (file === undefined) return -E.EBADF;
    chosen.push({ fd, file });
  }
  const store = (final: boolean): number => {
    const out = wanted.map((set) => set === undefined ? undefined : new Uint8Array(bytes));
    let found = 0;
    for (const { fd, file } of chosen) {
      const events = file.poll(t);
      SETS.forEach((mask, i) => {
        const set = wanted[i];
        const result = out[i];
        if (set === undefined || result === undefined || (set[fd >> 3] >> (fd & 7) & 1) === 0 || (events & mask) === 0) return;
        result[fd >> 3] |= 1 << (fd & 7);
        found++;
      });
    }
    if (found === 0 && !final) return 0;
    for (const [i, result] of out.entries()) {
      if (result !== undefined && !user.putBytes(addresses[i], result)) return -E.EFAULT;
    }
    return found;
  };
  const now = store(zero);
  if (now !== 0 || zero) return now;
  return selecting(t, chosen.map(({ file }) => file), store, deadline);
}

function* selecting(t: Thread, files: OpenFile[], store: (final: boolean) => number, deadline: number): Blocking {
  const result = yield* waitReady(t, queuesOf(t, files), () => store(false), deadline, -E.ERESTARTNOHAND);
  return result === 0 ? store(true) : result;
}

function selectCall(t: Thread): Result {
  const timeAt = t.arg(4);
  const time = timeoutAt(t, timeAt, true);
  if (typeof time === "number") return time;
  const result = select(t, time.deadline, time.zero);
  return typeof result === "number" ? result : leftover(t, result, time.deadline, timeAt, true);
}

function pselect6(t: Thread): Result {
  const timeAt = t.arg(4);
  const time = timeoutAt(t, timeAt);
  if (typeof time === "number") return time;
  const { user } = t.process;
  if (t.arg(5) !== 0) {
    const at = user.in(t.arg(5), 16);
    if (at < 0) return -E.EFAULT;
    const mask = getU64(user.data, at);
    const size = getU64(user.data, at + 8);
    if (mask !== 0) {
      if (size !== 8) return -E.EINVAL;
      if (!temporaryMask(t, mask)) return -E.EFAULT;
    }
  }
  const result = select(t, time.deadline, time.zero);
  return typeof result === "number" ? result : leftover(t, result, time.deadline, timeAt, false);
}

export const POLL_CALLS: readonly SyscallRow[] = [
  sys(7, "poll", ["pollfds", "uint", "int"], pollCall),
  sys(22, "pipe", ["pipefds"], (t) => makePipe(t, t.arg(0), 0)),
  sys(23, "select", ["int", "ptr", "ptr", "ptr", "timeval"], selectCall),
  sys(270, "pselect6", ["int", "ptr", "ptr", "ptr", "timespec", "ptr"], pselect6),
  sys(271, "ppoll", ["pollfds", "uint", "timespec", "sigset", "size"], ppoll),
  sys(293, "pipe2", ["pipefds", "oflags"], (t) => makePipe(t, t.arg(0), t.int(1))),
];
