import { CF } from "../cpu/layout.ts";
import { MTD } from "../hedron/api.ts";
import { E as LINUX } from "../linux/abi/errno.ts";
import { SigActions, sigInfo } from "../linux/signals/state.ts";
import { captureRegisters, loadRegisters } from "../linux/process/registers.ts";
import { dropPlan } from "../linux/loader/exec.ts";
import { objectCrd } from "../linux/process/kernel_space.ts";
import { register, unregister } from "../linux/process/registration.ts";
import { Space } from "../linux/process/space.ts";
import { createThreadEc, startThreadEc } from "../linux/process/thread_ec.ts";
import { E, fromService } from "./abi/errno.ts";
import { SA_NOCLDWAIT, SIG, SIG_IGN } from "./abi/signals.ts";
import { ConsoleFile } from "./files.ts";
import { planProgram, type Started, startImage } from "./loader.ts";
import type { FreeBsd } from "./personality.ts";
import { Process } from "./process.ts";
import { RDI, RDX, Thread } from "./thread.ts";

/** O_PATH | O_DIRECTORY of the file service. */
const OPEN_CWD = 0o10200000;
/** Thread ids begin here (sys/kern/kern_thread.c, TID_MIN). */
const TID_MIN = 100_000;

export interface ThreadOptions {
  entry: number;
  argument: number;
  stackTop: number;
  tls: number;
}

/** Birth and death of processes and threads. */
export class Lifecycle {
  #nextTid = TID_MIN;

  constructor(private readonly os: FreeBsd) {}

  /** The new pid, or an error in the services' numbers. */
  spawn(path: string, argv: readonly string[], env: readonly string[], cwd: string): number {
    const { os } = this;
    const cwdHandle = os.fs.open(0, cwd, OPEN_CWD, 0);
    if (cwdHandle < 0) return cwdHandle;
    const plan = planProgram(os, cwdHandle, path, argv, [...env, "LINUX_UNDER_HEDRON=true"]);
    if (typeof plan === "number") {
      os.fs.close(cwdHandle);
      return plan;
    }
    const space = Space.create(os);
    if (space === undefined) {
      dropPlan(plan);
      os.fs.close(cwdHandle);
      return -LINUX.ENOMEM;
    }
    const started = startImage(os, space.mm, plan);
    if (started === undefined) {
      space.release();
      os.fs.close(cwdHandle);
      return -LINUX.ENOMEM;
    }
    const { pid, window } = register(os);
    const process = new Process(pid, undefined, path, space, os.userMemory(space.mm), cwdHandle, window);
    for (const fd of [0, 1, 2]) process.files.set(fd, new ConsoleFile(os, fd));
    os.processes.set(pid, process);
    const t = this.#newThread(process);
    t.start = beginning(started);
    startThreadEc(os, t);
    return pid;
  }

  /** fork(2): the child, whose memory is a copy, or -ENOMEM. */
  fork(t: Thread): Process | number {
    const { os } = this, parent = t.process, registers = captureRegisters(t);
    const space = Space.create(os, parent.space);
    if (space === undefined) return -E.ENOMEM;
    const { pid, window } = register(os, parent.pid), actions = new SigActions(parent.actions);
    os.fs.dup(parent.cwd);
    const child = new Process(pid, parent, parent.path, space, os.userMemory(space.mm), parent.cwd, window, actions);
    child.umask = parent.umask;
    child.ids = { ...parent.ids };
    child.groups = parent.groups;
    for (const [fd, file] of parent.files) {
      if (file.staysBehind) continue;
      file.users++;
      child.files.set(fd, file);
      if (parent.closeOnExec.has(fd)) child.closeOnExec.add(fd);
    }
    os.processes.set(pid, child);
    const n = this.#newThread(child);
    n.mask.copy(t.mask);
    n.altStack = t.altStack;
    n.altStackSize = t.altStackSize;
    // cpu_fork(): RAX 0, RDX 1 and no carry tell the child.
    n.start = (started) => {
      loadRegisters(started, registers, 0, undefined);
      started.state.set(RDX, 1);
      started.state.rflags &= ~CF;
    };
    startThreadEc(os, n);
    return child;
  }

  /** execve(2): 0 and the thread's EC is another one, or -errno with everything as before. */
  exec(t: Thread, path: string, argv: readonly string[], env: readonly string[]): number {
    const { os } = this, p = t.process, plan = planProgram(os, p.cwd, path, argv, env);
    if (typeof plan === "number") return fromService(plan);
    const absolute = plan.program.file.path;
    const space = Space.create(os), started = space && startImage(os, space.mm, plan);
    if (space === undefined || started === undefined) {
      space?.release();
      return -E.ENOMEM;
    }
    for (const other of [...p.threads]) if (other !== t) this.#end(other);
    this.#dropEc(t);
    t.slot.withdraw(os);
    p.space.release();
    p.space = space;
    p.user.mm = space.mm;
    p.path = absolute;
    for (const fd of [...p.closeOnExec]) p.close(fd);
    p.actions.resetForExec();
    t.altStackSize = 0;
    createThreadEc(os, t, t.process.space, t.process.path);
    t.start = beginning(started);
    t.replaced = t.attention = true;
    startThreadEc(os, t);
    this.#hasOwnImage(p);
    return 0;
  }

