import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { S_IFREG, SEEK_CUR, SEEK_SET } from "../abi/fcntl.ts";
import { PAGE } from "../abi/mman.ts";
import { Life, type Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** /proc/PID/mem: the memory of a process, positions being its addresses. Protection keeps writes out, unlike for Linux's debuggers. */
export class ProcessMemory extends OpenFile {
  readonly #process: Process;

  constructor(process: Process, flags: number) {
    super(flags);
    this.#process = process;
  }

  override get path(): string {
    return `/proc/${this.#process.pid}/mem`;
  }

  override get seekable(): boolean {
    return true;
  }

  /** Page by page: what lies before the first page that is not there counts. */
  #move(bytes: number, offset: number, one: (address: number, done: number, n: number) => boolean): number {
    if (this.#process.life === Life.Zombie || this.#process.life === Life.Gone) return 0;
    let done = 0;
    while (done < bytes) {
      const at = offset + done, n = Math.min(bytes - done, PAGE - at % PAGE);
      if (!one(at, done, n)) return done > 0 ? done : -E.EIO;
      done += n;
    }
    return done;
  }

  override readTo(t: Thread, pa: number, bytes: number, offset: number): number {
    return this.#move(bytes, offset, (address, done, n) => {
      const part = this.#process.user.bytes(address, n);
      if (part !== undefined) t.os.u8.set(part, pa + done);
      return part !== undefined;
    });
  }

  override writeFrom(t: Thread, pa: number, bytes: number, offset: number): number {
    return this.#move(
      bytes,
      offset,
      (address, done, n) => this.#process.user.putBytes(address, t.os.u8.slice(pa + done, pa + done + n)),
    );
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, S_IFREG | 0o600, this.#process.pid);
  }

  override seek(_t: Thread, offset: number, whence: number): number {
    return whence === SEEK_SET || whence === SEEK_CUR ? this.seekWithin(offset, whence, 0) : -E.EINVAL;
  }
}
