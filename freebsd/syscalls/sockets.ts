import type { Result } from "../../linux/process/wait.ts";
import { E, fromService } from "../abi/errno.ts";
import { O_NONBLOCK, type OpenFile, waitFor } from "../files.ts";
import { BUFFER_BYTES } from "../personality.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  decodeAddress,
  encodeAddress,
  SOCK_DGRAM,
  SOCK_STREAM,
  type SocketAddress,
  SocketFile,
} from "../sockets.ts";
import type { Thread } from "../thread.ts";
import { failed } from "./io.ts";
import { sys, type SyscallRow } from "./row.ts";

/** sys/sys/socket.h. */
const SOCK_SEQPACKET = 5, SOCK_CLOEXEC = 0x1000_0000, SOCK_NONBLOCK = 0x2000_0000, SOMAXCONN = 128;
const MSG_PEEK = 2,
  MSG_WAITALL = 0x40,
  MSG_DONTWAIT = 0x80,
  MSG_TRUNC = 0x10,
  MSG_NOSIGNAL = 0x2_0000,
  MSG_CMSG_CLOEXEC = 0x4_0000;
const SOCKADDR_MAX = 128;

/** The socket of argument 0; -EBADF or -ENOTSOCK. */
function socketOf(t: Thread): SocketFile | number {
  const file = t.process.files.get(t.int(0));
  if (file === undefined) return -E.EBADF;
  return file instanceof SocketFile ? file : -E.ENOTSOCK;
}

/** A call with a socket. */
const on = (action: (t: Thread, s: SocketFile) => Result) => (t: Thread): Result => {
  const s = socketOf(t);
  return typeof s === "number" ? s : action(t, s);
};

function address(t: Thread, at: number, length: number): SocketAddress | number {
  if (length > SOCKADDR_MAX) return -E.EINVAL;
  const bytes = t.process.user.bytes(at, length);
  return bytes === undefined ? -E.EFAULT : decodeAddress(bytes);
}

const S_IFSOCK = 0o140000, S_IFMT = 0o170000;

/** The address with the file that a Unix name means; `make`: makes it (EADDRINUSE when there is one). */
function withNode(t: Thread, where: SocketAddress, make: boolean): SocketAddress | number {
  if (!("name" in where)) return where;
  const { fs, statBuffer } = t.os, { cwd, umask } = t.process;
  if (make) {
    const status = fs.mknod(cwd, where.name, S_IFSOCK | 0o777 & ~umask, 0);
    if (status < 0) return fromService(status) === -E.EEXIST ? -E.EADDRINUSE : fromService(status);
  }
  const status = fs.stat(cwd, where.name, true, statBuffer);
  if (status < 0) return fromService(status);
  if ((statBuffer.mode & S_IFMT) !== S_IFSOCK) return -E.ENOTSOCK;
  return { name: where.name, node: `${statBuffer.dev}:${statBuffer.ino}` };
}

/** Tells an address as far as there is room. 0 or -errno. */
function tell(t: Thread, s: SocketFile, what: SocketAddress | undefined, at: number, lengthAt: number): number {
  if (at === 0 || lengthAt === 0) return 0;
  const { user } = t.process, room = user.u32(lengthAt), bytes = encodeAddress(what ?? s.unnamed, s.domain);
  if (Number.isNaN(room)) return -E.EFAULT;
  return user.putBytes(at, bytes.subarray(0, room)) && user.putU32(lengthAt, bytes.length) ? 0 : -E.EFAULT;
}

function create(t: Thread): SocketFile | number {
  const domain = t.int(0), type = t.int(1), kind = type & 0xff;
  if (domain !== AF_UNIX && domain !== AF_INET && domain !== AF_INET6) return -E.EAFNOSUPPORT;
  if (kind !== SOCK_STREAM && kind !== SOCK_DGRAM && !(kind === SOCK_SEQPACKET && domain === AF_UNIX)) return -E.EPROTOTYPE;
  return new SocketFile(t.os, domain, kind, 2 | ((type & SOCK_NONBLOCK) !== 0 ? O_NONBLOCK : 0));
}

function socket(t: Thread): Result {
  const s = create(t);
  return typeof s === "number" ? s : t.process.add(s, (t.int(1) & SOCK_CLOEXEC) !== 0);
}

