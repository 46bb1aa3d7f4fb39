import { MAY_READ, MAY_WRITE } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import { O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_WRONLY } from "../abi/fcntl.ts";
import { timespecNs } from "../abi/structs.ts";
import { PosixQueue, PosixQueueFile } from "../files/message_queue.ts";
import { getI64, putU64 } from "../memory/user.ts";
import { permitsMode } from "../process/access.ts";
import { CAP, capable } from "../process/credentials.ts";
import { RLIMIT_MSGQUEUE } from "../process/limits.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { install } from "./events.ts";
import { sys, type SyscallRow } from "./row.ts";
import { fileArg, pathArg } from "./util.ts";

/** Defaults of /proc/sys/fs/mqueue, and what even the privileged cannot exceed (ipc/mqueue.c). */
const MAX_QUEUES = 256, MAX_MESSAGES = 10, MESSAGE_BYTES = 8192, HARD_MESSAGES = 65536, HARD_BYTES = 16 << 20;
const MAX_PRIORITY = 32768, NAME_MAX = 255;
/** struct mq_attr: flags, maxmsg, msgsize, curmsgs, four reserved longs. */
const ATTR_BYTES = 64;
/** What the kernel charges per message: struct msg_msg and a tree node. */
const MESSAGE_OVERHEAD = 48 + 48;

const costOf = (messages: number, bytes: number): number => messages * (bytes + MESSAGE_OVERHEAD);

function mqOpen(t: Thread): Result {
  const flags = t.int(1), address = t.arg(3);
  let attributes: { messages: number; bytes: number } | undefined;
  if (address !== 0) {
    const at = t.process.user.in(address, ATTR_BYTES);
    if (at < 0) return -E.EFAULT;
    const { data } = t.process.user;
    attributes = { messages: getI64(data, at + 8), bytes: getI64(data, at + 16) };
  }
  const name = pathArg(t, 0);
  if (typeof name === "number") return name;
  if (name === "") return -E.ENOENT;
  if (name.includes("/") || name === "." || name === "..") return -E.EACCES;
  if (name.length > NAME_MAX) return -E.ENAMETOOLONG;
  const queues = t.os.posixQueues;
  let queue = queues.get(name);
  if (queue !== undefined) {
    if ((flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)) return -E.EEXIST;
    const access = flags & O_ACCMODE;
    if (access === O_ACCMODE) return -E.EINVAL;
    queue.stat(t.os.statBuffer);
    const mask = (access !== O_WRONLY ? MAY_READ : 0) | (access !== O_RDONLY ? MAY_WRITE : 0);
    const status = permitsMode(t, t.os.statBuffer, mask);
    if (status < 0) return status;
  } else {
    if ((flags & O_CREAT) === 0) return -E.ENOENT;
    const made = create(t, t.uint(2) & 0o7777 & ~t.process.fsContext.umask, attributes);
    if (typeof made === "number") return made;
    queue = made;
    queues.set(name, queue);
  }
  return install(t, new PosixQueueFile(queue, name, flags & (O_ACCMODE | O_NONBLOCK)), true);
}

function create(t: Thread, mode: number, attributes: { messages: number; bytes: number } | undefined): PosixQueue | number {
  const { messages, bytes } = attributes ?? { messages: MAX_MESSAGES, bytes: MESSAGE_BYTES };
  const queues = [...t.os.posixQueues.values()];
  const privileged = capable(t.credentials, CAP.SYS_RESOURCE);
  if (queues.length >= MAX_QUEUES && !privileged) return -E.ENOSPC;
  if (messages <= 0 || bytes <= 0) return -E.EINVAL;
  if (messages > (privileged ? HARD_MESSAGES : MAX_MESSAGES) || bytes > (privileged ? HARD_BYTES : MESSAGE_BYTES)) {
    return -E.EINVAL;
  }
  const mine = queues.filter(({ uid }) => uid === t.credentials.uid);
  const used = mine.reduce((sum, q) => sum + costOf(q.maxMessages, q.messageBytes), 0);
  if (used + costOf(messages, bytes) > t.process.limits.soft[RLIMIT_MSGQUEUE]) return -E.EMFILE;
  return new PosixQueue(t, mode, messages, bytes);
}

function mqUnlink(t: Thread): Result {
  const name = pathArg(t, 0);
  if (typeof name === "number") return name;
  if (name.includes("/")) return -E.EACCES;
  const queue = t.os.posixQueues.get(name);
  if (queue === undefined) return -E.ENOENT;
  // As in a directory with the sticky bit.
  if (queue.uid !== t.credentials.uid && !capable(t.credentials, CAP.FOWNER)) return -E.EPERM;
  t.os.posixQueues.delete(name);
  return 0;
}

