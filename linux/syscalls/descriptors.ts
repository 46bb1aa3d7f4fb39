import { E } from "../abi/errno.ts";
import {
  F,
  FD_CLOEXEC,
  LOCK_EX,
  LOCK_SH,
  LOCK_UN,
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
} from "../abi/fcntl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import { textToBytes } from "../trace/text.ts";
import { putU64 } from "../memory/user.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { fileLock } from "../files/locks.ts";
import { sys, type SyscallRow } from "./row.ts";
import { fileArg } from "./util.ts";

function close(t: Thread): Result {
  return t.process.files.close(t, t.int(0));
}

const CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4;

function closeRange(t: Thread): Result {
  const first = t.uint(0);
  const last = t.uint(1);
  const flags = t.uint(2);
  if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0) return -E.EINVAL;
  const { files } = t.process;
  for (let fd = first; fd <= Math.min(last, files.files.length - 1); fd++) {
    if (files.get(fd) === undefined) continue;
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) files.setCloexec(fd, true);
    else files.close(t, fd);
  }
  return 0;
}

function duplicate(t: Thread, file: OpenFile, from: number, cloexec: boolean): number {
  const got = t.process.files.add(file.dup(), cloexec, t.process.limits.openFiles, from);
  if (got < 0) file.close(t);
  return got;
}

function dup(t: Thread): Result {
  const file = fileArg(t, 0);
  return file === undefined ? -E.EBADF : duplicate(t, file, 0, false);
}

function dupTo(t: Thread, to: number, cloexec: boolean): Result {
  const file = fileArg(t, 0);
  if (file === undefined || to < 0 || to >= t.process.limits.openFiles) return -E.EBADF;
  t.process.files.place(t, to, file.dup(), cloexec);
  return to;
}

function dup2(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  return t.int(0) === t.int(1) ? t.int(1) : dupTo(t, t.int(1), false);
}

function dup3(t: Thread): Result {
  const flags = t.int(2);
  if ((flags & ~O_CLOEXEC) !== 0 || t.int(0) === t.int(1)) return -E.EINVAL;
  return dupTo(t, t.int(1), flags !== 0);
}

const SETTABLE = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

function fcntl(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  const { files, limits } = t.process;
  const fd = t.int(0);
  const command = t.int(1);
  switch (command) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC: {
      const from = t.int(2);
      if (from < 0 || from >= limits.openFiles) return -E.EINVAL;
      return duplicate(t, file, from, command === F.DUPFD_CLOEXEC);
    }
    case F.GETFD:
      return files.isCloexec(fd) ? FD_CLOEXEC : 0;
    case F.SETFD:
      files.setCloexec(fd, (t.int(2) & FD_CLOEXEC) !== 0);
      return 0;
    case F.GETFL:
      return file.flags;
    case F.SETFL:
      file.flags = file.flags & ~SETTABLE | t.int(2) & SETTABLE;
      return 0;
    case F.GETOWN:
      return file.owner;
    case F.SETOWN:
      file.owner = t.int(2);
      return 0;
    case F.GETSIG:
    case F.SETSIG:
      return 0;
    case F.GETLK:
    case F.SETLK:
    case F.SETLKW:
    case F.OFD_GETLK:
    case F.OFD_SETLK:
    case F.OFD_SETLKW:
      return fileLock(t, file, command, t.arg(2));
    case F.SETLEASE:
      return -E.EAGAIN;
    case F.GETLEASE:
      return 2;
  }
  return file.fcntl(t, command, t.arg(2));
}

function flock(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  const operation = t.int(1) & ~4;
  if (operation !== LOCK_SH && operation !== LOCK_EX && operation !== LOCK_UN) return -E.EINVAL;
  return t.os.locks.flock(t, file, operation, (t.int(1) & 4) !== 0);
}

