import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_ACCMODE, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR, POLLHUP, POLLIN, POLLOUT, S_IFCHR } from "../abi/fcntl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { fillStat, OpenFile } from "./open_file.ts";
import { Tty } from "./tty.ts";
import { adoptTerminal, TtyFile } from "./tty_file.ts";

/** Majors of Documentation/admin-guide/devices.txt. */
const PTS_MAJOR = 136, PTMX = 5 << 8 | 2;
/** Output that waits for the master before a writer has to wait. */
const OUTPUT_LIMIT = 65536;

/** All pseudo-terminals of a machine. The host's terminal, when there is one, is number 0. */
export class Ptys {
  readonly #masters = new Map<number, PtyMaster>();

  open(t: Thread, flags: number): PtyMaster {
    let index = t.os.consoleTty === undefined ? 0 : 1;
    while (this.#masters.has(index)) index++;
    const master = new PtyMaster(t.os, index, t.credentials.uid, flags);
    this.#masters.set(index, master);
    return master;
  }

  get(index: number): PtyMaster | undefined {
    return this.#masters.get(index);
  }

  get indices(): number[] {
    return [...this.#masters.keys()];
  }

  forget(index: number): void {
    this.#masters.delete(index);
  }
}

/** /dev/ptmx: the side of the terminal emulator. */
export class PtyMaster extends OpenFile {
  readonly index: number;
  readonly tty: Tty;
  readonly #os: Personality;
  readonly #output: Uint8Array<ArrayBuffer>[] = [];
  outputBytes = 0;
  locked = true;
  slaves = 0;
  #hadSlave = false;

  constructor(os: Personality, index: number, uid: number, flags: number) {
    super(flags & (O_ACCMODE | O_NONBLOCK));
    this.#os = os;
    this.index = index;
    this.tty = new Tty(os, (bytes) => this.push(bytes));
    // The other side belongs to who has opened this one.
    this.tty.owner.uid = uid;
    this.tty.rows = this.tty.columns = 0;
  }

  override get path(): string {
    return "/dev/ptmx";
  }

  push(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === 0) return;
    this.#output.push(bytes);
    this.outputBytes += bytes.length;
    this.queue.wakeAll();
  }

  get full(): boolean {
    return this.outputBytes >= OUTPUT_LIMIT;
  }

  slave(t: Thread, flags: number): PtySlave | number {
    if (this.locked) return -E.EIO;
    const slave = new PtySlave(this, flags & ~(O_CLOEXEC | O_NOCTTY));
    this.slaves++;
    this.#hadSlave = true;
    const p = t.process;
    if ((flags & O_NOCTTY) === 0 && p.sid === p.pid && p.tty === undefined && this.tty.session === 0) adoptTerminal(t, this.tty);
    return slave;
  }

  slaveClosed(): void {
    if (--this.slaves === 0) this.queue.wakeAll();
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    if (this.#output.length === 0) return this.#hadSlave && this.slaves === 0 ? -E.EIO : -E.EAGAIN;
    let done = 0;
    while (done < bytes && this.#output.length > 0) {
      const first = this.#output[0];
      const part = first.subarray(0, bytes - done);
      t.os.u8.set(part, pa + done);
      if (part.length === first.length) this.#output.shift();
      else this.#output[0] = first.subarray(part.length);
      done += part.length;
    }
    this.outputBytes -= done;
    this.tty.queue.wakeAll();
    return done;
  }

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    this.tty.receive(t.os.u8.slice(pa, pa + bytes));
    return bytes;
  }

  override poll(): number {
    return (this.#output.length > 0 ? POLLIN : 0) | POLLOUT | (this.#hadSlave && this.slaves === 0 ? POLLHUP : 0);
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, S_IFCHR | 0o666, 2, PTMX, 0, 1024);
  }

  override ioctl(t: Thread, request: number, argument: number): Result {
    const { user } = t.process;
    switch (request) {
      case IOCTL.TIOCGPTN:
        return user.putU32(argument, this.index) ? 0 : -E.EFAULT;
      case IOCTL.TIOCSPTLCK: {
        const lock = user.u32(argument);
        if (lock < 0) return -E.EFAULT;
        this.locked = lock !== 0;
        return 0;
      }
      case IOCTL.TIOCGPTLCK:
        return user.putU32(argument, this.locked ? 1 : 0) ? 0 : -E.EFAULT;
      case IOCTL.TIOCPKT:
        return 0;
      case IOCTL.TIOCGPTPEER: {
        const slave = this.slave(t, argument | O_RDWR);
        if (typeof slave === "number") return slave;
        const fd = t.process.files.add(slave, (argument & O_CLOEXEC) !== 0, t.process.limits.openFiles);
        if (fd < 0) slave.close(t);
        return fd;
      }
      case IOCTL.FIONREAD:
        return user.putU32(argument, this.outputBytes) ? 0 : -E.EFAULT;
      case IOCTL.TIOCGPGRP:
        return user.putU32(argument, this.tty.foreground) ? 0 : -E.EFAULT;
    }
    // Settings and size are those of the terminal, whichever side asks.
    return new PtySlave(this, this.flags).ioctl(t, request, argument);
  }

  protected override closed(): void {
    this.#os.ptys.forget(this.index);
    this.tty.hangUp();
  }
}

/** /dev/pts/N. */
export class PtySlave extends TtyFile {
  readonly #master: PtyMaster;

  constructor(master: PtyMaster, flags: number) {
    super(master.tty, flags);
    this.#master = master;
  }

  override get path(): string {
    return `/dev/pts/${this.#master.index}`;
  }

  protected override get rdev(): number {
    return PTS_MAJOR << 8 | this.#master.index;
  }

  protected override put(t: Thread, pa: number, bytes: number): number {
    if (this.#master.full) return -E.EAGAIN;
    this.#master.push(this.tty.process(t.os.u8.subarray(pa, pa + bytes)));
    return bytes;
  }

  override reopen(t: Thread, flags: number): OpenFile | number {
    return this.#master.slave(t, flags);
  }

  protected override closed(): void {
    this.#master.slaveClosed();
  }
}
