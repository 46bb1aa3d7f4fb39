import { E } from "../abi/errno.ts";
import { timespecNs } from "../abi/structs.ts";
import { change, IPC, IpcObject, putFields, putStructure, seconds } from "../ipc/table.ts";
import { putU64 } from "../memory/user.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, WaitQueue, Woken } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

/** include/uapi/linux/sem.h. */
const SEM = {
  GETPID: 11,
  GETVAL: 12,
  GETALL: 13,
  GETNCNT: 14,
  GETZCNT: 15,
  SETVAL: 16,
  SETALL: 17,
  STAT: 18,
  INFO: 19,
  STAT_ANY: 20,
  UNDO: 0x1000,
} as const;
/** SEMMNI, SEMMSL, SEMMNS, SEMOPM, SEMVMX. */
const MAX_SETS = 32000, MAX_PER_SET = 32000, MAX_ALL = 1_024_000_000, MAX_OPERATIONS = 500, MAX_VALUE = 32767;
const DS_BYTES = 104, INFO_BYTES = 40, SEMBUF_BYTES = 6;

interface Operation {
  readonly index: number;
  readonly by: number;
  readonly noWait: boolean;
  readonly undo: boolean;
}

/** A set of semaphores. */
export class SemaphoreSet extends IpcObject {
  readonly values: Int32Array;
  /** Who changed each last. */
  readonly pids: Int32Array;
  readonly queue = new WaitQueue();
  /** The operation that each waiting thread cannot do. */
  readonly waiting = new Map<Thread, Operation>();
  operationTime = 0;
  changeTime: number;

  constructor(t: Thread, count: number, mode: number) {
    super(t, mode);
    this.values = new Int32Array(count);
    this.pids = new Int32Array(count);
    this.changeTime = seconds(t);
  }

  /** Does all operations or none: 0, -errno, or the one that has to wait. */
  perform(p: Process, operations: readonly Operation[]): number | Operation {
    const old = this.values.slice();
    const give = <T>(result: T): T => (this.values.set(old), result);
    for (const operation of operations) {
      const { index, by } = operation;
      const value = this.values[index] + by;
      if (by === 0 ? this.values[index] !== 0 : value < 0) return give(operation.noWait ? -E.EAGAIN : operation);
      if (value > MAX_VALUE) return give(-E.ERANGE);
      this.values[index] = value;
    }
    for (const { index, by, undo } of operations) {
      this.pids[index] = p.pid;
      if (undo && by !== 0) remember(p, this, index, -by);
    }
    if (operations.some(({ by }) => by !== 0)) this.queue.wakeAll();
    return 0;
  }

  /** How many wait for `index` to become 0, or to grow. */
  waiters(index: number, zero: boolean): number {
    return [...this.waiting.values()].filter((each) => each.index === index && (each.by === 0) === zero).length;
  }
}

/** What is to be added to each semaphore when the process ends: by set. */
export type Undo = Map<SemaphoreSet, Int32Array>;

function remember(p: Process, set: SemaphoreSet, index: number, by: number): void {
  p.semaphoreUndo ??= new Map();
  let adjust = p.semaphoreUndo.get(set);
  if (adjust === undefined) p.semaphoreUndo.set(set, adjust = new Int32Array(set.values.length));
  adjust[index] += by;
}

/** exit_sem(): the process has ended. */
export function undoSemaphores(p: Process): void {
  for (const [set, adjust] of p.semaphoreUndo ?? []) {
    if (set.removed) continue;
    adjust.forEach((by, index) => {
      if (by === 0) return;
      set.values[index] = Math.max(0, Math.min(MAX_VALUE, set.values[index] + by));
      set.pids[index] = p.pid;
    });
    set.queue.wakeAll();
  }
  p.semaphoreUndo = undefined;
}

/** SETVAL and SETALL forget what the ends of processes would undo. */
function forget(t: Thread, set: SemaphoreSet, index: number | undefined): void {
  for (const p of t.os.processes.values()) {
    const adjust = p.semaphoreUndo?.get(set);
    if (index === undefined) adjust?.fill(0);
    else if (adjust !== undefined) adjust[index] = 0;
  }
}

