import type { FsStat } from "../../fs/api.ts";
import { E } from "../abi/errno.ts";
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG } from "../abi/fcntl.ts";
import { contentBytes } from "../proc/process_files.ts";
import type { VirtualNode } from "../proc/node.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import { type DirEntry, fillStat, OpenFile } from "./open_file.ts";

/** A stable inode number for a path in /proc or /sys. */
function inodeOf(path: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}

const DT_CHR = 2, DT_DIR = 4, DT_REG = 8, DT_LNK = 10;

/** Where in /proc or /sys a node is, and whose it is there. */
export interface NodePlace {
  readonly node: VirtualNode;
  readonly path: string;
  readonly owner: Process | undefined;
}

/** stat() of a name in /proc or /sys. */
export function statNode(t: Thread, { node, path, owner }: NodePlace, out: FsStat): number {
  if (node.kind === "device") {
    const { uid, gid, mode } = node.owner;
    fillStat(out, S_IFCHR | mode, 3 + (node.rdev & 0xff), node.rdev, 0, 1024);
    out.uid = uid;
    out.gid = gid;
    return 0;
  }
  const type = node.kind === "directory"
    ? S_IFDIR | (node.mode ?? 0o555)
    : node.kind === "link"
    ? S_IFLNK | 0o777
    : S_IFREG | node.mode;
  fillStat(out, type, inodeOf(path), 0, 0, 1024);
  out.dev = 0x14;
  // Files of a process that is not to be looked into belong to root; its plain directories tell nothing.
  if (owner !== undefined && (owner.dumpable === 1 || node.kind === "directory" && node.mode === undefined)) {
    out.uid = owner.credentials.euid;
    out.gid = owner.credentials.egid;
  }
  t.os.clock.real(t.os.now());
  for (const time of [out.atime, out.mtime, out.ctime]) {
    time[0] = t.os.clock.seconds;
    time[1] = t.os.clock.nanoseconds;
  }
  return 0;
}

/** An open file or directory of /proc or /sys. Contents are made at the first read, and again when it starts over. */
export class VirtualFile extends OpenFile {
  readonly place: NodePlace;
  #bytes: Uint8Array | undefined;

  constructor(place: NodePlace, flags: number) {
    super(flags);
    this.place = place;
  }

  get node(): VirtualNode {
    return this.place.node;
  }

  override get path(): string {
    return this.place.path;
  }

  override get seekable(): boolean {
    return true;
  }

  get isDirectory(): boolean {
    return this.node.kind === "directory";
  }

  override readTo(t: Thread, pa: number, bytes: number, offset: number): number {
    const { node } = this;
    if (node.kind !== "file") return -E.EISDIR;
    if (this.#bytes === undefined || offset === 0) this.#bytes = contentBytes(node.content(t));
    const part = this.#bytes.subarray(offset, offset + bytes);
    t.os.u8.set(part, pa);
    return part.length;
  }

  /** Settings can be written, without effect. */
  override writeFrom(_t: Thread, _pa: number, bytes: number): number {
    return bytes;
  }

  override truncate(): number {
    return 0;
  }

  override stat(t: Thread, out: FsStat): number {
    return statNode(t, this.place, out);
  }

  override seek(_t: Thread, offset: number, whence: number): number {
    return this.seekWithin(offset, whence, this.#bytes?.length ?? 0);
  }

  override list(t: Thread, cookie: number, max: number): DirEntry[] | number {
    const { node } = this;
    if (node.kind !== "directory") return -E.ENOTDIR;
    const names = [".", "..", ...node.names(t)];
    return names.slice(cookie, cookie + max).map((name, i) => {
      const child = name === "." || name === ".." ? undefined : node.lookup(t, name);
      const type = child === undefined || child.kind === "directory"
        ? DT_DIR
        : child.kind === "link"
        ? DT_LNK
        : child.kind === "device"
        ? DT_CHR
        : DT_REG;
      return { name, ino: inodeOf(`${this.path}/${name}`), type, next: cookie + i + 1 };
    });
  }
}
