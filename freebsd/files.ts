import { type Blocking, type Result, WaitQueue, Woken } from "../linux/process/wait.ts";
import { E, fromService } from "./abi/errno.ts";
import type { FreeBsd } from "./personality.ts";
import type { Thread } from "./thread.ts";

/** An open file description. Counted, as dup'ed descriptors share it. */
export interface OpenFile {
  users: number;
  /** FreeBSD O_* bits. */
  flags: number;
  /** Of the file service, or undefined. */
  readonly handle: number | undefined;
  offset: number;
  /** S_IFMT bits of st_mode. */
  readonly type: number;
  /**
   * Up to `bytes` bytes at `offset` (undefined: the file's own position) to RAM. What may wait gets a buffer of the personality, which it
   * fills only when it ends: a program can unmap its own memory meanwhile.
   */
  read(t: Thread, pa: number, bytes: number, offset: number | undefined): Result;
  write(t: Thread, pa: number, bytes: number, offset: number | undefined): Result;
  readable(): boolean;
  writable(): boolean;
  /** Changes with every transfer: what EV_CLEAR of kevent(2) takes for a new event. */
  readonly generation: number;
  /** Threads that wait until it is. */
  readonly queue: WaitQueue;
  /** A child of fork(2) does not get it. */
  readonly staysBehind?: true;
  /** Its process has closed descriptor `fd`. */
  forget?(fd: number): void;
  close(): void;
}

/** Waits on the file's queue until `attempt` gives anything but -EAGAIN; at once when it does so now or the file must not wait. */
export function whenPossible(t: Thread, file: Pick<OpenFile, "flags" | "queue">, attempt: () => number): Result {
  const result = attempt();
  return result !== -E.EAGAIN || (file.flags & O_NONBLOCK) !== 0 ? result : waitFor(t, file.queue, attempt);
}

export function* waitFor(t: Thread, queue: WaitQueue, attempt: () => number): Blocking {
  while (true) {
    queue.add(t);
    const why = yield* t.sleep(0);
    queue.remove(t);
    if (why === Woken.Interrupted) return -E.ERESTART;
    const result = attempt();
    if (result !== -E.EAGAIN) return result;
  }
}

export const S_IFIFO = 0o010000, S_IFCHR = 0o020000, S_IFDIR = 0o040000, S_IFREG = 0o100000;
export const O_NONBLOCK = 4, O_APPEND = 8;

/** A standard stream. */
export class ConsoleFile implements OpenFile {
  users = 1;
  offset = 0;
  readonly handle = undefined;
  readonly type = S_IFCHR;
  flags = 2;
  readonly generation = 0;

  constructor(private readonly os: FreeBsd, private readonly stream: number) {}

  get queue(): WaitQueue {
    return this.os.console.queue;
  }

  readable(): boolean {
    return !this.os.console.dry;
  }

  writable(): boolean {
    return true;
  }

  read(t: Thread, pa: number, bytes: number): Result {
    return whenPossible(t, this, () => fromService(this.os.console.read(pa, bytes)));
  }

  write(t: Thread, pa: number, bytes: number): Result {
    return fromService(this.os.console.write(this.stream === 2 ? 2 : 1, pa, bytes, t.process.pid));
  }

  close(): void {}
}

/** A file, directory or device of the file service. */
export class FsFile implements OpenFile {
  users = 1;
  offset = 0;
  readonly queue = new WaitQueue();
  readonly generation = 0;

  constructor(private readonly os: FreeBsd, readonly handle: number, readonly type: number, public flags: number) {}

  readable(): boolean {
    return true;
  }

  writable(): boolean {
    return true;
  }

  read(_t: Thread, pa: number, bytes: number, offset: number | undefined): Result {
    if (this.type === S_IFDIR) return -E.EISDIR;
    const got = fromService(this.os.fs.read(this.handle, offset ?? this.offset, pa, bytes));
    if (got > 0 && offset === undefined) this.offset += got;
    return got;
  }

