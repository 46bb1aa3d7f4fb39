/** What a command can end with besides the guest's own exit code, and how that is told to the user. */

/** Exit codes of Hedra itself; 126 and 127 are the shell's (POSIX.1-2017, XCU 2.8.2), 125 is what env(1) and timeout(1) use. */
export const EXIT = {
  OK: 0,
  /** The machine ran, but something asked of Hedra could not be done. */
  FAILURE: 1,
  /** The command line cannot be understood. */
  USAGE: 2,
  /** The time of --timeout is over: what timeout(1) ends with. */
  TIMEOUT: 124,
  /** A bug of Hedra. */
  INTERNAL: 125,
  /** PROGRAM exists and cannot be executed. */
  NOT_EXECUTABLE: 126,
  /** PROGRAM, or something that it needs to start, does not exist. */
  NOT_FOUND: 127,
} as const;

/** 128 + n is the exit code of a command that ended by signal n. */
export const SIGNAL_EXIT_BASE = 128;
/** Linux signal(7) on x86-64. */
export const SIGPIPE = 13;

/**
 * Bad input from the user or a failure of the host: one line, no stack trace. `message` reads "action: value: reason" without a
 * full stop.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  constructor(message: string, readonly exitCode: number) {
    super(message);
  }
}

/** Text of a host error without its class and stack, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0].trim() || "unknown reason";
}

/** What the guard prints for `error`, and the exit code that goes with it. `verbose` adds the stack of an internal error. */
export function explain(error: unknown, verbose: boolean): { text: string; exitCode: number } {
  if (error instanceof UserError) return { text: `hedra: ${error.message}\n`, exitCode: error.exitCode };
  const stack = verbose && error instanceof Error ? `${error.stack ?? ""}\n` : "";
  const hint = verbose
    ? "please report it with the lines below"
    : "please report it with the output of the same command with --verbose";
  return { text: `hedra: internal error: ${reasonOf(error)}; ${hint}\n${stack}`, exitCode: EXIT.INTERNAL };
}
