import { PAGE, RIP, STATE_BYTES } from "../cpu/layout.ts";
import { CrdKind, type HostProgram, Status } from "./api.ts";
import { ALL_RIGHTS } from "./crd.ts";
import { revoke } from "./delegation.ts";
import { getNumber } from "./frame.ts";
import { HostContext } from "./host_ec.ts";
import { EVENTS } from "./exceptions.ts";
import { PdMemory } from "./host_memory.ts";
import { abortCaller } from "./ipc.ts";
import { freeKp } from "./kernel_page.ts";
import { type Kernel, nameOf } from "./kernel.ts";
import { Cont, Ec, type KernelObject, Kp, Pd, Pt, Sc, Sm } from "./objects.ts";
import { destroySm, release } from "./semaphore.ts";

/** How kernel objects come to life, die and give their memory back (ABI 5.7, 7.7). */
export class Lifecycle {
  /** All living PDs, the kernel's own included. */
  readonly pds = new Set<Pd>();
  #ids = 0;
  /** Dead ECs whose memory is given back when no code of theirs can be running. */
  readonly #graveyard: Ec[] = [];
  readonly #memories = new WeakMap<Pd, PdMemory>();
  constructor(private readonly k: Kernel) {}

  /** For inspection only. */
  newId(): number {
    return ++this.#ids;
  }

  /** An empty PD. */
  newPd(): Pd {
    const pd = new Pd(this.newId(), this.k.cpu.createSpace());
    this.pds.add(pd);
    return pd;
  }

  /** An EC with UTCB and, for guest code, a state block; undefined when kernel memory is exhausted. */
  newEc(pd: Pd, global: boolean, isHost: boolean): Ec | undefined {
    const utcb = this.k.memory.page();
    if (utcb === 0) return undefined;
    const ec = new Ec(this.newId(), pd, global);
    ec.utcb = utcb;
    if (isHost) ec.host = new HostContext(this.k, ec);
    else {
      ec.state = this.k.memory.block();
      if (ec.state === 0) {
        this.k.memory.freePage(utcb);
        return undefined;
      }
      ec.frame = ec.state + STATE_BYTES;
    }
    pd.ecs.add(ec);
    return ec;
  }

  /** Makes the PD a host PD. */
  bindProgram(pd: Pd, program: HostProgram): void {
    pd.program = program;
    if (pd.label === "") pd.label = program.name;
  }

  /** Memory of a host PD; its ECs share it. */
  memoryOf(pd: Pd): PdMemory {
    let memory = this.#memories.get(pd);
    if (!memory) this.#memories.set(pd, memory = new PdMemory(this.k.cpu, pd));
    return memory;
  }

  /** The last root capability of an object has gone (ABI 5.7). */
  destroy(object: KernelObject): void {
    if (object.destroyed) return;
    object.destroyed = true;
    if (object instanceof Sm) destroySm(this.k, object);
    else if (object instanceof Kp) freeKp(this.k, object);
    else if (object instanceof Sc) this.#destroySc(object);
    else if (object instanceof Ec) {
      // While the EC waits for a reply its SC lends time to the handler; it ends when the reply arrives.
      if (!object.partner) this.finishDestroy(object);
    } else if (object instanceof Pd) this.#destroyPd(object);
  }

  /** The destroyed EC no longer waits for a handler: it ends now. */
  finishDestroy(ec: Ec): void {
    if (ec.cont !== Cont.Dead) this.kill(ec, undefined);
    else this.#release(ec, ec.host !== undefined);
  }

