/** UDP beyond the machine: sockets of the host that stand in for a program's. */
import { E } from "../abi/errno.ts";
import { AF_UNIX } from "../abi/socket.ts";
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import { type Address, inFamily, type InternetAddress, isLoopback, sameHost } from "./address.ts";
import { BUFFER_LIMIT, isDatagram, type Socket } from "./socket.ts";
import { concreteHost, Way, wayTo } from "./way.ts";
import type { HostObject } from "./uplink.ts";

const NOBODY = { pid: 0, uid: 0, gid: 0 };

/** Puts a datagram into a socket's inbox; lost when there is no room, or when the socket is connected to somebody else. */
export function deliver(socket: Socket, data: Uint8Array<ArrayBuffer>, sender: InternetAddress): void {
  const { remote } = socket, from = inFamily(sender, socket.domain);
  if (remote !== undefined && !sameEndpoint(remote, from)) return;
  if (socket.receiveShut || socket.full || socket.os.network.crowded) return;
  socket.put({ data, at: 0, from, files: undefined, credentials: NOBODY });
}

const sameEndpoint = (a: Address, b: Address): boolean =>
  a.family !== AF_UNIX && b.family !== AF_UNIX && a.port === b.port && sameHost(a.host, b.host);

/** The host's sockets of one UDP socket: one for what it sends, and one for each place where it is heard. */
class HostDatagrams implements HostObject {
  readonly #os: Personality;
  readonly #socket: Socket;
  readonly #ids: number[] = [];
  #busy = false;

  constructor(socket: Socket) {
    this.#os = socket.os;
    this.#socket = socket;
    // A program that reads makes room.
    socket.queue.add({ wake: () => this.news() });
  }

  add(id: number): void {
    this.#ids.push(id);
    this.#os.uplink.adopt(id, this);
  }

  /** 0 = all are ready, -EAGAIN, or why one is not. */
  get status(): number {
    return this.#ids.map((id) => this.#os.uplink.status(id)).reduce(
      (all, each) => all === 0 || all === -E.EAGAIN && each !== 0 ? each : all,
      0,
    );
  }

  news(): void {
    const { uplink } = this.#os, socket = this.#socket;
    if (this.#busy) return;
    this.#busy = true;
    for (const id of this.#ids) {
      while (socket.charged < BUFFER_LIMIT / 2) {
        const got = uplink.receiveFrom(id);
        if (typeof got === "number") {
          if (got !== -E.EAGAIN && got !== -E.EBADF) socket.error = -got;
          break;
        }
        deliver(socket, got.data, got.from);
      }
    }
    // Who waits to send looks again.
    socket.queue.wakeAll();
    this.#busy = false;
  }

  send(data: Uint8Array<ArrayBuffer>, to: InternetAddress): number {
    const { uplink } = this.#os;
    if (this.#ids.length === 0) {
      const id = uplink.open(this.#socket.domain);
      if (id < 0) return id;
      this.add(id);
    }
    return uplink.sendTo(this.#ids[0], data, to);
  }

  close(): void {
    for (const id of this.#ids.splice(0)) this.#os.uplink.close(id);
  }
}

const outsideOf = (s: Socket): HostDatagrams => {
  if (s.outside instanceof HostDatagrams) return s.outside;
  const made = new HostDatagrams(s);
  s.outside = made;
  return made;
};

/** A UDP socket has been bound: it is heard outside as far as that is granted. 0, -errno, or -EAGAIN while the host is not ready (`heard`). */
export function hearOutside(s: Socket): number {
  if (!s.os.uplink.exists || s.local === undefined || s.local.family === AF_UNIX || !isDatagram(s)) return 0;
  const ids = s.os.uplink.listen(s.local, true);
  if (typeof ids === "number") return ids;
  for (const id of ids) outsideOf(s).add(id);
  return heard(s);
}

/** The same, later. */
export const heard = (s: Socket): number => s.outside instanceof HostDatagrams ? s.outside.status : 0;

/** Sends a datagram to somebody who is not in this machine: bytes, or -errno; undefined when the address is of the machine itself. */
export function sendOutside(t: Thread, s: Socket, data: Uint8Array<ArrayBuffer>, to: Address): number | undefined {
  if (to.family === AF_UNIX || !isDatagram(s)) return undefined;
  const way = wayTo(t, s, to, s.outside !== undefined);
  if (way === Way.Inside) return undefined;
  if (way < 0) return way;
  if (to.port === 0) return -E.EINVAL;
  const bound = s.autoBind();
  if (bound < 0) return bound;
  if (way === Way.Resolver) {
    t.os.resolver.query(t, s, data, to);
    return data.length;
  }
  const sent = outsideOf(s).send(data, to);
  if (sent !== -E.EACCES) return sent;
  return isLoopback(concreteHost(to.host)) ? undefined : t.os.refusals.unreachable(t, to);
}

/** A connected UDP socket names its receiver anew each time. Bytes, or -errno. */
export function sendToRemote(t: Thread, s: Socket, data: Uint8Array<ArrayBuffer>, remote: InternetAddress): number {
  if (s.error !== 0) return -s.takeError();
  const sent = s.sendShut ? undefined : sendOutside(t, s, data, remote);
  if (sent !== undefined) return sent;
  const found = t.os.network.find(s.type, concreteHost(remote.host), remote.port, () => true);
  if (found !== undefined) return s.send(t, data, found, undefined, true);
  // The refusal (ICMP) is told at the next call.
  s.error = E.ECONNREFUSED;
  return data.length;
}
