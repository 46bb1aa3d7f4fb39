/**
 * Read-only file system over an uncompressed tar image in RAM. The index is built at the first access; contents stay where they are.
 * Formats: POSIX.1-1988 ustar, POSIX.1-2001 pax (path, linkpath, size, mtime, uid, gid), GNU long names and base-256 numbers.
 */
import { PAGE } from "../cpu/layout.ts";
import { EINVAL, ENOENT } from "../host/errno.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import {
  directoryType,
  NAME_MAX,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_PERM,
  TMPFS_MAGIC,
} from "./flags.ts";
import { type DirectoryEntry, type FileSystem, Node, type Ram } from "./node.ts";
import { decodeText, textBytes } from "./text.ts";

/** Type flag of a header -> file type (pax, "ustar Header Block"). "7" (contiguous) is an ordinary file everywhere. */
const TYPES: Readonly<Record<string, number>> = {
  "\0": S_IFREG,
  "0": S_IFREG,
  "7": S_IFREG,
  "2": S_IFLNK,
  "3": S_IFCHR,
  "4": S_IFBLK,
  "5": S_IFDIR,
  "6": S_IFIFO,
};
const BLOCK = 512;

interface Member {
  path: string;
  link: string;
  header: Header;
  /** A pax record that applies to it. */
  get(key: string): string | undefined;
  /** Offset and bytes of its contents, as far as they are there. */
  data: number;
  size: number;
}

/** Calls `enter` for each member. Undefined, or in words why the archive ends too early. */
function walk(image: Uint8Array, enter: (member: Member) => void): string | undefined {
  let path: string | undefined, link: string | undefined;
  let pax: Map<string, string> | undefined;
  const global = new Map<string, string>();
  let at = 0;
  while (at + BLOCK <= image.length) {
    if (image[at] === 0) {
      // Two zero blocks end the archive; a single one is skipped, as GNU tar does.
      if (at + BLOCK < image.length && image[at + BLOCK] === 0) return undefined;
      at += BLOCK;
      continue;
    }
    const header = new Header(image, at);
    if (!header.valid) return `no header at byte ${at}`;
    const paxSize = pax?.get("size") ?? global.get("size");
    const size = paxSize === undefined || header.isExtension ? header.size : Number(paxSize);
    const data = at + BLOCK;
    if (!Number.isSafeInteger(size) || size < 0) return `absurd size of "${header.path}"`;
    const hasData = header.isExtension || TYPES[header.flag] === S_IFREG || TYPES[header.flag] === undefined;
    at = data + (hasData ? Math.ceil(size / BLOCK) * BLOCK : 0);
    const available = Math.max(0, Math.min(size, image.length - data));
    if (header.flag === "L") path = untilZero(image, data, available);
    else if (header.flag === "K") link = untilZero(image, data, available);
    else if (header.flag === "x") pax = paxRecords(image, data, available);
    else if (header.flag === "g") { for (const [key, value] of paxRecords(image, data, available)) global.set(key, value); }
    else {
      const records = pax, get = (key: string) => records?.get(key) ?? global.get(key);
      enter({
        path: get("path") ?? path ?? header.path,
        link: get("linkpath") ?? link ?? header.link,
        header,
        get,
        data,
        size: available,
      });
      path = link = pax = undefined;
    }
    if (hasData && available < size) return `"${header.path}" ends after ${available} of ${size} bytes`;
  }
  return at < image.length ? `a header ends after ${image.length - at} of ${BLOCK} bytes` : undefined;
}

/** In words why an archive is cut off or damaged; undefined for a whole one. */
export const tarProblem = (image: Uint8Array): string | undefined => walk(image, () => {});

export class TarFs implements FileSystem {
  readonly readOnly = true;
  readonly root: Node;
  private readonly index: TarNode;
  private built = false;
  private nextIno = 1;

