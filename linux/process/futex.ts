import { E } from "../abi/errno.ts";
import { timespecNs } from "../abi/structs.ts";
import { getI64 } from "../memory/user.ts";
import type { Thread } from "./thread.ts";
import { type Blocking, type Result, type Sleeper, Woken } from "./wait.ts";

/** FUTEX_* of include/uapi/linux/futex.h. */
// deno-fmt-ignore
export const FUTEX = {
  WAIT: 0, WAKE: 1, FD: 2, REQUEUE: 3, CMP_REQUEUE: 4, WAKE_OP: 5, LOCK_PI: 6, UNLOCK_PI: 7, TRYLOCK_PI: 8, WAIT_BITSET: 9,
  WAKE_BITSET: 10, WAIT_REQUEUE_PI: 11, CMP_REQUEUE_PI: 12, LOCK_PI2: 13, PRIVATE: 128, CLOCK_REALTIME: 256,
} as const;
const FUTEX_WAITERS = 0x8000_0000, FUTEX_OWNER_DIED = 0x4000_0000, FUTEX_TID_MASK = 0x3fff_ffff;
const ANY = 0xffff_ffff;

interface Waiter {
  readonly thread: Sleeper;
  readonly bitset: number;
  /** Physical address of the word: equal for all address spaces that share it. */
  key: number;
  woken: boolean;
}

/** Waiters of all futexes, by physical address of their word, oldest first. */
export class Futexes {
  readonly #waiters = new Map<number, Waiter[]>();

  add(waiter: Waiter): void {
    const list = this.#waiters.get(waiter.key);
    if (list === undefined) this.#waiters.set(waiter.key, [waiter]);
    else list.push(waiter);
  }

  remove(waiter: Waiter): void {
    const list = this.#waiters.get(waiter.key);
    const i = list?.indexOf(waiter) ?? -1;
    if (list === undefined || i < 0) return;
    list.splice(i, 1);
    if (list.length === 0) this.#waiters.delete(waiter.key);
  }

  wake(key: number, count: number, bitset = ANY): number {
    const list = this.#waiters.get(key);
    if (list === undefined) return 0;
    let done = 0;
    for (const waiter of [...list]) {
      if (done >= count) break;
      if ((waiter.bitset & bitset) === 0) continue;
      this.remove(waiter);
      waiter.woken = true;
      waiter.thread.wake();
      done++;
    }
    return done;
  }

  requeue(from: number, to: number, wake: number, move: number): { woken: number; moved: number } {
    const woken = this.wake(from, wake);
    const list = this.#waiters.get(from);
    let moved = 0;
    if (list !== undefined && from !== to) {
      for (const waiter of list.slice(0, move)) {
        this.remove(waiter);
        waiter.key = to;
        this.add(waiter);
        moved++;
      }
    }
    return { woken, moved };
  }
}

/** Physical address of the futex word at `address`, or -errno. Private pages that are not there yet get memory. */
function keyOf(t: Thread, address: number, write = false): number {
  if (address % 4 !== 0) return -E.EINVAL;
  const pa = t.process.user.piece(address, 4, write);
  return pa < 0 ? -E.EFAULT : pa;
}

