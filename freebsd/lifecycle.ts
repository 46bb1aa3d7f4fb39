import { CrdKind, MTD } from "../hedron/api.ts";
import { E as LINUX } from "../linux/abi/errno.ts";
import { dropPlan } from "../linux/loader/exec.ts";
import { objectCrd } from "../linux/process/kernel_space.ts";
import { Space } from "../linux/process/space.ts";
import { HOST_PD, PROCESS, PROCESS_SERVICE } from "../roottask/protocol.ts";
import { ConsoleFile } from "./files.ts";
import { planProgram, startImage } from "./loader.ts";
import type { FreeBsd } from "./personality.ts";
import { Process } from "./process.ts";
import { RDI, Thread } from "./thread.ts";

const PRIORITY = 1, QUANTUM_US = 10_000;
/** Service portals in the order REGISTER delegates them. */
const SERVICES = [PROCESS.STDOUT, PROCESS.STDERR, PROCESS.ALLOCATE, PROCESS.FS, PROCESS.ECHO, PROCESS.RAW_ECHO] as const;
const SERVICE_ORDER = 3;
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
    const { pid, window } = this.#register();
    const process = new Process(pid, path, space, os.userMemory(space.mm), cwdHandle, window);
    for (const fd of [0, 1, 2]) process.files.set(fd, new ConsoleFile(os, fd));
    os.processes.set(pid, process);
    const t = this.#newThread(process);
    // exec_setregs(): RDI is the address of argc, and RSP is as after a call.
    t.start = ({ state }) => {
      state.mtd |= MTD.RIP | MTD.RSP | MTD.BSD;
      state.rip = started.entry;
      state.rsp = started.stack - 8;
      state.set(RDI, started.stack);
    };
    this.#run(t);
    return pid;
  }

  #register(): { pid: number; window: number } {
    const { os } = this, { ec } = os.current, { utcb } = ec;
    const window = os.selectors.takeBlock();
    utcb.del = { kind: CrdKind.Object, base: window, order: SERVICE_ORDER, rights: 0x1f };
    utcb.set(0, PROCESS_SERVICE.REGISTER);
    utcb.set(1, 0);
    utcb.untyped = 2;
    utcb.typed = 0;
    ec.call(HOST_PD.PROCESS);
    utcb.typed = 0;
    return { pid: utcb.get(0), window };
  }

  #unregister(p: Process): void {
    const { os } = this, { ec } = os.current, { utcb } = ec;
    ec.revoke(objectCrd(p.services, SERVICE_ORDER), true);
    os.selectors.giveBlock(p.services);
    utcb.set(0, PROCESS_SERVICE.EXITED);
    utcb.set(1, p.pid);
    utcb.set(2, p.exitStatus);
    utcb.untyped = 3;
    utcb.typed = 0;
    ec.call(HOST_PD.PROCESS);
    utcb.typed = 0;
  }

  #newThread(p: Process): Thread {
    const { os } = this, { ec } = os.current, { space } = p;
    const slot = os.takeSlot();
    const t = new Thread(os, p, this.#nextTid++, slot);
    slot.thread = t;
    t.eventBase = space.takeBase();
    slot.delegateTo(os, space.pd, t.eventBase);
    if (space.ecs === 0) {
      SERVICES.forEach((selector, i) => ec.delegate(HOST_PD.SELF_PD, objectCrd(p.services + i), space.pd, objectCrd(selector)));
    }
    t.ec = os.selectors.take();
    ec.createEc(t.ec, space.pd, {
      global: true,
      utcb: space.ecs++ === 0 ? PROCESS.UTCB : 0,
      stack: 0,
      eventBase: t.eventBase,
    });
    ec.label(space.pd, `${p.path} ${p.pid}`);
    ec.label(t.ec, `thread ${t.tid}`);
    p.threads.push(t);
    return t;
  }

  #run(t: Thread): void {
    t.sc = this.os.selectors.take();
    this.os.current.ec.createSc(t.sc, t.process.space.pd, t.ec, PRIORITY, QUANTUM_US);
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
    this.#run(t);
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
    const { os } = this, p = t.process, { ec } = os.current;
    const i = p.threads.indexOf(t);
    if (i < 0) return;
    p.threads.splice(i, 1);
    t.gone = true;
    for (const selector of [t.sc, t.ec]) {
      if (selector === 0) continue;
      ec.revoke(objectCrd(selector), true);
      os.selectors.give(selector);
    }
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
    for (const file of p.files.values()) if (--file.users === 0) file.close();
    os.fs.close(p.cwd);
    p.space.release();
    os.processes.delete(p.pid);
    this.#unregister(p);
  }
}