function socketpair(t: Thread): Result {
  const a = create(t), b = create(t), { user } = t.process, at = t.arg(3);
  if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? a : -E.EINVAL;
  if (a.domain !== AF_UNIX) return -E.EOPNOTSUPP;
  if (a.isStream) SocketFile.join(a, b);
  else a.peer = b, b.peer = a;
  const [first, second] = [a, b].map((s) => t.process.add(s, (t.int(1) & SOCK_CLOEXEC) !== 0));
  return user.putU32(at, first) && user.putU32(at + 4, second) ? 0 : -E.EFAULT;
}

function bind(t: Thread, s: SocketFile): Result {
  const given = address(t, t.arg(1), t.uint(2));
  if (typeof given === "number") return given;
  if (s.local !== undefined) return -E.EINVAL;
  const where = withNode(t, given, true);
  return typeof where === "number" ? where : t.os.sockets.bind(s, where);
}

function connect(t: Thread, s: SocketFile): Result {
  const given = address(t, t.arg(1), t.uint(2)), where = typeof given === "number" ? given : withNode(t, given, false);
  return typeof where === "number" ? where : s.connect(where);
}

function listen(t: Thread, s: SocketFile): Result {
  const bound = s.autoBind();
  if (bound < 0) return bound;
  if (!s.isStream) return -E.EOPNOTSUPP;
  if (s.connected !== undefined || s.local === undefined) return -E.EINVAL;
  s.backlog ??= [];
  s.maxBacklog = t.int(1) < 0 || t.int(1) > SOMAXCONN ? SOMAXCONN : Math.max(1, t.int(1));
  return 0;
}

/** `flags`: accept4's; undefined = the new socket waits as the listener does. */
function accept(t: Thread, s: SocketFile, flags: number | undefined): Result {
  if (s.backlog === undefined) return -E.EINVAL;
  const nonBlocking = flags === undefined ? (s.flags & O_NONBLOCK) !== 0 : (flags & SOCK_NONBLOCK) !== 0;
  const attempt = (): number => {
    const peer = s.backlog?.shift();
    if (peer === undefined) return -E.EAGAIN;
    const told = tell(t, s, peer.remote, t.arg(1), t.arg(2));
    if (told < 0) {
      peer.close();
      return told;
    }
    peer.flags = 2 | (nonBlocking ? O_NONBLOCK : 0);
    return t.process.add(peer, ((flags ?? 0) & SOCK_CLOEXEC) !== 0);
  };
  return possibly(t, s, 0, attempt);
}

function possibly(t: Thread, s: SocketFile, flags: number, attempt: () => number): Result {
  const now = attempt(), quiet = (s.flags & O_NONBLOCK) !== 0 || (flags & MSG_DONTWAIT) !== 0;
  return now !== -E.EAGAIN || quiet ? now : waitFor(t, s.queue, attempt);
}

// ---- messages -----------------------------------------------------------------------------------------------------------

function sendData(t: Thread, s: SocketFile, bytes: Uint8Array, to: SocketAddress | undefined, flags: number): Result {
  let done = 0;
  // A stream takes what fits; whoever may wait goes on with the rest.
  const attempt = (): number => {
    const sent = s.send(bytes.subarray(done), to);
    if (sent < 0) return sent === -E.EPIPE && (flags & MSG_NOSIGNAL) === 0 ? failed(t, sent) : sent;
    done += sent;
    return done < bytes.length && s.isStream ? -E.EAGAIN : done;
  };
  const result = possibly(t, s, flags, attempt);
  return result === -E.EAGAIN && done > 0 ? done : result;
}

/** Of a message, undefined = the peer. */
function receiver(t: Thread, at: number, length: number): SocketAddress | undefined | number {
  const given = at === 0 ? undefined : address(t, at, length);
  return typeof given === "object" ? withNode(t, given, false) : given;
}

function sendto(t: Thread, s: SocketFile): Result {
  const bytes = t.process.user.bytes(t.arg(1), t.arg(2)), to = receiver(t, t.arg(4), t.uint(5));
  if (bytes === undefined) return -E.EFAULT;
  return typeof to === "number" ? to : sendData(t, s, bytes, s.isStream ? undefined : to, t.int(3));
}

type Piece = readonly [at: number, bytes: number];

