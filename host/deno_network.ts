/** The real network: TCP by Deno, UDP and names by Node's modules, which are stable in Deno. */
import { lookup } from "node:dns";
import { networkInterfaces } from "node:os";
import type { HostEndpoint, HostNetwork } from "./api.ts";
import { attempt } from "./deno_errors.ts";
import { EAGAIN, EBADF, EIO, ENOENT } from "./errno.ts";
import { TcpConnection, TcpListener } from "./tcp.ts";
import { UdpSocket } from "./udp.ts";

/** A program's last words may take so long without any progress. */
const PATIENCE_MS = 2000;

class Lookup {
  result: string[] | number = -EAGAIN;

  constructor(name: string, news: () => void) {
    lookup(name, { all: true }, (error, found) => {
      this.result = error === null ? found.map(({ address }) => address) : error.code === "ENOTFOUND" ? -ENOENT : -EIO;
      news();
    });
  }

  get status(): number {
    return typeof this.result === "number" ? this.result : 0;
  }

  close(): void {}
}

type Entry = TcpConnection | TcpListener | UdpSocket | Lookup;

export class DenoNetwork implements HostNetwork {
  onReady: (() => void) | undefined;
  readonly #entries = new Map<number, Entry>();
  readonly #news = new Set<number>();
  /** Closed, but not everything is sent. */
  readonly #leaving = new Set<TcpConnection | UdpSocket>();
  #lastId = 0;

  changed(): number {
    for (const id of this.#news) {
      this.#news.delete(id);
      return id;
    }
    return 0;
  }

  connect(to: HostEndpoint): number {
    const connecting = Deno.connect({ hostname: to.host, port: to.port });
    return this.#add((news) => new TcpConnection(connecting, news));
  }

  listen(at: HostEndpoint): number {
    const listener = attempt(() => Deno.listen({ hostname: at.host, port: at.port }));
    return typeof listener === "number" ? listener : this.#add((news) => new TcpListener(listener, news));
  }

  accept(id: number): number {
    const listener = this.#entries.get(id);
    if (!(listener instanceof TcpListener)) return -EBADF;
    const conn = listener.take();
    return typeof conn === "number" ? conn : this.#add((news) => new TcpConnection(conn, news));
  }

  open(at: HostEndpoint): number {
    return this.#add((news) => new UdpSocket(at, news));
  }

  resolve(name: string): number {
    return this.#add((news) => new Lookup(name, news));
  }

  resolved(id: number): string[] | number {
    const entry = this.#entries.get(id);
    return entry instanceof Lookup ? entry.result : -EBADF;
  }

  status(id: number): number {
    return this.#entries.get(id)?.status ?? -EBADF;
  }

  receive(id: number, into: Uint8Array): number {
    const entry = this.#entries.get(id);
    return entry instanceof TcpConnection ? entry.receive(into) : -EBADF;
  }

  send(id: number, from: Uint8Array, last: boolean): number {
    const entry = this.#entries.get(id);
    return entry instanceof TcpConnection ? entry.send(from, last) : -EBADF;
  }

  receiveFrom(id: number, into: Uint8Array): { bytes: number; from: HostEndpoint } | number {
    const entry = this.#entries.get(id);
    return entry instanceof UdpSocket ? entry.receive(into) : -EBADF;
  }

  sendTo(id: number, from: Uint8Array, to: HostEndpoint): number {
    const entry = this.#entries.get(id);
    return entry instanceof UdpSocket ? entry.send(from, to) : -EBADF;
  }

  shutdown(id: number): number {
    const entry = this.#entries.get(id);
    if (!(entry instanceof TcpConnection)) return -EBADF;
    entry.shutdown();
    return 0;
  }

  close(id: number): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    this.#news.delete(id);
    entry?.close();
    if (!(entry instanceof TcpConnection || entry instanceof UdpSocket) || entry.isClosed) return;
    this.#leaving.add(entry);
    entry.onClosed = () => this.#leaving.delete(entry);
  }

  endpoint(id: number, remote: boolean): HostEndpoint | number {
    const entry = this.#entries.get(id);
    return entry === undefined || entry instanceof Lookup ? -EBADF : entry.endpoint(remote);
  }

  addresses(): string[] {
    const all = attempt(() => Object.values(networkInterfaces()).flatMap((each) => each ?? []));
    if (typeof all === "number") return [];
    const outward = all.filter(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address));
    return ["IPv4", "IPv6"].flatMap((family) => outward.find((each) => each.family === family)?.address ?? []);
  }

  async end(): Promise<void> {
    for (const id of [...this.#entries.keys()]) this.close(id);
    let waiting = [...this.#leaving], left = Infinity;
    while (waiting.length > 0) {
      const now = waiting.reduce((sum, { unsent }) => sum + unsent, 0);
      if (now >= left) break;
      left = now;
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        Promise.all(waiting.map((each) => each.closed)),
        new Promise((resolve) => timer = setTimeout(resolve, PATIENCE_MS)),
      ]);
      clearTimeout(timer);
      waiting = [...this.#leaving];
    }
    for (const each of waiting) each.abort();
  }

  #add(make: (news: () => void) => Entry): number {
    const id = ++this.#lastId;
    // News may come only once the entry is known.
    const entry = attempt(() =>
      make(() => {
        if (!this.#entries.has(id)) return;
        this.#news.add(id);
        this.onReady?.();
      })
    );
    if (typeof entry === "number") return entry;
    this.#entries.set(id, entry);
    return id;
  }
}
