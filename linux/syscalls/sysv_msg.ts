import { E } from "../abi/errno.ts";
import { change, IPC, IpcObject, putFields, putStructure, seconds } from "../ipc/table.ts";
import { getU64 } from "../memory/user.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, WaitQueue, Woken } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

/** include/uapi/linux/msg.h. */
const MSG = { NOERROR: 0o10000, EXCEPT: 0o20000, COPY: 0o40000, STAT: 11, INFO: 12, STAT_ANY: 13 } as const;
/** MSGMNI, MSGMAX, MSGMNB. */
const MAX_QUEUES = 32000, MAX_BYTES = 8192, MAX_QUEUE_BYTES = 16384;
const DS_BYTES = 120, INFO_BYTES = 32;

interface Message {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** A System V message queue. */
export class MessageQueue extends IpcObject {
  readonly messages: Message[] = [];
  readonly senders = new WaitQueue();
  readonly receivers = new WaitQueue();
  limit = MAX_QUEUE_BYTES;
  used = 0;
  sendTime = 0;
  receiveTime = 0;
  changeTime: number;
  lastSender = 0;
  lastReceiver = 0;

  constructor(t: Thread, mode: number) {
    super(t, mode);
    this.changeTime = seconds(t);
  }

  fits(bytes: number): boolean {
    return this.used + bytes <= this.limit && 1 + this.messages.length <= this.limit;
  }

