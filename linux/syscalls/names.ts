import { TIME_NOW } from "../../fs/protocol.ts";
import { inGroup } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from "../abi/fcntl.ts";
import { getI64 } from "../memory/user.ts";
import { textToBytes } from "../trace/text.ts";
import { FsFile } from "../files/fs_file.ts";
import type { Tty } from "../files/tty.ts";
import { TtyFile } from "../files/tty_file.ts";
import { IN, tellName } from "../files/inotify.ts";
import { remote, virtual } from "../proc/resolve.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";
import { limited } from "./space.ts";
import { dirHandle, fileArg, pathArg } from "./util.ts";

type Operation = (dir: number, path: string) => number;

/** Runs an operation of the file service on a path relative to descriptor `fd`; `follow` when it follows a link at the path's end. */
function at(t: Thread, fd: number, path: string | number, operation: Operation, follow = false): number {
  if (typeof path === "number") return path;
  if (path === "") return -E.ENOENT;
  const dir = dirHandle(t, fd, path);
  const here = fd === AT_FDCWD && t.process.fsContext.virtualCwd !== undefined && path.charCodeAt(0) !== 0x2f;
  const status = dir < 0 ? dir : here ? -E.EREMOTE : operation(dir, path);
  return status === -E.EREMOTE ? throughLinks(t, dir, path, operation, follow) : status;
}

/** The operation on what links of /proc lead to: C libraries change an O_PATH descriptor's file by /proc/self/fd/N. */
function throughLinks(t: Thread, dir: number, path: string, operation: Operation, follow: boolean): number {
  const place = remote(t, dir, path, follow);
  if (typeof place === "number") return place;
  if (place.kind === "real") return operation(0, place.path);
  // A file without a name; a pipe or a socket has none that could change. Names in /proc and /sys cannot be changed.
  const handle = place.kind === "open" ? place.file.handle : undefined;
  return handle === undefined ? -E.EPERM : operation(handle, "");
}

/** The same for an operation that makes a name, or changes an inode: watchers are told. */
function making(t: Thread, fd: number, path: string | number, operation: Operation): number {
  return at(t, fd, path, (dir, p) => told(t, dir, p, IN.CREATE, 0, operation(dir, p)));
}

function changing(t: Thread, fd: number, path: string | number, follow: boolean, operation: Operation): number {
  return at(t, fd, path, (dir, p) => told(t, dir, p, IN.ATTRIB, IN.ATTRIB, operation(dir, p)), follow);
}

function told(t: Thread, dir: number, path: string, mask: number, self: number, status: number): number {
  if (status >= 0) tellName(t, dir, path, mask, self);
  return status;
}

function mkdirAt(t: Thread, fd: number, path: string | number, mode: number): Result {
  return making(t, fd, path, (dir, p) => t.fs.mkdir(dir, p, mode & ~t.process.fsContext.umask & 0o1777));
}

function mknodAt(t: Thread, fd: number, path: string | number, mode: number, rdev: number): Result {
  const type = mode & S_IFMT;
  const full = (type === 0 ? S_IFREG : type) | mode & ~t.process.fsContext.umask & 0o7777;
  return making(t, fd, path, (dir, p) => t.fs.mknod(dir, p, full, rdev));
}

function unlinkAt(t: Thread, fd: number, path: string | number, directory: boolean): Result {
  return at(t, fd, path, (dir, p) => {
    if (t.os.watches.none) return t.fs.unlink(dir, p, directory);
    // Who watches must be found while the name is there.
    const told = t.fs.stat(dir, p, false, t.os.statBuffer) >= 0 && ((t.os.statBuffer.mode & S_IFMT) === S_IFDIR) === directory;
    const isLast = directory || t.os.statBuffer.nlink === 1;
    if (told && !directory) tellName(t, dir, p, 0, IN.ATTRIB);
    if (told && isLast) tellName(t, dir, p, 0, IN.DELETE_SELF);
    if (told) tellName(t, dir, p, IN.DELETE);
    return t.fs.unlink(dir, p, directory);
  });
}

