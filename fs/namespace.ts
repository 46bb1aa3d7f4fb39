/** The tree of names: path walk over mounts, and the operations on names with every check that does not depend on the file system. */
import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from "../host/errno.ts";
import {
  MAX_SYMLINKS,
  NAME_MAX,
  PATH_MAX,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  RESOLVE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_PERM,
} from "./flags.ts";
import * as Rights from "./identity.ts";
import { type Identity, MAY_EXEC, MAY_WRITE, SUPERUSER } from "./identity.ts";
import type { Node } from "./node.ts";
import { textBytes } from "./text.ts";
import { emptyStat } from "./empty_stat.ts";

/** What a walk does with the last component. */
export const enum Last {
  /** It is not looked up. */
  Parent,
  /** A symlink there is followed. */
  Follow,
  NoFollow,
  /** Like the two above for a file that may be made: a trailing slash is -EISDIR as soon as the last component is reached. */
  CreateFollow,
  CreateNoFollow,
}

const SLASH = 0x2f;
/** What mknod() makes. */
const NODE_TYPES: readonly number[] = [S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK];
const MAX_UTF8_PER_UNIT = 3;

export class Namespace {
  // Result of the last walk. Fields instead of an object: a walk allocates nothing but the names.
  /** What the path names; undefined when it does not exist or was not looked up. */
  node: Node | undefined;
  /** Directory of the last component; undefined when the walk failed before it. */
  parent: Node | undefined;
  /** Last component; "." and ".." stand for themselves, "" for the root. */
  last = "";
  /** The path ended in a slash. */
  trailing = false;
  /** Who asks: set before each request. */
  who: Identity = SUPERUSER;
  /** RESOLVE_* bits that restrict the walks of the request. */
  resolve = 0;

  private readonly scratch = emptyStat();
  /** Where absolute paths begin, and what ".." does not leave, for who asks (chroot). Set before each request. */
  root: Node;

  constructor(readonly top: Node) {
    this.root = top;
  }

  /** For requests of the service itself. */
  asItself(): void {
    this.who = SUPERUSER;
    this.root = this.top;
  }

  /** Walks `path` from `start`. 0 or -errno; -ENOENT with `parent` set means that only the last component is missing. */
  walk(start: Node, path: string, how: Last): number {
    this.node = this.parent = undefined;
    this.trailing = false;
    if (path.length === 0) return -ENOENT;
    if (path.length * MAX_UTF8_PER_UNIT >= PATH_MAX && textBytes(path) >= PATH_MAX) return -ENAMETOOLONG;
    const { resolve } = this, root = (resolve & RESOLVE.IN_ROOT) !== 0 ? start : this.root;
    let directory = start, links = 0, at = 0;
    if (path.charCodeAt(0) === SLASH) {
      directory = root;
      if (resolve !== 0 && this.leaves(start, root)) return -EXDEV;
    }
    for (;;) {
      while (path.charCodeAt(at) === SLASH) at++;
      if (!directory.isDirectory) return -ENOTDIR;
      if (at === path.length) return this.found(directory, directory, "");
      if (!Rights.searchesAll(this.who)) {
        const status = Rights.permits(this.who, directory, MAY_EXEC);
        if (status < 0) return status;
      }
      const slash = path.indexOf("/", at), end = slash < 0 ? path.length : slash;
      let next = end;
      while (path.charCodeAt(next) === SLASH) next++;
      const isLast = next === path.length, name = path.substring(at, end);
      at = next;
      if (isLast) {
        this.trailing = end < path.length;
        if (this.trailing && how >= Last.CreateFollow) return -EISDIR;
      }
      if (name === ".") {
        if (isLast) return this.found(directory, directory, name);
        continue;
      }
      if (name === "..") {
        if (directory === start && (resolve & RESOLVE.BENEATH) !== 0) return -EXDEV;
        const up = directory === root ? directory : directory.parent;
        if (up === undefined) return -ENOENT;
        if (resolve !== 0 && this.crosses(directory, up)) return -EXDEV;
        directory = up;
        if (isLast) return this.found(directory, directory, name);
        continue;
      }
      if (name.length * MAX_UTF8_PER_UNIT > NAME_MAX && textBytes(name) > NAME_MAX) return -ENAMETOOLONG;
      if (isLast && how === Last.Parent) {
        this.parent = directory;
        this.last = name;
        return 0;
      }
      const child = this.step(directory, name);
      if (typeof child === "number") {
        if (isLast) {
          this.parent = directory;
          this.last = name;
        }
        return child;
      }
      if (resolve !== 0 && this.crosses(directory, child)) return -EXDEV;
      if (child.isLink && (!isLast || this.trailing || how === Last.Follow || how === Last.CreateFollow)) {
        if (++links > MAX_SYMLINKS || (resolve & RESOLVE.NO_SYMLINKS) !== 0) return -ELOOP;
        const target = child.readlink();
        if (typeof target === "number") return target;
        if (target === "") return -ENOENT;
        if (target.charCodeAt(0) === SLASH) {
          if (resolve !== 0 && this.leaves(directory, root)) return -EXDEV;
          directory = root;
        }
        path = isLast ? (this.trailing ? `${target}/` : target) : `${target}/${path.substring(at)}`;
        at = 0;
        continue;
      }
      if (isLast) return this.trailing && !child.isDirectory ? -ENOTDIR : this.found(child, directory, name);
      directory = child;
    }
  }

