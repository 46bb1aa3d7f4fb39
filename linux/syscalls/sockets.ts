import { MAY_WRITE } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import { AT_FDCWD, O_NONBLOCK, S_IFSOCK } from "../abi/fcntl.ts";
import * as A from "../abi/socket.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../abi/socket.ts";
import {
  type Address,
  decodeAddress,
  encodeAddress,
  inFamily,
  type InternetAddress,
  isAny,
  isLoopback,
  LOOPBACK4,
  LOOPBACK6,
} from "../net/address.ts";
import { heard, hearOutside } from "../net/datagrams.ts";
import { isUnix } from "../net/network.ts";
import { isDatagram, join, Socket, State } from "../net/socket.ts";
import { getOption, setOption } from "../net/options.ts";
import { recvmmsg, sendmmsg } from "../net/several.ts";
import { connectOutside, listenOutside } from "../net/streams.ts";
import { recvfrom, recvmsg, sendmsg, sendto, socketArg } from "../net/transfer.ts";
import { concreteHost, sourceFor, Way, wayTo } from "../net/way.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import { type Blocking, type Result, Woken } from "../process/wait.ts";
import { install } from "./events.ts";
import { sys, type SyscallRow } from "./row.ts";
import { statAt } from "./stat.ts";
import { dirHandle, statBuffer } from "./util.ts";

const TYPE_FLAGS = A.SOCK_NONBLOCK | A.SOCK_CLOEXEC;

function socketOf(t: Thread, domain: number, typeAndFlags: number, protocol: number): Socket | number {
  const type = typeAndFlags & 0xf;
  if ((typeAndFlags & ~0xf & ~TYPE_FLAGS) !== 0) return -E.EINVAL;
  if (domain === AF_UNIX) {
    if (protocol !== 0 && protocol !== AF_UNIX) return -E.EPROTONOSUPPORT;
    if (type !== A.SOCK_STREAM && type !== A.SOCK_DGRAM && type !== A.SOCK_SEQPACKET) return -E.ESOCKTNOSUPPORT;
  } else if (domain === AF_INET || domain === AF_INET6) {
    const wanted = type === A.SOCK_STREAM ? A.IPPROTO_TCP : type === A.SOCK_DGRAM ? A.IPPROTO_UDP : -1;
    if (type === A.SOCK_RAW) return -E.EPERM;
    if (wanted < 0) return -E.ESOCKTNOSUPPORT;
    if (protocol !== 0 && protocol !== wanted) return -E.EPROTONOSUPPORT;
  } else return -E.EAFNOSUPPORT;
  const actual = domain === AF_UNIX ? 0 : type === A.SOCK_STREAM ? A.IPPROTO_TCP : A.IPPROTO_UDP;
  return new Socket(t.os, domain, type, actual, typeAndFlags & O_NONBLOCK);
}

function socket(t: Thread): Result {
  const made = socketOf(t, t.int(0), t.int(1), t.int(2));
  return typeof made === "number" ? made : install(t, made, (t.int(1) & A.SOCK_CLOEXEC) !== 0);
}

function socketpair(t: Thread): Result {
  if (t.int(0) !== AF_UNIX) return t.int(0) === AF_INET || t.int(0) === AF_INET6 ? -E.EOPNOTSUPP : -E.EAFNOSUPPORT;
  const a = socketOf(t, AF_UNIX, t.int(1), t.int(2));
  if (typeof a === "number") return a;
  const b = new Socket(t.os, AF_UNIX, a.type, 0, t.int(1) & O_NONBLOCK);
  join(a, b);
  const { process: { pid }, credentials: { euid, egid } } = t;
  a.peerCredentials = b.peerCredentials = { pid, uid: euid, gid: egid };
  const cloexec = (t.int(1) & A.SOCK_CLOEXEC) !== 0;
  const first = install(t, a, cloexec);
  const second = first < 0 ? first : install(t, b, cloexec);
  const { user, files } = t.process;
  const at = second < 0 ? -1 : user.out(t.arg(3), 8);
  if (at < 0) {
    if (first >= 0) files.close(t, first);
    if (second >= 0) files.close(t, second);
    return second < 0 ? second : -E.EFAULT;
  }
  user.data.setInt32(at, first, true);
  user.data.setInt32(at + 4, second, true);
  return user.done();
}

// ---- names ----------------------------------------------------------------------------------------------------------

/** The address at `address` of `length` bytes; undefined for AF_UNSPEC, -errno for a bad one. */
export function readAddress(t: Thread, address: number, length: number): Address | undefined | number {
  if (length < 0 || length > 128) return -E.EINVAL;
  const bytes = t.process.user.bytes(address, length);
  return bytes === undefined ? -E.EFAULT : decodeAddress(bytes);
}

