import { Status } from "./api.ts";
import { transferItems } from "./delegation.ts";
import { iret, RCX, RDI, setNumber, setReg, sysret } from "./frame.ts";
import { enterHostHandler, returnToHost } from "./host_run.ts";
import type { Kernel } from "./kernel.ts";
import { stateToUtcb, utcbToState } from "./mtd.ts";
import { Cont, type Ec, type Pt, Sm } from "./objects.ts";
import { down } from "./semaphore.ts";
import { copyMessage, typedCount } from "./utcb.ts";
import { RIP } from "../cpu/layout.ts";

/** The portal behind a selector, whatever the rights: `call` does not check them (ABI 5.1). */
export function portalAt(ec: Ec, selector: number): Pt | undefined {
  return ec.pd.objects.find(selector)?.portal;
}

/** Starts a guest handler at its portal (ABI 7.1, step 2). RSP is the one of its last `reply`, the other GPRs likewise. */
function enterGuestHandler(k: Kernel, handler: Ec, pt: Pt): void {
  const at = k.cpu.locate(handler.state), u32 = k.cpu.ram.u32;
  setReg(u32, at + RDI, pt.idLow, pt.idHigh);
  setNumber(u32, at + RIP, pt.entry);
  setNumber(u32, at + RCX, pt.entry);
  sysret(k.cpu, at);
  handler.viaSysret = true;
  handler.cont = Cont.User;
}

function connect(caller: Ec, handler: Ec, wait: Cont.CallWait | Cont.MessageWait): void {
  caller.cont = wait;
  caller.partner = handler;
  handler.caller = caller;
}

/**
 * Native call (hypercall 0; ABI 7.1). The caller waits, or its call has already been answered when this returns (host handlers
 * that do not block). Success is not a status that a caller sees: it gets its RDI back unchanged.
 * Status: BAD_CAP not a portal, COM_TIM handler busy and `nonBlocking`, or handler dead.
 */
export function call(k: Kernel, caller: Ec, selector: number, nonBlocking: boolean): Status {
  const pt = portalAt(caller, selector);
  if (pt === undefined) return Status.BadCap;
  const handler = pt.ec;
  caller.retrySelector = selector;
  if (handler.cont !== Cont.Idle) {
    if (handler.cont === Cont.Dead || nonBlocking) return Status.ComTim;
    caller.cont = Cont.RetryCall;
    return Status.Success;
  }
  connect(caller, handler, Cont.CallWait);
  if (k.trace !== undefined) k.trace.connected(caller, pt, selector, undefined);
  const u32 = k.cpu.ram.u32;
  copyMessage(u32, caller.utcb, handler.utcb, k.version.utcbItems);
  if (typedCount(u32[(caller.utcb + k.version.utcbItems) >> 2]) !== 0) transferItems(k, caller, handler, undefined);
  if (handler.host) enterHostHandler(k, handler, pt, undefined);
  else enterGuestHandler(k, handler, pt);
  return Status.Success;
}

/**
 * State message to the portal at `selector` in the EC's own PD: exceptions, startup, recall, foreign system calls (ABI 7.4, 8.2).
 * The located state block holds what the message shows and the reply changes. Kills the EC when there is no portal.
 */
export function message(k: Kernel, ec: Ec, selector: number): void {
  const pt = portalAt(ec, selector);
  ec.retrySelector = selector;
  if (pt === undefined) return k.life.kill(ec, "PT not found");
  const handler = pt.ec;
  if (handler.cont !== Cont.Idle) {
    if (handler.cont === Cont.Dead) return k.life.kill(ec, "IPC Timeout");
    ec.cont = Cont.RetryMessage;
    return;
  }
  connect(ec, handler, Cont.MessageWait);
  if (k.trace !== undefined) k.trace.connected(ec, pt, selector, selector - ec.eventBase);
  if (handler.host) {
    k.cpu.ram.u32[(handler.utcb + k.version.utcbItems) >> 2] = k.version.stateItems;
    enterHostHandler(k, handler, pt, ec);
    return;
  }
  stateToUtcb(k.cpu, k.version, ec, handler.utcb, pt.mtd);
  enterGuestHandler(k, handler, pt);
}

/** The caller's native call is over: a guest returns by sysret, host code goes on with `status`. */
export function finishCall(k: Kernel, caller: Ec, status: Status): void {
  if (caller.host) {
    returnToHost(caller, status);
    return;
  }
  const at = k.cpu.locate(caller.state);
  // RDI is left alone on success: the kernel writes no status (ABI 7.1, step 5).
  if (status !== Status.Success) setReg(k.cpu.ram.u32, at + RDI, status, 0);
  sysret(k.cpu, at);
  caller.viaSysret = true;
  caller.cont = Cont.User;
}

/**
 * Reply (hypercall 1; ABI 7.2): gives the caller its answer and makes the EC idle. A global EC that replies stops for ever.
 * `smSelector`, whatever the rights: a down on that semaphore on the caller's behalf; then its native call starts again, or it goes on
 * with the state of the reply.
 */
export function reply(k: Kernel, ec: Ec, smSelector: number): void {
  const caller = ec.caller;
  ec.cont = ec.global ? Cont.Dead : Cont.Idle;
  if (caller === undefined) return;
  ec.caller = caller.partner = undefined;
  if (k.trace !== undefined) k.trace.answered(caller, Status.Success);
  const sm = smSelector === 0 ? undefined : ec.pd.objects.find(smSelector)?.object;
  const u32 = k.cpu.ram.u32, typed = typedCount(u32[(ec.utcb + k.version.utcbItems) >> 2]) !== 0;
  if (caller.cont === Cont.CallWait && sm instanceof Sm) {
    // Its selector is still in retrySelector; while blocked the EC keeps this continuation.
    caller.cont = Cont.RetryCall;
  } else if (caller.cont === Cont.CallWait) {
    if (typed) transferItems(k, ec, caller, undefined);
    copyMessage(u32, ec.utcb, caller.utcb, k.version.utcbItems);
    finishCall(k, caller, Status.Success);
  } else {
    if (typed) transferItems(k, ec, caller, caller.faultAddress);
    if (ec.host) ec.host.state.commit();
    else utcbToState(k.cpu, k.version, ec.utcb, caller);
    iret(k.cpu, k.cpu.locate(caller.state), caller.frame);
    caller.viaSysret = false;
    caller.cont = Cont.User;
  }
  if (sm instanceof Sm) down(k, caller, sm, false, 0);
  if (caller.destroyed) k.life.finishDestroy(caller);
}

/** The handler died: COM_ABT for a native call, death for an EC that waits in a state message (ABI 7.7). */
export function abortCaller(k: Kernel, ec: Ec): void {
  const caller = ec.caller;
  if (!caller) return;
  ec.caller = caller.partner = undefined;
  if (k.trace !== undefined) k.trace.answered(caller, Status.ComAbt);
  if (caller.cont === Cont.CallWait) {
    finishCall(k, caller, Status.ComAbt);
    if (caller.destroyed) k.life.finishDestroy(caller);
  } else k.life.kill(caller, "IPC Abort");
}