  /** Index of the message that msgrcv(2) would take; -1 when there is none. */
  find(type: number, flags: number): number {
    if ((flags & MSG.COPY) !== 0) return type >= 0 && type < this.messages.length ? type : -1;
    if (type === 0) return this.messages.length > 0 ? 0 : -1;
    if (type > 0) return this.messages.findIndex((m) => (m.type === type) !== ((flags & MSG.EXCEPT) !== 0));
    const lowest = Math.min(...this.messages.map((m) => m.type));
    return lowest <= -type ? this.messages.findIndex((m) => m.type === lowest) : -1;
  }
}

function msgget(t: Thread): Result {
  const flags = t.int(1);
  return t.os.msg.get(t, t.int(0), flags, () => new MessageQueue(t, flags), () => 0);
}

function msgsnd(t: Thread): Result {
  const { user } = t.process;
  const size = t.long(2), flags = t.int(3);
  const type = user.i64(t.arg(1));
  if (Number.isNaN(type)) return -E.EFAULT;
  if (size > MAX_BYTES || size < 0 || t.int(0) < 0 || type < 1) return -E.EINVAL;
  const bytes = user.bytes(t.arg(1) + 8, size);
  if (bytes === undefined) return -E.EFAULT;
  const queue = t.os.msg.byId(t.int(0));
  if (queue === undefined) return -E.EINVAL;
  if (!queue.permits(t, 0o222)) return -E.EACCES;
  if (queue.fits(size)) return send(t, queue, { type, bytes });
  return (flags & IPC.NOWAIT) !== 0 ? -E.EAGAIN : waitToSend(t, queue, { type, bytes });
}

function send(t: Thread, queue: MessageQueue, message: Message): 0 {
  queue.messages.push(message);
  queue.used += message.bytes.length;
  queue.lastSender = t.process.pid;
  queue.sendTime = seconds(t);
  queue.receivers.wakeAll();
  return 0;
}

function* waitToSend(t: Thread, queue: MessageQueue, message: Message): Blocking {
  queue.senders.add(t);
  try {
    while (true) {
      const why = yield* t.sleep(0);
      if (queue.removed) return -E.EIDRM;
      if (queue.fits(message.bytes.length)) return send(t, queue, message);
      if (why === Woken.Interrupted) return -E.ERESTARTNOHAND;
    }
  } finally {
    queue.senders.remove(t);
  }
}

function msgrcv(t: Thread): Result {
  const size = t.long(2), flags = t.int(4);
  if (t.int(0) < 0 || size < 0) return -E.EINVAL;
  if ((flags & MSG.COPY) !== 0 && ((flags & MSG.EXCEPT) !== 0 || (flags & IPC.NOWAIT) === 0)) return -E.EINVAL;
  const queue = t.os.msg.byId(t.int(0));
  if (queue === undefined) return -E.EINVAL;
  if (!queue.permits(t, 0o444)) return -E.EACCES;
  const taken = take(t, queue);
  if (taken !== -E.ENOMSG || (flags & IPC.NOWAIT) !== 0) return taken;
  return waitToReceive(t, queue);
}

/** The next message that fits the call's arguments; -ENOMSG when there is none. */
function take(t: Thread, queue: MessageQueue): number {
  const size = t.long(2), flags = t.int(4);
  const index = queue.find(t.long(3), flags);
  const message = queue.messages[index];
  if (message === undefined) return -E.ENOMSG;
  if (message.bytes.length > size && (flags & MSG.NOERROR) === 0) return -E.E2BIG;
  if ((flags & MSG.COPY) === 0) {
    queue.messages.splice(index, 1);
    queue.used -= message.bytes.length;
    queue.lastReceiver = t.process.pid;
    queue.receiveTime = seconds(t);
    queue.senders.wakeAll();
  }
  const { user } = t.process;
  const part = message.bytes.subarray(0, size);
  return user.putU64(t.arg(1), message.type) && user.putBytes(t.arg(1) + 8, part) ? part.length : -E.EFAULT;
}

function* waitToReceive(t: Thread, queue: MessageQueue): Blocking {
  queue.receivers.add(t);
  try {
    while (true) {
      const why = yield* t.sleep(0);
      if (queue.removed) return -E.EIDRM;
      const taken = take(t, queue);
      if (taken !== -E.ENOMSG) return taken;
      if (why === Woken.Interrupted) return -E.ERESTARTNOHAND;
    }
  } finally {
    queue.receivers.remove(t);
  }
}

function putQueue(t: Thread, q: MessageQueue, address: number, result: number): number {
  return putStructure(t, address, DS_BYTES, (data, at) => {
    q.putPermissions(data, at);
    putFields(data, at + 48, [q.sendTime, q.receiveTime, q.changeTime, q.used, q.messages.length, q.limit], true);
    putFields(data, at + 96, [q.lastSender, q.lastReceiver]);
  }, result);
}

function info(t: Thread, address: number, uses: boolean): Result {
  const { all, highestIndex } = t.os.msg;
  const sum = (of: (q: MessageQueue) => number): number => all.reduce((total, q) => total + of(q), 0);
  return putStructure(t, address, INFO_BYTES, (data, at) => {
    const [pool, map, headers] = uses
      ? [all.length, sum((q) => q.messages.length), sum((q) => q.used)]
      : [MAX_QUEUES * MAX_QUEUE_BYTES / 1024, MAX_QUEUE_BYTES, MAX_QUEUE_BYTES];
    putFields(data, at, [pool, map, MAX_BYTES, MAX_QUEUE_BYTES, MAX_QUEUES, 16, headers]);
    data.setUint16(at + 28, 0xffff, true);
  }, highestIndex);
}

function msgctl(t: Thread): Result {
  const id = t.int(0), command = t.int(1), address = t.arg(2), table = t.os.msg;
  if (id < 0 || command < 0) return -E.EINVAL;
  const queue = table.byId(id);
  switch (command) {
    case IPC.INFO:
    case MSG.INFO:
      return info(t, address, command === MSG.INFO);
    case IPC.STAT:
    case MSG.STAT:
    case MSG.STAT_ANY: {
      const shown = table.toShow(t, id, command !== IPC.STAT, command === MSG.STAT_ANY);
      return typeof shown === "number" ? shown : putQueue(t, shown, address, command === IPC.STAT ? 0 : shown.id);
    }
    case IPC.SET:
      return change(t, queue, address, DS_BYTES, (data, at) => {
        const limit = getU64(data, at + 88);
        if (queue === undefined) return -E.EINVAL;
        if (limit > MAX_QUEUE_BYTES && !capable(t.credentials, CAP.SYS_RESOURCE)) return -E.EPERM;
        queue.limit = limit;
        queue.changeTime = seconds(t);
        queue.senders.wakeAll();
        return 0;
      });
    case IPC.RMID:
      if (queue === undefined) return -E.EINVAL;
      if (!queue.isOwner(t)) return -E.EPERM;
      table.remove(queue);
      queue.senders.wakeAll();
      queue.receivers.wakeAll();
      return 0;
  }
  return -E.EINVAL;
}

export const SYSV_MSG_CALLS: readonly SyscallRow[] = [
  sys(68, "msgget", ["int", "octal"], msgget),
  sys(69, "msgsnd", ["int", "ptr", "size", "octal"], msgsnd),
  sys(70, "msgrcv", ["int", "ptr", "size", "long", "octal"], msgrcv),
  sys(71, "msgctl", ["int", "int", "ptr"], msgctl),
];
