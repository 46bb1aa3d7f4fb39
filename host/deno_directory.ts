/**
 * One granted directory of the real file system.
 *
 * Deno has no openat() and no O_NOFOLLOW, so confinement is checked by name: before each access the containing directory must be its own
 * real path (no component is a symlink), and after a file was opened it must be the very file that the name inside the grant leads to
 * (device and inode), otherwise it is closed at once. Thus a component that another host program replaces by a symlink at the wrong moment
 * never yields a descriptor outside. Changes of names (mkdir, rename, ...) cannot be checked afterwards: a host program that may write to
 * the granted directory and wins that race can redirect them within what this process may do; docs/quirks.md says so.
 */
import type { HostDirectory, HostStat } from "./api.ts";
import { attempt, attemptVoid } from "./deno_errors.ts";
import { EBADF, EINVAL, EISDIR, ELOOP, ENOENT, EOPNOTSUPP, EROFS } from "./errno.ts";

const isWindows = Deno.build.os === "windows";
const SEPARATOR = isWindows ? "\\" : "/";

interface OpenFile {
  file: Deno.FsFile;
  /** Where the host's own file offset stands. */
  position: number;
}

export class DenoDirectory implements HostDirectory {
  /** Real path without a final separator ("" for the root of a Unix host). */
  private readonly root: string;
  private readonly files: (OpenFile | undefined)[] = [];
  private readonly umask: number;

  /** Throws what Deno throws when `path` is not a directory that can be read. */
  constructor(path: string, readonly writable: boolean) {
    const real = Deno.realPathSync(path);
    if (!Deno.statSync(real).isDirectory) throw new Deno.errors.NotADirectory(`Not a directory: ${path}`);
    this.root = real.endsWith(SEPARATOR) ? real.slice(0, -1) : real;
    this.umask = isWindows ? 0 : attemptUmask();
  }

  /** Absolute host path, or -errno when the name cannot be one or a component above the last is a symlink. */
  private resolve(path: string): string | number {
    if (path === "") return this.root === "" ? SEPARATOR : this.root;
    const parts = path.split("/");
    for (const part of parts) {
      if (part === "" || part === "." || part === ".." || !isHostName(part)) return -ENOENT;
    }
    const last = parts.pop()!;
    const parent = parts.length === 0 ? this.root : `${this.root}${SEPARATOR}${parts.join(SEPARATOR)}`;
    if (parts.length > 0) {
      const real = attempt(() => Deno.realPathSync(parent));
      if (typeof real === "number") return real;
      if (real !== parent) return -ELOOP;
    }
    return `${parent}${SEPARATOR}${last}`;
  }

  private on<T>(path: string, work: (full: string) => T): T | number {
    const full = this.resolve(path);
    return typeof full === "number" ? full : attempt(() => work(full));
  }

  private change(path: string, work: (full: string) => void): number {
    if (!this.writable) return -EROFS;
    const full = this.resolve(path);
    return typeof full === "number" ? full : attemptVoid(() => work(full));
  }

  stat(path: string): HostStat | number {
    return this.on(path, (full) => convert(Deno.lstatSync(full)));
  }

  list(path: string): string[] | number {
    const status = this.expect(path, "directory");
    if (status < 0) return status;
    return this.on(path, (full) => Array.from(Deno.readDirSync(full), (entry) => entry.name));
  }

  listStat(path: string): { name: string; stat: HostStat }[] | number {
    const names = this.list(path), full = this.resolve(path);
    if (typeof names === "number") return names;
    if (typeof full === "number") return full;
    const entries: { name: string; stat: HostStat }[] = [];
    for (const name of names) {
      const stat = attempt(() => convert(Deno.lstatSync(full.endsWith(SEPARATOR) ? full + name : full + SEPARATOR + name)));
      if (typeof stat !== "number") entries.push({ name, stat });
    }
    // The directory must still be the one that was resolved, or the attributes are not of this grant.
    return this.resolve(`${path === "" ? "" : `${path}/`}x`) === -ELOOP ? -ELOOP : entries;
  }

  readlink(path: string): string | number {
    return this.on(path, (full) => Deno.readLinkSync(full));
  }

  private expect(path: string, kind: HostStat["kind"]): number {
    const stat = this.stat(path);
    if (typeof stat === "number") return stat;
    if (stat.kind === kind) return 0;
    return stat.kind === "symlink" ? -ELOOP : stat.kind === "directory" ? -EISDIR : stat.kind === "file" ? -EINVAL : -EOPNOTSUPP;
  }

  open(path: string, how: { write: boolean; create: boolean; exclusive: boolean; truncate: boolean; mode: number }): number {
    if ((how.write || how.create || how.truncate) && !this.writable) return -EROFS;
    const full = this.resolve(path);
    if (typeof full === "number") return full;
    let make = how.create;
    if (make && !how.exclusive) make = this.stat(path) === -ENOENT;
    if (!make) {
      // Also keeps us from opening a pipe, which could block for ever.
      const status = this.expect(path, "file");
      if (status < 0) return status;
    }
    const file = attempt(() =>
      Deno.openSync(full, { read: true, write: how.write || make, createNew: make, mode: make ? how.mode | 0o600 : undefined })
    );
    if (typeof file === "number") return file;
    const status = attempt(() => this.isInside(full, file) ? 0 : -ELOOP);
    if (status !== 0) {
      file.close();
      return status;
    }
    if (make && (how.mode & 0o600) !== 0o600 || make && (how.mode & this.umask) !== 0) {
      attemptVoid(() => Deno.chmodSync(full, how.mode));
    }
    if (how.truncate && !make) attemptVoid(() => file.truncateSync(0));
    let fd = this.files.indexOf(undefined);
    if (fd < 0) fd = this.files.length;
    this.files[fd] = { file, position: 0 };
    return fd;
  }

