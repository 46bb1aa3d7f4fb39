import { E } from "../abi/errno.ts";
import {
  O_ACCMODE,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "../abi/fcntl.ts";
import type { FsStat } from "../../fs/api.ts";
import type { MappedFile, SharedPages } from "../memory/vma.ts";
import { type Blocking, type Result, WaitQueue, Woken } from "../process/wait.ts";
import type { Thread } from "../process/thread.ts";
import { emptyStat as noStat } from "../../fs/empty_stat.ts";

/** One entry for getdents64. `type` is DT_*; `next` is the position after it. */
export interface DirEntry {
  name: string;
  ino: number;
  type: number;
  next: number;
}

/**
 * An open file description: what descriptors of one or several processes refer to. A kind of file overrides what it can do; the rest
 * gives the errno that Linux gives for a file without that operation.
 * Transfers go between the file and physical memory, piece by piece of the caller's buffer.
 */
export abstract class OpenFile {
  /** Descriptors that refer to it. */
  refs = 1;
  /** O_* access mode and status flags; O_CREAT and friends are stripped. */
  flags: number;
  /** Position of the next read or write; only for seekable files. */
  offset = 0;
  /** Threads that wait for it to become ready. */
  readonly queue = new WaitQueue();
  /** F_SETOWN. */
  owner = 0;

  constructor(flags: number) {
    this.flags = flags;
  }

  /** Name as /proc/PID/fd shows it. */
  abstract get path(): string;

  /** Has it positions, so that pread and lseek work? */
  get seekable(): boolean {
    return false;
  }

  get readable(): boolean {
    return (this.flags & O_ACCMODE) !== O_WRONLY && (this.flags & O_PATH) === 0;
  }

  get writable(): boolean {
    return (this.flags & O_ACCMODE) !== O_RDONLY && (this.flags & O_PATH) === 0;
  }

  get nonBlocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }

  /** Moves up to `bytes` to `pa`, never waiting: -EAGAIN when it would have to. `offset` counts for seekable files only. */
  readTo(_t: Thread, _pa: number, _bytes: number, _offset: number): number {
    return -E.EINVAL;
  }

  writeFrom(_t: Thread, _pa: number, _bytes: number, _offset: number): number {
    return -E.EINVAL;
  }

  /** Ready events among POLL*. */
  poll(_t: Thread): number {
    return POLLIN | POLLOUT;
  }

  /** Epoll items that watch this description; they go with it. */
  watchers: Set<{ remove(): void }> | undefined;

  /** May epoll watch it? */
  get pollable(): boolean {
    return true;
  }

  /** `poll` with the "normal data" bits that always go along. */
  pollAll(t: Thread): number {
    const events = this.poll(t);
    return events | ((events & POLLIN) !== 0 ? POLLRDNORM : 0) | ((events & POLLOUT) !== 0 ? POLLWRNORM : 0);
  }

  /** Where a thread waits that polls it. */
  pollQueue(_t: Thread): WaitQueue {
    return this.queue;
  }

  abstract stat(t: Thread, out: FsStat): number;

  seek(_t: Thread, _offset: number, _whence: number): number {
    return -E.ESPIPE;
  }

  ioctl(_t: Thread, _request: number, _argument: number): Result {
    return -E.ENOTTY;
  }

  /** Commands of fcntl(2) that only some kinds of file know. */
  fcntl(_t: Thread, _command: number, _argument: number): Result {
    return -E.EINVAL;
  }

  /** Entries from position `cookie` on. */
  list(_t: Thread, _cookie: number, _max: number): DirEntry[] | number {
    return -E.ENOTDIR;
  }

  truncate(_t: Thread, _size: number): number {
    return -E.EINVAL;
  }

  sync(_t: Thread): number {
    return -E.EINVAL;
  }

  /** open() of /proc/PID/fd/N: the description itself, as far as kinds without a path go. */
  reopen(_t: Thread, _flags: number): OpenFile | number {
    return this.dup();
  }

  /** What a mapping reads from; `shared` = MAP_SHARED. */
  map(_t: Thread, _shared: boolean): MappedFile | SharedPages | number {
    return -E.ENODEV;
  }

  /** The directory or file handle of the file service, or undefined. */
  get handle(): number | undefined {
    return undefined;
  }

  /** The last descriptor was closed. */
  protected closed(_t: Thread | undefined): void {}

  dup(): this {
    this.refs++;
    return this;
  }

  close(t: Thread | undefined): void {
    if (--this.refs > 0) return;
    if (t !== undefined && !t.os.locks.unused) t.os.locks.closed(this);
    if (this.watchers !== undefined) { for (const watcher of [...this.watchers]) watcher.remove(); }
    this.closed(t);
  }

  // ---- transfers with program memory ---------------------------------------------------------------------------------

  /** read(2). */
  read(t: Thread, va: number, bytes: number): Result {
    const done = this.tryRead(t, va, bytes, this.offset);
    if (done === -E.EAGAIN && !this.nonBlocking) return this.#blocking(t, va, bytes);
    if (done > 0 && this.seekable) this.offset += done;
    return done;
  }

  /** write(2). */
  write(t: Thread, va: number, bytes: number): Result {
    const done = this.tryWrite(t, va, bytes, this.offset);
    if (done >= 0) {
      if (this.seekable) this.advance(t, done);
      if (done < bytes && !this.nonBlocking && !this.seekable && t.process.user.readable(va + done, 1)) {
        return this.#blockingWrite(t, va, bytes, done);
      }
    } else if (done === -E.EAGAIN && !this.nonBlocking) {
      return this.#blockingWrite(t, va, bytes, 0);
    }
    return done;
  }

  /** Moves the position after a write. */
  protected advance(_t: Thread, bytes: number): void {
    this.offset += bytes;
  }

  tryRead(t: Thread, va: number, bytes: number, offset: number): number {
    const { user } = t.process;
    if (bytes === 0) return this.readTo(t, 0, 0, offset);
    let done = 0;
    while (done < bytes) {
      const pa = user.piece(va + done, bytes - done, true);
      if (pa < 0) return done > 0 ? done : -E.EFAULT;
      const want = user.pieceBytes;
      const got = this.readTo(t, pa, want, offset + done);
      if (got < 0) return done > 0 ? done : got;
      done += got;
      if (got < want) break;
    }
    return done;
  }

  tryWrite(t: Thread, va: number, bytes: number, offset: number): number {
    const { user } = t.process;
    if (bytes === 0) return this.writeFrom(t, 0, 0, offset);
    let done = 0;
    while (done < bytes) {
      const pa = user.piece(va + done, bytes - done, false);
      if (pa < 0) return done > 0 ? done : -E.EFAULT;
      const want = user.pieceBytes;
      const put = this.writeFrom(t, pa, want, offset + done);
      if (put < 0) return done > 0 ? done : put;
      done += put;
      if (put < want) break;
    }
    return done;
  }

  *#blocking(t: Thread, va: number, bytes: number): Blocking {
    const queue = this.pollQueue(t);
    queue.add(t);
    try {
      while (true) {
        const why = yield* t.sleep(0);
        const done = this.tryRead(t, va, bytes, this.offset);
        if (done !== -E.EAGAIN) return done;
        if (why === Woken.Interrupted) return -E.ERESTARTSYS;
      }
    } finally {
      queue.remove(t);
    }
  }

  *#blockingWrite(t: Thread, va: number, bytes: number, already: number): Blocking {
    let done = already;
    this.queue.add(t);
    try {
      while (true) {
        const why = yield* t.sleep(0);
        const put = this.tryWrite(t, va + done, bytes - done, this.offset);
        if (put >= 0) done += put;
        else if (put !== -E.EAGAIN) return done > 0 ? done : put;
        // What is left may lie in memory that is not mapped: there is nothing to wait for then.
        if (done >= bytes || !t.process.user.readable(va + done, 1)) return done;
        if (why === Woken.Interrupted) return done > 0 ? done : -E.ERESTARTSYS;
      }
    } finally {
      this.queue.remove(t);
    }
  }

  /** lseek(2) for files of known size. */
  protected seekWithin(offset: number, whence: number, size: number): number {
    let to = offset;
    if (whence === SEEK_DATA || whence === SEEK_HOLE) {
      // Files count as without holes, as the manual page allows.
      if (offset < 0 || offset >= size) return -E.ENXIO;
      if (whence === SEEK_HOLE) to = size;
    } else if (whence === SEEK_CUR) to += this.offset;
    else if (whence === SEEK_END) to += size;
    else if (whence !== SEEK_SET) return -E.EINVAL;
    if (to < 0 || !Number.isSafeInteger(to)) return -E.EINVAL;
    this.offset = to;
    return to;
  }
}

/** A stat buffer: one link, whole pages, everything else zero. */
export const emptyStat = (): FsStat => ({ ...noStat(), nlink: 1, blksize: 4096 });

/** st_dev of files that no file system has. */
export const ANONYMOUS_DEV = 0xd;

/** Resets a reused stat buffer for a file that the file service does not know. */
export function fillStat(out: FsStat, mode: number, ino: number, rdev = 0, size = 0, blksize = 4096): 0 {
  out.dev = ANONYMOUS_DEV;
  out.ino = ino;
  out.mode = mode;
  out.nlink = 1;
  out.uid = 0;
  out.gid = 0;
  out.rdev = rdev;
  out.size = size;
  out.blksize = blksize;
  out.blocks = 0;
  out.atime[0] =
    out.atime[1] =
    out.mtime[0] =
    out.mtime[1] =
    out.ctime[0] =
    out.ctime[1] =
      0;
  return 0;
}
