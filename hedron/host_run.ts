import { Status, type Wait } from "./api.ts";
import { HostWait } from "./host_ec.ts";
import { call, reply } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import { Cont, type Ec, type Pt, Sm, SM_DOWN } from "./objects.ts";
import { BLOCKED, down } from "./semaphore.ts";

/**
 * Runs a portal's TypeScript handler (ABI 7.1 with JavaScript for registers). `stateOf` is the EC whose state the handler sees in a
 * state message. When the handler returns nothing it has replied; a coroutine is stepped until it blocks or ends.
 */
export function enterHostHandler(k: Kernel, handler: Ec, pt: Pt, stateOf: Ec | undefined): void {
  const host = handler.host;
  if (host === undefined || pt.handler === undefined) return k.life.kill(handler, "No handler");
  if (stateOf) host.state.bind(stateOf, pt.mtd);
  else host.state.unbind();
  handler.cont = Cont.HostRun;
  let routine;
  try {
    routine = pt.handler(pt.idLow, k.trace === undefined ? host : k.trace.hostView(handler, host));
  } catch (error) {
    return k.life.hostError(handler, error);
  }
  if (routine !== undefined) {
    handler.coroutine = routine;
    handler.status = Status.Success;
    return stepCoroutine(k, handler);
  }
  if (handler.cont === Cont.HostRun) reply(k, handler, 0);
}

/** Starts the program of a global host EC. */
export function startProgram(k: Kernel, ec: Ec): void {
  const host = ec.host;
  ec.cont = Cont.HostRun;
  if (host === undefined || ec.program === undefined) return k.life.kill(ec, "No program");
  let routine;
  try {
    routine = ec.program.main(k.trace === undefined ? host : k.trace.hostView(ec, host));
  } catch (error) {
    return k.life.hostError(ec, error);
  }
  if (routine !== undefined) {
    ec.coroutine = routine;
    ec.status = Status.Success;
    stepCoroutine(k, ec);
  } else if (ec.cont === Cont.HostRun) reply(k, ec, 0);
}

/** Goes on with a coroutine until it blocks, waits for a reply, or ends (= reply). */
export function stepCoroutine(k: Kernel, ec: Ec): void {
  for (;;) {
    const routine = ec.coroutine;
    if (routine === undefined) return;
    ec.cont = Cont.HostRun;
    ec.host?.state.relocate();
    let step;
    try {
      step = routine.next(ec.status);
    } catch (error) {
      return k.life.hostError(ec, error);
    }
    // The coroutine may have destroyed its own EC.
    if (ec.cont !== Cont.HostRun) return;
    if (step.done) {
      ec.coroutine = undefined;
      return reply(k, ec, 0);
    }
    ec.cont = Cont.HostResume;
    if (blocks(k, ec, step.value)) return;
  }
}

/** Begins what a coroutine has yielded. False when it is over already, with its result in `ec.status`. */
function blocks(k: Kernel, ec: Ec, wait: Wait): boolean {
  if (wait instanceof HostWait && wait.isCall) {
    const status = call(k, ec, wait.sm, false);
    if (status !== Status.Success) ec.status = status;
    return status === Status.Success && ec.cont !== Cont.HostResume;
  }
  const node = ec.pd.objects.find(wait.sm);
  if (!(node?.object instanceof Sm) || (node.rights & SM_DOWN) === 0) {
    ec.status = Status.BadCap;
    return false;
  }
  const status = down(k, ec, node.object, wait.zeroCounter, wait.deadline);
  if (status === BLOCKED) return true;
  ec.status = status;
  return false;
}

/** A host EC's call has been answered: its JavaScript frame, or its coroutine, goes on. */
export function returnToHost(ec: Ec, status: Status): void {
  ec.status = status;
  ec.cont = ec.nested ? Cont.HostRun : Cont.HostResume;
}
