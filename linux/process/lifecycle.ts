import { MTD } from "../../hedron/api.ts";
import { FS_ROOT } from "../../fs/api.ts";
import type { SpawnRequest } from "../../roottask/protocol.ts";
import { E } from "../abi/errno.ts";
import { FdTable } from "../files/fd_table.ts";
import { FsContext } from "../files/fs_context.ts";
import { openStandardStreams } from "../files/streams.ts";
import { argumentsFit, dropPlan, type ExecPlan, planExec, startImage } from "../loader/exec.ts";
import { FIXED_LAYOUT } from "../loader/layout.ts";
import type { Personality } from "../personality.ts";
import { SIG } from "../signals/numbers.ts";
import { SigActions, type SigInfo } from "../signals/state.ts";
import { reportKill } from "../trace/report.ts";
import { CAP, capable, type Credentials, executing } from "./credentials.ts";
import { REPLY_ALL } from "./dispatch.ts";
import { exitRobustList, wakeFutex } from "./futex.ts";
import { limitCpu } from "./itimer.ts";
import { RLIMIT_NPROC } from "./limits.ts";
import { Life, Process } from "./process.ts";
import { adopt, bury } from "./parents.ts";
import { register, unregister } from "./registration.ts";
import { captureRegisters, loadRegisters, resetRegisters } from "./registers.ts";
import { Space } from "./space.ts";
import { Reply, Thread } from "./thread.ts";
import { createThreadEc, dropThreadEc, startThreadEc } from "./thread_ec.ts";

/** personality(2), what `setarch -R` sets. */
const ADDR_NO_RANDOMIZE = 0x4_0000;

export interface CloneOptions {
  /** CLONE_VM without CLONE_THREAD shares the address space between processes. */
  shareMemory: boolean;
  shareFiles: boolean;
  shareFs: boolean;
  shareActions: boolean;
  thread: boolean;
  vfork: boolean;
  /** CLONE_PARENT: the child's parent is the caller's. */
  sibling: boolean;
  clearHandlers: boolean;
  exitSignal: number;
  /** New stack pointer, 0 = the caller's. */
  stack: number;
  tls: number | undefined;
  parentTid: number;
  childTid: number;
  clearChildTid: number;
}

/** Birth, execve and death of processes and threads. */
export class Lifecycle {
  readonly #os: Personality;
  /** Thread ids beyond process ids; far above what roottask gives out. */
  #nextTid = 0x10_0000;

  constructor(os: Personality) {
    this.#os = os;
  }

  // ---- birth ----------------------------------------------------------------------------------------------------------

  /** A start request of roottask. The new pid, or -errno. */
  spawn({ path, argv, env, cwd }: SpawnRequest, credentials: Credentials): number {
    const os = this.#os;
    const fs = os.actAs(credentials, FS_ROOT);
    const cwdHandle = fs.open(0, cwd, 0o10200000, 0);
    if (cwdHandle < 0) return cwdHandle;
    const full = env.some((e) => e.startsWith("LINUX_UNDER_HEDRON=")) ? [...env] : [...env, "LINUX_UNDER_HEDRON=true"];
    const plan = planExec(os, cwdHandle, path, argv, full);
    if (typeof plan === "number") {
      os.fs.close(cwdHandle);
      return plan;
    }
    const space = Space.create(os);
    if (space === undefined) {
      dropPlan(plan);
      os.fs.close(cwdHandle);
      return -E.ENOMEM;
    }
    const { pid, window } = register(os);
    const process = new Process({
      pid,
      parent: undefined,
      space,
      user: os.userMemory(space.mm),
      files: new FdTable(),
      fsContext: new FsContext(cwdHandle),
      actions: new SigActions(),
      image: { path, argv, argStart: 0, argEnd: 0, envStart: 0, envEnd: 0, auxv: [] },
      startTime: os.now(),
      root: pid,
      credentials,
    });
    process.services = window;
    openStandardStreams(os, process);
    const started = argumentsFit(argv, full, space.mm.stackLimit)
      ? startImage(os, space.mm, plan, { credentials, secure: false, layout: os.layout })
      : (dropPlan(plan), undefined);
    if (started === undefined) {
      space.release();
      os.fs.close(cwdHandle);
      unregister(os, process, SIG.KILL);
      return -(argumentsFit(argv, full, 8 << 20) ? E.ENOMEM : E.E2BIG);
    }
    process.image = started.image;
    os.processes.set(pid, process);
    const t = this.#newThread(process, pid, plan.name.slice(0, 15));
    t.start = ({ state }) => {
      state.mtd |= MTD.RIP | MTD.RSP;
      state.rip = started.entry;
      state.rsp = started.sp;
    };
    startThreadEc(os, t);
    os.tracer?.spawned?.(t, path, argv, full.length);
    return pid;
  }

