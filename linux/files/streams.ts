import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_RDONLY, O_RDWR, O_WRONLY, POLLIN, POLLOUT, S_IFCHR, S_IFIFO } from "../abi/fcntl.ts";
import { C_LFLAG, ICANON, IOCTL, standardTermios, TERMIOS_BYTES } from "../abi/ioctl.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { Blocking, Result, WaitQueue } from "../process/wait.ts";
import { SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import type { FdTable } from "./fd_table.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** Device number of a pseudo-terminal slave: major 136, minor 0. */
const PTS_0 = 136 << 8;

/** Terminal settings of the host's terminal; the host does the line editing. */
export class HostTerminal {
  readonly termios = standardTermios();
  foreground = 0;
  session = 0;
}

/** One of the host's standard streams. */
export class ConsoleStream extends OpenFile {
  readonly fd: 0 | 1 | 2;
  readonly terminal: HostTerminal | undefined;

  constructor(fd: 0 | 1 | 2, terminal: HostTerminal | undefined, flags: number) {
    super(flags);
    this.fd = fd;
    this.terminal = terminal;
  }

  override get path(): string {
    return this.terminal === undefined ? `pipe:[${this.fd + 1}]` : "/dev/pts/0";
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    if (bytes === 0) return 0;
    return t.os.console.read(pa, bytes);
  }

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    if (bytes === 0) return 0;
    const written = t.os.console.write(this.fd === 0 ? 1 : this.fd, pa, bytes, t.process.pid);
    if (written === -E.EPIPE) t.os.signals.sendToThread(t, sigInfo(SIG.PIPE, 0, t.process.pid));
    return written;
  }

  override read(t: Thread, va: number, bytes: number): Result {
    const { queue } = t.os.console;
    const done = this.tryRead(t, va, bytes, 0);
    if (done !== -E.EAGAIN || this.nonBlocking) return done;
    return this.#wait(t, va, bytes, queue);
  }

  *#wait(t: Thread, va: number, bytes: number, queue: WaitQueue): Blocking {
    queue.add(t);
    try {
      while (true) {
        const why = yield* t.sleep(0);
        const done = this.tryRead(t, va, bytes, 0);
        if (done !== -E.EAGAIN) return done;
        if (why === 2) return -E.ERESTARTSYS;
      }
    } finally {
      queue.remove(t);
    }
  }

  /** Input cannot be looked at without taking it: it counts as ready unless the last read found nothing. */
  override poll(t: Thread): number {
    const ready = t.os.console.dry ? 0 : POLLIN;
    return this.fd === 0 && this.terminal === undefined ? ready : ready | POLLOUT;
  }

  override pollQueue(t: Thread): WaitQueue {
    return t.os.console.queue;
  }

  override stat(_t: Thread, out: FsStat): number {
    if (this.terminal === undefined) return fillStat(out, S_IFIFO | 0o600, this.fd + 1);
    return fillStat(out, S_IFCHR | 0o620, 3, PTS_0, 0, 1024);
  }

  override ioctl(t: Thread, request: number, argument: number): Result {
    const { terminal } = this;
    if (terminal === undefined) return -E.ENOTTY;
    const { user } = t.process;
    switch (request) {
      case IOCTL.TCGETS:
        return user.putBytes(argument, terminal.termios) ? 0 : -E.EFAULT;
      case IOCTL.TCSETS:
      case IOCTL.TCSETSW:
      case IOCTL.TCSETSF: {
        const bytes = user.bytes(argument, TERMIOS_BYTES);
        if (bytes === undefined) return -E.EFAULT;
        terminal.termios.set(bytes);
        t.os.console.setRaw((new DataView(bytes.buffer).getUint32(C_LFLAG, true) & ICANON) === 0);
        return 0;
      }
      case IOCTL.TIOCGWINSZ: {
        t.os.console.isTerminal(this.fd);
        const { rows, columns } = t.os.console;
        const out = new Uint8Array(8);
        const data = new DataView(out.buffer);
        data.setUint16(0, rows, true);
        data.setUint16(2, columns, true);
        return user.putBytes(argument, out) ? 0 : -E.EFAULT;
      }
      case IOCTL.TIOCSWINSZ:
      case IOCTL.TCFLSH:
      case IOCTL.TCXONC:
      case IOCTL.TCSBRK:
        return 0;
      case IOCTL.TIOCGPGRP:
        return user.putU32(argument, terminal.foreground || t.process.pgid) ? 0 : -E.EFAULT;
      case IOCTL.TIOCSPGRP: {
        const pgid = user.u32(argument);
        if (pgid < 0) return -E.EFAULT;
        terminal.foreground = pgid;
        return 0;
      }
      case IOCTL.TIOCGSID:
        return user.putU32(argument, t.process.sid) ? 0 : -E.EFAULT;
      case IOCTL.TIOCSCTTY:
        terminal.session = t.process.sid;
        return 0;
      case IOCTL.TIOCNOTTY:
        return 0;
      case IOCTL.FIONREAD:
        return user.putU32(argument, 0) ? 0 : -E.EFAULT;
    }
    return -E.ENOTTY;
  }
}

/** Descriptors 0, 1 and 2 of a program that roottask starts. */
export function openStandardStreams(os: Personality, files: FdTable): void {
  const shared = os.terminal;
  for (const fd of [0, 1, 2] as const) {
    const terminal = os.console.isTerminal(fd) ? shared : undefined;
    const flags = terminal !== undefined ? O_RDWR : fd === 0 ? O_RDONLY : O_WRONLY;
    files.add(new ConsoleStream(fd, terminal, flags), false, 3);
  }
}
