/** Makes tar images: for files of the host that are made visible alone, and for tests. */
import { encodeText, textBytes } from "./text.ts";

export interface TarMember {
  /** Relative; a directory ends with a slash. */
  path: string;
  bytes?: Uint8Array;
  /** Permission bits; 0o644, 0o755 for directories, 0o777 for links. */
  mode?: number;
  /** Makes a symlink. */
  target?: string;
  /** Seconds since 1970. */
  mtime?: number;
}

const BLOCK = 512, NAME_BYTES = 100;
const padded = (bytes: number): number => Math.ceil(bytes / BLOCK) * BLOCK;
const isLong = (text: string): boolean => textBytes(text) > NAME_BYTES;

/** Ustar with pax records for long names. */
export function writeTar(members: readonly TarMember[]): Uint8Array<ArrayBuffer> {
  const parts = members.map((member) => ({ member, pax: paxRecords(member) }));
  const total = parts.reduce(
    (sum, { member, pax }) => sum + BLOCK + padded(member.bytes?.length ?? 0) + (pax.length > 0 ? BLOCK + padded(pax.length) : 0),
    2 * BLOCK,
  );
  const image = new Uint8Array(total);
  let at = 0;
  const put = (path: string, type: string, mode: number, bytes: Uint8Array, target: string, mtime: number): void => {
    writeHeader(image.subarray(at, at + BLOCK), path, type, mode, bytes.length, target, mtime);
    image.set(bytes, at + BLOCK);
    at += BLOCK + padded(bytes.length);
  };
  for (const { member, pax } of parts) {
    const { path, target = "", mtime = 0, bytes = new Uint8Array(0) } = member;
    const isDirectory = path.endsWith("/"), isLink = member.target !== undefined;
    if (pax.length > 0) put("pax", "x", 0o644, pax, "", mtime);
    const mode = member.mode ?? (isDirectory ? 0o755 : isLink ? 0o777 : 0o644);
    put(
      isLong(path) ? "long" : path,
      isDirectory ? "5" : isLink ? "2" : "0",
      mode,
      bytes,
      isLong(target) ? "long" : target,
      mtime,
    );
  }
  return image;
}

function paxRecords({ path, target }: TarMember): Uint8Array {
  const records: [string, string][] = [];
  if (isLong(path)) records.push(["path", path]);
  if (target !== undefined && isLong(target)) records.push(["linkpath", target]);
  const bytes: number[] = [];
  for (const [key, value] of records) {
    const body = ` ${key}=${value}\n`, length = textBytes(body);
    // The length counts its own digits.
    let total = length + String(length).length;
    if (String(total).length > String(length).length) total++;
    const record = new Uint8Array(total);
    encodeText(`${total}${body}`, record, 0);
    bytes.push(...record);
  }
  return Uint8Array.from(bytes);
}

/** POSIX.1-1988, "ustar Interchange Format". */
function writeHeader(
  block: Uint8Array,
  path: string,
  type: string,
  mode: number,
  size: number,
  target: string,
  mtime: number,
): void {
  const put = (at: number, text: string) => void encodeText(text, block, at);
  const octal = (at: number, value: number, digits: number) => put(at, value.toString(8).padStart(digits, "0"));
  put(0, path);
  octal(100, mode, 7);
  octal(108, 0, 7);
  octal(116, 0, 7);
  octal(124, size, 11);
  octal(136, mtime, 11);
  put(148, " ".repeat(8));
  put(156, type);
  put(157, target);
  put(257, "ustar");
  put(263, "00");
  octal(148, block.reduce((sum, byte) => sum + byte, 0), 6);
  block[154] = 0;
}
