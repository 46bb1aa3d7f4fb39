import { E } from "../abi/errno.ts";
import { MAX_RW_COUNT } from "../abi/fcntl.ts";
import * as A from "../abi/socket.ts";
import { AF_UNIX } from "../abi/socket.ts";
import type { OpenFile } from "../files/open_file.ts";
import { getU64, putU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import type { Blocking, Result } from "../process/wait.ts";
import { readVector } from "../syscalls/io.ts";
import { lookUp, readAddress, waiting, writeAddress } from "../syscalls/sockets.ts";
import { fileArg } from "../syscalls/util.ts";
import type { Address } from "./address.ts";
import { encodeAddress } from "./address.ts";
import { sendOutside } from "./datagrams.ts";
import type { Packet } from "./packet.ts";
import { isDatagram, Socket } from "./socket.ts";

/** The socket of the descriptor in argument `n`; -EBADF or -ENOTSOCK. */
export function socketArg(t: Thread, n: number): Socket | number {
  const file = fileArg(t, n);
  if (file === undefined) return -E.EBADF;
  return file instanceof Socket ? file : -E.ENOTSOCK;
}

const quiet = (s: Socket, flags: number): boolean => s.nonBlocking || (flags & A.MSG_DONTWAIT) !== 0;

// ---- sending --------------------------------------------------------------------------------------------------------

/** Where a message goes: undefined = the peer. */
function destination(t: Thread, s: Socket, address: Address | undefined): Socket | undefined | number {
  if (address === undefined) {
    // A connected UDP socket names its receiver anew each time.
    if (isDatagram(s) && s.domain !== AF_UNIX && s.remote !== undefined) {
      const found = lookUp(t, s, s.remote);
      if (typeof found !== "number") return found;
      // The refusal (ICMP) is told at the next call.
      s.error = E.ECONNREFUSED;
      return -E.EAGAIN;
    }
    return undefined;
  }
  if (s.connectionOriented) return s.peer === undefined ? -E.ENOTCONN : undefined;
  if (address.family !== s.domain) return -E.EAFNOSUPPORT;
  const bound = s.autoBind();
  if (bound < 0) return bound;
  const found = lookUp(t, s, address);
  // UDP to a port where nobody listens is lost.
  if (found === -E.ECONNREFUSED && s.domain !== AF_UNIX) return -E.EAGAIN;
  return found;
}

function sendData(
  t: Thread,
  s: Socket,
  data: Uint8Array<ArrayBuffer>,
  address: Address | undefined,
  files: OpenFile[] | undefined,
  flags: number,
): Result {
  if (s.error !== 0) return -s.takeError();
  const far = address ?? s.remote;
  if (far !== undefined && !s.sendShut) {
    const sent = sendOutside(t, s, data, far);
    if (sent === -E.EAGAIN && !quiet(s, flags)) {
      return waiting(t, s, () => sendOutside(t, s, data, far) ?? -E.EINVAL, s.sendTimeout);
    }
    if (sent !== undefined) return sent;
  }
  const to = destination(t, s, address);
  if (to === -E.EAGAIN) return data.length;
  if (typeof to === "number") return to;
  const signal = (flags & A.MSG_NOSIGNAL) === 0;
  const now = s.send(t, data, to, files, signal);
  if (now === data.length || now < 0 && now !== -E.EAGAIN || quiet(s, flags)) return now;
  return sendRest(t, s, data, to, files, signal, Math.max(0, now));
}

/** A blocking send goes on until everything is at the receiver. */
function* sendRest(
  t: Thread,
  s: Socket,
  data: Uint8Array<ArrayBuffer>,
  to: Socket | undefined,
  files: OpenFile[] | undefined,
  signal: boolean,
  already: number,
): Blocking {
  let done = already;
  while (done < data.length || data.length === 0) {
    const rights = done === 0 ? files : undefined;
    // The receiver wakes its own queue when it has read.
    const sent = yield* waiting(t, to ?? s, () => s.send(t, data.slice(done), to, rights, signal), s.sendTimeout);
    if (sent < 0) return done > 0 ? done : sent;
    done += sent;
    if (data.length === 0) break;
  }
  return done;
}

export function sendto(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const flags = t.int(3);
  if ((flags & A.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
  const address = t.arg(4) === 0 ? undefined : readAddress(t, t.arg(4), t.int(5));
  if (typeof address === "number") return address;
  const data = t.process.user.bytes(t.arg(1), Math.min(t.arg(2), MAX_RW_COUNT));
  return data === undefined ? -E.EFAULT : sendData(t, s, data, address, undefined, flags);
}

/** struct msghdr. */
export const MSGHDR_BYTES = 56;
interface Header {
  name: number;
  nameLength: number;
  vector: number[];
  control: number;
  controlLength: number;
}

function readHeader(t: Thread, at: number): Header | number {
  const { user } = t.process;
  const pa = user.in(at, MSGHDR_BYTES);
  if (pa < 0) return -E.EFAULT;
  const { data } = user;
  const name = getU64(data, pa), nameLength = data.getInt32(pa + 8, true);
  const vectorAt = getU64(data, pa + 16), entries = getU64(data, pa + 24);
  const control = getU64(data, pa + 32), controlLength = getU64(data, pa + 40);
  if (nameLength < 0) return -E.EINVAL;
  if (entries > 1024) return -E.EMSGSIZE;
  const vector = readVector(t, vectorAt, entries);
  return typeof vector === "number" ? vector : { name, nameLength, vector, control, controlLength };
}

/** struct cmsghdr: u64 length, level, type; then data. */
const CMSG_HEADER = 16, MAX_RIGHTS = 253;

/** Descriptors to pass. */
function readControl(t: Thread, at: number, length: number): OpenFile[] | undefined | number {
  if (length === 0) return undefined;
  const bytes = t.process.user.bytes(at, Math.min(length, 65536));
  if (bytes === undefined) return -E.EFAULT;
  const data = new DataView(bytes.buffer);
  const files: OpenFile[] = [];
  for (let i = 0; i + CMSG_HEADER <= bytes.length;) {
    const size = getU64(data, i);
    if (size < CMSG_HEADER || i + size > bytes.length) return -E.EINVAL;
    if (data.getInt32(i + 8, true) === A.SOL_SOCKET && data.getInt32(i + 12, true) === A.SCM_RIGHTS) {
      for (let j = i + CMSG_HEADER; j + 4 <= i + size; j += 4) {
        const file = t.process.files.get(data.getInt32(j, true));
        if (file === undefined) return -E.EBADF;
        files.push(file);
      }
    }
    i += size + (8 - size % 8) % 8;
  }
  if (files.length > MAX_RIGHTS) return -E.EINVAL;
  return files.length === 0 ? undefined : files.map((file) => file.dup());
}

export function sendOne(t: Thread, s: Socket, at: number, flags: number): Result {
  if ((flags & A.MSG_OOB) !== 0) return -E.EOPNOTSUPP;
  const header = readHeader(t, at);
  if (typeof header === "number") return header;
  const { user } = t.process;
  const address = header.name === 0 || header.nameLength === 0 ? undefined : readAddress(t, header.name, header.nameLength);
  if (typeof address === "number") return address;
  let total = 0;
  for (let i = 1; i < header.vector.length; i += 2) total += header.vector[i];
  const data = new Uint8Array(total);
  let done = 0;
  for (let i = 0; i < header.vector.length; i += 2) {
    const part = user.bytes(header.vector[i], header.vector[i + 1]);
    if (part === undefined) return -E.EFAULT;
    data.set(part, done);
    done += part.length;
  }
  const files = s.domain === AF_UNIX ? readControl(t, header.control, header.controlLength) : undefined;
  if (typeof files === "number") return files;
  const result = sendData(t, s, data, address, files, flags);
  if (typeof result === "number" && result < 0) { for (const file of files ?? []) file.close(t); }
  return result;
}

export function sendmsg(t: Thread): Result {
  const s = socketArg(t, 0);
  return typeof s === "number" ? s : sendOne(t, s, t.arg(1), t.int(2));
}

// ---- receiving ------------------------------------------------------------------------------------------------------

interface Received {
  bytes: number;
  packet: Packet | undefined;
  flags: number;
}

/** Receives into pieces of memory [address, length, ...] once; -errno. */
function receiveNow(t: Thread, s: Socket, vector: readonly number[], flags: number): Received | number {
  const status = s.receiveStatus();
  if (status !== undefined) return status === 0 ? { bytes: 0, packet: undefined, flags: 0 } : status;
  const { user } = t.process;
  let room = 0;
  for (let i = 1; i < vector.length; i += 2) room += vector[i];
  const peek = (flags & A.MSG_PEEK) !== 0;
  let bad = false;
  const scatter = (part: Uint8Array<ArrayBuffer>, done: number): void => {
    let skip = done, from = 0;
    for (let i = 0; i < vector.length && from < part.length; i += 2) {
      const length = vector[i + 1];
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const n = Math.min(length - skip, part.length - from);
      bad ||= !user.putBytes(vector[i] + skip, part.subarray(from, from + n));
      from += n;
      skip = 0;
    }
  };
  if (!s.messages) {
    const packet = s.inbox[0];
    const head: Packet = { ...packet };
    if (!peek) packet.files = undefined;
    const bytes = s.takeStream(room, peek, scatter);
    return bad ? -E.EFAULT : { bytes, packet: head, flags: 0 };
  }
  const packet = peek ? s.inbox[0] : s.takePacket();
  scatter(packet.data.subarray(0, room), 0);
  if (bad) return -E.EFAULT;
  const cut = packet.data.length > room;
  const bytes = cut && (flags & A.MSG_TRUNC) === 0 ? room : packet.data.length;
  return { bytes, packet, flags: cut ? A.MSG_TRUNC : 0 };
}

/** Receives, waiting if need be; `finish` writes name and control data. */
function receive(t: Thread, s: Socket, vector: readonly number[], flags: number, finish: (received: Received) => number): Result {
  if ((flags & A.MSG_OOB) !== 0) return -E.EINVAL;
  const attempt = (): number => {
    const received = receiveNow(t, s, vector, flags);
    if (typeof received === "number") return received;
    const status = finish(received);
    return status < 0 ? status : received.bytes;
  };
  const now = attempt();
  if (now === -E.EAGAIN && !quiet(s, flags)) {
    return (flags & A.MSG_WAITALL) !== 0 && !s.messages
      ? receiveAll(t, s, vector, flags, 0, finish)
      : waiting(t, s, attempt, s.receiveTimeout);
  }
  if ((flags & A.MSG_WAITALL) === 0 || s.messages || now <= 0 || quiet(s, flags) || vector.length !== 2 || now >= vector[1]) {
    return now;
  }
  return receiveAll(t, s, vector, flags, now, finish);
}

/** MSG_WAITALL on a stream. */
function* receiveAll(
  t: Thread,
  s: Socket,
  vector: readonly number[],
  flags: number,
  already: number,
  finish: (received: Received) => number,
): Blocking {
  let done = already;
  const [address, length] = vector;
  while (done < length) {
    const attempt = (): number => {
      const received = receiveNow(t, s, [address + done, length - done], flags);
      if (typeof received === "number") return received;
      const status = finish(received);
      return status < 0 ? status : received.bytes;
    };
    const now = attempt();
    const got: number = now === -E.EAGAIN ? yield* waiting(t, s, attempt, s.receiveTimeout) : now;
    if (got <= 0) return done > 0 ? done : got;
    done += got;
  }
  return done;
}

export function recvfrom(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const nameAt = t.arg(4), lengthAt = t.arg(5);
  return receive(t, s, [t.arg(1), Math.min(t.arg(2), MAX_RW_COUNT)], t.int(3), ({ packet }) => {
    if (packet !== undefined && s.messages) t.os.network.dropFiles(t, packet);
    if (nameAt === 0) return 0;
    if (s.connectionOriented || packet?.from === undefined) return t.process.user.putU32(lengthAt, 0) ? 0 : -E.EFAULT;
    return writeAddress(t, packet.from, nameAt, lengthAt);
  });
}

export function receiveMessage(t: Thread, s: Socket, at: number, flags: number): Result {
  const header = readHeader(t, at);
  if (typeof header === "number") return header;
  const { user } = t.process;
  return receive(t, s, header.vector, flags, ({ packet, flags: outFlags }) => {
    let status = outFlags;
    let nameLength = 0;
    if (packet?.from !== undefined && header.name !== 0 && !s.connectionOriented) {
      const bytes = encodeAddress(packet.from);
      nameLength = bytes.length;
      if (!user.putBytes(header.name, bytes.subarray(0, header.nameLength))) return -E.EFAULT;
    }
    const control = writeControl(t, s, packet, header, flags);
    if (control.cut) status |= A.MSG_CTRUNC;
    if (header.name !== 0 && !user.putU32(at + 8, nameLength)) return -E.EFAULT;
    return user.putU64(at + 40, control.bytes) && user.putU32(at + 48, status) ? 0 : -E.EFAULT;
  });
}

/** Control messages for the receiver: passed descriptors get numbers here. */
function writeControl(
  t: Thread,
  s: Socket,
  packet: Packet | undefined,
  header: Header,
  flags: number,
): { bytes: number; cut: boolean } {
  const { user, files, limits } = t.process;
  let used = 0;
  let cut = false;
  const append = (type: number, data: Uint8Array): boolean => {
    const size = CMSG_HEADER + data.length;
    if (used + size > header.controlLength) return false;
    const bytes = new Uint8Array(size + (8 - size % 8) % 8);
    const view = new DataView(bytes.buffer);
    putU64(view, 0, size);
    view.setInt32(8, A.SOL_SOCKET, true);
    view.setInt32(12, type, true);
    bytes.set(data, CMSG_HEADER);
    const room = header.controlLength - used;
    user.putBytes(header.control + used, bytes.subarray(0, room));
    used += Math.min(bytes.length, room);
    return true;
  };
  if (s.passCredentials && packet !== undefined) {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, packet.credentials.pid, true);
    view.setUint32(4, packet.credentials.uid, true);
    view.setUint32(8, packet.credentials.gid, true);
    cut = !append(A.SCM_CREDENTIALS, bytes) || cut;
  }
  const passed = packet?.files;
  if (passed !== undefined && packet !== undefined && (flags & A.MSG_PEEK) === 0) {
    const fit = Math.max(0, Math.min(passed.length, Math.floor((header.controlLength - used - CMSG_HEADER) / 4)));
    const numbers = new Int32Array(fit);
    const cloexec = (flags & A.MSG_CMSG_CLOEXEC) !== 0;
    for (let i = 0; i < passed.length; i++) {
      const fd = i < fit ? files.add(passed[i], cloexec, limits.openFiles) : -E.EMFILE;
      if (fd < 0) passed[i].close(t);
      else numbers[i] = fd;
    }
    packet.files = undefined;
    if (fit > 0) append(A.SCM_RIGHTS, new Uint8Array(numbers.buffer));
    cut ||= fit < passed.length;
  }
  return { bytes: used, cut };
}

export function recvmsg(t: Thread): Result {
  const s = socketArg(t, 0);
  return typeof s === "number" ? s : receiveMessage(t, s, t.arg(1), t.int(2));
}
