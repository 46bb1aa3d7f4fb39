import { PAGE, USER_ADDR } from "../cpu/layout.ts";
import { RIGHT_R, RIGHT_W } from "../cpu/space.ts";
import { type Crd, CrdKind, type EcOptions, type PortalHandler, Status } from "./api.ts";
import { SELECTORS } from "./capability_space.ts";
import { everything } from "./crd.ts";
import { delegate } from "./delegation.ts";
import { initialState } from "./frame.ts";
import type { Kernel } from "./kernel.ts";
import { CapNode } from "./mdb.ts";
import { TAG_NOT_DELEGATABLE } from "./memory_space.ts";
import {
  Cont,
  Ec,
  EC_CREATE_PT,
  EC_CREATE_SC,
  EC_RIGHTS,
  type KernelObject,
  Pd,
  PD_CREATE,
  Pt,
  PT_RIGHTS,
  Sc,
  SC_RIGHTS,
  Sm,
  SM_RIGHTS,
  SM_UP,
} from "./objects.ts";
import { PRIORITIES } from "./scheduler.ts";

/** Installs the first capability of a new object; the slot is free. */
export function install(pd: Pd, selector: number, object: KernelObject, rights: number): void {
  const node = new CapNode(pd.objects, selector % SELECTORS, 0, rights, object);
  object.root = node;
  pd.objects.insert(node);
}

export function slotUsed(pd: Pd, selector: number): boolean {
  return pd.objects.find(selector) !== undefined;
}

/** The PD behind a capability with the right to create objects. */
export function parentPd(pd: Pd, selector: number): Pd | undefined {
  const node = pd.objects.find(selector);
  return node?.object instanceof Pd && (node.rights & PD_CREATE) !== 0 ? node.object : undefined;
}

function ecWith(pd: Pd, selector: number, right: number): Ec | undefined {
  const node = pd.objects.find(selector);
  return node?.object instanceof Ec && (node.rights & right) !== 0 ? node.object : undefined;
}

/**
 * create_pd (2). In: `selector` new, `parent` PD, `crd` capabilities of the *caller* to hand to the new PD from selector 0 on,
 * foreign flag and portal base, passthrough (only if the parent has it).
 * Out: PD with the rights of the parent capability. Status: BAD_CAP.
 */
export function createPd(
  k: Kernel,
  caller: Pd,
  selector: number,
  parent: number,
  crd: Crd,
  foreign: boolean,
  foreignBase: number,
  passthrough: boolean,
): Status {
  const creator = parentPd(caller, parent);
  if (!creator || slotUsed(caller, selector)) return Status.BadCap;
  const pd = k.life.newPd();
  pd.foreign = foreign;
  pd.foreignBase = foreignBase;
  pd.passthrough = passthrough && creator.passthrough;
  install(caller, selector, pd, caller.objects.find(parent)?.rights ?? 0);
  if (crd.kind === CrdKind.Object) delegate(k, caller, crd, pd, everything(CrdKind.Object), 0, false);
  return Status.Success;
}

/**
 * create_ec (3). In: `selector` new, `parent` PD, see EcOptions. Out: EC with rights 0xd; a local EC is idle, a global one waits for
 * its first SC. Status, in order: BAD_CPU, BAD_CAP (PD), BAD_PAR (UTCB address), BAD_CAP (slot); BAD_PAR when kernel memory is out.
 */
