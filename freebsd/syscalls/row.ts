import type { Handler } from "../thread.ts";

/** One system call: sys/kern/syscalls.master. The one list behind dispatcher, `--strace` and docs. */
export interface SyscallRow {
  readonly number: number;
  readonly name: string;
  /** How many arguments. */
  readonly args: number;
  readonly handler: Handler;
  /** What is missing; none = works as on FreeBSD. */
  readonly note: string | undefined;
}

export function sys(number: number, name: string, args: number, handler: Handler, note?: string): SyscallRow {
  return { number, name, args, handler, note };
}
