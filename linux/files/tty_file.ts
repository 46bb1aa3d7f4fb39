import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { POLLHUP, POLLIN, POLLOUT, S_IFCHR } from "../abi/fcntl.ts";
import * as T from "../abi/ioctl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, type WaitQueue, Woken } from "../process/wait.ts";
import { SI_KERNEL, SIG, SIG_IGN } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { fillStat, OpenFile } from "./open_file.ts";
import type { Tty } from "./tty.ts";

/** Tenths of a second, the unit of VTIME. */
const TENTH_NS = 100_000_000;

/** A descriptor of a terminal, on the side of the programs. */
export abstract class TtyFile extends OpenFile {
  readonly tty: Tty;

  constructor(tty: Tty, flags: number) {
    super(flags);
    this.tty = tty;
  }

  /** Device number: major << 8 | minor. */
  protected abstract get rdev(): number;
  /** Bytes written, or -errno. */
  protected abstract put(t: Thread, pa: number, bytes: number): number;

  override pollQueue(): WaitQueue {
    return this.tty.queue;
  }

  override poll(_t: Thread): number {
    const { tty } = this;
    return (tty.readable ? POLLIN : 0) | POLLOUT | (tty.hungUp ? POLLHUP : 0);
  }

  override stat(_t: Thread, out: FsStat): number {
    const { uid, gid, mode } = this.tty.owner;
    fillStat(out, S_IFCHR | mode, 3 + (this.rdev & 0xff), this.rdev, 0, 1024);
    out.uid = uid;
    out.gid = gid;
    return 0;
  }

