import { E as LINUX } from "../linux/abi/errno.ts";
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
  close(): void;
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
    const got = this.os.console.read(pa, bytes);
    if (got !== -LINUX.EAGAIN || (this.flags & O_NONBLOCK) !== 0) return fromService(got);
    return this.#wait(t, pa, bytes);
  }

  *#wait(t: Thread, pa: number, bytes: number): Blocking {
    const { console } = this.os;
    while (true) {
      console.queue.add(t);
      const why = yield* t.sleep(0);
      console.queue.remove(t);
      if (why === Woken.Interrupted) return -E.ERESTART;
      const got = console.read(pa, bytes);
      if (got !== -LINUX.EAGAIN) return fromService(got);
    }
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

/** What both ends of a pipe share. */
export class PipeBuffer {
  readonly #bytes: number[] = [];
  readers = 1;
  writers = 1;
  generation = 0;
  readonly queue = new WaitQueue();

  get length(): number {
    return this.#bytes.length;
  }

  take(u8: Uint8Array, pa: number, bytes: number): number {
    const part = this.#bytes.splice(0, bytes);
    u8.set(part, pa);
    this.changed();
    return part.length;
  }

  get full(): boolean {
    return this.#bytes.length >= PIPE_BYTES;
  }

  put(from: Uint8Array): number {
    const count = Math.min(from.length, PIPE_BYTES - this.#bytes.length);
    for (let i = 0; i < count; i++) this.#bytes.push(from[i]);
    if (count > 0) this.changed();
    return count;
  }

  changed(): void {
    this.generation++;
    this.queue.wakeAll();
  }
}

/** One end of a pipe. */
export class PipeFile implements OpenFile {
  users = 1;
  offset = 0;
  readonly handle = undefined;
  readonly type = S_IFIFO;

  constructor(
    private readonly os: FreeBsd,
    private readonly pipe: PipeBuffer,
    private readonly writes: boolean,
    public flags: number,
  ) {}

  get queue(): WaitQueue {
    return this.pipe.queue;
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
    return this.writes ? -E.EBADF : this.#transfer(t, () => {
      if (this.pipe.length > 0) return this.pipe.take(this.os.u8, pa, bytes);
      return this.pipe.writers === 0 ? 0 : -E.EAGAIN;
    });
  }

  write(t: Thread, pa: number, bytes: number): Result {
    if (!this.writes) return -E.EBADF;
    let from = this.os.u8.subarray(pa, pa + bytes);
    const result = this.#transfer(t, () => {
      if (this.pipe.readers === 0) return -E.EPIPE;
      return this.pipe.put(from) || -E.EAGAIN;
    });
    // Another thread may unmap the memory while this one waits.
    if (typeof result !== "number") from = from.slice();
    return result;
  }

  #transfer(t: Thread, attempt: () => number): Result {
    const result = attempt();
    return result !== -E.EAGAIN || (this.flags & O_NONBLOCK) !== 0 ? result : this.#wait(t, attempt);
  }

  *#wait(t: Thread, attempt: () => number): Blocking {
    while (true) {
      this.queue.add(t);
      const why = yield* t.sleep(0);
      this.queue.remove(t);
      if (why === Woken.Interrupted) return -E.ERESTART;
      const result = attempt();
      if (result !== -E.EAGAIN) return result;
    }
  }

  close(): void {
    if (this.writes) this.pipe.writers--;
    else this.pipe.readers--;
    this.pipe.changed();
  }
}
