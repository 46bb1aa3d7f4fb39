import { RESOLVE } from "../../fs/flags.ts";
import { E } from "../abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_TMPFILE, O_TRUNC, O_WRONLY } from "../abi/fcntl.ts";
import { FifoEnd, waitForPeer } from "../files/fifo.ts";
import type { OpenFile } from "../files/open_file.ts";
import { openPath } from "../files/open.ts";
import { getU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import type { Blocking, Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";
import { pathArg } from "./util.ts";

function openAt(t: Thread, fd: number, path: string | number, flags: number, mode: number, resolve = 0): Result {
  if (typeof path === "number") return path;
  const file = openPath(t, fd, path, flags, mode, resolve);
  if (typeof file === "number") return file;
  if (file instanceof FifoEnd && file.alone && !file.nonBlocking) return openWaiting(t, file, flags);
  return install(t, file, flags);
}

function install(t: Thread, file: OpenFile, flags: number): number {
  const got = t.process.files.add(file, (flags & O_CLOEXEC) !== 0, t.process.limits.openFiles);
  if (got < 0) file.close(t);
  return got;
}

function* openWaiting(t: Thread, file: FifoEnd, flags: number): Blocking {
  const status = yield* waitForPeer(t, file);
  if (status === 0) return install(t, file, flags);
  file.close(t);
  return status;
}

function open(t: Thread): Result {
  return openAt(t, AT_FDCWD, pathArg(t, 0), t.int(1), t.uint(2));
}

function openat(t: Thread): Result {
  return openAt(t, t.int(0), pathArg(t, 1), t.int(2), t.uint(3));
}

function creat(t: Thread): Result {
  return openAt(t, AT_FDCWD, pathArg(t, 0), O_CREAT | O_WRONLY | O_TRUNC, t.uint(1));
}

/** struct open_how: flags, mode, resolve (include/uapi/linux/openat2.h). */
const OPEN_HOW_BYTES = 24;
const VALID_FLAGS = 0o17777703 | 0o20000000;
const RESOLVE_VALID = 0x3f;

function openat2(t: Thread): Result {
  const size = t.arg(3);
  if (size < OPEN_HOW_BYTES) return -E.EINVAL;
  if (size > 4096) return -E.E2BIG;
  const { user } = t.process;
  const how = user.bytes(t.arg(2), size);
  if (how === undefined) return -E.EFAULT;
  if (how.subarray(OPEN_HOW_BYTES).some((byte) => byte !== 0)) return -E.E2BIG;
  const data = new DataView(how.buffer);
  const flags = getU64(data, 0);
  const mode = getU64(data, 8);
  const resolve = getU64(data, 16);
  if (flags > 0xffff_ffff || (flags & ~VALID_FLAGS) !== 0 || (resolve & ~RESOLVE_VALID) !== 0 || resolve > 0xffff_ffff) {
    return -E.EINVAL;
  }
  const creates = (flags & O_CREAT) !== 0 || (flags & O_TMPFILE) === O_TMPFILE;
  if (mode > 0o7777 || !creates && mode !== 0) return -E.EINVAL;
  if ((resolve & RESOLVE.BENEATH) !== 0 && (resolve & RESOLVE.IN_ROOT) !== 0) return -E.EINVAL;
  if ((resolve & RESOLVE.CACHED) !== 0 && (creates || (flags & O_TRUNC) !== 0)) return -E.EAGAIN;
  return openAt(t, t.int(0), pathArg(t, 1), flags, mode, resolve);
}

export const OPEN_CALLS: readonly SyscallRow[] = [
  sys(2, "open", ["path", "oflags", "mode"], open),
  sys(85, "creat", ["path", "mode"], creat),
  sys(257, "openat", ["dirfd", "path", "oflags", "mode"], openat),
  sys(437, "openat2", ["dirfd", "path", "ptr", "size"], openat2),
];