  /** Do the restrictions forbid to go from one directory to another of its file system's border? */
  private crosses(from: Node, to: Node): boolean {
    return (this.resolve & RESOLVE.NO_XDEV) !== 0 && from.fs !== to.fs;
  }

  /** Do they forbid an absolute path? */
  private leaves(from: Node, root: Node): boolean {
    return (this.resolve & RESOLVE.BENEATH) !== 0 || this.crosses(from, root);
  }

  private found(node: Node, parent: Node, last: string): number {
    this.node = node;
    this.parent = parent;
    this.last = last;
    return 0;
  }

  step(directory: Node, name: string): Node | number {
    return directory.mounts?.get(name) ?? directory.lookup(name);
  }

  /** Does the last walk's last component name an entry of `parent` (and not the root, "." or "..")? */
  private get isEntry(): boolean {
    return this.last !== "" && this.last !== "." && this.last !== "..";
  }

  /** Absolute path of `name` in `directory`, or -ENOENT when a directory on the way has been removed. */
  pathOf(directory: Node, name: string, root = this.root): string | number {
    let path = name === "" ? "" : `/${name}`;
    for (let node = directory; node !== root;) {
      path = `/${node.name}${path}`;
      if (node.parent === undefined || node.parent === node) return -ENOENT;
      node = node.parent;
    }
    return path === "" ? "/" : path;
  }

  /**
   * Shows `root` at `path`. Where the directory exists it is hidden; where only the last component is missing, the name appears in its
   * parent without the file system below noticing. Preconditions: absolute path, not "/".
   */
  mount(path: string, root: Node): number {
    const status = this.walk(this.root, path, Last.Follow);
    const parent = this.node?.parent ?? this.parent, name = this.node === undefined ? this.last : this.node.name;
    if (status < 0 && (status !== -ENOENT || this.parent === undefined)) return status;
    if (parent === undefined || this.node === this.root) return -EBUSY;
    if (this.node !== undefined && !this.node.isDirectory) return -ENOTDIR;
    root.parent = parent;
    root.name = name;
    (parent.mounts ??= new Map()).set(name, root);
    return 0;
  }

  /** Walks to a place where a new name shall be made; 0 or -errno. `directory`: a trailing slash is fine. */
  private vacant(start: Node, path: string, directory: boolean): number {
    const status = this.walk(start, path, Last.Parent);
    if (status < 0) return status;
    if (!this.isEntry || this.parent === undefined) return -EEXIST;
    const present = this.step(this.parent, this.last);
    if (typeof present !== "number") return -EEXIST;
    if (present !== -ENOENT) return present;
    return this.trailing && !directory ? -ENOENT : this.parent.fs.readOnly ? -EROFS : 0;
  }

