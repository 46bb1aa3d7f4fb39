import { ANY4, ANY6, isAny, isLoopback, LOOPBACK4, LOOPBACK6, unmapped } from "../linux/net/address.ts";
import { textToBytes } from "../linux/trace/text.ts";
import { type Result, WaitQueue } from "../linux/process/wait.ts";
import { E } from "./abi/errno.ts";
import { type OpenFile, PipeBuffer, whenPossible } from "./files.ts";
import type { FreeBsd } from "./personality.ts";
import type { Thread } from "./thread.ts";

/** sys/sys/socket.h. */
export const AF_UNIX = 1, AF_INET = 2, AF_INET6 = 28;
export const SOCK_STREAM = 1, SOCK_DGRAM = 2;
const S_IFSOCK = 0o140000;
/** Datagrams that wait at a receiver; more are dropped, as UDP may. */
const MAX_DATAGRAMS = 128;
const EPHEMERAL_FIRST = 49152, EPHEMERAL_LAST = 65535;

/** Internet: `host` of 4 bytes, or 16 (IPv4 is never mapped here). Unix: `name` as the program gave it, `node` what it names. */
export type SocketAddress =
  | { readonly host: readonly number[]; readonly port: number }
  | { readonly name: string; readonly node?: string };

/** Who is bound where: the loopback network of the machine's FreeBSD programs, and their Unix sockets. */
export class Sockets {
  readonly #bound = new Map<string, SocketFile[]>();
  #next = EPHEMERAL_FIRST;

  /** Gives the socket its address; port 0 = any free one. 0 or -errno. */
  bind(socket: SocketFile, address: SocketAddress): number {
    if ("name" in address) return this.#claim(socket, address) ? 0 : -E.EADDRINUSE;
    if (!isAny(address.host) && !isLoopback(address.host)) return -E.EADDRNOTAVAIL;
    if (address.port !== 0) return this.#claim(socket, address) ? 0 : -E.EADDRINUSE;
    for (let tries = EPHEMERAL_FIRST; tries <= EPHEMERAL_LAST; tries++) {
      const port = this.#next;
      this.#next = port === EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1;
      if (!this.#bound.has(key(socket.kind, { ...address, port }))) {
        return this.#claim(socket, { ...address, port }) ? 0 : -E.EADDRINUSE;
      }
    }
    return -E.EADDRNOTAVAIL;
  }

  #claim(socket: SocketFile, address: SocketAddress): boolean {
    const at = key(socket.kind, address), list = this.#bound.get(at) ?? [];
    if (list.some((other) => other.connected === undefined && other.local !== undefined && overlap(other.local, address))) {
      return false;
    }
    socket.local = address;
    this.#bound.set(at, [...list, socket]);
    return true;
  }

  /** Who answers at an address. */
  find(kind: number, address: SocketAddress): SocketFile | undefined {
    return this.#bound.get(key(kind, address))?.find(({ connected, local }) =>
      connected === undefined && local !== undefined && overlap(local, address)
    );
  }

  release(socket: SocketFile): void {
    if (socket.local === undefined) return;
    const at = key(socket.kind, socket.local), rest = (this.#bound.get(at) ?? []).filter((other) => other !== socket);
    if (rest.length === 0) this.#bound.delete(at);
    else this.#bound.set(at, rest);
  }
}

const key = (kind: number, address: SocketAddress): string =>
  "name" in address ? `unix ${kind} ${address.node}` : `${kind} ${address.port}`;

function overlap(a: SocketAddress, b: SocketAddress): boolean {
  if ("name" in a || "name" in b) return true;
  const x = unmapped(a.host), y = unmapped(b.host);
  return isAny(x) || isAny(y) || x.length === y.length && x.every((byte, i) => byte === y[i]);
}

/** A socket of AF_INET, AF_INET6 (loopback) or AF_UNIX. A connection is two pipes, one for each direction. */
export class SocketFile implements OpenFile {
  users = 1;
  offset = 0;
  readonly handle = undefined;
  readonly type = S_IFSOCK;
  readonly queue = new WaitQueue();
  local: SocketAddress | undefined;
  remote: SocketAddress | undefined;
  connected: { incoming: PipeBuffer; outgoing: PipeBuffer } | undefined;
  /** Connections that wait for accept(2); undefined = not listening. */
  backlog: SocketFile[] | undefined;
  maxBacklog = 0;
  readonly datagrams: { bytes: Uint8Array<ArrayBuffer>; from: SocketAddress | undefined }[] = [];
  /** SO_LINGER is on with a time of 0. */
  lingersNot = false;
  /** Options that are stored and given back: "level:name". */
  readonly options = new Map<string, number>();
  #received = 0;

