/** Pipes, sockets and devices that have a name in a directory of the host: the machine knows them, the host does not. */
import { PAGE } from "../cpu/layout.ts";
import type { FsStat } from "./api.ts";
import { S_IFMT, S_PERM } from "./flags.ts";
import { type Clock, type FileSystem, Node } from "./node.ts";

export class SpecialNode extends Node {
  private uid = 0;
  private gid = 0;
  private links = 1;
  private readonly times: { atime: [number, number]; mtime: [number, number]; ctime: [number, number] };

  constructor(
    fs: FileSystem,
    private readonly clock: Clock,
    readonly ino: number,
    private mode: number,
    private readonly rdev: number,
  ) {
    super(fs);
    const now = this.now();
    this.times = { atime: now, mtime: now, ctime: now };
  }

  private now(): [number, number] {
    this.clock.read();
    return [this.clock.seconds, this.clock.nanoseconds];
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  stat(out: FsStat): number {
    const { atime, mtime, ctime } = this.times;
    out.dev = this.fs.dev;
    out.ino = this.ino;
    out.mode = this.mode;
    out.nlink = this.links;
    out.uid = this.uid;
    out.gid = this.gid;
    out.rdev = this.rdev;
    out.size = out.blocks = 0;
    out.blksize = PAGE;
    for (const [to, from] of [[out.atime, atime], [out.mtime, mtime], [out.ctime, ctime]]) [to[0], to[1]] = from;
    return 0;
  }

  override chmod(mode: number): number {
    this.mode = this.type | mode & S_PERM;
    this.times.ctime = this.now();
    return 0;
  }

  override chown(uid: number, gid: number): number {
    if (uid !== -1) this.uid = uid;
    if (gid !== -1) this.gid = gid;
    this.times.ctime = this.now();
    return 0;
  }

  override utime(atime: [number, number] | undefined, mtime: [number, number] | undefined): number {
    this.times.atime = atime ?? this.times.atime;
    this.times.mtime = mtime ?? this.times.mtime;
    this.times.ctime = this.now();
    return 0;
  }

  /** Its name has gone. */
  forget(): void {
    this.links = 0;
  }
}
