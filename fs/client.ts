/** `FsClient` by IPC to the file service. */
import { EIO, ENAMETOOLONG } from "../host/errno.ts";
import type { HostEc } from "../hedron/api.ts";
import { HOST_PD } from "../roottask/protocol.ts";
import type { FsClient, FsEntry, FsStat, FsStatfs } from "./api.ts";
import { PATH_MAX } from "./flags.ts";
import type { Identity } from "./identity.ts";
import {
  DataWords,
  FIRST_LENGTH,
  FS_OP,
  getWide,
  LIST_BYTE,
  MAX_GROUPS_AT_ONCE,
  MAX_REPLY_TEXT,
  MAX_TEXT,
  SECOND_LENGTH,
  STAGED,
  STAT_AT,
  TEXT_WORD,
  TIME_OMIT,
} from "./protocol.ts";
import { decodeText, encodeText } from "./text.ts";

/**
 * Every call uses the UTCB and the SC of `ec`, which must be the EC that is running: a service with several local ECs sets `ec` when a
 * handler starts and after each `yield`, or makes one client per EC (clients hold nothing but this field).
 */
export class IpcFsClient implements FsClient {
  private readonly words = new DataWords();

  constructor(public ec: HostEc, private readonly portal: number = HOST_PD.FS) {}

  /** Sends what stands in the UTCB; `untyped` words of request. */
  private call(untyped: number): number {
    const { ec } = this;
    ec.utcb.untyped = untyped;
    ec.utcb.typed = 0;
    return ec.call(this.portal) === 0 ? ec.utcb.get(0) : -EIO;
  }

  private simple(operation: number, a: number, b = 0, c = 0, d = 0): number {
    const { utcb } = this.ec;
    utcb.set(0, operation);
    utcb.set(1, a);
    utcb.set(2, b);
    utcb.set(3, c);
    utcb.set(4, d);
    return this.call(5);
  }

  private withText(operation: number, text: string, a: number, b = 0, c = 0, d = 0, e = 0): number {
    const { utcb } = this.ec;
    let length = encodeText(text, utcb.bytes, TEXT_WORD * 8);
    if (length < 0) {
      if (!this.stage(0, text)) return -ENAMETOOLONG;
      length = STAGED;
    }
    return this.send(operation, a, b, c, d, e, length, 0);
  }

  private withTexts(operation: number, first: string, second: string, a: number, b = 0, c = 0, d = 0): number {
    const { utcb } = this.ec;
    let one = encodeText(first, utcb.bytes, TEXT_WORD * 8);
    let two = one < 0 ? one : encodeText(second, utcb.bytes, TEXT_WORD * 8 + one);
    if (two < 0) {
      if (!this.stage(0, first) || !this.stage(1, second)) return -ENAMETOOLONG;
      one = two = STAGED;
    }
    return this.send(operation, a, b, c, d, 0, one, two);
  }

  private send(operation: number, a: number, b: number, c: number, d: number, e: number, first: number, second: number): number {
    const { utcb } = this.ec;
    utcb.set(0, operation);
    utcb.set(1, a);
    utcb.set(2, b);
    utcb.set(3, c);
    utcb.set(4, d);
    utcb.set(5, e);
    utcb.set(FIRST_LENGTH, first);
    utcb.set(SECOND_LENGTH, second);
    return this.call(TEXT_WORD + Math.ceil((Math.max(0, first) + Math.max(0, second)) / 8));
  }

  /** Sends a string in pieces ahead of its operation; false when no path is that long. */
  private stage(index: 0 | 1, text: string): boolean {
    const bytes = new Uint8Array(PATH_MAX), length = encodeText(text, bytes, 0);
    if (length < 0) return false;
    for (let at = 0; at === 0 || at < length; at += MAX_TEXT) {
      const piece = bytes.subarray(at, Math.min(length, at + MAX_TEXT));
      this.ec.utcb.bytes.set(piece, TEXT_WORD * 8);
      this.send(FS_OP.STAGE, index, at === 0 ? 1 : 0, 0, 0, 0, piece.length, 0);
    }
    return true;
  }