function unlinkat(t: Thread): Result {
  const flags = t.int(2);
  return (flags & ~AT_REMOVEDIR) !== 0 ? -E.EINVAL : unlinkAt(t, t.int(0), pathArg(t, 1), flags !== 0);
}

function symlinkAt(t: Thread, target: string | number, fd: number, path: string | number): Result {
  if (typeof target === "number") return target;
  if (target === "") return -E.ENOENT;
  return making(t, fd, path, (dir, p) => t.fs.symlink(target, dir, p));
}

function readlinkAt(t: Thread, fd: number, path: string | number, address: number, size: number): Result {
  if (size <= 0) return -E.EINVAL;
  if (typeof path === "number") return path;
  const target = linkTarget(t, fd, path);
  if (typeof target === "number") return target;
  const bytes = textToBytes(target);
  const part = bytes.subarray(0, size);
  return t.process.user.putBytes(address, part) ? part.length : -E.EFAULT;
}

function linkTarget(t: Thread, fd: number, path: string): string | number {
  if (path === "") {
    const handle = t.process.files.get(fd)?.handle;
    return handle === undefined ? -E.ENOENT : t.fs.readlink(handle, "");
  }
  let place = virtual(t, fd, path, false, { reads: true });
  if (place === undefined) {
    const dir = dirHandle(t, fd, path);
    if (dir < 0) return dir;
    const target = t.fs.readlink(dir, path);
    if (target !== -E.EREMOTE) return target;
    place = remote(t, dir, path, false, { reads: true });
  }
  if (typeof place === "number") return place;
  if (place.kind === "open") return place.file.path;
  if (place.kind === "real") return t.fs.readlink(0, place.path);
  return place.node.kind === "link" ? place.node.target(t) : -E.EINVAL;
}

/** Two paths with their descriptors. */
function two(
  t: Thread,
  fromFd: number,
  from: string | number,
  toFd: number,
  to: string | number,
  operation: (fromDir: number, from: string, toDir: number, to: string) => number,
  follow = false,
): Result {
  const both = (fromDir: number, f: string) => at(t, toFd, to, (toDir, p) => operation(fromDir, f, toDir, p));
  return at(t, fromFd, from, both, follow);
}

function linkat(t: Thread): Result {
  const flags = t.int(4);
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -E.EINVAL;
  const from = pathArg(t, 1);
  if (from === "" && (flags & AT_EMPTY_PATH) !== 0) return linkOpen(t, t.int(0), t.int(2), pathArg(t, 3));
  return linkAt(t, t.int(0), from, t.int(2), pathArg(t, 3), (flags & AT_SYMLINK_FOLLOW) !== 0);
}

/** A name for the file of a descriptor. */
function linkOpen(t: Thread, fd: number, toFd: number, to: string | number): Result {
  if (!capable(t.credentials, CAP.DAC_READ_SEARCH)) return -E.ENOENT;
  const file = t.process.files.get(fd);
  if (file?.handle === undefined) return file === undefined ? -E.EBADF : -E.EXDEV;
  const { handle } = file;
  return making(t, toFd, to, (dir, p) => t.fs.link(handle, "", dir, p, false));
}

function linkAt(t: Thread, fromFd: number, from: string | number, toFd: number, to: string | number, follow: boolean): Result {
  return two(t, fromFd, from, toFd, to, (fromDir, f, toDir, p) => {
    const status = t.fs.link(fromDir, f, toDir, p, follow);
    if (status >= 0) {
      tellName(t, toDir, p, 0, IN.ATTRIB);
      tellName(t, toDir, p, IN.CREATE);
    }
    return status;
  }, follow);
}

const RENAME_VALID = 7, RENAME_EXCHANGE = 2;