/** Writes an address and its full length (which may be larger than the buffer). */
export function writeAddress(t: Thread, value: Address, address: number, lengthAt: number): number {
  if (address === 0) return 0;
  const { user } = t.process;
  const room = user.u32(lengthAt);
  if (room < 0) return -E.EFAULT;
  if ((room | 0) < 0) return -E.EINVAL;
  const bytes = encodeAddress(value);
  if (!user.putBytes(address, bytes.subarray(0, room)) || !user.putU32(lengthAt, bytes.length)) return -E.EFAULT;
  return 0;
}

/** Key of the socket file at `path`; who connects needs the right to write to it. */
export function unixKey(t: Thread, name: string, connects = true): string | number {
  if (name.startsWith("\0")) return name;
  const status = (connects && t.fs.access(t.process.fsContext.cwd, name, MAY_WRITE, true)) || statAt(t, AT_FDCWD, name, 0);
  if (status < 0) return status;
  const { dev, ino, mode } = statBuffer(t);
  return (mode & 0o170000) === S_IFSOCK ? `${dev}:${ino}` : -E.ECONNREFUSED;
}

function bind(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const address = readAddress(t, t.arg(1), t.int(2));
  if (typeof address === "number") return address;
  if (address === undefined || address.family !== s.domain) return s.domain === AF_UNIX ? -E.EINVAL : -E.EAFNOSUPPORT;
  if (s.local !== undefined) return -E.EINVAL;
  if (isUnix(address)) return bindUnix(t, s, address.name);
  if (!isAny(address.host) && !isLoopback(address.host) && !t.os.uplink.hears(address)) return -E.EADDRNOTAVAIL;
  if (address.port !== 0 && address.port < 1024 && !capable(t.credentials, CAP.NET_BIND_SERVICE)) return -E.EACCES;
  const port = t.os.network.bindPort(s, address.host, address.port);
  if (port < 0) return port;
  s.boundPort = port;
  s.local = { ...address, port };
  // Whoever takes any port asks somebody; who is to be asked has a port that others know.
  const now = address.port === 0 ? 0 : hearOutside(s);
  return now === -E.EAGAIN ? waitHeard(t, s) : bound(t, s, now);
}

/** The host has not bound its socket yet. */
function* waitHeard(t: Thread, s: Socket): Blocking {
  const result = yield* waiting(t, s, () => heard(s), 0);
  return bound(t, s, result === -E.ERESTARTSYS ? 0 : result);
}

/** What became of a bind: nothing, when the host has refused it. */
function bound(t: Thread, s: Socket, status: number): number {
  if (status >= 0) return status;
  s.outside?.close();
  s.outside = s.local = undefined;
  t.os.network.release(s, s.boundPort);
  s.boundPort = 0;
  return status;
}

function bindUnix(t: Thread, s: Socket, wanted: string): number {
  const name = wanted === "" ? t.os.network.freeAbstractName() : wanted;
  let key = name;
  if (!name.startsWith("\0")) {
    const dir = dirHandle(t, AT_FDCWD, name);
    const made = t.fs.mknod(dir, name, S_IFSOCK | 0o777 & ~t.process.fsContext.umask, 0);
    if (made < 0) return made === -E.EEXIST ? -E.EADDRINUSE : made;
    const found = unixKey(t, name, false);
    if (typeof found === "number") return found;
    key = found;
  }
  if (!t.os.network.bindUnix(s, key)) return -E.EADDRINUSE;
  s.unixKey = key;
  s.local = { family: AF_UNIX, name };
  return 0;
}

function listen(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  if (!s.connectionOriented) return -E.EOPNOTSUPP;
  if (s.state !== State.Fresh && s.state !== State.Listening) return -E.EINVAL;
  if (s.local === undefined) {
    if (s.domain === AF_UNIX) return -E.EINVAL;
    const status = s.autoBind();
    if (status < 0) return status;
  }
  s.backlog = Math.min(Math.max(0, t.int(1)), A.SOMAXCONN);
  const refused = listenOutside(t, s);
  if (refused < 0) return refused;
  s.state = State.Listening;
  const { process: { pid }, credentials: { euid, egid } } = t;
  s.peerCredentials = { pid, uid: euid, gid: egid };
  return 0;
}

