import { Status } from "./api.ts";
import { setNumber, setReg, sysret } from "./frame.ts";
import { RDI, RDX, RSI } from "./frame.ts";
import type { Kernel } from "./kernel.ts";
import { finishCall } from "./ipc.ts";
import { Cont, type Ec, type Sm } from "./objects.ts";

/** Returned by `down` when the EC has been blocked. */
export const BLOCKED = -1;

function append(sm: Sm, ec: Ec): void {
  ec.sm = sm;
  ec.smNext = undefined;
  ec.smPrevious = sm.last;
  if (sm.last) sm.last.smNext = ec;
  else sm.first = ec;
  sm.last = ec;
}

function unqueue(sm: Sm, ec: Ec): void {
  if (ec.smPrevious) ec.smPrevious.smNext = ec.smNext;
  else sm.first = ec.smNext;
  if (ec.smNext) ec.smNext.smPrevious = ec.smPrevious;
  else sm.last = ec.smPrevious;
  ec.sm = ec.smNext = ec.smPrevious = undefined;
}

/** Hands value and number of signals of a chained semaphore to a guest EC in RSI and RDX (ABI 9.3). */
function deliverSignal(k: Kernel, ec: Ec, source: Sm): void {
  source.signalQueued = false;
  if (ec.state !== 0) {
    const at = k.cpu.locate(ec.state);
    setNumber(k.cpu.ram.u32, at + RSI, source.signalValue);
    setNumber(k.cpu.ram.u32, at + RDX, source.signals);
  }
  source.signals = 0;
}

/**
 * Down (ABI 9.3). With the counter at zero the EC is blocked, FIFO, until an up, the absolute TSC `deadline` (0 = none) or
 * the semaphore's destruction. A semaphore that signals another one cannot be waited for, except that a GSI's answers at once.
 */
export function down(k: Kernel, ec: Ec, sm: Sm, zeroCounter: boolean, deadline: number): Status | typeof BLOCKED {
  if (sm.target !== undefined) return sm.gsi >= 0 ? Status.Success : Status.BadCap;
  if (sm.count > 0) {
    sm.count = zeroCounter ? 0 : sm.count - 1;
    const source = sm.signallers.shift();
    if (source) deliverSignal(k, ec, source);
    return Status.Success;
  }
  if (deadline !== 0 && deadline <= k.now()) return Status.ComTim;
  append(sm, ec);
  k.blocked++;
  if (deadline !== 0) {
    ec.deadline = deadline;
    k.timers.add(ec);
  }
  return BLOCKED;
}

/** Ends the wait of an EC that is blocked on a semaphore: it returns from its down with `status`. */
export function release(k: Kernel, ec: Ec, status: Status): void {
  if (ec.sm) {
    unqueue(ec.sm, ec);
    k.blocked--;
  }
  k.timers.remove(ec);
  if (ec.cont === Cont.HostResume) ec.status = status;
  else if (ec.cont === Cont.RetryCall && status !== Status.Success) finishCall(k, ec, status);
  else if (ec.cont === Cont.User && (ec.viaSysret || status !== Status.Success)) {
    const at = k.cpu.locate(ec.state);
    setReg(k.cpu.ram.u32, at + RDI, status, 0);
    sysret(k.cpu, at);
  }
  k.wakeWaiting(ec);
}

/** Up (ABI 9.3): releases the first waiter, else counts. A GSI's semaphore with a chained one hands the up on to that. */
export function up(k: Kernel, sm: Sm): void {
  const target = sm.target;
  if (target !== undefined && sm.gsi >= 0) return up(k, target);
  if (target === undefined) {
    if (sm.first) release(k, sm.first, Status.Success);
    else sm.count++;
    return;
  }
  sm.signals++;
  const waiter = target.first;
  if (waiter) {
    deliverSignal(k, waiter, sm);
    release(k, waiter, Status.Success);
  } else if (!sm.signalQueued) {
    sm.signalQueued = true;
    target.signallers.push(sm);
    target.count++;
  }
}

/** Chains a GSI's semaphore to `target` (undefined = to none), with what it has counted so far. */
export function chain(k: Kernel, gsi: Sm, target: Sm | undefined): void {
  gsi.target = target;
  const counted = gsi.count;
  gsi.count = 0;
  for (let i = 0; i < counted; i++) up(k, gsi);
}

/** Destruction wakes the waiters with BAD_CAP (ABI 5.7). */
export function destroySm(k: Kernel, sm: Sm): void {
  while (sm.first) release(k, sm.first, Status.BadCap);
  sm.signallers.length = 0;
}
