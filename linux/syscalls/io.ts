import { E } from "../abi/errno.ts";
import { IOV_MAX, MAX_RW_COUNT, O_APPEND, O_NONBLOCK, S_IFDIR } from "../abi/fcntl.ts";
import { FsFile } from "../files/fs_file.ts";
import type { OpenFile } from "../files/open_file.ts";
import { PipeEnd } from "../files/pipe.ts";
import { Socket } from "../net/socket.ts";
import { TASK_SIZE } from "../abi/mman.ts";
import { getU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import type { Blocking, Result } from "../process/wait.ts";
import { BUFFER_BYTES } from "../personality.ts";
import { sys, type SyscallRow } from "./row.ts";
import { fileArg } from "./util.ts";

/** A count argument: longer transfers are cut, negative ones (as ssize_t) are refused. */
function count(t: Thread, n: number): number {
  if (t.hi(n) >= 0x8000_0000) return -E.EINVAL;
  return Math.min(t.arg(n), MAX_RW_COUNT);
}

/** The count of a transfer whose buffer and count are arguments 1 and 2; buffers beyond user space are refused. */
function bufferBytes(t: Thread): number {
  const bytes = t.arg(2);
  return inUserSpace(t.arg(1), bytes) ? Math.min(bytes, MAX_RW_COUNT) : -E.EFAULT;
}

/** May a program name this range at all (access_ok)? Whether something is mapped there shows when it is used. */
function inUserSpace(address: number, bytes: number): boolean {
  return address + bytes <= TASK_SIZE;
}

function read(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable) return -E.EBADF;
  const bytes = bufferBytes(t);
  return bytes < 0 ? bytes : file.read(t, t.arg(1), bytes);
}

function write(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.writable) return -E.EBADF;
  const bytes = bufferBytes(t);
  return bytes < 0 ? bytes : file.write(t, t.arg(1), bytes);
}

function pread64(t: Thread): Result {
  const offset = t.long(3);
  if (offset < 0) return -E.EINVAL;
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  if (!file.seekable) return -E.ESPIPE;
  if (!file.readable) return -E.EBADF;
  const bytes = bufferBytes(t);
  return bytes < 0 ? bytes : file.tryRead(t, t.arg(1), bytes, offset);
}

function pwrite64(t: Thread): Result {
  const offset = t.long(3);
  if (offset < 0) return -E.EINVAL;
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  if (!file.seekable) return -E.ESPIPE;
  if (!file.writable) return -E.EBADF;
  const bytes = bufferBytes(t);
  return bytes < 0 ? bytes : file.tryWrite(t, t.arg(1), bytes, offset);
}

/** Address and length pairs of an iovec array; -errno for a bad one (import_iovec). */
export function readVector(t: Thread, address: number, entries: number): number[] | number {
  if (entries > IOV_MAX || entries < 0) return -E.EINVAL;
  const { user } = t.process;
  const list: number[] = [];
  let total = 0;
  for (let i = 0; i < entries; i++) {
    const at = user.in(address + 16 * i, 16);
    if (at < 0) return -E.EFAULT;
    const base = getU64(user.data, at);
    if (user.data.getInt32(at + 12, true) < 0) return -E.EINVAL;
    const wanted = getU64(user.data, at + 8);
    if (!inUserSpace(base, wanted)) return -E.EFAULT;
    const length = Math.min(wanted, MAX_RW_COUNT - total);
    total += length;
    list.push(base, length);
  }
  return list;
}

/** Runs `one` on each element until one is short. */
function vectored(t: Thread, list: number[], one: (va: number, bytes: number, done: number) => Result): Result {
  let done = 0;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i + 1] === 0) continue;
    const result = one(list[i], list[i + 1], done);
    if (typeof result !== "number") return vectoredWaiting(t, list, i, done, result, one);
    if (result < 0) return done > 0 ? done : result;
    done += result;
    if (result < list[i + 1]) break;
  }
  return done;
}

/** The same when an element has to wait. Once something was transferred, a read does not wait for more. */
function* vectoredWaiting(
  _t: Thread,
  list: number[],
  from: number,
  already: number,
  first: Blocking,
  one: (va: number, bytes: number, done: number) => Result,
): Blocking {
  let done = already;
  let pending: Result = first;
  for (let i = from; i < list.length; i += 2) {
    if (i > from) {
      if (list[i + 1] === 0) continue;
      pending = one(list[i], list[i + 1], done);
    }
    const result: number = typeof pending === "number" ? pending : yield* pending;
    if (result < 0) return done > 0 ? done : result;
    done += result;
    if (result < list[i + 1]) break;
  }
  return done;
}

function vectorArgs(t: Thread): number[] | number {
  return readVector(t, t.arg(1), t.long(2));
}

function readv(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable) return -E.EBADF;
  const list = vectorArgs(t);
  if (typeof list === "number") return list;
  return vectored(t, list, (va, bytes, done) => {
    if (done === 0 || file.seekable) return file.read(t, va, bytes);
    // Data has come already: take what else is there, but do not wait.
    const more = file.tryRead(t, va, bytes, file.offset);
    return more === -E.EAGAIN ? 0 : more;
  });
}