  write(_t: Thread, pa: number, bytes: number, offset: number | undefined): Result {
    const append = (this.flags & O_APPEND) !== 0 && offset === undefined;
    const put = fromService(this.os.fs.write(this.handle, append ? -1 : offset ?? this.offset, pa, bytes));
    if (put > 0 && offset === undefined) this.offset = append ? this.os.fs.size(this.handle) : this.offset + put;
    return put;
  }

  close(): void {
    this.os.fs.close(this.handle);
  }
}

const PIPE_BYTES = 65536;

/** What both ends of a pipe, or of one direction of a connection, share. */
export class PipeBuffer {
  #ring: Uint8Array<ArrayBuffer> | undefined;
  #start = 0;
  length = 0;
  readers = 1;
  writers = 1;
  generation = 0;
  /** How often a FIFO was opened: who waits for the other side sees one that has come and gone. */
  opens = 0;
  /** The other end was closed before everything was read: told once, instead of the end. */
  reset = false;
  /** Descriptors on their way (SCM_RIGHTS), in the order in which they were sent. */
  readonly passed: OpenFile[][] = [];
  /** Threads that wait for a change. */
  readonly queues: readonly WaitQueue[];

  constructor(...queues: WaitQueue[]) {
    this.queues = queues;
  }

  take(u8: Uint8Array, pa: number, bytes: number, peek = false): number {
    const count = Math.min(bytes, this.length), ring = this.#ring;
    if (ring === undefined || count === 0) return 0;
    const first = Math.min(count, PIPE_BYTES - this.#start);
    u8.set(ring.subarray(this.#start, this.#start + first), pa);
    u8.set(ring.subarray(0, count - first), pa + first);
    if (peek) return count;
    this.#start = (this.#start + count) % PIPE_BYTES;
    this.length -= count;
    this.changed();
    return count;
  }

  get full(): boolean {
    return this.length >= PIPE_BYTES;
  }

  put(from: Uint8Array): number {
    const count = Math.min(from.length, PIPE_BYTES - this.length);
    if (count === 0) return 0;
    const ring = this.#ring ??= new Uint8Array(PIPE_BYTES);
    const end = (this.#start + this.length) % PIPE_BYTES, first = Math.min(count, PIPE_BYTES - end);
    ring.set(from.subarray(0, first), end);
    ring.set(from.subarray(first, count), 0);
    this.length += count;
    this.changed();
    return count;
  }

  changed(): void {
    this.generation++;
    for (const queue of this.queues) queue.wakeAll();
  }
}

/** One end of a pipe. */
export class PipeFile implements OpenFile {
  users = 1;
  offset = 0;
  readonly handle = undefined;
  readonly type = S_IFIFO;

  constructor(
    protected readonly os: FreeBsd,
    protected readonly pipe: PipeBuffer,
    private readonly writes: boolean,
    public flags: number,
  ) {}

  get queue(): WaitQueue {
    return this.pipe.queues[0];
  }

  readable(): boolean {
    return this.pipe.length > 0 || this.pipe.writers === 0;
  }

  writable(): boolean {
    return !this.pipe.full || this.pipe.readers === 0;
  }

  get generation(): number {
    return this.pipe.generation;
  }

  read(t: Thread, pa: number, bytes: number): Result {
    return this.writes ? -E.EBADF : whenPossible(t, this, () => {
      if (this.pipe.length > 0) return this.pipe.take(this.os.u8, pa, bytes);
      return this.pipe.writers === 0 ? 0 : -E.EAGAIN;
    });
  }

  write(t: Thread, pa: number, bytes: number): Result {
    if (!this.writes) return -E.EBADF;
    let from = this.os.u8.subarray(pa, pa + bytes);
    const result = whenPossible(t, this, () => {
      if (this.pipe.readers === 0) return -E.EPIPE;
      return this.pipe.put(from) || -E.EAGAIN;
    });
    // Another thread may unmap the memory while this one waits.
    if (typeof result !== "number") from = from.slice();
    return result;
  }

  close(): void {
    if (this.writes) this.pipe.writers--;
    else this.pipe.readers--;
    this.pipe.changed();
  }
}
