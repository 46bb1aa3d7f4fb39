/**
 * The memory file system, plain or as a writable layer over another one.
 *
 * With a `lower` file system its directories fill themselves on demand: a name that is neither here nor whited out is looked up below
 * and becomes a node of this layer that reads through to the lower one, until something about it is changed (copy-up). A directory made
 * anew never looks below (it is opaque by construction), and a renamed one takes its lower directory along.
 */
import { EINVAL, ENOENT, ENOSPC, ENOTEMPTY } from "../host/errno.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import { Contents } from "./contents.ts";
import {
  directoryType,
  NAME_MAX,
  OVERLAYFS_SUPER_MAGIC,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_PERM,
  TMPFS_MAGIC,
} from "./flags.ts";
import { type Clock, type DirectoryEntry, type FileSystem, Node, type Ram } from "./node.ts";
import type { Pool } from "./pool.ts";
import { PAGE } from "../cpu/layout.ts";
import { textBytes } from "./text.ts";

/** Inode numbers of a layer start here, so that those of the lower file system stay visible and unique. */
const LAYER_INO = 2 ** 40;

export class MemoryFs implements FileSystem {
  readonly readOnly = false;
  readonly root: MemoryDirectory;
  private nextIno: number;
  nodes = 0;

  constructor(
    readonly dev: number,
    readonly pool: Pool,
    readonly ram: Ram,
    readonly clock: Clock,
    private readonly lower?: Node,
  ) {
    this.nextIno = lower === undefined ? 1 : LAYER_INO;
    this.root = new MemoryDirectory(this, 0o755, lower);
    this.root.parent = this.root;
  }

  ino(): number {
    this.nodes++;
    return this.nextIno++;
  }

  statfs(out: FsStatfs): number {
    out.type = this.lower === undefined ? TMPFS_MAGIC : OVERLAYFS_SUPER_MAGIC;
    out.bsize = PAGE;
    out.blocks = this.pool.bytes / PAGE;
    out.bfree = this.pool.available / PAGE;
    out.files = this.nodes + 1_000_000;
    out.ffree = 1_000_000;
    out.namelen = NAME_MAX;
    out.readOnly = false;
    return 0;
  }
}