  /** Is the opened file what the name leads to, without any symlink? */
  private isInside(full: string, file: Deno.FsFile): boolean {
    if (Deno.realPathSync(full) !== full) return false;
    const opened = file.statSync(), named = Deno.lstatSync(full);
    return opened.isFile && opened.dev === named.dev && (isWindows || opened.ino === named.ino);
  }

  private move(fd: number, offset: number): Deno.FsFile | undefined {
    const open = this.files[fd];
    if (open === undefined) return undefined;
    if (open.position !== offset) open.position = open.file.seekSync(offset, Deno.SeekMode.Start);
    return open.file;
  }

  read(fd: number, into: Uint8Array, offset: number): number {
    const open = this.files[fd];
    if (open === undefined) return -EBADF;
    let count = 0;
    const status = attemptVoid(() => {
      this.move(fd, offset);
      while (count < into.length) {
        const got = open.file.readSync(into.subarray(count));
        if (got === null || got === 0) break;
        count += got;
        open.position += got;
      }
    });
    if (status < 0) open.position = -1;
    return count > 0 ? count : status;
  }

  write(fd: number, from: Uint8Array, offset: number): number {
    const open = this.files[fd];
    if (open === undefined) return -EBADF;
    let count = 0;
    const status = attemptVoid(() => {
      this.move(fd, offset);
      while (count < from.length) {
        const put = open.file.writeSync(from.subarray(count));
        count += put;
        open.position += put;
      }
    });
    if (status < 0) open.position = -1;
    return count > 0 ? count : status;
  }

  truncate(fd: number, size: number): number {
    const file = this.files[fd]?.file;
    return file === undefined ? -EBADF : attemptVoid(() => file.truncateSync(size));
  }

  sync(fd: number): number {
    const file = this.files[fd]?.file;
    return file === undefined ? -EBADF : attemptVoid(() => file.syncSync());
  }

  close(fd: number): void {
    const file = this.files[fd]?.file;
    this.files[fd] = undefined;
    if (file !== undefined) attemptVoid(() => file.close());
  }

  mkdir(path: string, mode: number): number {
    return this.change(path, (full) => {
      Deno.mkdirSync(full, { mode });
      if (mode & this.umask) Deno.chmodSync(full, mode);
    });
  }

  /** Never recursive. The kinds are checked because Deno has one call for both. */
  remove(path: string, directory: boolean): number {
    const stat = this.stat(path);
    if (typeof stat === "number") return stat;
    if ((stat.kind === "directory") !== directory) return directory ? -EINVAL : -EISDIR;
    return this.change(path, (full) => Deno.removeSync(full));
  }

  rename(from: string, to: string): number {
    const target = this.resolve(to);
    return typeof target === "number" ? target : this.change(from, (full) => Deno.renameSync(full, target));
  }

  symlink(target: string, path: string): number {
    return this.change(path, (full) => Deno.symlinkSync(target, full, isWindows ? { type: "file" } : undefined));
  }

  link(from: string, to: string): number {
    const stat = this.stat(from);
    if (typeof stat === "number") return stat;
    // Only Linux is known to link a symlink itself rather than what it leads to.
    if (stat.kind !== "file" && Deno.build.os !== "linux") return -EOPNOTSUPP;
    const source = this.resolve(from);
    return typeof source === "number" ? source : this.change(to, (full) => Deno.linkSync(source, full));
  }

  /** chmod follows symlinks on the host, so links are refused. */
  chmod(path: string, mode: number): number {
    const stat = this.stat(path);
    if (typeof stat === "number") return stat;
    if (stat.kind === "symlink") return -EOPNOTSUPP;
    return this.change(path, (full) => Deno.chmodSync(full, mode));
  }

  utime(path: string, atime: number, mtime: number): number {
    if (!Number.isFinite(atime) || !Number.isFinite(mtime)) return -EINVAL;
    const stat = this.stat(path);
    if (typeof stat === "number") return stat;
    if (stat.kind === "symlink") return this.change(path, (full) => linkTimes(full, atime, mtime));
    return this.change(path, (full) => Deno.utimeSync(full, atime, mtime));
  }

  /** Closes every file that is still open. */
  dispose(): void {
    for (let fd = 0; fd < this.files.length; fd++) this.close(fd);
  }
}

/** The times of a symlink itself, which only Node's interface can set; loaded when it is needed. */
function linkTimes(path: string, atime: number, mtime: number): void {
  const { lutimesSync } = process.getBuiltinModule("node:fs");
  lutimesSync(path, atime, mtime);
}

function attemptUmask(): number {
  const umask = attempt(() => Deno.umask());
  return umask < 0 ? 0 : umask;
}

/** Lone surrogates stand for bytes that are not UTF-8 (fs/text.ts); Deno cannot name such files. */
function isHostName(name: string): boolean {
  return name.isWellFormed() && !name.includes("\0") && !(isWindows && /[\\:*?"<>|]/.test(name));
}

const seconds = (date: Date | null): number => date === null ? 0 : date.getTime() / 1000;

function convert(info: Deno.FileInfo): HostStat {
  const kind = info.isFile ? "file" : info.isDirectory ? "directory" : info.isSymlink ? "symlink" : "other";
  const mtime = seconds(info.mtime);
  return {
    kind,
    mode: info.mode === null ? (kind === "file" ? 0o644 : 0o755) : info.mode & 0o7777,
    size: info.size,
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
    ino: info.ino ?? 1,
    nlink: info.nlink ?? 1,
    blocks: info.blocks ?? undefined,
    atime: seconds(info.atime) || mtime,
    mtime,
    ctime: seconds(info.ctime) || mtime,
  };
}
