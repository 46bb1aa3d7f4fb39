import { E } from "../abi/errno.ts";
import { BUFFER_BYTES } from "../personality.ts";
import { RLIMIT_FSIZE } from "../process/limits.ts";
import { PipeEnd } from "../files/pipe.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { sys, type SyscallRow } from "./row.ts";
import { fileArg } from "./util.ts";

/** Would a file of `bytes` be larger than RLIMIT_FSIZE? The thread is told by SIGXFSZ. */
export function limited(t: Thread, bytes: number): boolean {
  if (bytes <= t.process.limits.soft[RLIMIT_FSIZE]) return false;
  t.os.signals.sendToThread(t, sigInfo(SIG.XFSZ, 0, t.process.pid));
  return true;
}

function lseek(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  const whence = t.uint(2);
  if (whence > 4) return -E.EINVAL;
  return file.seek(t, t.long(1), whence);
}

function truncate(t: Thread, file: OpenFile, size: number): Result {
  if (size < 0) return -E.EINVAL;
  if (!file.writable) return -E.EINVAL;
  return limited(t, size) ? -E.EFBIG : file.truncate(t, size);
}

function ftruncate(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  return truncate(t, file, t.long(1));
}

const FALLOC_KEEP_SIZE = 1, FALLOC_PUNCH_HOLE = 2, FALLOC_ZERO_RANGE = 16;

function fallocate(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.writable) return -E.EBADF;
  const mode = t.int(1);
  const offset = t.long(2);
  const length = t.long(3);
  if (offset < 0 || length <= 0) return -E.EINVAL;
  if (file.handle === undefined) return file instanceof PipeEnd ? -E.ESPIPE : -E.ENODEV;
  const end = offset + length;
  if (!(end < 2 ** 63)) return -E.EFBIG;
  if (limited(t, end)) return -E.EFBIG;
  const punch = mode === (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE);
  if (punch || mode === 0 || mode === FALLOC_KEEP_SIZE) {
    const status = t.fs.allocate(file.handle, offset, length, { punch, keepSize: mode !== 0 });
    if (status !== -E.EOPNOTSUPP) return status;
  }
  const size = t.fs.size(file.handle);
  if ((mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE)) !== 0) {
    if (mode !== (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE) && (mode & ~FALLOC_KEEP_SIZE) !== FALLOC_ZERO_RANGE) return -E.EOPNOTSUPP;
    for (let at = offset; at < Math.min(end, size);) {
      const n = Math.min(BUFFER_BYTES, Math.min(end, size) - at);
      t.os.memory.fill(t.os.buffer, 0, n);
      const put = file.writeFrom(t, t.os.buffer, n, at);
      if (put <= 0) return put;
      at += put;
    }
  } else if (mode !== 0 && mode !== FALLOC_KEEP_SIZE) {
    return -E.EOPNOTSUPP;
  }
  if ((mode & FALLOC_KEEP_SIZE) === 0 && end > size) return file.truncate(t, end);
  return 0;
}

function fadvise64(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  if (!file.seekable) return -E.ESPIPE;
  return t.int(3) < 0 || t.int(3) > 5 ? -E.EINVAL : 0;
}

function readahead(t: Thread): Result {
  const file = fileArg(t, 0);
  return file === undefined || !file.readable ? -E.EBADF : file.handle === undefined ? -E.EINVAL : 0;
}

export const SPACE_CALLS: readonly SyscallRow[] = [
  sys(8, "lseek", ["fd", "long", "whence"], lseek),
  sys(77, "ftruncate", ["fd", "long"], ftruncate),
  sys(187, "readahead", ["fd", "long", "size"], readahead),
  sys(221, "fadvise64", ["fd", "long", "size", "int"], fadvise64),
  sys(285, "fallocate", ["fd", "int", "long", "long"], fallocate, "on directories of the host holes are zeroed, not freed"),
];
