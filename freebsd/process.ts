import type { Space } from "../linux/process/space.ts";
import type { UserMemory } from "../linux/memory/user.ts";
import { PendingSignals, SigActions } from "../linux/signals/state.ts";
import type { OpenFile } from "./files.ts";
import type { Thread } from "./thread.ts";

/** A FreeBSD process: what its threads share. */
export class Process {
  readonly threads: Thread[] = [];
  readonly files = new Map<number, OpenFile>();
  readonly actions = new SigActions();
  readonly pending = new PendingSignals();
  /** exit() or a fatal signal: all threads must end. */
  dying = false;
  /** As wait4 gives it. */
  exitStatus = 0;

  constructor(
    readonly pid: number,
    readonly path: string,
    readonly space: Space,
    readonly user: UserMemory,
    /** Directory handle of the file service, owned. */
    public cwd: number,
    /** Window of service capabilities from roottask. */
    readonly services: number,
  ) {}

  /** The lowest free descriptor. */
  add(file: OpenFile): number {
    let fd = 0;
    while (this.files.has(fd)) fd++;
    this.files.set(fd, file);
    return fd;
  }
}
