/** UDP sockets of the host. */
import { createSocket, type Socket } from "node:dgram";
import type { HostEndpoint } from "./api.ts";
import { errnoOf } from "./deno_errors.ts";
import { EAGAIN, ENOTCONN } from "./errno.ts";

/** What waits beyond that is dropped, as UDP may be. */
const MAX_WAITING_BYTES = 256 << 10;

export class UdpSocket {
  readonly #socket: Socket;
  readonly #waiting: { data: Uint8Array; from: HostEndpoint }[] = [];
  #waitingBytes = 0;
  /** Bytes that the host has not taken yet. */
  #unsent = 0;
  #bound = false;
  #error = 0;
  #closing = false;
  #isClosed = false;
  onClosed: (() => void) | undefined;
  readonly closed: Promise<void>;
  #resolveClosed: () => void = () => {};

  constructor(at: HostEndpoint, readonly news: () => void) {
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#socket = createSocket({ type: at.host.includes(":") ? "udp6" : "udp4" });
    this.#socket.on("message", (data: Uint8Array, from) => {
      if (this.#waitingBytes + data.length > MAX_WAITING_BYTES) return;
      this.#waiting.push({ data, from: { host: from.address, port: from.port } });
      this.#waitingBytes += data.length;
      this.news();
    });
    this.#socket.on("error", (error) => {
      this.#error = errnoOf(error);
      this.news();
    });
    this.#socket.bind({ port: at.port, address: at.host }, () => {
      this.#bound = true;
      this.news();
    });
  }

  get status(): number {
    return this.#error !== 0 ? this.#error : this.#bound ? 0 : -EAGAIN;
  }

  endpoint(remote: boolean): HostEndpoint | number {
    if (remote || !this.#bound) return -ENOTCONN;
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  receive(into: Uint8Array): { bytes: number; from: HostEndpoint } | number {
    const message = this.#waiting.shift();
    if (message === undefined) return this.#takeError();
    this.#waitingBytes -= message.data.length;
    const part = message.data.subarray(0, into.length);
    into.set(part);
    return { bytes: part.length, from: message.from };
  }

  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error !== 0 ? error : -EAGAIN;
  }

  send(from: Uint8Array, to: HostEndpoint): number {
    if (this.#unsent + from.length > MAX_WAITING_BYTES) return -EAGAIN;
    const full = this.#unsent + from.length > MAX_WAITING_BYTES / 2;
    this.#unsent += from.length;
    this.#socket.send(from.slice(), to.port, to.host, (error) => {
      this.#unsent -= from.length;
      if (error !== null && error !== undefined) this.#error = errnoOf(error);
      if (this.#closing && this.#unsent === 0) this.abort();
      if (full || error) this.news();
    });
    return from.length;
  }

  get unsent(): number {
    return this.#unsent;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#closing = true;
    if (this.#unsent === 0) this.abort();
  }

  /** Closes without sending what is left. */
  abort(): void {
    if (this.#isClosed) return;
    this.#isClosed = this.#closing = true;
    this.#socket.close();
    this.onClosed?.();
    this.#resolveClosed();
  }
}
