import type { Undo } from "../syscalls/sysv_sem.ts";
import type { Tty } from "../files/tty.ts";
import type { FdTable } from "../files/fd_table.ts";
import type { FsContext } from "../files/fs_context.ts";
import type { Mm } from "../memory/mm.ts";
import type { UserMemory } from "../memory/user.ts";
import { PendingSignals, type SigActions } from "../signals/state.ts";
import type { Credentials } from "./credentials.ts";
import type { IntervalTimer, PosixTimers } from "./itimer.ts";
import { Limits } from "./limits.ts";
import type { Space } from "./space.ts";
import type { Thread } from "./thread.ts";
import { WaitQueue } from "./wait.ts";

export interface Image {
  /** Path given to execve: AT_EXECFN. */
  path: string;
  argv: readonly string[];
  /** Address ranges for /proc. */
  argStart: number;
  argEnd: number;
  envStart: number;
  envEnd: number;
  /** Auxiliary vector, for /proc/PID/auxv. */
  auxv: readonly (readonly [number, number])[];
}

/** How the stopped or ended state is told to wait4. */
export const enum Life {
  Running,
  Stopped,
  Zombie,
  /** Waited for, or nobody will wait. */
  Gone,
}

/** A Linux process: a thread group with what its threads share. */
export class Process {
  readonly pid: number;
  parent: Process | undefined;
  readonly children: Process[] = [];
  pgid: number;
  sid: number;
  /** Low 16 bits form of wait4; set when it ends. */
  exitStatus = 0;
  /** Signal of clone's low byte: sent to the parent at the end. */
  exitSignal = 0;
  life: Life = Life.Running;
  /** wait4(WUNTRACED / WCONTINUED) has something to tell. */
  stopSignal = 0;
  continued = false;
  /** exit_group or a fatal signal: all threads must end. */
  dying = false;

  readonly threads: Thread[] = [];
  space: Space;
  readonly user: UserMemory;
  files: FdTable;
  fsContext: FsContext;
  actions: SigActions;
  readonly pending = new PendingSignals();
  readonly limits: Limits;
  /** Those of its first thread (`Thread.become` keeps them so), and what is left of them when that has ended. */
  credentials: Credentials;
  image: Image;
  /** PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER. */
  dumpable = 1;
  deathSignal = 0;
  subreaper = false;
  noNewPrivileges = false;
  /** PR_SET_THP_DISABLE. */
  noHugePages = false;
  nice = 0;
  personality = 0;
  /** setitimer's three; not inherited by fork. */
  readonly itimers: IntervalTimer[] = [];
  /** Watches RLIMIT_CPU. */
  cpuLimit: IntervalTimer | undefined;
  posixTimers: PosixTimers | undefined;
  /** Holders of a pidfd wait here for its end. */
  readonly endQueue = new WaitQueue();
  /** Parents wait here for their children. */
  readonly childQueue = new WaitQueue();
  /** The parent of vfork waits here for exec or exit. */
  vforkDone: (() => void) | undefined;
  /** TSC when it started, ns. */
  readonly startTime: number;
  /** CPU time of ended threads and reaped children, ns. */
  cpuTime = 0;
  childrenTime = 0;
  /** Window of six service capabilities from roottask (PROCESS_SERVICE.REGISTER), in the personality's space. */
  services = 0;
  /** Descends from this start request of roottask. */
  readonly root: number;
  /** What semop() with SEM_UNDO has left to be undone. */
  semaphoreUndo: Undo | undefined;
  /** Controlling terminal: what /dev/tty is. */
  tty: Tty | undefined;
  /** It has called execve since fork (setpgid looks at it). */
  executed = false;

  constructor(init: {
    pid: number;
    parent: Process | undefined;
    space: Space;
    user: UserMemory;
    files: FdTable;
    fsContext: FsContext;
    actions: SigActions;
    image: Image;
    startTime: number;
    root: number;
    credentials: Credentials;
  }) {
    this.pid = init.pid;
    this.parent = init.parent;
    this.space = init.space;
    this.user = init.user;
    this.files = init.files;
    this.fsContext = init.fsContext;
    this.actions = init.actions;
    this.image = init.image;
    this.startTime = init.startTime;
    this.root = init.root;
    const { parent } = init;
    this.pgid = parent?.pgid ?? init.pid;
    this.sid = parent?.sid ?? init.pid;
    this.limits = new Limits(parent?.limits);
    this.credentials = init.credentials;
    if (parent !== undefined) {
      this.tty = parent.tty;
      this.nice = parent.nice;
      this.personality = parent.personality;
      this.dumpable = parent.dumpable;
      this.noNewPrivileges = parent.noNewPrivileges;
      this.noHugePages = parent.noHugePages;
    }
  }

  get mm(): Mm {
    return this.space.mm;
  }

  get parentPid(): number {
    // Orphans belong to init, which is pid 1.
    return this.parent === undefined ? (this.pid === 1 ? 0 : 1) : this.parent.pid;
  }

  /** The thread group leader, even when it has ended. */
  get name(): string {
    return this.threads[0]?.name ?? this.image.path;
  }
}
