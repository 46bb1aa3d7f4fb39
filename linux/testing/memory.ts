/** Fakes for tests of the memory code: RAM in a plain array, and a page table that records what is mapped. */
import { PAGE } from "../abi/mman.ts";
import type { PageTable } from "../memory/backed_areas.ts";
import { Mm } from "../memory/mm.ts";
import type { CacheableFile, FileCache } from "../memory/file_cache.ts";
import { Pool } from "../memory/pool.ts";
import type { MappedFile } from "../memory/vma.ts";

export class FakeRam {
  readonly u8: Uint8Array<ArrayBuffer>;

  constructor(bytes: number) {
    this.u8 = new Uint8Array(bytes);
  }

  copy(to: number, from: number, length: number): void {
    this.u8.copyWithin(to, from, from + length);
  }

  fill(at: number, value: number, length: number): void {
    this.u8.fill(value, at, at + length);
  }

  codeChanged(): void {}
}

/** Virtual page number -> physical address and rights. */
export class FakePages implements PageTable {
  readonly pages = new Map<number, { pa: number; rights: number }>();

  map(va: number, pa: number, bytes: number, rights: number): void {
    for (let at = 0; at < bytes; at += PAGE) this.pages.set((va + at) / PAGE, { pa: pa + at, rights });
  }

  unmap(va: number, bytes: number): void {
    for (let at = 0; at < bytes; at += PAGE) this.pages.delete((va + at) / PAGE);
  }
}

/** A file with the number of each page in its first byte. */
export class FakeFile implements MappedFile, CacheableFile {
  readonly path = "/file";
  readonly dev = 1;
  readonly ino = 2;
  readonly key = "1:2";
  /** Pages at which reading began. */
  readonly reads: number[] = [];
  /** Reading fails. */
  broken = false;

  constructor(private readonly ram: FakeRam, private readonly cache: FileCache, readonly bytes: number, readonly stamp = "a") {}

  read(offset: number, pa: number, bytes: number): number {
    if (this.broken) return -5;
    this.reads.push(offset / PAGE);
    for (let at = 0; at < bytes; at += PAGE) this.ram.fill(pa + at, (offset + at) / PAGE, 1);
    return bytes;
  }
  pages(offset: number, bytes: number, va: number): { pa: number; bytes: number } | undefined {
    return this.cache.pages(this, offset, bytes, va);
  }
  cached(offset: number): number {
    return this.cache.cached(this, offset);
  }
  size(): number {
    return this.bytes;
  }
  write(): number {
    return 0;
  }
  dup(): void {}
  release(): void {}
}

export interface Rig {
  ram: FakeRam;
  pool: Pool;
  pages: FakePages;
  mm: Mm;
}

/** An empty address space over a pool of so many bytes. */
export function memoryRig(bytes: number): Rig {
  const ram = new FakeRam(bytes + PAGE);
  const pool = new Pool(ram, PAGE, bytes);
  const pages = new FakePages();
  const mm = new Mm(pool, pages, ram);
  mm.mmapBase = 0x7000_0000_0000;
  return { ram, pool, pages, mm };
}

/** Reproducible numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 0x1_0000_0000;
  };
}
