/** Roottask's service for the host's network (protocol.ts, NETWORK_SERVICE): what each "allow-net" permission can do. */
import type { HostEc, PortalHandler, Utcb } from "../hedron/api.ts";
import type { HostEndpoint, HostNetwork } from "../host/api.ts";
import { EACCES, EAFNOSUPPORT, EBADF, EFAULT, EINVAL, ENOSYS } from "../host/errno.ts";
import type { Permission } from "./boot_config.ts";
import { decodeText } from "../fs/text.ts";
import type { Range } from "./host_pds.ts";
import { endpointText, type Ip, ipText, isRoutable, isUnspecified, parseIp, plainIp } from "./ip.ts";
import { NetGrant, parseNetTarget } from "./net_grant.ts";
import { ENDPOINT_WORDS, MAX_EVENTS, NETWORK_SERVICE as OP } from "./protocol.ts";

/** Name of the permissions. */
export const ALLOW_NET = "allow-net";
/** Partners of one UDP socket that are remembered; the oldest are forgotten. */
const MAX_PARTNERS = 1024;
/** Addresses of one name that fit a message. */
const MAX_ADDRESSES = 64;
const MAX_NAME = 255;

/** Portal handlers of "allow-net" permissions. `pools`: memory of those who may call. */
export function networkPermissions(
  network: HostNetwork | undefined,
  pools: Iterable<Range>,
): (permission: Permission) => PortalHandler | undefined {
  if (network === undefined) return () => undefined;
  const service = new NetworkService(network, [...pools]);
  return ({ name, value }) => {
    const target = name === ALLOW_NET ? parseNetTarget(value) : undefined;
    return target && service.portal(new NetGrant(target));
  };
}

interface Udp {
  /** It hears everybody, and may answer. */
  open: boolean;
  /** "address:port" of those that it has sent to or heard from. */
  partners: Set<string>;
}

class NetworkService {
  readonly #network: HostNetwork;
  readonly #pools: readonly Range[];
  /** Objects that have been made, so that nobody guesses numbers. */
  readonly #udp = new Map<number, Udp>();
  /** Whose permission a look-up was for. */
  readonly #lookups = new Map<number, NetGrant>();

  constructor(network: HostNetwork, pools: readonly Range[]) {
    this.#network = network;
    this.#pools = pools;
  }

  portal(grant: NetGrant): PortalHandler {
    return (_id, ec) => {
      const { utcb } = ec, operation = utcb.get(0), result = this.#serve(grant, ec, operation);
      utcb.set(0, result);
      utcb.untyped = 1 + this.#replyWords(operation, result);
      utcb.typed = 0;
    };
  }