/** Fills the pieces; `tell` hears of the sender and whether a datagram was cut. */
function receiveData(
  t: Thread,
  s: SocketFile,
  pieces: readonly Piece[],
  flags: number,
  told: (from: SocketAddress | undefined, cut: boolean) => number,
): Result {
  const room = Math.min(BUFFER_BYTES, pieces.reduce((sum, [, bytes]) => sum + bytes, 0)), { user } = t.process;
  let total = 0;
  const attempt = (): number => {
    const { result, from, bytes } = s.receive(t.os.buffer, room - total, (flags & MSG_PEEK) !== 0);
    if (result < 0 || result === 0 && total > 0) return result === 0 ? total : result;
    let skip = total, taken = 0;
    for (const [at, length] of pieces) {
      const before = Math.min(skip, length), part = Math.min(length - before, result - taken);
      skip -= before;
      if (part > 0 && !user.write(at + before, t.os.buffer + taken, part)) return -E.EFAULT;
      taken += part;
    }
    total += result;
    if ((flags & MSG_WAITALL) !== 0 && s.isStream && result > 0 && total < room) return -E.EAGAIN;
    const status = told(from, (bytes ?? 0) > result);
    return status < 0 ? status : total;
  };
  return possibly(t, s, flags, attempt);
}

function recvfrom(t: Thread, s: SocketFile): Result {
  return receiveData(t, s, [[t.arg(1), t.arg(2)]], t.int(3), (from) => tell(t, s, from ?? s.remote, t.arg(4), t.arg(5)));
}

/** struct msghdr: name, namelen, iov at 16, iovlen at 24, control at 32, controllen at 40, flags at 44. */
function vectorOf(t: Thread): Piece[] | number {
  const { user } = t.process, iov = user.u64(t.arg(1) + 16), count = user.u32(t.arg(1) + 24), IOV_MAX = 1024;
  if (Number.isNaN(iov) || Number.isNaN(count)) return -E.EFAULT;
  if (count > IOV_MAX) return -E.EMSGSIZE;
  const pieces = Array.from({ length: count }, (_, i): Piece => [user.u64(iov + 16 * i), user.u64(iov + 16 * i + 8)]);
  return pieces.some(([at, bytes]) => Number.isNaN(at) || Number.isNaN(bytes)) ? -E.EFAULT : pieces;
}

/** struct cmsghdr: length, level, type, then data: SCM_RIGHTS of SOL_SOCKET. */
const CMSG_HEADER = 16, SCM_RIGHTS = 1;

function passedFiles(t: Thread, header: number): OpenFile[] | number {
  const { user, files } = t.process, at = user.u64(header + 32), length = user.u32(header + 40), found: OpenFile[] = [];
  if (Number.isNaN(at) || Number.isNaN(length)) return -E.EFAULT;
  for (let done = 0; done + CMSG_HEADER <= length;) {
    const size = user.u32(at + done);
    if (!(size >= CMSG_HEADER) || user.u32(at + done + 4) !== SOL_SOCKET || user.u32(at + done + 8) !== SCM_RIGHTS) {
      return -E.EINVAL;
    }
    for (let i = CMSG_HEADER; i + 4 <= size; i += 4) {
      const file = files.get(user.u32(at + done + i));
      if (file === undefined) return -E.EBADF;
      found.push(file);
    }
    done += Math.ceil(size / 8) * 8;
  }
  return found;
}

/** Gives the receiver the descriptors that have come, as far as there is room. False when its memory cannot be written. */
function takeFiles(t: Thread, s: SocketFile, header: number, cloexec: boolean): boolean {
  const { user } = t.process, files = s.connected?.incoming.passed.shift() ?? [];
  const room = Math.max(0, Math.floor((user.u32(header + 40) - CMSG_HEADER) / 4)), at = user.u64(header + 32);
  for (const file of files.slice(room)) if (--file.users === 0) file.close();
  const fds = files.slice(0, room).map((file) => t.process.add(file, cloexec));
  if (fds.length === 0) return user.putU32(header + 40, 0);
  const size = CMSG_HEADER + 4 * fds.length, words = Int32Array.from([size, SOL_SOCKET, SCM_RIGHTS, 0, ...fds]);
  return user.putBytes(at, new Uint8Array(words.buffer)) && user.putU32(header + 40, size);
}

function sendmsg(t: Thread, s: SocketFile): Result {
  const { user } = t.process, header = t.arg(1), pieces = vectorOf(t);
  if (typeof pieces === "number") return pieces;
  const to = receiver(t, user.u64(header), user.u32(header + 8)), files = passedFiles(t, header);
  if (typeof to === "number") return to;
  if (typeof files === "number") return files;
  if (files.length > 0) {
    if (s.domain !== AF_UNIX || s.connected === undefined) return -E.EOPNOTSUPP;
    for (const file of files) file.users++;
    s.connected.outgoing.passed.push(files);
  }
  const parts = pieces.map(([at, bytes]) => user.bytes(at, bytes));
  const whole = new Uint8Array(pieces.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const part of parts) {
    if (part === undefined) return -E.EFAULT;
    whole.set(part, at);
    at += part.length;
  }
  return sendData(t, s, whole, s.isStream ? undefined : to, t.int(2));
}

