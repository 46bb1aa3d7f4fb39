import type { PortDevice } from "./bus.ts";
import { type ByteSink, LineBuffer } from "./line_buffer.ts";

/** Port of the debug console of Bochs and QEMU. */
export const DEBUG_CONSOLE_PORT = 0xe9;

/** One port: what is written is printed, and reading gives the port's number, by which software finds the device. */
export class DebugConsole implements PortDevice {
  readonly base = DEBUG_CONSOLE_PORT;
  readonly count = 1;
  readonly #out: LineBuffer;
  constructor(sink: ByteSink) {
    this.#out = new LineBuffer(sink);
  }

  readByte(): number {
    return DEBUG_CONSOLE_PORT;
  }

  writeByte(_offset: number, value: number): void {
    this.#out.put(value);
  }

  flush(): void {
    this.#out.flush();
  }
}
