import type { Thread } from "../process/thread.ts";
import type { SigInfo } from "../signals/state.ts";

/** Who is told of system calls and signals while the guests run. `leave` is not called for a call that has no result. */
export interface CallObserver {
  enter(t: Thread, number: number): void;
  leave(t: Thread, number: number, result: number): void;
  signal?(t: Thread, info: SigInfo): void;
  /** A program that roottask has started: the execve that nobody made. */
  spawned?(t: Thread, path: string, argv: readonly string[], variables: number): void;
  /** The thread is no more. */
  ended(t: Thread): void;
  /** A program of roottask has ended. */
  finished?(): void;
}
