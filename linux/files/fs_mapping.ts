import type { FsClient, FsStat } from "../../fs/api.ts";
import type { CacheableFile, FileCache } from "../memory/file_cache.ts";
import type { MappedFile } from "../memory/vma.ts";

/** Changes when the contents of a file do. */
export const stampOf = (stat: FsStat): string => [stat.size, ...stat.mtime, ...stat.ctime].join();

/** A file of the file service that is mapped. Owns its handle; closed when the last area that uses it goes. */
export class FsMapping implements MappedFile, CacheableFile {
  readonly #fs: FsClient;
  readonly handle: number;
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  readonly #cache: FileCache;
  readonly key: string;
  readonly stamp: string;
  /** Size when it was mapped. */
  readonly bytes: number;
  #refs = 1;

  /** `stat`: what the file was when it was mapped. Takes over one reference to `handle`. */
  constructor(fs: FsClient, cache: FileCache, handle: number, path: string, stat: FsStat) {
    this.#fs = fs;
    this.#cache = cache;
    this.handle = handle;
    this.path = path;
    this.dev = stat.dev;
    this.ino = stat.ino;
    this.key = `${stat.dev}:${stat.ino}`;
    this.bytes = stat.size;
    this.stamp = stampOf(stat);
  }

  pages(offset: number, bytes: number, va: number): { pa: number; bytes: number } | undefined {
    return this.#cache.pages(this, offset, bytes, va);
  }

  cached(offset: number): number {
    return this.#cache.cached(this, offset);
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