function renameAt(t: Thread, fromFd: number, from: string | number, toFd: number, to: string | number, flags: number): Result {
  if ((flags & ~RENAME_VALID) !== 0 || (flags & RENAME_EXCHANGE) !== 0 && flags !== RENAME_EXCHANGE) return -E.EINVAL;
  return two(t, fromFd, from, toFd, to, (fromDir, f, toDir, p) => {
    if (t.os.watches.none) return t.fs.rename(fromDir, f, toDir, p, flags);
    const cookie = t.os.watches.nextCookie();
    if (t.fs.stat(fromDir, f, false, t.os.statBuffer) >= 0) tellName(t, fromDir, f, IN.MOVED_FROM, 0, cookie);
    const status = t.fs.rename(fromDir, f, toDir, p, flags);
    if (status >= 0) tellName(t, toDir, p, IN.MOVED_TO, IN.MOVE_SELF, cookie);
    return status;
  });
}

/** The terminal that a path of /dev/pts names. */
function terminalAt(t: Thread, fd: number, path: string | number, follow: boolean): Tty["owner"] | undefined {
  const place = typeof path === "number" || path === "" ? undefined : virtual(t, fd, path, follow);
  return typeof place === "object" && place.kind === "node" && place.node.kind === "device" ? place.node.owner : undefined;
}

function chmodTerminal(t: Thread, owner: Tty["owner"], mode: number): number {
  if (t.credentials.uid !== owner.uid && !capable(t.credentials, CAP.FOWNER)) return -E.EPERM;
  owner.mode = mode & 0o7777;
  return 0;
}

function chownTerminal(t: Thread, owner: Tty["owner"], uid: number, gid: number): number {
  const c = t.credentials, mine = c.uid === owner.uid;
  const mayUser = uid === -1 || mine && uid === owner.uid,
    mayGroup = gid === -1 || mine && (gid === owner.gid || inGroup(c, gid));
  if (!(mayUser && mayGroup) && !capable(c, CAP.CHOWN)) return -E.EPERM;
  if (uid !== -1) owner.uid = uid;
  if (gid !== -1) owner.gid = gid;
  return 0;
}

function chmodAt(t: Thread, fd: number, path: string | number, mode: number, follow: boolean): Result {
  const terminal = terminalAt(t, fd, path, follow);
  if (terminal !== undefined) return chmodTerminal(t, terminal, mode);
  return changing(t, fd, path, follow, (dir, p) => t.fs.chmod(dir, p, mode & 0o7777, follow));
}

function fchmod(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable && !file.writable) return -E.EBADF;
  if (file instanceof TtyFile) return chmodTerminal(t, file.tty.owner, t.uint(1));
  return file.handle === undefined ? 0 : t.fs.chmod(file.handle, "", t.uint(1) & 0o7777, true);
}

function fchmodat2(t: Thread): Result {
  const flags = t.int(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -E.EINVAL;
  return chmodAt(t, t.int(0), pathArg(t, 1), t.uint(2), (flags & AT_SYMLINK_NOFOLLOW) === 0);
}

/** A user or group id; -1 leaves it alone. */
const idArg = (t: Thread, n: number): number => t.int(n) === -1 ? -1 : t.uint(n);

function chownAt(t: Thread, fd: number, path: string | number, uid: number, gid: number, follow: boolean): Result {
  const terminal = terminalAt(t, fd, path, follow);
  if (terminal !== undefined) return chownTerminal(t, terminal, uid, gid);
  return changing(t, fd, path, follow, (dir, p) => t.fs.chown(dir, p, uid, gid, follow));
}

function fchown(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable && !file.writable) return -E.EBADF;
  if (file instanceof TtyFile) return chownTerminal(t, file.tty.owner, idArg(t, 1), idArg(t, 2));
  return file.handle === undefined ? 0 : t.fs.chown(file.handle, "", idArg(t, 1), idArg(t, 2), true);
}

function fchownat(t: Thread): Result {
  const flags = t.int(4);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -E.EINVAL;
  const path = pathArg(t, 1);
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) {
    const { handle } = fileArg(t, 0) ?? {};
    return handle === undefined ? -E.EBADF : t.fs.chown(handle, "", idArg(t, 2), idArg(t, 3), true);
  }
  return chownAt(t, t.int(0), path, idArg(t, 2), idArg(t, 3), (flags & AT_SYMLINK_NOFOLLOW) === 0);
}

// ---- times ----------------------------------------------------------------------------------------------------------

