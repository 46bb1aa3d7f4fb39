/** The kernel's objects behind a thread: its EC, its SC, and its portals in the process's domain. */
import { HOST_PD, PROCESS } from "../../roottask/protocol.ts";
import type { Personality } from "../personality.ts";
import { objectCrd } from "./kernel_space.ts";
import type { Space } from "./space.ts";
import type { Thread } from "./thread.ts";

const PRIORITY = 1, QUANTUM_US = 10_000;
/** Service portals in the order REGISTER delegates them, and where a process has them. */
const SERVICES = [PROCESS.STDOUT, PROCESS.STDERR, PROCESS.ALLOCATE, PROCESS.FS, PROCESS.ECHO, PROCESS.RAW_ECHO] as const;

/** An EC for `t`, with its portals; it does not run yet. */
export function createThreadEc(os: Personality, t: Thread, space: Space): void {
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
  ec.label(space.pd, `${t.name} ${t.process.pid}`);
  ec.label(t.ec, `thread ${t.tid}`);
}

/** Lets it run. */
export function startThreadEc(os: Personality, t: Thread): void {
  t.sc = os.selectors.take();
  os.current.ec.createSc(t.sc, t.process.space.pd, t.ec, PRIORITY, QUANTUM_US);
}

/** Takes EC, SC and portals away. */
export function dropThreadEc(os: Personality, t: Thread): void {
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
