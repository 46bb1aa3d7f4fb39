import type { Cpu } from "../cpu/api.ts";
import { type HostProgram, Status } from "./api.ts";
import { bootHost, createKern } from "./boot.ts";
import type { KernelEvent } from "./event.ts";
import { execute } from "./execute.ts";
import { KernelMemory } from "./kernel_memory.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Cont, type Ec, type KernelObject, type Pd, type Sc, type Sm } from "./objects.ts";
import { Registers } from "./registers.ts";
import { ReadyQueue, TimerHeap } from "./scheduler.ts";
import { release, up } from "./semaphore.ts";
import { API_5004, type Version } from "./version.ts";
import type { Trace } from "./trace.ts";

/** Most system calls between two looks at the clock. */
const MAX_UNCLOCKED = 32;
/** System calls faster than this (ns each, about) let the clock be read less often. */
const QUICK_NS = 2_000;

export type { KernelEvent };

export interface KernelHooks {
  /** Time-stamp counter in ns, an exact integer below 2^53; the same as the CPU's. */
  tsc(): number;
  /** Diagnostic sink. */
  event?(event: KernelEvent): void;
  /** Code of a host PD has thrown. Without this hook the error goes through `run`; with it only the EC dies. */
  hostError?(error: unknown, pd: string): void;
  /** Interface version; API 5004 unless given. */
  version?: Version;
  /** Sleeps synchronously up to that many ns: a plain host function waits for a timer. Without it the kernel spins. */
  pause?(ns: number): void;
}

export type RunState =
  /** The slice is over and there is work left. */
  | "slice"
  /** Nothing to run until `deadline` (TSC, Infinity = none) or an interrupt. */
  | "idle"
  /** Nothing to run, nothing blocked: nothing can ever happen again except by an interrupt to an unused semaphore. */
  | "finished";

export interface RunResult {
  state: RunState;
  deadline: number;
}

/** Whether an SC keeps the CPU after a step. */
export const enum After {
  /** Go on with the EC at the end of the SC's chain. */
  Again,
  /** The SC was queued elsewhere, preempted or dropped. */
  Leave,
}

/** The microhypervisor: all kernel objects of one machine, and its scheduler. One virtual CPU. */
export class Kernel {
  readonly version: Version;
  readonly memory: KernelMemory;
  readonly ready: ReadyQueue = new ReadyQueue();
  readonly timers: TimerHeap = new TimerHeap();
  /** The kernel's own PD: owns all memory, ports and GSI semaphores; selectors as in ABI 2.1. */
  readonly kern: Pd;
  /** Birth and death of objects. */
  readonly life: Lifecycle;
  /** Window on the registers of the hypercall that is being decoded. */
  readonly registers: Registers;
  /** Set before the first EC runs, it is told what happens. */
  trace: Trace | undefined = undefined;
  /** The running SC. */
  sc: Sc | undefined = undefined;
  /** The PD whose user code runs; decides about ports. */
  runningPd: Pd | undefined = undefined;
  /** Retries since the last scheduling decision (livelock detection, ABI 7.1). */
  loops = 0;
  /** Handlers that run inside their callers' system calls now (execute.ts). */
  lent = 0;
  /** An SC of higher priority became ready, the budget is used up or the slice is over. */
  resched = false;
  /** ECs blocked on semaphores. */
  blocked = 0;
  /** System calls until the clock must be read again. */
  untilClock = 1;
  #unclocked = 1;
  /** Ns that the running SC may go on without a look at the clock. */
  sliceNs = 0;
  #end = 0;
  #stopping = false;
  /** TSC up to which the running SC has been charged. */
  #mark = 0;
  /** Kernel semaphores of the GSIs. */
  readonly gsis: Sm[] = [];
  /** Time that nothing ran, ns. */
  idleNs = 0;
  #idleSince = -1;
  /** Host ECs whose plain code waits in a nested scheduling loop, innermost last. */
  readonly #nests: Ec[] = [];
  /** SCs that reached a host EC whose JavaScript frame is not the innermost. */
  readonly #parked: Sc[] = [];
  readonly #result: RunResult = { state: "idle", deadline: Infinity };

