import { type ArchState, type Coroutine, type HostEc, MTD } from "../../hedron/api.ts";
import { HOST_PD, PROCESS } from "../../roottask/protocol.ts";
import { VEC } from "../../cpu/layout.ts";
import { type CurrentEc, objectCrd } from "./kernel_space.ts";
import type { Selectors } from "./selectors.ts";
import type { Thread } from "./thread.ts";

/** Exceptions that become signals. */
const VECTORS = [
  VEC.DE,
  VEC.DB,
  VEC.BP,
  VEC.OF,
  VEC.BR,
  VEC.UD,
  VEC.NM,
  VEC.TS,
  VEC.NP,
  VEC.SS,
  VEC.GP,
  VEC.PF,
  VEC.MF,
  VEC.AC,
  VEC.XM,
] as const;

/** Portal ids of a slot: exception vectors are themselves. */
export const ID_STARTUP = PROCESS.STARTUP, ID_RECALL = PROCESS.RECALL, ID_SYSCALL = PROCESS.FOREIGN_BASE;
/** Selectors of one slot: portals at the offsets they have in a process (order 6), then the EC and the semaphore. */
export const SLOT_ORDER = 6;
const MTD_ALL = MTD.DEFAULT | MTD.FPU;

/** What a slot changes in its thread: the handler EC as it runs now. */
export interface SlotThread {
  host: HostEc;
  state: ArchState;
}

/** The personality that a slot serves; each personality has a thread type of its own. */
export interface SlotOwner<T extends SlotThread> {
  readonly current: CurrentEc;
  readonly selectors: Selectors;
  enter(ec: HostEc): void;
  readonly dispatcher: {
    systemCall(t: T): void | Coroutine;
    exception(t: T, id: number): void | Coroutine;
  };
}

/**
 * The personality's half of a thread: a local EC with the thread's portals, and the semaphore it waits on. Kept for the next thread when
 * its thread ends.
 */
export class Slot<T extends SlotThread = Thread> {
  /** Selector block, 64-aligned; delegated as a whole to a process's PD at the thread's event base. */
  readonly base: number;
  readonly ec: number;
  readonly sm: number;
  thread: T | undefined;
  /** The handler EC as it last ran. */
  host: HostEc;

  constructor(os: SlotOwner<T>) {
    const { ec: kernel } = os.current;
    this.host = kernel;
    this.base = os.selectors.takeBlock();
    this.ec = os.selectors.take();
    this.sm = os.selectors.take();
    kernel.createEc(this.ec, HOST_PD.SELF_PD, { global: false, utcb: 0 });
    kernel.createSm(this.sm, HOST_PD.SELF_PD, 0);
    kernel.label(this.ec, "thread's handler");
    kernel.label(this.sm, "thread's wait");
    const enter = (ec: HostEc): T | undefined => {
      os.enter(ec);
      const { thread } = this;
      if (thread !== undefined && thread.host !== ec) {
        this.host = thread.host = ec;
        thread.state = ec.state;
      }
      return thread;
    };
    const systemCall = (_id: number, ec: HostEc) => {
      const t = enter(ec);
      return t === undefined ? undefined : os.dispatcher.systemCall(t);
    };
    const exception = (id: number, ec: HostEc) => {
      const t = enter(ec);
      return t === undefined ? undefined : os.dispatcher.exception(t, id);
    };
    for (const id of [...VECTORS, ID_STARTUP, ID_RECALL, ID_SYSCALL]) {
      const handler = id === ID_SYSCALL ? systemCall : exception;
      kernel.createPt(this.base + id, HOST_PD.SELF_PD, this.ec, MTD_ALL, handler);
      kernel.ptCtrl(this.base + id, id);
      kernel.label(this.base + id, id === ID_SYSCALL ? "foreign system call" : "exceptions");
    }
  }

  /** Gives the portals to a process's PD at `eventBase`. */
  delegateTo(os: Pick<SlotOwner<T>, "current">, pd: number, eventBase: number): void {
    os.current.ec.delegate(HOST_PD.SELF_PD, objectCrd(this.base, SLOT_ORDER), pd, objectCrd(eventBase, SLOT_ORDER));
  }

  /** Takes the portals back from all processes. */
  withdraw(os: Pick<SlotOwner<T>, "current">): void {
    os.current.ec.revoke(objectCrd(this.base, SLOT_ORDER), false);
  }
}
