import { E } from "../abi/errno.ts";
import { F, LOCK_EX, LOCK_UN, SEEK_CUR, SEEK_END, SEEK_SET } from "../abi/fcntl.ts";
import { getI64, putU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, WaitQueue, Woken } from "../process/wait.ts";
import type { OpenFile } from "./open_file.ts";

const F_RDLCK = 0, F_WRLCK = 1, F_UNLCK = 2;
/** struct flock: type s16, whence s16, start, length, pid. */
const FLOCK_BYTES = 32;

/** A byte-range lock. POSIX locks belong to a process, OFD locks to an open file description. */
interface RangeLock {
  owner: object;
  pid: number;
  write: boolean;
  start: number;
  /** Exclusive; Infinity = to the end whatever it is. */
  end: number;
}

interface Locked {
  ranges: RangeLock[];
  /** flock(2): by open file description. */
  whole: { owner: OpenFile; exclusive: boolean }[];
  readonly queue: WaitQueue;
}

/** Advisory locks of all files, by "device:inode". */
export class FileLocks {
  readonly #files = new Map<string, Locked>();

  of(t: Thread, file: OpenFile): Locked {
    const stat = t.os.statBuffer;
    file.stat(t, stat);
    const key = `${stat.dev}:${stat.ino}`;
    let locked = this.#files.get(key);
    if (locked === undefined) {
      locked = { ranges: [], whole: [], queue: new WaitQueue() };
      this.#files.set(key, locked);
    }
    return locked;
  }

  /** /proc/locks: lock_get_status(), fs/locks.c. */
  text({ os }: Thread): string {
    const lines: string[] = [];
    const add = (kind: string, exclusive: boolean, pid: number, key: string, range: string): void => {
      const [dev, ino] = key.split(":").map(Number);
      const where = `${(dev >> 8).toString(16).padStart(2, "0")}:${(dev & 0xff).toString(16).padStart(2, "0")}:${ino}`;
      lines.push(`${lines.length + 1}: ${kind} ADVISORY  ${exclusive ? "WRITE" : "READ "} ${pid} ${where} ${range}\n`);
    };
    for (const [key, { ranges, whole }] of this.#files) {
      for (const { owner, exclusive } of whole) {
        const holder = [...os.processes.values()].find((p) => p.files.files.includes(owner));
        add("FLOCK ", exclusive, holder?.pid ?? -1, key, "0 EOF");
      }
      for (const { pid, write, start, end } of ranges) {
        add(pid < 0 ? "OFDLCK" : "POSIX ", write, pid, key, `${start} ${end === Infinity ? "EOF" : end - 1}`);
      }
    }
    return lines.join("");
  }

  /** No lock was ever taken: closing a file costs nothing then. */
  get unused(): boolean {
    return this.#files.size === 0;
  }

  flock(t: Thread, file: OpenFile, operation: number, nonBlocking: boolean): Result {
    const locked = this.of(t, file);
    if (operation === LOCK_UN) {
      this.#drop(locked, file);
      return 0;
    }
    const exclusive = operation === LOCK_EX;
    const attempt = (): boolean => {
      if (locked.whole.some((l) => l.owner !== file && (exclusive || l.exclusive))) return false;
      locked.whole = locked.whole.filter((l) => l.owner !== file);
      locked.whole.push({ owner: file, exclusive });
      return true;
    };
    if (attempt()) return 0;
    return nonBlocking ? -E.EAGAIN : waitUntil(t, locked.queue, attempt);
  }

  #drop(locked: Locked, file: OpenFile): void {
    locked.whole = locked.whole.filter((l) => l.owner !== file);
    locked.queue.wakeAll();
  }

  /** The description is gone: its flock and OFD locks with it. */
  closed(file: OpenFile): void {
    for (const locked of this.#files.values()) {
      const before = locked.whole.length + locked.ranges.length;
      locked.whole = locked.whole.filter((l) => l.owner !== file);
      locked.ranges = locked.ranges.filter((l) => l.owner !== file);
      if (before !== locked.whole.length + locked.ranges.length) locked.queue.wakeAll();
    }
  }

  /** Closing any descriptor of a file drops the process's POSIX locks on it; its end drops all. */
  dropProcess(process: object): void {
    for (const locked of this.#files.values()) {
      const before = locked.ranges.length;
      locked.ranges = locked.ranges.filter((l) => l.owner !== process);
      if (before !== locked.ranges.length) locked.queue.wakeAll();
    }
  }
}

