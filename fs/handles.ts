/** Open files, directories and O_PATH references of one client, and open() itself. */
import { EACCES, EBADF, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EPERM, ETXTBSY } from "../host/errno.ts";
import {
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_EXEC,
  O_NOATIME,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  S_IFREG,
  S_IFSOCK,
  S_PERM,
} from "./flags.ts";
import * as Rights from "./identity.ts";
import { MAY_EXEC, MAY_READ, MAY_WRITE } from "./identity.ts";
import { Last, Namespace } from "./namespace.ts";
import type { DirectoryEntry, Node } from "./node.ts";

export class Handle {
  refs = 1;
  /** Listing taken at cookie 0: entries keep their positions while names come and go. */
  listing: DirectoryEntry[] | undefined;

  constructor(
    readonly node: Node,
    /** Where it was opened; a directory knows its own place. */
    public parent: Node,
    public name: string,
    readonly readable: boolean,
    readonly writable: boolean,
    /** O_PATH: the node has not been opened. */
    readonly isReference: boolean,
    /** Nobody may write to the node while this is open. */
    readonly executes = false,
  ) {}
}

export class Handles {
  private readonly table: (Handle | undefined)[] = [];
  private readonly free: number[] = [];

  constructor(readonly names: Namespace) {
    this.table.push(new Handle(names.top, names.top, "", true, false, true));
  }

  get(handle: number): Handle | undefined {
    return this.table[handle];
  }

  /** The node a path starts from; the handle of a directory or, for empty paths, of anything. */
  node(handle: number): Node | undefined {
    return this.table[handle]?.node;
  }

  open(start: Node, path: string, flags: number, mode: number, resolve = 0): number {
    this.names.resolve = resolve;
    try {
      return this.openPath(start, path, flags, mode);
    } finally {
      this.names.resolve = 0;
    }
  }

  private openPath(start: Node, path: string, flags: number, mode: number): number {
    const names = this.names, isReference = (flags & O_PATH) !== 0;
    if (isReference) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
    const creates = (flags & O_CREAT) !== 0, exclusive = creates && (flags & O_EXCL) !== 0;
    if (path === "" && !start.isDirectory) return this.openNode(start, start, "", flags);
    if ((flags & O_TMPFILE) === O_TMPFILE) return this.openTemporary(start, path, flags, mode);
    if (creates && flags & O_DIRECTORY) return -EINVAL;
    const follow = !exclusive && (flags & O_NOFOLLOW) === 0;
    const how = creates ? (follow ? Last.CreateFollow : Last.CreateNoFollow) : follow ? Last.Follow : Last.NoFollow;
    let status = names.walk(start, path, how);
    const node = names.node, parent = names.parent, name = names.last;
    if (node === undefined) {
      if (status !== -ENOENT || !creates || parent === undefined) return status;
      status = names.writable(parent);
      if (status < 0) return status;
      const made = names.create(parent, name, S_IFREG | mode & S_PERM, 0);
      return typeof made === "number" ? made : this.openNode(made, parent, name, flags, true);
    }
    return exclusive ? -EEXIST : this.openNode(node, parent ?? node, name, flags);
  }

  /** A handle for a node that is there; `parent` and `name` are where it was found, the node itself and "" when nowhere. */
  private openNode(node: Node, parent: Node, name: string, flags: number, isNew = false): number {
    const isReference = (flags & O_PATH) !== 0, access = flags & O_ACCMODE, write = access !== O_RDONLY && !isReference;
    let status = isNew ? 0 : this.checkOpen(node, flags, write, isReference);
    if (status < 0) return status;
    const executes = (flags & O_EXEC) !== 0;
    if (executes ? node.writers > 0 : write && node.writers < 0) return -ETXTBSY;
    if (!isReference) {
      status = node.open(write);
      if (status < 0) return status;
      if (flags & O_TRUNC && node.type === S_IFREG && node.size() > 0) {
        Rights.written(this.names.who, node);
        status = node.truncate(0);
        if (status < 0) {
          node.close(write);
          return status;
        }
      }
      if (write) node.writers++;
      else if (executes) node.writers--;
    }
    return this.add(new Handle(node, parent, name, access !== O_WRONLY && !isReference, write, isReference, executes));
  }

