/**
 * One granted host directory as a file system. Other programs may change it at any time, so names are looked up anew each time; only
 * directories and open files keep their node. Files are opened on the host when they are opened here.
 */
import { PAGE } from "../cpu/layout.ts";
import { EINVAL, ENOENT, ENOTEMPTY, EOPNOTSUPP, EPERM, EROFS } from "../host/errno.ts";
import type { HostDirectory, HostStat } from "../host/api.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import { directoryType, EXT4_SUPER_MAGIC, NAME_MAX, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_PERM } from "./flags.ts";
import { type Clock, type DirectoryEntry, type FileSystem, Node, type Ram } from "./node.ts";
import { SpecialNode } from "./special_node.ts";

/** Sockets, pipes and devices of the host are shown as pipes and cannot be opened. */
const TYPES: Readonly<Record<HostStat["kind"], number>> = { file: S_IFREG, directory: S_IFDIR, symlink: S_IFLNK, other: S_IFIFO };

export class HostFs implements FileSystem {
  readonly root: Node;
  get readOnly(): boolean {
    return !this.directory.writable;
  }

  private specials = 0;

  /** Inode numbers of pipes and the like, above those that hosts give. */
  nextSpecial(): number {
    return 2 ** 50 + this.specials++;
  }

  constructor(readonly dev: number, readonly ram: Ram, readonly directory: HostDirectory, readonly clock: Clock) {
    const root = new HostNode(this, S_IFDIR, 1);
    root.parent = root;
    this.root = root;
  }

  /** The host's own figures are not part of the grant; these only say "large". */
  statfs(out: FsStatfs): number {
    out.type = EXT4_SUPER_MAGIC;
    out.bsize = PAGE;
    out.blocks = out.files = 2 ** 28;
    out.bfree = out.ffree = this.readOnly ? 0 : 2 ** 27;
    out.namelen = NAME_MAX;
    out.readOnly = this.readOnly;
    return 0;
  }
}

const NO_FD = -1;

class HostNode extends Node {
  private readonly children = new Map<string, HostNode>();
  /** Pipes, sockets and devices that were made here; they hide what the host has under these names. */
  private specials: Map<string, SpecialNode> | undefined;
  private fd = NO_FD;
  private fdWritable = false;
  private openCount = 0;
  /** Last known attributes of a file whose name is gone. */
  private last: HostStat | undefined;

  constructor(override readonly fs: HostFs, readonly type: number, private readonly ino: number) {
    super(fs);
  }

  /** Relative to the granted directory, "" for itself. */
  private path(): string {
    if (this.isRoot || !(this.parent instanceof HostNode)) return "";
    return this.parent.below(this.name);
  }

  private below(name: string): string {
    const path = this.path();
    return path === "" ? name : `${path}/${name}`;
  }

  /** Is this directory the root of the grant? Its `parent` may be that of a mount point. */
  private get isRoot(): boolean {
    return this === this.fs.root;
  }

  private attributes(): HostStat | number {
    if (this.last !== undefined) return this.last;
    return this.fs.directory.stat(this.path());
  }

  stat(out: FsStat): number {
    const stat = this.attributes();
    if (typeof stat === "number") return stat;
    out.dev = this.fs.dev;
    out.ino = stat.ino;
    out.mode = TYPES[stat.kind] | stat.mode & S_PERM;
    out.nlink = stat.nlink;
    out.uid = stat.uid;
    out.gid = stat.gid;
    out.rdev = 0;
    out.size = stat.size;
    out.blksize = PAGE;
    // Where the host does not tell: what file systems with blocks of 4 KiB take.
    out.blocks = stat.blocks ?? (stat.kind === "symlink" ? 0 : Math.ceil(stat.size / PAGE) * (PAGE / 512));
    split(stat.atime, out.atime);
    split(stat.mtime, out.mtime);
    split(stat.ctime, out.ctime);
    return 0;
  }