function recvmsg(t: Thread, s: SocketFile): Result {
  const { user } = t.process, header = t.arg(1), pieces = vectorOf(t);
  if (typeof pieces === "number") return pieces;
  return receiveData(t, s, pieces, t.int(2), (from, cut) => {
    const name = user.u64(header), cloexec = (t.int(2) & MSG_CMSG_CLOEXEC) !== 0;
    const ok = takeFiles(t, s, header, cloexec) && user.putU32(header + 44, cut ? MSG_TRUNC : 0);
    return ok ? tell(t, s, from ?? s.remote, name, name === 0 ? 0 : header + 8) : -E.EFAULT;
  });
}

// ---- options ------------------------------------------------------------------------------------------------------------

const SOL_SOCKET = 0xffff,
  SO_ACCEPTCONN = 2,
  SO_LINGER = 0x80,
  SO_SNDBUF = 0x1001,
  SO_RCVBUF = 0x1002,
  SO_ERROR = 0x1007,
  SO_TYPE = 0x1008;

function getsockopt(t: Thread, s: SocketFile): Result {
  const level = t.int(1), name = t.int(2), { user } = t.process, room = user.u32(t.arg(4));
  if (Number.isNaN(room)) return -E.EFAULT;
  const known = (): number => {
    if (level !== SOL_SOCKET) return 0;
    if (name === SO_TYPE) return s.kind;
    if (name === SO_ACCEPTCONN) return s.backlog === undefined ? 0 : 1;
    return name === SO_SNDBUF || name === SO_RCVBUF ? 65536 : 0;
  };
  // Errors are told by the call that fails: connections are made or refused at once.
  const value = level === SOL_SOCKET && name === SO_ERROR ? 0 : s.options.get(`${level}:${name}`) ?? known();
  const bytes = new Uint8Array(Int32Array.of(value).buffer).subarray(0, room);
  return user.putBytes(t.arg(3), bytes) && user.putU32(t.arg(4), bytes.length) ? 0 : -E.EFAULT;
}

function setsockopt(t: Thread, s: SocketFile): Result {
  const value = t.uint(4) >= 4 ? t.process.user.u32(t.arg(3)) : 0;
  if (Number.isNaN(value)) return -E.EFAULT;
  // struct linger: on, seconds.
  if (t.int(1) === SOL_SOCKET && t.int(2) === SO_LINGER) s.lingersNot = value !== 0 && t.process.user.u32(t.arg(3) + 4) === 0;
  s.options.set(`${t.int(1)}:${t.int(2)}`, value);
  return 0;
}

function getpeername(t: Thread, s: SocketFile): Result {
  return s.remote === undefined && s.connected === undefined ? -E.ENOTCONN : tell(t, s, s.remote, t.arg(1), t.arg(2));
}

export const SOCKET_CALLS: readonly SyscallRow[] = [
  sys(27, "recvmsg", 3, on(recvmsg), "control messages: SCM_RIGHTS"),
  sys(28, "sendmsg", 3, on(sendmsg), "control messages: SCM_RIGHTS"),
  sys(29, "recvfrom", 6, on(recvfrom)),
  sys(30, "accept", 3, on((t, s) => accept(t, s, undefined))),
  sys(31, "getpeername", 3, on(getpeername)),
  sys(32, "getsockname", 3, on((t, s) => tell(t, s, s.local, t.arg(1), t.arg(2)))),
  sys(97, "socket", 3, socket, "loopback and Unix"),
  sys(98, "connect", 3, on(connect)),
  sys(104, "bind", 3, on(bind)),
  sys(105, "setsockopt", 5, on(setsockopt), "remembered without effect"),
  sys(106, "listen", 2, on(listen)),
  sys(118, "getsockopt", 5, on(getsockopt)),
  sys(133, "sendto", 6, on(sendto)),
  sys(134, "shutdown", 2, on((t, s) => s.shutdown(t.int(1)))),
  sys(135, "socketpair", 4, socketpair),
  sys(541, "accept4", 4, on((t, s) => accept(t, s, t.int(3)))),
];