  actAs({ uid, gid, groups, capabilities }: Identity): void {
    for (let first = 0; first === 0 || first < groups.length; first += MAX_GROUPS_AT_ONCE) {
      const { utcb } = this.ec;
      [FS_OP.IDENTITY, uid, gid, capabilities, groups.length, first].forEach((word, i) => utcb.set(i, word));
      const part = groups.slice(first, first + MAX_GROUPS_AT_ONCE);
      part.forEach((group, i) => utcb.set(TEXT_WORD + i, group));
      this.call(TEXT_WORD + part.length);
    }
  }
  setRoot(handle: number): void {
    this.simple(FS_OP.ROOT, handle);
  }
  access(dir: number, path: string, mask: number, follow: boolean): number {
    return this.withText(FS_OP.ACCESS, path, dir, mask, follow ? 1 : 0);
  }
  open(dir: number, path: string, flags: number, mode: number, resolve = 0): number {
    return this.withText(FS_OP.OPEN, path, dir, flags, mode, resolve);
  }
  seek(handle: number, offset: number, hole: boolean): number {
    return this.simple(FS_OP.SEEK, handle, offset, hole ? 1 : 0);
  }
  allocate(handle: number, offset: number, length: number, { punch, keepSize }: { punch: boolean; keepSize: boolean }): number {
    return this.simple(FS_OP.ALLOCATE, handle, offset, length, (punch ? 1 : 0) | (keepSize ? 2 : 0));
  }
  close(handle: number): void {
    this.simple(FS_OP.CLOSE, handle);
  }
  dup(handle: number): void {
    this.simple(FS_OP.DUP, handle);
  }
  stat(dir: number, path: string, follow: boolean, out: FsStat): number {
    const status = this.withText(FS_OP.STAT, path, dir, follow ? 1 : 0);
    return status < 0 ? status : this.unpackStat(out);
  }
  fstat(handle: number, out: FsStat): number {
    const status = this.simple(FS_OP.FSTAT, handle);
    return status < 0 ? status : this.unpackStat(out);
  }

  private unpackStat(out: FsStat): number {
    const words = this.words.of(this.ec.utcb.bytes);
    out.dev = words[STAT_AT.DEV];
    out.mode = words[STAT_AT.MODE];
    out.nlink = words[STAT_AT.NLINK];
    out.uid = words[STAT_AT.UID];
    out.gid = words[STAT_AT.GID];
    out.rdev = words[STAT_AT.RDEV];
    out.blksize = words[STAT_AT.BLKSIZE];
    out.ino = getWide(words, STAT_AT.INO);
    out.size = getWide(words, STAT_AT.SIZE);
    out.blocks = getWide(words, STAT_AT.BLOCKS);
    out.atime[0] = getWide(words, STAT_AT.ATIME);
    out.mtime[0] = getWide(words, STAT_AT.MTIME);
    out.ctime[0] = getWide(words, STAT_AT.CTIME);
    out.atime[1] = words[STAT_AT.ATIME_NS];
    out.mtime[1] = words[STAT_AT.MTIME_NS];
    out.ctime[1] = words[STAT_AT.CTIME_NS];
    return 0;
  }

  read(handle: number, offset: number, pa: number, length: number): number {
    return this.simple(FS_OP.READ, handle, offset, pa, length);
  }
  write(handle: number, offset: number, pa: number, length: number): number {
    return this.simple(FS_OP.WRITE, handle, offset, pa, length);
  }
  size(handle: number): number {
    return this.simple(FS_OP.SIZE, handle);
  }
  truncate(handle: number, size: number): number {
    return this.simple(FS_OP.TRUNCATE, handle, size);
  }
  sync(handle: number): number {
    return this.simple(FS_OP.SYNC, handle);
  }

  list(handle: number, cookie: number, max: number): FsEntry[] | number {
    const count = this.simple(FS_OP.LIST, handle, cookie, max);
    if (count < 0) return count;
    const { bytes } = this.ec.utcb, entries: FsEntry[] = [];
    for (let i = 0, from = LIST_BYTE; i < count; i++) {
      let ino = 0;
      for (let byte = 7; byte >= 0; byte--) ino = ino * 256 + bytes[from + byte];
      const type = bytes[from + 8], length = bytes[from + 9];
      entries.push({ name: decodeText(bytes, from + 10, length), ino, type, next: cookie + i + 1 });
      from += 10 + length;
    }
    return entries;
  }