  /** Precondition: [address, address + bytes) is readable and never changes. */
  constructor(readonly dev: number, readonly ram: Ram, private readonly address: number, private readonly bytes: number) {
    this.index = this.node(S_IFDIR | 0o755);
    this.index.parent = this.index;
    this.root = this.index;
  }

  node(mode: number): TarNode {
    return new TarNode(this, this.nextIno++, mode);
  }

  statfs(out: FsStatfs): number {
    out.type = TMPFS_MAGIC;
    out.bsize = PAGE;
    out.blocks = Math.ceil(this.bytes / PAGE);
    out.bfree = 0;
    out.files = this.nextIno;
    out.ffree = 0;
    out.namelen = NAME_MAX;
    out.readOnly = true;
    return 0;
  }

  build(): void {
    if (this.built) return;
    this.built = true;
    walk(
      this.ram.view(this.address, this.bytes),
      ({ path, link, header, get, data, size }) => this.enter(path, link, header, get, { address: this.address + data, size }),
    );
  }

  private enter(
    path: string,
    link: string,
    header: Header,
    get: (key: string) => string | undefined,
    data: { address: number; size: number },
  ): void {
    const parts = split(path);
    if (parts === undefined) return;
    if (header.flag === "1") {
      const target = split(link), node = target && this.walk(target);
      if (node === undefined || parts.length === 0 || node.isDirectory) return;
      node.nlink++;
      this.directory(parts.slice(0, -1)).put(parts[parts.length - 1], node);
      return;
    }
    const type = TYPES[header.flag];
    if (type === undefined) return;
    const node = type === S_IFDIR ? this.directory(parts) : this.node(type);
    node.mode = type | header.mode;
    node.uid = Number(get("uid") ?? header.uid);
    node.gid = Number(get("gid") ?? header.gid);
    const mtime = Number(get("mtime") ?? header.mtime);
    node.seconds = Math.floor(mtime);
    node.nanoseconds = Math.floor((mtime - node.seconds) * 1e9);
    if (type === S_IFREG) node.address = data.address, node.bytes = data.size;
    else if (type === S_IFLNK) node.target = link;
    else if (type !== S_IFDIR) node.rdev = header.rdev;
    if (type !== S_IFDIR && parts.length > 0) this.directory(parts.slice(0, -1)).put(parts[parts.length - 1], node);
  }

  private walk(parts: string[]): TarNode | undefined {
    let node: TarNode | undefined = this.index;
    for (const part of parts) node = node?.children.get(part);
    return node;
  }

  /** The directory of that path, made when it has no header of its own (yet). */
  private directory(parts: string[]): TarNode {
    let node = this.index;
    for (const part of parts) {
      let next = node.children.get(part);
      if (next === undefined || !next.isDirectory) {
        next = this.node(S_IFDIR | 0o755);
        next.parent = node;
        next.name = part;
        node.put(part, next);
      }
      node = next;
    }
    return node;
  }
}

class TarNode extends Node {
  readonly children = new Map<string, TarNode>();
  uid = 0;
  gid = 0;
  rdev = 0;
  seconds = 0;
  nanoseconds = 0;
  address = 0;
  bytes = 0;
  target = "";
  nlink: number;

