/** Where a device's output goes. */
export interface ByteSink {
  write(bytes: Uint8Array): number;
}

const CAPACITY = 4096, NEWLINE = 0x0a;

/** Collects single bytes and passes them on in lines, or in pieces of 4 KiB, because a host write costs microseconds. */
export class LineBuffer {
  readonly #bytes = new Uint8Array(CAPACITY);
  #length = 0;
  constructor(private readonly sink: ByteSink) {}

  put(byte: number): void {
    this.#bytes[this.#length++] = byte;
    if (byte === NEWLINE || this.#length === CAPACITY) this.flush();
  }

  flush(): void {
    if (this.#length === 0) return;
    this.sink.write(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
  }
}
