import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { F, O_APPEND, O_RDWR, S_IFREG, SEEK_END } from "../abi/fcntl.ts";
import { PAGE, pageUp } from "../abi/mman.ts";
import { SharedObject } from "../memory/shared.ts";
import { forgetBeyond } from "../memory/shrink.ts";
import type { MappedFile, SharedPages } from "../memory/vma.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import { MemMapping } from "./mem_mapping.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** F_SEAL_* of include/uapi/linux/fcntl.h. */
const SEAL_SEAL = 1, SEAL_SHRINK = 2, SEAL_GROW = 4, SEAL_WRITE = 8, SEAL_FUTURE_WRITE = 16, SEAL_ALL = 0x1f;

/** What all descriptors of one memfd share. */
interface Contents {
  readonly pages: SharedObject;
  readonly ino: number;
  readonly name: string;
  seals: number;
}

/** memfd_create(2): a file that is only memory. */
export class MemFile extends OpenFile {
  readonly #contents: Contents;

  constructor(contents: Contents, flags: number) {
    super(flags);
    this.#contents = contents;
  }

  static create(os: Personality, name: string, sealable: boolean): MemFile {
    const pages = new SharedObject(os.pool, undefined, 0);
    return new MemFile({ pages, ino: os.nextInode(), name, seals: sealable ? 0 : SEAL_SEAL }, O_RDWR);
  }

  override get path(): string {
    return `/memfd:${this.#contents.name} (deleted)`;
  }

  override get seekable(): boolean {
    return true;
  }

  override get pollable(): boolean {
    return false;
  }

  get #size(): number {
    return this.#contents.pages.size;
  }

  override readTo(t: Thread, pa: number, bytes: number, offset: number): number {
    return this.#move(t, Math.min(bytes, this.#size - offset), offset, (page, at, n) => t.os.memory.copy(pa + at, page, n));
  }

  override writeFrom(t: Thread, pa: number, bytes: number, offset: number): number {
    const at = (this.flags & O_APPEND) !== 0 ? this.#size : offset;
    const { seals } = this.#contents;
    if ((seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)) !== 0) return -E.EPERM;
    if (at + bytes > this.#size) {
      if ((seals & SEAL_GROW) !== 0) return -E.EPERM;
      this.#contents.pages.size = at + bytes;
    }
    return this.#move(t, bytes, at, (page, done, n) => t.os.memory.copy(page, pa + done, n));
  }

  protected override advance(_t: Thread, bytes: number): void {
    this.offset = (this.flags & O_APPEND) !== 0 ? this.#size : this.offset + bytes;
  }

  #move(_t: Thread, bytes: number, offset: number, copy: (page: number, done: number, n: number) => void): number {
    let done = 0;
    while (done < bytes) {
      const at = offset + done;
      const part = this.#contents.pages.ensure(at - at % PAGE, PAGE);
      if (part === undefined) return done > 0 ? done : -E.ENOSPC;
      const n = Math.min(bytes - done, part.bytes - at % PAGE);
      copy(part.pa + at % PAGE, done, n);
      done += n;
    }
    return Math.max(0, done);
  }

  override stat(_t: Thread, out: FsStat): number {
    fillStat(out, S_IFREG | 0o777, this.#contents.ino, 0, this.#size);
    out.nlink = 0;
    out.blocks = this.#contents.pages.allocated / 512;
    return 0;
  }

  override seek(_t: Thread, offset: number, whence: number): number {
    return this.seekWithin(offset, whence, whence >= SEEK_END ? this.#size : 0);
  }

  override truncate(t: Thread, size: number): number {
    const { seals, pages } = this.#contents;
    if (size > this.#size && (seals & SEAL_GROW) !== 0 || size < this.#size && (seals & SEAL_SHRINK) !== 0) return -E.EPERM;
    if (size < pages.size) {
      // What is cut off must read as zero when the file grows again.
      pages.each(size, pageUp(pages.size) - size, (pa, _offset, n) => (t.os.memory.fill(pa, 0, n), 0));
      forgetBeyond(t.os, size, ({ shared, file }) => shared === pages || file instanceof MemMapping && file.contents === pages);
    }
    pages.size = size;
    return 0;
  }

  override sync(): number {
    return 0;
  }

  override map(t: Thread, shared: boolean): MappedFile | SharedPages {
    const { pages, ino } = this.#contents, { memory } = t.os;
    pages.dup();
    return shared ? pages : new MemMapping(pages, this.path, ino, (to, from, bytes) => memory.copy(to, from, bytes));
  }

  override fcntl(_t: Thread, command: number, argument: number): number {
    if (command === F.GET_SEALS) return this.#contents.seals;
    if (command !== F.ADD_SEALS) return -E.EINVAL;
    if ((argument & ~SEAL_ALL) !== 0) return -E.EINVAL;
    if ((this.#contents.seals & SEAL_SEAL) !== 0 || !this.writable) return -E.EPERM;
    this.#contents.seals |= argument;
    return 0;
  }

  override reopen(_t: Thread, flags: number): OpenFile {
    this.#contents.pages.dup();
    return new MemFile(this.#contents, flags);
  }

  protected override closed(): void {
    this.#contents.pages.release();
  }
}