function semget(t: Thread): Result {
  const count = t.int(1), flags = t.int(2);
  if (count < 0 || count > MAX_PER_SET) return -E.EINVAL;
  return t.os.sem.get(
    t,
    t.int(0),
    flags,
    () => count === 0 ? -E.EINVAL : new SemaphoreSet(t, count, flags),
    (found) => count > found.values.length ? -E.EINVAL : 0,
  );
}

function semop(t: Thread): Result {
  return operate(t, 0);
}

function semtimedop(t: Thread): Result {
  if (t.arg(3) === 0) return operate(t, 0);
  const { user } = t.process;
  const at = user.in(t.arg(3), 16);
  if (at < 0) return -E.EFAULT;
  const ns = timespecNs(user.data, at);
  // A time of 0 is over at once; 0 as a deadline would be none.
  return ns < 0 ? -E.EINVAL : operate(t, ns === Infinity ? 0 : t.os.now() + Math.max(1, ns));
}

function operate(t: Thread, deadline: number): Result {
  const count = t.uint(2);
  if (count < 1 || t.int(0) < 0) return -E.EINVAL;
  if (count > MAX_OPERATIONS) return -E.E2BIG;
  const bytes = t.process.user.bytes(t.arg(1), count * SEMBUF_BYTES);
  if (bytes === undefined) return -E.EFAULT;
  const data = new DataView(bytes.buffer);
  const operations: Operation[] = [];
  for (let at = 0; at < bytes.length; at += SEMBUF_BYTES) {
    const flags = data.getInt16(at + 4, true);
    operations.push({
      index: data.getUint16(at, true),
      by: data.getInt16(at + 2, true),
      noWait: (flags & IPC.NOWAIT) !== 0,
      undo: (flags & SEM.UNDO) !== 0,
    });
  }
  const set = t.os.sem.byId(t.int(0));
  if (set === undefined) return -E.EINVAL;
  if (operations.some(({ index }) => index >= set.values.length)) return -E.EFBIG;
  if (!set.permits(t, operations.some(({ by }) => by !== 0) ? 0o222 : 0o444)) return -E.EACCES;
  const result = set.perform(t.process, operations);
  if (typeof result === "number") {
    if (result === 0) set.operationTime = seconds(t);
    return result;
  }
  return waitForSet(t, set, operations, result, deadline);
}

function* waitForSet(t: Thread, set: SemaphoreSet, operations: Operation[], first: Operation, deadline: number): Blocking {
  let blocker = first;
  set.queue.add(t);
  try {
    while (true) {
      set.waiting.set(t, blocker);
      const why = yield* t.sleep(deadline);
      if (set.removed) return -E.EIDRM;
      const result = set.perform(t.process, operations);
      if (typeof result === "number") {
        if (result === 0) set.operationTime = seconds(t);
        return result;
      }
      if (why === Woken.Interrupted) return -E.EINTR;
      if (why === Woken.TimedOut) return -E.EAGAIN;
      blocker = result;
    }
  } finally {
    set.waiting.delete(t);
    set.queue.remove(t);
  }
}

function putSet(t: Thread, set: SemaphoreSet, address: number, result: number): number {
  return putStructure(t, address, DS_BYTES, (data, at) => {
    set.putPermissions(data, at);
    putU64(data, at + 48, set.operationTime);
    putU64(data, at + 64, set.changeTime);
    putU64(data, at + 80, set.values.length);
  }, result);
}

function info(t: Thread, address: number, uses: boolean): Result {
  const { all, highestIndex } = t.os.sem;
  const count = all.reduce((sum, set) => sum + set.values.length, 0);
  return putStructure(t, address, INFO_BYTES, (data, at) => {
    putFields(data, at, [
      MAX_ALL,
      MAX_SETS,
      MAX_ALL,
      MAX_ALL,
      MAX_PER_SET,
      MAX_OPERATIONS,
      MAX_OPERATIONS,
      uses ? all.length : 20,
      MAX_VALUE,
      uses ? count : MAX_VALUE,
    ]);
  }, highestIndex);
}