function accept(t: Thread, flags: number): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  if ((flags & ~TYPE_FLAGS) !== 0) return -E.EINVAL;
  if (!s.connectionOriented) return -E.EOPNOTSUPP;
  const addressAt = t.arg(1), lengthAt = t.arg(2);
  const now = acceptNow(t, s, flags, addressAt, lengthAt);
  if (now !== -E.EAGAIN || s.nonBlocking) return now;
  return waiting(t, s, () => acceptNow(t, s, flags, addressAt, lengthAt), s.receiveTimeout);
}

function acceptNow(t: Thread, s: Socket, flags: number, addressAt: number, lengthAt: number): number {
  if (!s.listening || s.receiveShut) return -E.EINVAL;
  const client = s.pending.shift();
  if (client === undefined) return -E.EAGAIN;
  s.queue.wakeAll();
  client.flags |= flags & O_NONBLOCK;
  const fd = install(t, client, (flags & A.SOCK_CLOEXEC) !== 0);
  if (fd < 0) return fd;
  const status = writeAddress(t, client.remote ?? client.unnamed(), addressAt, lengthAt);
  if (status < 0) t.process.files.close(t, fd);
  return status < 0 ? status : fd;
}

/** Repeats `attempt` until it gives something else than -EAGAIN. */
export function* waiting(t: Thread, s: Socket, attempt: () => number, timeout: number): Blocking {
  const deadline = timeout === 0 ? 0 : t.os.now() + timeout;
  s.queue.add(t);
  try {
    while (true) {
      const why = yield* t.sleep(deadline);
      const result = attempt();
      if (result !== -E.EAGAIN) return result;
      if (why === Woken.TimedOut) return -E.EAGAIN;
      // With a timeout a call is not restarted (signal(7)).
      if (why === Woken.Interrupted) return timeout === 0 ? -E.ERESTARTSYS : -E.EINTR;
    }
  } finally {
    s.queue.remove(t);
  }
}

// ---- connect --------------------------------------------------------------------------------------------------------

/** The socket that listens (or receives datagrams) at an address; -errno when there is none. */
export function lookUp(t: Thread, s: Socket, address: Address): Socket | number {
  if (isUnix(address)) {
    const key = unixKey(t, address.name);
    if (typeof key === "number") return key;
    const found = t.os.network.findUnix(key);
    if (found === undefined) return -E.ECONNREFUSED;
    return found.type === s.type ? found : -E.EPROTOTYPE;
  }
  const host = concreteHost(address.host);
  if (!isLoopback(host)) return -E.ECONNREFUSED;
  const found = t.os.network.find(
    s.type,
    host,
    address.port,
    (other) => s.type === A.SOCK_STREAM ? other.listening : other !== s || true,
  );
  return found ?? -E.ECONNREFUSED;
}

function connect(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const address = readAddress(t, t.arg(1), t.int(2));
  if (typeof address === "number") return address;
  if (address === undefined) {
    s.peer = s.remote = undefined;
    if (s.connectionOriented) s.state = State.Disconnected;
    return 0;
  }
  if (address.family !== s.domain) return s.domain === AF_UNIX ? -E.EINVAL : -E.EAFNOSUPPORT;
  if (s.connectionOriented && s.state === State.Connected) return -E.EISCONN;
  if (s.listening) return s.domain === AF_UNIX ? -E.EINVAL : -E.EISCONN;
  if (s.state === State.Connecting) return s.nonBlocking ? -E.EALREADY : waitEstablished(t, s);
  if (s.connectionOriented && s.error !== 0) return -s.takeError();
  const status = s.autoBind();
  if (status < 0) return status;
  const now = connectNow(t, s, address);
  if (now === -E.EINPROGRESS && !s.nonBlocking) return waitEstablished(t, s);
  if (now !== -E.EAGAIN || s.nonBlocking) return now;
  return waitConnect(t, s, address);
}

/** A connection to the host's network is being made. */
function* waitEstablished(t: Thread, s: Socket): Blocking {
  const attempt = () => s.state === State.Connecting ? -E.EAGAIN : -s.takeError();
  const now = attempt();
  const result = now === -E.EAGAIN ? yield* waiting(t, s, attempt, s.sendTimeout) : now;
  return result === -E.EAGAIN ? -E.EINPROGRESS : result;
}

