import type { FsClient, FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import {
  O_APPEND,
  POLLIN,
  POLLOUT,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
} from "../abi/fcntl.ts";
import type { SharedObject } from "../memory/shared.ts";
import { forgetBeyond } from "../memory/shrink.ts";
import type { MappedFile, SharedPages } from "../memory/vma.ts";
import type { Thread } from "../process/thread.ts";
import { SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { RLIMIT_FSIZE } from "../process/limits.ts";
import { FsMapping, stampOf } from "./fs_mapping.ts";
import { IN, tellFile } from "./inotify.ts";
import { type DirEntry, OpenFile } from "./open_file.ts";

/** A regular file, directory or device of the file service. */
export class FsFile extends OpenFile {
  readonly #handle: number;
  /** S_IF* bits. */
  readonly type: number;
  readonly dev: number;
  readonly ino: number;
  readonly #fs: FsClient;
  /** Of the file in the tables of mapped files. */
  #keyText = "";

  constructor(fs: FsClient, handle: number, stat: FsStat, flags: number) {
    super(flags);
    this.#fs = fs;
    this.#handle = handle;
    this.type = stat.mode & S_IFMT;
    this.dev = stat.dev;
    this.ino = stat.ino;
  }

  get #key(): string {
    return this.#keyText ||= `${this.dev}:${this.ino}`;
  }

  override get handle(): number {
    return this.#handle;
  }

  override get path(): string {
    const path = this.#fs.pathOf(this.#handle);
    return typeof path === "string" ? path : "(deleted)";
  }

  override get seekable(): boolean {
    return this.type === S_IFREG || this.type === S_IFDIR || this.type === S_IFBLK || this.type === S_IFCHR;
  }

  override readTo(t: Thread, pa: number, bytes: number, offset: number): number {
    if (this.type === S_IFDIR) return -E.EISDIR;
    if (bytes === 0) return 0;
    // What a shared mapping has changed must be seen by read().
    if (t.os.sharedFiles.size > 0) this.#pages(t)?.sync(offset, bytes);
    this.#tell(t, IN.ACCESS);
    return t.fs.read(this.#handle, offset, pa, bytes);
  }

  /** The pages of this file that are mapped shared. */
  #pages(t: Thread): SharedObject | undefined {
    return t.os.sharedFiles.get(this.#key);
  }

  /** Brings shared mappings in line with what was written to the file from RAM at `pa`. */
  #update(t: Thread, offset: number, pa: number, bytes: number): void {
    this.#pages(t)?.each(offset, bytes, (page, at, n) => (t.os.memory.copy(page, pa + at - offset, n), 0));
  }

  /** The same for pages that are mapped privately. */
  #updateCache(t: Thread, append: boolean, offset: number, pa: number, bytes: number): void {
    const stat = t.os.statBuffer;
    if (t.fs.fstat(this.#handle, stat) < 0) return;
    const at = append ? stat.size - bytes : offset;
    t.os.fileCache.written(this.#key, stampOf(stat), at, pa, bytes, (to, from, n) => t.os.memory.copy(to, from, n));
  }

  override writeFrom(t: Thread, pa: number, bytes: number, offset: number): number {
    if (bytes === 0) return 0;
    const append = (this.flags & O_APPEND) !== 0;
    const limit = t.process.limits.soft[RLIMIT_FSIZE];
    let count = bytes;
    if (limit !== Infinity && this.type === S_IFREG) {
      const start = append ? t.fs.size(this.#handle) : offset;
      if (start >= limit) {
        t.os.signals.sendToThread(t, sigInfo(SIG.XFSZ, 0, t.process.pid));
        return -E.EFBIG;
      }
      count = Math.min(count, limit - start);
    }
    const at = append && t.os.sharedFiles.size > 0 ? t.fs.size(this.#handle) : offset;
    const written = t.fs.write(this.#handle, append ? -1 : offset, pa, count);
    if (written > 0 && t.os.sharedFiles.size > 0) this.#update(t, at, pa, written);
    if (written > 0 && t.os.fileCache.has(this.#key)) this.#updateCache(t, append, offset, pa, written);
    if (written > 0) this.#tell(t, IN.MODIFY);
    return written;
  }

  protected override advance(t: Thread, bytes: number): void {
    this.offset = (this.flags & O_APPEND) !== 0 ? t.fs.size(this.#handle) : this.offset + bytes;
  }

  override get pollable(): boolean {
    return this.type !== S_IFREG && this.type !== S_IFDIR;
  }

  override poll(): number {
    return POLLIN | POLLOUT;
  }

  override stat(t: Thread, out: FsStat): number {
    return t.fs.fstat(this.#handle, out);
  }

  override seek(t: Thread, offset: number, whence: number): number {
    if (this.type === S_IFCHR) return 0;
    if (this.type === S_IFREG && (whence === SEEK_DATA || whence === SEEK_HOLE)) {
      const found = t.fs.seek(this.#handle, offset, whence === SEEK_HOLE);
      return found < 0 ? found : this.offset = found;
    }
    return this.seekWithin(offset, whence, whence >= SEEK_END ? t.fs.size(this.#handle) : 0);
  }

  override list(t: Thread, cookie: number, max: number): DirEntry[] | number {
    return this.type === S_IFDIR ? t.fs.list(this.#handle, cookie, max) : -E.ENOTDIR;
  }

  override truncate(t: Thread, size: number): number {
    if (this.type !== S_IFREG) return -E.EINVAL;
    const old = t.os.sharedFiles.size > 0 ? t.fs.size(this.#handle) : 0;
    if (old > size) this.#pages(t)?.each(size, old - size, (page, _at, n) => (t.os.memory.fill(page, 0, n), 0));
    const status = t.fs.truncate(this.#handle, size);
    if (status < 0) return status;
    t.os.fileCache.shortened(this.#key);
    forgetBeyond(t.os, size, ({ shared, file = shared?.file }) => file?.ino === this.ino && file.dev === this.dev);
    this.#tell(t, IN.MODIFY);
    return status;
  }

  override sync(t: Thread): number {
    return this.type === S_IFCHR ? -E.EINVAL : t.fs.sync(this.#handle);
  }

  override map(t: Thread, shared: boolean): MappedFile | SharedPages | number {
    if (this.type !== S_IFREG) return -E.ENODEV;
    const stat = t.os.statBuffer;
    const status = t.fs.fstat(this.#handle, stat);
    if (status < 0) return status;
    t.fs.dup(this.#handle);
    const mapping = new FsMapping(t.fs, t.os.fileCache, this.#handle, this.path, stat);
    return shared ? t.os.sharedFile(mapping) : mapping;
  }

  #tell(t: Thread, mask: number): void {
    if (!t.os.watches.none) tellFile(t, this.dev, this.ino, () => this.path, mask | (this.type === S_IFDIR ? IN.ISDIR : 0));
  }

  protected override closed(t: Thread | undefined): void {
    if (t !== undefined && !t.os.watches.none) this.#tell(t, this.writable ? IN.CLOSE_WRITE : IN.CLOSE_NOWRITE);
    t?.fs.close(this.#handle);
  }
}