  mkdir(dir: number, path: string, mode: number): number {
    return this.withText(FS_OP.MKDIR, path, dir, mode);
  }
  mknod(dir: number, path: string, mode: number, rdev: number): number {
    return this.withText(FS_OP.MKNOD, path, dir, mode, rdev);
  }
  unlink(dir: number, path: string, directory: boolean): number {
    return this.withText(FS_OP.UNLINK, path, dir, directory ? 1 : 0);
  }
  symlink(target: string, dir: number, path: string): number {
    return this.withTexts(FS_OP.SYMLINK, path, target, dir);
  }
  readlink(dir: number, path: string): string | number {
    return this.text((offset) => this.withText(FS_OP.READLINK, path, dir, offset));
  }
  /** A text of any length; `ask` requests the part that begins at a byte offset and returns the length of the whole. */
  private text(ask: (offset: number) => number): string | number {
    const length = ask(0), { bytes } = this.ec.utcb;
    if (length < 0) return length;
    if (length <= MAX_REPLY_TEXT) return decodeText(bytes, 8, length);
    const whole = new Uint8Array(length);
    for (let at = 0; at < length; at += MAX_REPLY_TEXT) {
      if (at > 0 && ask(at) !== length) return -EIO;
      whole.set(bytes.subarray(8, 8 + Math.min(MAX_REPLY_TEXT, length - at)), at);
    }
    return decodeText(whole, 0, length);
  }
  link(fromDir: number, from: string, toDir: number, to: string, follow: boolean): number {
    return this.withTexts(FS_OP.LINK, from, to, fromDir, toDir, follow ? 1 : 0);
  }
  rename(fromDir: number, from: string, toDir: number, to: string, flags: number): number {
    return this.withTexts(FS_OP.RENAME, from, to, fromDir, toDir, flags);
  }
  chmod(dir: number, path: string, mode: number, follow: boolean): number {
    return this.withText(FS_OP.CHMOD, path, dir, mode, follow ? 1 : 0);
  }
  chown(dir: number, path: string, uid: number, gid: number, follow: boolean): number {
    return this.withText(FS_OP.CHOWN, path, dir, uid, gid, follow ? 1 : 0);
  }
  utime(
    dir: number,
    path: string,
    atime: [number, number] | undefined,
    mtime: [number, number] | undefined,
    follow: boolean,
  ): number {
    const [aSec, aNsec] = atime ?? [0, TIME_OMIT], [mSec, mNsec] = mtime ?? [0, TIME_OMIT];
    return this.withText(FS_OP.UTIME, path, 2 * dir + (follow ? 1 : 0), aSec, aNsec, mSec, mNsec);
  }
  getAttribute(dir: number, path: string, follow: boolean, name: string, pa: number, bytes: number): number {
    return this.withTexts(FS_OP.GET_ATTRIBUTE, path, name, 2 * dir + (follow ? 1 : 0), pa, bytes);
  }
  setAttribute(dir: number, path: string, follow: boolean, name: string, pa: number, bytes: number, flags: number): number {
    return this.withTexts(FS_OP.SET_ATTRIBUTE, path, name, 2 * dir + (follow ? 1 : 0), pa, bytes, flags);
  }
  listAttributes(dir: number, path: string, follow: boolean, pa: number, bytes: number): number {
    return this.withText(FS_OP.LIST_ATTRIBUTES, path, 2 * dir + (follow ? 1 : 0), pa, bytes);
  }
  removeAttribute(dir: number, path: string, follow: boolean, name: string): number {
    return this.withTexts(FS_OP.REMOVE_ATTRIBUTE, path, name, 2 * dir + (follow ? 1 : 0));
  }
  pathOf(handle: number): string | number {
    return this.text((offset) => this.simple(FS_OP.PATH_OF, handle, offset));
  }

  statfs(handle: number, out: FsStatfs): number {
    const status = this.simple(FS_OP.STATFS, handle), { utcb } = this.ec;
    if (status < 0) return status;
    out.type = utcb.get(1);
    out.bsize = utcb.get(2);
    out.blocks = utcb.get(3);
    out.bfree = utcb.get(4);
    out.files = utcb.get(5);
    out.ffree = utcb.get(6);
    out.namelen = utcb.get(7);
    out.readOnly = utcb.get(8) === 1;
    return 0;
  }
}
