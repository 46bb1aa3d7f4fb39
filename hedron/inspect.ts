import { SELECTORS } from "./capability_space.ts";
import type { Kernel } from "./kernel.ts";
import type { CapNode } from "./mdb.ts";
import { Cont, type Ec, type KernelObject, type ObjectKind, type Pd, Pt, type Sc, Sm } from "./objects.ts";

/** Plain data about the kernel's objects, for people and JSON. `id` is unique in one machine. */
export interface ObjectView {
  id: number;
  /** Debugging label, "" = none. */
  label: string;
}

export interface ScView extends ObjectView {
  priority: number;
  quantumUs: number;
  /** Time consumed. */
  timeUs: number;
}

export interface PtView extends ObjectView {
  portalId: number;
  mtd: number;
  /** Where its handler begins; 0 when that is TypeScript. */
  entry: number;
}

export interface EcView extends ObjectView {
  type: "global" | "local";
  state: "idle" | "ready" | "blocked" | "in a call" | "dead";
  scs: ScView[];
  pts: PtView[];
}

export interface SmView extends ObjectView {
  count: number;
  /** ECs that wait. */
  waiters: number[];
}

export interface PdView extends ObjectView {
  /** What its code is: TypeScript, machine code, or the kernel's own. */
  code: "host" | "guest" | "kernel";
  foreign: boolean;
  ecs: EcView[];
  /** Semaphores whose first capability is in this PD. */
  sms: SmView[];
  /** Mapped memory, bytes. */
  memory: number;
}

export interface CapabilityView {
  /** PD that holds the capability. */
  pd: number;
  selector: number;
  kind: ObjectKind;
  /** Object's id. */
  object: number;
  rights: number;
  /** Where it was delegated from; absent for the capability made at the object's creation. */
  from?: { pd: number; selector: number };
}

export interface KernelView {
  pds: PdView[];
  capabilities: CapabilityView[];
}

function viewOf({ id, label }: KernelObject): ObjectView {
  return { id, label };
}

function stateOf(ec: Ec): EcView["state"] {
  if (ec.sm) return "blocked";
  switch (ec.cont) {
    case Cont.Idle:
      return "idle";
    case Cont.Dead:
      return "dead";
    case Cont.CallWait:
    case Cont.MessageWait:
    case Cont.RetryCall:
    case Cont.RetryMessage:
      return "in a call";
    default:
      return "ready";
  }
}

function waiters(sm: Sm): number[] {
  const ids: number[] = [];
  for (let ec = sm.first; ec; ec = ec.smNext) ids.push(ec.id);
  return ids;
}

/** Capabilities worth showing: the kernel PD's only when somebody has been given them. */
function nodesOf(k: Kernel, pd: Pd): CapNode[] {
  const nodes = pd.objects.within(0, SELECTORS);
  return pd === k.kern ? nodes.filter((node) => node.child !== undefined) : nodes;
}

/** The kernel as it stands. */
export function inspect(k: Kernel): KernelView {
  const capabilities: CapabilityView[] = [], sms = new Map<Pd, SmView[]>(), pts = new Map<Ec, PtView[]>();
  const pds = [...k.life.pds];
  for (const pd of pds) {
    const own: SmView[] = [];
    sms.set(pd, own);
    for (const node of nodesOf(k, pd)) {
      const object = node.object;
      if (!object) continue;
      const view: CapabilityView = {
        pd: pd.id,
        selector: node.base,
        kind: object.kind,
        object: object.id,
        rights: node.rights,
      };
      if (node.parent) view.from = { pd: node.parent.space.pd.id, selector: node.parent.base };
      capabilities.push(view);
      if (object.root !== node) continue;
      if (object instanceof Sm) own.push({ ...viewOf(object), count: object.count, waiters: waiters(object) });
      if (object instanceof Pt) {
        const list = pts.get(object.ec) ?? [];
        list.push({
          ...viewOf(object),
          portalId: object.idHigh * 0x1_0000_0000 + object.idLow,
          mtd: object.mtd >>> 0,
          entry: object.entry,
        });
        pts.set(object.ec, list);
      }
    }
  }
  const scView = (sc: Sc): ScView => ({
    ...viewOf(sc),
    priority: sc.priority,
    quantumUs: sc.quantum / 1000,
    timeUs: k.scTimeUs(sc),
  });
  const ecView = (ec: Ec): EcView => ({
    ...viewOf(ec),
    type: ec.global ? "global" : "local",
    state: stateOf(ec),
    scs: ec.scs.map(scView),
    pts: pts.get(ec) ?? [],
  });
  return {
    pds: pds.map((pd) => ({
      ...viewOf(pd),
      code: pd === k.kern ? "kernel" : pd.program ? "host" : "guest",
      foreign: pd.foreign,
      ecs: [...pd.ecs].map(ecView),
      sms: sms.get(pd) ?? [],
      memory: pd.space.extents(0, 2 ** 47).reduce((sum, extent) => sum + extent.end - extent.start, 0),
    })),
    capabilities,
  };
}
