import { MAY_READ, MAY_WRITE } from "../../fs/identity.ts";
import { RESOLVE } from "../../fs/flags.ts";
import { E } from "../abi/errno.ts";
import * as F from "../abi/fcntl.ts";
import { mayTrace, permitsMode } from "../process/access.ts";
import type { Thread } from "../process/thread.ts";
import { type Place, remote, virtual } from "../proc/resolve.ts";
import { dirHandle } from "../syscalls/util.ts";
import { FsFile } from "./fs_file.ts";
import { openFifo } from "./fifo.ts";
import { IN, tellName } from "./inotify.ts";
import type { OpenFile } from "./open_file.ts";
import { ConsoleTerminal } from "./streams.ts";
import { statNode, VirtualFile } from "./virtual.ts";

/** Flags that only matter while opening. */
const OPENING = F.O_CREAT | F.O_EXCL | F.O_NOCTTY | F.O_TRUNC | F.O_CLOEXEC;
/** Device numbers of drivers/tty. */
const TTY = 5 << 8, CONSOLE = 5 << 8 | 1, PTMX = 5 << 8 | 2;

/** Opens what `path` names, relative to descriptor `fd` (or AT_FDCWD). An open file with one reference, or -errno. */
export function openPath(t: Thread, fd: number, path: string, flags: number, mode: number, resolve = 0): OpenFile | number {
  if (path === "") return -E.ENOENT;
  // In a root of its own, or beneath a directory, an absolute path is not what it seems.
  const scoped = (resolve & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) !== 0 && path.charCodeAt(0) === 0x2f;
  const place = scoped ? undefined : virtual(t, fd, path, (flags & F.O_NOFOLLOW) === 0, { resolve });
  if (place !== undefined) return openPlace(t, place, flags, mode);
  const dir = dirHandle(t, fd, scoped ? "." : path);
  return dir < 0 ? dir : openReal(t, dir, path, flags, mode, resolve);
}

function openPlace(t: Thread, place: Place | number, flags: number, mode: number): OpenFile | number {
  if (typeof place === "number") return place;
  if (place.kind === "real") return openReal(t, 0, place.path, flags, mode);
  if (place.kind === "open") {
    const { handle } = place.file;
    return handle === undefined ? place.file.reopen(t, flags) : openReal(t, handle, "", flags & ~(F.O_CREAT | F.O_EXCL), 0);
  }
  const { node } = place;
  if ((flags & F.O_PATH) === 0 && node.kind !== "link") {
    const status = mayOpen(t, place, flags);
    if (status < 0) return status;
  }
  if (node.kind === "device") return (flags & F.O_PATH) === 0 ? node.open(t, flags) : new VirtualFile(place, flags);
  if ((flags & F.O_CREAT) !== 0 && (flags & F.O_EXCL) !== 0) return -E.EEXIST;
  if (node.kind === "link" && (flags & F.O_PATH) === 0) return -E.ELOOP;
  if (node.kind === "directory" && (flags & F.O_ACCMODE) !== F.O_RDONLY) return -E.EISDIR;
  if (node.kind !== "directory" && (flags & F.O_DIRECTORY) !== 0) return -E.ENOTDIR;
  if (node.kind === "file" && node.open !== undefined && (flags & F.O_PATH) === 0) return node.open(flags & ~OPENING);
  return new VirtualFile(place, flags & ~OPENING | F.O_LARGEFILE);
}

/** The permissions of a name in /proc, /sys or /dev/pts. */
function mayOpen(t: Thread, place: Place & { kind: "node" }, flags: number): number {
  const { node, owner } = place;
  const access = flags & F.O_ACCMODE;
  const writes = access !== F.O_RDONLY || (flags & F.O_TRUNC) !== 0;
  if (node.kind === "directory" && writes) return -E.EISDIR;
  const isOwnFds = node.kind === "directory" && node.guarded === true && owner === t.process;
  if (isOwnFds) return 0;
  statNode(t, place, t.os.statBuffer);
  const status = permitsMode(t, t.os.statBuffer, (access === F.O_WRONLY ? 0 : MAY_READ) | (writes ? MAY_WRITE : 0));
  if (status < 0 || node.kind === "device") return status;
  if (node.kind === "file" && writes && (node.mode & 0o222) === 0) return -E.EACCES;
  return node.guarded === true && owner !== undefined && !mayTrace(t, owner, false) ? -E.EACCES : 0;
}

/** Opens through the file service, relative to its directory handle. */
function openReal(t: Thread, dir: number, path: string, flags: number, mode: number, resolve = 0): OpenFile | number {
  if ((flags & F.O_CREAT) !== 0 && (flags & F.O_DIRECTORY) !== 0 && (flags & F.O_TMPFILE) !== F.O_TMPFILE) return -E.EINVAL;
  const watched = !t.os.watches.none;
  const isNew = watched && (flags & F.O_CREAT) !== 0 && t.fs.stat(dir, path, true, t.os.statBuffer) === -E.ENOENT;
  const handle = t.fs.open(dir, path, flags & ~F.O_CLOEXEC, mode & ~t.process.fsContext.umask & 0o7777, resolve);
  if (handle === -E.EREMOTE) {
    if ((resolve & RESOLVE.NO_XDEV) !== 0) return -E.EXDEV;
    return openPlace(t, remote(t, dir, path, (flags & F.O_NOFOLLOW) === 0, { resolve }), flags, mode);
  }
  if (handle < 0) return handle;
  if (watched) tellOpened(t, dir, path, flags, isNew);
  return wrapHandle(t, handle, flags);
}

function tellOpened(t: Thread, dir: number, path: string, flags: number, isNew: boolean): void {
  if (isNew) tellName(t, dir, path, IN.CREATE);
  if ((flags & F.O_PATH) === 0) tellName(t, dir, path, IN.OPEN, IN.OPEN);
  if (!isNew && (flags & F.O_TRUNC) !== 0) tellName(t, dir, path, IN.MODIFY, IN.MODIFY);
}

/** The open file for a handle of the file service, which passes to it. */
export function wrapHandle(t: Thread, handle: number, flags: number): OpenFile | number {
  const stat = t.os.statBuffer;
  const status = t.fs.fstat(handle, stat);
  if (status < 0) {
    t.fs.close(handle);
    return status;
  }
  const kept = flags & ~OPENING | ((flags & F.O_PATH) === 0 ? F.O_LARGEFILE : 0);
  const { rdev } = stat;
  if ((stat.mode & F.S_IFMT) === F.S_IFCHR && (flags & F.O_PATH) === 0 && (rdev === TTY || rdev === CONSOLE || rdev === PTMX)) {
    t.fs.close(handle);
    return rdev === PTMX ? t.os.ptys.open(t, kept) : controllingTerminal(t, kept);
  }
  if ((stat.mode & F.S_IFMT) === F.S_IFIFO && (flags & F.O_PATH) === 0) return openFifo(t, handle, stat, kept);
  return new FsFile(t.fs, handle, stat, kept);
}

function controllingTerminal(t: Thread, flags: number): OpenFile | number {
  const { tty } = t.process;
  if (tty === undefined || tty.hungUp) return -E.ENXIO;
  const master = t.os.ptys.indices.map((index) => t.os.ptys.get(index)).find((each) => each?.tty === tty);
  return master === undefined ? new ConsoleTerminal(tty, 0, flags) : master.slave(t, flags | F.O_NOCTTY);
}
