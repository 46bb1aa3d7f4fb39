/** TCP connections and listeners of the host, each with a bounded buffer in both directions. */
import type { HostEndpoint } from "./api.ts";
import { attempt, errnoOf } from "./deno_errors.ts";
import { EAGAIN, ENOTCONN, EPIPE } from "./errno.ts";

/** Bytes read ahead of the guest at most. */
const AHEAD = 64 << 10;
/** Bytes that wait to be sent at most. */
const BEHIND = 256 << 10;

const endpointOf = (address: Deno.Addr): HostEndpoint | number =>
  address.transport === "tcp" ? { host: address.hostname, port: address.port } : -ENOTCONN;

export class TcpConnection {
  #conn: Deno.TcpConn | undefined;
  /** Why it failed; 0 = it has not. */
  #error = 0;
  readonly #buffer = new Uint8Array(AHEAD);
  /** What of `#buffer` is not taken yet. */
  #from = 0;
  #to = 0;
  #reading = false;
  #ended = false;
  readonly #queue: Uint8Array[] = [];
  #unsent = 0;
  #writing = false;
  /** The guest was told that there is no room. */
  #wanted = false;
  #shut = false;
  #closing = false;
  #isClosed = false;
  onClosed: (() => void) | undefined;
  readonly closed: Promise<void>;
  #resolveClosed: () => void = () => {};

  constructor(conn: Deno.TcpConn | Promise<Deno.TcpConn>, readonly news: () => void) {
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    if (conn instanceof Promise) {
      conn.then((made) => this.#connected(made), (error) => {
        this.#error = errnoOf(error);
        this.news();
      });
    } else this.#connected(conn);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get unsent(): number {
    return this.#unsent;
  }

  get status(): number {
    return this.#error !== 0 ? this.#error : this.#conn === undefined ? -EAGAIN : 0;
  }

  endpoint(remote: boolean): HostEndpoint | number {
    const conn = this.#conn;
    if (conn === undefined) return -ENOTCONN;
    const address = attempt(() => remote ? conn.remoteAddr : conn.localAddr);
    return typeof address === "number" ? address : endpointOf(address);
  }

  #connected(conn: Deno.TcpConn): void {
    if (this.#isClosed) return void attempt(() => conn.close());
    this.#conn = conn;
    // Small messages have waited for each other in the guest already.
    attempt(() => conn.setNoDelay(true));
    this.#readAhead();
    this.news();
  }

  receive(into: Uint8Array): number {
    const count = Math.min(into.length, this.#to - this.#from);
    if (count > 0) {
      into.set(this.#buffer.subarray(this.#from, this.#from + count));
      this.#from += count;
      this.#readAhead();
      return count;
    }
    if (this.#error !== 0) return this.#error;
    return this.#ended ? 0 : -EAGAIN;
  }

  #readAhead(): void {
    const conn = this.#conn;
    if (conn === undefined || this.#reading || this.#ended || this.#closing || this.#from < this.#to || this.#error !== 0) return;
    this.#reading = true;
    conn.read(this.#buffer).then((count) => {
      this.#reading = false;
      this.#from = 0;
      this.#to = count ?? 0;
      if (count === null) this.#ended = true;
      this.news();
    }, (error) => {
      this.#reading = false;
      if (this.#closing) return;
      this.#error = errnoOf(error);
      this.news();
    });
  }

  send(from: Uint8Array, last: boolean): number {
    if (this.#error !== 0) return this.#error;
    if (this.#shut || this.#closing) return -EPIPE;
    const count = last ? from.length : Math.min(from.length, BEHIND - this.#unsent);
    if (count <= 0 && from.length > 0) {
      this.#wanted = true;
      return -EAGAIN;
    }
    this.#wanted = count < from.length;
    this.#queue.push(from.slice(0, count));
    this.#unsent += count;
    if (!this.#writing) this.#writeOn();
    return count;
  }

  async #writeOn(): Promise<void> {
    this.#writing = true;
    try {
      for (let chunk = this.#queue.shift(); chunk !== undefined; chunk = this.#queue.shift()) {
        for (let at = 0; at < chunk.length;) {
          const count = await this.#conn?.write(chunk.subarray(at)) ?? chunk.length;
          at += count;
          this.#unsent -= count;
          if (this.#wanted && this.#unsent <= BEHIND / 2) {
            this.#wanted = false;
            this.news();
          }
        }
      }
      if (this.#shut && !this.#closing) await this.#conn?.closeWrite();
    } catch (error) {
      this.#queue.length = this.#unsent = 0;
      if (this.#error === 0 && !this.#isClosed) {
        this.#error = errnoOf(error);
        this.news();
      }
    }
    this.#writing = false;
    // Something may have come while the last await was going on.
    if (this.#queue.length > 0) return this.#writeOn();
    if (this.#closing) this.abort();
  }

  shutdown(): void {
    if (this.#shut) return;
    this.#shut = true;
    if (!this.#writing && this.#error === 0) this.#writeOn();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (!this.#writing) this.abort();
  }

  /** Closes without sending what is left. */
  abort(): void {
    if (this.#isClosed) return;
    this.#isClosed = this.#closing = true;
    this.#queue.length = this.#unsent = 0;
    const conn = this.#conn;
    if (conn !== undefined) attempt(() => conn.close());
    this.onClosed?.();
    this.#resolveClosed();
  }
}

export class TcpListener {
  #waiting: Deno.TcpConn | undefined;
  #accepting = false;
  #closed = false;
  #error = 0;
  readonly status = 0;

  constructor(readonly listener: Deno.TcpListener, readonly news: () => void) {
    this.#acceptNext();
  }

  /** The connection that has been waiting, or -errno. */
  take(): Deno.TcpConn | number {
    const conn = this.#waiting;
    this.#waiting = undefined;
    this.#acceptNext();
    if (conn !== undefined) return conn;
    const error = this.#error;
    this.#error = 0;
    return error !== 0 ? error : -EAGAIN;
  }

  endpoint(remote: boolean): HostEndpoint | number {
    return remote ? -ENOTCONN : endpointOf(this.listener.addr);
  }

  /** One is taken ahead; more wait in the backlog of the host's kernel. */
  #acceptNext(): void {
    if (this.#accepting || this.#closed || this.#waiting !== undefined) return;
    this.#accepting = true;
    this.listener.accept().then((conn) => {
      this.#accepting = false;
      if (this.#closed) return conn.close();
      this.#waiting = conn;
      this.news();
    }, (error) => {
      this.#accepting = false;
      if (this.#closed) return;
      this.#error = errnoOf(error);
      this.news();
    });
  }

  close(): void {
    this.#closed = true;
    attempt(() => this.listener.close());
    const conn = this.#waiting;
    if (conn !== undefined) attempt(() => conn.close());
  }
}
