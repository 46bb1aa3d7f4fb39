import { EVENTS } from "./exceptions.ts";
import type { HostContext } from "./host_ec.ts";
import { HYPERCALLS } from "./hypercalls.ts";
import type { Ec, KernelObject, Pt } from "./objects.ts";

export type TraceKind = "hypercall" | "ipc" | "exception" | "foreign";

/** One thing that an EC did, with how long it took until the EC could go on. Times in ns of the machine's clock. */
export interface TraceEvent {
  kind: TraceKind;
  name: string;
  start: number;
  /** -1: not over when the trace ended. */
  duration: number;
  ec: { id: number; name: string };
  pd: { id: number; name: string };
  /** Who served it: EC, PD and portal. */
  partner?: { ec: number; pd: string; portal: string; portalId: number };
  /** Selector, and status of hypercalls. */
  selector: number;
  status?: number;
}

const nameOf = (object: KernelObject): string => object.label !== "" ? object.label : `${object.kind} ${object.id}`;

/**
 * What the kernel tells when `Kernel.trace` is set: hypercalls of machine code and of host PDs, calls, exceptions and foreign system calls.
 * Without it the kernel tests one field per message and nothing per hypercall.
 */
export class Trace {
  readonly events: TraceEvent[] = [];
  /** Events that were not kept because of the limit. */
  dropped = 0;
  readonly #open = new Map<Ec, TraceEvent>();
  readonly #views = new WeakMap<HostContext, HostContext>();
  constructor(private readonly now: () => number, private readonly limit = 1_000_000) {}

  /** The caller waits for a portal's handler. `event`: selector less event base of a state message, undefined for a native call. */
  connected(caller: Ec, pt: Pt, selector: number, event: number | undefined): void {
    const known = event === undefined ? undefined : EVENTS[event];
    const kind = event === undefined ? "ipc" : known === undefined ? "foreign" : "exception";
    const entry = this.#add(caller, kind, known ?? (event === undefined ? "call" : "system call"), selector);
    entry.partner = {
      ec: pt.ec.id,
      pd: nameOf(pt.ec.pd),
      portal: nameOf(pt),
      portalId: pt.idHigh * 0x1_0000_0000 + pt.idLow,
    };
    this.#open.set(caller, entry);
  }

  /** The caller has its answer, or will never get one. */
  answered(caller: Ec, status: number): void {
    const entry = this.#open.get(caller);
    if (!entry) return;
    this.#open.delete(caller);
    entry.duration = this.now() - entry.start;
    if (status !== 0) entry.status = status;
  }

  /** A hypercall other than call and reply, whose status is known. */
  hypercall(ec: Ec, number: number, selector: number, start: number, status: number): void {
    const entry = this.#add(ec, "hypercall", HYPERCALLS[number]?.name ?? `invalid ${number}`, selector);
    entry.start = start;
    entry.duration = this.now() - start;
    entry.status = status;
  }

  /** The hypercalls of a host EC, which are methods, with a record of each. */
  hostView(ec: Ec, host: HostContext): HostContext {
    let view = this.#views.get(host);
    if (!view) {
      const record = this.#record.bind(this, ec);
      view = new Proxy(host, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== "function") return value;
          const method = value as (...args: unknown[]) => unknown; // every function of HostEc is a method
          if (typeof key !== "string" || !RECORDED.has(key)) return method.bind(target);
          return (...args: unknown[]) => record(key, () => method.apply(target, args), args[0]);
        },
      });
      this.#views.set(host, view);
    }
    return view;
  }

  #record(ec: Ec, name: string, run: () => unknown, first: unknown): unknown {
    const start = this.now(), result = run();
    const entry = this.#add(ec, "hypercall", RECORDED.get(name) ?? name, typeof first === "number" ? first : 0);
    entry.start = start;
    entry.duration = this.now() - start;
    if (typeof result === "number") entry.status = result;
    return result;
  }

  #add(ec: Ec, kind: TraceKind, name: string, selector: number): TraceEvent {
    const entry: TraceEvent = {
      kind,
      name,
      start: this.now(),
      duration: -1,
      ec: { id: ec.id, name: nameOf(ec) },
      pd: { id: ec.pd.id, name: nameOf(ec.pd) },
      selector,
    };
    if (this.events.length < this.limit) this.events.push(entry);
    else this.dropped++;
    return entry;
  }
}

/** Methods of HostEc that are hypercalls, less `call`, and their names. */
const RECORDED = new Map<string, string>([
  ["createPd", "create_pd"],
  ["createEc", "create_ec"],
  ["createSc", "create_sc"],
  ["createPt", "create_pt"],
  ["createSm", "create_sm"],
  ["revoke", "revoke"],
  ["delegate", "pd_ctrl delegate"],
  ["lookup", "pd_ctrl lookup"],
  ["recall", "ec_ctrl recall"],
  ["yieldCpu", "ec_ctrl yield"],
  ["ptCtrl", "pt_ctrl"],
  ["smUp", "sm_ctrl up"],
  ["smDown", "sm_ctrl down"],
]);
