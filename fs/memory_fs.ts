/**
 * The memory file system, plain or as a writable layer over another one.
 *
 * With a `lower` file system its directories fill themselves on demand: a name that is neither here nor whited out is looked up below
 * and becomes a node of this layer that reads through to the lower one, until something about it is changed (copy-up). A directory made
 * anew never looks below (it is opaque by construction), and a renamed one takes its lower directory along.
 */
import { PAGE } from "../cpu/layout.ts";
import { EINVAL, ENOENT, ENOSPC, ENOTEMPTY } from "../host/errno.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import { directoryType, NAME_MAX, OVERLAYFS_SUPER_MAGIC, S_IFDIR, S_IFREG, S_PERM, TMPFS_MAGIC } from "./flags.ts";
import { MemoryFile, MemoryLink } from "./memory_file.ts";
import { type MemoryLayer, MemoryNode } from "./memory_node.ts";
import type { Clock, DirectoryEntry, Node, Ram } from "./node.ts";
import type { Pool } from "./pool.ts";
import { emptyStat } from "./empty_stat.ts";

/** Inode numbers of a layer start here, so that those of the lower file system stay visible and unique. */
const LAYER_INO = 2 ** 40;

export class MemoryFs implements MemoryLayer {
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

  /** As many inodes as the pool has pages: tmpfs's nr_inodes. They lie in the host's memory. */
  get #most(): number {
    return this.pool.bytes / PAGE;
  }
  get full(): boolean {
    return this.nodes >= this.#most;
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
    out.files = this.#most;
    out.ffree = Math.max(0, this.#most - this.nodes);
    out.namelen = NAME_MAX;
    out.readOnly = false;
    return 0;
  }
}

/** Marks a name of the lower directory as removed. */
const WHITEOUT = null;

export class MemoryDirectory extends MemoryNode {
  readonly children = new Map<string, MemoryNode | typeof WHITEOUT>();

  constructor(fs: MemoryLayer, mode: number, lower?: Node) {
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
      // What has vanished below since it was looked up is not shown.
      if (child.stat(stat) < 0) continue;
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
    if (this.fs.full) return -ENOSPC;
    const node = new MemoryFile(this.fs, mode, rdev);
    this.add(name, node);
    return node;
  }

  override temporary(mode: number): Node | number {
    if (this.fs.full) return -ENOSPC;
    const node = new MemoryFile(this.fs, S_IFREG | mode & S_PERM, 0);
    node.nlink = 0;
    // It counts from its first name on.
    this.fs.nodes--;
    return node;
  }

  override mkdir(name: string, mode: number): number {
    if (this.fs.full) return -ENOSPC;
    const directory = new MemoryDirectory(this.fs, mode);
    directory.parent = this;
    directory.name = name;
    this.add(name, directory);
    this.nlink++;
    return 0;
  }

  override symlink(name: string, target: string): number {
    if (this.fs.full) return -ENOSPC;
    this.add(name, new MemoryLink(this.fs, target));
    return 0;
  }

  override link(name: string, node: Node): number {
    if (!(node instanceof MemoryNode)) return -EINVAL;
    if (this.fs.full) return -ENOSPC;
    node.own();
    node.nlink++;
    // A further name counts as an inode, as in a tmpfs.
    this.fs.nodes++;
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