/** The TSC of an absolute wall-clock time, 0 for none; -errno. */
function deadlineOf(t: Thread, address: number): number {
  if (address === 0) return 0;
  const { user } = t.process;
  const at = user.in(address, 16);
  if (at < 0) return -E.EFAULT;
  if (timespecNs(user.data, at) < 0) return -E.EINVAL;
  return Math.max(1, t.os.clock.tscOfReal(getI64(user.data, at), user.data.getUint32(at + 8, true)));
}

function queueArg(t: Thread): PosixQueueFile | undefined {
  const file = fileArg(t, 0);
  return file instanceof PosixQueueFile ? file : undefined;
}

function mqTimedsend(t: Thread): Result {
  const priority = t.uint(3), bytes = t.arg(2);
  const deadline = deadlineOf(t, t.arg(4));
  if (deadline < 0) return deadline;
  if (priority >= MAX_PRIORITY) return -E.EINVAL;
  const file = queueArg(t);
  if (file === undefined || !file.writable) return -E.EBADF;
  if (bytes > file.mq.messageBytes) return -E.EMSGSIZE;
  const content = t.process.user.bytes(t.arg(1), bytes);
  return content === undefined ? -E.EFAULT : file.send(t, { priority, bytes: content }, deadline);
}

function mqTimedreceive(t: Thread): Result {
  const at = t.arg(1), priorityAt = t.arg(3), { user } = t.process;
  const deadline = deadlineOf(t, t.arg(4));
  if (deadline < 0) return deadline;
  const file = queueArg(t);
  if (file === undefined || !file.readable) return -E.EBADF;
  if (t.arg(2) < file.mq.messageBytes) return -E.EMSGSIZE;
  return file.receive(t, deadline, ({ priority, bytes }) => {
    if (priorityAt !== 0 && !user.putU32(priorityAt, priority)) return -E.EFAULT;
    return user.putBytes(at, bytes) ? bytes.length : -E.EFAULT;
  });
}

/** struct sigevent: value, signo, notify. */
const SIGEVENT_BYTES = 64, SIGEV_SIGNAL = 0, SIGEV_NONE = 1;

function mqNotify(t: Thread): Result {
  const address = t.arg(1), { user } = t.process;
  let wanted: { kind: number; signal: number; valueLo: number; valueHi: number } | undefined;
  if (address !== 0) {
    const at = user.in(address, SIGEVENT_BYTES);
    if (at < 0) return -E.EFAULT;
    const word = (offset: number): number => user.data.getUint32(at + offset, true);
    wanted = { valueLo: word(0), valueHi: word(4), signal: word(8), kind: word(12) };
    if (wanted.kind !== SIGEV_SIGNAL && wanted.kind !== SIGEV_NONE) return -E.EINVAL;
    if (wanted.kind === SIGEV_SIGNAL && (wanted.signal < 0 || wanted.signal > 64)) return -E.EINVAL;
  }
  const file = queueArg(t);
  if (file === undefined) return -E.EBADF;
  const { mq } = file;
  if (wanted === undefined) {
    if (mq.notification?.process === t.process) mq.notification = undefined;
    return 0;
  }
  if (mq.notification !== undefined) return -E.EBUSY;
  mq.notification = { process: t.process, ...wanted };
  return 0;
}

function mqGetsetattr(t: Thread): Result {
  const newAt = t.arg(1), oldAt = t.arg(2), { user } = t.process;
  let flags: number | undefined;
  if (newAt !== 0) {
    const at = user.in(newAt, ATTR_BYTES);
    if (at < 0) return -E.EFAULT;
    flags = getI64(user.data, at);
    if (flags !== 0 && flags !== O_NONBLOCK) return -E.EINVAL;
  }
  const file = queueArg(t);
  if (file === undefined) return -E.EBADF;
  const { mq } = file;
  const old = [file.flags & O_NONBLOCK, mq.maxMessages, mq.messageBytes, mq.messages.length];
  if (flags !== undefined) file.flags = file.flags & ~O_NONBLOCK | flags;
  if (oldAt === 0) return 0;
  const at = user.out(oldAt, ATTR_BYTES);
  if (at < 0) return -E.EFAULT;
  user.u8.fill(0, at, at + ATTR_BYTES);
  old.forEach((value, i) => putU64(user.data, at + 8 * i, value));
  return user.done();
}

export const POSIX_MQ_CALLS: readonly SyscallRow[] = [
  sys(240, "mq_open", ["path", "oflags", "mode", "ptr"], mqOpen),
  sys(241, "mq_unlink", ["path"], mqUnlink),
  sys(242, "mq_timedsend", ["fd", "inbuf", "size", "uint", "timespec"], mqTimedsend),
  sys(243, "mq_timedreceive", ["fd", "outbuf", "size", "ptr", "timespec"], mqTimedreceive),
  sys(244, "mq_notify", ["fd", "ptr"], mqNotify, "no SIGEV_THREAD"),
  sys(245, "mq_getsetattr", ["fd", "ptr", "ptr"], mqGetsetattr),
];
