import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_NONBLOCK, POLLIN, POLLOUT, S_IFREG, SEEK_SET } from "../abi/fcntl.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, WaitQueue, Woken } from "../process/wait.ts";
import { sigInfo } from "../signals/state.ts";
import { textToBytes } from "../trace/text.ts";
import { fillStat, OpenFile } from "./open_file.ts";

/** si_code of a notification. */
const SI_MESGQ = -3;
const SIGEV_SIGNAL = 0;
/** Bytes that read(2) sees at most. */
const FILE_BYTES = 80;

interface Message {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

/** mq_notify(): whom the next message on an empty queue is told. `signal` 0 = nobody, but registered. */
export interface Notification {
  readonly process: Process;
  readonly kind: number;
  readonly signal: number;
  readonly valueLo: number;
  readonly valueHi: number;
}

/** A POSIX message queue: mq_overview(7). */
export class PosixQueue {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: number;
  readonly maxMessages: number;
  readonly messageBytes: number;
  /** Highest priority first, then oldest. */
  readonly messages: Message[] = [];
  readonly senders = new WaitQueue();
  readonly receivers = new WaitQueue();
  readonly pollers = new WaitQueue();
  notification: Notification | undefined;

  constructor(t: Thread, mode: number, maxMessages: number, messageBytes: number) {
    this.mode = mode;
    this.uid = t.credentials.uid;
    this.gid = t.credentials.gid;
    this.ino = t.os.nextInode();
    this.maxMessages = maxMessages;
    this.messageBytes = messageBytes;
  }

  stat(out: FsStat): number {
    fillStat(out, S_IFREG | this.mode, this.ino, 0, FILE_BYTES);
    out.uid = this.uid;
    out.gid = this.gid;
    return 0;
  }

  /** False when it is full. */
  put(t: Thread, message: Message): boolean {
    const { messages } = this;
    if (messages.length >= this.maxMessages) return false;
    const at = messages.findIndex((each) => each.priority < message.priority);
    messages.splice(at < 0 ? messages.length : at, 0, message);
    if (messages.length === 1 && this.receivers.empty) this.#notify(t);
    this.receivers.wakeOne();
    this.pollers.wakeAll();
    return true;
  }

  take(): Message | undefined {
    const message = this.messages.shift();
    if (message === undefined) return undefined;
    this.senders.wakeOne();
    this.pollers.wakeAll();
    return message;
  }

  #notify(t: Thread): void {
    const { notification } = this;
    if (notification === undefined) return;
    this.notification = undefined;
    if (notification.kind !== SIGEV_SIGNAL) return;
    const info = sigInfo(notification.signal, SI_MESGQ, t.process.pid, t.credentials.ruid);
    info.valueLo = notification.valueLo;
    info.valueHi = notification.valueHi;
    t.os.signals.sendToProcess(notification.process, info);
  }
}

/** A descriptor from mq_open(3). */
export class PosixQueueFile extends OpenFile {
  readonly mq: PosixQueue;
  readonly #name: string;

  constructor(mq: PosixQueue, name: string, flags: number) {
    super(flags);
    this.mq = mq;
    this.#name = name;
  }

  override get path(): string {
    return `/${this.#name}`;
  }

  override get seekable(): boolean {
    return true;
  }

  override readTo(t: Thread, pa: number, bytes: number, offset: number): number {
    const { messages, notification: n } = this.mq;
    const size = messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const field = (value: number, width: number): string => String(value).padEnd(width);
    const signal = n?.kind === SIGEV_SIGNAL ? n.signal : 0;
    const text = `QSIZE:${field(size, 10)} NOTIFY:${field(n?.kind ?? 0, 5)} SIGNO:${field(signal, 5)} NOTIFY_PID:${
      field(n?.process.pid ?? 0, 6)
    }\n`;
    const part = textToBytes(text).subarray(offset, offset + bytes);
    t.os.u8.set(part, pa);
    return part.length;
  }

  override seek(_t: Thread, offset: number, whence: number): number {
    return this.seekWithin(offset, whence, whence === SEEK_SET ? 0 : FILE_BYTES);
  }

  override poll(): number {
    const { messages, maxMessages } = this.mq;
    return (messages.length > 0 ? POLLIN : 0) | (messages.length < maxMessages ? POLLOUT : 0);
  }

  override pollQueue(): WaitQueue {
    return this.mq.pollers;
  }

  override stat(_t: Thread, out: FsStat): number {
    return this.mq.stat(out);
  }

  send(t: Thread, message: Message, deadline: number): Result {
    if (this.mq.put(t, message)) return 0;
    if ((this.flags & O_NONBLOCK) !== 0) return -E.EAGAIN;
    return waitFor(t, this.mq.senders, deadline, () => this.mq.put(t, message) ? 0 : undefined);
  }

  receive(t: Thread, deadline: number, finish: (message: Message) => number): Result {
    const attempt = (): number | undefined => {
      const message = this.mq.take();
      return message === undefined ? undefined : finish(message);
    };
    const now = attempt();
    if (now !== undefined) return now;
    return (this.flags & O_NONBLOCK) !== 0 ? -E.EAGAIN : waitFor(t, this.mq.receivers, deadline, attempt);
  }

  /** Any close by the process that is to be notified ends its registration. */
  override close(t: Thread | undefined): void {
    if (this.mq.notification?.process === t?.process) this.mq.notification = undefined;
    super.close(t);
  }
}

function* waitFor(t: Thread, queue: WaitQueue, deadline: number, attempt: () => number | undefined): Blocking {
  queue.add(t);
  try {
    while (true) {
      const why = yield* t.sleep(deadline);
      const result = attempt();
      if (result !== undefined) return result;
      if (why === Woken.TimedOut) return -E.ETIMEDOUT;
      if (why === Woken.Interrupted) return -E.ERESTARTSYS;
    }
  } finally {
    queue.remove(t);
  }
}
