import { type Result, WaitQueue } from "../../linux/process/wait.ts";
import { E } from "../abi/errno.ts";
import { type OpenFile, PipeBuffer, PipeFile } from "../files.ts";
import type { Process } from "../process.ts";
import { RDX, type Thread } from "../thread.ts";
import { O_CLOEXEC } from "./files.ts";
import { sys, type SyscallRow } from "./row.ts";

function close(t: Thread): Result {
  return t.process.close(t.int(0)) ? 0 : -E.EBADF;
}

/** close_range(2): CLOSE_RANGE_CLOEXEC only marks. */
const CLOSE_RANGE_CLOEXEC = 4;
function closeRange({ process }: Thread, from: number, to: number, flags: number): Result {
  if (from > to || (flags & ~CLOSE_RANGE_CLOEXEC) !== 0) return -E.EINVAL;
  for (const fd of [...process.files.keys()]) {
    if (fd < from || fd > to) continue;
    if (flags === 0) process.close(fd);
    else process.closeOnExec.add(fd);
  }
  return 0;
}

function makePipe(t: Thread, flags: number): [number, number] {
  const pipe = new PipeBuffer(new WaitQueue()), cloexec = (flags & O_CLOEXEC) !== 0;
  const end = (writes: boolean) => t.process.add(new PipeFile(t.os, pipe, writes, flags & ~O_CLOEXEC), cloexec);
  return [end(false), end(true)];
}

function pipe2(t: Thread): Result {
  const { user } = t.process, at = t.arg(0), [reader, writer] = makePipe(t, t.int(1));
  return user.putU32(at, reader) && user.putU32(at + 4, writer) ? 0 : -E.EFAULT;
}

/** pipe(2) of old: both descriptors in registers. */
function pipe(t: Thread): Result {
  const [reader, writer] = makePipe(t, 0);
  t.state.set(RDX, writer);
  return reader;
}

/** The table is kept dense enough for a search of the lowest free descriptor. */
const DESCRIPTORS = 65536;

function duplicateTo(p: Process, file: OpenFile, from: number, to: number, closeOnExec: boolean): Result {
  if (to < 0 || to >= DESCRIPTORS) return -E.EBADF;
  if (from === to) return to;
  file.users++;
  p.close(to);
  p.files.set(to, file);
  if (closeOnExec) p.closeOnExec.add(to);
  return to;
}

/** F_*: sys/sys/fcntl.h. */
const F = {
  DUPFD: 0,
  GETFD: 1,
  SETFD: 2,
  GETFL: 3,
  SETFL: 4,
  GETOWN: 5,
  DUP2FD: 10,
  DUPFD_CLOEXEC: 17,
  DUP2FD_CLOEXEC: 18,
} as const;
const FD_CLOEXEC = 1, SETTABLE = 4 | 8;

function fcntl(t: Thread): Result {
  const { process } = t, fd = t.int(0), file = process.files.get(fd), argument = t.int(2), command = t.int(1);
  if (file === undefined) return -E.EBADF;
  switch (command) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC:
      if (argument < 0 || argument >= DESCRIPTORS) return -E.EINVAL;
      file.users++;
      return process.add(file, command === F.DUPFD_CLOEXEC, argument);
    case F.DUP2FD:
    case F.DUP2FD_CLOEXEC:
      return duplicateTo(process, file, fd, argument, command === F.DUP2FD_CLOEXEC);
    case F.GETFD:
      return process.closeOnExec.has(fd) ? FD_CLOEXEC : 0;
    case F.SETFD:
      if ((argument & FD_CLOEXEC) !== 0) process.closeOnExec.add(fd);
      else process.closeOnExec.delete(fd);
      return 0;
    case F.GETFL:
      return file.flags & 0xffff;
    case F.SETFL:
      file.flags = file.flags & ~SETTABLE | argument & SETTABLE;
      return 0;
    case F.GETOWN:
      return 0;
  }
  return -E.EINVAL;
}

function dup(t: Thread): Result {
  const file = t.process.files.get(t.int(0));
  if (file === undefined) return -E.EBADF;
  file.users++;
  return t.process.add(file);
}

function dup2(t: Thread): Result {
  const file = t.process.files.get(t.int(0));
  return file === undefined ? -E.EBADF : duplicateTo(t.process, file, t.int(0), t.int(1), false);
}

export const DESCRIPTOR_CALLS: readonly SyscallRow[] = [
  sys(6, "close", 1, close),
  sys(41, "dup", 1, dup),
  sys(42, "pipe", 0, pipe),
  sys(90, "dup2", 2, dup2),
  sys(92, "fcntl", 3, fcntl, "duplicating and flags"),
  sys(509, "closefrom", 1, (t) => closeRange(t, Math.max(0, t.int(0)), Infinity, 0)),
  sys(542, "pipe2", 2, pipe2),
  sys(575, "close_range", 3, (t) => closeRange(t, t.uint(0), t.uint(1), t.int(2))),
];
