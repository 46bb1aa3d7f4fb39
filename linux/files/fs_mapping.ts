import type { FsClient } from "../../fs/api.ts";
import type { MappedFile } from "../memory/vma.ts";

/** A file of the file service that is mapped. Owns its handle; closed when the last area that uses it goes. */
export class FsMapping implements MappedFile {
  readonly #fs: FsClient;
  readonly handle: number;
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  #refs = 1;

  constructor(fs: FsClient, handle: number, path: string, dev: number, ino: number) {
    this.#fs = fs;
    this.handle = handle;
    this.path = path;
    this.dev = dev;
    this.ino = ino;
  }

  read(offset: number, pa: number, bytes: number): number {
    let done = 0;
    while (done < bytes) {
      const got = this.#fs.read(this.handle, offset + done, pa + done, bytes - done);
      if (got <= 0) return done > 0 ? done : got;
      done += got;
    }
    return done;
  }

  write(offset: number, pa: number, bytes: number): number {
    return this.#fs.write(this.handle, offset, pa, bytes);
  }

  size(): number {
    return this.#fs.size(this.handle);
  }

  dup(): void {
    this.#refs++;
  }

  release(): void {
    if (--this.#refs === 0) this.#fs.close(this.handle);
  }
}
