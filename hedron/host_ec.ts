import { type Crd, CrdKind, type EcOptions, type HostEc, type PortalHandler, Status, type Utcb, type Wait } from "./api.ts";
import { HostArchState } from "./arch_state.ts";
import { delegate, lookup, revoke } from "./delegation.ts";
import { PdMemory } from "./host_memory.ts";
import { call } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import { createEc, createPd, createPt, createSc, createSm } from "./create.ts";
import { Cont, type Ec, EC_CTRL, type KernelObject, Pd, type Pt, PT_CTRL, type Sc, SC_CTRL, Sm, SM_UP } from "./objects.ts";
import { up } from "./semaphore.ts";
import { HostUtcb } from "./utcb.ts";
import { NULL_CRD } from "./crd.ts";

/** What a coroutine yields. One per EC, reused: it is consumed before the coroutine runs again. */
export class HostWait implements Wait {
  /** Selector of the semaphore, or of the portal when `isCall`. */
  sm = 0;
  deadline = 0;
  zeroCounter = false;
  isCall = false;
}

/** The hypercalls for TypeScript code: parameters instead of registers, the same kernel functions behind them. */
export class HostContext implements HostEc {
  readonly utcb: Utcb;
  readonly memory: PdMemory;
  readonly state: HostArchState;
  readonly #wait = new HostWait();

  constructor(private readonly k: Kernel, private readonly ec: Ec) {
    this.utcb = new HostUtcb(k.cpu.ram.u32, ec.utcb, k.version.utcbItems);
    this.memory = k.life.memoryOf(ec.pd);
    this.state = new HostArchState(k.cpu, this.memory.resolve);
  }

  call(pt: number): Status {
    const { k, ec } = this;
    ec.nested = true;
    const status = call(k, ec, pt, false);
    if (status !== Status.Success) {
      ec.nested = false;
      return status;
    }
    if (ec.cont !== Cont.HostRun) k.nest(ec);
    ec.nested = false;
    this.state.relocate();
    return ec.status;
  }

  callWait(pt: number): Wait {
    const wait = this.#wait;
    wait.sm = pt;
    wait.deadline = 0;
    wait.zeroCounter = false;
    wait.isCall = true;
    return wait;
  }

  createPd(sel: number, parent: number, crd: Crd, foreign?: { portalBase: number }): Status {
    return createPd(this.k, this.ec.pd, sel, parent, crd, foreign !== undefined, foreign?.portalBase ?? 0, false);
  }

  createEc(sel: number, pd: number, opts: EcOptions): Status {
    return createEc(this.k, this.ec.pd, sel, pd, opts);
  }

  createSc(sel: number, pd: number, ec: number, priority: number, quantumUs: number): Status {
    return createSc(this.k, this.ec.pd, sel, pd, ec, priority, quantumUs);
  }

  createPt(sel: number, pd: number, ec: number, mtd: number, entry: number | PortalHandler): Status {
    return createPt(this.k, this.ec.pd, sel, pd, ec, mtd, entry);
  }

  createSm(sel: number, pd: number, count: number, signal = 0): Status {
    return createSm(this.k, this.ec.pd, sel, pd, count, signal);
  }

  revoke(crd: Crd, self: boolean, remotePd?: number): Status {
    let pd: Pd = this.ec.pd;
    if (remotePd !== undefined) {
      const remote = this.#object(remotePd, 0);
      if (!(remote instanceof Pd)) return Status.BadCap;
      pd = remote;
    }
    revoke(this.k, pd, crd, self);
    return Status.Success;
  }

  delegate(
    source: number,
    crd: Crd,
    destination: number,
    receive: Crd,
    opts?: { hypervisor?: boolean; hotspot?: number },
  ): Status {
    const from = this.#object(source, 0), to = this.#object(destination, 0);
    if (!(from instanceof Pd) || !(to instanceof Pd)) return Status.BadCap;
    delegate(this.k, from, crd, to, receive, opts?.hotspot ?? 0, opts?.hypervisor ?? false);
    return Status.Success;
  }

  lookup(crd: Crd): Crd {
    return crd.kind === CrdKind.Memory ? NULL_CRD : lookup(this.ec.pd, crd);
  }

  recall(ec: number): Status {
    const object = this.#object(ec, EC_CTRL);
    if (object?.kind !== "EC") return Status.BadCap;
    (object as Ec).recall = true;
    return Status.Success;
  }

  yieldCpu(): void {
    this.k.yieldSc();
  }

  scTime(sc: number): number {
    const object = this.#object(sc, SC_CTRL);
    if (object?.kind !== "SC") return -Status.BadCap;
    return this.k.scTimeUs(object as Sc);
  }

  ptCtrl(pt: number, id: number): Status {
    const object = this.#object(pt, PT_CTRL);
    if (object?.kind !== "PT") return Status.BadCap;
    const portal = object as Pt;
    portal.idLow = id >>> 0;
    portal.idHigh = Math.floor(id / 0x1_0000_0000) >>> 0;
    return Status.Success;
  }

  smUp(sm: number): Status {
    const object = this.#object(sm, SM_UP);
    if (!(object instanceof Sm)) return Status.BadCap;
    up(this.k, object);
    return Status.Success;
  }

  smDown(sm: number, deadline = 0, zeroCounter = false): Wait {
    const wait = this.#wait;
    wait.sm = sm;
    wait.deadline = deadline;
    wait.zeroCounter = zeroCounter;
    wait.isCall = false;
    return wait;
  }

  tsc(): number {
    return this.k.now();
  }

  label(sel: number, text: string): void {
    const object = this.#object(sel, 0);
    if (object) object.label = text;
  }

  /** The object behind a selector when the capability has all of `rights`. */
  #object(sel: number, rights: number): KernelObject | undefined {
    const node = this.ec.pd.objects.find(sel);
    return node !== undefined && (node.rights & rights) === rights ? node.object : undefined;
  }
}
