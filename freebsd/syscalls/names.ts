import { putU64 } from "../../linux/memory/user.ts";
import { getI64 } from "../../linux/memory/user.ts";
import { textToBytes } from "../../linux/trace/text.ts";
import type { Result } from "../../linux/process/wait.ts";
import { TIME_NOW } from "../../fs/protocol.ts";
import { E, fromService } from "../abi/errno.ts";
import { S_IFIFO } from "../files.ts";
import type { Thread } from "../thread.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, directory, followed, named, path } from "./files.ts";
import { sys, type SyscallRow } from "./row.ts";

/** Two names: `action` gets directory and path of each. `from`, `to`: arguments of the directories, undefined = the working directory. */
function both(
  t: Thread,
  [from, fromPath]: [number | undefined, number],
  [to, toPath]: [number | undefined, number],
  action: (fromDir: number, from: string, toDir: number, to: string) => number,
): Result {
  const dir = directory(t, to === undefined ? AT_FDCWD : t.int(to)), target = path(t, toPath);
  if (dir < 0) return dir;
  return typeof target === "number"
    ? target
    : named(t, from, fromPath, (fromDir, source) => action(fromDir, source, dir, target));
}

/** rename(2). */
function rename(t: Thread, from: [number | undefined, number], to: [number | undefined, number]): Result {
  return both(t, from, to, (a, b, c, d) => t.os.fs.rename(a, followed(t, a, b), c, followed(t, c, d), 0));
}

const follows = (flags: number): boolean => (flags & AT_SYMLINK_NOFOLLOW) === 0;

function readlink(t: Thread, at: number | undefined, n: number): Result {
  let target = "";
  const status = named(t, at, n, (dir, name) => {
    const found = t.os.fs.readlink(dir, name);
    if (typeof found === "number") return found;
    target = found;
    return 0;
  });
  if (status !== 0) return status;
  const bytes = Uint8Array.from(textToBytes(target)).subarray(0, t.arg(n + 2));
  return t.process.user.putBytes(t.arg(n + 1), bytes) ? bytes.length : -E.EFAULT;
}

function mkfifo(t: Thread, at: number | undefined, n: number): Result {
  const mode = S_IFIFO | t.int(n + 1) & 0o7777 & ~t.process.umask;
  return named(t, at, n, (dir, name) => t.os.fs.mknod(dir, name, mode, 0));
}

function symlink(t: Thread, at: number | undefined, n: number): Result {
  const target = path(t, 0);
  return typeof target === "number" ? target : named(t, at, n, (dir, name) => t.os.fs.symlink(target, dir, name));
}

/** In the service's numbers. */
function chdir(t: Thread, dir: number, name: string): number {
  const O_PATH_DIRECTORY = 0o10200000, handle = t.os.fs.open(dir, name, O_PATH_DIRECTORY, 0);
  if (handle < 0) return handle;
  t.os.fs.close(t.process.cwd);
  t.process.cwd = handle;
  return 0;
}

function fchdir(t: Thread): Result {
  const file = t.process.files.get(t.int(0));
  if (file === undefined) return -E.EBADF;
  return file.handle === undefined ? -E.ENOTDIR : fromService(chdir(t, file.handle, "."));
}

function withHandle(t: Thread, action: (handle: number) => number): Result {
  const file = t.process.files.get(t.int(0));
  if (file === undefined) return -E.EBADF;
  return file.handle === undefined ? -E.EINVAL : fromService(action(file.handle));
}

function umask(t: Thread): Result {
  const old = t.process.umask;
  t.process.umask = t.int(0) & 0o777;
  return old;
}

/** sys/sys/stat.h. */
const UTIME_NOW = -1, UTIME_OMIT = -2;

/** The two times at `address` (0 = now) in struct timespec. */
function times(t: Thread, address: number): [[number, number] | undefined, [number, number] | undefined] | number {
  if (address === 0) return [[0, TIME_NOW], [0, TIME_NOW]];
  const at = t.process.user.in(address, 32), { data } = t.os;
  if (at < 0) return -E.EFAULT;
  const one = (offset: number): [number, number] | undefined => {
    const seconds = getI64(data, at + offset), ns = getI64(data, at + offset + 8);
    return ns === UTIME_OMIT ? undefined : ns === UTIME_NOW ? [0, TIME_NOW] : [seconds, ns];
  };
  return [one(0), one(16)];
}

function utimensat(t: Thread): Result {
  const when = times(t, t.arg(2));
  if (typeof when === "number") return when;
  return named(t, 0, 1, (dir, name) => t.os.fs.utime(dir, name, when[0], when[1], follows(t.int(3))));
}

function futimens(t: Thread): Result {
  const when = times(t, t.arg(1));
  return typeof when === "number" ? when : withHandle(t, (handle) => t.os.fs.utime(handle, "", when[0], when[1], true));
}

/** struct statfs: sys/sys/mount.h since FreeBSD 12, STATFS_VERSION 20140518. */
const STATFS_BYTES = 2344, STATFS_VERSION = 0x2014_0518, ROOT_NAME_AT = 2344 - 1024;