function semctl(t: Thread): Result {
  const id = t.int(0), command = t.int(2), address = t.arg(3), table = t.os.sem;
  if (id < 0) return -E.EINVAL;
  const set = table.byId(id);
  switch (command) {
    case IPC.INFO:
    case SEM.INFO:
      return info(t, address, command === SEM.INFO);
    case IPC.STAT:
    case SEM.STAT:
    case SEM.STAT_ANY: {
      const shown = table.toShow(t, id, command !== IPC.STAT, command === SEM.STAT_ANY);
      return typeof shown === "number" ? shown : putSet(t, shown, address, command === IPC.STAT ? 0 : shown.id);
    }
    case IPC.SET:
      return change(t, set, address, DS_BYTES, () => {
        if (set !== undefined) set.changeTime = seconds(t);
        return 0;
      });
    case IPC.RMID:
      if (set === undefined) return -E.EINVAL;
      if (!set.isOwner(t)) return -E.EPERM;
      table.remove(set);
      set.queue.wakeAll();
      return 0;
    case SEM.GETALL:
    case SEM.SETALL:
      return set === undefined ? -E.EINVAL : allValues(t, set, address, command === SEM.SETALL);
    case SEM.SETVAL: {
      // The value is an int in a union of pointer size.
      const value = t.int(3);
      if (value < 0 || value > MAX_VALUE) return -E.ERANGE;
      if (set === undefined) return -E.EINVAL;
      const index = indexOf(t, set);
      if (index < 0) return index;
      if (!set.permits(t, 0o222)) return -E.EACCES;
      set.values[index] = value;
      set.pids[index] = t.process.pid;
      return changedBy(t, set, index);
    }
    case SEM.GETVAL:
    case SEM.GETPID:
    case SEM.GETNCNT:
    case SEM.GETZCNT: {
      if (set === undefined) return -E.EINVAL;
      if (!set.permits(t, 0o444)) return -E.EACCES;
      const index = indexOf(t, set);
      if (index < 0) return index;
      if (command === SEM.GETVAL) return set.values[index];
      return command === SEM.GETPID ? set.pids[index] : set.waiters(index, command === SEM.GETZCNT);
    }
  }
  return -E.EINVAL;
}

const indexOf = (t: Thread, set: SemaphoreSet): number => t.int(1) >= 0 && t.int(1) < set.values.length ? t.int(1) : -E.EINVAL;

function changedBy(t: Thread, set: SemaphoreSet, index: number | undefined): 0 {
  forget(t, set, index);
  set.changeTime = seconds(t);
  set.queue.wakeAll();
  return 0;
}

function allValues(t: Thread, set: SemaphoreSet, address: number, write: boolean): Result {
  if (!set.permits(t, write ? 0o222 : 0o444)) return -E.EACCES;
  const values = new Uint16Array(set.values);
  if (!write) return t.process.user.putBytes(address, new Uint8Array(values.buffer)) ? 0 : -E.EFAULT;
  const bytes = t.process.user.bytes(address, values.byteLength);
  if (bytes === undefined) return -E.EFAULT;
  const wanted = new Uint16Array(bytes.buffer, 0, values.length);
  if (wanted.some((value) => value > MAX_VALUE)) return -E.ERANGE;
  set.values.set(wanted);
  set.pids.fill(t.process.pid);
  return changedBy(t, set, undefined);
}

export const SYSV_SEM_CALLS: readonly SyscallRow[] = [
  sys(64, "semget", ["int", "int", "octal"], semget),
  sys(65, "semop", ["int", "ptr", "size"], semop),
  sys(66, "semctl", ["int", "int", "int", "hex"], semctl),
  sys(220, "semtimedop", ["int", "ptr", "size", "timespec"], semtimedop),
];
