/** postcard 0.7 (ABI 10.8): fixed-width little-endian integers, LEB128 varints for variants and lengths, no padding. */

/** Reads one message. Reading past its end gives zeros and sets `failed`. */
export class Reader {
  failed = false;
  private at = 0;
  private readonly data: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private room(count: number): boolean {
    if (this.at + count <= this.bytes.length) return true;
    this.failed = true;
    return false;
  }

  u8(): number {
    return this.room(1) ? this.bytes[this.at++] : 0;
  }
  u16(): number {
    return this.room(2) ? this.data.getUint16((this.at += 2) - 2, true) : 0;
  }
  u32(): number {
    return this.room(4) ? this.data.getUint32((this.at += 4) - 4, true) : 0;
  }
  i32(): number {
    return this.u32() | 0;
  }
  /** Inexact above 2^53; such sizes and addresses are never valid. */
  u64(): number {
    const low = this.u32();
    return this.u32() * 2 ** 32 + low;
  }
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }
  /** A byte sequence or string: a view into the message. */
  sequence(): Uint8Array {
    const length = this.varint();
    if (!this.room(length)) return this.bytes.subarray(0, 0);
    return this.bytes.subarray(this.at, this.at += length);
  }
}
