import { type Blocking, type Result, Woken } from "../../linux/process/wait.ts";
import { getI64, getU64 } from "../../linux/memory/user.ts";
import { MTD } from "../../hedron/api.ts";
import { E } from "../abi/errno.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

function exit(t: Thread): Result {
  t.os.life.exit(t.process, (t.int(0) & 0xff) << 8, t);
  return 0;
}

/** struct thr_param: sys/sys/thr.h. */
const PARAM = {
  start: 0,
  argument: 8,
  stackBase: 16,
  stackSize: 24,
  tls: 32,
  childTid: 48,
  parentTid: 56,
  BYTES: 104,
  LEAST: 64,
};

function thrNew(t: Thread): Result {
  const { user } = t.process, size = t.arg(1);
  if (size < PARAM.LEAST || size > PARAM.BYTES) return -E.EINVAL;
  const at = user.in(t.arg(0), PARAM.LEAST);
  if (at < 0) return -E.EFAULT;
  const word = (offset: number): number => getU64(t.os.data, at + offset);
  const options = {
    entry: word(PARAM.start),
    argument: word(PARAM.argument),
    stackTop: word(PARAM.stackBase) + word(PARAM.stackSize),
    tls: word(PARAM.tls),
  };
  const places = [word(PARAM.childTid), word(PARAM.parentTid)];
  t.os.life.newThread(t, options, (tid) => {
    for (const place of places) if (place !== 0) user.putU64(place, tid);
  });
  return 0;
}

function thrSelf(t: Thread): Result {
  return t.process.user.putU64(t.arg(0), t.tid) ? 0 : -E.EFAULT;
}

/** The last thread ends its process. */
function thrExit(t: Thread): Result {
  const state = t.arg(0);
  if (t.process.threads.length === 1) return exit(t);
  if (state !== 0) {
    t.process.user.putU64(state, 1);
    wake(t, state, Infinity);
  }
  t.ending = true;
  t.attention = true;
  return 0;
}

/** UMTX_OP_*: sys/sys/umtx.h. */
const UMTX = { WAIT: 2, WAKE: 3, WAIT_UINT: 11, WAIT_UINT_PRIVATE: 15, WAKE_PRIVATE: 16, NWAKE_PRIVATE: 21 } as const;
/** sizeof(struct _umtx_time); UMTX_ABSTIME. */
const UMTX_TIME_BYTES = 24, UMTX_ABSTIME = 1;
const NS = 1_000_000_000, CLOCK_REALTIME = 0;

function umtxOp(t: Thread): Result {
  const address = t.arg(0);
  switch (t.int(1)) {
    case UMTX.WAIT:
      return wait(t, address, 8);
    case UMTX.WAIT_UINT:
    case UMTX.WAIT_UINT_PRIVATE:
      return wait(t, address, 4);
    case UMTX.WAKE:
    case UMTX.WAKE_PRIVATE:
      return wake(t, address, t.long(2));
    case UMTX.NWAKE_PRIVATE:
      for (let i = 0; i < t.long(2); i++) wake(t, t.process.user.u64(address + 8 * i), Infinity);
      return 0;
  }
  return -E.EOPNOTSUPP;
}

function wake(t: Thread, address: number, count: number): number {
  const key = t.process.user.piece(address, 4, false);
  if (key < 0) return -E.EFAULT;
  t.os.futexes.wake(key, count);
  return 0;
}

function wait(t: Thread, address: number, bytes: 4 | 8): Result {
  const { user } = t.process, key = user.piece(address, bytes, false);
  if (key < 0) return -E.EFAULT;
  const { data } = t.os;
  const same = data.getUint32(key, true) === t.uint(2) &&
    (bytes === 4 || data.getInt32(key + 4, true) === Math.floor(t.long(2) / 2 ** 32));
  if (!same) return 0;
  let deadline = 0;
  if (t.arg(4) !== 0) {
    const at = user.in(t.arg(4), 16);
    if (at < 0) return -E.EFAULT;
    const seconds = getI64(data, at), ns = getI64(data, at + 8), extended = t.arg(3) >= UMTX_TIME_BYTES;
    if (seconds < 0 || ns < 0 || ns >= NS) return -E.EINVAL;
    const absolute = extended && (user.u32(t.arg(4) + 16) & UMTX_ABSTIME) !== 0;
    const real = absolute && user.u32(t.arg(4) + 20) === CLOCK_REALTIME;
    deadline = real ? t.os.clock.tscOfReal(seconds, ns) : seconds * NS + ns + (absolute ? 0 : t.os.now());
    if (deadline <= t.os.now()) return -E.ETIMEDOUT;
    if (!Number.isSafeInteger(deadline)) deadline = 0;
  }
  return waiting(t, key, deadline);
}

function* waiting(t: Thread, key: number, deadline: number): Blocking {
  const { futexes } = t.os, waiter = { thread: t, bitset: 0xffff_ffff, key, woken: false };
  futexes.add(waiter);
  while (true) {
    const why = yield* t.sleep(deadline);
    if (waiter.woken) return 0;
    if (why === Woken.Event) continue;
    futexes.remove(waiter);
    // A wait with a timeout is not restarted: the rest of it would have to be computed.
    return why === Woken.TimedOut ? -E.ETIMEDOUT : deadline === 0 ? -E.ERESTART : -E.EINTR;
  }
}

/** sysarch(2): AMD64_GET_FSBASE 128, SET 129, GS 130, 131 (sys/amd64/include/sysarch.h). */
function sysarch(t: Thread): Result {
  const { user } = t.process, { state } = t, at = t.arg(1);
  switch (t.int(0)) {
    case 128:
      return user.putU64(at, state.fsBase) ? 0 : -E.EFAULT;
    case 130:
      return user.putU64(at, state.gsBase) ? 0 : -E.EFAULT;
    case 129:
    case 131: {
      const base = user.u64(at);
      if (Number.isNaN(base)) return -E.EFAULT;
      state.mtd |= MTD.FS_GS;
      if (t.int(0) === 129) state.fsBase = base;
      else state.gsBase = base;
      return 0;
    }
  }
  return -E.EINVAL;
}

function yieldCpu(t: Thread): number {
  t.host.yieldCpu();
  return 0;
}

/** CPU_MAXSIZE bits. */
const MASK_MAX = 128;
function cpusetGetaffinity(t: Thread): Result {
  const size = t.arg(3), { user } = t.process;
  if (size < 8 || size > MASK_MAX) return -E.ERANGE;
  const mask = new Uint8Array(size);
  mask[0] = 1;
  return user.putBytes(t.arg(4), mask) ? 0 : -E.EFAULT;
}

export const PROCESS_CALLS: readonly SyscallRow[] = [
  sys(1, "exit", 1, exit),
  sys(20, "getpid", 0, (t) => t.process.pid),
  sys(165, "sysarch", 2, sysarch),
  sys(253, "issetugid", 0, () => 0),
  sys(331, "sched_yield", 0, yieldCpu),
  sys(431, "thr_exit", 1, thrExit),
  sys(432, "thr_self", 1, thrSelf),
  sys(454, "_umtx_op", 5, umtxOp, "waits and wakes only"),
  sys(455, "thr_new", 2, thrNew, "scheduling parameters are ignored"),
  sys(464, "thr_set_name", 2, () => 0),
  sys(487, "cpuset_getaffinity", 5, cpusetGetaffinity),
];
