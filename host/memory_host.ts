/** A host without an outside: standard input from memory, output captured. For tests, benchmarks and embedding. */
import type { Host, HostInput, HostOutput } from "./api.ts";
import { EPIPE } from "./errno.ts";
import { WakeUp } from "./wake_up.ts";

export interface MemoryHostOptions {
  /** What stands in standard input at the start. */
  stdin?: string | Uint8Array;
  /** More input comes by `feed`; otherwise it ends after `stdin`. */
  keepOpen?: boolean;
  /** Makes all three streams a terminal of this size. */
  terminal?: { columns: number; rows: number };
}

export class MemoryHost implements Host {
  readonly stdin: MemoryInput;
  readonly stdout: MemoryOutput;
  readonly stderr: MemoryOutput;
  private readonly events = new WakeUp();

  constructor(options: MemoryHostOptions = {}) {
    this.stdin = new MemoryInput(this.events, options);
    this.stdout = new MemoryOutput(options.terminal);
    this.stderr = new MemoryOutput(options.terminal);
  }

  now(): number {
    return Math.round(performance.now() * 1e6);
  }
  wallClock(): [number, number] {
    const ms = Date.now();
    return [Math.floor(ms / 1000), ms % 1000 * 1e6];
  }
  random(out: Uint8Array): void {
    crypto.getRandomValues(new Uint8Array(out.buffer, out.byteOffset, out.length) as Uint8Array<ArrayBuffer>);
  }
  idle(deadline: number): Promise<void> {
    return this.events.wait((deadline - this.now()) / 1e6);
  }
  wake(): void {
    this.events.wake();
  }
}

const bytesOf = (data: string | Uint8Array): Uint8Array => typeof data === "string" ? new TextEncoder().encode(data) : data;

export class MemoryInput implements HostInput {
  onReady: (() => void) | undefined;
  readonly isTerminal: boolean;
  private bytes: Uint8Array;
  private ended: boolean;

  constructor(private readonly events: WakeUp, options: MemoryHostOptions) {
    this.bytes = bytesOf(options.stdin ?? "");
    this.ended = options.keepOpen !== true;
    this.isTerminal = options.terminal !== undefined;
  }

  take(into: Uint8Array): number | undefined {
    if (this.bytes.length === 0) return this.ended || into.length === 0 ? 0 : undefined;
    const part = this.bytes.subarray(0, into.length);
    into.set(part);
    this.bytes = this.bytes.subarray(part.length);
    return part.length;
  }

  feed(data: string | Uint8Array): void {
    const more = bytesOf(data), joined = new Uint8Array(this.bytes.length + more.length);
    joined.set(this.bytes);
    joined.set(more, this.bytes.length);
    this.bytes = joined;
    this.signal();
  }

  end(): void {
    this.ended = true;
    this.signal();
  }

  private signal(): void {
    this.onReady?.();
    this.events.wake();
  }
}

export class MemoryOutput implements HostOutput {
  private readonly chunks: Uint8Array[] = [];
  private closed = false;
  readonly isTerminal: boolean;

  constructor(private readonly terminal: { columns: number; rows: number } | undefined) {
    this.isTerminal = terminal !== undefined;
  }

  write(bytes: Uint8Array): number {
    if (this.closed) return -EPIPE;
    this.chunks.push(bytes.slice());
    return bytes.length;
  }
  size(): { columns: number; rows: number } | undefined {
    return this.terminal;
  }
  /** The reader goes away: writes give EPIPE from now on. */
  close(): void {
    this.closed = true;
  }
  get bytes(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }
  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}
