/** What files, links and directories of a memory file system have in common: attributes, and their copy-up from a lower node. */
import { PAGE } from "../cpu/layout.ts";
import type { Attributes } from "./attributes.ts";
import type { FsStat } from "./api.ts";
import { S_IFMT, S_PERM } from "./flags.ts";
import { type Clock, type FileSystem, Node, type Ram } from "./node.ts";
import type { Pool } from "./pool.ts";
import { emptyStat } from "./empty_stat.ts";

/** The file system as its nodes see it. */
export interface MemoryLayer extends FileSystem {
  readonly pool: Pool;
  readonly ram: Ram;
  readonly clock: Clock;
  /** Inodes in use. */
  nodes: number;
  /** Are there as many as there may be? */
  readonly full: boolean;
  /** A fresh inode number, counted as in use. */
  ino(): number;
}

/** A directory as the keeper of its entries. */
export interface Home {
  readonly children: Map<string, MemoryNode | null>;
}

/** What every node of a memory file system has. */
export abstract class MemoryNode extends Node {
  ino = 0;
  mode = 0;
  nlink = 1;
  uid = 0;
  gid = 0;
  rdev = 0;
  atime: [number, number] = [0, 0];
  mtime: [number, number] = [0, 0];
  ctime: [number, number] = [0, 0];
  openCount = 0;
  /** The attributes are still those of `lower`. */
  protected pristine: boolean;
  /** Where a node that only reads through would be kept if it were changed. */
  home: Home | undefined;

  constructor(override readonly fs: MemoryLayer, mode: number, public lower: Node | undefined) {
    super(fs);
    this.pristine = lower !== undefined;
    if (lower === undefined) {
      this.ino = fs.ino();
      this.mode = mode;
      this.touch(this.atime, this.mtime, this.ctime);
    }
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  touch(first: [number, number], second?: [number, number], third?: [number, number]): void {
    const { clock } = this.fs;
    clock.read();
    const { seconds, nanoseconds } = clock;
    first[0] = seconds;
    first[1] = nanoseconds;
    if (second !== undefined) second[0] = seconds, second[1] = nanoseconds;
    if (third !== undefined) third[0] = seconds, third[1] = nanoseconds;
  }

  /** Copies the attributes up before one of them changes, and makes this the node of its name for good. */
  own(): void {
    this.keep();
    if (!this.pristine) return;
    this.pristine = false;
    this.fs.nodes++;
    const stat = emptyStat();
    this.lower!.stat(stat);
    this.ino = stat.ino;
    this.mode = stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.rdev = stat.rdev;
    this.nlink = this.isDirectory ? stat.nlink : 1;
    this.atime = stat.atime;
    this.mtime = stat.mtime;
    this.ctime = stat.ctime;
  }

  /** From now on a lookup of the name gives this very node. */
  keep(): void {
    if (this.home === undefined) return;
    this.home.children.set(this.name, this);
    this.home = undefined;
  }

  protected lowerSize(): number {
    return this.lower === undefined ? 0 : this.lower.size();
  }

  protected abstract fill(out: FsStat): void;

  stat(out: FsStat): number {
    if (this.pristine) {
      const status = this.lower!.stat(out);
      if (status < 0) return status;
      out.dev = this.fs.dev;
      return 0;
    }
    out.dev = this.fs.dev;
    out.ino = this.ino;
    out.mode = this.mode;
    out.nlink = this.nlink;
    out.uid = this.uid;
    out.gid = this.gid;
    out.rdev = this.rdev;
    out.blksize = PAGE;
    copyTime(out.atime, this.atime);
    copyTime(out.mtime, this.mtime);
    copyTime(out.ctime, this.ctime);
    this.fill(out);
    return 0;
  }

  override chmod(mode: number): number {
    this.own();
    this.mode = this.mode & S_IFMT | mode & S_PERM;
    this.touch(this.ctime);
    return 0;
  }

  override chown(uid: number, gid: number): number {
    this.own();
    if (uid !== -1) this.uid = uid;
    if (gid !== -1) this.gid = gid;
    this.touch(this.ctime);
    return 0;
  }

  override utime(atime: [number, number] | undefined, mtime: [number, number] | undefined): number {
    this.own();
    if (atime !== undefined) copyTime(this.atime, atime);
    if (mtime !== undefined) copyTime(this.mtime, mtime);
    this.touch(this.ctime);
    return 0;
  }

  private attributes: Attributes | undefined;

  override attributeMap(change: boolean): Attributes | undefined {
    if (!change) return this.attributes;
    this.own();
    this.touch(this.ctime);
    return this.attributes ??= new Map();
  }

  /** One name less; the contents live on while a handle is open. */
  unlinked(): void {
    this.own();
    this.nlink--;
    this.touch(this.ctime);
    this.fs.nodes--;
    if (this.nlink === 0) this.orphaned();
  }

  protected orphaned(): void {}
}

/** Does `a` lie at or before `b`? */
export const notAfter = (a: [number, number], b: [number, number]): boolean => a[0] < b[0] || a[0] === b[0] && a[1] <= b[1];

const copyTime = (to: [number, number], from: [number, number]): void => {
  to[0] = from[0];
  to[1] = from[1];
};
