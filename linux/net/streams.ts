/** TCP beyond the machine. */
import { E } from "../abi/errno.ts";
import { AF_UNIX, SOCK_STREAM } from "../abi/socket.ts";
import type { Thread } from "../process/thread.ts";
import { inFamily, type InternetAddress } from "./address.ts";
import { join, Socket, State } from "./socket.ts";
import type { HostObject } from "./uplink.ts";

/**
 * The far end of a connection to the host: a socket of this machine like any other, whose owner is no program but this class. What the
 * program sends lands in the inbox here and goes on to the host; what the host has goes into the program's inbox. Both are bounded, so
 * that either side waits for the other.
 */
class FarEnd extends Socket implements HostObject {
  readonly #id: number;
  readonly #near: Socket;
  #moving = false;
  #shutTold = false;
  #ended = false;

  constructor(near: Socket, id: number) {
    super(near.os, near.domain, near.type, near.protocol, 0);
    this.#id = id;
    this.#near = near;
    this.local = near.remote;
    join(near, this);
    this.os.uplink.adopt(id, this);
    // Whoever sends, reads, shuts down or closes at the near end wakes this queue.
    this.queue.add({ wake: () => this.news() });
  }

  news(): void {
    if (this.#moving || this.#ended) return;
    this.#moving = true;
    this.#out();
    if (!this.#ended) this.#in();
    this.#moving = false;
  }

  #out(): void {
    const { uplink } = this.os, over = this.state === State.Disconnected;
    while (this.inboxBytes > 0) {
      let sent = 0;
      this.takeStream(this.inbox[0].data.length - this.inbox[0].at, true, (part) => sent = uplink.send(this.#id, part, over));
      if (sent <= 0) {
        if (sent !== -E.EAGAIN) this.#broken(E.EPIPE === -sent ? E.ECONNRESET : -sent);
        return;
      }
      this.takeStream(sent, false, () => {});
    }
    if (over) return this.#finish();
    if (this.receiveShut && !this.#shutTold) {
      this.#shutTold = true;
      uplink.shutdown(this.#id);
    }
  }

  #in(): void {
    const near = this.#near;
    while (!near.receiveShut && !near.full) {
      const got = this.os.uplink.receive(this.#id);
      if (got === -E.EAGAIN) return;
      if (typeof got === "number") return this.#broken(-got);
      if (got.length === 0) near.receiveShut = true;
      else near.put({ data: got, at: 0, from: undefined, files: undefined, credentials: this.peerCredentials });
      near.queue.wakeAll();
    }
  }

  /** The host's connection has failed. */
  #broken(error: number): void {
    const near = this.#near;
    if (near.peer === this) {
      near.error = error;
      near.state = State.Disconnected;
      near.peer = undefined;
    }
    this.#finish();
    near.queue.wakeAll();
  }

  #finish(): void {
    this.#ended = true;
    this.peer = undefined;
    this.os.uplink.close(this.#id);
  }
}

/** Begins to connect `s` to an address of the host's network: -EINPROGRESS, or why not. */
export function connectOutside(s: Socket, to: InternetAddress): number {
  const { uplink } = s.os, id = uplink.connect(to);
  if (id < 0) return id;
  s.state = State.Connecting;
  s.outside = { close: () => uplink.close(id) };
  uplink.adopt(id, {
    news: () => {
      const status = uplink.status(id);
      if (status === -E.EAGAIN) return;
      s.outside = undefined;
      if (status < 0) {
        uplink.close(id);
        s.state = State.Fresh;
        s.remote = undefined;
        s.error = -status;
      } else established(s, id);
      s.queue.wakeAll();
    },
  });
  return -E.EINPROGRESS;
}

function established(s: Socket, id: number): void {
  const local = s.os.uplink.endpoint(id, false), remote = s.os.uplink.endpoint(id, true);
  if (local !== undefined) s.local = inFamily(local, s.domain);
  if (remote !== undefined) s.remote = inFamily(remote, s.domain);
  new FarEnd(s, id).news();
}

/** `s` listens: it does so on the host as well, wherever that is granted. 0 or -errno. */
export function listenOutside(t: Thread, s: Socket): number {
  const { uplink } = s.os;
  if (s.type !== SOCK_STREAM || s.local === undefined || s.local.family === AF_UNIX || s.outside !== undefined) return 0;
  const ids = uplink.exists ? uplink.listen(s.local, false) : [];
  if (typeof ids === "number") return ids;
  if (ids.length === 0) t.os.refusals.unheard(t, s.local);
  else s.outside = new HostListener(s, ids);
  return 0;
}

class HostListener implements HostObject {
  readonly #socket: Socket;
  readonly #ids: number[];
  #accepting = false;

  constructor(socket: Socket, ids: number[]) {
    this.#socket = socket;
    this.#ids = ids;
    for (const id of ids) socket.os.uplink.adopt(id, this);
    // A program that accepts makes room in the backlog.
    socket.queue.add({ wake: () => this.news() });
  }

  news(): void {
    const s = this.#socket, { uplink } = s.os;
    if (this.#accepting) return;
    this.#accepting = true;
    for (const listener of this.#ids) {
      while (s.pending.length <= s.backlog && !s.receiveShut) {
        const id = uplink.accept(listener);
        if (id < 0) break;
        const server = new Socket(s.os, s.domain, s.type, s.protocol, 0);
        established(server, id);
        s.pending.push(server);
        s.queue.wakeAll();
      }
    }
    this.#accepting = false;
  }

  close(): void {
    for (const id of this.#ids.splice(0)) this.#socket.os.uplink.close(id);
  }
}
