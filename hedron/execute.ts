import { Trap } from "../cpu/api.ts";
import { Status } from "./api.ts";
import { deliverException, deliverRecall, deliverStartup } from "./exceptions.ts";
import { foreignCall } from "./foreign.ts";
import { RDI, saveFrame } from "./frame.ts";
import { startProgram, stepCoroutine } from "./host_run.ts";
import { hypercall } from "./hypercalls.ts";
import { call, finishCall, message, portalAt } from "./ipc.ts";
import { After, chainEnd, type Kernel } from "./kernel.ts";
import { Cont, type Ec, type Sc } from "./objects.ts";
import type { Trace } from "./trace.ts";
import { UTCB_NSCT } from "./utcb.ts";

/** Fruitless retries after which a caller is killed (ABI 7.1, step 4). */
const MAX_LOOPS = 100;

/** One step of the EC that the running SC has reached. */
export function execute(k: Kernel, sc: Sc, ec: Ec): After {
  if (ec.sm) {
    k.waitFor(sc, ec);
    return After.Leave;
  }
  switch (ec.cont) {
    case Cont.User:
      return runGuest(k, sc, ec);
    case Cont.HostResume:
      stepCoroutine(k, ec);
      return After.Again;
    case Cont.RetryCall:
    case Cont.RetryMessage:
      return retry(k, sc, ec);
    case Cont.Startup:
      deliverStartup(k, ec);
      return After.Again;
    case Cont.HostMain:
      startProgram(k, ec);
      return After.Again;
    default:
      // Dead, or a global EC that has stopped: its SC is dropped.
      return After.Leave;
  }
}

/** The handler was busy: tries again; while it still is, this SC helps it along (ABI 7.1, step 4). */
function retry(k: Kernel, sc: Sc, ec: Ec): After {
  const native = ec.cont === Cont.RetryCall;
  const handler = portalAt(ec, ec.retrySelector)?.ec;
  if (handler === undefined || handler.cont === Cont.Idle || handler.cont === Cont.Dead) {
    if (!native) message(k, ec, ec.retrySelector);
    else {
      const status = call(k, ec, ec.retrySelector, false);
      if (status !== Status.Success) finishCall(k, ec, status);
    }
    return After.Again;
  }
  if (++k.loops >= MAX_LOOPS) {
    k.life.kill(ec, "Livelock");
    return After.Again;
  }
  const helped = chainEnd(handler);
  return helped.cont === Cont.HostRun ? k.park(sc) : execute(k, sc, helped);
}

/**
 * What the processor calls at each `syscall` instruction of the EC, without leaving its translated code: true when the EC goes on at
 * once. The decision between native and foreign is made here, for each call (ABI 8.1).
 */
function syscallEntry(k: Kernel, ec: Ec): () => boolean {
  const u32 = k.cpu.ram.u32, pd = ec.pd;
  return () => {
    if (pd.foreign && (u32[ec.utcb >> 2] & UTCB_NSCT) === 0) foreignCall(k, ec);
    else hypercall(k, ec);
    if (ec.partner !== undefined) lend(k, ec.partner);
    if (--k.untilClock <= 0) k.tick();
    k.runningPd = pd;
    return ec.cont === Cont.User && !ec.sm && !ec.recall && !k.resched;
  };
}

/** The system-call entry of a machine with a trace. */
function tracedEntry(k: Kernel, ec: Ec, trace: Trace): () => boolean {
  const entry = syscallEntry(k, ec), u32 = k.cpu.ram.u32;
  return () => {
    const foreign = ec.pd.foreign && (u32[ec.utcb >> 2] & UTCB_NSCT) === 0;
    const at = k.cpu.locate(ec.state), number = k.registers.load(at), { selector } = k.registers, start = k.now();
    const goesOn = entry();
    // Calls and replies are told where they begin and end; a blocked down has no status yet.
    if (!foreign && number > HC_REPLY && ec.state !== 0) {
      trace.hypercall(ec, number, selector, start, u32[(k.cpu.locate(ec.state) + RDI) >> 2] & 0xff);
    }
    return goesOn;
  };
}
const HC_REPLY = 1;

/** Calls that are served within each other's system calls; deeper ones go through the scheduler, so that the host's stack is bounded. */
const MAX_LENT = 8;

/**
 * A call or message has gone to a handler. When that is guest code it runs here, inside the caller's system call: an answer that comes
 * at once finds the caller's translated code where it was. Whatever else happens, the scheduler goes on from where the handler stopped.
 */
function lend(k: Kernel, handler: Ec): void {
  if (handler.cont !== Cont.User || handler.sm || k.resched || k.lent >= MAX_LENT) return;
  k.lent++;
  runUser(k, handler);
  k.lent--;
}

/** Runs user code of a guest EC until it waits for somebody, blocks, dies or loses the CPU. */
function runGuest(k: Kernel, sc: Sc, ec: Ec): After {
  runUser(k, ec);
  if (ec.cont !== Cont.User || ec.sm) return After.Again;
  k.preempt(sc);
  return After.Leave;
}

function runUser(k: Kernel, ec: Ec): void {
  const cpu = k.cpu, pd = ec.pd, onSyscall = ec.onSyscall ??= k.trace ? tracedEntry(k, ec, k.trace) : syscallEntry(k, ec);
  for (;;) {
    if (ec.recall) {
      deliverRecall(k, ec);
      if (ec.cont !== Cont.User) return;
    }
    k.runningPd = pd;
    const trap = cpu.run(ec.state, pd.space, k.sliceNs, onSyscall);
    if (trap !== Trap.Syscall) {
      saveFrame(cpu, cpu.locate(ec.state), ec.frame);
      ec.viaSysret = false;
      if (trap === Trap.Exception) deliverException(k, ec);
      else if (trap === Trap.Pause) k.yieldSc();
      k.tick();
    }
    if (ec.cont !== Cont.User || ec.sm || k.resched) return;
  }
}