function ioctl(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable && !file.writable) return -E.EBADF;
  const { user, files } = t.process;
  const fd = t.int(0);
  const request = t.uint(1);
  const argument = t.arg(2);
  switch (request) {
    case IOCTL.FIOCLEX:
    case IOCTL.FIONCLEX:
      files.setCloexec(fd, request === IOCTL.FIOCLEX);
      return 0;
    case IOCTL.FIONBIO: {
      const on = user.u32(argument);
      if (on < 0) return -E.EFAULT;
      file.flags = on !== 0 ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK;
      return 0;
    }
    case IOCTL.FIOASYNC:
      return user.u32(argument) < 0 ? -E.EFAULT : 0;
  }
  return file.ioctl(t, request, argument);
}

/** struct linux_dirent64: ino, off, reclen, type, name, 0; padded to 8 bytes. */
function getdents64(t: Thread): Result {
  return directory(t, (data, u8, at, name, entry) => {
    const length = 19 + name.length + 1;
    const record = length + (8 - length % 8) % 8;
    if (data === undefined || u8 === undefined) return record;
    putU64(data, at, entry.ino);
    putU64(data, at + 8, entry.next);
    data.setUint16(at + 16, record, true);
    data.setUint8(at + 18, entry.type);
    u8.set(name, at + 19);
    u8.fill(0, at + 19 + name.length, at + record);
    return record;
  });
}

/** struct linux_dirent: ino, off, reclen, name, 0, ..., type in the last byte. */
function getdents(t: Thread): Result {
  return directory(t, (data, u8, at, name, entry) => {
    const length = 18 + name.length + 2;
    const record = length + (8 - length % 8) % 8;
    if (data === undefined || u8 === undefined) return record;
    putU64(data, at, entry.ino);
    putU64(data, at + 8, entry.next);
    data.setUint16(at + 16, record, true);
    u8.set(name, at + 18);
    u8.fill(0, at + 18 + name.length, at + record);
    data.setUint8(at + record - 1, entry.type);
    return record;
  });
}

/** Writes one record at `at`, or (without views) only tells its size. */
type Packer = (
  data: DataView | undefined,
  u8: Uint8Array | undefined,
  at: number,
  name: Uint8Array,
  entry: { ino: number; next: number; type: number },
) => number;

const ENTRIES_AT_ONCE = 64;

function directory(t: Thread, pack: Packer): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !file.readable) return -E.EBADF;
  const size = t.uint(2);
  const { buffer } = t.os;
  const limit = Math.min(size, 32768);
  let used = 0;
  while (true) {
    const entries = file.list(t, file.offset, ENTRIES_AT_ONCE);
    if (typeof entries === "number") return used > 0 ? used : entries;
    let full = false;
    for (const entry of entries) {
      const name = textToBytes(entry.name);
      const record = pack(undefined, undefined, 0, name, entry);
      if (used + record > limit) {
        full = true;
        break;
      }
      pack(t.os.data, t.os.u8, buffer + used, name, entry);
      used += record;
      file.offset = entry.next;
    }
    if (full && used === 0) return -E.EINVAL;
    if (full || entries.length === 0) break;
  }
  return t.process.user.write(t.arg(1), buffer, used) ? used : -E.EFAULT;
}

export const DESCRIPTOR_CALLS: readonly SyscallRow[] = [
  sys(3, "close", ["fd"], close),
  sys(16, "ioctl", ["fd", "ioctl", "ptr"], ioctl, "terminal, pipe and socket requests that programs commonly use"),
  sys(32, "dup", ["fd"], dup),
  sys(33, "dup2", ["fd", "fd"], dup2),
  sys(72, "fcntl", ["fd", "fcntlcmd", "hex"], fcntl, "no leases, no directory notification"),
  sys(73, "flock", ["fd", "int"], flock),
  sys(78, "getdents", ["fd", "ptr", "size"], getdents),
  sys(217, "getdents64", ["fd", "ptr", "size"], getdents64),
  sys(292, "dup3", ["fd", "fd", "oflags"], dup3),
  sys(436, "close_range", ["uint", "uint", "hex"], closeRange),
];
