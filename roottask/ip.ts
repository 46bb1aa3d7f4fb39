/** IP addresses as bytes (4 or 16) and as text. */

export type Ip = readonly number[];

/** "192.0.2.1" or "2001:db8::1" (without brackets); undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  return text.includes(":") ? parseIp6(text) : parseIp4(text);
}

/** Four decimal numbers; no octal or shortened forms, which other parsers read differently. */
function parseIp4(text: string): Ip | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return parts.map(Number);
}

/** RFC 4291, 2.2. */
function parseIp6(text: string): Ip | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(groups);
  if (head === undefined || halves.length === 2 && tail === undefined) return undefined;
  const missing = 16 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail ?? []];
}

/** Bytes of groups of 16 bits; the last one may be an IPv4 address. */
function groups(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [], parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const v4 = i === parts.length - 1 && part.includes(".") ? parseIp4(part) : undefined;
    if (v4 !== undefined) bytes.push(...v4);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) bytes.push(parseInt(part, 16) >> 8, parseInt(part, 16) & 0xff);
    else return undefined;
  }
  return bytes.length <= 16 ? bytes : undefined;
}

/** The shortest form of RFC 5952. */
export function ipText(ip: Ip): string {
  if (ip.length === 4) return ip.join(".");
  const words = Array.from({ length: 8 }, (_, i) => (ip[2 * i] << 8 | ip[2 * i + 1]).toString(16)), text = words.join(":");
  const runs = [...text.matchAll(/\b0(?::0)+\b/g)].map(([run]) => run);
  if (runs.length === 0) return text;
  const longest = runs.reduce((a, b) => b.length > a.length ? b : a);
  return text.replace(new RegExp(`(^|:)${longest}(:|$)`), "::");
}

/** "192.0.2.1:80" or "[2001:db8::1]:80". */
export const endpointText = (ip: Ip, port: number): string =>
  ip.length === 4 ? `${ipText(ip)}:${port}` : `[${ipText(ip)}]:${port}`;

export const sameIp = (a: Ip, b: Ip): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** The IPv4 address that ::ffff:a.b.c.d stands for, else the address itself. */
export function plainIp(ip: Ip): Ip {
  return ip.length === 16 && ip.slice(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff
    ? ip.slice(12)
    : ip;
}

/** 0.0.0.0 or ::. */
export const isUnspecified = (ip: Ip): boolean => plainIp(ip).every((byte) => byte === 0);

/**
 * Addresses that lead back to the host itself whatever network it is in: 127.0.0.0/8, 0.0.0.0/8, ::1, ::, and their forms within IPv6:
 * mapped (::ffff:127.0.0.1) and compatible ones (::127.0.0.1; RFC 4291, 2.5.5).
 */
export function isOwn(ip: Ip): boolean {
  const plain = plainIp(ip);
  if (plain.length === 16 && plain.slice(0, 12).some((byte) => byte !== 0)) return false;
  const first = plain[plain.length - 4];
  return first === 127 || first === 0;
}

/** Is it one machine somewhere in a network? Not link-local (RFC 3927; RFC 4291, 2.5.6), not multicast, not the host itself. */
export function isRoutable(ip: Ip): boolean {
  const plain = plainIp(ip);
  if (isOwn(plain)) return false;
  if (plain.length === 4) return !(plain[0] === 169 && plain[1] === 254) && plain[0] < 224;
  return !(plain[0] === 0xfe && (plain[1] & 0xc0) === 0x80) && plain[0] !== 0xff;
}
