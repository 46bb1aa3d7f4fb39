/** sigset_t of the kernel ABI: 64 bits, signal n at bit n-1, as two halves of unsigned 32 bits. Mutable, so that none is allocated per call. */
export class SigSet {
  lo = 0;
  hi = 0;

  has(signal: number): boolean {
    return signal <= 32 ? (this.lo >>> (signal - 1) & 1) !== 0 : (this.hi >>> (signal - 33) & 1) !== 0;
  }

  add(signal: number): void {
    if (signal <= 32) this.lo = (this.lo | 1 << (signal - 1)) >>> 0;
    else this.hi = (this.hi | 1 << (signal - 33)) >>> 0;
  }

  remove(signal: number): void {
    if (signal <= 32) this.lo = (this.lo & ~(1 << (signal - 1))) >>> 0;
    else this.hi = (this.hi & ~(1 << (signal - 33))) >>> 0;
  }

  set(lo: number, hi: number): void {
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
  }

  copy(from: SigSet): void {
    this.lo = from.lo;
    this.hi = from.hi;
  }

  get empty(): boolean {
    return this.lo === 0 && this.hi === 0;
  }

  /** The lowest signal in this set and not in `mask`, 0 when there is none. */
  first(mask: SigSet): number {
    const lo = this.lo & ~mask.lo;
    if (lo !== 0) return 32 - Math.clz32(lo & -lo);
    const hi = this.hi & ~mask.hi;
    return hi === 0 ? 0 : 64 - Math.clz32(hi & -hi);
  }
}
