import { PAGE } from "../abi/mman.ts";
import type { SharedObject } from "../memory/shared.ts";
import type { MappedFile } from "../memory/vma.ts";
import { ANONYMOUS_DEV } from "./open_file.ts";

/** A private mapping's view of a memfd: pages that nobody writes to through it are the file's own. */
export class MemMapping implements MappedFile {
  readonly dev = ANONYMOUS_DEV;

  /** Takes over one reference to `contents`. `copy`: physical memory, (to, from, bytes). */
  constructor(
    readonly contents: SharedObject,
    readonly path: string,
    readonly ino: number,
    private readonly copy: (to: number, from: number, bytes: number) => void,
  ) {}

  read(offset: number, pa: number, bytes: number): number {
    const length = Math.min(bytes, this.contents.size - offset);
    this.contents.each(offset, length, (from, at, n) => (this.copy(pa + (at - offset), from, n), 0));
    return Math.max(0, length);
  }

  write(): number {
    throw new Error("A private mapping is not written back");
  }

  pages(offset: number, bytes: number): { pa: number; bytes: number } | undefined {
    const part = this.contents.ensure(offset - offset % PAGE, bytes);
    return part && { pa: part.pa, bytes: Math.min(part.bytes, bytes) };
  }

  cached(): number {
    return 0;
  }

  size(): number {
    return this.contents.size;
  }

  dup(): void {
    this.contents.dup();
  }

  release(): void {
    this.contents.release();
  }
}