  /** A background process must not read, nor (with TOSTOP) write or change settings. 0 or -errno; -ERESTARTSYS after a stop. */
  #jobControl(t: Thread, signal: number): number {
    const { tty } = this;
    const p = t.process;
    if (p.tty !== tty || tty.foreground === 0 || tty.foreground === p.pgid) return 0;
    const ignored = t.mask.has(signal) || p.actions.table[signal].handler === SIG_IGN;
    if (ignored) return signal === SIG.TTIN ? -E.EIO : 0;
    for (const other of [...t.os.processes.values()]) {
      if (other.pgid === p.pgid) t.os.signals.sendToProcess(other, sigInfo(signal, SI_KERNEL));
    }
    return -E.ERESTARTSYS;
  }

  override read(t: Thread, va: number, bytes: number): Result {
    const job = this.#jobControl(t, SIG.TTIN);
    if (job !== 0) return job;
    const { tty } = this;
    const minimum = tty.control(T.VMIN), time = tty.control(T.VTIME);
    if (!tty.canonical && minimum === 0) {
      const now = this.tryRead(t, va, bytes, 0);
      if (now !== -E.EAGAIN) return now;
      return time === 0 ? 0 : this.#timedRead(t, va, bytes, t.os.now() + time * TENTH_NS);
    }
    return super.read(t, va, bytes);
  }

  *#timedRead(t: Thread, va: number, bytes: number, deadline: number): Blocking {
    const { queue } = this.tty;
    queue.add(t);
    try {
      while (true) {
        const why = yield* t.sleep(deadline);
        const done = this.tryRead(t, va, bytes, 0);
        if (done !== -E.EAGAIN) return done;
        if (why === Woken.TimedOut) return 0;
        if (why === Woken.Interrupted) return -E.ERESTARTSYS;
      }
    } finally {
      queue.remove(t);
    }
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    const got = this.tty.take(bytes);
    if (got === undefined) return -E.EAGAIN;
    t.os.u8.set(got, pa);
    return got.length;
  }

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    if (this.tty.hungUp) return -E.EIO;
    if (this.tty.local(T.TOSTOP)) {
      const job = this.#jobControl(t, SIG.TTOU);
      if (job !== 0) return job;
    }
    return bytes === 0 ? 0 : this.put(t, pa, bytes);
  }

  override ioctl(t: Thread, request: number, argument: number): Result {
    const { tty } = this;
    const { user } = t.process;
    switch (request) {
      case IOCTL.TCGETS:
        return user.putBytes(argument, tty.termios) ? 0 : -E.EFAULT;
      case IOCTL.TCGETS2: {
        const bytes = new Uint8Array(T.TERMIOS2_BYTES);
        bytes.set(tty.termios);
        new DataView(bytes.buffer).setUint32(36, 38400, true);
        new DataView(bytes.buffer).setUint32(40, 38400, true);
        return user.putBytes(argument, bytes) ? 0 : -E.EFAULT;
      }
      case IOCTL.TCSETS:
      case IOCTL.TCSETSW:
      case IOCTL.TCSETSF:
      case IOCTL.TCSETS2:
      case IOCTL.TCSETSW2:
      case IOCTL.TCSETSF2: {
        const job = this.#jobControl(t, SIG.TTOU);
        if (job !== 0) return job;
        const bytes = user.bytes(argument, T.TERMIOS_BYTES);
        if (bytes === undefined) return -E.EFAULT;
        tty.configure(bytes, request === IOCTL.TCSETSF || request === IOCTL.TCSETSF2);
        return 0;
      }
      case IOCTL.TIOCGWINSZ:
        return this.#windowSize(t, argument);
      case IOCTL.TIOCSWINSZ: {
        const at = user.in(argument, 8);
        if (at < 0) return -E.EFAULT;
        tty.resize(user.data.getUint16(at, true), user.data.getUint16(at + 2, true));
        return 0;
      }
      case IOCTL.TCFLSH:
        if (argument !== 1) tty.flushInput();
        return 0;
      case IOCTL.TCXONC:
      case IOCTL.TCSBRK:
      case IOCTL.TIOCEXCL:
      case IOCTL.TIOCNXCL:
        return 0;
      case IOCTL.TIOCOUTQ:
        return user.putU32(argument, 0) ? 0 : -E.EFAULT;
      case IOCTL.FIONREAD:
        return user.putU32(argument, tty.pendingBytes) ? 0 : -E.EFAULT;
    }
    return this.#session(t, request, argument);
  }

  #windowSize(t: Thread, argument: number): number {
    this.measure(t);
    const out = new Uint8Array(8);
    const data = new DataView(out.buffer);
    data.setUint16(0, this.tty.rows, true);
    data.setUint16(2, this.tty.columns, true);
    return t.process.user.putBytes(argument, out) ? 0 : -E.EFAULT;
  }

  /** Brings the window size up to date. */
  protected measure(_t: Thread): void {}

  /** Requests about sessions and process groups. */
  #session(t: Thread, request: number, argument: number): number {
    const { tty } = this;
    const p = t.process;
    const { user } = p;
    switch (request) {
      case IOCTL.TIOCGPGRP:
        if (p.tty !== tty) return -E.ENOTTY;
        return user.putU32(argument, tty.foreground) ? 0 : -E.EFAULT;
      case IOCTL.TIOCSPGRP: {
        if (p.tty !== tty || tty.session !== p.sid) return -E.ENOTTY;
        const job = this.#jobControl(t, SIG.TTOU);
        if (job !== 0) return job;
        const pgid = user.u32(argument);
        if (pgid < 0) return -E.EFAULT;
        if (pgid > 0x7fff_ffff) return -E.EINVAL;
        const member = [...t.os.processes.values()].find((other) => other.pgid === pgid);
        if (member === undefined) return -E.ESRCH;
        if (member.sid !== p.sid) return -E.EPERM;
        tty.foreground = pgid;
        return 0;
      }
      case IOCTL.TIOCGSID:
        if (p.tty !== tty) return -E.ENOTTY;
        return user.putU32(argument, tty.session) ? 0 : -E.EFAULT;
      case IOCTL.TIOCSCTTY:
        if (p.sid !== p.pid) return -E.EPERM;
        if (tty.session === p.sid) return 0;
        if (p.tty !== undefined || tty.session !== 0 && argument !== 1) return -E.EPERM;
        adoptTerminal(t, tty);
        return 0;
      case IOCTL.TIOCNOTTY:
        if (p.tty !== tty) return -E.ENOTTY;
        p.tty = undefined;
        if (p.sid === p.pid) tty.session = tty.foreground = 0;
        return 0;
    }
    return -E.ENOTTY;
  }
}

/** Makes a terminal the controlling one of the caller's session. */
export function adoptTerminal(t: Thread, tty: Tty): void {
  const p = t.process;
  tty.session = p.sid;
  tty.foreground = p.pgid;
  for (const other of t.os.processes.values()) {
    if (other.tty === tty && other.sid !== p.sid) other.tty = undefined;
    if (other.sid === p.sid) other.tty = tty;
  }
}
