import { PROT_WRITE } from "../abi/mman.ts";
import type { Interval } from "./intervals.ts";

/** A file that is mapped: what the memory code needs of it. Counted: `dup` and `release`. */
export interface MappedFile {
  /** Shown in /proc/PID/maps. */
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  /** Reads up to `bytes` at `offset` to physical memory; bytes read or -errno. */
  read(offset: number, pa: number, bytes: number): number;
  write(offset: number, pa: number, bytes: number): number;
  /** Pages that all private mappings of the file share until they write, for a mapping at `va`; undefined when there are none. */
  pages(offset: number, bytes: number, va: number): { pa: number; bytes: number } | undefined;
  /** How many bytes from `offset` on `pages` has at hand, without reading. */
  cached(offset: number): number;
  size(): number;
  dup(): void;
  release(): void;
}

/** Pages that several mappings share: MAP_SHARED memory, or the contents of a memfd. Offsets are bytes from its start. */
export interface SharedPages {
  /** Physical address of the page at `offset` and how many bytes follow contiguously; undefined when memory or the file ends. */
  ensure(offset: number, bytes: number): { pa: number; bytes: number } | undefined;
  /** Does the file, if these are one's pages, reach to this page? */
  reaches(offset: number): boolean;
  /** Writes [offset, offset+bytes) back to the file behind it, if any. */
  sync(offset: number, bytes: number): number;
  readonly file: MappedFile | undefined;
  dup(): void;
  release(): void;
}

/** One virtual memory area: consecutive pages with the same treatment. */
export interface Vma extends Interval {
  /** PROT_* bits. */
  prot: number;
  /** Highest PROT_* bits that mprotect may give: a shared mapping of a read-only descriptor never becomes writable. */
  maxProt: number;
  /** Private file mapping: contents come from here. */
  file: MappedFile | undefined;
  /** Shared mapping: its pages. */
  shared: SharedPages | undefined;
  /** Offset in `file` or `shared` of `start`, in bytes. */
  offset: number;
  /** MAP_GROWSDOWN, or the main stack. */
  growsDown: boolean;
  /** Shown in /proc/PID/maps. */
  name: "" | "[heap]" | "[stack]" | "[vdso]";
  /** madvise(MADV_DONTFORK), (MADV_WIPEONFORK). */
  dontFork: boolean;
  wipeOnFork: boolean;
  noReserve: boolean;
  /** mlock(2): counted, for nothing is ever paged out. */
  locked: boolean;
}

export function newVma(start: number, end: number, prot: number): Vma {
  return {
    start,
    end,
    prot,
    maxProt: 7,
    file: undefined,
    shared: undefined,
    offset: 0,
    growsDown: false,
    name: "",
    dontFork: false,
    wipeOnFork: false,
    noReserve: false,
    locked: false,
  };
}

/** A part of an area with its own owner counts. */
export function cutVma(vma: Vma, start: number, end: number): Vma {
  vma.file?.dup();
  vma.shared?.dup();
  return { ...vma, start, end, offset: vma.offset + (start - vma.start) };
}

export function dropVma(vma: Vma): void {
  vma.file?.release();
  vma.shared?.release();
}

/** Does it count for RLIMIT_DATA? Private memory that may be written, but for stacks. */
export const isData = (vma: Vma): boolean => vma.shared === undefined && (vma.prot & PROT_WRITE) !== 0 && !vma.growsDown;

/** May two neighbouring areas be one? */
export function mergeable(a: Vma, b: Vma): boolean {
  return a.end === b.start && a.prot === b.prot && a.maxProt === b.maxProt && a.file === b.file && a.shared === b.shared &&
    (a.file === undefined && a.shared === undefined || a.offset + (a.end - a.start) === b.offset) &&
    a.growsDown === b.growsDown && a.name === b.name && a.dontFork === b.dontFork && a.wipeOnFork === b.wipeOnFork &&
    a.noReserve === b.noReserve && a.locked === b.locked;
}

/** Where the pages [start, end) of an address space are in RAM. */
export interface Backing extends Interval {
  /** Physical address of `start`. */
  pa: number;
  /** One reference per page of the pool is held; false: the pages belong to `SharedPages`. */
  owned: boolean;
}
