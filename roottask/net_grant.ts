/** What `--allow-net` grants: which addresses of the host's network a guest may reach, and where it may be reached. */
import { type Ip, isOwn, isRoutable, isUnspecified, parseIp, plainIp, sameIp } from "./ip.ts";

/** Addresses that were found for one name, at most. */
const MAX_LEARNED = 256;
/** A name of DNS: labels of letters, digits, "-" and "_". */
const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;
const LOOPBACK: readonly Ip[] = [[127, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]];

export interface NetTarget {
  /** Lower case; undefined when it is about an address, or about all. */
  readonly name: string | undefined;
  readonly address: Ip | undefined;
  /** undefined = every port. */
  readonly port: number | undefined;
}

/** "all", a port, HOST or HOST:PORT; HOST is a name, an IPv4 address or an IPv6 address, in brackets with a port. */
export function parseNetTarget(text: string): NetTarget | undefined {
  if (text === "all") return { name: undefined, address: undefined, port: undefined };
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^\[\]]*?))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const bare6 = bracketed === undefined ? parseIp(text) : undefined;
  if (bare6 !== undefined) return { name: undefined, address: plainIp(bare6), port: undefined };
  const host = bracketed ?? plain;
  if (host === undefined) return undefined;
  if (bracketed === undefined && portText === undefined && /^\d{1,5}$/.test(host)) return portOnly(host);
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 0xffff)) return undefined;
  if (host === "") return bracketed === undefined && portText !== undefined ? portOnly(portText) : undefined;
  const address = parseIp(host);
  if (address !== undefined) {
    return (bracketed === undefined) === (address.length === 4)
      ? { name: undefined, address: plainIp(address), port }
      : undefined;
  }
  // What consists of numbers only is a mistyped address.
  if (bracketed !== undefined || !NAME.test(host) || /^[\d.]+$/.test(host)) return undefined;
  return { name: host.toLowerCase(), address: undefined, port };
}

function portOnly(text: string): NetTarget | undefined {
  const port = Number(text);
  return port >= 1 && port <= 0xffff ? { name: undefined, address: undefined, port } : undefined;
}

/** One grant, and the addresses that its name has been found to have. */
export class NetGrant {
  readonly #target: NetTarget;
  readonly #learned: Ip[] = [];

  constructor(target: NetTarget) {
    this.#target = target;
    if (target.name === "localhost") this.#learned.push(...LOOPBACK);
  }

  get #everywhere(): boolean {
    return this.#target.name === undefined && this.#target.address === undefined;
  }

  /** May a guest send to `ip`:`port`? Port 0: is there a port where it may? "Everything" leaves out the host itself, which must be named. */
  reaches(ip: Ip, port: number): boolean {
    const plain = plainIp(ip), { address } = this.#target;
    if (!this.#port(port) || isUnspecified(plain)) return false;
    if (address !== undefined) return sameIp(address, plain);
    return this.#everywhere ? !isOwn(plain) : this.#learned.some((known) => sameIp(known, plain));
  }

  /** Where the host may listen for a guest that listens at `ip`:`port`; undefined = nowhere. */
  hears(ip: Ip, port: number): Ip | undefined {
    const plain = plainIp(ip), { address, name } = this.#target;
    if (!this.#port(port)) return undefined;
    const any = isUnspecified(plain),
      granted = name === "localhost" ? LOOPBACK[ip.length === 4 || plain.length === 4 ? 0 : 1] : address;
    if (granted !== undefined) {
      // A socket of "::" hears IPv4 as well, one of 0.0.0.0 no IPv6.
      if (any ? isUnspecified(granted) || granted.length === 4 || ip.length === 16 : sameIp(granted, plain)) {
        return any && isUnspecified(granted) ? ip : granted;
      }
      return isUnspecified(granted) && !isOwn(plain) ? plain : undefined;
    }
    return this.#everywhere && (any || !isOwn(plain)) ? (any ? ip : plain) : undefined;
  }

  /** May a guest ask for the addresses of `name`? */
  names(name: string): boolean {
    return this.#everywhere || this.#target.name === name.toLowerCase().replace(/\.$/, "");
  }

  /**
   * Those of a name's addresses that it is good for. Whoever owns a name decides what it resolves to: a name never leads to the host
   * itself or to what is reachable on one link only.
   */
  learn(addresses: readonly Ip[]): Ip[] {
    const good = addresses.filter(isRoutable);
    if (!this.#everywhere) {
      for (const ip of good) if (!this.#learned.some((known) => sameIp(known, ip))) this.#learned.push(ip);
      this.#learned.splice(0, Math.max(0, this.#learned.length - MAX_LEARNED));
    }
    return good;
  }

  #port(port: number): boolean {
    return this.#target.port === undefined || port === 0 || this.#target.port === port;
  }
}
