import assert from "node:assert/strict";
import { type Crd, CrdKind, type HostEc, MTD, type PortalHandler, Status } from "../api.ts";
import { NULL_CRD } from "../crd.ts";
import { type Script, type Step, type TestKernel, testKernel } from "./mod.ts";

export const SELF = 32, PD = 200, EC = 201, SC = 202, HANDLER = 203, PORTALS = 300;
export const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RSI = 6, RDI = 7, R8 = 8, R11 = 11;
export const ENTRY = 0x40_0000, UTCB = 0x7fff_ffff_e000, FOREIGN = 50, STARTUP = 30;
export const object = (base: number, order = 0, rights = 31): Crd => ({ kind: CrdKind.Object, base, order, rights });
/** RDI of a native call: number, selector or value, flags. */
export const rdi = (number: number, selector: number, flags = 0): number => number + flags * 256 + selector * 4096;
export const syscall = (regs: Partial<Record<number, number>>): Step => ({ trap: "syscall", regs });

export interface Guest {
  foreign?: boolean;
  code: Script;
  /** Further portals of the process: selector in the guest, MTD, handler. All on one local EC. */
  portals: [selector: number, mtd: number, handler: PortalHandler][];
  priority?: number;
  /** Runs in roottask after everything was set up and before the SC exists. */
  setup?(ec: HostEc): void;
}

export const startAt = (entry: number): PortalHandler => (_id, h) => {
  h.state.mtd = MTD.RIP | MTD.RSP;
  h.state.rip = entry;
  h.state.rsp = 0x8000;
};

/** Makes a guest process at selectors base..base+3, its PD capability at 32. */
export function start(t: () => TestKernel, ec: HostEc, guest: Guest, shift = 0): void {
  const pd = PD + shift, entry = ENTRY + shift * 0x1000;
  t().cpu.code.set(entry, guest.code);
  const foreign = guest.foreign ? { portalBase: FOREIGN } : undefined;
  assert.equal(ec.createPd(pd, SELF, NULL_CRD, foreign), Status.Success);
  ec.delegate(SELF, object(pd), pd, object(SELF));
  assert.equal(ec.createEc(EC + shift, pd, { global: true, utcb: UTCB }), Status.Success);
  assert.equal(ec.createEc(HANDLER + shift, SELF, { global: false, utcb: 0 }), Status.Success);
  const portals: Guest["portals"] = [[STARTUP, MTD.DEFAULT, startAt(entry)], ...guest.portals];
  portals.forEach(([selector, mtd, handler], i) => {
    const portal = PORTALS + 100 * shift + i;
    assert.equal(ec.createPt(portal, SELF, HANDLER + shift, mtd, handler), Status.Success);
    ec.delegate(SELF, object(portal, 0, 2), pd, object(selector));
  });
  guest.setup?.(ec);
  assert.equal(ec.createSc(SC + shift, SELF, EC + shift, guest.priority ?? 1, 10_000), Status.Success);
}

/** Runs one guest until nothing is ready. */
export function run(guest: Guest): TestKernel {
  const t: TestKernel = testKernel((ec) => start(() => t, ec, guest));
  t.run();
  return t;
}
