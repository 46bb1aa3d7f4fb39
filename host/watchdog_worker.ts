/** The thread of watchdog.ts. It says nothing: a message could hang in the same pipe. */

/** What the main thread sends once. */
export interface Order {
  afterMs: number;
  exitCode: number;
}

const LIBRARIES: Partial<Record<typeof Deno.build.os, readonly [library: string, exit: "_exit" | "ExitProcess"]>> = {
  linux: ["libc.so.6", "_exit"],
  darwin: ["libSystem.dylib", "_exit"],
  windows: ["kernel32.dll", "ExitProcess"],
};

/** In a worker Deno.exit() ends the worker only. */
function endProcess(exitCode: number): void {
  const found = LIBRARIES[Deno.build.os];
  try {
    if (found !== undefined) {
      const [library, name] = found;
      Deno.dlopen(library, { [name]: { parameters: ["i32"], result: "void" } }).symbols[name](exitCode);
    }
  } catch {
    // Without permission for libraries, or on musl, the exit code must be another one.
  }
  Deno.kill(Deno.pid, "SIGKILL");
}

self.addEventListener("message", (event) => {
  if (!(event instanceof MessageEvent)) return;
  const { afterMs, exitCode }: Order = event.data;
  setTimeout(() => endProcess(exitCode), afterMs);
});
