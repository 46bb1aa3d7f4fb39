import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import {
  F,
  O_ACCMODE,
  O_CLOEXEC,
  O_DIRECT,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  S_IFIFO,
} from "../abi/fcntl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import { PAGE, pageUp } from "../abi/mman.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** Writes up to this size are never mixed with others: PIPE_BUF. */
const PIPE_BUF = 4096;
const DEFAULT_BYTES = 65536, MAX_BYTES = 1 << 20;

/** The buffer between both ends: a ring in RAM. */
export class Pipe {
  readonly os: Personality;
  readonly ino: number;
  readers = 0;
  writers = 0;
  /** How often each side was opened: open() of a FIFO waits for the other one. */
  readerOpens = 0;
  writerOpens = 0;
  /** Ends, for their wait queues. */
  readonly ends: PipeEnd[] = [];
  capacity = DEFAULT_BYTES;
  #pa: number | undefined;
  #start = 0;
  length = 0;

  constructor(os: Personality, ino: number) {
    this.os = os;
    this.ino = ino;
  }

  /** RAM of the ring; allocated by the first write. */
  #ring(): number | undefined {
    this.#pa ??= this.os.pool.take(this.capacity, 0);
    return this.#pa;
  }

  get room(): number {
    return this.capacity - this.length;
  }

  put(pa: number, bytes: number): number {
    const ring = this.#ring();
    if (ring === undefined) return -E.ENOMEM;
    const n = Math.min(bytes, this.room);
    const at = (this.#start + this.length) % this.capacity;
    const first = Math.min(n, this.capacity - at);
    this.os.u8.copyWithin(ring + at, pa, pa + first);
    if (n > first) this.os.u8.copyWithin(ring, pa + first, pa + n);
    this.length += n;
    return n;
  }

  /** Copies the first `bytes` without taking them. Preconditions: they are there. */
  peek(pa: number, bytes: number): void {
    const ring = this.#ring();
    if (ring === undefined) return;
    const first = Math.min(bytes, this.capacity - this.#start);
    this.os.memory.copy(pa, ring + this.#start, first);
    if (bytes > first) this.os.memory.copy(pa + first, ring, bytes - first);
  }

  /** Preconditions: the pipe is not empty. */
  take(pa: number, bytes: number): number {
    const ring = this.#ring();
    if (ring === undefined) return -E.ENOMEM;
    const n = Math.min(bytes, this.length);
    const first = Math.min(n, this.capacity - this.#start);
    this.os.memory.copy(pa, ring + this.#start, first);
    if (n > first) this.os.memory.copy(pa + first, ring, n - first);
    this.length -= n;
    this.#start = this.length === 0 ? 0 : (this.#start + n) % this.capacity;
    return n;
  }

  /** F_SETPIPE_SZ. */
  resize(bytes: number): number {
    let size = PAGE;
    while (size < bytes) size *= 2;
    if (size > MAX_BYTES) return -E.EPERM;
    if (size < this.length) return -E.EBUSY;
    const pa = this.os.pool.take(size, 0);
    if (pa === undefined) return -E.ENOMEM;
    const { length } = this;
    if (length > 0) this.take(pa, length);
    this.#drop();
    this.#pa = pa;
    this.#start = 0;
    this.length = length;
    this.capacity = size;
    return size;
  }

  #drop(): void {
    if (this.#pa !== undefined) this.os.pool.release(this.#pa, pageUp(this.capacity));
    this.#pa = undefined;
  }

  wakeReaders(): void {
    for (const end of this.ends) if (!end.isWriter) end.queue.wakeAll();
  }

  wakeWriters(): void {
    for (const end of this.ends) if (end.isWriter) end.queue.wakeAll();
  }

  leave(end: PipeEnd): void {
    this.ends.splice(this.ends.indexOf(end), 1);
    if (end.isReader) this.readers--;
    if (end.isWriter) this.writers--;
    for (const other of this.ends) other.queue.wakeAll();
    if (this.ends.length === 0) this.#drop();
  }
}

export class PipeEnd extends OpenFile {
  readonly pipe: Pipe;
  readonly isReader: boolean;
  readonly isWriter: boolean;
  readonly #name: string | undefined;

  constructor(pipe: Pipe, flags: number, name?: string) {
    super(flags);
    this.pipe = pipe;
    this.isReader = this.readable;
    this.isWriter = this.writable;
    this.#name = name;
    pipe.ends.push(this);
    if (this.isReader) pipe.readers++, pipe.readerOpens++;
    if (this.isWriter) pipe.writers++, pipe.writerOpens++;
    for (const other of pipe.ends) if (other !== this) other.queue.wakeAll();
  }

  override get path(): string {
    return this.#name ?? `pipe:[${this.pipe.ino}]`;
  }

  override readTo(_t: Thread, pa: number, bytes: number): number {
    const { pipe } = this;
    if (bytes === 0) return 0;
    if (pipe.length === 0) return pipe.writers === 0 ? 0 : -E.EAGAIN;
    const n = pipe.take(pa, bytes);
    pipe.wakeWriters();
    return n;
  }

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    const { pipe } = this;
    if (pipe.readers === 0) {
      t.os.signals.sendToThread(t, sigInfo(SIG.PIPE, 0, t.process.pid, t.credentials.ruid));
      return -E.EPIPE;
    }
    if (bytes === 0) return 0;
    // Small writes are all or nothing.
    if (pipe.room === 0 || bytes <= PIPE_BUF && pipe.room < bytes) return -E.EAGAIN;
    const n = pipe.put(pa, bytes);
    pipe.wakeReaders();
    return n;
  }

  override poll(): number {
    const { pipe } = this;
    let events = 0;
    if (this.isReader) {
      if (pipe.length > 0) events |= POLLIN;
      if (pipe.writers === 0) events |= POLLHUP;
    }
    if (this.isWriter) {
      if (pipe.room >= PIPE_BUF) events |= POLLOUT;
      if (pipe.readers === 0) events |= POLLERR;
    }
    return events;
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, S_IFIFO | 0o600, this.pipe.ino);
  }

  override ioctl(t: Thread, request: number, argument: number): Result {
    if (request !== IOCTL.FIONREAD) return -E.ENOTTY;
    return t.process.user.putU32(argument, this.pipe.length) ? 0 : -E.EFAULT;
  }

  override fcntl(_t: Thread, command: number, argument: number): Result {
    if (command === F.GETPIPE_SZ) return this.pipe.capacity;
    return command === F.SETPIPE_SZ ? this.pipe.resize(argument) : -E.EINVAL;
  }

  override reopen(_t: Thread, flags: number): OpenFile {
    return new PipeEnd(this.pipe, flags & (O_ACCMODE | O_NONBLOCK));
  }

  protected override closed(_t: Thread | undefined): void {
    this.pipe.leave(this);
  }
}

/** pipe2(2). */
export function makePipe(t: Thread, address: number, flags: number): Result {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -E.EINVAL;
  const { files, limits, user } = t.process;
  const pipe = new Pipe(t.os, t.os.nextInode());
  const kept = flags & ~O_CLOEXEC;
  const reader = new PipeEnd(pipe, O_RDONLY | kept);
  const writer = new PipeEnd(pipe, O_WRONLY | kept);
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const readFd = files.add(reader, cloexec, limits.openFiles);
  const writeFd = readFd < 0 ? readFd : files.add(writer, cloexec, limits.openFiles);
  if (writeFd < 0) {
    if (readFd >= 0) files.close(t, readFd);
    else reader.close(t);
    writer.close(t);
    return writeFd;
  }
  const at = user.out(address, 8);
  if (at < 0) {
    files.close(t, readFd);
    files.close(t, writeFd);
    return -E.EFAULT;
  }
  user.data.setInt32(at, readFd, true);
  user.data.setInt32(at + 4, writeFd, true);
  return user.done();
}
