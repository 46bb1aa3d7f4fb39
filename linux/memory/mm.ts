import { PAGE, pageDown, pageUp, PROT_EXEC, PROT_READ, PROT_WRITE, TASK_SIZE } from "../abi/mman.ts";
import { BackedAreas, type PageTable } from "./backed_areas.ts";
import { type Backing, cutVma, newVma, type Vma } from "./vma.ts";

/** Why an access failed; values of `Mm.fault`. */
export const enum Fault {
  None = 0,
  /** Nothing is mapped there: SIGSEGV, SEGV_MAPERR. */
  Unmapped = 1,
  /** Not allowed: SIGSEGV, SEGV_ACCERR. */
  Denied = 2,
  /** Beyond the end of a mapped file: SIGBUS, BUS_ADRERR. */
  BeyondFile = 3,
  /** The pool is empty: the program is killed. */
  NoMemory = 4,
}

/** Mappings up to this size get their memory at once; larger ones when touched. */
const EAGER_BYTES = 256 << 10;
/** First and largest piece of memory given on a page fault. */
const CHUNK_MIN = 64 << 10, CHUNK_MAX = 4 << 20;
/** Program text up to this size is read at once when it is first needed, other parts of files up to that one; of larger ones a chunk. */
const EAGER_TEXT = 128 << 20, EAGER_PART = 1 << 20;
/** How far below a growing-down area an access may make it grow. */
const STACK_GAP = 1 << 20;

/** The memory of one process (or several, with CLONE_VM): its areas, and where their pages are in RAM. */
export class Mm extends BackedAreas {
  /** Processes that use it. */
  users = 1;
  brkStart = 0;
  /** RLIMIT_STACK, bytes; how far the stack may grow. */
  stackLimit = 8 << 20;
  /** The personality has found no memory for a page that it was to access in a system call. */
  starved = false;

  /** Bytes of the areas that `select` takes. */
  sum(select: (vma: Vma) => boolean): number {
    return this.vmas.items.reduce((total, vma) => select(vma) ? total + vma.end - vma.start : total, 0);
  }

  // ---- areas ------------------------------------------------------------------------------------------------------

  /** Adds an area over [vma.start, vma.end), dropping what was there. False when memory is short (the old areas are gone then). */
  add(vma: Vma, populate: boolean | undefined = undefined): boolean {
    this.remove(vma.start, vma.end);
    const { prot, file, shared, offset, start, end } = vma;
    const added = this.insertArea(vma);
    const bytes = end - start;
    if (prot !== 0 && populate !== false && (populate || bytes <= EAGER_BYTES && shared === undefined)) {
      const upTo = file === undefined ? end : Math.min(end, start + pageUp(file.size() - offset));
      if (upTo > start && !this.populate(added, start, upTo)) return false;
    } else if (file !== undefined && prot !== 0 && (prot & PROT_WRITE) === 0) {
      // What is in RAM already costs no more than the page fault that would fetch it.
      const have = Math.min(bytes, file.cached(offset));
      if (have > 0 && !this.populate(added, start, start + have)) return false;
    }
    return true;
  }

