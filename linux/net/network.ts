import { E } from "../abi/errno.ts";
import { AF_INET6, AF_UNIX, SOCK_STREAM } from "../abi/socket.ts";
import { type Address, isAny, sameHost, unmapped } from "./address.ts";
import type { OpenFile } from "../files/open_file.ts";
import type { Thread } from "../process/thread.ts";
import type { Packet } from "./packet.ts";
import type { Socket } from "./socket.ts";

/** net.ipv4.ip_local_port_range. */
const EPHEMERAL_FIRST = 32768, EPHEMERAL_LAST = 60999;

/** Who is bound where: the loopback network of one machine, and the names of Unix sockets. */
export class Network {
  /** Bound internet sockets, by "tcp:port" or "udp:port". */
  readonly #ports = new Map<string, Socket[]>();
  /** Unix sockets: "\0name" for abstract ones, "device:inode" for files. */
  readonly #unix = new Map<string, Socket>();
  #nextPort = EPHEMERAL_FIRST;
  /** What all inboxes of the machine count as, bytes. */
  queued = 0;
  /** Descriptors of messages that nobody takes, which are being closed one by one. */
  #dropped: OpenFile[] | undefined;

  /** `limit`: bytes that may wait in all inboxes together. */
  constructor(private readonly limit: number) {}

  /** Is there no memory for what is sent? */
  get crowded(): boolean {
    return this.queued >= this.limit;
  }

  #key(socket: Socket, port: number): string {
    return `${socket.type === SOCK_STREAM ? "tcp" : "udp"}:${port}`;
  }

  /** Binds an internet socket; port 0 takes a free one. The bound port, or -EADDRINUSE. */
  bindPort(socket: Socket, host: readonly number[], port: number): number {
    if (port !== 0) return this.#claim(socket, host, port) ? port : -E.EADDRINUSE;
    for (let tries = EPHEMERAL_LAST - EPHEMERAL_FIRST; tries >= 0; tries--) {
      const candidate = this.#nextPort;
      this.#nextPort = candidate === EPHEMERAL_LAST ? EPHEMERAL_FIRST : candidate + 1;
      if (!this.#ports.has(this.#key(socket, candidate))) return this.#claim(socket, host, candidate) ? candidate : -E.EADDRINUSE;
    }
    return -E.EADDRINUSE;
  }

  #claim(socket: Socket, host: readonly number[], port: number): boolean {
    const key = this.#key(socket, port);
    const list = this.#ports.get(key) ?? [];
    for (const other of list) {
      if (!overlaps(host, other.boundHost) || other.closedForBind) continue;
      const bothReuse = socket.reusePort && other.reusePort || socket.reuseAddress && other.reuseAddress && !other.listening;
      // A v6-only socket leaves the IPv4 side free.
      const apart = (socket.v6Only && other.domain !== AF_INET6) || (other.v6Only && socket.domain !== AF_INET6);
      if (!bothReuse && !apart) return false;
    }
    this.#ports.set(key, [...list, socket]);
    return true;
  }

  /** The socket that answers at `host`:`port`. Exact addresses win over "any". */
  find(type: number, host: readonly number[], port: number, select: (socket: Socket) => boolean): Socket | undefined {
    const list = this.#ports.get(`${type === SOCK_STREAM ? "tcp" : "udp"}:${port}`)?.filter(select) ?? [];
    const exact = list.find((socket) => !isAny(socket.boundHost) && sameHost(socket.boundHost, host));
    return exact ?? list.find((socket) => isAny(socket.boundHost) && reaches(socket, host));
  }

  /** Closes the descriptors in a message that nobody takes. One may be a socket with messages of its own, and so on, as deep as a program likes. */
  dropFiles(t: Thread | undefined, packet: Packet): void {
    const { files } = packet;
    packet.files = undefined;
    if (files === undefined) return;
    if (this.#dropped !== undefined) return void this.#dropped.push(...files);
    const dropped = this.#dropped = [...files];
    try {
      for (let file = dropped.pop(); file !== undefined; file = dropped.pop()) file.close(t);
    } finally {
      this.#dropped = undefined;
    }
  }

  release(socket: Socket, port: number): void {
    const key = this.#key(socket, port);
    const rest = this.#ports.get(key)?.filter((other) => other !== socket) ?? [];
    if (rest.length === 0) this.#ports.delete(key);
    else this.#ports.set(key, rest);
  }

  bindUnix(socket: Socket, key: string): boolean {
    if (this.#unix.has(key)) return false;
    this.#unix.set(key, socket);
    return true;
  }

  findUnix(key: string): Socket | undefined {
    return this.#unix.get(key);
  }

  releaseUnix(key: string, socket: Socket): void {
    if (this.#unix.get(key) === socket) this.#unix.delete(key);
  }

  /** A name for autobind. */
  freeAbstractName(): string {
    for (let i = 0;; i++) {
      const name = `\0${i.toString(16).padStart(5, "0")}`;
      if (!this.#unix.has(name)) return name;
    }
  }
}

const overlaps = (a: readonly number[], b: readonly number[]): boolean => isAny(a) || isAny(b) || sameHost(a, b);

/** Does a socket bound to "any" hear connections to this host? */
function reaches(socket: Socket, host: readonly number[]): boolean {
  const v4 = unmapped(host).length === 4;
  return v4 ? socket.domain !== AF_INET6 || !socket.v6Only : socket.domain === AF_INET6;
}

export const isUnix = (address: Address): address is Extract<Address, { family: typeof AF_UNIX }> => address.family === AF_UNIX;