  override open(write: boolean): number {
    if (this.type === S_IFREG && (this.fd === NO_FD || write && !this.fdWritable)) {
      const fd = this.fs.directory.open(this.path(), { write, create: false, exclusive: false, truncate: false, mode: 0 });
      if (fd < 0) return fd;
      if (this.fd !== NO_FD) this.fs.directory.close(this.fd);
      this.fd = fd;
      this.fdWritable = write;
    } else if (this.type === S_IFIFO) return -EOPNOTSUPP;
    if (this.openCount++ === 0 && !this.isRoot && this.parent instanceof HostNode) this.parent.children.set(this.name, this);
    return 0;
  }

  override close(): void {
    if (--this.openCount > 0) return;
    if (this.fd !== NO_FD) this.fs.directory.close(this.fd);
    this.fd = NO_FD;
    if (!this.isDirectory && this.parent instanceof HostNode && this.parent.children.get(this.name) === this) {
      this.parent.children.delete(this.name);
    }
  }

  override size(): number {
    const stat = this.attributes();
    return typeof stat === "number" ? 0 : stat.size;
  }

  override read(offset: number, to: number, length: number): number {
    if (this.type !== S_IFREG) return super.read(offset, to, length);
    if (length === 0) return 0;
    const count = this.fs.directory.read(this.fd, this.fs.ram.view(to, length), offset);
    if (count > 0) this.fs.ram.changed(to, count);
    return count;
  }

  override write(offset: number, from: number, length: number): number {
    if (this.type !== S_IFREG) return super.write(offset, from, length);
    const at = offset === -1 ? this.size() : offset;
    const count = this.fs.directory.write(this.fd, this.fs.ram.view(from, length), at);
    if (count > 0 && this.last !== undefined) this.last.size = Math.max(this.last.size, at + count);
    return count;
  }

  override truncate(size: number): number {
    if (this.type !== S_IFREG) return super.truncate(size);
    const own = this.fd === NO_FD || !this.fdWritable;
    const fd = own
      ? this.fs.directory.open(this.path(), { write: true, create: false, exclusive: false, truncate: false, mode: 0 })
      : this.fd;
    if (fd < 0) return fd;
    const status = this.fs.directory.truncate(fd, size);
    if (own) this.fs.directory.close(fd);
    if (status >= 0 && this.last !== undefined) this.last.size = size;
    return status;
  }

  override sync(): number {
    return this.fd === NO_FD ? 0 : this.fs.directory.sync(this.fd);
  }

  override lookup(name: string): Node | number {
    if (!this.isDirectory) return super.lookup(name);
    const special = this.specials?.get(name);
    if (special !== undefined) return special;
    const stat = this.fs.directory.stat(this.below(name));
    if (typeof stat === "number") {
      this.children.delete(name);
      return stat;
    }
    const type = TYPES[stat.kind], known = this.children.get(name);
    if (known !== undefined && known.type === type && known.ino === stat.ino) return known;
    const node = new HostNode(this.fs, type, stat.ino);
    node.parent = this;
    node.name = name;
    if (node.isDirectory) this.children.set(name, node);
    else this.children.delete(name);
    return node;
  }

  override entries(): DirectoryEntry[] | number {
    if (!this.isDirectory) return super.entries();
    const found = this.fs.directory.listStat(this.path());
    if (typeof found === "number") return found;
    const specials = [...this.specials ?? []].map(([name, { ino, type }]) => ({ name, ino, type: directoryType(type) }));
    const there = found.filter(({ name }) => this.specials?.has(name) !== true);
    return [...there.map(({ name, stat }) => ({ name, ino: stat.ino, type: directoryType(TYPES[stat.kind]) })), ...specials];
  }

  override create(name: string, mode: number, rdev: number): Node | number {
    if (this.fs.readOnly) return -EROFS;
    if ((mode & S_IFMT) !== S_IFREG) {
      const special = new SpecialNode(this.fs, this.fs.clock, this.fs.nextSpecial(), mode, rdev);
      (this.specials ??= new Map()).set(name, special);
      return special;
    }
    const how = { write: true, create: true, exclusive: true, truncate: false, mode: mode & S_PERM };
    const fd = this.fs.directory.open(this.below(name), how);
    if (fd < 0) return fd;
    const node = this.lookup(name);
    if (!(node instanceof HostNode)) {
      this.fs.directory.close(fd);
      return typeof node === "number" ? node : -ENOENT;
    }
    // The descriptor of the creation stays: it may write even when the mode would forbid opening the file again.
    node.fd = fd;
    node.fdWritable = true;
    return node;
  }

