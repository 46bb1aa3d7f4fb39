/** A directory whose contents belong to the client: /proc and /sys, which only the personality can know. */
import { EREMOTE } from "../host/errno.ts";
import type { FsStat, FsStatfs } from "./api.ts";
import { NAME_MAX, S_IFDIR } from "./flags.ts";
import { type Clock, type DirectoryEntry, type FileSystem, Node } from "./node.ts";

export class ElsewhereFs implements FileSystem {
  readonly readOnly = true;
  readonly root: Node;
  readonly started: readonly [number, number];

  /** `type`: f_type of statfs. */
  constructor(readonly dev: number, private readonly type: number, clock: Clock) {
    clock.read();
    this.started = [clock.seconds, clock.nanoseconds];
    this.root = new ElsewhereDirectory(this);
    this.root.parent = this.root;
  }

  statfs(out: FsStatfs): number {
    out.type = this.type;
    out.bsize = 4096;
    out.blocks =
      out.bfree =
      out.files =
      out.ffree =
        0;
    out.namelen = NAME_MAX;
    out.readOnly = true;
    return 0;
  }
}

/** Every walk through it ends with -EREMOTE: the client then resolves the path itself. */
class ElsewhereDirectory extends Node {
  readonly type = S_IFDIR;

  constructor(override readonly fs: ElsewhereFs) {
    super(fs);
  }

  stat(out: FsStat): number {
    out.dev = this.fs.dev;
    out.ino = 1;
    out.mode = S_IFDIR | 0o555;
    out.nlink = 2;
    out.uid =
      out.gid =
      out.rdev =
      out.size =
      out.blocks =
        0;
    out.blksize = 1024;
    for (const time of [out.atime, out.mtime, out.ctime]) [time[0], time[1]] = this.fs.started;
    return 0;
  }

  override lookup(): Node | number {
    return -EREMOTE;
  }

  override entries(): DirectoryEntry[] {
    return [];
  }
}
