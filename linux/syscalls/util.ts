import { E } from "../abi/errno.ts";
import { AT_FDCWD, PATH_MAX } from "../abi/fcntl.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Thread } from "../process/thread.ts";
import type { FsStat } from "../../fs/api.ts";

/** The open file of the descriptor in argument `n`. */
export function fileArg(t: Thread, n: number): OpenFile | undefined {
  return t.process.files.get(t.int(n));
}

/** The path in argument `n`, or -EFAULT, -ENAMETOOLONG. */
export function pathArg(t: Thread, n: number): string | number {
  return pathAt(t, t.arg(n));
}

export function pathAt(t: Thread, address: number): string | number {
  const { user } = t.process;
  const path = user.string(address, PATH_MAX);
  if (path !== undefined) return path;
  return user.stringLength(address, PATH_MAX) === -2 ? -E.ENAMETOOLONG : -E.EFAULT;
}

/** The directory handle that `path` is relative to; -EBADF or -ENOTDIR. An absolute path needs none. */
export function dirHandle(t: Thread, fd: number, path: string): number {
  if (fd === AT_FDCWD || path.charCodeAt(0) === 0x2f) return t.process.fsContext.cwd;
  const file = t.process.files.get(fd);
  if (file === undefined) return -E.EBADF;
  return file.handle ?? -E.ENOTDIR;
}

/** One stat buffer for everybody: handlers use it between two waits only. */
export function statBuffer(t: Thread): FsStat {
  return t.os.statBuffer;
}