/** In the service's numbers. */
function statfs(t: Thread, address: number, handle: number): number {
  const out = { type: 0, bsize: 0, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 0, readOnly: false };
  const status = t.os.fs.statfs(handle, out);
  if (status < 0) return status;
  const bytes = new Uint8Array(STATFS_BYTES), data = new DataView(bytes.buffer);
  data.setUint32(0, STATFS_VERSION, true);
  data.setUint32(8, out.readOnly ? 1 : 0, true);
  [out.bsize, out.bsize, out.blocks, out.bfree, out.bfree, out.files, out.ffree].forEach((word, i) =>
    putU64(data, 16 + 8 * i, word)
  );
  data.setUint32(184, out.namelen, true);
  bytes.set(textToBytes("hedra"), 280);
  bytes[ROOT_NAME_AT] = 0x2f;
  return t.process.user.putBytes(address, bytes) ? 0 : -E.EFAULT;
}

function statfsOf(t: Thread): Result {
  return named(t, undefined, 0, (dir, name) => {
    const O_PATH = 0o10000000, handle = t.os.fs.open(dir, name, O_PATH, 0);
    if (handle < 0) return handle;
    const status = statfs(t, t.arg(1), handle);
    t.os.fs.close(handle);
    return status;
  });
}

/** Calls that change names or what belongs to a name. Permissions do not stop anybody: every program is root. */
export const NAME_CALLS: readonly SyscallRow[] = [
  sys(9, "link", 2, (t) => both(t, [undefined, 0], [undefined, 1], (a, b, c, d) => t.os.fs.link(a, b, c, d, true))),
  sys(12, "chdir", 1, (t) => named(t, undefined, 0, (dir, name) => chdir(t, dir, name))),
  sys(13, "fchdir", 1, fchdir),
  sys(15, "chmod", 2, (t) => named(t, undefined, 0, (dir, name) => t.os.fs.chmod(dir, name, t.int(1) & 0o7777, true))),
  sys(16, "chown", 3, (t) => named(t, undefined, 0, (dir, name) => t.os.fs.chown(dir, name, t.int(1), t.int(2), true))),
  sys(33, "access", 2, (t) => named(t, undefined, 0, (dir, name) => t.os.fs.access(dir, name, t.int(1), true))),
  sys(57, "symlink", 2, (t) => symlink(t, undefined, 1)),
  sys(58, "readlink", 3, (t) => readlink(t, undefined, 0)),
  sys(60, "umask", 1, umask),
  sys(95, "fsync", 1, (t) => withHandle(t, (handle) => t.os.fs.sync(handle))),
  sys(123, "fchown", 3, (t) => withHandle(t, (handle) => t.os.fs.chown(handle, "", t.int(1), t.int(2), true))),
  sys(124, "fchmod", 2, (t) => withHandle(t, (handle) => t.os.fs.chmod(handle, "", t.int(1) & 0o7777, true))),
  sys(128, "rename", 2, (t) => rename(t, [undefined, 0], [undefined, 1])),
  sys(132, "mkfifo", 2, (t) => mkfifo(t, undefined, 0)),
  sys(254, "lchown", 3, (t) => named(t, undefined, 0, (dir, name) => t.os.fs.chown(dir, name, t.int(1), t.int(2), false))),
  sys(479, "truncate", 2, truncate),
  sys(480, "ftruncate", 2, (t) => withHandle(t, (handle) => t.os.fs.truncate(handle, t.arg(1)))),
  sys(489, "faccessat", 4, (t) => named(t, 0, 1, (dir, name) => t.os.fs.access(dir, name, t.int(2), follows(t.int(3))))),
  sys(490, "fchmodat", 4, (t) => named(t, 0, 1, (dir, name) => t.os.fs.chmod(dir, name, t.int(2) & 0o7777, follows(t.int(3))))),
  sys(
    491,
    "fchownat",
    5,
    (t) => named(t, 0, 1, (dir, name) => t.os.fs.chown(dir, name, t.int(2), t.int(3), follows(t.int(4)))),
  ),
  sys(
    495,
    "linkat",
    5,
    (t) => both(t, [0, 1], [2, 3], (a, b, c, d) => t.os.fs.link(a, b, c, d, (t.int(4) & AT_SYMLINK_FOLLOW) !== 0)),
  ),
  sys(497, "mkfifoat", 3, (t) => mkfifo(t, 0, 1)),
  sys(500, "readlinkat", 4, (t) => readlink(t, 0, 1)),
  sys(501, "renameat", 4, (t) => rename(t, [0, 1], [2, 3])),
  sys(502, "symlinkat", 3, (t) => symlink(t, 1, 2)),
  sys(546, "futimens", 2, futimens),
  sys(547, "utimensat", 4, utimensat),
  sys(555, "statfs", 2, statfsOf),
  sys(556, "fstatfs", 2, (t) => withHandle(t, (handle) => statfs(t, t.arg(1), handle))),
];
const AT_SYMLINK_FOLLOW = 0x400;

function truncate(t: Thread): Result {
  return named(t, undefined, 0, (dir, name) => {
    const handle = t.os.fs.open(dir, name, 1, 0);
    if (handle < 0) return handle;
    const status = t.os.fs.truncate(handle, t.arg(1));
    t.os.fs.close(handle);
    return status;
  });
}
