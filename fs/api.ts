import type { Identity } from "./identity.ts";

/** Handle of the client's root directory: always open, never to be closed. A `dir` for paths that are absolute anyway. */
export const FS_ROOT = 0;

/**
 * The file service as its clients see it. `fs/client.ts` implements it by IPC to the file service's portals;
 * the personality never sees the service's objects. A result >= 0 is a value, a negative one is a Linux errno.
 *
 * The service knows nodes (files, directories, links, devices) named by handles. File offsets, descriptor tables, O_APPEND
 * positions and working directories belong to the personality. Handles are counted: each must be closed once.
 *
 * Names are strings made from the guest's bytes as UTF-8; a byte b that is not part of valid UTF-8 is the lone surrogate U+DC00 + b
 * (`fs/text.ts` has both directions), so that every byte sequence survives the round trip.
 */
export interface FsClient {
  /** Requests from here on are made by `who`. */
  actAs(who: Identity): void;
  /** Requests from here on have this directory as their root: FS_ROOT is that of everything. */
  setRoot(handle: number): void;
  /** Do the permissions allow `mask` (MAY_* of `fs/identity.ts`)? 0 or -errno. An empty path means `dir` itself. */
  access(dir: number, path: string, mask: number, follow: boolean): number;
  /**
   * Walks `path` (absolute or relative to directory handle `dir`) within the client's root and opens what it names.
   * `flags` are Linux O_* bits (O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_PATH, O_TMPFILE and the access mode matter), or
   * `O_EXEC` of `fs/flags.ts`.
   * Returns a handle. An empty path opens the file of handle `dir` once more, whatever its names are by now (ENOENT for a directory).
   * ".." never leaves the root; at most 40 symlinks (ELOOP). `resolve`: RESOLVE_* of openat2(2).
   */
  open(dir: number, path: string, flags: number, mode: number, resolve?: number): number;
  /** lseek(SEEK_DATA), or SEEK_HOLE when `hole`. */
  seek(handle: number, offset: number, hole: boolean): number;
  /** fallocate(): makes [offset, offset + length) a hole, or gives its holes memory. */
  allocate(handle: number, offset: number, length: number, how: { punch: boolean; keepSize: boolean }): number;
  close(handle: number): void;
  /** One more owner of the same handle. */
  dup(handle: number): void;
  /** Fills `out`; `follow` false = lstat. An empty path means `dir` itself. */
  stat(dir: number, path: string, follow: boolean, out: FsStat): number;
  /** fstat(). */
  fstat(handle: number, out: FsStat): number;
  /** Copies up to `length` bytes at `offset` to physical memory [pa, pa+length) of the client's window. */
  read(handle: number, offset: number, pa: number, length: number): number;
  /** Copies from the client's window; offset -1 appends. */
  write(handle: number, offset: number, pa: number, length: number): number;
  /** Size after a write or truncate, without a full stat. */
  size(handle: number): number;
  truncate(handle: number, size: number): number;
  sync(handle: number): number;
  /** Up to `max` entries from position `cookie` (0 = start; pass the last entry's `next`). "." and ".." included. */
  list(handle: number, cookie: number, max: number): FsEntry[] | number;
  mkdir(dir: number, path: string, mode: number): number;
  mknod(dir: number, path: string, mode: number, rdev: number): number;
  /** unlink(), or rmdir() when `directory`. */
  unlink(dir: number, path: string, directory: boolean): number;
  symlink(target: string, dir: number, path: string): number;
  readlink(dir: number, path: string): string | number;
  link(fromDir: number, from: string, toDir: number, to: string, follow: boolean): number;
  /** `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
  rename(fromDir: number, from: string, toDir: number, to: string, flags: number): number;
  chmod(dir: number, path: string, mode: number, follow: boolean): number;
  chown(dir: number, path: string, uid: number, gid: number, follow: boolean): number;
  /** Times since 1970 as [seconds, nanoseconds], nanoseconds TIME_NOW for the present; undefined leaves one alone. */
  utime(
    dir: number,
    path: string,
    atime: [number, number] | undefined,
    mtime: [number, number] | undefined,
    follow: boolean,
  ): number;
  /** getxattr() and the others: values and lists (names with a 0 behind each) lie at physical [pa, pa + bytes). 0 bytes ask for the size. */
  getAttribute(dir: number, path: string, follow: boolean, name: string, pa: number, bytes: number): number;
  setAttribute(dir: number, path: string, follow: boolean, name: string, pa: number, bytes: number, flags: number): number;
  listAttributes(dir: number, path: string, follow: boolean, pa: number, bytes: number): number;
  removeAttribute(dir: number, path: string, follow: boolean, name: string): number;
  /** Absolute path of a handle within the client's root, or -ENOENT when it was removed. */
  pathOf(handle: number): string | number;
  statfs(handle: number, out: FsStatfs): number;
}

export interface FsStat {
  dev: number;
  ino: number;
  /** S_IF* type and permission bits. */
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  /** Device number of a character device: (major << 8) | minor. */
  rdev: number;
  size: number;
  blksize: number;
  /** 512-byte units. */
  blocks: number;
  atime: [number, number];
  mtime: [number, number];
  ctime: [number, number];
}

export interface FsStatfs {
  type: number;
  bsize: number;
  blocks: number;
  bfree: number;
  files: number;
  ffree: number;
  namelen: number;
  readOnly: boolean;
}

export interface FsEntry {
  name: string;
  ino: number;
  /** DT_* of getdents64. */
  type: number;
  /** Cookie of the entry after this one. */
  next: number;
}
