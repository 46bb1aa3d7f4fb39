/** Guest memory access beside the fast paths of generated code: TLB fills, page crossings, faults, watched code pages. */
import type { Ram } from "./api.ts";
import type { CodeMap } from "./code_map.ts";
import {
  CTL_CELLS,
  CTL_CODE_KILLED,
  CTL_ERROR,
  CTL_SPACE,
  CTL_VECTOR,
  JUMP_CACHE,
  leftInPage,
  PAGE,
  PAGE_SHIFT,
  SCRATCH,
  TLB,
  USER_RAM,
  VEC,
} from "./layout.ts";
import type { Space } from "./mmu.ts";
import { QuickTlb } from "./quick_tlb.ts";
import { CONTINUES_READ, CONTINUES_WRITE, JUMP_ENTRIES, JUMP_ENTRY, TLB_ENTRIES, TLB_ENTRY } from "./runtime.ts";
import { type Extent, RIGHT_W } from "./space.ts";

/** Page-fault error code bits, Intel SDM vol. 3, 4.7. */
export const PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_FETCH = 16;

/** Thrown by `translate` (never crosses WebAssembly frames that hold state); the fault is in CTL_VECTOR, CTL_ERROR, `faultAddress`. */
export class GuestFault {}

const MAX_ASID = 4095;
const USER_LIMIT_HI = 0x8000;
const SPLIT = SCRATCH;

export class Access {
  space!: Space;
  /** CR2 of the pending page fault; the upper half of the address space as negative numbers. */
  faultAddress = 0;
  /** The pending #GP comes from a non-canonical address; whoever reports it clears this. */
  nonCanonical = false;
  /** What translated code looks at first. */
  readonly quick: QuickTlb;
  readonly #asids = new Map<Space, number>();
  #nextAsid = 1;
  #splitVa = 0;
  #splitBytes = 0;
  readonly #fault = new GuestFault();

  constructor(private readonly ram: Ram, private readonly code: CodeMap) {
    this.quick = new QuickTlb(ram);
  }

  /** See CTL_CODE_KILLED. */
  get codeKilled(): boolean {
    return this.ram.i32[CTL_CODE_KILLED >> 2] !== 0;
  }
  set codeKilled(killed: boolean) {
    this.ram.i32[CTL_CODE_KILLED >> 2] = killed ? 1 : 0;
  }

  /** Makes `space` the one that generated code works in. */
  select(space: Space): void {
    let asid = this.#asids.get(space);
    if (asid === undefined) {
      if (this.#nextAsid > MAX_ASID) {
        this.flush();
        this.#asids.clear();
        this.#nextAsid = 1;
      }
      asid = this.#nextAsid++;
      this.#asids.set(space, asid);
    }
    this.space = space;
    this.quick.flush();
    this.ram.i32[CTL_SPACE >> 2] = asid;
    this.ram.i32[CTL_CELLS >> 2] = space.cells;
  }
  /** Makes what TLB and jump cache know about the space void. */
  renew(space: Space): void {
    this.#asids.delete(space);
    if (this.space === space) this.select(space);
  }
  /** The id that tags TLB and jump-cache entries of a space, if it has one now. */
  asidOf(space: Space): number | undefined {
    return this.#asids.get(space);
  }
  release(space: Space): void {
    this.#asids.delete(space);
  }

  /** Empties TLB and jump cache. */
  flush(): void {
    this.ram.u8.fill(0, TLB, TLB + TLB_ENTRIES * TLB_ENTRY);
    this.ram.u8.fill(0, JUMP_CACHE, JUMP_CACHE + JUMP_ENTRIES * JUMP_ENTRY);
  }
  /** Drops TLB entries of pages in [from, to), and of the page before, of all spaces. */
  flushRange(from: number, to: number): void {
    const first = Math.floor(from / PAGE) - 1, count = Math.ceil(to / PAGE) - first;
    this.quick.flushPages(first, count);
    if (count >= TLB_ENTRIES) {
      this.ram.u8.fill(0, TLB, TLB + TLB_ENTRIES * TLB_ENTRY);
      return;
    }
    for (let n = 0; n < count; n++) {
      const at = (TLB + ((first + n) & (TLB_ENTRIES - 1)) * TLB_ENTRY) >> 2;
      this.ram.i32.fill(0, at, at + 4);
    }
  }

