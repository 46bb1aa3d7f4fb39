import { E } from "../abi/errno.ts";
import { AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC } from "../abi/socket.ts";
import { bytesToText, textToBytes } from "../trace/text.ts";

/** A socket address. Unix: a path, or a name that begins with "\0" (abstract), or "" (unnamed). */
export type Address =
  | { readonly family: typeof AF_UNIX; readonly name: string }
  /** `host`: 4 or 16 bytes. */
  | { readonly family: typeof AF_INET | typeof AF_INET6; readonly host: readonly number[]; readonly port: number };

export type InternetAddress = Exclude<Address, { readonly family: typeof AF_UNIX }>;

/** struct sockaddr_un: family and 108 bytes of path. */
export const SUN_PATH = 108;

/** Decodes a sockaddr; AF_UNSPEC gives undefined. -errno for a malformed one. */
export function decodeAddress(bytes: Uint8Array<ArrayBuffer>): Address | undefined | number {
  if (bytes.length < 2) return -E.EINVAL;
  const data = new DataView(bytes.buffer, bytes.byteOffset);
  const family = data.getUint16(0, true);
  if (family === AF_UNSPEC) return undefined;
  if (family === AF_UNIX) {
    if (bytes.length > SUN_PATH + 2) return -E.EINVAL;
    const path = bytes.slice(2);
    if (path.length === 0 || path[0] === 0) return { family, name: bytesToText(path) };
    const zero = path.indexOf(0);
    return { family, name: bytesToText(path, 0, zero < 0 ? path.length : zero) };
  }
  if (family === AF_INET) {
    if (bytes.length < 16) return -E.EINVAL;
    return { family, host: [...bytes.subarray(4, 8)], port: data.getUint16(2, false) };
  }
  if (family === AF_INET6) {
    if (bytes.length < 24) return -E.EINVAL;
    return { family, host: [...bytes.subarray(8, 24)], port: data.getUint16(2, false) };
  }
  return -E.EAFNOSUPPORT;
}

export function encodeAddress(address: Address): Uint8Array<ArrayBuffer> {
  if (address.family === AF_UNIX) {
    const name = textToBytes(address.name);
    const abstract = name.length === 0 || name[0] === 0;
    const bytes = new Uint8Array(2 + name.length + (abstract ? 0 : 1));
    bytes[0] = AF_UNIX;
    bytes.set(name, 2);
    return bytes;
  }
  const bytes = new Uint8Array(address.family === AF_INET ? 16 : 28);
  const data = new DataView(bytes.buffer);
  data.setUint16(0, address.family, true);
  data.setUint16(2, address.port, false);
  bytes.set(address.host, address.family === AF_INET ? 4 : 8);
  return bytes;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The IPv4 address behind ::ffff:a.b.c.d, or the host itself. */
export function unmapped(host: readonly number[]): readonly number[] {
  return host.length === 16 && MAPPED.every((byte, i) => host[i] === byte) ? host.slice(12) : host;
}

/** The form in which a socket of this family shows an address: IPv4 peers of an AF_INET6 socket are mapped. */
export function inFamily(address: Address, family: number): Address {
  if (family !== AF_INET6 || address.family !== AF_INET) return address;
  return { family: AF_INET6, host: [...MAPPED, ...address.host], port: address.port };
}

export const isAny = (host: readonly number[]): boolean => unmapped(host).every((byte) => byte === 0);

export function sameHost(a: readonly number[], b: readonly number[]): boolean {
  const x = unmapped(a), y = unmapped(b);
  return x.length === y.length && x.every((byte, i) => byte === y[i]);
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(host: readonly number[]): boolean {
  const plain = unmapped(host);
  return plain.length === 4 ? plain[0] === 127 : plain.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

export const LOOPBACK4: readonly number[] = [127, 0, 0, 1];
export const ANY4: readonly number[] = [0, 0, 0, 0];
export const LOOPBACK6: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
export const ANY6: readonly number[] = new Array<number>(16).fill(0);
