/** Files and symlinks of the memory file system. */
import { PAGE } from "../cpu/layout.ts";
import { EINVAL, ENODEV, ENOSPC, ENXIO } from "../host/errno.ts";
import type { FsStat } from "./api.ts";
import { Contents } from "./contents.ts";
import { S_IFLNK, S_IFMT, S_IFREG } from "./flags.ts";
import { type MemoryLayer, MemoryNode, notAfter } from "./memory_node.ts";
import type { Node } from "./node.ts";
import { textBytes } from "./text.ts";

/** Regular files, and the pipes, sockets and devices that only have a name here. */
export class MemoryFile extends MemoryNode {
  /** Undefined while the contents are still those of `lower`. */
  private contents: Contents | undefined;
  private readonly isRegular: boolean;
  private readonly kind: number;

  constructor(fs: MemoryLayer, mode: number, rdev: number, lower?: Node) {
    super(fs, mode, lower);
    this.kind = (lower?.type ?? mode) & S_IFMT;
    this.rdev = rdev;
    this.isRegular = this.kind === S_IFREG;
    if (lower === undefined) this.contents = new Contents(fs.pool, fs.ram);
  }

  override get type(): number {
    return this.kind;
  }

  /** Its contents are here, be they new or those of the lower file with changes. */
  get copied(): boolean {
    return this.contents !== undefined;
  }

  protected fill(out: FsStat): void {
    out.size = this.size();
    out.blocks = this.contents === undefined ? Math.ceil(out.size / 512) : this.contents.blocks;
  }

  override open(): number {
    if (this.lower !== undefined && this.contents === undefined) {
      // Reading may still come from below, so the lower file must be open as well; it stays open until the last handle goes.
      if (this.openCount === 0) {
        const status = this.lower.open(false);
        if (status < 0) return status;
      }
      this.keep();
    }
    this.openCount++;
    return 0;
  }

  override close(): void {
    this.openCount--;
    if (this.openCount > 0) return;
    if (this.lower !== undefined && this.contents === undefined) this.lower.close(false);
    else if (this.nlink === 0) this.contents?.release();
    else this.contents?.trim();
  }

  override size(): number {
    return this.contents === undefined ? this.lowerSize() : this.contents.size;
  }

  override read(offset: number, to: number, length: number): number {
    if (!this.isRegular) return -EINVAL;
    if (this.contents === undefined) return this.lower!.read(offset, to, length);
    // As with relatime: the first reading after a change.
    if (notAfter(this.atime, this.mtime)) this.touch(this.atime);
    return this.contents.read(offset, to, length);
  }

  override write(offset: number, from: number, length: number): number {
    if (!this.isRegular) return -EINVAL;
    const contents = this.contents ?? this.copyUp(Infinity);
    if (typeof contents === "number") return contents;
    const result = contents.write(offset === -1 ? contents.size : offset, from, length);
    if (result > 0) this.touch(this.mtime, this.ctime);
    return result;
  }

  override truncate(size: number): number {
    if (!this.isRegular) return -EINVAL;
    const contents = this.contents ?? this.copyUp(size);
    if (typeof contents === "number") return contents;
    const result = contents.truncate(size);
    if (result === 0) this.touch(this.mtime, this.ctime);
    return result;
  }

  override seek(offset: number, hole: boolean): number {
    if (this.contents === undefined || offset < 0 || offset >= this.contents.size) return super.seek(offset, hole);
    const found = this.contents.seek(offset, hole);
    return hole || found < this.contents.size ? found : -ENXIO;
  }

  override allocate(offset: number, length: number, { punch, keepSize }: { punch: boolean; keepSize: boolean }): number {
    if (!this.isRegular) return -ENODEV;
    const contents = this.contents ?? this.copyUp(Infinity);
    if (typeof contents === "number") return contents;
    const result = punch ? (contents.punch(offset, length), 0) : contents.reserve(offset, length, keepSize);
    if (result === 0) this.touch(this.mtime, this.ctime);
    return result;
  }

  /** Brings the first `limit` bytes of the lower file here. */
  private copyUp(limit: number): Contents | number {
    this.own();
    const contents = new Contents(this.fs.pool, this.fs.ram);
    const status = copyContents(this.lower!, contents, this.fs, limit);
    if (status < 0) {
      contents.release();
      return status;
    }
    if (this.openCount > 0) this.lower!.close(false);
    this.contents = contents;
    return contents;
  }

  protected override orphaned(): void {
    if (this.openCount === 0) this.contents?.release();
  }
}

/** Copies through one page-multiple bounce buffer from the pool; 0 or -errno. */
function copyContents(lower: Node, contents: Contents, fs: MemoryLayer, limit: number): number {
  const total = Math.min(limit, lower.size());
  if (total === 0) return 0;
  let bytes = Math.min(256 << 10, Math.ceil(total / PAGE) * PAGE);
  let buffer = fs.pool.take(bytes);
  if (buffer === 0) buffer = fs.pool.take(bytes = PAGE);
  if (buffer === 0) return -ENOSPC;
  let status = lower.open(false);
  if (status >= 0) {
    for (let at = 0; at < total;) {
      const got = lower.read(at, buffer, Math.min(bytes, total - at));
      status = got > 0 ? contents.write(at, buffer, got) : got;
      if (got <= 0) break;
      if (status < got) {
        status = contents.write(at, buffer, got);
        if (status < 0) break;
      }
      at += got;
    }
    lower.close(false);
  }
  fs.pool.give(buffer, bytes);
  return Math.min(status, 0);
}

export class MemoryLink extends MemoryNode {
  constructor(fs: MemoryLayer, private readonly target: string, lower?: Node) {
    super(fs, S_IFLNK | 0o777, lower);
  }
  override get type(): number {
    return S_IFLNK;
  }
  protected fill(out: FsStat): void {
    out.size = this.lower === undefined ? textBytes(this.target) : this.lower.size();
    out.blocks = 0;
  }
  override readlink(): string | number {
    return this.lower === undefined ? this.target : this.lower.readlink();
  }
}