  constructor(override readonly fs: TarFs, readonly ino: number, public mode: number) {
    super(fs);
    this.nlink = this.isDirectory ? 2 : 1;
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  put(name: string, node: TarNode): void {
    const old = this.children.get(name);
    if (old !== undefined) {
      old.nlink--;
      if (old.isDirectory) this.nlink--;
    }
    if (node.isDirectory) this.nlink++;
    this.children.set(name, node);
  }

  stat(out: FsStat): number {
    this.fs.build();
    out.dev = this.fs.dev;
    out.ino = this.ino;
    out.mode = this.mode;
    out.nlink = this.nlink;
    out.uid = this.uid;
    out.gid = this.gid;
    out.rdev = this.rdev;
    out.size = this.size();
    out.blksize = PAGE;
    out.blocks = Math.ceil(out.size / PAGE) * (PAGE / 512);
    for (const time of [out.atime, out.mtime, out.ctime]) time[0] = this.seconds, time[1] = this.nanoseconds;
    return 0;
  }

  override size(): number {
    return this.type === S_IFREG ? this.bytes : this.type === S_IFLNK ? textBytes(this.target) : this.isDirectory ? PAGE : 0;
  }

  override read(offset: number, to: number, length: number): number {
    if (this.type !== S_IFREG) return super.read(offset, to, length);
    const count = Math.min(length, this.bytes - offset);
    if (count <= 0) return 0;
    this.fs.ram.copy(to, this.address + offset, count);
    return count;
  }

  override lookup(name: string): Node | number {
    this.fs.build();
    return this.children.get(name) ?? -ENOENT;
  }

  override entries(): DirectoryEntry[] {
    this.fs.build();
    return Array.from(this.children, ([name, node]) => ({ name, ino: node.ino, type: directoryType(node.mode) }));
  }

  override readlink(): string | number {
    return this.type === S_IFLNK ? this.target : -EINVAL;
  }
}

/** One 512-byte header. Field offsets: pax(1), "ustar Header Block". */
class Header {
  constructor(private readonly image: Uint8Array, private readonly at: number) {}

  private text(offset: number, length: number): string {
    return untilZero(this.image, this.at + offset, length);
  }

  /** Octal text, or base-256 when the top bit of the first byte is set (GNU). */
  private number(offset: number, length: number): number {
    const first = this.image[this.at + offset];
    if ((first & 0x80) === 0) return parseInt(this.text(offset, length).trim() || "0", 8);
    let value = first & 0x3f;
    for (let i = 1; i < length; i++) value = value * 256 + this.image[this.at + offset + i];
    return value;
  }

  /** The checksum counts its own field as blanks. */
  get valid(): boolean {
    let sum = 0;
    for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : this.image[this.at + i];
    return sum === this.number(148, 8);
  }

  get path(): string {
    const name = this.text(0, 100);
    // GNU headers ("ustar  \0") use the prefix field for other things.
    const isUstar = this.text(257, 6) === "ustar";
    const prefix = isUstar ? this.text(345, 155) : "";
    return prefix === "" ? name : `${prefix}/${name}`;
  }
  get mode(): number {
    return this.number(100, 8) & S_PERM;
  }
  get uid(): number {
    return this.number(108, 8);
  }
  get gid(): number {
    return this.number(116, 8);
  }
  get size(): number {
    return this.number(124, 12);
  }
  get mtime(): number {
    return this.number(136, 12);
  }
  get flag(): string {
    const flag = String.fromCharCode(this.image[this.at + 156]);
    // Before POSIX a directory was an ordinary file whose name ends in a slash.
    return flag === "\0" && this.text(0, 100).endsWith("/") ? "5" : flag;
  }
  get isExtension(): boolean {
    return "LKxg".includes(this.flag);
  }
  get link(): string {
    return this.text(157, 100);
  }
  get rdev(): number {
    return this.number(329, 8) << 8 | this.number(337, 8);
  }
}

function untilZero(image: Uint8Array, at: number, length: number): string {
  let end = at;
  while (end < at + length && image[end] !== 0) end++;
  return decodeText(image, at, end - at);
}

/** Records "LENGTH key=value\n", LENGTH counting itself. */
function paxRecords(image: Uint8Array, at: number, length: number): Map<string, string> {
  const records = new Map<string, string>();
  for (let i = at; i < at + length;) {
    const blank = image.indexOf(0x20, i), size = blank < 0 ? NaN : Number(decodeText(image, i, blank - i));
    if (!(size > 0) || i + size > at + length) break;
    const record = decodeText(image, blank + 1, i + size - blank - 2), equals = record.indexOf("=");
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    i += size;
  }
  return records;
}

/** Components without "." and empty ones; undefined when ".." occurs: such a member could only be meant to escape. */
function split(path: string): string[] | undefined {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? undefined : parts;
}