  private openTemporary(start: Node, path: string, flags: number, mode: number): number {
    if ((flags & O_ACCMODE) === O_RDONLY) return -EINVAL;
    let status = this.names.walk(start, path, Last.Follow);
    const directory = this.names.node;
    if (directory === undefined) return status;
    if (!directory.isDirectory) return -ENOTDIR;
    status = this.names.writable(directory);
    if (status < 0) return status;
    const node = directory.temporary(Rights.newMode(this.names.who, directory, S_IFREG | mode & S_PERM, false));
    if (typeof node === "number") return node;
    Rights.own(this.names.who, directory, node);
    node.linkable = (flags & O_EXCL) === 0;
    node.open(true);
    node.writers++;
    return this.add(new Handle(node, directory, "", (flags & O_ACCMODE) !== O_WRONLY, true, false));
  }

  private add(handle: Handle): number {
    const number = this.free.pop() ?? this.table.length;
    this.table[number] = handle;
    return number;
  }

  dup(handle: number): void {
    const entry = this.table[handle];
    if (entry !== undefined) entry.refs++;
  }

  close(handle: number): number {
    const entry = this.table[handle];
    if (entry === undefined) return -EBADF;
    if (handle === 0 || --entry.refs > 0) return 0;
    this.table[handle] = undefined;
    this.free.push(handle);
    if (entry.writable) entry.node.writers--;
    else if (entry.executes) entry.node.writers++;
    if (!entry.isReference) entry.node.close(entry.writable);
    return 0;
  }

  closeAll(): void {
    for (let i = 1; i < this.table.length; i++) {
      const entry = this.table[i];
      if (entry !== undefined) {
        entry.refs = 1;
        this.close(i);
      }
    }
  }

  moved(node: Node, parent: Node, name: string): void {
    for (const handle of this.table) {
      if (handle === undefined || handle.node !== node) continue;
      handle.parent = parent;
      handle.name = name;
    }
  }

  pathOf(handle: Handle): string | number {
    const names = this.names;
    if (handle.node.isDirectory) {
      if (handle.node === names.root) return "/";
      if (handle.node.parent === undefined) return -ENOENT;
      const path = names.pathOf(handle.node, "");
      // From within another root (chroot) it may be out of sight: d_path() of Linux says so.
      const whole = path === -ENOENT ? names.pathOf(handle.node, "", names.top) : path;
      return path === whole || typeof whole === "number" ? whole : `(unreachable)${whole}`;
    }
    if (handle.name === "") return -ENOENT;
    const there = names.step(handle.parent, handle.name);
    // A reference may have been made from a passing node; its name then still leads to something of the same kind.
    const isSame = there === handle.node || handle.isReference && typeof there !== "number" && there.type === handle.node.type;
    return isSame ? names.pathOf(handle.parent, handle.name) : -ENOENT;
  }

  private checkOpen(node: Node, flags: number, write: boolean, isReference: boolean): number {
    if (flags & O_DIRECTORY && !node.isDirectory) return -ENOTDIR;
    if (isReference) return 0;
    if (node.isLink) return -ELOOP;
    if (flags & O_EXEC) return node.type === S_IFREG ? Rights.permits(this.names.who, node, MAY_EXEC) : -EACCES;
    if (node.isDirectory && (write || flags & (O_CREAT | O_TRUNC))) return -EISDIR;
    const access = flags & O_ACCMODE;
    const mask = (access !== O_WRONLY ? MAY_READ : 0) | (write || flags & O_TRUNC ? MAY_WRITE : 0);
    const status = Rights.permits(this.names.who, node, mask);
    if (status < 0) return status;
    if (flags & O_NOATIME && !Rights.owns(this.names.who, node)) return -EPERM;
    return node.type === S_IFSOCK ? -ENXIO : 0;
  }
}