  constructor(readonly cpu: Cpu, readonly hooks: KernelHooks) {
    this.version = hooks.version ?? API_5004;
    this.memory = new KernelMemory(cpu);
    this.registers = new Registers(cpu.ram.u32);
    this.life = new Lifecycle(this);
    this.kern = createKern(this);
  }

  /** Makes the root PD of a TypeScript roottask (ABI 2.2). */
  bootHost(program: HostProgram): void {
    bootHost(this, program);
  }

  // ---- scheduling -------------------------------------------------------------------------------------------------

  now(): number {
    return this.hooks.tsc();
  }

  enqueue(sc: Sc): void {
    if (sc.destroyed && !sc.ec.partner) return;
    // Without budgets every SC goes to the tail.
    if (!this.version.quantum) sc.left = 0;
    this.ready.enqueue(sc);
    if (this.sc && sc.priority > this.sc.priority) this.resched = true;
  }

  /** Queues the SC behind a blocked EC (ABI 9.2). */
  waitFor(sc: Sc, ec: Ec): void {
    ec.waiting.push(sc);
    sc.waitsFor = ec;
  }

  /** Sets the SC aside until the innermost nested host frame has ended. */
  park(sc: Sc): After.Leave {
    this.#parked.push(sc);
    return After.Leave;
  }

