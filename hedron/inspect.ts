/** All objects and capabilities of a kernel as plain data, for `ps`, `caps` and monitors. Reading changes nothing. */
import type { Kernel } from "./kernel.ts";
import type { CapNode } from "./mdb.ts";
import { Cont, type Ec, type KernelObject, type Pd, Pt, type Sc, Sm } from "./objects.ts";

export interface KernelView {
  pds: PdView[];
  /** Every object capability, ordered by PD and selector. */
  capabilities: CapabilityView[];
}

export interface ObjectView {
  /** Unique in this kernel. */
  id: number;
  /** Given by a host PD; may be empty. */
  label: string;
}

export interface PdView extends ObjectView {
  /** TypeScript ("host") or machine code ("guest"). */
  code: "host" | "guest";
  /** Are its system calls foreign (ABI 8)? */
  foreign: boolean;
  ecs: EcView[];
  /** Semaphores that were created into this PD's capability space. */
  sms: SmView[];
}

export interface EcView extends ObjectView {
  /** "global": a thread with SCs; "local": serves the portals below. */
  type: "global" | "local";
  state: "idle" | "ready" | "in a call" | "blocked" | "dead";
  scs: ScView[];
  pts: PtView[];
}

export interface ScView extends ObjectView {
  priority: number;
  quantumUs: number;
  /** Consumed time. */
  timeUs: number;
}

export interface PtView extends ObjectView {
  /** Message transfer descriptor. */
  mtd: number;
  /** Set by pt_ctrl; low 32 bits. */
  portalId: number;
}

export interface SmView extends ObjectView {
  count: number;
}

export interface CapabilityView {
  /** Ids of PD and object. */
  pd: number;
  selector: number;
  object: number;
  kind: KernelObject["kind"];
  rights: number;
  /** Where it was delegated from; undefined for the capability made at the object's creation. */
  from: { pd: number; selector: number } | undefined;
}

/** Preconditions: the kernel is not running. */
export function inspect(kernel: Kernel): KernelView {
  const pds = [...kernel.pds];
  const nodes = pds.flatMap((pd) => pd.objects.within(0, 2 ** 26)).filter((node) => node.object !== undefined);
  const objects = new Set(nodes.flatMap((node) => node.object ?? []));
  const pts = [...objects].filter((object) => object instanceof Pt);
  const sms = [...objects].filter((object) => object instanceof Sm && object.gsi < 0) as Sm[];
  return { pds: pds.map((pd) => viewPd(pd, pts, sms)), capabilities: nodes.map(viewCapability) };
}

const byId = (a: ObjectView, b: ObjectView): number => a.id - b.id;
const name = (object: KernelObject): ObjectView => ({ id: object.id, label: object.label });

function viewPd(pd: Pd, pts: readonly Pt[], sms: readonly Sm[]): PdView {
  return {
    ...name(pd),
    code: pd.program ? "host" : "guest",
    foreign: pd.foreign,
    ecs: [...pd.ecs].map((ec) => viewEc(ec, pts)).sort(byId),
    sms: sms.filter((sm) => sm.root?.space.pd === pd).map((sm) => ({ ...name(sm), count: sm.count })).sort(byId),
  };
}

function viewEc(ec: Ec, pts: readonly Pt[]): EcView {
  return {
    ...name(ec),
    type: ec.global ? "global" : "local",
    state: stateOf(ec),
    scs: ec.scs.map(viewSc).sort(byId),
    pts: pts.filter((pt) => pt.ec === ec).map((pt) => ({ ...name(pt), mtd: pt.mtd >>> 0, portalId: pt.idLow >>> 0 })).sort(byId),
  };
}

function stateOf(ec: Ec): EcView["state"] {
  if (ec.cont === Cont.Dead) return "dead";
  if (ec.sm) return "blocked";
  if (ec.cont === Cont.Idle) return "idle";
  return ec.cont === Cont.CallWait || ec.cont === Cont.MessageWait ? "in a call" : "ready";
}

const viewSc = (sc: Sc): ScView => ({
  ...name(sc),
  priority: sc.priority,
  quantumUs: sc.quantum / 1000,
  timeUs: Math.round(sc.time / 1000),
});

function viewCapability(node: CapNode): CapabilityView {
  const object = node.object as KernelObject; // inspect() passes object capabilities only
  const from = node.parent && { pd: node.parent.space.pd.id, selector: node.parent.base };
  return { pd: node.space.pd.id, selector: node.base, object: object.id, kind: object.kind, rights: node.rights, from };
}
