/** The real host: Deno's standard streams, clocks and entropy. */
import type { Prebuilt } from "../cpu/api.ts";
import type { Host, HostInput, HostOutput } from "./api.ts";
import { errnoOf } from "./deno_errors.ts";
import { EAGAIN } from "./errno.ts";
import { WakeUp } from "./wake_up.ts";

export interface DenoHost extends Host {
  /** A host event has happened that the machine should look at (for example a signal): ends `idle`. */
  wake(): void;
}

export function denoHost(): DenoHost {
  const events = new WakeUp();
  // Date.now() has milliseconds only; the monotonic clock fills in the rest as long as both agree.
  let origin = Date.now() - performance.now();
  return {
    now: () => Math.round(performance.now() * 1e6),
    wallClock() {
      let ms = origin + performance.now();
      const date = Date.now();
      if (Math.abs(ms - date) > 2) {
        origin += date - ms;
        ms = date;
      }
      const whole = Math.floor(ms / 1000);
      return [whole, Math.min(999_999_999, Math.floor((ms - whole * 1000) * 1e6))];
    },
    random: (out) =>
      void crypto.getRandomValues(new Uint8Array(out.buffer, out.byteOffset, out.length) as Uint8Array<ArrayBuffer>),
    prebuilt,
    stdin: new DenoInput(events),
    stdout: new DenoOutput(Deno.stdout, 1),
    stderr: new DenoOutput(Deno.stderr, 2),
    idle: (deadline) => events.wait((deadline - Math.round(performance.now() * 1e6)) / 1e6),
    wake: () => events.wake(),
  };
}

/** The modules of cpu/prebuilt/; undefined where they are missing. */
function prebuilt(): Prebuilt | undefined {
  try {
    const read = (name: string) => Deno.readFileSync(new URL(`../cpu/prebuilt/${name}`, import.meta.url));
    return { runtime: read("runtime.wasm"), handlers: read("handlers.wasm") };
  } catch {
    return undefined;
  }
}

/**
 * Was a standard stream closed when Deno started? Its runtime then opens /dev/null for reading and writing there, which shells never do
 * (they open it for one of both). Only Linux tells.
 */
function wasClosed(fd: number): boolean {
  const O_ACCMODE = 3, O_RDWR = 2;
  try {
    if (Deno.readLinkSync(`/proc/self/fd/${fd}`) !== "/dev/null") return false;
    const flags = /^flags:\s*([0-7]+)/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`))?.[1] ?? "0";
    return (parseInt(flags, 8) & O_ACCMODE) === O_RDWR;
  } catch {
    return false;
  }
}

/** Bytes read ahead at most. */
const AHEAD = 64 << 10;

class DenoInput implements HostInput {
  onReady: (() => void) | undefined;
  readonly isTerminal = Deno.stdin.isTerminal();
  get isClosed(): boolean {
    return wasClosed(0);
  }
  private readonly chunks: Uint8Array[] = [];
  private buffered = 0;
  private reading = false;
  private ended = false;

  constructor(private readonly events: WakeUp) {}

  take(into: Uint8Array): number | undefined {
    let count = 0;
    while (count < into.length && this.chunks.length > 0) {
      const chunk = this.chunks[0], part = chunk.subarray(0, into.length - count);
      into.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(part.length);
    }
    this.buffered -= count;
    this.readAhead();
    if (count > 0 || into.length === 0) return count;
    return this.ended ? 0 : undefined;
  }

  setRaw(raw: boolean): void {
    if (this.isTerminal) Deno.stdin.setRaw(raw);
  }

  private readAhead(): void {
    if (this.reading || this.ended || this.buffered >= AHEAD) return;
    this.reading = true;
    const buffer = new Uint8Array(16 << 10);
    Deno.stdin.read(buffer).then((count) => this.arrived(buffer, count), () => this.arrived(buffer, null));
  }

  private arrived(buffer: Uint8Array, count: number | null): void {
    this.reading = false;
    if (count === null) this.ended = true;
    else if (count > 0) {
      this.chunks.push(buffer.subarray(0, count));
      this.buffered += count;
    }
    if (!this.ended) this.readAhead();
    this.onReady?.();
    this.events.wake();
  }
}

interface Sink {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** One word to sleep on while a non-blocking pipe is full. */
const pause = new Int32Array(new SharedArrayBuffer(4));
const PAUSE_MS = 1;

class DenoOutput implements HostOutput {
  readonly isTerminal: boolean;
  constructor(private readonly sink: Sink, private readonly fd: number) {
    this.isTerminal = sink.isTerminal();
  }

  get isClosed(): boolean {
    return wasClosed(this.fd);
  }

  write(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length;) {
      try {
        at += this.sink.writeSync(bytes.subarray(at));
      } catch (error) {
        const status = errnoOf(error);
        if (status !== -EAGAIN) return status;
        Atomics.wait(pause, 0, 0, PAUSE_MS);
      }
    }
    return bytes.length;
  }

  size(): { columns: number; rows: number } | undefined {
    if (!this.isTerminal) return undefined;
    try {
      return Deno.consoleSize();
    } catch {
      return undefined;
    }
  }
}
