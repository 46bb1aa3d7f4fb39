import { MAY_EXEC, MAY_READ, MAY_WRITE } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW } from "../abi/fcntl.ts";
import { putStat, putStatfs, putStatx, STAT_BYTES, STATFS_BYTES, STATX_BYTES } from "../abi/structs.ts";
import { statNode } from "../files/virtual.ts";
import { type Place, remote, virtual } from "../proc/resolve.ts";
import type { FsStat, FsStatfs } from "../../fs/api.ts";
import { permitsMode } from "../process/access.ts";
import { realUser } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";
import { dirHandle, fileArg, pathArg, statBuffer } from "./util.ts";

function copyStat(t: Thread, address: number, stat: FsStat): number {
  const { user } = t.process;
  const at = user.out(address, STAT_BYTES);
  if (at < 0) return -E.EFAULT;
  putStat(user.data, at, stat);
  return user.done();
}

/** stat of a path, or of the descriptor itself when the path is empty and AT_EMPTY_PATH allows that. */
export function statAt(t: Thread, fd: number, path: string | number, flags: number): number {
  const out = statBuffer(t);
  if (typeof path === "number") return path;
  if (path === "") {
    if ((flags & AT_EMPTY_PATH) === 0) return -E.ENOENT;
    if (fd === AT_FDCWD) return t.fs.fstat(t.process.fsContext.cwd, out);
    const file = t.process.files.get(fd);
    return file === undefined ? -E.EBADF : file.stat(t, out);
  }
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  const place = virtual(t, fd, path, follow);
  if (place !== undefined) return statPlace(t, place, follow, out);
  const dir = dirHandle(t, fd, path);
  if (dir < 0) return dir;
  const status = t.fs.stat(dir, path, follow, out);
  return status === -E.EREMOTE ? statPlace(t, remote(t, dir, path, follow), follow, out) : status;
}

function statPlace(t: Thread, place: Place | number, follow: boolean, out: FsStat): number {
  if (typeof place === "number") return place;
  if (place.kind === "open") return place.file.stat(t, out);
  return place.kind === "real" ? t.fs.stat(0, place.path, follow, out) : statNode(t, place, out);
}

function stat(t: Thread): Result {
  const status = statAt(t, AT_FDCWD, pathArg(t, 0), 0);
  return status < 0 ? status : copyStat(t, t.arg(1), statBuffer(t));
}

function lstat(t: Thread): Result {
  const status = statAt(t, AT_FDCWD, pathArg(t, 0), AT_SYMLINK_NOFOLLOW);
  return status < 0 ? status : copyStat(t, t.arg(1), statBuffer(t));
}

function fstat(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  const out = statBuffer(t);
  const status = file.stat(t, out);
  return status < 0 ? status : copyStat(t, t.arg(1), out);
}

function newfstatat(t: Thread): Result {
  const flags = t.int(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) !== 0) return -E.EINVAL;
  const status = statAt(t, t.int(0), pathArg(t, 1), flags);
  return status < 0 ? status : copyStat(t, t.arg(2), statBuffer(t));
}

const AT_STATX_SYNC_TYPE = 0x6000, STATX_RESERVED = 0x8000_0000;

function statx(t: Thread): Result {
  const flags = t.int(2);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) !== 0) return -E.EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE || (t.uint(3) & STATX_RESERVED) !== 0) return -E.EINVAL;
  const address = t.arg(4);
  // glibc and Rust probe with null pointers: the path is looked at first, as in do_statx().
  const path = t.arg(1) === 0 && (flags & AT_EMPTY_PATH) !== 0 ? "" : pathArg(t, 1);
  const status = statAt(t, t.int(0), path, flags);
  if (status < 0) return status;
  const { user } = t.process;
  const at = user.out(address, STATX_BYTES);
  if (at < 0) return -E.EFAULT;
  putStatx(user.data, user.u8, at, statBuffer(t));
  return user.done();
}

function emptyStatfs(): FsStatfs {
  return { type: 0, bsize: 0, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 0, readOnly: false };
}

function copyStatfs(t: Thread, handle: number, address: number): number {
  const out = emptyStatfs();
  const status = t.fs.statfs(handle, out);
  if (status < 0) return status;
  const { user } = t.process;
  const at = user.out(address, STATFS_BYTES);
  if (at < 0) return -E.EFAULT;
  putStatfs(user.data, user.u8, at, out);
  return user.done();
}