  /** May names be made in this directory? */
  writable(directory: Node): number {
    if (directory.fs.readOnly) return -EROFS;
    return directory.parent === undefined ? -ENOENT : Rights.permits(this.who, directory, MAY_WRITE | MAY_EXEC);
  }

  /** May `node` be taken out of `directory`? */
  private removable(directory: Node, node: Node): number {
    return Rights.permits(this.who, directory, MAY_WRITE | MAY_EXEC) || Rights.mayRemove(this.who, directory, node);
  }

  /** A new file in `directory`, with its owner; not opened. */
  create(directory: Node, name: string, mode: number, rdev: number): Node | number {
    const made = directory.create(name, Rights.newMode(this.who, directory, mode, false), rdev);
    if (typeof made !== "number") Rights.own(this.who, directory, made);
    return made;
  }

  /** Gives what has just been made at the place of the last walk its owner. */
  private own(status: number): number {
    const made = status < 0 ? status : this.step(this.parent!, this.last);
    if (typeof made !== "number") Rights.own(this.who, this.parent!, made);
    return status;
  }

  mkdir(start: Node, path: string, mode: number): number {
    const status = this.vacant(start, path, true) || this.writable(this.parent!);
    if (status < 0) return status;
    return this.own(this.parent!.mkdir(this.last, Rights.newMode(this.who, this.parent!, mode & S_PERM, true)));
  }

  mknod(start: Node, path: string, mode: number, rdev: number): number {
    const type = mode & S_IFMT || S_IFREG;
    if (type === S_IFDIR) return -EPERM;
    if (!NODE_TYPES.includes(type)) return -EINVAL;
    const status = this.vacant(start, path, false) || this.writable(this.parent!);
    if (status < 0) return status;
    if ((type === S_IFCHR && rdev !== 0 || type === S_IFBLK) && !Rights.has(this.who, Rights.CAP.MKNOD)) return -EPERM;
    const node = this.create(this.parent!, this.last, type | mode & S_PERM, rdev);
    if (typeof node === "number") return node;
    // Gives back what the file system may have kept open for an open() that would follow a creation.
    if (node.open(false) >= 0) node.close(false);
    return 0;
  }

  symlink(target: string, start: Node, path: string): number {
    if (target === "") return -ENOENT;
    if (textBytes(target) >= PATH_MAX) return -ENAMETOOLONG;
    const status = this.vacant(start, path, false) || this.writable(this.parent!);
    return status < 0 ? status : this.own(this.parent!.symlink(this.last, target));
  }

  link(node: Node, start: Node, path: string): number {
    let status = this.vacant(start, path, false);
    if (status < 0) return status;
    if (node.fs !== this.parent!.fs) return -EXDEV;
    if (!node.linkable && node.stat(this.scratch) >= 0 && this.scratch.nlink === 0) return -ENOENT;
    status = Rights.mayLink(this.who, node) || this.writable(this.parent!);
    if (status < 0) return status;
    return node.isDirectory ? -EPERM : this.parent!.link(this.last, node);
  }

  unlink(start: Node, path: string, directory: boolean): number {
    let status = this.walk(start, path, Last.Parent);
    if (status < 0) return status;
    const { parent, last, trailing } = this;
    if (!this.isEntry || parent === undefined) {
      if (!directory) return -EISDIR;
      return last === "." ? -EINVAL : last === ".." ? -ENOTEMPTY : -EBUSY;
    }
    if (parent.fs.readOnly) return -EROFS;
    const node = this.step(parent, last);
    if (typeof node === "number") return node;
    if (!directory && trailing) return node.isDirectory ? -EISDIR : -ENOTDIR;
    status = this.removable(parent, node);
    if (status < 0) return status;
    if (directory && !node.isDirectory) return -ENOTDIR;
    if (!directory && node.isDirectory) return -EISDIR;
    if (parent.mounts?.has(last) || node.mounts !== undefined && node.mounts.size > 0) return -EBUSY;
    return parent.parent === undefined ? -ENOENT : parent.remove(last, directory);
  }

