/**
 * What a file system is made of. A `Node` is one file, directory, link or device; each file system has its own kinds of node.
 * Results >= 0 are values, negative ones are Linux errnos. The path walk and all checks that are the same for every file system
 * (existence, types, mount points, rename into itself ...) are done by `fs/namespace.ts` before a method here is called.
 */
import { EINVAL, EISDIR, ENOTDIR, ENXIO, EOPNOTSUPP, EPERM, EROFS } from "../host/errno.ts";
import type { Attributes } from "./attributes.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "./flags.ts";

export interface FileSystem {
  /** st_dev, unique within the service. */
  readonly dev: number;
  readonly readOnly: boolean;
  statfs(out: FsStatfs): number;
}

export interface DirectoryEntry {
  name: string;
  ino: number;
  /** DT_*. */
  type: number;
}

/** RAM of the file service's PD, as nodes use it. Addresses are physical; every range has been checked by the caller. */
export interface Ram {
  copy(to: number, from: number, length: number): void;
  fill(address: number, value: number, length: number): void;
  /** The bytes of a range, for devices and host files. After writing through it, call `changed`. */
  view(address: number, length: number): Uint8Array<ArrayBuffer>;
  changed(address: number, length: number): void;
}

/** Wall clock of the service; one allocation-free reading at a time. */
export interface Clock {
  seconds: number;
  nanoseconds: number;
  /** Refreshes both fields. */
  read(): void;
}

export abstract class Node {
  /** Directories: the directory that holds this one; the root's parent is itself; undefined after removal. Kept by the file systems. */
  parent: Node | undefined;
  /** Directories: name within `parent`. */
  name = "";
  /** Directories: roots of file systems mounted here, by name. They hide what the directory itself has under that name. */
  mounts: Map<string, Node> | undefined;
  /** Handles that may write, or, below 0, those that keep others from it because the file is being executed. */
  writers = 0;

  constructor(readonly fs: FileSystem) {}

  /** S_IF* bits; never changes. */
  abstract readonly type: number;
  abstract stat(out: FsStat): number;

  get isDirectory(): boolean {
    return (this.type & S_IFMT) === S_IFDIR;
  }
  get isLink(): boolean {
    return (this.type & S_IFMT) === S_IFLNK;
  }

  /** One more open handle; `write`: it may be written through. */
  open(_write: boolean): number {
    return 0;
  }
  /** One open handle less. */
  close(_write: boolean): void {}

  size(): number {
    return 0;
  }
  read(_offset: number, _to: number, _length: number): number {
    return this.isDirectory ? -EISDIR : -EINVAL;
  }
  /** Offset -1 appends. */
  write(_offset: number, _from: number, _length: number): number {
    return this.isDirectory ? -EISDIR : -EINVAL;
  }
  truncate(_size: number): number {
    return this.isDirectory ? -EISDIR : -EINVAL;
  }
  sync(): number {
    return 0;
  }
  /** lseek(SEEK_DATA), or SEEK_HOLE when `hole`: a file system that knows no holes has data everywhere. */
  seek(offset: number, hole: boolean): number {
    const size = this.size();
    return offset < 0 || offset >= size ? -ENXIO : hole ? size : offset;
  }
  /** fallocate(): makes a hole, or fills the holes of a range. */
  allocate(_offset: number, _length: number, _how: { punch: boolean; keepSize: boolean }): number {
    return -EOPNOTSUPP;
  }
  /** Extended attributes, to be changed when `change`; undefined when there are none yet. */
  attributeMap(_change: boolean): Attributes | number | undefined {
    return -EOPNOTSUPP;
  }
  /** linkat() of a file without a name (O_TMPFILE without O_EXCL) is allowed. */
  linkable = false;

  lookup(_name: string): Node | number {
    return -ENOTDIR;
  }
  /** Without "." and "..". */
  entries(): DirectoryEntry[] | number {
    return -ENOTDIR;
  }
  /** A regular file, pipe, socket or device; `mode` has the type. Precondition for this and the next three: `name` is free. */
  create(_name: string, _mode: number, _rdev: number): Node | number {
    return -EROFS;
  }
  mkdir(_name: string, _mode: number): number {
    return -EROFS;
  }
  symlink(_name: string, _target: string): number {
    return -EROFS;
  }
  /** Precondition: same file system, not a directory. */
  link(_name: string, _node: Node): number {
    return -EROFS;
  }
  /** An unnamed file (O_TMPFILE). */
  temporary(_mode: number): Node | number {
    return -EROFS;
  }
  /** Precondition: `name` exists and its being a directory equals `directory`. */
  remove(_name: string, _directory: boolean): number {
    return -EROFS;
  }
  /** Precondition: same file system; types and ancestry have been checked; `exchange` needs both names. */
  rename(_name: string, _to: Node, _toName: string, _exchange: boolean): number {
    return -EROFS;
  }
  readlink(): string | number {
    return -EINVAL;
  }

  /** Permission bits only. */
  chmod(_mode: number): number {
    return -EROFS;
  }
  /** -1 leaves one alone. */
  chown(_uid: number, _gid: number): number {
    return -EPERM;
  }
  /** [seconds, nanoseconds]; undefined leaves one alone. */
  utime(_atime: [number, number] | undefined, _mtime: [number, number] | undefined): number {
    return -EROFS;
  }
}