function writev(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.writable) return -E.EBADF;
  const list = vectorArgs(t);
  if (typeof list === "number") return list;
  if (list.length === 2) return file.write(t, list[0], list[1]);
  return vectored(t, list, (va, bytes) => file.write(t, va, bytes));
}

function preadvAt(t: Thread, file: OpenFile, offset: number): Result {
  if (offset < 0) return -E.EINVAL;
  if (!file.seekable) return -E.ESPIPE;
  const list = vectorArgs(t);
  if (typeof list === "number") return list;
  return vectored(t, list, (va, bytes, done) => file.tryRead(t, va, bytes, offset + done));
}

function pwritevAt(t: Thread, file: OpenFile, offset: number): Result {
  if (offset < 0) return -E.EINVAL;
  if (!file.seekable) return -E.ESPIPE;
  const list = vectorArgs(t);
  if (typeof list === "number") return list;
  return vectored(t, list, (va, bytes, done) => file.tryWrite(t, va, bytes, offset + done));
}

function preadv(t: Thread): Result {
  const file = fileArg(t, 0);
  return file === undefined || !file.readable ? -E.EBADF : preadvAt(t, file, t.long(3));
}

function pwritev(t: Thread): Result {
  const file = fileArg(t, 0);
  return file === undefined || !file.writable ? -E.EBADF : pwritevAt(t, file, t.long(3));
}

/** RWF_* of include/uapi/linux/fs.h. Nothing is ever on its way to a disk here: HIPRI, DSYNC and SYNC are true anyway. */
const RWF = { HIPRI: 1, DSYNC: 2, SYNC: 4, NOWAIT: 8, APPEND: 16 } as const;
const RWF_SUPPORTED = 0x1f;

/** RWF_NOWAIT. */
function atOnce(t: Thread, file: OpenFile): Result {
  const { flags } = file;
  file.flags |= O_NONBLOCK;
  const done = readv(t);
  file.flags = flags;
  return done;
}

function preadv2(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable) return -E.EBADF;
  if ((t.int(5) & ~RWF_SUPPORTED) !== 0) return -E.EOPNOTSUPP;
  if ((t.int(5) & RWF.NOWAIT) !== 0) return file instanceof Socket ? atOnce(t, file) : -E.EOPNOTSUPP;
  return t.long(3) === -1 ? readv(t) : preadvAt(t, file, t.long(3));
}

/** RWF_APPEND: at the end of the file; the position stays, unless it is what the call moves. */
function appending(t: Thread, file: OpenFile): Result {
  const { flags } = file, moves = t.long(3) === -1;
  file.flags |= O_APPEND;
  const done = moves ? writev(t) : pwritevAt(t, file, t.long(3));
  file.flags = flags;
  return done;
}

function pwritev2(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.writable) return -E.EBADF;
  if ((t.int(5) & ~RWF_SUPPORTED) !== 0) return -E.EOPNOTSUPP;
  if ((t.int(5) & RWF.APPEND) !== 0) return appending(t, file);
  return t.long(3) === -1 ? writev(t) : pwritevAt(t, file, t.long(3));
}

/**
 * Copies between two files through the personality's buffer. Offsets -1 mean the file's own position.
 * Returns the bytes moved or -errno; waits for pipes and terminals when they are full or empty.
 */
function* transfer(t: Thread, from: OpenFile, to: OpenFile, fromAt: number, toAt: number, bytes: number): Blocking {
  const buffer = t.os.buffer;
  let done = 0;
  while (done < bytes) {
    const want = Math.min(bytes - done, BUFFER_BYTES);
    const got = from.readTo(t, buffer, want, fromAt < 0 ? from.offset : fromAt + done);
    if (got === -E.EAGAIN && done === 0 && !from.nonBlocking) {
      if (yield* waitFor(t, from)) return -E.EINTR;
      continue;
    }
    if (got <= 0) return done > 0 ? done : got;
    // What a pipe has given cannot be put back: it is kept while the target is full.
    const kept = t.os.u8.slice(buffer, buffer + got);
    let put = 0;
    while (put < got) {
      t.os.u8.set(kept.subarray(put), buffer);
      const n = to.writeFrom(t, buffer, got - put, toAt < 0 ? to.offset : toAt + done + put);
      if (n === -E.EAGAIN && !to.nonBlocking) {
        if (yield* waitFor(t, to)) break;
        continue;
      }
      if (n < 0) {
        if (done + put === 0) return n;
        break;
      }
      put += n;
      if (toAt < 0 && to.seekable) to.offset += n;
    }
    if (fromAt < 0 && from.seekable) from.offset += put;
    done += put;
    if (put < got || got < want) break;
  }
  return done;
}

/** True when a signal came. */
function* waitFor(t: Thread, file: OpenFile) {
  const queue = file.pollQueue(t);
  queue.add(t);
  try {
    return (yield* t.sleep(0)) === 2;
  } finally {
    queue.remove(t);
  }
}