export function futex(t: Thread): Result {
  const address = t.arg(0);
  const op = t.int(1);
  const command = op & ~(FUTEX.PRIVATE | FUTEX.CLOCK_REALTIME);
  const value = t.uint(2);
  switch (command) {
    case FUTEX.WAIT:
    case FUTEX.WAIT_BITSET: {
      const bitset = command === FUTEX.WAIT ? ANY : t.uint(5);
      if (bitset === 0) return -E.EINVAL;
      const deadline = deadlineOf(t, t.arg(3), command === FUTEX.WAIT_BITSET, (op & FUTEX.CLOCK_REALTIME) !== 0);
      if (deadline < 0) return deadline;
      return wait(t, address, value, bitset, deadline);
    }
    case FUTEX.WAKE:
    case FUTEX.WAKE_BITSET: {
      const bitset = command === FUTEX.WAKE ? ANY : t.uint(5);
      if (bitset === 0) return -E.EINVAL;
      const key = keyOf(t, address);
      return key < 0 ? key : t.os.futexes.wake(key, Math.max(1, t.int(2)), bitset);
    }
    case FUTEX.REQUEUE:
    case FUTEX.CMP_REQUEUE: {
      if (t.int(2) < 0 || t.int(3) < 0) return -E.EINVAL;
      const from = keyOf(t, address);
      const to = keyOf(t, t.arg(4));
      if (from < 0 || to < 0) return Math.min(from, to);
      if (command === FUTEX.CMP_REQUEUE && t.os.data.getUint32(from, true) !== t.uint(5)) return -E.EAGAIN;
      const { woken, moved } = t.os.futexes.requeue(from, to, t.int(2), t.int(3));
      return command === FUTEX.REQUEUE ? woken : woken + moved;
    }
    case FUTEX.WAKE_OP:
      return wakeOp(t, address);
    case FUTEX.LOCK_PI:
    case FUTEX.LOCK_PI2:
      return lockPi(t, address, deadlineOf(t, t.arg(3), true, command === FUTEX.LOCK_PI));
    case FUTEX.TRYLOCK_PI: {
      const key = keyOf(t, address, true);
      return key < 0 ? key : takePi(t, key) ? 0 : -E.EAGAIN;
    }
    case FUTEX.UNLOCK_PI:
      return unlockPi(t, address);
  }
  return -E.ENOSYS;
}

/** Deadline as TSC (0 = none), or -errno. */
function deadlineOf(t: Thread, at: number, absolute: boolean, real: boolean): number {
  if (at === 0) return 0;
  const { user } = t.process;
  const pa = user.in(at, 16);
  if (pa < 0) return -E.EFAULT;
  const ns = timespecNs(user.data, pa);
  if (ns < 0) return -E.EINVAL;
  // Nanoseconds since 1970 are beyond 2^53: the wall clock is converted from its parts.
  if (absolute && real) return Math.max(1, t.os.clock.tscOfReal(getI64(user.data, pa), getI64(user.data, pa + 8)));
  if (ns === Infinity) return 0;
  return absolute ? Math.max(1, ns) : t.os.now() + ns;
}

export function wait(t: Thread, address: number, value: number, bitset: number, deadline: number): Result {
  const key = keyOf(t, address);
  if (key < 0) return key;
  if (t.os.data.getUint32(key, true) !== value) return -E.EAGAIN;
  if (deadline !== 0 && deadline <= t.os.now()) return -E.ETIMEDOUT;
  return waiting(t, { thread: t, bitset, key, woken: false }, deadline);
}

function* waiting(t: Thread, waiter: Waiter, deadline: number): Blocking {
  const { futexes } = t.os;
  futexes.add(waiter);
  while (true) {
    const why = yield* t.sleep(deadline);
    if (waiter.woken) return 0;
    if (why === Woken.TimedOut) {
      futexes.remove(waiter);
      return -E.ETIMEDOUT;
    }
    if (why === Woken.Interrupted) {
      futexes.remove(waiter);
      // With a timeout the rest of it would have to be computed: the call is restarted as a whole only without one.
      return deadline === 0 ? -E.ERESTARTSYS : -E.ERESTARTNOHAND;
    }
  }
}

/** FUTEX_OP: encoded operation and comparison on the second word. */
function wakeOp(t: Thread, address: number): number {
  const first = keyOf(t, address);
  const second = keyOf(t, t.arg(4), true);
  if (first < 0 || second < 0) return Math.min(first, second);
  const encoded = t.int(5);
  const { data } = t.os;
  let operand = encoded << 8 >> 20;
  const comparison = encoded << 20 >> 20;
  if (encoded < 0) operand = 1 << (operand & 31);
  const old = data.getInt32(second, true);
  const operation = encoded >> 28 & 7;
  const results = [operand, old + operand, old | operand, old & ~operand, old ^ operand];
  if (operation >= results.length) return -E.ENOSYS;
  data.setInt32(second, results[operation], true);
  const tests = [
    old === comparison,
    old !== comparison,
    old < comparison,
    old <= comparison,
    old > comparison,
    old >= comparison,
  ];
  const kind = encoded >> 24 & 15;
  if (kind >= tests.length) return -E.ENOSYS;
  let woken = t.os.futexes.wake(first, Math.max(1, t.int(2)));
  if (tests[kind]) woken += t.os.futexes.wake(second, Math.max(1, t.int(3)));
  return woken;
}

