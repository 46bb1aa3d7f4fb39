import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_RDONLY, O_RDWR, O_WRONLY, POLLIN, POLLOUT, S_IFIFO } from "../abi/fcntl.ts";
import type { Personality } from "../personality.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import type { WaitQueue } from "../process/wait.ts";
import { SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { fillStat, OpenFile } from "./open_file.ts";
import type { Tty } from "./tty.ts";
import { TtyFile } from "./tty_file.ts";

/** Device number of /dev/pts/0, which the host's terminal is for programs. */
const PTS_0 = 136 << 8;

/** Writes to fd 1 or 2 of the host; SIGPIPE when nobody reads there. */
function writeHost(t: Thread, fd: number, pa: number, bytes: number): number {
  const written = t.os.console.write(fd, pa, bytes, t.process.pid);
  if (written === -E.EPIPE) t.os.signals.sendToThread(t, sigInfo(SIG.PIPE, 0, t.process.pid));
  return written;
}

/** One of the host's standard streams that is no terminal: looks like a pipe. */
export class ConsoleStream extends OpenFile {
  readonly fd: 0 | 1 | 2;

  constructor(fd: 0 | 1 | 2) {
    super(fd === 0 ? O_RDONLY : O_WRONLY);
    this.fd = fd;
  }

  override get path(): string {
    return `pipe:[${this.fd + 1}]`;
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    return bytes === 0 ? 0 : t.os.console.read(pa, bytes);
  }

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    return bytes === 0 ? 0 : writeHost(t, this.fd, pa, bytes);
  }

  override pollQueue(t: Thread): WaitQueue {
    return t.os.console.queue;
  }

  /** Input cannot be looked at without taking it: it counts as ready unless the last read found nothing. */
  override poll(t: Thread): number {
    return this.fd !== 0 ? POLLOUT : t.os.console.dry ? 0 : POLLIN;
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, S_IFIFO | 0o600, this.fd + 1);
  }
}

/** The host's terminal. The host's own line discipline is switched off; output still gets its carriage returns there. */
export class ConsoleTerminal extends TtyFile {
  readonly fd: number;

  constructor(tty: Tty, fd: number, flags: number) {
    super(tty, flags);
    this.fd = fd;
  }

  override get path(): string {
    return "/dev/pts/0";
  }

  protected override get rdev(): number {
    return PTS_0;
  }

  protected override put(t: Thread, pa: number, bytes: number): number {
    return writeHost(t, this.fd === 2 ? 2 : 1, pa, bytes);
  }

  protected override measure(t: Thread): void {
    const { console } = t.os;
    if (console.isTerminal(this.fd)) this.tty.resize(console.rows, console.columns);
  }
}

/** Descriptors 0, 1 and 2 of a program that roottask starts; the host's terminal becomes its controlling terminal. */
export function openStandardStreams(os: Personality, p: Process): void {
  for (const fd of [0, 1, 2] as const) {
    const tty = os.console.isTerminal(fd) ? os.openConsoleTty() : undefined;
    if (tty === undefined && os.console.isClosed(fd)) continue;
    p.files.add(tty === undefined ? new ConsoleStream(fd) : new ConsoleTerminal(tty, fd, O_RDWR), false, 3, fd);
    if (tty === undefined || p.tty !== undefined) continue;
    p.tty = tty;
    if (tty.session !== 0) continue;
    tty.session = tty.foreground = p.pid;
  }
}