/** Runs a transfer to its end at once when it need not wait. */
function sendfile(t: Thread): Result {
  const to = fileArg(t, 0);
  const from = fileArg(t, 1);
  if (to === undefined || from === undefined || !from.readable || !to.writable) return -E.EBADF;
  const bytes = count(t, 3);
  if (bytes < 0) return bytes;
  if (appends(to) || isDirectory(from)) return -E.EINVAL;
  // What cannot be positioned goes to a pipe only.
  if (!from.seekable && (from instanceof PipeEnd || !(to instanceof PipeEnd))) return -E.EINVAL;
  const offsetAt = t.arg(2);
  if (offsetAt === 0) return transfer(t, from, to, -1, -1, bytes);
  const offset = t.process.user.i64(offsetAt);
  if (Number.isNaN(offset)) return -E.EFAULT;
  if (offset < 0) return -E.EINVAL;
  if (!from.seekable) return -E.ESPIPE;
  return withOffset(t, transfer(t, from, to, offset, -1, bytes), offsetAt, offset);
}

function* withOffset(t: Thread, moving: Blocking, offsetAt: number, offset: number): Blocking {
  const done = yield* moving;
  if (done > 0 && !t.process.user.putU64(offsetAt, offset + done)) return -E.EFAULT;
  return done;
}

const isDirectory = (file: OpenFile): boolean => file instanceof FsFile && file.type === S_IFDIR;
const appends = (file: OpenFile): boolean => (file.flags & O_APPEND) !== 0;
const sameFile = (a: OpenFile, b: OpenFile): boolean =>
  a instanceof FsFile && b instanceof FsFile && a.dev === b.dev && a.ino === b.ino;

function copyFileRange(t: Thread): Result {
  const from = fileArg(t, 0);
  const to = fileArg(t, 2);
  if (from === undefined || to === undefined) return -E.EBADF;
  if (isDirectory(from) || isDirectory(to)) return -E.EISDIR;
  if (!from.readable || !to.writable || appends(to)) return -E.EBADF;
  if (t.uint(5) !== 0 || from.handle === undefined || to.handle === undefined) return -E.EINVAL;
  return copyRange(t, from, to, t.arg(1), t.arg(3), count(t, 4));
}

function* copyRange(t: Thread, from: OpenFile, to: OpenFile, fromAt: number, toAt: number, bytes: number): Blocking {
  const { user } = t.process;
  const start = fromAt === 0 ? -1 : user.i64(fromAt);
  const end = toAt === 0 ? -1 : user.i64(toAt);
  if (Number.isNaN(start) || Number.isNaN(end)) return -E.EFAULT;
  if (bytes < 0) return bytes;
  for (const [at, address] of [[start, fromAt], [end, toAt]]) {
    if (address !== 0 && at < 0) return at + bytes >= 0 ? -E.EOVERFLOW : -E.EINVAL;
  }
  const a = fromAt === 0 ? from.offset : start, b = toAt === 0 ? to.offset : end;
  if (sameFile(from, to) && Math.abs(a - b) < Math.min(bytes, Math.max(0, t.fs.size(from.handle ?? 0) - a))) return -E.EINVAL;
  const done = yield* transfer(t, from, to, start, end, bytes);
  if (done > 0 && fromAt !== 0) user.putU64(fromAt, start + done);
  if (done > 0 && toAt !== 0) user.putU64(toAt, end + done);
  return done;
}

function sync(): number {
  return 0;
}

function fsync(t: Thread): Result {
  const file = fileArg(t, 0);
  return file === undefined ? -E.EBADF : file.sync(t);
}

export const IO_CALLS: readonly SyscallRow[] = [
  sys(0, "read", ["fd", "outbuf", "size"], read),
  sys(1, "write", ["fd", "inbuf", "size"], write),
  sys(17, "pread64", ["fd", "outbuf", "size", "long"], pread64),
  sys(18, "pwrite64", ["fd", "inbuf", "size", "long"], pwrite64),
  sys(19, "readv", ["fd", "outiovec", "int"], readv),
  sys(20, "writev", ["fd", "iovec", "int"], writev),
  sys(40, "sendfile", ["fd", "fd", "ptr", "size"], sendfile),
  sys(74, "fsync", ["fd"], fsync),
  sys(75, "fdatasync", ["fd"], fsync),
  sys(162, "sync", [], sync),
  sys(277, "sync_file_range", ["fd", "long", "long", "uint"], fsync),
  sys(295, "preadv", ["fd", "outiovec", "int", "long"], preadv),
  sys(296, "pwritev", ["fd", "iovec", "int", "long"], pwritev),
  sys(306, "syncfs", ["fd"], fsync),
  sys(326, "copy_file_range", ["fd", "ptr", "fd", "ptr", "size", "uint"], copyFileRange),
  sys(327, "preadv2", ["fd", "outiovec", "int", "long", "long", "hex"], preadv2),
  sys(328, "pwritev2", ["fd", "iovec", "int", "long", "long", "hex"], pwritev2),
];