  /** On success of a plain rename, `onMoved` learns what has moved, so that open handles can keep their names. */
  rename(
    fromStart: Node,
    from: string,
    toStart: Node,
    to: string,
    flags: number,
    onMoved: (node: Node, parent: Node, name: string) => void,
  ): number {
    const isExchange = (flags & RENAME_EXCHANGE) !== 0, isNoReplace = (flags & RENAME_NOREPLACE) !== 0;
    const isWhiteout = (flags & RENAME_WHITEOUT) !== 0;
    if (flags & ~(RENAME_EXCHANGE | RENAME_NOREPLACE | RENAME_WHITEOUT) || isExchange && (isNoReplace || isWhiteout)) {
      return -EINVAL;
    }
    if (isWhiteout && !Rights.has(this.who, Rights.CAP.MKNOD)) return -EPERM;
    let status = this.walk(fromStart, from, Last.Parent);
    if (status < 0) return status;
    const { parent: source, last: name, trailing: sourceSlash, isEntry: sourceIsEntry } = this;
    status = this.walk(toStart, to, Last.Parent);
    if (status < 0) return status;
    const { parent: target, last: newName, trailing: targetSlash } = this;
    if (source === undefined || target === undefined) return -EBUSY;
    if (source.fs !== target.fs) return -EXDEV;
    if (!sourceIsEntry) return -EBUSY;
    if (!this.isEntry) return isNoReplace ? -EEXIST : -EBUSY;
    if (source.fs.readOnly) return -EROFS;
    const node = this.step(source, name), old = this.step(target, newName);
    if (typeof node === "number") return node;
    const replaced = typeof old === "number" ? undefined : old;
    if (typeof old === "number" && (old !== -ENOENT || isExchange)) return old;
    if (replaced !== undefined && isNoReplace) return -EEXIST;
    if (isExchange && replaced !== undefined && targetSlash && !replaced.isDirectory) return -ENOTDIR;
    if (!node.isDirectory && (sourceSlash || !isExchange && targetSlash)) return -ENOTDIR;
    if (this.contains(node, target)) return -EINVAL;
    if (replaced !== undefined && this.contains(replaced, source)) return isExchange ? -EINVAL : -ENOTEMPTY;
    if (source.mounts?.has(name) || target.mounts?.has(newName)) return -EBUSY;
    if (node === replaced || source === target && name === newName) return 0;
    status = this.removable(source, node) || (replaced === undefined ? this.writable(target) : this.removable(target, replaced));
    if (status < 0) return status;
    if (replaced !== undefined && !isExchange && node.isDirectory !== replaced.isDirectory) {
      return node.isDirectory ? -ENOTDIR : -EISDIR;
    }
    if (target.parent === undefined) return -ENOENT;
    if (source !== target) {
      // A directory that moves gets another "..": that is a change of the directory itself.
      for (const moved of isExchange ? [node, replaced!] : [node]) {
        status = moved.isDirectory ? Rights.permits(this.who, moved, MAY_WRITE) : 0;
        if (status < 0) return status;
      }
    }
    status = source.rename(name, target, newName, isExchange);
    if (status < 0) return status;
    onMoved(node, target, newName);
    if (isWhiteout) {
      const left = this.create(source, name, S_IFCHR, 0);
      if (typeof left === "number") return left;
    }
    if (isExchange && replaced !== undefined) onMoved(replaced, source, name);
    return status;
  }

  /** Is `inner` the directory `outer` or below it? */
  private contains(outer: Node, inner: Node): boolean {
    if (!outer.isDirectory) return false;
    for (let node: Node | undefined = inner; node !== undefined; node = node.parent) {
      if (node === outer) return true;
      if (node.parent === node) return false;
    }
    return false;
  }
}
