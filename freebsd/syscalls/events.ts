import { type Blocking, type Result, WaitQueue, Woken } from "../../linux/process/wait.ts";
import { getI64, getU64, putU64 } from "../../linux/memory/user.ts";
import { E } from "../abi/errno.ts";
import type { OpenFile } from "../files.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

/** sys/sys/event.h. */
const EVFILT_READ = -1, EVFILT_WRITE = -2, EVFILT_USER = -11;
const EV_ADD = 1, EV_DELETE = 2, EV_ENABLE = 4, EV_DISABLE = 8, EV_ONESHOT = 0x10, EV_CLEAR = 0x20, EV_RECEIPT = 0x40;
const EV_ERROR = 0x4000, NOTE_TRIGGER = 0x0100_0000;
/** struct kevent: ident, filter, flags, fflags, data, udata, ext[4]. */
const KEVENT_BYTES = 64, FILTER = 8, FLAGS = 10, FFLAGS = 12, DATA = 16, UDATA = 24;
const NS = 1_000_000_000;

interface Note {
  ident: number;
  filter: number;
  flags: number;
  udataLo: number;
  udataHi: number;
  enabled: boolean;
  /** EVFILT_USER: NOTE_TRIGGER has come. */
  triggered: boolean;
  /** EV_CLEAR: the file's generation that has been told; -1 = none. */
  told: number;
}

/** An event queue; threads that wait in kevent(2) wait in `queue`. */
class Kqueue implements OpenFile {
  users = 1;
  flags = 2;
  offset = 0;
  readonly handle = undefined;
  readonly type = 0;
  readonly queue = new WaitQueue();
  readonly generation = 0;
  readonly notes = new Map<string, Note>();
  readonly staysBehind = true;

  forget(fd: number): void {
    for (const [key, { ident, filter }] of this.notes) if (ident === fd && filter !== EVFILT_USER) this.notes.delete(key);
  }
  readable(): boolean {
    return false;
  }
  writable(): boolean {
    return false;
  }
  read(): Result {
    return -E.ENXIO;
  }
  write(): Result {
    return -E.ENXIO;
  }
  close(): void {}
}

function kqueue(t: Thread): Result {
  return t.process.add(new Kqueue());
}

function ready(t: Thread, note: Note): boolean {
  if (!note.enabled) return false;
  if (note.filter === EVFILT_USER) return note.triggered;
  const file = t.process.files.get(note.ident);
  if (file === undefined || !(note.filter === EVFILT_WRITE ? file.writable() : file.readable())) {
    note.told = -1;
    return false;
  }
  return (note.flags & EV_CLEAR) === 0 || note.told !== file.generation;
}

/** One change; 0 or -errno. */
function register(t: Thread, kq: Kqueue, at: number): number {
  const { data } = t.os, ident = getU64(data, at), filter = data.getInt16(at + FILTER, true);
  const flags = data.getUint16(at + FLAGS, true), key = `${ident}:${filter}`;
  if (filter !== EVFILT_READ && filter !== EVFILT_WRITE && filter !== EVFILT_USER) return -E.EINVAL;
  if (filter !== EVFILT_USER && !t.process.files.has(ident)) return -E.EBADF;
  let note = kq.notes.get(key);
  if ((flags & EV_ADD) !== 0 && note === undefined) {
    note = { ident, filter, flags, udataLo: 0, udataHi: 0, enabled: true, triggered: false, told: -1 };
    kq.notes.set(key, note);
  }
  if (note === undefined) return -E.ENOENT;
  if ((flags & EV_ADD) !== 0) {
    note.flags = flags;
    note.told = -1;
    note.udataLo = data.getUint32(at + UDATA, true);
    note.udataHi = data.getUint32(at + UDATA + 4, true);
  }
  if ((flags & EV_DELETE) !== 0) kq.notes.delete(key);
  if ((flags & EV_ENABLE) !== 0) note.enabled = true;
  if ((flags & EV_DISABLE) !== 0) note.enabled = false;
  if (filter === EVFILT_USER && (data.getUint32(at + FFLAGS, true) & NOTE_TRIGGER) !== 0) note.triggered = true;
  kq.queue.wakeAll();
  return 0;
}

