import { E } from "../abi/errno.ts";
import { AF_UNIX, IPPROTO_IPV6, IPPROTO_TCP, SO, SOCK_STREAM, SOL_SOCKET } from "../abi/socket.ts";
import { getI64, putU64 } from "../memory/user.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { BUFFER_LIMIT, type Socket } from "./socket.ts";
import { socketArg } from "./transfer.ts";

const IPV6_V6ONLY = 26;
const LEVELS = [0, SOL_SOCKET, IPPROTO_TCP, 17, IPPROTO_IPV6];
/** TCP_INFO and its like need a protocol that is not there. */
const TCP_INFO = 11, TCP_CONGESTION = 13, TCP_MAXSEG = 2;

function timeoutOf(t: Thread, at: number, length: number): number {
  if (length < 16) return -E.EINVAL;
  const pa = t.process.user.in(at, 16);
  if (pa < 0) return -E.EFAULT;
  const { data } = t.process.user;
  const micro = getI64(data, pa + 8);
  if (micro < 0 || micro >= 1e6) return -E.EDOM;
  return Math.max(0, getI64(data, pa)) * 1e9 + micro * 1e3;
}

/** setsockopt(2). */
export function setOption(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const level = t.int(1), name = t.int(2), at = t.arg(3), length = t.int(4);
  if (length < 0) return -E.EINVAL;
  if (!LEVELS.includes(level) || s.domain === AF_UNIX && level !== SOL_SOCKET) return -E.ENOPROTOOPT;
  if (level === SOL_SOCKET && (name === SO.RCVTIMEO || name === SO.SNDTIMEO)) {
    const ns = timeoutOf(t, at, length);
    if (ns < 0) return ns;
    if (name === SO.RCVTIMEO) s.receiveTimeout = ns;
    else s.sendTimeout = ns;
    return 0;
  }
  if (length < 4) return level === SOL_SOCKET || length === 0 ? -E.EINVAL : 0;
  const word = t.process.user.u32(at);
  if (word < 0) return -E.EFAULT;
  const value = word | 0;
  if (level === SOL_SOCKET) {
    if (name === SO.TYPE || name === SO.ERROR || name === SO.PROTOCOL || name === SO.DOMAIN || name === SO.ACCEPTCONN) {
      return -E.ENOPROTOOPT;
    }
    if (name === SO.REUSEADDR) s.reuseAddress = value !== 0;
    else if (name === SO.REUSEPORT) s.reusePort = value !== 0;
    else if (name === SO.PASSCRED) s.passCredentials = value !== 0;
  } else if (level === IPPROTO_IPV6 && name === IPV6_V6ONLY) {
    if (s.local !== undefined) return -E.EINVAL;
    s.v6Only = value !== 0;
  }
  const doubled = level === SOL_SOCKET && (name === SO.SNDBUF || name === SO.RCVBUF);
  s.options.set(`${level}:${name}`, doubled ? Math.max(2304, Math.min(value, BUFFER_LIMIT) * 2) : value);
  return 0;
}

/** The value of an option that is one int; undefined when there is no such option. */
function intOption(s: Socket, level: number, name: number): number | undefined {
  if (level === SOL_SOCKET) {
    switch (name) {
      case SO.TYPE:
        return s.type;
      case SO.DOMAIN:
        return s.domain;
      case SO.PROTOCOL:
        return s.protocol;
      case SO.ERROR:
        return s.takeError();
      case SO.ACCEPTCONN:
        return s.listening ? 1 : 0;
      case SO.SNDBUF:
      case SO.RCVBUF:
        return s.options.get(`${level}:${name}`) ?? BUFFER_LIMIT;
      case SO.RCVLOWAT:
        return 1;
    }
    return s.options.get(`${level}:${name}`) ?? (Object.values(SO).includes(name as never) ? 0 : undefined);
  }
  if (level === IPPROTO_IPV6 && name === IPV6_V6ONLY) return s.v6Only ? 1 : 0;
  if (level === IPPROTO_TCP && s.type !== SOCK_STREAM) return undefined;
  if (level === IPPROTO_TCP && name === TCP_MAXSEG) return 65483;
  if (level === IPPROTO_TCP && (name === TCP_INFO || name === TCP_CONGESTION)) return undefined;
  return s.options.get(`${level}:${name}`) ?? 0;
}

/** getsockopt(2). */
export function getOption(t: Thread): Result {
  const s = socketArg(t, 0);
  if (typeof s === "number") return s;
  const level = t.int(1), name = t.int(2), at = t.arg(3), lengthAt = t.arg(4);
  const { user } = t.process;
  const room = user.u32(lengthAt);
  if (room < 0) return -E.EFAULT;
  if ((room | 0) < 0) return -E.EINVAL;
  if (!LEVELS.includes(level) || s.domain === AF_UNIX && level !== SOL_SOCKET) return -E.EOPNOTSUPP;
  const value = optionBytes(s, level, name);
  if (value === undefined) return -E.ENOPROTOOPT;
  const part = value.subarray(0, room);
  return user.putBytes(at, part) && user.putU32(lengthAt, part.length) ? 0 : -E.EFAULT;
}

function optionBytes(s: Socket, level: number, name: number): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  const data = new DataView(bytes.buffer);
  if (level === SOL_SOCKET && (name === SO.RCVTIMEO || name === SO.SNDTIMEO)) {
    const ns = name === SO.RCVTIMEO ? s.receiveTimeout : s.sendTimeout;
    putU64(data, 0, Math.floor(ns / 1e9));
    putU64(data, 8, Math.floor(ns % 1e9 / 1e3));
    return bytes;
  }
  if (level === SOL_SOCKET && name === SO.PEERCRED) {
    const { pid, uid, gid } = s.peerCredentials;
    data.setInt32(0, pid, true);
    data.setUint32(4, uid, true);
    data.setUint32(8, gid, true);
    return bytes.subarray(0, 12);
  }
  if (level === SOL_SOCKET && name === SO.LINGER) return bytes.subarray(0, 8);
  const value = intOption(s, level, name);
  if (value === undefined) return undefined;
  data.setInt32(0, value, true);
  return bytes.subarray(0, 4);
}