  /** Something has been mapped from `va` on: the page before may go on there now. */
  mapped(va: number): void {
    this.flushRange(va, va);
  }

  // ---- slow paths of generated code: a linear address, or -1 with a pending fault

  readonly slowRead = (lo: number, hi: number, bytes: number): number => {
    const pa = this.#resolve(lo, hi, bytes, false);
    if (pa !== SPLIT) return pa;
    this.#gather();
    return pa;
  };
  readonly slowWrite = (lo: number, hi: number, bytes: number): number => {
    const pa = this.#resolve(lo, hi, bytes, true);
    if (pa !== SPLIT) return pa;
    this.#gather();
    return pa;
  };
  readonly slowRegionRead = (lo: number, hi: number, bytes: number): number => {
    const va = (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
    return this.contiguous(va, bytes, false) === -1 ? -1 : this.slowRead(lo, hi, bytes);
  };
  readonly slowRegionWrite = (lo: number, hi: number, bytes: number): number => {
    const va = (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
    const e = this.#extent(va);
    if (!e || va + bytes > e.end || this.code.isCodePage((e.pa + (va - e.start)) >>> PAGE_SHIFT)) return -1;
    if (this.code.isCodePage((e.pa + (va + bytes - 1 - e.start)) >>> PAGE_SHIFT)) return -1;
    return this.slowWrite(lo, hi, bytes);
  };
  readonly splitDone = (): void => {
    this.storeBytes(this.#splitVa, this.ram.u8.subarray(SPLIT, SPLIT + this.#splitBytes));
  };

  #gather(): void {
    this.loadBytes(this.#splitVa, this.ram.u8.subarray(SPLIT, SPLIT + this.#splitBytes));
  }

  #resolve(lo: number, hi: number, bytes: number, write: boolean): number {
    const va = (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0);
    if ((hi >>> 0) >= USER_LIMIT_HI) {
      // The upper half as negative numbers: exact.
      this.#refuse((hi | 0) * 0x1_0000_0000 + (lo >>> 0), hi >>> 0, write);
      return -1;
    }
    const pa = this.#page(va, bytes, write);
    if (pa < 0) return -1;
    const inPage = leftInPage(va);
    if (bytes <= inPage) return pa;
    const second = this.#page(va + inPage, bytes - inPage, write);
    if (second < 0) return -1;
    if (second === pa + inPage) return pa;
    this.#splitVa = va;
    this.#splitBytes = bytes;
    return SPLIT;
  }

  /** Physical address of `va` if its page allows the access; fills the TLB; -1 with a pending fault. */
  #page(va: number, bytes: number, write: boolean): number {
    const e = this.#extent(va);
    if (!e) return this.#pageFault(va, write, false);
    if (write && !(e.rights & RIGHT_W)) return this.#pageFault(va, write, true);
    const pa = e.pa + (va - e.start);
    const page = pa >>> PAGE_SHIFT, isCode = this.code.isCodePage(page);
    if (write && isCode) this.#codeWrite(pa, bytes);
    const { i32 } = this.ram;
    const at = (TLB + (Math.floor(va / PAGE) % TLB_ENTRIES) * TLB_ENTRY) >> 2;
    const tagLo = (va & ~0xfff) | i32[CTL_SPACE >> 2], tagHi = Math.floor(va / 0x1_0000_0000);
    i32[at] = tagLo;
    i32[at + 1] = tagHi;
    const writable = e.rights & RIGHT_W && !isCode;
    i32[at + 2] = writable ? tagLo : 0;
    i32[at + 3] = writable ? tagHi : 0;
    i32[at + 4] = pa - va | 0;
    i32[at + 5] = this.#continues(va - va % PAGE + PAGE, pa - pa % PAGE + PAGE);
    this.quick.reserve();
    return pa;
  }
  /** What the page at `va` allows (CONTINUES_*) if it lies at `pa`, behind another one of guests' RAM. */
  #continues(va: number, pa: number): number {
    const e = va < 2 ** 47 && pa > USER_RAM ? this.space.find(va) : undefined;
    if (!e || e.pa + (va - e.start) !== pa) return 0;
    return CONTINUES_READ | (e.rights & RIGHT_W && !this.code.isCodePage(pa >>> PAGE_SHIFT) ? CONTINUES_WRITE : 0);
  }
  #codeWrite(pa: number, bytes: number): void {
    if (this.code.written(pa, Math.min(bytes, PAGE - pa % PAGE))) this.codeKilled = true;
  }

  #pageFault(va: number, write: boolean, present: boolean): -1 {
    this.ram.i32[CTL_VECTOR >> 2] = VEC.PF;
    this.ram.i32[CTL_ERROR >> 2] = PF_USER | (write ? PF_WRITE : 0) | (present ? PF_PRESENT : 0);
    this.faultAddress = va;
    return -1;
  }
  /** Addresses outside the user half: #PF in the kernel half, #GP when not canonical. */
  #refuse(va: number, hi: number, write: boolean): void {
    if (hi >= 0xffff_8000) {
      this.#pageFault(va, write, true);
      return;
    }
    this.nonCanonical = true;
    this.ram.i32[CTL_VECTOR >> 2] = VEC.GP;
    this.ram.i32[CTL_ERROR >> 2] = 0;
  }

  // ---- access by JavaScript (helpers, instruction fetch): addresses are signed 64-bit numbers, exact where they are canonical

  #extent(va: number): Extent | undefined {
    return va >= 0 && va < 2 ** 47 ? this.space.find(va) : undefined;
  }
  /** Physical address for an access within one page; throws GuestFault. */
  translate(va: number, bytes: number, write: boolean): number {
    const pa = this.#resolve(va >>> 0, Math.floor(va / 0x1_0000_0000), bytes, write);
    if (pa === -1) throw this.#fault;
    return pa;
  }
  /** Linear address at which `bytes` bytes of `va` can be read, across pages too; throws GuestFault. */
  readAt(va: number, bytes: number): number {
    const at = this.slowRead(va >>> 0, Math.floor(va / 0x1_0000_0000), bytes);
    if (at === -1) throw this.#fault;
    return at;
  }
  /** Bytes from `va` that are physically contiguous and allow the access, at most `limit`; 0 when none (no fault is raised). */
  run(va: number, limit: number, write: boolean): number {
    const e = this.#extent(va);
    if (!e || (write && !(e.rights & RIGHT_W))) return 0;
    return Math.min(limit, e.end - va);
  }
  /** Physical address of `va` when all of [va, va+bytes) is contiguous and allows the access, else -1 (nothing raised). */
  contiguous(va: number, bytes: number, write: boolean): number {
    const e = this.#extent(va);
    return e && va + bytes <= e.end && (!write || e.rights & RIGHT_W) ? e.pa + (va - e.start) : -1;
  }
  loadBytes(va: number, into: Uint8Array): void {
    this.#pieces(va, into.length, false, (pa, at, n) => into.set(this.ram.u8.subarray(pa, pa + n), at));
  }
  storeBytes(va: number, from: Uint8Array): void {
    this.#pieces(va, from.length, true, (pa, at, n) => this.ram.u8.set(from.subarray(at, at + n), pa));
  }
  #pieces(va: number, length: number, write: boolean, use: (pa: number, at: number, n: number) => void): void {
    const found: [number, number, number][] = [];
    for (let at = 0; at < length;) {
      const n = Math.min(length - at, leftInPage(va + at));
      found.push([this.translate(va + at, n, write), at, n]);
      at += n;
    }
    for (const [pa, at, n] of found) use(pa, at, n);
  }
  /** Raises the fault that writing to [va, va + bytes) would raise; less than a page. */
  checkWrite(va: number, bytes: number): void {
    const first = Math.min(bytes, leftInPage(va));
    this.translate(va, first, true);
    if (first < bytes) this.translate(va + first, bytes - first, true);
  }
  codeWritten(pa: number, length: number): void {
    if (this.code.written(pa, length)) this.codeKilled = true;
  }
  raise(vector: number, errorCode: number, address = 0): never {
    this.ram.i32[CTL_VECTOR >> 2] = vector;
    this.ram.i32[CTL_ERROR >> 2] = errorCode;
    this.faultAddress = address;
    throw this.#fault;
  }
}
