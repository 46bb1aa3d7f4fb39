import { PAGE, pageDown, PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { Fault, type Mm } from "./mm.ts";
import { bytesToText } from "../trace/text.ts";
import type { HostMemory } from "../../hedron/api.ts";

/**
 * The personality's access to program memory. A guest address is looked up in the program's own areas and becomes a physical address,
 * which is an index into the RAM views. Nothing that a program passes is trusted: a bad address gives -1 (the caller returns EFAULT).
 *
 * Structures that straddle two extents go through a staging page: write with `out`, then call `done`.
 */
export class UserMemory {
  readonly ram: HostMemory;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly data: DataView<ArrayBuffer>;
  #mm: Mm;
  /** The extent of the last access: addresses [start, end), physical = virtual + delta, PROT_* bits. Valid while version matches. */
  #start = 0;
  #end = 0;
  #delta = 0;
  #prot = 0;
  #version = -1;
  /** The extent before that one. */
  #otherStart = 0;
  #otherEnd = 0;
  #otherDelta = 0;
  #otherProt = 0;
  #otherVersion = -1;
  /** Physical address of one page for structures in pieces. */
  readonly #staging: number;
  #pendingVa = -1;
  #pendingBytes = 0;

  constructor(mm: Mm, ram: HostMemory, staging: number) {
    this.#mm = mm;
    this.ram = ram;
    this.u8 = ram.u8;
    this.data = ram.data;
    this.#staging = staging;
  }

  get mm(): Mm {
    return this.#mm;
  }

  set mm(mm: Mm) {
    this.#mm = mm;
    this.#version = this.#otherVersion = -1;
  }

  /** Physical address of [va, va+bytes) when it lies in one extent with the right; -1 when not accessible, -2 when in pieces. */
  #locate(va: number, bytes: number, write: boolean): number {
    const need = write ? PROT_WRITE : PROT_READ;
    if (this.#version === this.#mm.version && va >= this.#start && va + bytes <= this.#end && (this.#prot & need) !== 0) {
      return va + this.#delta;
    }
    this.#swap();
    if (this.#version === this.#mm.version && va >= this.#start && va + bytes <= this.#end && (this.#prot & need) !== 0) {
      return va + this.#delta;
    }
    if (!this.#load(va, write)) return -1;
    return va + bytes <= this.#end ? va + this.#delta : -2;
  }

  /** Exchanges the two cached extents: programs alternate between a buffer and a structure, or two buffers. */
  #swap(): void {
    const start = this.#start, end = this.#end, delta = this.#delta, prot = this.#prot, version = this.#version;
    this.#start = this.#otherStart;
    this.#end = this.#otherEnd;
    this.#delta = this.#otherDelta;
    this.#prot = this.#otherProt;
    this.#version = this.#otherVersion;
    this.#otherStart = start;
    this.#otherEnd = end;
    this.#otherDelta = delta;
    this.#otherProt = prot;
    this.#otherVersion = version;
  }

  /** Loads the cache with the extent around `va`, faulting it in. */
  #load(va: number, write: boolean): boolean {
    const mm = this.#mm;
    for (let attempt = 0; attempt < 3; attempt++) {
      const vma = mm.vmas.find(va);
      const backing = mm.backing.find(va);
      const need = write ? PROT_WRITE : PROT_READ;
      if (vma === undefined || backing === undefined || (vma.prot & need) === 0 || write && this.#mayBeShared(va)) {
        const fault = mm.fault(va, write);
        if (fault === Fault.NoMemory) mm.starved = true;
        if (fault !== Fault.None) return false;
        // Write-only and execute-only areas can be read too.
        if (vma !== undefined && (vma.prot & need) === 0 && backing !== undefined) return this.#set(va, vma.prot | need);
        if (!write || !this.#mayBeShared(va)) {
          if (mm.backing.find(va) !== undefined && mm.vmas.find(va) !== undefined) {
            return this.#set(va, mm.vmas.find(va)?.prot ?? 0);
          }
        }
        continue;
      }
      return this.#set(va, vma.prot);
    }
    return false;
  }

  #mayBeShared(va: number): boolean {
    const b = this.#mm.backing.find(va);
    return b !== undefined && b.owned && this.#mm.pool.isShared(b.pa + (pageDown(va) - b.start), PAGE);
  }

  #set(va: number, prot: number): boolean {
    const mm = this.#mm;
    const vma = mm.vmas.find(va);
    const b = mm.backing.find(va);
    if (vma === undefined || b === undefined) return false;
    this.#start = Math.max(vma.start, b.start);
    this.#end = Math.min(vma.end, b.end);
    this.#delta = b.pa - b.start;
    this.#prot = prot;
    // Pages shared with another process may be read through the cache, not written: such an extent is not cached for writing.
    if ((prot & PROT_WRITE) !== 0 && b.owned && mm.pool.isShared(this.#start + this.#delta, this.#end - this.#start)) {
      const page = pageDown(va);
      if (mm.pool.isShared(page + this.#delta, PAGE)) {
        this.#prot = prot & ~PROT_WRITE;
      } else {
        this.#start = page;
        this.#end = page + PAGE;
      }
    }
    this.#version = mm.version;
    return true;
  }

  // ---- structures ---------------------------------------------------------------------------------------------------

  /** Where to read `bytes` (at most a page) that the program has at `va`; -1 when it cannot be read. Valid until the next access. */
  in(va: number, bytes: number): number {
    const pa = this.#locate(va, bytes, false);
    if (pa >= -1) return pa;
    return this.read(va, this.#staging, bytes) ? this.#staging : -1;
  }

  /** Where to write `bytes` (at most a page) that belong at `va`; -1 when it cannot be written. Call `done()` after writing. */
  out(va: number, bytes: number): number {
    this.#pendingVa = -1;
    const pa = this.#locate(va, bytes, true);
    if (pa >= 0) {
      if ((this.#prot & PROT_EXEC) === 0) return pa;
    } else if (pa === -1 || !this.writable(va, bytes)) {
      return -1;
    }
    this.#pendingVa = va;
    this.#pendingBytes = bytes;
    return this.#staging;
  }

  /** Completes `out`; returns 0 so that a handler may end with it. */
  done(): 0 {
    if (this.#pendingVa >= 0) {
      const va = this.#pendingVa;
      this.#pendingVa = -1;
      this.write(va, this.#staging, this.#pendingBytes);
    }
    return 0;
  }

  /** Can all of it be read / written? Faults it in. */
  readable(va: number, bytes: number): boolean {
    return this.#walk(va, bytes, false) === bytes;
  }

  writable(va: number, bytes: number): boolean {
    return this.#walk(va, bytes, true) === bytes;
  }

  /** Bytes from `va` on that can be accessed, up to `bytes`. */
  accessible(va: number, bytes: number, write: boolean): number {
    return this.#walk(va, bytes, write);
  }

  #walk(va: number, bytes: number, write: boolean): number {
    let at = va;
    const end = va + bytes;
    while (at < end) {
      if (this.#locate(at, 1, write) < 0) break;
      at = Math.min(end, this.#end);
    }
    return at - va;
  }

  /**
   * The contiguous piece at `va`: its physical address, or -1; `pieceBytes` tells how long it is (at most `bytes`). Whoever asks for a piece
   * to write writes it before the program runs again.
   */
  piece(va: number, bytes: number, write: boolean): number {
    const pa = this.#locate(va, 1, write);
    if (pa < 0) return -1;
    this.pieceBytes = Math.min(bytes, this.#end - va);
    if (write && (this.#prot & PROT_EXEC) !== 0) this.ram.codeChanged(pa, this.pieceBytes);
    return pa;
  }
  pieceBytes = 0;

  // ---- blocks -------------------------------------------------------------------------------------------------------

  /** Copies program memory to physical memory. */
  read(va: number, pa: number, bytes: number): boolean {
    let done = 0;
    while (done < bytes) {
      const from = this.piece(va + done, bytes - done, false);
      if (from < 0) return false;
      this.ram.copy(pa + done, from, this.pieceBytes);
      done += this.pieceBytes;
    }
    return true;
  }

  /** Copies physical memory to program memory. */
  write(va: number, pa: number, bytes: number): boolean {
    let done = 0;
    while (done < bytes) {
      const to = this.piece(va + done, bytes - done, true);
      if (to < 0) return false;
      this.ram.copy(to, pa + done, this.pieceBytes);
      done += this.pieceBytes;
    }
    return true;
  }

  fill(va: number, value: number, bytes: number): boolean {
    let done = 0;
    while (done < bytes) {
      const to = this.piece(va + done, bytes - done, true);
      if (to < 0) return false;
      this.ram.fill(to, value, this.pieceBytes);
      done += this.pieceBytes;
    }
    return true;
  }

  /** A copy of program memory, or undefined. */
  bytes(va: number, bytes: number): Uint8Array<ArrayBuffer> | undefined {
    if (!this.readable(va, bytes)) return undefined;
    const out = new Uint8Array(bytes);
    let done = 0;
    while (done < bytes) {
      const from = this.piece(va + done, bytes - done, false);
      if (from < 0) return undefined;
      out.set(this.u8.subarray(from, from + this.pieceBytes), done);
      done += this.pieceBytes;
    }
    return out;
  }

  putBytes(va: number, from: Uint8Array): boolean {
    if (!this.writable(va, from.length)) return false;
    let done = 0;
    while (done < from.length) {
      const to = this.piece(va + done, from.length - done, true);
      if (to < 0) return false;
      this.u8.set(from.subarray(done, done + this.pieceBytes), to);
      done += this.pieceBytes;
    }
    return true;
  }

  /** Bytes before the terminating 0, at most `max`; -1 for a bad address, -2 when there is no 0 within `max` bytes. */
  stringLength(va: number, max: number): number {
    let length = 0;
    while (length < max) {
      const pa = this.piece(va + length, max - length, false);
      if (pa < 0) return -1;
      const zero = this.u8.indexOf(0, pa);
      if (zero >= 0 && zero < pa + this.pieceBytes) return length + zero - pa;
      length += this.pieceBytes;
    }
    return -2;
  }

  /** The C string at `va`; undefined for a bad address, or when it has more than `max` bytes. */
  string(va: number, max: number): string | undefined {
    const length = this.stringLength(va, max);
    if (length < 0) return undefined;
    const pa = this.piece(va, length, false);
    if (pa >= 0 && this.pieceBytes === length) return bytesToText(this.u8, pa, length);
    const bytes = this.bytes(va, length);
    return bytes === undefined ? undefined : bytesToText(bytes);
  }

  // ---- scalars ------------------------------------------------------------------------------------------------------

  /** -1 for a bad address: for values that are never negative. */
  u32(va: number): number {
    const pa = this.in(va, 4);
    return pa < 0 ? -1 : this.data.getUint32(pa, true);
  }

  /** Unsigned; exact below 2^53. NaN for a bad address. */
  u64(va: number): number {
    const pa = this.in(va, 8);
    return pa < 0 ? NaN : getU64(this.data, pa);
  }

  i64(va: number): number {
    const pa = this.in(va, 8);
    return pa < 0 ? NaN : getI64(this.data, pa);
  }

  putU32(va: number, value: number): boolean {
    const pa = this.out(va, 4);
    if (pa < 0) return false;
    this.data.setUint32(pa, value, true);
    this.done();
    return true;
  }

  putU64(va: number, value: number): boolean {
    const pa = this.out(va, 8);
    if (pa < 0) return false;
    putU64(this.data, pa, value);
    this.done();
    return true;
  }
}

const HALF = 0x1_0000_0000;

export function getU64(data: DataView, at: number): number {
  return data.getUint32(at, true) + data.getUint32(at + 4, true) * HALF;
}

export function getI64(data: DataView, at: number): number {
  return data.getUint32(at, true) + data.getInt32(at + 4, true) * HALF;
}

/** Any exact integer, negative ones in two's complement. */
export function putU64(data: DataView, at: number, value: number): void {
  if (value >= 0 && value < HALF) {
    data.setUint32(at, value, true);
    data.setUint32(at + 4, 0, true);
    return;
  }
  data.setUint32(at, value >>> 0, true);
  data.setUint32(at + 4, Math.floor(value / HALF) >>> 0, true);
}