  constructor(readonly os: FreeBsd, readonly domain: number, readonly kind: number, public flags: number) {}

  get isStream(): boolean {
    return this.kind !== SOCK_DGRAM;
  }

  get generation(): number {
    const { connected } = this;
    return this.#received + (connected === undefined ? 0 : connected.incoming.generation + connected.outgoing.generation);
  }

  /** The address of a socket without one. */
  get unnamed(): SocketAddress {
    return this.domain === AF_UNIX ? { name: "" } : { host: this.domain === AF_INET ? ANY4 : ANY6, port: 0 };
  }

  /** 0 or -errno. */
  autoBind(): number {
    return this.local !== undefined || this.domain === AF_UNIX ? 0 : this.os.sockets.bind(this, this.unnamed);
  }

  readable(): boolean {
    if (this.backlog !== undefined) return this.backlog.length > 0;
    if (!this.isStream) return this.datagrams.length > 0;
    return this.connected === undefined || this.connected.incoming.length > 0 || this.connected.incoming.writers === 0;
  }

  writable(): boolean {
    if (this.backlog !== undefined) return false;
    return this.connected === undefined || !this.connected.outgoing.full || this.connected.outgoing.readers === 0;
  }

  // ---- connections ----------------------------------------------------------------------------------------------------

  /** Makes two sockets the ends of one connection. */
  static join(a: SocketFile, b: SocketFile): void {
    const there = new PipeBuffer(a.queue, b.queue), back = new PipeBuffer(a.queue, b.queue);
    a.connected = { incoming: back, outgoing: there };
    b.connected = { incoming: there, outgoing: back };
  }

  /** Internet connections are made at once, as the other side is in the same machine. */
  connect(address: SocketAddress): number {
    if (!("name" in address) && !isAny(address.host) && !isLoopback(address.host)) return -E.ENETUNREACH;
    const bound = this.autoBind();
    if (bound < 0) return bound;
    if (!this.isStream) {
      this.#concreteLocal(this.remote = concrete(address));
      return 0;
    }
    if (this.connected !== undefined) return -E.EISCONN;
    if (this.backlog !== undefined) return -E.EOPNOTSUPP;
    const listener = this.os.sockets.find(this.kind, address);
    if (listener?.backlog === undefined || listener.backlog.length >= listener.maxBacklog) return -E.ECONNREFUSED;
    const server = new SocketFile(this.os, listener.domain, this.kind, 0);
    this.remote = server.local = concrete(address);
    this.#concreteLocal(this.remote);
    server.remote = this.local ?? this.unnamed;
    SocketFile.join(this, server);
    listener.backlog.push(server);
    listener.changed();
    this.changed();
    return 0;
  }