const UTIME_NOW = 0x3fff_ffff, UTIME_OMIT = 0x3fff_fffe, NS = 1_000_000_000;
type Time = [number, number] | undefined;

/** The present time, by the file service's clock. */
const NOW: [number, number] = [0, TIME_NOW];

/** Two times: seconds and a fraction in units of `unit` ns. -errno for bad ones. */
function readTimes(t: Thread, address: number, unit: number): [Time, Time] | number {
  if (address === 0) return [NOW, NOW];
  const { user } = t.process;
  const read = (where: number): Time | number => {
    const pa = user.in(where, 16);
    if (pa < 0) return -E.EFAULT;
    const fraction = getI64(user.data, pa + 8);
    if (unit === 1 && fraction === UTIME_NOW) return NOW;
    if (unit === 1 && fraction === UTIME_OMIT) return undefined;
    if (fraction < 0 || fraction >= NS / unit) return -E.EINVAL;
    return [getI64(user.data, pa), fraction * unit];
  };
  const atime = read(address);
  const mtime = read(address + 16);
  if (typeof atime === "number") return atime;
  return typeof mtime === "number" ? mtime : [atime, mtime];
}

function setTimes(
  t: Thread,
  fd: number,
  path: string | number | undefined,
  times: [Time, Time] | number,
  follow: boolean,
): Result {
  if (typeof times === "number") return times;
  if (typeof path === "number") return path;
  if (path === undefined || path === "") {
    const file = t.process.files.get(fd);
    if (file === undefined) return path === "" ? -E.ENOENT : -E.EBADF;
    return file.handle === undefined ? 0 : t.fs.utime(file.handle, "", times[0], times[1], true);
  }
  return changing(t, fd, path, follow, (dir, p) => t.fs.utime(dir, p, times[0], times[1], follow));
}