  #hasOwnImage(p: Process): void {
    p.hasOwnImage = true;
    p.ownImage.wakeAll();
  }

  #newThread(p: Process): Thread {
    const { os } = this, slot = os.takeSlot(), t = new Thread(os, p, this.#nextTid++, slot);
    slot.thread = t;
    createThreadEc(os, t, t.process.space, t.process.path);
    p.threads.push(t);
    return t;
  }

  #dropEc(t: Thread): void {
    const { os } = this;
    for (const selector of [t.sc, t.ec]) {
      if (selector === 0) continue;
      os.current.ec.revoke(objectCrd(selector), true);
      os.selectors.give(selector);
    }
    t.sc = t.ec = 0;
  }

  /** thr_new(2): the thread; `ready` is called before it runs. */
  newThread(parent: Thread, options: ThreadOptions, ready: (tid: number) => void): void {
    const t = this.#newThread(parent.process);
    t.mask.copy(parent.mask);
    // cpu_set_upcall(): the stack as after a call.
    t.start = ({ state }) => {
      state.mtd |= MTD.RIP | MTD.RSP | MTD.BSD | MTD.FS_GS;
      state.rip = options.entry;
      state.rsp = options.stackTop - options.stackTop % 16 - 8;
      state.set(RDI, options.argument);
      state.fsBase = options.tls;
    };
    ready(t.tid);
    startThreadEc(this.os, t);
  }

  /** exit(2), or a fatal signal: `status` as wait4 gives it. */
  exit(p: Process, status: number, by: Thread | undefined): void {
    if (!p.dying) p.exitStatus = status;
    p.dying = true;
    for (const t of [...p.threads]) if (t !== by) this.#end(t);
    if (by !== undefined) by.attention = true;
  }

  #end(t: Thread): void {
    t.ending = true;
    if (!t.inKernel) return this.endThread(t);
    t.attention = true;
    t.wake();
  }

  /** Removes a thread, and its process with the last one. */
  endThread(t: Thread): void {
    const { os } = this, p = t.process;
    const i = p.threads.indexOf(t);
    if (i < 0) return;
    p.threads.splice(i, 1);
    t.gone = true;
    this.#dropEc(t);
    // The process's first portals stay: the kernel wants one at the foreign base for every thread (ABI 8.2).
    if (t.eventBase !== 0 || p.threads.length === 0) {
      t.slot.withdraw(os);
      if (t.eventBase !== 0) p.space.giveBase(t.eventBase);
    }
    if (p.threads.length === 0) this.#endProcess(p);
    if (t.eventBase !== 0 || p.threads.length === 0) os.giveSlot(t.slot);
  }

  #endProcess(p: Process): void {
    const { os } = this;
    for (const fd of [...p.files.keys()]) p.close(fd);
    for (const timer of p.timers) timer?.stop();
    os.fs.close(p.cwd);
    p.space.release();
    this.#hasOwnImage(p);
    for (const child of p.children) {
      child.parent = undefined;
      if (child.zombie) os.processes.delete(child.pid);
    }
    p.zombie = true;
    unregister(os, p, p.exitStatus);
    const { parent } = p;
    if (parent === undefined || parent.dying || leavesNoZombies(parent)) this.bury(p);
    if (parent === undefined) return;
    const killed = (p.exitStatus & 0x7f) !== 0, info = sigInfo(SIG.CHLD, killed ? CLD_KILLED : CLD_EXITED, p.pid);
    info.status = killed ? p.exitStatus & 0x7f : p.exitStatus >> 8;
    os.signals.sendToProcess(parent, info);
    parent.endQueue.wakeAll();
  }

  /** Nobody has to wait for a dead process any more. */
  bury(p: Process): void {
    this.os.processes.delete(p.pid);
    const siblings = p.parent?.children, i = siblings?.indexOf(p) ?? -1;
    if (i >= 0) siblings?.splice(i, 1);
  }
}

/** si_code of SIGCHLD. */
export const CLD_EXITED = 1, CLD_KILLED = 2;

function leavesNoZombies({ actions }: Process): boolean {
  const { handler, flags } = actions.table[SIG.CHLD];
  return handler === SIG_IGN || (flags & SA_NOCLDWAIT) !== 0;
}

/** exec_setregs(): RDI is the address of argc, and RSP is as after a call. */
const beginning = ({ entry, stack }: Started) => ({ state }: Thread): void => {
  state.mtd |= MTD.RIP | MTD.RSP | MTD.BSD;
  state.rip = entry;
  state.rsp = stack - 8;
  state.set(RDI, stack);
};
