import { SIGNAL_EXIT_BASE, SIGPIPE } from "./errors.ts";

const encoder = new TextEncoder();

/** Writes all of `text`. When the reader of stdout has gone, the command ends as one killed by SIGPIPE would; lost stderr is lost. */
export function print(to: "stdout" | "stderr", text: string): void {
  const bytes = encoder.encode(text);
  const stream = Deno[to];
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch {
    if (to === "stdout") Deno.exit(SIGNAL_EXIT_BASE + SIGPIPE);
  }
}

/** May text on this stream be coloured? NO_COLOR (https://no-color.org) forbids it. */
export const mayColor = (to: "stdout" | "stderr"): boolean => !Deno.noColor && Deno[to].isTerminal();

/** Width of the terminal; 100 columns when there is none. */
export function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 100;
  }
}