export function createEc(k: Kernel, caller: Pd, selector: number, parent: number, opts: EcOptions): Status {
  if ((opts.cpu ?? 0) !== 0) return Status.BadCpu;
  const pd = parentPd(caller, parent);
  if (!pd) return Status.BadCap;
  if (opts.utcb >= USER_ADDR || opts.unknownFlags === true) return Status.BadPar;
  if (slotUsed(caller, selector)) return Status.BadCap;
  if (opts.program) k.life.bindProgram(pd, opts.program);
  const isHost = pd.program !== undefined;
  const ec = k.life.newEc(pd, opts.global, isHost);
  if (!ec) return Status.BadPar;
  ec.eventBase = opts.eventBase ?? 0;
  ec.program = opts.program;
  if (isHost) ec.cont = opts.global ? Cont.HostMain : Cont.Idle;
  else {
    ec.cont = opts.global ? Cont.Startup : Cont.Idle;
    initialState(k.cpu, ec.state, ec.frame, opts.stack ?? 0);
    if (opts.utcb !== 0) {
      ec.utcbVa = opts.utcb;
      ec.utcbPd = opts.utcbInCaller ? caller : pd;
      ec.utcbPd.memoryVersion++;
      ec.utcbPd.space.map(opts.utcb, ec.utcb, PAGE, RIGHT_R | RIGHT_W, TAG_NOT_DELEGATABLE);
    }
  }
  install(caller, selector, ec, EC_RIGHTS);
  return Status.Success;
}

/**
 * create_sc (4). In: `selector` new, `parent` PD (only checked), `ecSelector` global EC, priority 1..127, quantum in us.
 * Out: SC, runnable at once; it does not preempt a creator of equal priority. Status, in order: BAD_CAP (PD, EC, local EC), BAD_PAR,
 * BAD_CAP (slot).
 */
export function createSc(
  k: Kernel,
  caller: Pd,
  selector: number,
  parent: number,
  ecSelector: number,
  priority: number,
  quantumUs: number,
): Status {
  if (!parentPd(caller, parent)) return Status.BadCap;
  const ec = ecWith(caller, ecSelector, EC_CREATE_SC);
  if (!ec || !ec.global) return Status.BadCap;
  if (priority <= 0 || priority >= PRIORITIES || quantumUs <= 0) return Status.BadPar;
  if (slotUsed(caller, selector)) return Status.BadCap;
  const sc = new Sc(k.life.newId(), ec, priority, k.version.quantum ? quantumUs * 1000 : Infinity);
  ec.scs.push(sc);
  install(caller, selector, sc, SC_RIGHTS);
  k.enqueue(sc);
  return Status.Success;
}

/**
 * create_pt (5). In: `selector` new, `parent` PD (only checked), `ecSelector` local EC, MTD, entry (RIP, or the handler of a host EC).
 * Out: portal with id 0 and rights 3. Status, in order: BAD_CAP (PD, EC, global EC), BAD_CAP (slot).
 */
export function createPt(
  k: Kernel,
  caller: Pd,
  selector: number,
  parent: number,
  ecSelector: number,
  mtd: number,
  entry: number | PortalHandler,
): Status {
  if (!parentPd(caller, parent)) return Status.BadCap;
  const ec = ecWith(caller, ecSelector, EC_CREATE_PT);
  if (!ec || ec.global) return Status.BadCap;
  if (slotUsed(caller, selector)) return Status.BadCap;
  const isCode = typeof entry === "function";
  if (isCode !== (ec.host !== undefined)) return Status.BadPar;
  const pt = new Pt(k.life.newId(), ec, mtd, isCode ? 0 : entry);
  if (isCode) pt.handler = entry;
  install(caller, selector, pt, PT_RIGHTS);
  return Status.Success;
}

/**
 * create_sm (6). In: `selector` new, `parent` PD (only checked), initial count, or signal value when `signal` (a selector, 0 = none) names
 * the semaphore that `up` shall signal too. Status, in order: BAD_CAP (PD, signal: not an SM with up, or chained itself), BAD_CAP (slot).
 */
export function createSm(k: Kernel, caller: Pd, selector: number, parent: number, count: number, signal: number): Status {
  if (!parentPd(caller, parent)) return Status.BadCap;
  let target: Sm | undefined;
  if (signal !== 0) {
    const node = caller.objects.find(signal);
    if (!(node?.object instanceof Sm) || (node.rights & SM_UP) === 0 || node.object.target) return Status.BadCap;
    target = node.object;
  }
  if (slotUsed(caller, selector)) return Status.BadCap;
  const sm = new Sm(k.life.newId(), target ? 0 : count, -1);
  sm.target = target;
  sm.signalValue = target ? count : 0;
  install(caller, selector, sm, SM_RIGHTS);
  return Status.Success;
}