function putEvent(t: Thread, address: number, note: Note, flags: number, value: number): boolean {
  const { user } = t.process, { data, u8 } = t.os, at = user.out(address, KEVENT_BYTES);
  if (at < 0) return false;
  u8.fill(0, at, at + KEVENT_BYTES);
  putU64(data, at, note.ident);
  data.setInt16(at + FILTER, note.filter, true);
  data.setUint16(at + FLAGS, flags, true);
  putU64(data, at + DATA, value);
  data.setUint32(at + UDATA, note.udataLo, true);
  data.setUint32(at + UDATA + 4, note.udataHi, true);
  user.done();
  return true;
}

function collect(t: Thread, kq: Kqueue, list: number, room: number): number {
  let found = 0;
  for (const [key, note] of kq.notes) {
    if (found >= room) break;
    if (!ready(t, note)) continue;
    if (!putEvent(t, list + KEVENT_BYTES * found, note, note.flags & ~(EV_ADD | EV_RECEIPT), 1)) return -E.EFAULT;
    if ((note.flags & EV_CLEAR) !== 0) {
      note.told = t.process.files.get(note.ident)?.generation ?? 0;
      note.triggered = false;
    }
    if ((note.flags & EV_ONESHOT) !== 0) kq.notes.delete(key);
    found++;
  }
  return found;
}

function kevent(t: Thread): Result {
  const kq = t.process.files.get(t.int(0)), changes = t.arg(1), list = t.arg(3), room = t.int(4), timeout = t.arg(5);
  const { user } = t.process, { data } = t.os;
  if (!(kq instanceof Kqueue)) return -E.EBADF;
  let errors = 0;
  for (let i = 0; i < t.int(2); i++) {
    const at = user.in(changes + KEVENT_BYTES * i, KEVENT_BYTES);
    if (at < 0) return -E.EFAULT;
    const receipt = (data.getUint16(at + FLAGS, true) & EV_RECEIPT) !== 0, ident = getU64(data, at);
    const filter = data.getInt16(at + FILTER, true), status = register(t, kq, at);
    if (status === 0 && !receipt) continue;
    if (errors >= room) return status;
    const note = { ident, filter, flags: 0, udataLo: 0, udataHi: 0, enabled: true, triggered: false, told: -1 };
    if (!putEvent(t, list + KEVENT_BYTES * errors++, note, EV_ERROR, -status)) return -E.EFAULT;
  }
  if (errors > 0 || room <= 0) return errors;
  const found = collect(t, kq, list, room);
  if (found !== 0) return found;
  let deadline = 0;
  if (timeout !== 0) {
    const at = user.in(timeout, 16);
    if (at < 0) return -E.EFAULT;
    const ns = getI64(data, at) * NS + getI64(data, at + 8);
    if (ns < 0) return -E.EINVAL;
    if (ns === 0) return 0;
    if (Number.isSafeInteger(ns)) deadline = t.os.now() + ns;
  }
  return waiting(t, kq, list, room, deadline);
}

function* waiting(t: Thread, kq: Kqueue, list: number, room: number, deadline: number): Blocking {
  while (true) {
    const queues = [kq.queue];
    for (const { ident, filter } of kq.notes.values()) {
      const file = filter === EVFILT_USER ? undefined : t.process.files.get(ident);
      if (file !== undefined) queues.push(file.queue);
    }
    for (const queue of queues) queue.add(t);
    const why = yield* t.sleep(deadline);
    for (const queue of queues) queue.remove(t);
    if (why === Woken.Interrupted) return -E.EINTR;
    const found = collect(t, kq, list, room);
    if (found !== 0 || why === Woken.TimedOut) return found;
  }
}

export const EVENT_CALLS: readonly SyscallRow[] = [
  sys(362, "kqueue", 0, kqueue),
  sys(560, "kevent", 6, kevent, "EVFILT_READ, EVFILT_WRITE, EVFILT_USER"),
];
