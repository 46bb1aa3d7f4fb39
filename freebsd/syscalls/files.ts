import type { FsStat } from "../../fs/api.ts";
import type { Result } from "../../linux/process/wait.ts";
import { putU64 } from "../../linux/memory/user.ts";
import { textToBytes } from "../../linux/trace/text.ts";
import { E, fromService } from "../abi/errno.ts";
import { openFifo } from "../fifo.ts";
import { FsFile, S_IFCHR, S_IFDIR, S_IFIFO } from "../files.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

export const AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x200;
const AT_REMOVEDIR = 0x800;
const PATH_MAX = 1024;
/** FreeBSD's O_* (sys/sys/fcntl.h) and what the file service calls them (Linux's numbers). */
const OPEN_FLAGS: readonly (readonly [freebsd: number, service: number])[] = [
  [1, 1],
  [2, 2],
  [8, 0o2000],
  [0x100, 0o400000],
  [0x200, 0o100],
  [0x400, 0o1000],
  [0x800, 0o200],
  [0x20000, 0o200000],
];

export function path(t: Thread, n: number): string | number {
  const { user } = t.process, text = user.string(t.arg(n), PATH_MAX);
  return text ?? (user.stringLength(t.arg(n), PATH_MAX) === -2 ? -E.ENAMETOOLONG : -E.EFAULT);
}

/** O_CLOEXEC. */
export const O_CLOEXEC = 0x10_0000;

/** The directory that a relative path starts from. */
export function directory(t: Thread, fd: number): number {
  return fd === AT_FDCWD ? t.process.cwd : t.process.files.get(fd)?.handle ?? -E.EBADF;
}

/** Calls `action` with directory handle and path of the argument pair; `at` undefined: the working directory. */
export function named(t: Thread, at: number | undefined, n: number, action: (dir: number, path: string) => number): Result {
  const dir = directory(t, at === undefined ? AT_FDCWD : t.int(at)), name = path(t, n);
  if (dir < 0) return dir;
  return typeof name === "number" ? name : fromService(action(dir, name));
}

const MAX_LINKS = 32, S_IFMT = 0o170000, O_PATH = 0o10000000;

/** namei() follows the last link of a name with a slash at its end, even where the name itself is meant; the file service does not. */
export function followed(t: Thread, dir: number, name: string): string {
  if (!name.endsWith("/")) return name;
  let plain = name.replace(/\/+$/, "");
  for (let i = 0; i < MAX_LINKS && plain !== ""; i++) {
    const target = t.os.fs.readlink(dir, plain);
    if (typeof target === "number") break;
    plain = target.startsWith("/") ? target : plain.slice(0, plain.lastIndexOf("/") + 1) + target;
  }
  return plain === "" ? name : `${plain.replace(/\/+$/, "")}/`;
}

function makeDirectory(t: Thread, at: number | undefined, n: number): Result {
  const mode = t.int(n + 1) & 0o7777 & ~t.process.umask;
  return named(t, at, n, (dir, name) => t.os.fs.mkdir(dir, followed(t, dir, name), mode));
}

function remove(t: Thread, at: number | undefined, n: number, directory: boolean): Result {
  return named(t, at, n, (dir, name) => t.os.fs.unlink(dir, followed(t, dir, name), directory));
}

function openFile(t: Thread, at: number | undefined, n: number): Result {
  const flags = t.int(n + 1), service = OPEN_FLAGS.reduce((all, [own, theirs]) => all | ((flags & own) !== 0 ? theirs : 0), 0);
  const handle = named(t, at, n, (dir, name) => t.os.fs.open(dir, name, service, t.int(n + 2) & 0o7777 & ~t.process.umask));
  if (typeof handle !== "number" || handle < 0) return handle;
  const stat = t.os.statBuffer;
  t.os.fs.fstat(handle, stat);
  if ((stat.mode & S_IFMT) === S_IFIFO && (service & O_PATH) === 0) {
    t.os.fs.close(handle);
    return openFifo(t, `${stat.dev}:${stat.ino}`, flags, (flags & O_CLOEXEC) !== 0);
  }
  return t.process.add(new FsFile(t.os, handle, stat.mode & S_IFMT, flags), (flags & O_CLOEXEC) !== 0);
}

/** struct stat: sys/sys/stat.h since FreeBSD 12. */
const STAT_BYTES = 224;

