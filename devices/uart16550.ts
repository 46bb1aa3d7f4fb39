import type { PortDevice } from "./bus.ts";
import { type ByteSink, LineBuffer } from "./line_buffer.ts";

/** Register offsets (PC16550D data sheet, table II). With LCR bit 7 set, offsets 0 and 1 are the divisor latch. */
const DATA = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7;
const LCR_DIVISOR_LATCH = 0x80;
const FCR_ENABLE = 0x01, FCR_CLEAR_RECEIVER = 0x02;
const IIR_NONE = 0x01, IIR_FIFO = 0xc0;
const MCR_MASK = 0x1f, MCR_LOOPBACK = 0x10;
const LSR_DATA = 0x01, LSR_TRANSMITTER_EMPTY = 0x60;
/** Clear to send, data set ready, carrier detect: the other side is always there. */
const MSR_READY = 0xb0;
const FIFO_BYTES = 16;

/** Where received bytes come from: as `HostInput.take`. */
export interface ByteSource {
  take(into: Uint8Array): number | undefined;
}

/**
 * A 16550 serial port, polled: it sends at once, receives from the host's input, and has the loopback mode that drivers
 * test it with. Baud rate and format are stored without effect; it raises no interrupts.
 */
export class Uart16550 implements PortDevice {
  readonly count = 8;
  readonly #out: LineBuffer;
  readonly #received: number[] = [];
  readonly #chunk = new Uint8Array(FIFO_BYTES);
  #divisor = 0x0001;
  #ier = 0;
  #lcr = 0;
  #mcr = 0;
  #scratch = 0;
  #fifo = false;

  constructor(readonly base: number, sink: ByteSink, private readonly source?: ByteSource) {
    this.#out = new LineBuffer(sink);
  }

  readByte(offset: number): number {
    const latch = (this.#lcr & LCR_DIVISOR_LATCH) !== 0;
    switch (offset) {
      case DATA:
        return latch ? this.#divisor & 0xff : this.#receive();
      case IER:
        return latch ? this.#divisor >> 8 : this.#ier;
      case IIR_FCR:
        return IIR_NONE | (this.#fifo ? IIR_FIFO : 0);
      case LCR:
        return this.#lcr;
      case MCR:
        return this.#mcr;
      case LSR:
        this.#fill();
        return LSR_TRANSMITTER_EMPTY | (this.#received.length > 0 ? LSR_DATA : 0);
      case MSR:
        return this.#loopback ? this.#loopedModemStatus() : MSR_READY;
      default:
        return this.#scratch;
    }
  }

  writeByte(offset: number, value: number): void {
    const latch = (this.#lcr & LCR_DIVISOR_LATCH) !== 0;
    switch (offset) {
      case DATA:
        if (latch) this.#divisor = (this.#divisor & 0xff00) | value;
        else if (this.#loopback) this.#received.push(value);
        else this.#out.put(value);
        break;
      case IER:
        if (latch) this.#divisor = (this.#divisor & 0xff) | (value << 8);
        else this.#ier = value & 0x0f;
        break;
      case IIR_FCR:
        this.#fifo = (value & FCR_ENABLE) !== 0;
        if ((value & FCR_CLEAR_RECEIVER) !== 0) this.#received.length = 0;
        break;
      case LCR:
        this.#lcr = value;
        break;
      case MCR:
        this.#mcr = value & MCR_MASK;
        break;
      case SCRATCH:
        this.#scratch = value;
        break;
    }
  }

  flush(): void {
    this.#out.flush();
  }

  get #loopback(): boolean {
    return (this.#mcr & MCR_LOOPBACK) !== 0;
  }

  /** Loopback connects DTR to DSR, RTS to CTS, OUT1 to RI and OUT2 to DCD. */
  #loopedModemStatus(): number {
    const m = this.#mcr;
    return ((m & 1) << 5) | ((m & 2) << 3) | ((m & 4) << 4) | ((m & 8) << 4);
  }

  #receive(): number {
    this.#fill();
    return this.#received.shift() ?? 0;
  }

  #fill(): void {
    if (this.#received.length > 0 || this.#loopback) return;
    const n = this.source?.take(this.#chunk) ?? 0;
    for (let i = 0; i < n; i++) this.#received.push(this.#chunk[i]);
  }
}
