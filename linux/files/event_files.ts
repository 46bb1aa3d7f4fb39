import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_NONBLOCK, O_RDWR, POLLIN, POLLOUT } from "../abi/fcntl.ts";
import { getU64, putU64 } from "../memory/user.ts";
import type { Personality } from "../personality.ts";
import { IntervalTimer } from "../process/itimer.ts";
import type { Thread } from "../process/thread.ts";
import type { WaitQueue } from "../process/wait.ts";
import { SigSet } from "../signals/sigset.ts";
import type { SigInfo } from "../signals/state.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** Largest value of an eventfd less one; a counter beyond 2^53 would not be exact, and nobody counts that far. */
const EVENT_MAX = 2 ** 64 - 2;

export abstract class AnonymousFile extends OpenFile {
  protected readonly ino: number;

  constructor(os: Personality, flags: number) {
    super(O_RDWR | flags & O_NONBLOCK);
    this.ino = os.nextInode();
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, 0o600, this.ino);
  }

  /** noop_llseek. */
  override seek(): number {
    return 0;
  }
}

/** eventfd(2). */
export class EventFd extends AnonymousFile {
  #count: number;
  readonly #semaphore: boolean;

  constructor(os: Personality, count: number, semaphore: boolean, flags: number) {
    super(os, flags);
    this.#count = count;
    this.#semaphore = semaphore;
  }

  override get path(): string {
    return "anon_inode:[eventfd]";
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    if (bytes < 8) return -E.EINVAL;
    if (this.#count === 0) return -E.EAGAIN;
    const value = this.#semaphore ? 1 : this.#count;
    this.#count -= value;
    putU64(t.os.data, pa, value);
    this.queue.wakeAll();
    return 8;
  }

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    if (bytes < 8) return -E.EINVAL;
    const value = getU64(t.os.data, pa);
    if (value > EVENT_MAX) return -E.EINVAL;
    if (this.#count + value > EVENT_MAX) return -E.EAGAIN;
    this.#count += value;
    this.queue.wakeAll();
    return 8;
  }

  override poll(): number {
    return (this.#count > 0 ? POLLIN : 0) | (this.#count < EVENT_MAX ? POLLOUT : 0);
  }
}

/** timerfd_create(2). */
export class TimerFd extends AnonymousFile {
  readonly timer: IntervalTimer;
  #expirations = 0;

  constructor(os: Personality, real: boolean, flags: number) {
    super(os, flags);
    this.timer = new IntervalTimer(os, () => {
      this.#expirations += 1 + this.timer.overrun;
      this.queue.wakeAll();
    }, { real });
  }

  override get path(): string {
    return "anon_inode:[timerfd]";
  }

  /** Setting it anew forgets what has not been read. */
  reset(): void {
    this.#expirations = 0;
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    if (bytes < 8) return -E.EINVAL;
    if (this.#expirations === 0) return -E.EAGAIN;
    putU64(t.os.data, pa, this.#expirations);
    this.#expirations = 0;
    return 8;
  }

  override poll(): number {
    return this.#expirations > 0 ? POLLIN : 0;
  }

  protected override closed(): void {
    this.timer.stop();
  }
}

/** struct signalfd_siginfo. */
const SIGNALFD_BYTES = 128;

/** signalfd(2): reads the signals of whoever reads. */
export class SignalFd extends AnonymousFile {
  readonly mask = new SigSet();
  /** The complement, for SigSet.first(). */
  readonly #others = new SigSet();

  constructor(os: Personality, flags: number) {
    super(os, flags);
  }

  override get path(): string {
    return "anon_inode:[signalfd]";
  }

  setMask(lo: number, hi: number): void {
    this.mask.set(lo, hi);
    this.mask.remove(9);
    this.mask.remove(19);
    this.#others.set(~this.mask.lo, ~this.mask.hi);
  }

  #next(t: Thread): number {
    return t.pending.set.first(this.#others) || t.process.pending.set.first(this.#others);
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    if (bytes < SIGNALFD_BYTES) return -E.EINVAL;
    let done = 0;
    while (done + SIGNALFD_BYTES <= bytes) {
      const signal = this.#next(t);
      if (signal === 0) break;
      putSignalfdInfo(t.os, pa + done, t.os.signals.take(t, signal));
      done += SIGNALFD_BYTES;
    }
    return done === 0 ? -E.EAGAIN : done;
  }

  override poll(t: Thread): number {
    return this.#next(t) === 0 ? 0 : POLLIN;
  }

  override pollQueue(t: Thread): WaitQueue {
    return t.os.signalQueue;
  }
}

function putSignalfdInfo({ u8, data }: Personality, at: number, info: SigInfo): void {
  u8.fill(0, at, at + SIGNALFD_BYTES);
  data.setUint32(at, info.signal, true);
  data.setInt32(at + 8, info.code, true);
  data.setUint32(at + 12, info.pid, true);
  data.setUint32(at + 16, info.uid, true);
  data.setInt32(at + 40, info.status, true);
  data.setInt32(at + 44, info.valueLo, true);
  data.setUint32(at + 48, info.valueLo, true);
  data.setUint32(at + 52, info.valueHi, true);
  putU64(data, at + 72, info.address);
}
