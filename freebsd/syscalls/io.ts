import type { Blocking, Result } from "../../linux/process/wait.ts";
import { sigInfo } from "../../linux/signals/state.ts";
import { E } from "../abi/errno.ts";
import { SI_KERNEL, SIG } from "../abi/signals.ts";
import type { OpenFile } from "../files.ts";
import { BUFFER_BYTES } from "../personality.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

/** One contiguous piece at a time; after the first one, a short or blocking transfer ends the call. */
function transfer(t: Thread, write: boolean, position: number | undefined): Result {
  const file = t.process.files.get(t.int(0));
  return file === undefined ? -E.EBADF : move(t, file, t.arg(1), t.arg(2), write, position);
}

export function move(
  t: Thread,
  file: OpenFile,
  address: number,
  bytes: number,
  write: boolean,
  position: number | undefined,
): Result {
  const { user } = t.process;
  let done = 0;
  while (done < bytes) {
    const pa = user.piece(address + done, bytes - done, !write), length = user.pieceBytes;
    if (pa < 0) return done > 0 ? done : -E.EFAULT;
    const at = position === undefined ? undefined : position + done;
    // Reads of what has no handle may wait; see OpenFile.read.
    const buffered = !write && file.handle === undefined, room = buffered ? Math.min(length, BUFFER_BYTES) : length;
    if (buffered && done > 0) break;
    const result = write ? file.write(t, pa, length, at) : file.read(t, buffered ? t.os.buffer : pa, room, at);
    if (typeof result !== "number") return continued(t, file, result, done, address, bytes, write);
    if (buffered && result > 0) return user.write(address, t.os.buffer, result) ? result : -E.EFAULT;
    if (result < 0) return done > 0 ? done : failed(t, result);
    if (!write) t.os.memory.codeChanged(pa, result);
    done += result;
    if (result < length) break;
  }
  return done;
}

function* continued(
  t: Thread,
  file: OpenFile,
  first: Blocking,
  done: number,
  address: number,
  bytes: number,
  write: boolean,
): Blocking {
  const result = yield* first;
  if (result < 0) return done > 0 ? done : failed(t, result);
  if (!write) return t.process.user.write(address, t.os.buffer, result) ? result : -E.EFAULT;
  done += result;
  if (done >= bytes) return done;
  const rest = move(t, file, address + done, bytes - done, true, undefined);
  const more = typeof rest === "number" ? rest : yield* rest;
  return more < 0 ? done : done + more;
}

/** Nobody reads any more: the writer gets SIGPIPE as well. */
export function failed(t: Thread, result: number): number {
  if (result === -E.EPIPE) t.os.signals.sendToThread(t, sigInfo(SIG.PIPE, SI_KERNEL));
  return result;
}

/** readv(2) and writev(2): what waits ends the call with the piece that it waited for. */
function vector(t: Thread, write: boolean): Result {
  const file = t.process.files.get(t.int(0)), { user } = t.process;
  if (file === undefined) return -E.EBADF;
  let done = 0;
  for (let i = 0; i < t.int(2); i++) {
    const base = user.u64(t.arg(1) + 16 * i), length = user.u64(t.arg(1) + 16 * i + 8);
    if (Number.isNaN(base) || Number.isNaN(length)) return -E.EFAULT;
    if (length === 0) continue;
    const result = move(t, file, base, length, write, undefined);
    if (typeof result !== "number") return partly(result, done);
    if (result < 0) return done > 0 ? done : result;
    done += result;
    if (result < length) break;
  }
  return done;
}

function* partly(rest: Blocking, done: number): Blocking {
  const result = yield* rest;
  return result < 0 ? done > 0 ? done : result : done + result;
}

function lseek(t: Thread): Result {
  const file = t.process.files.get(t.int(0)), offset = t.long(1), whence = t.int(2);
  if (file === undefined) return -E.EBADF;
  if (file.handle === undefined) return -E.ESPIPE;
  if (whence < 0 || whence > 2) return -E.EINVAL;
  const target = offset + [0, file.offset, t.os.fs.size(file.handle)][whence];
  if (target < 0) return -E.EINVAL;
  return file.offset = target;
}

export const IO_CALLS: readonly SyscallRow[] = [
  sys(3, "read", 3, (t) => transfer(t, false, undefined)),
  sys(4, "write", 3, (t) => transfer(t, true, undefined)),
  sys(120, "readv", 3, (t) => vector(t, false)),
  sys(121, "writev", 3, (t) => vector(t, true)),
  sys(475, "pread", 4, (t) => transfer(t, false, t.arg(3))),
  sys(476, "pwrite", 4, (t) => transfer(t, true, t.arg(3))),
  sys(478, "lseek", 3, lseek),
];