const emptyStat = (): FsStat => ({
  dev: 0,
  ino: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  blksize: 0,
  blocks: 0,
  atime: [0, 0],
  mtime: [0, 0],
  ctime: [0, 0],
});

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
  home: MemoryDirectory | undefined;

  constructor(override readonly fs: MemoryFs, mode: number, public lower: Node | undefined) {
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

  touch(...times: [number, number][]): void {
    const clock = this.fs.clock;
    clock.read();
    for (const time of times) time[0] = clock.seconds, time[1] = clock.nanoseconds;
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

  /** One name less; the contents live on while a handle is open. */
  unlinked(): void {
    this.own();
    this.nlink--;
    this.touch(this.ctime);
    if (this.nlink === 0) this.orphaned();
  }

  protected orphaned(): void {
    this.fs.nodes--;
  }
}

const copyTime = (to: [number, number], from: [number, number]): void => {
  to[0] = from[0];
  to[1] = from[1];
};

/** Regular files, and the pipes, sockets and devices that only have a name here. */
export class MemoryFile extends MemoryNode {
  /** Undefined while the contents are still those of `lower`. */
  private contents: Contents | undefined;
  private readonly isRegular: boolean;
  private readonly kind: number;

  constructor(fs: MemoryFs, mode: number, rdev: number, lower?: Node) {
    super(fs, mode, lower);
    this.kind = (lower?.type ?? mode) & S_IFMT;
    this.rdev = rdev;
    this.isRegular = this.kind === S_IFREG;
    if (lower === undefined) this.contents = new Contents(fs.pool, fs.ram);
  }

  override get type(): number {
    return this.kind;
  }

  protected fill(out: FsStat): void {
    out.size = this.size();
    out.blocks = this.contents === undefined ? Math.ceil(out.size / 512) : this.contents.blocks;
  }

  override open(): number {
    if (this.lower !== undefined && this.contents === undefined) {
      // Reading may still come from below, so the lower file must be open as well; it stays open until the last handle goes.
      if (this.openCount === 0) {
        const status = this.lower.open(false);
        if (status < 0) return status;
      }
      this.keep();
    }
    this.openCount++;
    return 0;
  }

  override close(): void {
    this.openCount--;
    if (this.openCount > 0) return;
    if (this.lower !== undefined && this.contents === undefined) this.lower.close(false);
    else if (this.nlink === 0) this.contents?.release();
    else this.contents?.trim();
  }

  override size(): number {
    return this.contents === undefined ? this.lowerSize() : this.contents.size;
  }

  override read(offset: number, to: number, length: number): number {
    if (!this.isRegular) return -EINVAL;
    if (this.contents === undefined) return this.lower!.read(offset, to, length);
    if (this.atime[0] <= this.mtime[0]) this.touch(this.atime);
    return this.contents.read(offset, to, length);
  }

  override write(offset: number, from: number, length: number): number {
    if (!this.isRegular) return -EINVAL;
    const contents = this.contents ?? this.copyUp(Infinity);
    if (typeof contents === "number") return contents;
    const result = contents.write(offset === -1 ? contents.size : offset, from, length);
    if (result > 0) this.touch(this.mtime, this.ctime);
    return result;
  }

  override truncate(size: number): number {
    if (!this.isRegular) return -EINVAL;
    const contents = this.contents ?? this.copyUp(size);
    if (typeof contents === "number") return contents;
    const result = contents.truncate(size);
    if (result === 0) this.touch(this.mtime, this.ctime);
    return result;
  }

  /** Brings the first `limit` bytes of the lower file here. */
  private copyUp(limit: number): Contents | number {
    this.own();
    const contents = new Contents(this.fs.pool, this.fs.ram);
    const status = copyContents(this.lower!, contents, this.fs, limit);
    if (status < 0) {
      contents.release();
      return status;
    }
    if (this.openCount > 0) this.lower!.close(false);
    this.contents = contents;
    return contents;
  }

  protected override orphaned(): void {
    super.orphaned();
    if (this.openCount === 0) this.contents?.release();
  }
}

/** Copies through one page-multiple bounce buffer from the pool; 0 or -errno. */
function copyContents(lower: Node, contents: Contents, fs: MemoryFs, limit: number): number {
  const total = Math.min(limit, lower.size());
  if (total === 0) return 0;
  let bytes = Math.min(256 << 10, Math.ceil(total / PAGE) * PAGE);
  let buffer = fs.pool.take(bytes);
  if (buffer === 0) buffer = fs.pool.take(bytes = PAGE);
  if (buffer === 0) return -ENOSPC;
  let status = lower.open(false);
  if (status >= 0) {
    for (let at = 0; at < total;) {
      const got = lower.read(at, buffer, Math.min(bytes, total - at));
      status = got > 0 ? contents.write(at, buffer, got) : got;
      if (got <= 0) break;
      if (status < got) {
        status = contents.write(at, buffer, got);
        if (status < 0) break;
      }
      at += got;
    }
    lower.close(false);
  }
  fs.pool.give(buffer, bytes);
  return Math.min(status, 0);
}

export class MemoryLink extends MemoryNode {
  constructor(fs: MemoryFs, private readonly target: string, lower?: Node) {
    super(fs, S_IFLNK | 0o777, lower);
  }
  override get type(): number {
    return S_IFLNK;
  }
  protected fill(out: FsStat): void {
    out.size = this.lower === undefined ? textBytes(this.target) : this.lower.size();
    out.blocks = 0;
  }
  override readlink(): string | number {
    return this.lower === undefined ? this.target : this.lower.readlink();
  }
}

/** Marks a name of the lower directory as removed. */
const WHITEOUT = null;

export class MemoryDirectory extends MemoryNode {
  readonly children = new Map<string, MemoryNode | typeof WHITEOUT>();

  constructor(fs: MemoryFs, mode: number, lower?: Node) {
    super(fs, S_IFDIR | mode & S_PERM, lower);
    this.nlink = 2;
  }

  override get type(): number {
    return S_IFDIR;
  }

  protected fill(out: FsStat): void {
    out.size = PAGE;
    out.blocks = 8;
  }

  override lookup(name: string): MemoryNode | number {
    const child = this.children.get(name);
    if (child !== undefined) return child === WHITEOUT ? -ENOENT : child;
    if (this.lower === undefined) return -ENOENT;
    const below = this.lower.lookup(name);
    return typeof below === "number" ? below : this.adopt(name, below);
  }

  /** The node of this layer for a node of the lower one. Directories are kept at once, others when they are opened or changed. */
  private adopt(name: string, below: Node): MemoryNode {
    if (below.isDirectory) {
      const directory = new MemoryDirectory(this.fs, 0, below);
      directory.parent = this;
      directory.name = name;
      this.children.set(name, directory);
      return directory;
    }
    const node = below.isLink ? new MemoryLink(this.fs, "", below) : new MemoryFile(this.fs, 0, 0, below);
    node.home = this;
    node.name = name;
    return node;
  }

  override entries(): DirectoryEntry[] | number {
    const entries: DirectoryEntry[] = [];
    if (this.lower !== undefined) {
      const below = this.lower.entries();
      if (typeof below === "number") return below;
      for (const entry of below) if (!this.children.has(entry.name)) entries.push(entry);
    }
    const stat = emptyStat();
    for (const [name, child] of this.children) {
      if (child === WHITEOUT) continue;
      child.stat(stat);
      entries.push({ name, ino: stat.ino, type: directoryType(child.type) });
    }
    return entries;
  }

  private changed(): void {
    this.own();
    this.touch(this.mtime, this.ctime);
  }

  /** Replaces a whiteout at the end of the order, so that listings stay in order of creation. */
  private add(name: string, node: MemoryNode): void {
    this.children.delete(name);
    this.children.set(name, node);
    this.changed();
  }

  private drop(name: string): void {
    if (this.lower === undefined) this.children.delete(name);
    else this.children.set(name, WHITEOUT);
    this.changed();
  }

  override create(name: string, mode: number, rdev: number): Node | number {
    const node = new MemoryFile(this.fs, mode, rdev);
    this.add(name, node);
    return node;
  }

  override temporary(mode: number): Node | number {
    const node = new MemoryFile(this.fs, S_IFREG | mode & S_PERM, 0);
    node.nlink = 0;
    return node;
  }

  override mkdir(name: string, mode: number): number {
    const directory = new MemoryDirectory(this.fs, mode);
    directory.parent = this;
    directory.name = name;
    this.add(name, directory);
    this.nlink++;
    return 0;
  }

  override symlink(name: string, target: string): number {
    this.add(name, new MemoryLink(this.fs, target));
    return 0;
  }

  override link(name: string, node: Node): number {
    if (!(node instanceof MemoryNode)) return -EINVAL;
    node.own();
    node.nlink++;
    node.touch(node.ctime);
    this.add(name, node);
    return 0;
  }

  private isEmpty(): boolean {
    const entries = this.entries();
    return typeof entries !== "number" && entries.length === 0;
  }

  override remove(name: string, directory: boolean): number {
    const node = this.lookup(name);
    if (typeof node === "number") return node;
    if (directory && node instanceof MemoryDirectory) {
      if (!node.isEmpty()) return -ENOTEMPTY;
      node.detach();
      this.own();
      this.nlink--;
    } else node.unlinked();
    this.drop(name);
    return 0;
  }

  private detach(): void {
    this.own();
    this.nlink = 0;
    this.parent = undefined;
    this.fs.nodes--;
  }

  override rename(name: string, to: Node, toName: string, exchange: boolean): number {
    if (!(to instanceof MemoryDirectory)) return -EINVAL;
    const node = this.lookup(name), target = to.lookup(toName);
    if (typeof node === "number") return node;
    node.own();
    if (exchange) {
      if (typeof target === "number") return target;
      target.own();
      this.place(name, target, to);
      to.place(toName, node, this);
      return 0;
    }
    if (typeof target !== "number") {
      const status = to.remove(toName, target.isDirectory);
      if (status < 0) return status;
    } else if (target !== -ENOENT) return target;
    this.drop(name);
    to.add(toName, node);
    if (node.isDirectory) this.nlink--, to.nlink++;
    this.moved(node, to, toName);
    return 0;
  }

  private place(name: string, node: MemoryNode, from: MemoryDirectory): void {
    this.children.set(name, node);
    this.changed();
    if (node.isDirectory) from.nlink--, this.nlink++;
    this.moved(node, this, name);
  }

  private moved(node: MemoryNode, to: MemoryDirectory, name: string): void {
    node.touch(node.ctime);
    if (!node.isDirectory) return;
    node.parent = to;
    node.name = name;
  }
}