function putStat(t: Thread, address: number, st: FsStat): Result {
  const { user } = t.process, { data, u8 } = t.os, at = user.out(address, STAT_BYTES);
  if (at < 0) return -E.EFAULT;
  u8.fill(0, at, at + STAT_BYTES);
  putU64(data, at, st.dev);
  putU64(data, at + 8, st.ino);
  putU64(data, at + 16, st.nlink);
  data.setUint16(at + 24, st.mode, true);
  data.setUint32(at + 28, st.uid, true);
  data.setUint32(at + 32, st.gid, true);
  putU64(data, at + 40, st.rdev);
  [st.atime, st.mtime, st.ctime, st.ctime].forEach(([seconds, ns], i) => {
    putU64(data, at + 48 + 16 * i, seconds);
    putU64(data, at + 56 + 16 * i, ns);
  });
  putU64(data, at + 112, st.size);
  putU64(data, at + 120, st.blocks);
  data.setUint32(at + 128, st.blksize, true);
  return user.done();
}

function fstat(t: Thread): Result {
  const file = t.process.files.get(t.int(0)), stat = t.os.statBuffer;
  if (file === undefined) return -E.EBADF;
  if (file.handle !== undefined) t.os.fs.fstat(file.handle, stat);
  else {Object.assign(stat, {
      dev: 0,
      ino: 1,
      mode: file.type | 0o620,
      nlink: 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      size: 0,
      blksize: 4096,
    });}
  return putStat(t, t.arg(1), stat);
}

function fstatat(t: Thread): Result {
  const follow = (t.int(3) & AT_SYMLINK_NOFOLLOW) === 0, stat = t.os.statBuffer;
  const status = named(t, 0, 1, (dir, name) => t.os.fs.stat(dir, name, follow, stat));
  return status === 0 ? putStat(t, t.arg(2), stat) : status;
}

/** struct dirent: sys/sys/dirent.h since FreeBSD 12. The file's offset is the cookie of the next entry. */
function getdirentries(t: Thread): Result {
  const file = t.process.files.get(t.int(0)), room = t.arg(2), base = t.arg(3), { user } = t.process;
  if (file === undefined) return -E.EBADF;
  if (file.handle === undefined || file.type !== S_IFDIR) return -E.EINVAL;
  const entries = t.os.fs.list(file.handle, file.offset, 64), start = file.offset;
  if (typeof entries === "number") return fromService(entries);
  let done = 0;
  for (const entry of entries) {
    const name = textToBytes(entry.name), length = Math.ceil((24 + name.length + 1) / 8) * 8;
    if (done + length > room) {
      if (done === 0) return -E.EINVAL;
      break;
    }
    const bytes = new Uint8Array(length), data = new DataView(bytes.buffer);
    putU64(data, 0, entry.ino);
    putU64(data, 8, entry.next);
    data.setUint16(16, length, true);
    bytes[18] = entry.type;
    data.setUint16(20, name.length, true);
    bytes.set(name, 24);
    if (!user.putBytes(t.arg(1) + done, bytes)) return -E.EFAULT;
    done += length;
    file.offset = entry.next;
  }
  if (base !== 0 && !user.putU64(base, start)) return -E.EFAULT;
  return done;
}

/** Only the question whether it is a terminal: TIOCGETA. */
const TIOCGETA = 0x402c_7413, TERMIOS_BYTES = 44;
function ioctl(t: Thread): Result {
  const file = t.process.files.get(t.int(0));
  if (file === undefined) return -E.EBADF;
  if (t.uint(1) !== TIOCGETA || file.type !== S_IFCHR || !t.os.console.isTerminal(t.int(0))) return -E.ENOTTY;
  return t.process.user.putBytes(t.arg(2), new Uint8Array(TERMIOS_BYTES)) ? 0 : -E.EFAULT;
}

function getcwd(t: Thread): Result {
  const where = t.os.fs.pathOf(t.process.cwd);
  if (typeof where === "number") return fromService(where);
  const bytes = Uint8Array.of(...textToBytes(where), 0);
  if (bytes.length > t.arg(1)) return -E.ERANGE;
  return t.process.user.putBytes(t.arg(0), bytes) ? 0 : -E.EFAULT;
}

export const FILE_CALLS: readonly SyscallRow[] = [
  sys(5, "open", 3, (t) => openFile(t, undefined, 0)),
  sys(10, "unlink", 1, (t) => remove(t, undefined, 0, false)),
  sys(54, "ioctl", 3, ioctl, "TIOCGETA"),
  sys(136, "mkdir", 2, (t) => makeDirectory(t, undefined, 0)),
  sys(137, "rmdir", 1, (t) => remove(t, undefined, 0, true)),
  sys(326, "__getcwd", 2, getcwd),
  sys(496, "mkdirat", 3, (t) => makeDirectory(t, 0, 1)),
  sys(499, "openat", 4, (t) => openFile(t, 0, 1)),
  sys(503, "unlinkat", 3, (t) => remove(t, 0, 1, (t.int(2) & AT_REMOVEDIR) !== 0)),
  sys(551, "fstat", 2, fstat),
  sys(552, "fstatat", 4, fstatat),
  sys(554, "getdirentries", 4, getdirentries),
];
