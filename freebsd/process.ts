import { WaitQueue } from "../linux/process/wait.ts";
import type { IntervalTimer } from "../linux/process/itimer.ts";
import type { Space } from "../linux/process/space.ts";
import type { UserMemory } from "../linux/memory/user.ts";
import { PendingSignals, SigActions } from "../linux/signals/state.ts";
import type { OpenFile } from "./files.ts";
import type { Thread } from "./thread.ts";

/** A FreeBSD process: what its threads share. */
export class Process {
  readonly threads: Thread[] = [];
  readonly files = new Map<number, OpenFile>();
  /** Descriptors that execve(2) closes. */
  readonly closeOnExec = new Set<number>();
  readonly pending = new PendingSignals();
  /** Who waits for a child of this one. */
  readonly endQueue = new WaitQueue();
  /** Living ones, and dead ones that nobody has waited for. */
  readonly children: Process[] = [];
  /** setitimer(2), by number. */
  readonly timers: (IntervalTimer | undefined)[] = [];
  group: number;
  session: number;
  umask = 0o022;
  /** Real and effective ids: remembered, but the file service takes every program for root. */
  ids = { uid: 0, euid: 0, gid: 0, egid: 0 };
  groups: readonly number[] = [0];
  /** exit() or a fatal signal: all threads must end. */
  dying = false;
  /** Without threads, waiting for its parent's wait4(2). */
  zombie = false;
  /** As wait4 gives it. */
  exitStatus = 0;
  /** execve(2) has been called, or the process has ended: what vfork(2) waits for. */
  readonly ownImage = new WaitQueue();
  hasOwnImage = false;

  constructor(
    readonly pid: number,
    /** Undefined: init's. */
    public parent: Process | undefined,
    /** Of its program; only execve(2) changes it. */
    public path: string,
    /** Only execve(2) changes it. */
    public space: Space,
    readonly user: UserMemory,
    /** Directory handle of the file service, owned. */
    public cwd: number,
    /** Window of service capabilities from roottask. */
    readonly services: number,
    readonly actions = new SigActions(),
  ) {
    this.group = parent?.group ?? pid;
    this.session = parent?.session ?? pid;
    parent?.children.push(this);
  }

  /** The lowest free descriptor from `first` on. */
  add(file: OpenFile, closeOnExec = false, first = 0): number {
    let fd = first;
    while (this.files.has(fd)) fd++;
    this.files.set(fd, file);
    if (closeOnExec) this.closeOnExec.add(fd);
    return fd;
  }

  /** False when it is not open. */
  close(fd: number): boolean {
    const file = this.files.get(fd);
    if (file === undefined) return false;
    this.files.delete(fd);
    this.closeOnExec.delete(fd);
    for (const other of this.files.values()) other.forget?.(fd);
    if (--file.users === 0) file.close();
    return true;
  }
}