  /** Addresses of a connection are concrete: "any" becomes that of the other side. */
  #concreteLocal(remote: SocketAddress): void {
    if (this.local === undefined || "name" in this.local || "name" in remote || !isAny(this.local.host)) return;
    this.local = { host: remote.host, port: this.local.port };
  }

  changed(): void {
    this.#received++;
    this.queue.wakeAll();
  }

  /** SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2. */
  shutdown(how: number): number {
    if (this.connected === undefined) return -E.ENOTCONN;
    const { incoming, outgoing } = this.connected;
    if (how !== 1) incoming.readers = incoming.writers = 0;
    if (how !== 0) outgoing.writers = 0;
    incoming.changed();
    outgoing.changed();
    return 0;
  }

  // ---- data -----------------------------------------------------------------------------------------------------------

  read(t: Thread, pa: number, bytes: number): Result {
    return whenPossible(t, this, () => this.receive(pa, bytes, false).result);
  }

  /** At once: -EAGAIN when nothing is there. `from`: sender of a datagram; `bytes`: how many it had. */
  receive(pa: number, bytes: number, peek: boolean): { result: number; from?: SocketAddress; bytes?: number } {
    if (!this.isStream) {
      const packet = peek ? this.datagrams[0] : this.datagrams.shift();
      if (packet === undefined) return { result: -E.EAGAIN };
      const part = packet.bytes.subarray(0, bytes);
      this.os.u8.set(part, pa);
      return { result: part.length, from: packet.from, bytes: packet.bytes.length };
    }
    if (this.connected === undefined) return { result: -E.ENOTCONN };
    const { incoming } = this.connected;
    if (incoming.length > 0) return { result: incoming.take(this.os.u8, pa, bytes, peek) };
    if (incoming.reset) {
      incoming.reset = false;
      return { result: -E.ECONNRESET };
    }
    return { result: incoming.writers === 0 ? 0 : -E.EAGAIN };
  }

  write(t: Thread, pa: number, bytes: number): Result {
    let from = this.os.u8.subarray(pa, pa + bytes);
    const result = whenPossible(t, this, () => this.send(from, undefined));
    // Another thread may unmap the memory while this one waits.
    if (typeof result !== "number") from = from.slice();
    return result;
  }

  /** At once: -EAGAIN when there is no room. `to`: receiver of a datagram. */
  send(bytes: Uint8Array, to: SocketAddress | undefined): number {
    if (this.isStream) {
      if (this.connected === undefined) return -E.ENOTCONN;
      const { outgoing } = this.connected;
      if (outgoing.readers === 0 || outgoing.writers === 0) return -E.EPIPE;
      return bytes.length === 0 ? 0 : outgoing.put(bytes) || -E.EAGAIN;
    }
    const address = to ?? this.remote, bound = this.autoBind();
    if (address === undefined && this.peer === undefined) return -E.EDESTADDRREQ;
    if (bound < 0) return bound;
    const target = address === undefined ? this.peer : this.os.sockets.find(this.kind, address);
    if (target === undefined) return address !== undefined && "name" in address ? -E.ECONNREFUSED : bytes.length;
    const from = this.local === undefined ? undefined : concrete(this.local);
    if (target.datagrams.length < MAX_DATAGRAMS) target.datagrams.push({ bytes: Uint8Array.from(bytes), from });
    target.changed();
    return bytes.length;
  }

  /** The other one of a socketpair of datagrams. */
  peer: SocketFile | undefined;

  close(): void {
    this.os.sockets.release(this);
    for (const waiting of this.backlog ?? []) waiting.close();
    if (this.peer !== undefined) this.peer.peer = undefined;
    if (this.connected === undefined) return;
    const { incoming, outgoing } = this.connected;
    // What nobody has read, or SO_LINGER with no time, makes it a reset.
    if (this.domain !== AF_UNIX && (incoming.length > 0 || this.lingersNot)) outgoing.reset = true;
    for (const file of incoming.passed.flat()) if (--file.users === 0) file.close();
    incoming.readers = 0;
    outgoing.writers = 0;
    incoming.changed();
    outgoing.changed();
  }
}

const concrete = (address: SocketAddress): SocketAddress =>
  "name" in address || !isAny(address.host)
    ? address
    : { host: unmapped(address.host).length === 4 ? LOOPBACK4 : LOOPBACK6, port: address.port };

// ---- struct sockaddr ----------------------------------------------------------------------------------------------------

const SUN_PATH = 104;

/** -errno for what is none. The first byte, its length, is not looked at, as FreeBSD does not. */
export function decodeAddress(bytes: Uint8Array<ArrayBuffer>): SocketAddress | number {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 2) return -E.EINVAL;
  switch (bytes[1]) {
    case AF_UNIX: {
      const path = bytes.subarray(2, 2 + SUN_PATH), zero = path.indexOf(0);
      return { name: String.fromCharCode(...(zero < 0 ? path : path.subarray(0, zero))) };
    }
    case AF_INET:
      return bytes.length < 16 ? -E.EINVAL : { host: [...bytes.subarray(4, 8)], port: data.getUint16(2, false) };
    case AF_INET6:
      return bytes.length < 28 ? -E.EINVAL : { host: unmapped([...bytes.subarray(8, 24)]), port: data.getUint16(2, false) };
  }
  return -E.EAFNOSUPPORT;
}

/** In the form of a socket of `domain`: IPv4 is mapped for AF_INET6. */
export function encodeAddress(address: SocketAddress, domain: number): Uint8Array<ArrayBuffer> {
  if ("name" in address) {
    const path = textToBytes(address.name);
    return Uint8Array.of(2 + path.length + 1, AF_UNIX, ...path, 0);
  }
  const bytes = new Uint8Array(domain === AF_INET ? 16 : 28), data = new DataView(bytes.buffer);
  bytes[0] = bytes.length;
  bytes[1] = domain;
  data.setUint16(2, address.port, false);
  if (domain === AF_INET) bytes.set(address.host, 4);
  else if (address.host.length === 16) bytes.set(address.host, 8);
  else bytes.set(isAny(address.host) ? ANY6 : [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...address.host], 8);
  return bytes;
}
