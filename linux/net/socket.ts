import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { O_NONBLOCK, O_RDWR, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, S_IFSOCK } from "../abi/fcntl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import { AF_INET, AF_INET6, AF_UNIX, SHUT_RD, SHUT_WR, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "../abi/socket.ts";
import { fillStat, OpenFile } from "../files/open_file.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { SIG } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { type Address, ANY4, ANY6, inFamily, isAny, LOOPBACK4, LOOPBACK6 } from "./address.ts";

import { sendToRemote } from "./datagrams.ts";
import { appended, type Packet, type PeerCredentials, PIECE_BYTES, truesize } from "./packet.ts";

/** What may wait at a receiver before its sender has to wait: net.core.wmem_default. */
export const BUFFER_LIMIT = 212_992;

export const enum State {
  Fresh,
  Listening,
  /** To the host's network; `outside` brings the end of it. */
  Connecting,
  Connected,
  /** The connection is over: the peer was closed. */
  Disconnected,
}

/** A socket: AF_UNIX, or AF_INET(6) on the machine's loopback; what of it leads out of the machine stands behind `outside`. */
export class Socket extends OpenFile {
  readonly os: Personality;
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
  readonly ino: number;
  state = State.Fresh;
  local: Address | undefined;
  /** Registered name of a bound Unix socket. */
  unixKey = "";
  boundPort = 0;
  remote: Address | undefined;
  peer: Socket | undefined;
  /** What the host has open for it; goes when the socket is closed. */
  outside: { close(): void } | undefined;
  /** Received, not yet read. */
  readonly inbox: Packet[] = [];
  inboxBytes = 0;
  /** What the inbox counts as: of TCP the bytes, which share buffers, else those and what each packet costs. */
  charged = 0;
  /** Connections that wait for accept(). */
  readonly pending: Socket[] = [];
  backlog = 0;
  receiveShut = false;
  sendShut = false;
  /** SO_ERROR: told once. */
  error = 0;
  reuseAddress = false;
  reusePort = false;
  v6Only = false;
  passCredentials = false;
  /** ns, 0 = for ever. */
  receiveTimeout = 0;
  sendTimeout = 0;
  /** Options that are stored and given back: "level:name". */
  readonly options = new Map<string, number>();
  peerCredentials: PeerCredentials = { pid: 0, uid: 0xffff_ffff, gid: 0xffff_ffff };

  constructor(os: Personality, domain: number, type: number, protocol: number, flags: number) {
    super(O_RDWR | flags & O_NONBLOCK);
    this.os = os;
    this.domain = domain;
    this.type = type;
    this.protocol = protocol;
    this.ino = os.nextInode();
  }

  override get path(): string {
    return `socket:[${this.ino}]`;
  }

  /** Keeps message borders. */
  get messages(): boolean {
    return this.type !== SOCK_STREAM;
  }

  get connectionOriented(): boolean {
    return this.type === SOCK_STREAM || this.type === SOCK_SEQPACKET;
  }