  #destroySc(sc: Sc): void {
    const i = sc.ec.scs.indexOf(sc);
    if (i >= 0) sc.ec.scs.splice(i, 1);
    // An SC that lends its time to a handler finishes the job; execute() drops it when it comes home.
    if (!sc.ec.partner) this.k.unqueue(sc);
  }

  #destroyPd(pd: Pd): void {
    revoke(this.k, pd, { kind: CrdKind.Object, base: 0, order: 31, rights: ALL_RIGHTS }, true);
    revoke(this.k, pd, { kind: CrdKind.Port, base: 0, order: 31, rights: ALL_RIGHTS }, true);
    revoke(this.k, pd, { kind: CrdKind.Memory, base: 0, order: 31, rights: ALL_RIGHTS }, true);
    if (pd.ecs.size === 0) this.#freePd(pd);
  }

  #freePd(pd: Pd): void {
    pd.space.destroy();
    this.pds.delete(pd);
  }

  /** Frees a dead EC: at once, or later when JavaScript of its own may still be on the stack. */
  #release(ec: Ec, onStack: boolean): void {
    if (onStack) this.#graveyard.push(ec);
    else this.#freeEc(ec);
  }

  #freeEc(ec: Ec): void {
    if (ec.utcb === 0) return;
    if (ec.utcbPd && !ec.utcbPd.destroyed) {
      // Another mapping may have replaced the UTCB meanwhile.
      const extent = ec.utcbPd.space.find(ec.utcbVa);
      if (extent && extent.pa + (ec.utcbVa - extent.start) === ec.utcb) {
        ec.utcbPd.memoryVersion++;
        ec.utcbPd.space.unmap(ec.utcbVa, PAGE);
      }
    }
    this.k.memory.freePage(ec.utcb);
    if (ec.state !== 0) this.k.memory.freeBlock(ec.state);
    ec.utcb = ec.state = ec.frame = 0;
    ec.host = undefined;
    ec.pd.ecs.delete(ec);
    if (ec.pd.destroyed && ec.pd.ecs.size === 0) this.#freePd(ec.pd);
  }

  /** Frees the dead of which no JavaScript can be on the stack any more. */
  bury(): void {
    while (this.#graveyard.length > 0) {
      const ec = this.#graveyard.pop();
      if (ec) this.#freeEc(ec);
    }
  }

  /** Ends an EC for ever (ABI 7.7). `reason` undefined: quietly, because its capability was revoked. */
  kill(ec: Ec, reason: string | undefined): void {
    if (ec.cont === Cont.Dead) return;
    if (reason !== undefined && !ec.destroyed) this.#report(ec, reason);
    const onStack = ec.cont === Cont.HostRun;
    if (ec.sm) {
      ec.cont = Cont.Dead;
      release(this.k, ec, Status.BadCap);
    }
    ec.cont = Cont.Dead;
    ec.status = Status.ComAbt;
    ec.coroutine = undefined;
    if (ec.partner) {
      ec.partner.caller = undefined;
      ec.partner.host?.state.unbind();
      ec.partner = undefined;
    }
    abortCaller(this.k, ec);
    this.k.wakeWaiting(ec);
    if (ec.destroyed) this.#release(ec, onStack);
  }

  #report(ec: Ec, reason: string): void {
    const rip = ec.state === 0 ? 0 : getNumber(this.k.cpu.ram.u32, this.k.cpu.locate(ec.state) + RIP);
    const event = {
      pd: nameOf(ec.pd),
      ec: nameOf(ec),
      reason,
      rip,
      address: ec.faultAddress,
      error: ec.errorCode,
      portal: ec.retrySelector,
      object: this.#describe(ec),
    };
    this.k.hooks.event?.({ kind: "killed", ...event });
  }

  /** The portal that the EC last used or missed: its event, name and owner. */
  #describe(ec: Ec): string {
    const event = EVENTS[ec.retrySelector - ec.eventBase], object = ec.pd.objects.find(ec.retrySelector)?.object;
    const what = object === undefined ? "no capability there" : `${object.kind} "${nameOf(object)}"`;
    const owner = object instanceof Pt ? ` of ${nameOf(object.ec.pd)}` : "";
    return `${event === undefined ? "" : `${event}: `}${what}${owner}`;
  }

  /** Code of a host PD has thrown. */
  hostError(ec: Ec, error: unknown): void {
    if (!this.k.hooks.hostError) throw error;
    this.k.hooks.hostError(error, nameOf(ec.pd));
    this.kill(ec, "Host error");
  }
}
