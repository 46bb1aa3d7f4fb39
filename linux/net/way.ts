import { E } from "../abi/errno.ts";
import { AF_INET, SOCK_STREAM } from "../abi/socket.ts";
import type { Thread } from "../process/thread.ts";
import { type InternetAddress, isAny, isLoopback, LOOPBACK4, LOOPBACK6 } from "./address.ts";
import { DNS_PORT } from "./resolver.ts";
import type { Socket } from "./socket.ts";

/** How to get to an address. */
export const enum Way {
  /** It is of this machine, whether anybody listens there or not. */
  Inside = 0,
  /** By the host. */
  Host = 1,
  /** The machine's own name server. */
  Resolver = 2,
}

/**
 * The way from socket `s` to `to`, or -errno. The loopback is the machine's own: it leads to the host only where nobody in the machine
 * listens and the user has named that very place. `mayAnswer`: the socket may have partners that no grant names; the host knows them.
 */
export function wayTo(t: Thread, s: Socket, to: InternetAddress, mayAnswer = false): Way | number {
  const { uplink, network } = t.os, stream = s.type === SOCK_STREAM;
  const host = concreteHost(to.host), loopback = isLoopback(host), address = { ...to, host };
  if (loopback && network.find(s.type, host, to.port, (other) => !stream || other.listening) !== undefined) return Way.Inside;
  const asks = !stream && to.port === DNS_PORT;
  if (asks && loopback) return Way.Resolver;
  if (uplink.exists && uplink.reaches(address)) return Way.Host;
  if (asks) return Way.Resolver;
  if (mayAnswer) return Way.Host;
  return loopback ? Way.Inside : t.os.refusals.unreachable(t, to);
}

/** "Any" as a destination is the loopback. */
export const concreteHost = (host: readonly number[]): readonly number[] =>
  isAny(host) ? (host.length === 4 ? LOOPBACK4 : LOOPBACK6) : host;

/** The address of a socket that has been connected to `to` by UDP, or -errno. */
export function sourceFor(t: Thread, s: Socket, to: InternetAddress, way: number): readonly number[] | number {
  if (way === Way.Resolver || isLoopback(concreteHost(to.host))) return s.domain === AF_INET ? LOOPBACK4 : LOOPBACK6;
  const source = t.os.uplink.source(to.family);
  return source?.host ?? -E.ENETUNREACH;
}