  /** The SC loses the CPU but stays ready. */
  preempt(sc: Sc): After.Leave {
    this.#charge(sc);
    // The end of the host's slice is no event of the machine: the SC goes on first.
    if (!this.version.quantum && this.#mark < this.#end) sc.left = 0;
    this.ready.enqueue(sc);
    return After.Leave;
  }

  /** The running SC gives the rest of its budget away: it goes behind the ready SCs of its priority, if there are any. */
  yieldSc(): void {
    const { sc } = this;
    if (!sc || !this.ready.has(sc.priority)) return;
    sc.left = 0;
    this.resched = true;
  }

  wakeWaiting(ec: Ec): void {
    for (const sc of ec.waiting) {
      sc.waitsFor = undefined;
      this.enqueue(sc);
    }
    ec.waiting.length = 0;
  }

  /** Takes the SC out of whatever queue it is in. */
  unqueue(sc: Sc): void {
    this.ready.remove(sc);
    const lists = [this.#parked];
    if (sc.waitsFor) lists.push(sc.waitsFor.waiting);
    for (const list of lists) {
      const i = list.indexOf(sc);
      if (i >= 0) list.splice(i, 1);
    }
    sc.waitsFor = undefined;
  }

  /** Reads the clock: charges the running SC, fires timers, and decides whether it must give up the CPU. */
  tick(): void {
    const now = this.now(), sc = this.sc, used = now - this.#mark;
    this.#mark = now;
    this.#fireTimers(now);
    // The clock is read after every call while calls are rare, and less often when they follow each other quickly.
    if (used < this.#unclocked * QUICK_NS) this.#unclocked = Math.min(this.#unclocked * 2, MAX_UNCLOCKED);
    else this.#unclocked = 1;
    this.untilClock = this.#unclocked;
    if (sc) {
      sc.time += used;
      sc.left -= used;
      if (sc.left <= 0) {
        sc.left = 0;
        this.resched = true;
      }
    }
    if (now >= this.#end) this.resched = true;
    this.sliceNs = Math.max(0, Math.min(sc?.left ?? 0, this.#end - now, this.timers.next - now));
  }

  #fireTimers(now: number): void {
    while (this.timers.next <= now) {
      const ec = this.timers.first;
      if (ec) release(this, ec, Status.ComTim);
    }
  }

  /**
   * Runs until nothing is ready or about `sliceNs` have passed. The result is reused by the next call.
   */
  run(sliceNs: number): RunResult {
    const result = this.#result;
    this.#end = this.now() + sliceNs;
    this.#stopping = false;
    if (this.#idleSince >= 0) this.idleNs += this.now() - this.#idleSince;
    this.#idleSince = -1;
    for (;;) {
      this.life.bury();
      const now = this.now();
      this.#fireTimers(now);
      const sc = now < this.#end && !this.#stopping ? this.ready.take() : undefined;
      if (sc) {
        this.#runSc(sc);
        continue;
      }
      result.deadline = this.timers.next;
      if (!this.ready.empty) result.state = "slice";
      else {
        result.state = this.blocked > 0 ? "idle" : "finished";
        this.#idleSince = now;
      }
      return result;
    }
  }

  /** Gives the CPU to one SC until it leaves it, or until the innermost nested host frame can go on. */
  #runSc(sc: Sc): void {
    this.sc = sc;
    this.loops = 0;
    this.resched = false;
    this.#mark = this.now();
    this.sliceNs = Math.max(0, Math.min(sc.left, this.#end - this.#mark, this.timers.next - this.#mark));
    for (;;) {
      if (this.#innermost()?.cont === Cont.HostRun) return;
      const ec = chainEnd(sc.ec);
      if (this.resched) {
        this.preempt(sc);
        break;
      }
      if (ec.cont === Cont.HostRun) {
        this.park(sc);
        break;
      }
      if ((sc.destroyed && ec === sc.ec) || execute(this, sc, ec) === After.Leave) break;
    }
    this.#charge(sc);
    this.sc = undefined;
    this.runningPd = undefined;
  }

  #charge(sc: Sc): void {
    const now = this.now(), used = now - this.#mark;
    this.#mark = now;
    sc.time += used;
    sc.left = Math.max(0, sc.left - used);
  }

  #innermost(): Ec | undefined {
    return this.#nests.length === 0 ? undefined : this.#nests[this.#nests.length - 1];
  }

  /**
   * A plain host function of `ec` waits for the reply to its call: schedules everybody until it has arrived. JavaScript frames
   * end in the reverse order of their beginning, so an outer frame whose answer comes first has to wait for the inner ones.
   */
  nest(ec: Ec): void {
    const own = this.sc, end = this.#end;
    if (!own) throw new Error("Host code called a portal outside of any SC");
    this.#end = Infinity;
    this.#nests.push(ec);
    let next: Sc | undefined = own;
    while (ec.cont !== Cont.HostRun && ec.cont !== Cont.Dead) {
      next ??= this.ready.take();
      if (next) this.#runSc(next);
      else if (!this.#idleNested()) this.#deadlock(ec);
      next = undefined;
    }
    this.#nests.pop();
    this.#end = end;
    // The frame goes on with the SC it had; the one that brought the reply keeps its claim to the CPU.
    if (this.sc !== own) {
      if (this.sc) this.ready.enqueue(this.sc);
      this.unqueue(own);
      this.sc = own;
    }
    for (const sc of this.#parked.splice(0)) this.ready.enqueue(sc);
    this.tick();
  }

  /** Nothing is ready inside a nested loop: waits for the next timer. False when there is none. */
  #idleNested(): boolean {
    const next = this.timers.next;
    if (next === Infinity) return false;
    const ns = next - this.now();
    if (ns > 0) this.hooks.pause?.(ns);
    this.#fireTimers(this.now());
    return true;
  }

  #deadlock(ec: Ec): void {
    this.hooks.event?.({ kind: "deadlock", ec: nameOf(ec), pd: nameOf(ec.pd) });
    if (ec.partner) ec.partner.caller = undefined;
    ec.partner = undefined;
    ec.status = Status.ComAbt;
    ec.cont = Cont.HostRun;
  }

  // ---- outside world ----------------------------------------------------------------------------------------------

  /** Makes `run` return at the next scheduling point. */
  stop(): void {
    this.#stopping = true;
    this.resched = true;
    this.untilClock = 1;
  }

  /** A device interrupt: ups the GSI's semaphore. To be called between two `run`s. */
  interrupt(gsi: number): void {
    const sm = this.gsis[gsi];
    if (sm) up(this, sm);
  }

  /** For the processor: may the code that runs now access these ports? */
  portAllowed(port: number, bytes: number): boolean {
    return this.runningPd?.ports.allowed(port, bytes) ?? false;
  }

  /** Time consumed by an SC, microseconds. */
  scTimeUs(sc: Sc): number {
    if (sc === this.sc) this.#charge(sc);
    return Math.floor((sc.priority === 0 ? this.idleNs : sc.time) / 1000);
  }
}

/** The EC that runs when an SC bound to `ec` runs: the end of the chain of partners. */
export function chainEnd(ec: Ec): Ec {
  let end = ec;
  while (end.partner) end = end.partner;
  return end;
}

/** Label, or kind and id. */
export function nameOf(object: KernelObject): string {
  return object.label !== "" ? object.label : `${object.kind}${object.id}`;
}