function connectNow(t: Thread, s: Socket, address: Address): number {
  const way = isUnix(address) ? Way.Inside : wayTo(t, s, address);
  if (way < 0) return way;
  if (way !== Way.Inside && !isUnix(address)) return connectBeyond(t, s, address, way);
  const found = lookUp(t, s, address);
  if (isDatagram(s)) {
    // UDP finds out later that nobody is there.
    if (typeof found === "number" && s.domain === AF_UNIX) return found;
    s.peer = s.domain === AF_UNIX && typeof found !== "number" ? found : undefined;
    s.remote = concrete(address);
    if (s.local !== undefined && s.local.family !== AF_UNIX && isAny(s.local.host)) {
      s.local = { ...s.local, host: s.domain === AF_INET ? LOOPBACK4 : LOOPBACK6 };
    }
    return 0;
  }
  if (typeof found === "number") return found;
  if (!found.listening || found.receiveShut) return -E.ECONNREFUSED;
  if (found.pending.length > found.backlog) return -E.EAGAIN;
  s.remote = isUnix(address) ? found.local : concrete(address);
  s.attachTo(t, found);
  return 0;
}

/** To the host's network or the name server. UDP remembers the address only. */
function connectBeyond(t: Thread, s: Socket, address: InternetAddress, way: number): number {
  if (s.connectionOriented) return connectOutside(s, { ...address, host: concreteHost(address.host) });
  const source = sourceFor(t, s, address, way);
  if (typeof source === "number") return source;
  s.peer = undefined;
  s.remote = concrete(address);
  if (s.local !== undefined && !isUnix(s.local) && isAny(s.local.host)) {
    s.local = inFamily({ family: source.length === 4 ? AF_INET : AF_INET6, host: source, port: s.local.port }, s.domain);
  }
  return 0;
}

function concrete(address: Address): Address {
  if (isUnix(address) || !isAny(address.host)) return address;
  return { ...address, host: concreteHost(address.host) };
}

/** Waits for room in the listener's backlog. */
function* waitConnect(t: Thread, s: Socket, address: Address): Blocking {
  const listener = lookUp(t, s, address);
  if (typeof listener === "number") return listener;
  return yield* waiting(t, listener, () => connectNow(t, s, address), s.sendTimeout);
}

function getsockname(t: Thread): Result {
  const s = socketArg(t, 0);
  return typeof s === "number" ? s : writeAddress(t, s.local ?? s.unnamed(), t.arg(1), t.arg(2));
}

function getpeername(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const connected = s.connectionOriented ? s.state === State.Connected : s.remote !== undefined || s.peer !== undefined;
  if (!connected) return -E.ENOTCONN;
  return writeAddress(t, s.remote ?? s.peer?.local ?? s.unnamed(), t.arg(1), t.arg(2));
}

function shutdown(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const how = t.int(1);
  return how < 0 || how > A.SHUT_RDWR ? -E.EINVAL : s.shutdown(how);
}

const LOCAL =
  "Unix sockets; TCP and UDP over the machine's own loopback, and over the host's network as far as --allow-net grants it";

export const SOCKET_CALLS: readonly SyscallRow[] = [
  sys(41, "socket", ["domain", "socktype", "int"], socket, LOCAL),
  sys(42, "connect", ["fd", "sockaddr", "int"], connect, LOCAL),
  sys(43, "accept", ["fd", "ptr", "ptr"], (t) => accept(t, 0)),
  sys(44, "sendto", ["fd", "inbuf", "size", "msgflags", "sockaddr", "int"], sendto, "no out-of-band data"),
  sys(45, "recvfrom", ["fd", "outbuf", "size", "msgflags", "ptr", "ptr"], recvfrom, "no out-of-band data"),
  sys(46, "sendmsg", ["fd", "ptr", "msgflags"], sendmsg, "no out-of-band data"),
  sys(47, "recvmsg", ["fd", "ptr", "msgflags"], recvmsg, "no out-of-band data"),
  sys(48, "shutdown", ["fd", "int"], shutdown),
  sys(49, "bind", ["fd", "sockaddr", "int"], bind, LOCAL),
  sys(50, "listen", ["fd", "int"], listen),
  sys(51, "getsockname", ["fd", "ptr", "ptr"], getsockname),
  sys(52, "getpeername", ["fd", "ptr", "ptr"], getpeername),
  sys(53, "socketpair", ["domain", "socktype", "int", "pipefds"], socketpair),
  sys(54, "setsockopt", ["fd", "int", "int", "ptr", "int"], setOption, "most options are stored without effect"),
  sys(55, "getsockopt", ["fd", "int", "int", "ptr", "ptr"], getOption),
  sys(288, "accept4", ["fd", "ptr", "ptr", "socktype"], (t) => accept(t, t.int(3))),
  sys(299, "recvmmsg", ["fd", "ptr", "uint", "msgflags", "timespec"], recvmmsg),
  sys(307, "sendmmsg", ["fd", "ptr", "uint", "msgflags"], sendmmsg),
];
