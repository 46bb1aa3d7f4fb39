import { E } from "../abi/errno.ts";
import { MAX_RW_COUNT, O_APPEND } from "../abi/fcntl.ts";
import type { OpenFile } from "../files/open_file.ts";
import { PipeEnd } from "../files/pipe.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, Woken } from "../process/wait.ts";
import { BUFFER_BYTES } from "../personality.ts";
import { readVector } from "./io.ts";
import { sys, type SyscallRow } from "./row.ts";
import { fileArg } from "./util.ts";

const SPLICE_NONBLOCK = 2, SPLICE_VALID = 15;

/** Waits until the file may be ready; true when a signal came. */
function* wait(t: Thread, file: OpenFile) {
  const queue = file.pollQueue(t);
  queue.add(t);
  try {
    return (yield* t.sleep(0)) === Woken.Interrupted;
  } finally {
    queue.remove(t);
  }
}

/** A loff_t argument: -1 when there is none; -errno. */
function offsetArg(t: Thread, address: number, file: OpenFile): number {
  if (address === 0) return -1;
  if (file instanceof PipeEnd || !file.seekable) return -E.ESPIPE;
  const offset = t.process.user.i64(address);
  return Number.isNaN(offset) ? -E.EFAULT : offset < 0 ? -E.EINVAL : offset;
}

function splice(t: Thread): Result {
  const from = fileArg(t, 0), to = fileArg(t, 2);
  const flags = t.uint(5), bytes = Math.min(t.arg(4), MAX_RW_COUNT);
  if ((flags & ~SPLICE_VALID) !== 0) return -E.EINVAL;
  if (bytes === 0) return 0;
  if (from === undefined || to === undefined || !from.readable || !to.writable) return -E.EBADF;
  if (!(from instanceof PipeEnd) && !(to instanceof PipeEnd)) return -E.EINVAL;
  if (from instanceof PipeEnd && to instanceof PipeEnd && from.pipe === to.pipe) return -E.EINVAL;
  if ((to.flags & O_APPEND) !== 0) return -E.EINVAL;
  const fromAt = offsetArg(t, t.arg(1), from), toAt = offsetArg(t, t.arg(3), to);
  if (fromAt < -1 || toAt < -1) return Math.min(fromAt, toAt);
  return splicing(t, from, to, {
    fromAt,
    toAt,
    fromAddress: t.arg(1),
    toAddress: t.arg(3),
    bytes,
    waits: (flags & SPLICE_NONBLOCK) === 0,
  });
}

interface Splice {
  fromAt: number;
  toAt: number;
  fromAddress: number;
  toAddress: number;
  bytes: number;
  waits: boolean;
}

/** Moves what is there, at least one byte: only as much as the target takes leaves a pipe. */
function* splicing(t: Thread, from: OpenFile, to: OpenFile, s: Splice): Blocking {
  const { buffer } = t.os;
  while (true) {
    const room = to instanceof PipeEnd ? to.pipe.room : BUFFER_BYTES;
    if (room === 0 && to instanceof PipeEnd && to.pipe.readers > 0) {
      if (!s.waits || to.nonBlocking) return -E.EAGAIN;
      if (yield* wait(t, to)) return -E.ERESTARTSYS;
      continue;
    }
    const want = Math.max(1, Math.min(s.bytes, room, BUFFER_BYTES));
    const got = from.readTo(t, buffer, want, s.fromAt >= 0 ? s.fromAt : from.offset);
    if (got === -E.EAGAIN) {
      if (!s.waits || from.nonBlocking) return got;
      if (yield* wait(t, from)) return -E.ERESTARTSYS;
      continue;
    }
    if (got <= 0) return got;
    const kept = t.os.u8.slice(buffer, buffer + got);
    let done = 0;
    while (done < got) {
      t.os.u8.set(kept.subarray(done), buffer);
      const put = to.writeFrom(t, buffer, got - done, (s.toAt >= 0 ? s.toAt : to.offset) + done);
      if (put === -E.EAGAIN && (yield* wait(t, to)) === false) continue;
      if (put < 0) {
        if (done === 0) return put;
        break;
      }
      done += put;
    }
    const { user } = t.process;
    if (s.fromAt >= 0) user.putU64(s.fromAddress, s.fromAt + done);
    else if (from.seekable) from.offset += done;
    if (s.toAt >= 0) user.putU64(s.toAddress, s.toAt + done);
    else if (to.seekable) to.offset += done;
    return done;
  }
}

function tee(t: Thread): Result {
  const from = fileArg(t, 0), to = fileArg(t, 1);
  const flags = t.uint(3);
  if ((flags & ~SPLICE_VALID) !== 0) return -E.EINVAL;
  if (t.arg(2) === 0) return 0;
  if (from === undefined || to === undefined || !from.readable || !to.writable) return -E.EBADF;
  if (!(from instanceof PipeEnd) || !(to instanceof PipeEnd) || from.pipe === to.pipe) return -E.EINVAL;
  return teeing(t, from, to, t.arg(2), (flags & SPLICE_NONBLOCK) === 0);
}

/** Copies without taking: takes, writes, and puts back what follows. */
function* teeing(t: Thread, from: PipeEnd, to: PipeEnd, bytes: number, waits: boolean): Blocking {
  while (from.pipe.length === 0 || to.pipe.room === 0) {
    if (from.pipe.length === 0 && from.pipe.writers === 0) return 0;
    if (!waits) return -E.EAGAIN;
    if (yield* wait(t, from.pipe.length === 0 ? from : to)) return -E.ERESTARTSYS;
  }
  const { buffer } = t.os;
  const n = Math.min(bytes, from.pipe.length, to.pipe.room, BUFFER_BYTES);
  from.pipe.peek(buffer, n);
  return to.writeFrom(t, buffer, n);
}

/** vmsplice(2): the pages are copied. */
function vmsplice(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  if (!(file instanceof PipeEnd)) return -E.EBADF;
  if ((t.uint(3) & ~SPLICE_VALID) !== 0) return -E.EINVAL;
  const list = readVector(t, t.arg(1), t.long(2));
  if (typeof list === "number") return list;
  return vmsplicing(t, file, list);
}

function* vmsplicing(t: Thread, file: PipeEnd, list: number[]): Blocking {
  let done = 0;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i + 1] === 0) continue;
    const result = file.isWriter ? file.write(t, list[i], list[i + 1]) : file.read(t, list[i], list[i + 1]);
    const moved: number = typeof result === "number" ? result : yield* result;
    if (moved < 0) return done > 0 ? done : moved;
    done += moved;
    if (moved < list[i + 1]) break;
  }
  return done;
}

export const SPLICE_CALLS: readonly SyscallRow[] = [
  sys(275, "splice", ["fd", "ptr", "fd", "ptr", "size", "hex"], splice),
  sys(276, "tee", ["fd", "fd", "size", "hex"], tee),
  sys(278, "vmsplice", ["fd", "iovec", "int", "hex"], vmsplice, "pages are copied, not given"),
];
