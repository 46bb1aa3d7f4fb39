/** Runs a program natively and under Hedra, to its end. Shared by the whole-system tests and the benchmarks. */
import assert from "node:assert/strict";

export const REPOSITORY = new URL("..", import.meta.url).pathname;
const decoder = new TextDecoder();

/** What a finished program leaves behind. `code` is the shell's: 128 + n after signal n. */
export interface Outcome {
  code: number;
  stdout: Uint8Array;
  stderr: Uint8Array;
}

export interface RunOptions {
  stdin?: Uint8Array | string;
  cwd?: string;
  /** Signal to send so many milliseconds after the start. */
  signal?: { name: Deno.Signal; afterMs: number };
  env?: Record<string, string>;
  /** Kills it and throws when it still runs; 120 s by default. */
  timeLimitMs?: number;
}

/** Guests get this environment unless told otherwise; native runs for comparison get the same. */
export const GUEST_ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/" };

/** Linux signal(7) numbers on x86-64. */
const SIGNALS: Partial<Record<Deno.Signal, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** Nothing of the machine under test should take longer; a hang is a failure, not an endless test. */
const TIME_LIMIT_MS = 120_000;

export const text = (bytes: Uint8Array): string => decoder.decode(bytes);
const bytesOf = (data: Uint8Array | string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(typeof data === "string" ? new TextEncoder().encode(data) : data);

/** Runs one program of the host to its end. */
export async function execute(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = new Deno.Command(command, {
    args: [...args],
    cwd: options.cwd,
    env: options.env,
    clearEnv: options.env !== undefined,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const limit = options.timeLimitMs ?? TIME_LIMIT_MS;
  const timers = [setTimeout(() => (late = true, child.kill("SIGKILL")), limit)];
  if (options.signal) timers.push(setTimeout((name) => child.kill(name), options.signal.afterMs, options.signal.name));
  const feeding = options.stdin === undefined ? undefined : feed(child.stdin, bytesOf(options.stdin));
  const { code, signal, stdout, stderr } = await child.output();
  await feeding;
  for (const timer of timers) clearTimeout(timer);
  assert.ok(!late, `${command} ${args.join(" ")}: still running after ${limit} ms; stderr: ${text(stderr)}`);
  return { code: signal === null ? code : 128 + (SIGNALS[signal] ?? 0), stdout, stderr };
}

/** A program may end without having read its input. */
async function feed(stream: WritableStream<Uint8Array>, data: Uint8Array): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(data);
    await writer.close();
  } catch {
    await writer.abort().catch(() => undefined);
  }
}

/** The command line that `hedra` stands for. */
export const HEDRA: readonly string[] = [Deno.execPath(), "run", "-A", `${REPOSITORY}main.ts`];

/** `hedra ARGS` as a process of its own. */
export const runHedra = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  execute(HEDRA[0], [...HEDRA.slice(1), ...args], options);
