/** The kernel's objects behind a thread: its EC, its SC, and its portals in the process's domain. */
import { HOST_PD, PROCESS } from "../../roottask/protocol.ts";
import { objectCrd } from "./kernel_space.ts";
import type { Registrar } from "./registration.ts";
import type { Space } from "./space.ts";

const PRIORITY = 1, QUANTUM_US = 10_000;
/** Service portals in the order REGISTER delegates them, and where a process has them. */
const SERVICES = [PROCESS.STDOUT, PROCESS.STDERR, PROCESS.ALLOCATE, PROCESS.FS, PROCESS.ECHO, PROCESS.RAW_ECHO] as const;

/** A thread of a personality, whichever it is. */
export interface EcThread<Os extends Registrar> {
  readonly tid: number;
  /** Selectors of its EC and SC, and where its portals stand in its domain. */
  ec: number;
  sc: number;
  eventBase: number;
  readonly slot: { delegateTo(os: Os, pd: number, base: number): void; withdraw(os: Os): void };
  readonly process: {
    readonly pid: number;
    readonly services: number;
    readonly space: Space;
    readonly threads: readonly unknown[];
  };
}

/** An EC for `t` in `space`, with its portals; it does not run yet. `name` is the domain's label. */
export function createThreadEc<Os extends Registrar>(os: Os, t: EcThread<Os>, space: Space, name: string): void {
  const { ec } = os.current;
  t.eventBase = space.takeBase();
  t.slot.delegateTo(os, space.pd, t.eventBase);
  if (space.ecs === 0) {
    SERVICES.forEach((selector, i) => {
      ec.delegate(HOST_PD.SELF_PD, objectCrd(t.process.services + i), space.pd, objectCrd(selector));
    });
  }
  t.ec = os.selectors.take();
  t.sc = 0;
  const utcb = space.ecs === 0 ? PROCESS.UTCB : 0;
  space.ecs++;
  ec.createEc(t.ec, space.pd, { global: true, utcb, stack: 0, eventBase: t.eventBase });
  ec.label(space.pd, `${name} ${t.process.pid}`);
  ec.label(t.ec, `thread ${t.tid}`);
}

/** Lets it run. */
export function startThreadEc<Os extends Registrar>(os: Os, t: EcThread<Os>): void {
  t.sc = os.selectors.take();
  os.current.ec.createSc(t.sc, t.process.space.pd, t.ec, PRIORITY, QUANTUM_US);
}

/** Takes EC, SC and portals away. */
export function dropThreadEc<Os extends Registrar>(os: Os, t: EcThread<Os>): void {
  const { ec } = os.current;
  if (t.sc !== 0) {
    ec.revoke(objectCrd(t.sc), true);
    os.selectors.give(t.sc);
  }
  ec.revoke(objectCrd(t.ec), true);
  os.selectors.give(t.ec);
  // The process's first portals stay: the kernel wants one at the foreign base for every thread (ABI 8.2).
  if (t.eventBase === 0 && t.process.threads.length > 0) return;
  t.slot.withdraw(os);
  if (t.eventBase !== 0) t.process.space.giveBase(t.eventBase);
}
