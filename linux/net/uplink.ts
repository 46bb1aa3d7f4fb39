import { ENDPOINT_WORDS, NETWORK_SERVICE as OP } from "../../roottask/protocol.ts";
import { E } from "../abi/errno.ts";
import { AF_INET, AF_INET6 } from "../abi/socket.ts";
import type { Personality } from "../personality.ts";
import type { Granted } from "../process/permissions.ts";
import { textToBytes } from "../trace/text.ts";
import { type InternetAddress, unmapped } from "./address.ts";

/** Bytes that go through roottask at a time. */
export const WINDOW_BYTES = 64 << 10;
const NAME = "allow-net";

/** Told when the object of the host behind it has news. */
export interface HostObject {
  news(): void;
}

/**
 * The way to the host's network: a portal for each place that the user has granted. What no portal lets through is not reached, whatever
 * this code thinks (roottask/network_service.ts).
 */
export class Uplink {
  readonly #os: Personality;
  readonly #portals: readonly number[];
  readonly #objects = new Map<number, HostObject>();
  #window = 0;
  #addresses: readonly InternetAddress[] | undefined;

  constructor(os: Personality, permissions: readonly Granted[]) {
    this.#os = os;
    this.#portals = permissions.filter(({ name }) => name === NAME).map(({ selector }) => selector);
  }

  /** Is anything granted? */
  get exists(): boolean {
    return this.#portals.length > 0;
  }

  /** RAM for transfers: WINDOW_BYTES; 0 when there is none. */
  get window(): number {
    if (this.#window === 0) this.#window = this.#os.pool.take(WINDOW_BYTES, 0) ?? 0;
    return this.#window;
  }

  /** Whoever has news is told. */
  look(): void {
    if (!this.exists) return;
    const { ec } = this.#os.current;
    while (true) {
      const count = this.#call(this.#portals[0], OP.EVENTS);
      if (count <= 0) return;
      const ids = Array.from({ length: count }, (_, i) => ec.utcb.get(1 + i));
      for (const id of ids) this.#objects.get(id)?.news();
    }
  }

  /** From now on `object` is told of news of number `id`. */
  adopt(id: number, object: HostObject): void {
    this.#objects.set(id, object);
  }

  // ---- what needs a grant: the portals are asked in turn; -EACCES when none of them lets it through -----------------------

  /** Numbers of new objects are positive. */
  connect(to: InternetAddress): number {
    return this.#first((portal) => this.#call(portal, OP.CONNECT, ...fields(to)));
  }

  /** Opens a socket that hears those it sends to. */
  open(domain: number): number {
    return this.#call(this.#portals[0], OP.OPEN, [domain === AF_INET6 ? 6 : 4]);
  }

  /** Listens (TCP) or hears (UDP) wherever a grant says so for `at`: the objects' numbers, none when nothing is granted; or -errno. */
  listen(at: InternetAddress, udp: boolean): number[] | number {
    const made: number[] = [];
    let failure = 0;
    for (const portal of this.#portals) {
      const id = this.#call(portal, udp ? OP.HEAR : OP.LISTEN, ...listenFields(at));
      if (id > 0) made.push(id);
      else if (id !== -E.EACCES) failure = id;
    }
    return made.length === 0 && failure < 0 ? failure : made;
  }

  resolve(name: string): number {
    const bytes = textToBytes(name);
    return this.#first((portal) => this.#call(portal, OP.RESOLVE, [bytes.length], bytes));
  }

  /** May a program send to this address? Port 0: on some port. */
  reaches(to: InternetAddress): boolean {
    return this.#first((portal) => this.#check(portal, 0, fields(to))) === 0;
  }

  /** May it listen there? */
  hears(at: InternetAddress): boolean {
    return this.#first((portal) => this.#check(portal, 1, listenFields(at))) === 0;
  }

  /** Sends the datagram. -EAGAIN when the host takes no more. */
  sendTo(id: number, data: Uint8Array<ArrayBuffer>, to: InternetAddress): number {
    const { window } = this;
    if (window === 0) return -E.ENOBUFS;
    if (data.length > WINDOW_BYTES) return -E.EMSGSIZE;
    this.#os.u8.set(data, window);
    const [words, ip] = fields(to);
    return this.#first((portal) => this.#call(portal, OP.SEND_TO, [id, window, data.length, ...words], ip));
  }

  // ---- what needs the number of an object ------------------------------------------------------------------------------

  accept(id: number): number {
    return this.#on(OP.ACCEPT, id);
  }

  /** 0 = ready, -EAGAIN, or why it has failed. */
  status(id: number): number {
    return this.#on(OP.STATUS, id);
  }

  /** `last`: all of it, whatever waits already. */
  send(id: number, data: Uint8Array<ArrayBuffer>, last: boolean): number {
    const { window } = this;
    if (window === 0) return -E.ENOBUFS;
    const part = data.subarray(0, WINDOW_BYTES);
    this.#os.u8.set(part, window);
    return this.#on(OP.SEND, id, window, part.length, last ? 1 : 0);
  }

  /** What has arrived, or -errno; nothing at the end. */
  receive(id: number): Uint8Array<ArrayBuffer> | number {
    const { window } = this;
    if (window === 0) return -E.ENOBUFS;
    const got = this.#on(OP.RECEIVE, id, window, WINDOW_BYTES);
    return got < 0 ? got : this.#os.u8.slice(window, window + got);
  }

  receiveFrom(id: number): { data: Uint8Array<ArrayBuffer>; from: InternetAddress } | number {
    const { window } = this;
    if (window === 0) return -E.ENOBUFS;
    const got = this.#on(OP.RECEIVE_FROM, id, window, WINDOW_BYTES);
    return got < 0 ? got : { data: this.#os.u8.slice(window, window + got), from: this.#readEndpoint(1) };
  }

  shutdown(id: number): void {
    this.#on(OP.SHUTDOWN, id);
  }

  close(id: number): void {
    this.#objects.delete(id);
    this.#on(OP.CLOSE, id);
  }

  endpoint(id: number, remote: boolean): InternetAddress | undefined {
    return this.#on(OP.ENDPOINT, id, remote ? 1 : 0) < 0 ? undefined : this.#readEndpoint(1);
  }

  /** What a look-up has found, or -errno. */
  resolved(id: number): InternetAddress[] | number {
    const count = this.#on(OP.RESOLVED, id);
    return count < 0 ? count : this.#readEndpoints(count);
  }

  /** The host's own address that it would send from; undefined when it has none of that family. */
  source(domain: number): InternetAddress | undefined {
    if (!this.exists) return undefined;
    if (this.#addresses === undefined) {
      this.#addresses = this.#readEndpoints(Math.max(0, this.#call(this.#portals[0], OP.ADDRESSES)));
    }
    return this.#addresses.find(({ family }) => family === domain);
  }

  // ---- messages --------------------------------------------------------------------------------------------------------

  #first(ask: (portal: number) => number): number {
    for (const portal of this.#portals) {
      const result = ask(portal);
      if (result !== -E.EACCES) return result;
    }
    return -E.EACCES;
  }

  #check(portal: number, how: number, [words, ip]: [number[], readonly number[]]): number {
    return this.#call(portal, OP.CHECK, [how, ...words], ip);
  }