const O_PATH = 0o10000000;

function statfs(t: Thread): Result {
  const path = pathArg(t, 0);
  if (typeof path === "number") return path;
  const handle = t.fs.open(t.process.fsContext.cwd, path, O_PATH, 0);
  if (handle === -E.EREMOTE) {
    // Everything in /proc, and everything in /sys, is one file system.
    const place = remote(t, t.process.fsContext.cwd, path, true);
    if (typeof place === "number") return place;
    if (place.kind === "open") return statfsAt(t, "/");
    return statfsAt(t, place.kind === "real" ? place.path : `/${place.path.split("/")[1]}`);
  }
  if (handle < 0) return handle;
  const status = copyStatfs(t, handle, t.arg(1));
  t.fs.close(handle);
  return status;
}

function statfsAt(t: Thread, path: string): Result {
  const handle = t.fs.open(0, path, O_PATH, 0);
  const status = handle < 0 ? handle : copyStatfs(t, handle, t.arg(1));
  if (handle >= 0) t.fs.close(handle);
  return status;
}

function fstatfs(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  return copyStatfs(t, file.handle ?? t.process.fsContext.cwd, t.arg(1));
}

const AT_EACCESS = 0x200;

/** access(2) asks for the real user, with AT_EACCESS for the effective one. */
function accessAt(t: Thread, fd: number, path: string | number, mode: number, flags: number): Result {
  if ((mode & ~(MAY_READ | MAY_WRITE | MAY_EXEC)) !== 0) return -E.EINVAL;
  if (typeof path === "number") return path;
  const own = t.credentials;
  if ((flags & AT_EACCESS) === 0) t.credentials = realUser(own);
  try {
    return mayAccess(t, fd, path, mode, flags);
  } finally {
    t.credentials = own;
  }
}

function mayAccess(t: Thread, fd: number, path: string, mode: number, flags: number): number {
  if (path === "") {
    const status = statAt(t, fd, path, flags);
    if (status < 0) return status;
    const { handle } = fd === AT_FDCWD ? { handle: t.process.fsContext.cwd } : t.process.files.get(fd) ?? {};
    return handle === undefined ? permitsMode(t, statBuffer(t), mode) : t.fs.access(handle, "", mode, true);
  }
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  let place = virtual(t, fd, path, follow);
  if (place === undefined) {
    const dir = dirHandle(t, fd, path);
    const status = dir < 0 ? dir : t.fs.access(dir, path, mode, follow);
    if (status !== -E.EREMOTE) return status;
    place = remote(t, dir, path, follow);
  }
  if (typeof place === "object" && place.kind === "real") return t.fs.access(0, place.path, mode, follow);
  const status = statPlace(t, place, follow, statBuffer(t));
  return status < 0 ? status : permitsMode(t, statBuffer(t), mode);
}

function access(t: Thread): Result {
  return accessAt(t, AT_FDCWD, pathArg(t, 0), t.int(1), 0);
}

function faccessat(t: Thread): Result {
  return accessAt(t, t.int(0), pathArg(t, 1), t.int(2), 0);
}

function faccessat2(t: Thread): Result {
  const flags = t.int(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_EACCESS)) !== 0) return -E.EINVAL;
  return accessAt(t, t.int(0), pathArg(t, 1), t.int(2), flags);
}

export const STAT_CALLS: readonly SyscallRow[] = [
  sys(4, "stat", ["path", "stat"], stat),
  sys(5, "fstat", ["fd", "stat"], fstat),
  sys(6, "lstat", ["path", "stat"], lstat),
  sys(21, "access", ["path", "access"], access),
  sys(137, "statfs", ["path", "ptr"], statfs),
  sys(138, "fstatfs", ["fd", "ptr"], fstatfs),
  sys(262, "newfstatat", ["dirfd", "path", "stat", "atflags"], newfstatat),
  sys(269, "faccessat", ["dirfd", "path", "access"], faccessat),
  sys(332, "statx", ["dirfd", "path", "atflags", "hex", "statx"], statx, "no birth time, no attributes"),
  sys(439, "faccessat2", ["dirfd", "path", "access", "atflags"], faccessat2),
];
