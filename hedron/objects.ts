import type { AddressSpace } from "../cpu/space.ts";
import type { Coroutine, HostProgram, PortalHandler } from "./api.ts";
import { ObjectSpace, PortSpace } from "./capability_space.ts";
import type { HostContext } from "./host_ec.ts";
import type { CapNode } from "./mdb.ts";

export type ObjectKind = "PD" | "EC" | "SC" | "PT" | "SM" | "KP";

/** Rights of object capabilities (ABI 5.1). */
export const PD_CREATE = 1;
export const EC_CTRL = 1, EC_CREATE_SC = 4, EC_CREATE_PT = 8, EC_RIGHTS = 0xd;
export const SC_CTRL = 1, SC_RIGHTS = 1;
export const PT_CTRL = 1, PT_CALL = 2, PT_RIGHTS = 3;
export const KP_CTRL = 1, KP_RIGHTS = 1;
export const SM_UP = 1, SM_DOWN = 2, SM_RIGHTS = 3;

export abstract class KernelObject {
  abstract readonly kind: ObjectKind;
  /** Debugging label, given by a host PD. */
  label = "";
  /** The capability made at creation; the object lives until it is revoked (ABI 5.7). */
  root: CapNode | undefined = undefined;
  destroyed = false;
  /** `id`: unique in this kernel, for inspection only. */
  constructor(readonly id: number) {}
}

/** Protection domain: a memory space, a port space and a space of object capabilities. */
export class Pd extends KernelObject {
  readonly kind = "PD";
  readonly objects: ObjectSpace = new ObjectSpace(this);
  readonly ports: PortSpace = new PortSpace(this);
  /** May use the hypervisor flag of delegate (root PD only). */
  privileged = false;
  /** May use machine_ctrl and msr_access. */
  passthrough = false;
  /** Foreign system calls (ABI 8). */
  foreign = false;
  foreignBase = 0;
  /** The TypeScript program of a host PD. */
  program: HostProgram | undefined = undefined;
  readonly ecs = new Set<Ec>();
  /** Counts changes of the memory space, so that host PDs can cache look-ups. */
  memoryVersion = 0;
  constructor(id: number, readonly space: AddressSpace) {
    super(id);
  }
}

/** What an EC does when it gets a CPU (ABI 7: kernel continuations). */
export const enum Cont {
  /** Local EC that waits for a call. */
  Idle,
  /** Guest EC about to run user code; its state block is complete. */
  User,
  /** Global guest EC that has never run. */
  Startup,
  /** Waits for the reply to a native call ("sysret"). */
  CallWait,
  /** Waits for the reply to a state message: exception, startup, recall, foreign system call ("iret"). */
  MessageWait,
  /** The handler was busy: the call, or the message, must be tried again. */
  RetryCall,
  RetryMessage,
  /** Host EC whose program has not been started. */
  HostMain,
  /** Host EC that has JavaScript frames on the stack. */
  HostRun,
  /** Host EC whose coroutine goes on with `status`. */
  HostResume,
  Dead,
}

/** Execution context: a thread (global) or the place where portals are served (local). */
export class Ec extends KernelObject {
  readonly kind = "EC";
  cont: Cont = Cont.Idle;
  /** Physical address of the UTCB page. */
  utcb = 0;
  /** Virtual address of the UTCB in `utcbPd`, 0 = not mapped. */
  utcbVa = 0;
  utcbPd: Pd | undefined = undefined;
  /** Physical address of the state block; 0 for a host EC. */
  state = 0;
  /** Physical address of the saved interrupt frame, see frame.ts. */
  frame = 0;
  /** System-call entry of a guest EC, made once. */
  onSyscall: (() => boolean) | undefined = undefined;
  /** Selector of the portal for vector 0. */
  eventBase = 0;
  /** Set while the last entry to the kernel was a native system call (the EC returns by sysret). */
  viaSysret = false;
  recall = false;
  /** Error code and CR2 of the last exception. */
  errorCode = 0;
  faultAddress = 0;
  /** The EC that serves this one's call or message. */
  partner: Ec | undefined = undefined;
  /** The EC that this one serves. */
  caller: Ec | undefined = undefined;
  /** Selector of the portal last called, or last used for a message; a retry looks it up again. */
  retrySelector = 0;
  /** Semaphore on which the EC is blocked, and the links of its queue. */
  sm: Sm | undefined = undefined;
  smNext: Ec | undefined = undefined;
  smPrevious: Ec | undefined = undefined;
  /** Absolute TSC deadline; place in the timer heap or -1. */
  deadline = 0;
  timerIndex = -1;
  /** SCs that reached this EC while it was blocked (ABI 9.2). */
  readonly waiting: Sc[] = [];
  readonly scs: Sc[] = [];
  /** Host side of an EC whose code is TypeScript. */
  host: HostContext | undefined = undefined;
  /** What a global host EC runs. */
  program: HostProgram | undefined = undefined;
  coroutine: Coroutine | undefined = undefined;
  /** Result that a coroutine or nested call gets. */
  status = 0;
  /** True while plain host code is inside its own `call`: the answer goes to the JavaScript frame, not to a coroutine. */
  nested = false;
  constructor(id: number, readonly pd: Pd, readonly global: boolean) {
    super(id);
  }
}

/** Scheduling context: the right to use the CPU, with priority and quantum. */
export class Sc extends KernelObject {
  readonly kind = "SC";
  /** Budget left in ns; 0 = refill on enqueue. */
  left = 0;
  /** Consumed time in ns. */
  time = 0;
  next: Sc | undefined = undefined;
  previous: Sc | undefined = undefined;
  /** In a ready queue. */
  queued = false;
  /** The EC in whose `waiting` list this SC is. */
  waitsFor: Ec | undefined = undefined;
  constructor(id: number, readonly ec: Ec, readonly priority: number, readonly quantum: number) {
    super(id);
  }
}

/** Portal: an entry into a local EC. */
export class Pt extends KernelObject {
  readonly kind = "PT";
  idLow = 0;
  idHigh = 0;
  /** Code in a host PD. */
  handler: PortalHandler | undefined = undefined;
  /** `entry`: RIP in the EC's PD. */
  constructor(id: number, readonly ec: Ec, readonly mtd: number, readonly entry: number) {
    super(id);
  }
}

/** Semaphore. */
export class Sm extends KernelObject {
  readonly kind = "SM";
  /** FIFO of blocked ECs. */
  first: Ec | undefined = undefined;
  last: Ec | undefined = undefined;
  /** Chained signalling: `up` on this semaphore ups `target` and hands it `signalValue` (ABI 6.3, create_sm). */
  target: Sm | undefined = undefined;
  signalValue = 0;
  /** Signals not yet consumed. */
  signals = 0;
  signalQueued = false;
  /** Semaphores that have signalled this one, oldest first. */
  readonly signallers: Sm[] = [];
  constructor(id: number, public count: number, /** Global system interrupt of a kern SM, or -1. */ readonly gsi: number) {
    super(id);
  }
}

/** Kernel page (API 13.2): memory of the kernel that a program may see. */
export class Kp extends KernelObject {
  readonly kind = "KP";
  /** Where it is mapped. */
  pd: Pd | undefined = undefined;
  va = 0;
  constructor(id: number, /** Physical address. */ readonly page: number) {
    super(id);
  }
}