function* waitUntil(t: Thread, queue: WaitQueue, attempt: () => boolean): Blocking {
  queue.add(t);
  try {
    while (true) {
      const why = yield* t.sleep(0);
      if (attempt()) return 0;
      if (why === Woken.Interrupted) return -E.ERESTARTSYS;
    }
  } finally {
    queue.remove(t);
  }
}

/** fcntl(F_SETLK and friends). */
export function fileLock(t: Thread, file: OpenFile, command: number, address: number): Result {
  const { user } = t.process;
  const pa = user.in(address, FLOCK_BYTES);
  if (pa < 0) return -E.EFAULT;
  const type = user.data.getInt16(pa, true);
  const whence = user.data.getInt16(pa + 2, true);
  let start = getI64(user.data, pa + 8);
  const length = getI64(user.data, pa + 16);
  const ofd = command >= F.OFD_GETLK;
  if (ofd && user.data.getInt32(pa + 24, true) !== 0) return -E.EINVAL;
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -E.EINVAL;
  if (whence === SEEK_CUR) start += file.offset;
  else if (whence === SEEK_END) start += file.handle === undefined ? 0 : t.fs.size(file.handle);
  else if (whence !== SEEK_SET) return -E.EINVAL;
  let end = length === 0 ? Infinity : start + length;
  if (length < 0) [start, end] = [start + length, start];
  if (start < 0) return -E.EINVAL;
  const owner = ofd ? file : t.process;
  const locked = t.os.locks.of(t, file);
  const conflict = (): RangeLock | undefined =>
    locked.ranges.find((l) => l.owner !== owner && l.start < end && l.end > start && (l.write || type === F_WRLCK));

  if (command === F.GETLK || command === F.OFD_GETLK) {
    if (type === F_UNLCK) return -E.EINVAL;
    const other = conflict();
    const at = user.out(address, FLOCK_BYTES);
    if (at < 0) return -E.EFAULT;
    if (other === undefined) {
      user.data.setInt16(at, F_UNLCK, true);
      return user.done();
    }
    user.data.setInt16(at, other.write ? F_WRLCK : F_RDLCK, true);
    user.data.setInt16(at + 2, SEEK_SET, true);
    putU64(user.data, at + 8, other.start);
    putU64(user.data, at + 16, other.end === Infinity ? 0 : other.end - other.start);
    user.data.setInt32(at + 24, other.pid, true);
    return user.done();
  }
  if (type === F_RDLCK && !file.readable || type === F_WRLCK && !file.writable) return -E.EBADF;
  const attempt = (): boolean => {
    if (type !== F_UNLCK && conflict() !== undefined) return false;
    locked.ranges = locked.ranges.flatMap((l) => l.owner === owner ? outside(l, start, end) : [l]);
    if (type !== F_UNLCK) locked.ranges.push({ owner, pid: ofd ? -1 : t.process.pid, write: type === F_WRLCK, start, end });
    locked.queue.wakeAll();
    return true;
  };
  if (attempt()) return 0;
  return command === F.SETLKW || command === F.OFD_SETLKW ? waitUntil(t, locked.queue, attempt) : -E.EAGAIN;
}

/** What remains of a lock when [start, end) is changed. */
function outside(lock: RangeLock, start: number, end: number): RangeLock[] {
  const parts: RangeLock[] = [];
  if (lock.start < start) parts.push({ ...lock, end: Math.min(lock.end, start) });
  if (lock.end > end) parts.push({ ...lock, start: Math.max(lock.start, end) });
  return parts;
}