// ---- priority inheritance (without priorities: plain ownership) -----------------------------------------------------

function takePi(t: Thread, key: number): boolean {
  const { data } = t.os;
  const word = data.getUint32(key, true);
  if ((word & FUTEX_TID_MASK) !== 0) return false;
  data.setUint32(key, (word & FUTEX_OWNER_DIED | t.tid | word & FUTEX_WAITERS) >>> 0, true);
  return true;
}

function lockPi(t: Thread, address: number, deadline: number): Result {
  if (deadline < 0) return deadline;
  const key = keyOf(t, address, true);
  if (key < 0) return key;
  if (takePi(t, key)) return 0;
  if ((t.os.data.getUint32(key, true) & FUTEX_TID_MASK) === t.tid) return -E.EDEADLK;
  return waitPi(t, key, deadline);
}

function* waitPi(t: Thread, key: number, deadline: number): Blocking {
  const { data, futexes } = t.os;
  while (true) {
    data.setUint32(key, (data.getUint32(key, true) | FUTEX_WAITERS) >>> 0, true);
    const waiter: Waiter = { thread: t, bitset: ANY, key, woken: false };
    futexes.add(waiter);
    const why = yield* t.sleep(deadline);
    futexes.remove(waiter);
    if (takePi(t, key)) return 0;
    if (why === Woken.TimedOut) return -E.ETIMEDOUT;
    if (why === Woken.Interrupted) return -E.ERESTARTSYS;
  }
}

function unlockPi(t: Thread, address: number): number {
  const key = keyOf(t, address, true);
  if (key < 0) return key;
  const { data, futexes } = t.os;
  if ((data.getUint32(key, true) & FUTEX_TID_MASK) !== t.tid) return -E.EPERM;
  data.setUint32(key, 0, true);
  futexes.wake(key, 1);
  return 0;
}

// ---- the end of a thread --------------------------------------------------------------------------------------------

/** Wakes waiters on a word of `t`'s memory (CLONE_CHILD_CLEARTID). */
export function wakeFutex(t: Thread, address: number, count: number): number {
  const key = keyOf(t, address);
  return key < 0 ? 0 : t.os.futexes.wake(key, count);
}

/** Longest robust list that is followed: ROBUST_LIST_LIMIT. */
const ROBUST_LIMIT = 2048;

/** exit_robust_list() of kernel/futex/core.c: marks the locks a dead thread still holds. */
export function exitRobustList(t: Thread): void {
  const head = t.robustList;
  if (head === 0) return;
  const { user } = t.process;
  const offset = user.i64(head + 8);
  const pending = user.u64(head + 16);
  if (Number.isNaN(offset) || Number.isNaN(pending)) return;
  let entry = user.u64(head);
  for (let i = 0; i < ROBUST_LIMIT && entry !== head && !Number.isNaN(entry); i++) {
    const next = user.u64(entry - entry % 2);
    if (entry !== pending) handleDeath(t, entry - entry % 2 + offset);
    entry = next;
  }
  if (pending !== 0) handleDeath(t, pending - pending % 2 + offset);
}

function handleDeath(t: Thread, address: number): void {
  const key = keyOf(t, address, true);
  if (key < 0) return;
  const { data, futexes } = t.os;
  const word = data.getUint32(key, true);
  if ((word & FUTEX_TID_MASK) !== t.tid) return;
  data.setUint32(key, (word & FUTEX_WAITERS | FUTEX_OWNER_DIED) >>> 0, true);
  if ((word & FUTEX_WAITERS) !== 0) futexes.wake(key, 1);
}