  /** Words of the reply behind the first. */
  #replyWords(operation: number, result: number): number {
    if (result < 0) return 0;
    if (operation === OP.RECEIVE_FROM || operation === OP.ENDPOINT) return ENDPOINT_WORDS;
    if (operation === OP.RESOLVED || operation === OP.ADDRESSES) return result * ENDPOINT_WORDS;
    return operation === OP.EVENTS ? result : 0;
  }

  #serve(grant: NetGrant, { utcb, memory }: HostEc, operation: number): number {
    const network = this.#network, id = utcb.get(1);
    switch (operation) {
      case OP.CONNECT: {
        const to = readEndpoint(utcb, 1);
        return to === undefined ? -EINVAL : grant.reaches(to.ip, to.port) ? network.connect(textual(to)) : -EACCES;
      }
      case OP.LISTEN:
      case OP.HEAR:
        return this.#listen(grant, readEndpoint(utcb, 1), operation === OP.HEAR);
      case OP.OPEN:
        return this.#opened(network.open({ host: id === 6 ? "::" : "0.0.0.0", port: 0 }), false);
      case OP.RESOLVE: {
        const name = id > MAX_NAME ? "" : decodeText(utcb.bytes, 16, id);
        if (name === "" || !grant.names(name)) return -EACCES;
        const lookup = network.resolve(name);
        if (lookup > 0) this.#lookups.set(lookup, grant);
        return lookup;
      }
      case OP.CHECK: {
        const at = readEndpoint(utcb, 2);
        if (at === undefined) return -EINVAL;
        const covered = id === 0 ? grant.reaches(at.ip, at.port) : grant.hears(at.ip, at.port) !== undefined;
        return covered ? 0 : -EACCES;
      }
      case OP.SEND_TO:
        return this.#sendTo(grant, id, this.#view(memory, utcb.get(2), utcb.get(3)), readEndpoint(utcb, 4));
      case OP.ACCEPT:
        return network.accept(id);
      case OP.STATUS:
        return network.status(id);
      case OP.SEND: {
        const from = this.#view(memory, utcb.get(2), utcb.get(3));
        return from === undefined ? -EFAULT : network.send(id, from, utcb.get(4) === 1);
      }
      case OP.RECEIVE: {
        const into = this.#view(memory, utcb.get(2), utcb.get(3));
        if (into === undefined) return -EFAULT;
        const got = network.receive(id, into);
        if (got > 0) memory.codeChanged(utcb.get(2), got);
        return got;
      }
      case OP.RECEIVE_FROM:
        return this.#receiveFrom(id, utcb, memory);
      case OP.SHUTDOWN:
        return network.shutdown(id);
      case OP.CLOSE:
        network.close(id);
        this.#udp.delete(id);
        this.#lookups.delete(id);
        return 0;
      case OP.ENDPOINT: {
        const endpoint = network.endpoint(id, utcb.get(2) === 1);
        return typeof endpoint === "number"
          ? endpoint
          : writeEndpoint(utcb, 1, parseIp(endpoint.host), endpoint.port)
          ? 0
          : -EINVAL;
      }
      case OP.RESOLVED:
        return this.#resolved(id, utcb);
      case OP.EVENTS: {
        let count = 0;
        for (let each = 0; count < MAX_EVENTS && (each = network.changed()) !== 0;) utcb.set(1 + count++, each);
        return count;
      }
      case OP.ADDRESSES:
        return writeAddresses(
          utcb,
          network.addresses().flatMap((text) => [parseIp(text) ?? []]).filter(({ length }) => length > 0),
        );
    }
    return -ENOSYS;
  }

  #listen(grant: NetGrant, at: Endpoint | undefined, udp: boolean): number {
    if (at === undefined) return -EINVAL;
    const ip = grant.hears(at.ip, at.port);
    if (ip === undefined || isUnspecified(at.ip) && isRoutable(ip) && !this.#isOfHost(ip)) return -EACCES;
    const where = { host: ipText(ip), port: at.port };
    const made = udp ? this.#opened(this.#network.open(where), true) : this.#network.listen(where);
    // A host without IPv6.
    if (made !== -EAFNOSUPPORT || !isUnspecified(ip) || ip.length === 4) return made;
    return udp ? made : this.#network.listen({ host: "0.0.0.0", port: at.port });
  }

  /** Is this an address of the host? Grants of other addresses are for sending only. */
  #isOfHost(ip: Ip): boolean {
    const probe = this.#network.listen({ host: ipText(ip), port: 0 });
    if (probe > 0) this.#network.close(probe);
    return probe > 0;
  }

  #opened(id: number, open: boolean): number {
    if (id > 0) this.#udp.set(id, { open, partners: new Set() });
    return id;
  }

  #sendTo(grant: NetGrant, id: number, data: Uint8Array | undefined, to: Endpoint | undefined): number {
    const udp = this.#udp.get(id);
    if (udp === undefined) return -EBADF;
    if (data === undefined) return -EFAULT;
    if (to === undefined || to.port === 0) return -EINVAL;
    const partner = endpointText(plainIp(to.ip), to.port);
    if (!grant.reaches(to.ip, to.port) && !(udp.open && udp.partners.has(partner))) return -EACCES;
    remember(udp.partners, partner);
    return this.#network.sendTo(id, data, textual(to));
  }

  #receiveFrom(id: number, utcb: Utcb, memory: HostEc["memory"]): number {
    const udp = this.#udp.get(id), into = this.#view(memory, utcb.get(2), utcb.get(3));
    if (udp === undefined) return -EBADF;
    if (into === undefined) return -EFAULT;
    while (true) {
      const got = this.#network.receiveFrom(id, into);
      if (typeof got === "number") return got;
      memory.codeChanged(utcb.get(2), got.bytes);
      const ip = parseIp(got.from.host);
      if (ip === undefined) continue;
      const partner = endpointText(plainIp(ip), got.from.port);
      // Whoever was not asked is not heard.
      if (!udp.open && !udp.partners.has(partner)) continue;
      remember(udp.partners, partner);
      writeEndpoint(utcb, 1, ip, got.from.port);
      return got.bytes;
    }
  }

  #resolved(id: number, utcb: Utcb): number {
    const grant = this.#lookups.get(id);
    if (grant === undefined) return -EBADF;
    const found = this.#network.resolved(id);
    if (typeof found === "number") return found;
    return writeAddresses(utcb, grant.learn(found.flatMap((text) => [parseIp(text) ?? []]).filter(({ length }) => length > 0)));
  }

  /** Memory of a caller; undefined when it is not all its own. */
  #view(memory: HostEc["memory"], address: number, bytes: number): Uint8Array | undefined {
    const isOwn = this.#pools.some(({ start, bytes: size }) => bytes >= 0 && address >= start && address + bytes <= start + size);
    return isOwn ? memory.view(address, bytes, true) : undefined;
  }
}

function remember(partners: Set<string>, partner: string): void {
  if (partners.has(partner)) return;
  if (partners.size >= MAX_PARTNERS) {
    for (const oldest of partners) {
      return partners.delete(oldest), void partners.add(partner);
    }
  }
  partners.add(partner);
}

interface Endpoint {
  ip: Ip;
  port: number;
}

const textual = ({ ip, port }: Endpoint): HostEndpoint => ({ host: ipText(plainIp(ip)), port });

function readEndpoint(utcb: Utcb, word: number): Endpoint | undefined {
  const port = utcb.get(word), length = utcb.get(word + 1);
  if (length !== 4 && length !== 16 || port > 0xffff) return undefined;
  const at = 8 * (word + 2);
  return { port, ip: [...utcb.bytes.subarray(at, at + length)] };
}

function writeEndpoint(utcb: Utcb, word: number, ip: Ip | undefined, port: number): boolean {
  if (ip === undefined) return false;
  utcb.set(word, port);
  utcb.set(word + 1, ip.length);
  utcb.bytes.set(ip, 8 * (word + 2));
  return true;
}

function writeAddresses(utcb: Utcb, addresses: readonly Ip[]): number {
  const some = addresses.slice(0, MAX_ADDRESSES);
  some.forEach((ip, i) => writeEndpoint(utcb, 1 + i * ENDPOINT_WORDS, ip, 0));
  return some.length;
}