  #on(operation: number, id: number, a = 0, b = 0, c = 0): number {
    return this.#call(this.#portals[0], operation, [id, a, b, c]);
  }

  #call(portal: number, operation: number, words: readonly number[] = [], text?: ArrayLike<number>): number {
    const { ec } = this.#os.current, { utcb } = ec;
    utcb.set(0, operation);
    for (let i = 0; i < words.length; i++) utcb.set(1 + i, words[i]);
    if (text !== undefined) utcb.bytes.set(text, 8 * (1 + words.length));
    utcb.untyped = 1 + words.length + Math.ceil((text?.length ?? 0) / 8);
    utcb.typed = 0;
    return ec.call(portal) === 0 ? utcb.get(0) : -E.EIO;
  }

  #readEndpoint(word: number): InternetAddress {
    const { utcb } = this.#os.current.ec, length = utcb.get(word + 1), at = 8 * (word + 2);
    return { family: length === 4 ? AF_INET : AF_INET6, host: [...utcb.bytes.subarray(at, at + length)], port: utcb.get(word) };
  }

  #readEndpoints(count: number): InternetAddress[] {
    return Array.from({ length: count }, (_, i) => this.#readEndpoint(1 + i * ENDPOINT_WORDS));
  }
}

/** A socket address of the internet as the last fields of a message: port and length; the bytes follow. IPv4 in IPv6 is IPv4. */
function fields({ host, port }: InternetAddress): [words: number[], bytes: readonly number[]] {
  const ip = unmapped(host);
  return [[port, ip.length], ip];
}

/** The same for a place to listen at: "::" stays what it is, and so does a mapped address. */
const listenFields = (
  { host, port }: InternetAddress,
): [words: number[], bytes: readonly number[]] => [[port, host.length], host];