  get #sharesBuffers(): boolean {
    return this.domain !== AF_UNIX && !this.messages;
  }

  /** Must senders wait? */
  get full(): boolean {
    return this.charged >= BUFFER_LIMIT;
  }

  get listening(): boolean {
    return this.state === State.Listening;
  }

  /** A connected socket does not stand in the way of a bind to its port with SO_REUSEADDR. */
  get closedForBind(): boolean {
    return this.reuseAddress && (this.state === State.Connected || this.state === State.Disconnected) &&
      this.type === SOCK_STREAM;
  }

  get boundHost(): readonly number[] {
    return this.local === undefined || this.local.family === AF_UNIX ? ANY4 : this.local.host;
  }

  override stat(_t: Thread, out: FsStat): number {
    return fillStat(out, S_IFSOCK | 0o777, this.ino);
  }

  override poll(): number {
    if (this.listening) return this.pending.length > 0 ? POLLIN : 0;
    if (this.state === State.Connecting) return 0;
    let events = 0;
    const over = this.state === State.Disconnected;
    if (this.inbox.length > 0 || this.receiveShut || over && this.connectionOriented) events |= POLLIN;
    if (this.connectionOriented) {
      if (this.state === State.Fresh) events |= POLLOUT | POLLHUP;
      else if (over || this.sendShut || this.peer !== undefined && !this.peer.full) events |= POLLOUT;
      if (this.receiveShut || over) events |= POLLRDHUP;
      if (over || this.receiveShut && this.sendShut) events |= POLLHUP;
    } else if (this.peer === undefined || !this.peer.full) events |= POLLOUT;
    if (this.error !== 0) events |= POLLERR | POLLIN;
    return events;
  }

  // ---- receiving ------------------------------------------------------------------------------------------------------

  /** The error that was left for the next call, told once. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  /** Why nothing can be received, 0 = end of the stream; undefined when there is something. */
  receiveStatus(): number | undefined {
    if (this.inbox.length > 0) return undefined;
    if (this.error !== 0) return -this.takeError();
    if (this.receiveShut) return 0;
    if (!this.connectionOriented) return -E.EAGAIN;
    if (this.state === State.Disconnected) return 0;
    return this.state === State.Connected || this.state === State.Connecting
      ? -E.EAGAIN
      : this.domain === AF_UNIX
      ? -E.EINVAL
      : -E.ENOTCONN;
  }

  override readTo(t: Thread, pa: number, bytes: number): number {
    const status = this.receiveStatus();
    if (status !== undefined) return status;
    if (this.messages) {
      const packet = this.takePacket();
      const part = packet.data.subarray(0, bytes);
      t.os.u8.set(part, pa);
      this.os.network.dropFiles(t, packet);
      return part.length;
    }
    return this.takeStream(bytes, false, (part, done) => t.os.u8.set(part, pa + done));
  }

  /** Removes and returns the first packet. Preconditions: there is one. */
  takePacket(): Packet {
    const packet = this.inbox.shift() as Packet;
    this.#freed(
      packet.data.length - packet.at,
      this.#sharesBuffers ? packet.data.length - packet.at : truesize(packet.data.length),
    );
    return packet;
  }

  #account(bytes: number, charge: number): void {
    this.inboxBytes += bytes;
    this.charged += charge;
    this.os.network.queued += charge;
  }
  #freed(bytes: number, charge: number): void {
    this.#account(-bytes, -charge);
    this.peer?.queue.wakeAll();
    this.queue.wakeAll();
  }

  /** Hands out up to `bytes` of the stream. Stops before a piece with descriptors once something was given. */
  takeStream(bytes: number, peek: boolean, put: (part: Uint8Array<ArrayBuffer>, done: number) => void): number {
    let done = 0, charge = 0;
    let i = 0;
    while (done < bytes && i < this.inbox.length) {
      const packet = this.inbox[i];
      if (done > 0 && packet.files !== undefined) break;
      const part = packet.data.subarray(packet.at, packet.at + bytes - done);
      put(part, done);
      done += part.length;
      if (peek) {
        i++;
        continue;
      }
      packet.at += part.length;
      if (packet.at < packet.data.length) continue;
      this.inbox.shift();
      charge += truesize(packet.data.length);
    }
    if (!peek) this.#freed(done, this.#sharesBuffers ? done : charge);
    return done;
  }

  // ---- sending --------------------------------------------------------------------------------------------------------

  override writeFrom(t: Thread, pa: number, bytes: number): number {
    return this.send(t, t.os.u8.slice(pa, pa + bytes), undefined, undefined, true);
  }

  /** Puts a packet into the inbox. */
  put(packet: Packet): void {
    const { data } = packet, last = this.#sharesBuffers ? this.inbox.at(-1) : undefined;
    if (last === undefined || !appended(last, data)) this.inbox.push(packet);
    this.#account(data.length, this.#sharesBuffers ? data.length : truesize(data.length));
    this.queue.wakeAll();
  }

  /** Sends to the peer, or to `to`. Bytes taken, or -errno; -EAGAIN when the receiver is full. */
  send(t: Thread, data: Uint8Array<ArrayBuffer>, to: Socket | undefined, files: OpenFile[] | undefined, signal: boolean): number {
    if (this.error !== 0) return -this.takeError();
    const target = to ?? this.peer;
    if (this.sendShut || this.connectionOriented && (this.state === State.Disconnected || target?.receiveShut)) {
      return this.#broken(t, signal);
    }
    if (target === undefined) {
      if (this.state === State.Disconnected) return -E.ECONNREFUSED;
      if (this.state === State.Connecting) return -E.EAGAIN;
      return this.connectionOriented ? -E.ENOTCONN : this.remote === undefined ? -E.EDESTADDRREQ : -E.ECONNREFUSED;
    }
    if (this.messages && data.length > BUFFER_LIMIT) return -E.EMSGSIZE;
    if (target.receiveShut) return this.#broken(t, signal);
    if (data.length === 0 && !this.messages) return 0;
    if (target.full) return -E.EAGAIN;
    if (t.os.network.crowded) return -E.ENOBUFS;
    const { process: { pid }, credentials: { euid, egid } } = t, from = inFamily(this.local ?? this.unnamed(), target.domain);
    const packet = (part: Uint8Array<ArrayBuffer>, sent: number): Packet => ({
      data: part.length === data.length ? data : part.slice(),
      at: 0,
      from,
      files: sent === 0 ? files : undefined,
      credentials: { pid, uid: euid, gid: egid },
    });
    let sent = 0;
    do {
      const piece = this.messages ? data.length : Math.min(data.length - sent, target.#room);
      target.put(packet(data.subarray(sent, sent + piece), sent));
      sent += piece;
    } while (sent < data.length && !target.full);
    return sent;
  }
  /** Bytes that the next buffer of a stream takes. Preconditions: not full. */
  get #room(): number {
    return this.#sharesBuffers ? BUFFER_LIMIT - this.charged : PIECE_BYTES;
  }

  #broken(t: Thread, signal: boolean): number {
    if (signal && this.type === SOCK_STREAM) {
      t.os.signals.sendToThread(t, sigInfo(SIG.PIPE, 0, t.process.pid, t.credentials.ruid));
    }
    return -E.EPIPE;
  }

  /** The address of a socket without one. */
  unnamed(): Address {
    if (this.domain === AF_UNIX) return { family: AF_UNIX, name: "" };
    return this.domain === AF_INET ? { family: AF_INET, host: ANY4, port: 0 } : { family: AF_INET6, host: ANY6, port: 0 };
  }

  // ---- connections ----------------------------------------------------------------------------------------------------

  /** Binds an internet socket that has no port yet. 0 or -errno. */
  autoBind(): number {
    if (this.local !== undefined || this.domain === AF_UNIX) return 0;
    const host = this.domain === AF_INET ? ANY4 : ANY6;
    const port = this.os.network.bindPort(this, host, 0);
    if (port < 0) return -E.EADDRNOTAVAIL;
    this.boundPort = port;
    this.local = { family: this.domain === AF_INET ? AF_INET : AF_INET6, host, port };
    return 0;
  }

  /** Connects to a listener with room in its backlog: makes the server's end. */
  attachTo(t: Thread, listener: Socket): void {
    const server = new Socket(this.os, listener.domain, listener.type, listener.protocol, 0);
    const { process: { pid }, credentials: { euid, egid } } = t;
    server.peerCredentials = { pid, uid: euid, gid: egid };
    server.local = listener.local;
    this.peerCredentials = listener.peerCredentials;
    // Addresses of a connection are concrete: "any" becomes loopback.
    if (this.local !== undefined && this.local.family !== AF_UNIX && isAny(this.local.host)) {
      this.local = { ...this.local, host: this.local.family === AF_INET ? LOOPBACK4 : LOOPBACK6 };
    }
    if (this.remote !== undefined && this.remote.family !== AF_UNIX) server.local = inFamily(this.remote, server.domain);
    server.remote = inFamily(this.local ?? this.unnamed(), server.domain);
    join(this, server);
    listener.pending.push(server);
    listener.queue.wakeAll();
  }

  shutdown(how: number): number {
    if (this.connectionOriented && this.state !== State.Connected) {
      if (this.listening) {
        this.receiveShut = true;
        this.queue.wakeAll();
        return 0;
      }
      if (this.state !== State.Disconnected) return -E.ENOTCONN;
    }
    if (!this.connectionOriented && this.peer === undefined && this.remote === undefined && this.domain !== AF_UNIX) {
      return -E.ENOTCONN;
    }
    if (how !== SHUT_WR) this.receiveShut = true;
    if (how !== SHUT_RD) {
      this.sendShut = true;
      if (this.connectionOriented && this.peer !== undefined) this.peer.receiveShut = true;
    }
    this.queue.wakeAll();
    this.peer?.queue.wakeAll();
    return 0;
  }

  override ioctl(t: Thread, request: number, argument: number): Result {
    if (request === IOCTL.FIONREAD) {
      const bytes = this.messages ? this.inbox[0]?.data.length ?? 0 : this.inboxBytes;
      return t.process.user.putU32(argument, bytes) ? 0 : -E.EFAULT;
    }
    if (request === IOCTL.TIOCOUTQ) return t.process.user.putU32(argument, this.peer?.inboxBytes ?? 0) ? 0 : -E.EFAULT;
    return -E.ENOTTY;
  }

  // Messages must not be torn at the borders of memory extents.

  override tryRead(t: Thread, va: number, bytes: number, offset: number): number {
    if (!this.messages) return super.tryRead(t, va, bytes, offset);
    const status = this.receiveStatus();
    if (status !== undefined) return status;
    const packet = this.takePacket();
    this.os.network.dropFiles(t, packet);
    const part = packet.data.subarray(0, bytes);
    return t.process.user.putBytes(va, part) ? part.length : -E.EFAULT;
  }

  override tryWrite(t: Thread, va: number, bytes: number, offset: number): number {
    if (!this.messages) return super.tryWrite(t, va, bytes, offset);
    const data = t.process.user.bytes(va, bytes);
    if (data === undefined) return -E.EFAULT;
    if (isDatagram(this) && this.remote !== undefined && this.remote.family !== AF_UNIX) {
      return sendToRemote(t, this, data, this.remote);
    }
    return this.send(t, data, undefined, undefined, true);
  }

  protected override closed(t: Thread | undefined): void {
    const { os, peer } = this;
    this.outside?.close();
    if (this.boundPort !== 0) os.network.release(this, this.boundPort);
    if (this.unixKey !== "") os.network.releaseUnix(this.unixKey, this);
    for (const waiting of this.pending) waiting.close(t);
    for (const packet of this.inbox) os.network.dropFiles(t, packet);
    os.network.queued -= this.charged;
    this.charged = 0;
    if (peer === undefined) return;
    if (this.connectionOriented) {
      // Unread data at the end resets a TCP connection.
      if (this.inbox.length > 0) peer.error = E.ECONNRESET;
      peer.state = State.Disconnected;
      peer.peer = undefined;
    } else if (peer.peer === this) {
      peer.peer = undefined;
    }
    this.peer = undefined;
    peer.queue.wakeAll();
  }
}

/** Makes two sockets each other's peers. */
export function join(a: Socket, b: Socket): void {
  a.peer = b;
  b.peer = a;
  a.state = b.state = State.Connected;
}

export const isDatagram = (socket: Socket): boolean => socket.type === SOCK_DGRAM;