  /** The thread with its EC; it does not run yet. */
  #newThread(p: Process, tid: number, name: string): Thread {
    const os = this.#os;
    const slot = os.takeSlot();
    const t = new Thread(os, p, tid, slot, name);
    slot.thread = t;
    createThreadEc(os, t, p.space, t.name);
    p.threads.push(t);
    return t;
  }

  /** fork, vfork, clone, clone3. The new id, or -errno; the caller waits itself when `vfork`. */
  clone(t: Thread, options: CloneOptions): Thread | number {
    const os = this.#os;
    const parent = t.process;
    if (!os.mayAddTask() || options.thread && this.#tooMany(t)) return -E.EAGAIN;
    const registers = captureRegisters(t);
    const child = options.thread ? parent : this.#forkProcess(t, options);
    if (typeof child === "number") return child;
    const tid = options.thread ? this.#nextTid++ : child.pid;
    const n = this.#newThread(child, tid, t.name);
    n.credentials = t.credentials;
    n.mask.copy(t.mask);
    n.trap = t.trap;
    if (!options.thread && !options.shareMemory) {
      n.altStack = t.altStack;
      n.altStackSize = t.altStackSize;
      n.altStackFlags = t.altStackFlags;
    }
    n.clearChildTid = options.clearChildTid;
    if (options.parentTid !== 0) parent.user.putU32(options.parentTid, tid);
    if (options.childTid !== 0) child.user.putU32(options.childTid, tid);
    n.start = (started) => loadRegisters(started, registers, options.stack, options.tls);
    startThreadEc(os, n);
    return n;
  }

  /** RLIMIT_NPROC counts the threads of a user; root and the privileged have as many as they like. */
  #tooMany({ process, credentials: c }: Thread): boolean {
    const limit = process.limits.soft[RLIMIT_NPROC];
    if (c.ruid === 0 || capable(c, CAP.SYS_RESOURCE) || capable(c, CAP.SYS_ADMIN)) return false;
    let tasks = 0;
    for (const p of this.#os.processes.values()) if (p.credentials.ruid === c.ruid) tasks += Math.max(1, p.threads.length);
    return tasks >= limit;
  }

  #forkProcess(t: Thread, options: CloneOptions): Process | number {
    const os = this.#os;
    const parent = t.process;
    if (this.#tooMany(t)) return -E.EAGAIN;
    let space = parent.space;
    if (options.shareMemory) space.mm.users++;
    else {
      const copy = Space.create(os, parent.space);
      if (copy === undefined) return -E.ENOMEM;
      space = copy;
    }
    const { pid, window } = register(os, t.process.pid);
    const share = <T extends { users: number }>(shared: boolean, value: T, copy: () => T): T => {
      if (!shared) return copy();
      value.users++;
      return value;
    };
    const actions = share(options.shareActions, parent.actions, () => new SigActions(parent.actions));
    if (options.clearHandlers) actions.resetForExec();
    const child = new Process({
      pid,
      parent: options.sibling ? parent.parent : parent,
      space,
      user: os.userMemory(space.mm),
      files: share(options.shareFiles, parent.files, () => parent.files.copy()),
      fsContext: share(options.shareFs, parent.fsContext, () => parent.fsContext.copy(t)),
      actions,
      image: parent.image,
      startTime: os.now(),
      root: parent.root,
      credentials: t.credentials,
    });
    child.pgid = parent.pgid;
    child.sid = parent.sid;
    child.services = window;
    child.exitSignal = options.exitSignal;
    child.parent?.children.push(child);
    os.processes.set(pid, child);
    limitCpu(os, child);
    return child;
  }

  // ---- execve ---------------------------------------------------------------------------------------------------------

  /** Second half of execve: 0 with new registers, or -errno with everything as before. */
  exec(t: Thread, plan: ExecPlan): number {
    const os = this.#os;
    const p = t.process;
    if (!argumentsFit(plan.argv, plan.env, p.limits.soft[3])) {
      dropPlan(plan);
      return -E.E2BIG;
    }
    for (const other of [...p.threads]) {
      if (other === t) continue;
      // Its addresses mean nothing in the new image.
      other.clearChildTid = other.robustList = 0;
      this.#end(other);
    }
    const shared = p.space.mm.users > 1;
    const fresh = shared || t.eventBase !== 0 ? Space.create(os) : undefined;
    if (fresh === undefined) {
      p.space.mm.destroy();
    } else {
      dropThreadEc(os, t);
      p.space.release();
      p.space = fresh;
      p.user.mm = fresh.mm;
    }
    // Whichever thread calls it becomes the leader.
    t.tid = p.pid;
    const { mm } = p.space;
    mm.stackLimit = p.limits.soft[3];
    const { credentials, secure } = executing(t.credentials, p.noNewPrivileges ? {} : plan.program.setIds);
    const layout = (p.personality & ADDR_NO_RANDOMIZE) === 0 ? os.layout : FIXED_LAYOUT;
    const started = startImage(os, mm, plan, { credentials, secure, layout });
    p.dumpable = plan.program.readable ? 1 : 0;
    if (credentials !== t.credentials) t.become(credentials);
    if (p.actions.users > 1) {
      p.actions.users--;
      p.actions = new SigActions(p.actions);
    }
    p.actions.resetForExec();
    if (p.files.users > 1) {
      p.files.users--;
      p.files = p.files.copy();
    }
    p.files.closeOnExec(t);
    t.altStackSize = 0;
    t.clearChildTid = 0;
    t.robustList = 0;
    t.name = plan.name.slice(0, 15);
    p.executed = true;
    this.#vforkOver(p);
    if (started === undefined) {
      // Past the point of no return the kernel kills.
      p.exitStatus = SIG.KILL;
      p.dying = true;
      t.attention = true;
      t.reply = Reply.Own;
      return 0;
    }
    p.image = started.image;
    if (fresh === undefined) {
      t.state.mtd |= REPLY_ALL | MTD.FS_GS | MTD.FPU;
      resetRegisters(t);
      t.state.rip = started.entry;
      t.state.rsp = started.sp;
      t.reply = Reply.Own;
    } else {
      createThreadEc(os, t, fresh, t.name);
      t.start = ({ state }) => {
        state.mtd |= MTD.RIP | MTD.RSP;
        state.rip = started.entry;
        state.rsp = started.sp;
      };
      startThreadEc(os, t);
      t.reply = Reply.Gone;
    }
    t.attention = true;
    return 0;
  }

  // ---- death ----------------------------------------------------------------------------------------------------------

  /** exit(2): this thread only. */
  exitThread(t: Thread, code: number): void {
    const p = t.process;
    if (p.threads.length === 1) return this.exitGroup(p, (code & 0xff) << 8, t);
    t.ending = true;
    t.attention = true;
  }

  /** exit_group(2), or a fatal signal: `status` as wait4 gives it. */
  exitGroup(p: Process, status: number, by: Thread | undefined): void {
    if (!p.dying) p.exitStatus = status;
    p.dying = true;
    for (const other of [...p.threads]) if (other !== by) this.#end(other);
    if (by !== undefined) by.attention = true;
  }

  killProcess(p: Process, info: SigInfo, by: Thread): void {
    reportKill(this.#os, p, info, by);
    this.exitGroup(p, info.signal, by);
  }

  /** Ends another thread: at once when it is in user mode, else when its handler runs on. */
  #end(t: Thread): void {
    t.ending = true;
    if (t.inKernel) {
      t.attention = true;
      t.wake();
    } else {
      this.endThread(t);
    }
  }

  /** Removes a thread, and its process with the last one. The EC is gone afterwards. */
  endThread(t: Thread): void {
    const os = this.#os;
    const p = t.process;
    const i = p.threads.indexOf(t);
    if (i < 0) return;
    if (p.mm.users > 1 || p.threads.length > 1) {
      exitRobustList(t);
      if (t.clearChildTid !== 0 && p.user.putU32(t.clearChildTid, 0)) wakeFutex(t, t.clearChildTid, 1);
    }
    p.cpuTime += os.current.ec.scTime(t.sc) * 1000;
    p.threads.splice(i, 1);
    dropThreadEc(os, t);
    t.reply = Reply.Gone;
    os.tracer?.ended(t);
    if (p.threads.length === 0) this.#endProcess(p, t);
    os.giveSlot(t.slot);
  }

  #endProcess(p: Process, t: Thread): void {
    const os = this.#os;
    if (--p.files.users === 0) p.files.closeAll(t);
    p.fsContext.release(t);
    p.actions.users--;
    os.endOfProcess(p);
    p.space.release();
    this.#vforkOver(p);
    p.pending.clear();
    p.life = Life.Zombie;
    p.endQueue.wakeAll();
    for (const child of [...p.children]) adopt(os, child, p);
    if (p.pid === p.root) os.programEnded();
    unregister(os, p, p.exitStatus);
    bury(os, p);
  }

  #vforkOver(p: Process): void {
    p.vforkDone?.();
    p.vforkDone = undefined;
  }
}
