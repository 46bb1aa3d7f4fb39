/** The binary encoding of numbers and names (WebAssembly core specification, section 5.2). */

/** Growing byte buffer with LEB128 writers. */
export class Bytes {
  buf: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(size = 256) {
    this.buf = new Uint8Array(size);
  }

  byte(b: number): void {
    if (this.length === this.buf.length) this.#grow(1);
    this.buf[this.length++] = b;
  }
  bytes(b: Uint8Array): void {
    if (this.length + b.length > this.buf.length) this.#grow(b.length);
    this.buf.set(b, this.length);
    this.length += b.length;
  }
  /** Unsigned, up to 2^32 - 1. */
  u32(n: number): void {
    while (n >= 0x80) {
      this.byte((n & 0x7f) | 0x80);
      n = n >>> 7;
    }
    this.byte(n);
  }
  /** Unsigned, below 2^53: two numbers. Not of WebAssembly. */
  u64(n: number): void {
    this.u32(n >>> 0);
    this.u32(Math.floor(n / 0x1_0000_0000));
  }
  s32(n: number): void {
    for (;;) {
      const b = n & 0x7f;
      n >>= 7;
      if ((n === 0 && (b & 0x40) === 0) || (n === -1 && (b & 0x40) !== 0)) return this.byte(b);
      this.byte(b | 0x80);
    }
  }
  /** A signed value; numbers must be safe integers. */
  s64(n: number | bigint): void {
    if (typeof n === "bigint") return this.#big64(n);
    if (n >= -0x8000_0000 && n < 0x8000_0000) return this.s32(n);
    // More than 32 bits: 28 of the low half, then what is left of it together with the high half.
    const low = n >>> 0, high = Math.floor(n / 0x1_0000_0000);
    for (let shift = 0; shift < 28; shift += 7) this.byte((low >>> shift) & 0x7f | 0x80);
    const b = low >>> 28 | (high & 7) << 4, rest = high >> 3;
    if ((rest === 0 && (b & 0x40) === 0) || (rest === -1 && (b & 0x40) !== 0)) return this.byte(b);
    this.byte(b | 0x80);
    this.s32(rest);
  }
  #big64(n: bigint): void {
    for (;;) {
      const b = Number(n & 0x7fn);
      n >>= 7n;
      if ((n === 0n && (b & 0x40) === 0) || (n === -1n && (b & 0x40) !== 0)) return this.byte(b);
      this.byte(b | 0x80);
    }
  }
  /** ASCII only. */
  name(s: string): void {
    this.u32(s.length);
    for (let i = 0; i < s.length; i++) this.byte(s.charCodeAt(i));
  }
  /** Wasm opcode number in the notation of the tables: one byte, or 0xfcNN, or 0xfdNNN. */
  opcode(op: number): void {
    if (op < 0x100) return this.byte(op);
    const prefixed = op >= 0xfd000;
    this.byte(prefixed ? 0xfd : 0xfc);
    this.u32(prefixed ? op - 0xfd000 : op - 0xfc00);
  }
  view(): Uint8Array<ArrayBuffer> {
    return this.buf.subarray(0, this.length);
  }
  #grow(need: number): void {
    const next = new Uint8Array(Math.max(this.buf.length * 2, this.length + need));
    next.set(this.view());
    this.buf = next;
  }
}

/** Reads what `Bytes` has written; throws a RangeError beyond the end. */
export class Reader {
  #at = 0;
  constructor(private readonly buf: Uint8Array) {}

  byte(): number {
    if (this.#at >= this.buf.length) throw new RangeError("Data end too early");
    return this.buf[this.#at++];
  }
  u32(): number {
    let n = 0;
    for (let shift = 0;; shift += 7) {
      const b = this.byte();
      n |= (b & 0x7f) << shift;
      if (b < 0x80) return n >>> 0;
    }
  }
  u64(): number {
    return this.u32() + this.u32() * 0x1_0000_0000;
  }
  s64(): number {
    let n = 0, scale = 1;
    for (;;) {
      const b = this.byte();
      n += (b & 0x7f) * scale;
      scale *= 128;
      if (b < 0x80) return b & 0x40 ? n - scale : n;
    }
  }
  /** A count, and so many items. */
  list<T>(read: () => T): T[] {
    const out: T[] = [];
    for (let left = this.u32(); left > 0; left--) out.push(read());
    return out;
  }
  /** The next bytes, not copied. */
  take(length: number): Uint8Array {
    if (this.#at + length > this.buf.length) throw new RangeError("Data end too early");
    return this.buf.subarray(this.#at, this.#at += length);
  }
}