  override mkdir(name: string, mode: number): number {
    return this.fs.readOnly ? -EROFS : this.fs.directory.mkdir(this.below(name), mode & S_PERM);
  }
  override symlink(name: string, target: string): number {
    return this.fs.readOnly ? -EROFS : this.fs.directory.symlink(target, this.below(name));
  }
  override link(name: string, node: Node): number {
    if (this.fs.readOnly) return -EROFS;
    return node instanceof HostNode ? this.fs.directory.link(node.path(), this.below(name)) : -EINVAL;
  }
  override temporary(): number {
    return -EOPNOTSUPP;
  }

  override remove(name: string, directory: boolean): number {
    if (this.fs.readOnly) return -EROFS;
    const special = this.specials?.get(name);
    if (special !== undefined) {
      special.forget();
      this.specials?.delete(name);
      return 0;
    }
    const known = this.children.get(name), stat = known?.attributes();
    if (directory && known?.specials !== undefined && known.specials.size > 0) return -ENOTEMPTY;
    const status = this.fs.directory.remove(this.below(name), directory);
    if (status < 0 || known === undefined) return status;
    this.children.delete(name);
    known.forget(stat);
    return status;
  }

  private forget(stat: HostStat | number | undefined): void {
    if (typeof stat === "object") this.last = { ...stat, nlink: this.isDirectory ? 0 : stat.nlink - 1 };
    this.parent = undefined;
  }

  override rename(name: string, to: Node, toName: string, exchange: boolean): number {
    if (this.fs.readOnly) return -EROFS;
    if (exchange || !(to instanceof HostNode)) return -EINVAL;
    const special = this.specials?.get(name);
    if (special !== undefined) {
      const there = to.lookup(toName), removed = typeof there === "number" ? 0 : to.remove(toName, false);
      if (removed < 0) return removed;
      this.specials?.delete(name);
      (to.specials ??= new Map()).set(toName, special);
      return 0;
    }
    const replaced = to.children.get(toName), stat = replaced?.attributes();
    const status = this.fs.directory.rename(this.below(name), to.below(toName));
    if (status < 0) return status;
    to.specials?.delete(toName);
    const moved = this.children.get(name);
    this.children.delete(name);
    to.children.delete(toName);
    if (replaced !== undefined && replaced !== moved) replaced.forget(stat);
    if (moved !== undefined) {
      moved.parent = to;
      moved.name = toName;
      to.children.set(toName, moved);
    }
    return status;
  }

  override readlink(): string | number {
    return this.type === S_IFLNK ? this.fs.directory.readlink(this.path()) : -EINVAL;
  }
  override chmod(mode: number): number {
    return this.fs.readOnly ? -EROFS : this.fs.directory.chmod(this.path(), mode);
  }
  /** The host's owner stays what it is; a request that changes nothing succeeds. */
  override chown(uid: number, gid: number): number {
    if (this.fs.readOnly) return -EROFS;
    const stat = this.attributes();
    if (typeof stat === "number") return stat;
    return (uid === -1 || uid === stat.uid) && (gid === -1 || gid === stat.gid) ? 0 : -EPERM;
  }
  override utime(atime: [number, number] | undefined, mtime: [number, number] | undefined): number {
    if (this.fs.readOnly) return -EROFS;
    const stat = this.attributes();
    if (typeof stat === "number") return stat;
    const seconds = (time: [number, number] | undefined, old: number) => time === undefined ? old : time[0] + time[1] / 1e9;
    return this.fs.directory.utime(this.path(), seconds(atime, stat.atime), seconds(mtime, stat.mtime));
  }
}

function split(time: number, out: [number, number]): void {
  out[0] = Math.floor(time);
  // Host times are doubles: good to a microsecond.
  out[1] = Math.floor((time - out[0]) * 1e6) * 1000;
}
