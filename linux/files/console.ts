import { CONSOLE_SERVICE, HOST_PD } from "../../roottask/protocol.ts";
import { E } from "../abi/errno.ts";
import type { HostMemory } from "../../hedron/api.ts";
import type { CurrentEc } from "../process/kernel_space.ts";
import { WaitQueue } from "../process/wait.ts";
import { textToBytes } from "../trace/text.ts";

/** The personality's access to the console service of roottask: standard streams of the host. */
export class Console {
  readonly #current: CurrentEc;
  readonly #memory: HostMemory;
  /** RAM for texts of the personality itself. */
  readonly #buffer: number;
  readonly #bufferBytes: number;
  /** Threads that wait for input. */
  readonly queue = new WaitQueue();
  /** Input was refused with EAGAIN and no event has come since. */
  dry = false;
  columns = 0;
  rows = 0;

  constructor(current: CurrentEc, memory: HostMemory, buffer: number, bufferBytes: number) {
    this.#current = current;
    this.#memory = memory;
    this.#buffer = buffer;
    this.#bufferBytes = bufferBytes;
  }

  #call(operation: number, a: number, b: number, c: number, d = 0): number {
    const { ec } = this.#current;
    const { utcb } = ec;
    utcb.set(0, operation);
    utcb.set(1, a);
    utcb.set(2, b);
    utcb.set(3, c);
    utcb.set(4, d);
    utcb.untyped = 5;
    utcb.typed = 0;
    if (ec.call(HOST_PD.CONSOLE) !== 0) return -E.EIO;
    utcb.typed = 0;
    return utcb.get(0);
  }

  /** Writes RAM [pa, pa+bytes) to fd 1 or 2 of the host, on behalf of process `pid` (0: the personality itself). */
  write(fd: number, pa: number, bytes: number, pid = 0): number {
    return this.#call(CONSOLE_SERVICE.WRITE, fd, pa, bytes, pid);
  }

  /** Bytes read, 0 at end of file, -EAGAIN when nothing has arrived. */
  read(pa: number, bytes: number): number {
    const got = this.#call(CONSOLE_SERVICE.READ, pa, bytes, 0);
    this.dry = got === -E.EAGAIN;
    return got;
  }

  /** Was stream `fd` closed when Hedra started? */
  isClosed(fd: number): boolean {
    return this.#call(CONSOLE_SERVICE.INFO, fd, 0, 0) === 2;
  }

  /** Is stream `fd` a terminal? Updates `columns` and `rows`. */
  isTerminal(fd: number): boolean {
    const is = this.#call(CONSOLE_SERVICE.INFO, fd, 0, 0) === 1;
    const { utcb } = this.#current.ec;
    this.columns = is ? utcb.get(1) : 0;
    this.rows = is ? utcb.get(2) : 0;
    return is;
  }

  setRaw(raw: boolean): void {
    this.#call(CONSOLE_SERVICE.MODE, raw ? 1 : 0, 0, 0);
  }

  /** The personality's own messages, on stderr. */
  print(text: string): void {
    this.#send(2, textToBytes(text));
  }

  /** Echo of the terminal. */
  show(bytes: Uint8Array): void {
    this.#send(1, bytes);
  }

  #send(fd: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.#bufferBytes) {
      const part = bytes.subarray(at, at + this.#bufferBytes);
      this.#memory.u8.set(part, this.#buffer);
      this.write(fd, this.#buffer, part.length);
    }
  }
}