  /** Sets PROT_* of every page of [start, end). */
  protect(start: number, end: number, prot: number): void {
    this.change(start, end, (vma) => {
      if (vma.prot === prot) return;
      // System calls may have written there while nobody could execute it.
      if (prot & ~vma.prot & PROT_EXEC) this.#codeChanged(vma);
      vma.prot = prot;
      this.remap(vma);
    });
  }
  #codeChanged(vma: Vma): void {
    for (const b of this.backing.items) {
      const from = Math.max(b.start, vma.start), to = Math.min(b.end, vma.end);
      if (b.owned && from < to) this.memory.codeChanged(b.pa + (from - b.start), to - from);
    }
  }

  // ---- faults -----------------------------------------------------------------------------------------------------

  /** Makes one access possible, or says why it is not. */
  fault(va: number, write: boolean, exec = false): Fault {
    // The upper half of the address space, which comes as negative numbers.
    if (va < 0) return Fault.Unmapped;
    let vma = this.vmas.find(va);
    if (vma === undefined) {
      vma = this.#grow(va);
      if (vma === undefined) return Fault.Unmapped;
    }
    const need = write ? PROT_WRITE : exec ? PROT_EXEC : PROT_READ;
    // x86-64 pages that may be written or executed can also be read.
    if ((vma.prot & need) === 0 && (need !== PROT_READ || vma.prot === 0)) return Fault.Denied;
    const backing = this.backing.find(va);
    if (backing !== undefined) {
      if (write && backing.owned && this.pool.isShared(backing.pa + (pageDown(va) - backing.start), PAGE)) {
        return this.#unshare(vma, backing, va);
      }
      this.mapPart(vma, backing, pageDown(va), pageDown(va) + PAGE);
      return Fault.None;
    }
    return this.#touch(vma, va);
  }

  /** Allocates a chunk of a large area around `va`. */
  #touch(vma: Vma, va: number): Fault {
    if (vma.shared !== undefined && !vma.shared.reaches(vma.offset + (pageDown(va) - vma.start))) return Fault.BeyondFile;
    const i = this.backing.lowerBound(va);
    const above = this.backing.items[i];
    const below = this.backing.items[i - 1];
    const low = Math.max(vma.start, below?.end ?? 0);
    let high = Math.min(vma.end, above?.start ?? Infinity);
    if (vma.file !== undefined) {
      const fileEnd = vma.start + pageUp(Math.max(0, vma.file.size() - vma.offset));
      if (va >= fileEnd) return Fault.BeyondFile;
      high = Math.min(high, fileEnd);
    }
    let from = Math.max(low, va - va % CHUNK_MIN);
    let to = Math.min(high, from - from % CHUNK_MIN + CHUNK_MIN);
    if (below !== undefined && below.end === from && from > vma.start) {
      to = Math.min(high, Math.max(to, from + Math.min(CHUNK_MAX, below.end - Math.max(below.start, vma.start))));
    } else if (above !== undefined && above.start === to && to < vma.end) {
      from = Math.max(low, Math.min(from, to - Math.min(CHUNK_MAX, Math.min(above.end, vma.end) - above.start)));
    }
    from = pageDown(from);
    if (vma.file !== undefined && (vma.prot & PROT_WRITE) === 0) {
      const eager = (vma.prot & PROT_EXEC) !== 0 ? Math.min(EAGER_TEXT, this.pool.freeBytes / 4) : EAGER_PART;
      if (vma.end - vma.start <= eager) [from, to] = [low, high];
      else to = Math.max(to, Math.min(high, va + pageDown(vma.file.cached(vma.offset + (pageDown(va) - vma.start)))));
    }
    this.version++;
    if (this.populate(vma, from, to)) return Fault.None;
    if (this.populate(vma, pageDown(va), pageDown(va) + PAGE)) return Fault.None;
    return Fault.NoMemory;
  }

  /** A write to memory that another process also uses: copies the extent around it. */
  #unshare(vma: Vma, backing: Backing, va: number): Fault {
    const low = Math.max(backing.start, vma.start, va - va % CHUNK_MAX);
    const high = Math.min(backing.end, vma.end, low - low % CHUNK_MAX + CHUNK_MAX);
    let start = low, got = this.takeSome(low, high - low);
    if (got !== undefined && va >= low + got.bytes) {
      this.pool.release(got.pa, got.bytes);
      start = pageDown(va);
      got = this.takeSome(start, PAGE);
    }
    if (got === undefined) return Fault.NoMemory;
    const { pa, bytes } = got;
    this.memory.copy(pa, backing.pa + (start - backing.start), bytes);
    this.unback(start, start + bytes, false);
    this.install(vma, start, start + bytes, pa, true);
    this.version++;
    return Fault.None;
  }

  /** Makes an area longer; the rest is touched later. */
  extend(vma: Vma, end: number): void {
    this.version++;
    this.totalBytes += end - vma.end;
    vma.end = end;
  }

  // ---- life -------------------------------------------------------------------------------------------------------

  /** Copies this address space for a child: memory that may be written is copied, the rest is shared. Undefined without memory. */
  fork(pages: PageTable): Mm | undefined {
    const child = new Mm(this.pool, pages, this.memory);
    child.brkStart = this.brkStart;
    child.brk = this.brk;
    child.mmapBase = this.mmapBase;
    child.stackLimit = this.stackLimit;
    for (const vma of this.vmas.items) {
      if (vma.dontFork) continue;
      const copy = cutVma(vma, vma.start, vma.end);
      copy.locked = false;
      child.vmas.items.push(copy);
      child.totalBytes += vma.end - vma.start;
      if (!vma.wipeOnFork && !this.#forkArea(child, vma)) {
        child.destroy();
        return undefined;
      }
    }
    return child;
  }

  #forkArea(child: Mm, vma: Vma): boolean {
    const items = this.backing.items;
    for (let i = this.backing.lowerBound(vma.start); i < items.length && items[i].start < vma.end; i++) {
      const b = items[i];
      const start = Math.max(b.start, vma.start);
      const end = Math.min(b.end, vma.end);
      const pa = b.pa + (start - b.start);
      if (!b.owned) {
        child.install(vma, start, end, pa, false);
      } else if ((vma.prot & PROT_WRITE) === 0) {
        this.pool.share(pa, end - start);
        child.install(vma, start, end, pa, true);
      } else {
        for (let at = start; at < end;) {
          const copy = child.takeSome(at, end - at);
          if (copy === undefined) return false;
          this.memory.copy(copy.pa, pa + (at - start), copy.bytes);
          child.install(vma, at, at + copy.bytes, copy.pa, true);
          at += copy.bytes;
        }
      }
    }
    return true;
  }

  /** Frees everything. */
  destroy(): void {
    this.remove(0, TASK_SIZE);
    this.forgetSpots();
  }

  protected override emptied(vma: Vma): void {
    if (vma.shared?.file !== undefined && (vma.prot & PROT_WRITE) !== 0) vma.shared.sync(vma.offset, vma.end - vma.start);
    this.unback(vma.start, vma.end);
  }

  /** The growing-down area just above `va`, extended to it. */
  #grow(va: number): Vma | undefined {
    const vma = this.vmas.items[this.vmas.lowerBound(va)];
    if (vma === undefined || !vma.growsDown) return undefined;
    // More than the page at once: the chunk below will be needed soon.
    const start = Math.max(va - va % CHUNK_MIN, Math.min(pageDown(va), vma.end - this.stackLimit));
    if (vma.end - pageDown(va) > this.stackLimit) return undefined;
    const below = this.vmas.items[this.vmas.lowerBound(va) - 1];
    if (below !== undefined && below.prot !== 0 && start - below.end < STACK_GAP) return undefined;
    this.version++;
    this.totalBytes += vma.start - start;
    vma.start = start;
    return vma;
  }

  /** A fresh private anonymous area, for callers that need no more. */
  addAnonymous(start: number, end: number, prot: number, name: Vma["name"] = ""): boolean {
    const vma = newVma(start, end, prot);
    vma.name = name;
    return this.add(vma);
  }
}