function utimensat(t: Thread): Result {
  const flags = t.int(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -E.EINVAL;
  const path = t.arg(1) === 0 ? undefined : pathArg(t, 1);
  if (path === undefined && t.int(0) === AT_FDCWD) return -E.EFAULT;
  return setTimes(t, t.int(0), path, readTimes(t, t.arg(2), 1), (flags & AT_SYMLINK_NOFOLLOW) === 0);
}

function utimes(t: Thread): Result {
  return setTimes(t, AT_FDCWD, pathArg(t, 0), readTimes(t, t.arg(1), 1000), true);
}

function futimesat(t: Thread): Result {
  return setTimes(t, t.int(0), t.arg(1) === 0 ? undefined : pathArg(t, 1), readTimes(t, t.arg(2), 1000), true);
}

function utime(t: Thread): Result {
  const address = t.arg(1);
  if (address === 0) return setTimes(t, AT_FDCWD, pathArg(t, 0), [NOW, NOW], true);
  const atime = t.process.user.i64(address);
  const mtime = t.process.user.i64(address + 8);
  if (Number.isNaN(atime) || Number.isNaN(mtime)) return -E.EFAULT;
  return setTimes(t, AT_FDCWD, pathArg(t, 0), [[atime, 0], [mtime, 0]], true);
}

function umask(t: Thread): Result {
  const { fsContext } = t.process;
  const old = fsContext.umask;
  fsContext.umask = t.uint(0) & 0o777;
  return old;
}

function truncate(t: Thread): Result {
  const path = pathArg(t, 0);
  const size = t.long(1);
  if (typeof path === "number") return path;
  if (size < 0) return -E.EINVAL;
  if (limited(t, size)) return -E.EFBIG;
  const O_WRONLY = 1;
  return at(t, AT_FDCWD, path, (dir, p) => {
    const handle = t.fs.open(dir, p, O_WRONLY, 0);
    if (handle < 0) return handle;
    const stat = t.os.statBuffer, found = t.fs.fstat(handle, stat);
    const status = found < 0 ? found : new FsFile(t.fs, handle, stat, O_WRONLY).truncate(t, size);
    t.fs.close(handle);
    return status;
  }, true);
}

const CWD = AT_FDCWD;

export const NAME_CALLS: readonly SyscallRow[] = [
  sys(76, "truncate", ["path", "long"], truncate),
  sys(82, "rename", ["path", "path"], (t) => renameAt(t, CWD, pathArg(t, 0), CWD, pathArg(t, 1), 0)),
  sys(83, "mkdir", ["path", "mode"], (t) => mkdirAt(t, CWD, pathArg(t, 0), t.uint(1))),
  sys(84, "rmdir", ["path"], (t) => unlinkAt(t, CWD, pathArg(t, 0), true)),
  sys(86, "link", ["path", "path"], (t) => linkAt(t, CWD, pathArg(t, 0), CWD, pathArg(t, 1), false)),
  sys(87, "unlink", ["path"], (t) => unlinkAt(t, CWD, pathArg(t, 0), false)),
  sys(88, "symlink", ["path", "path"], (t) => symlinkAt(t, pathArg(t, 0), CWD, pathArg(t, 1))),
  sys(89, "readlink", ["path", "outbuf", "size"], (t) => readlinkAt(t, CWD, pathArg(t, 0), t.arg(1), t.int(2))),
  sys(90, "chmod", ["path", "mode"], (t) => chmodAt(t, CWD, pathArg(t, 0), t.uint(1), true)),
  sys(91, "fchmod", ["fd", "mode"], fchmod),
  sys(92, "chown", ["path", "int", "int"], (t) => chownAt(t, CWD, pathArg(t, 0), idArg(t, 1), idArg(t, 2), true)),
  sys(93, "fchown", ["fd", "int", "int"], fchown),
  sys(94, "lchown", ["path", "int", "int"], (t) => chownAt(t, CWD, pathArg(t, 0), idArg(t, 1), idArg(t, 2), false)),
  sys(95, "umask", ["octal"], umask),
  sys(132, "utime", ["path", "ptr"], utime),
  sys(133, "mknod", ["path", "mode", "dev"], (t) => mknodAt(t, CWD, pathArg(t, 0), t.uint(1), t.arg(2))),
  sys(235, "utimes", ["path", "ptr"], utimes),
  sys(258, "mkdirat", ["dirfd", "path", "mode"], (t) => mkdirAt(t, t.int(0), pathArg(t, 1), t.uint(2))),
  sys(259, "mknodat", ["dirfd", "path", "mode", "dev"], (t) => mknodAt(t, t.int(0), pathArg(t, 1), t.uint(2), t.arg(3))),
  sys(260, "fchownat", ["dirfd", "path", "int", "int", "atflags"], fchownat),
  sys(261, "futimesat", ["dirfd", "path", "ptr"], futimesat),
  sys(263, "unlinkat", ["dirfd", "path", "atflags"], unlinkat),
  sys(
    264,
    "renameat",
    ["dirfd", "path", "dirfd", "path"],
    (t) => renameAt(t, t.int(0), pathArg(t, 1), t.int(2), pathArg(t, 3), 0),
  ),
  sys(265, "linkat", ["dirfd", "path", "dirfd", "path", "atflags"], linkat),
  sys(266, "symlinkat", ["path", "dirfd", "path"], (t) => symlinkAt(t, pathArg(t, 0), t.int(1), pathArg(t, 2))),
  sys(267, "readlinkat", ["dirfd", "path", "outbuf", "size"], (t) => readlinkAt(t, t.int(0), pathArg(t, 1), t.arg(2), t.int(3))),
  sys(268, "fchmodat", ["dirfd", "path", "mode"], (t) => chmodAt(t, t.int(0), pathArg(t, 1), t.uint(2), true)),
  sys(280, "utimensat", ["dirfd", "path", "ptr", "atflags"], utimensat),
  sys(
    316,
    "renameat2",
    ["dirfd", "path", "dirfd", "path", "renameflags"],
    (t) => renameAt(t, t.int(0), pathArg(t, 1), t.int(2), pathArg(t, 3), t.uint(4)),
  ),
  sys(452, "fchmodat2", ["dirfd", "path", "mode", "atflags"], fchmodat2),
];
