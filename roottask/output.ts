/** Where the output of all processes goes: as it comes, or line by line with the name of the process in front. */
import type { Host } from "../host/api.ts";

export type Stream = 1 | 2;
export type OutputStyle = { style: "raw" } | { style: "prefixed"; colour: boolean };

export interface Speaker {
  readonly pid: number;
  readonly name: string;
}

/** ANSI foreground colours that are readable on dark and light grounds: cyan, green, yellow, magenta, blue. */
const COLOURS = [36, 32, 33, 35, 34] as const;
const NEWLINE = 0x0a;
/** A line longer than this is printed in pieces. */
const MAX_LINE = 4096;

export class Output {
  /** Unfinished lines by process and stream. */
  private readonly lines = new Map<string, number[]>();

  constructor(private readonly host: Host, private readonly style: OutputStyle) {}

  /** Number of bytes, or -errno. */
  write(from: Speaker, stream: Stream, bytes: Uint8Array): number {
    if (this.style.style === "raw") return this.sink(stream).write(bytes);
    const key = `${from.pid}:${stream}`;
    let line = this.lines.get(key);
    if (line === undefined) this.lines.set(key, line = []);
    for (const byte of bytes) {
      line.push(byte);
      if (byte !== NEWLINE && line.length < MAX_LINE) continue;
      const status = this.print(from, stream, line);
      line.length = 0;
      if (status < 0) return status;
    }
    return bytes.length;
  }

  /** Prints what the process has left without a newline. */
  ended(process: Speaker): void {
    for (const stream of [1, 2] as const) {
      const key = `${process.pid}:${stream}`, line = this.lines.get(key);
      if (line !== undefined && line.length > 0) this.print(process, stream, line);
      this.lines.delete(key);
    }
  }

  private print(from: Speaker, stream: Stream, line: number[]): number {
    const label = `[${from.name} ${from.pid}]`;
    const colour = this.style.style === "prefixed" && this.style.colour ? COLOURS[from.pid % COLOURS.length] : undefined;
    const prefix = new TextEncoder().encode(colour === undefined ? `${label} ` : `\x1b[${colour}m${label}\x1b[0m `);
    const hasEnd = line[line.length - 1] === NEWLINE;
    const text = new Uint8Array(prefix.length + line.length + (hasEnd ? 0 : 1));
    text.set(prefix);
    text.set(line, prefix.length);
    if (!hasEnd) text[text.length - 1] = NEWLINE;
    return this.sink(stream).write(text);
  }

  private sink(stream: Stream) {
    return stream === 1 ? this.host.stdout : this.host.stderr;
  }

  /** A message of roottask itself, one line on stderr. */
  message(text: string): void {
    this.host.stderr.write(new TextEncoder().encode(`hedra: ${text}\n`));
  }
}
