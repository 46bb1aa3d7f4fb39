import assert from "node:assert/strict";
import { Status } from "./api.ts";
import { HYPERCALLS } from "./hypercalls.ts";
import { R8, RAX, RDI, rdi, RDX, RSI, run, SELF, syscall } from "./testing/guest.ts";

type Regs = Record<number, number>;
const CREATE_PD = 2, CREATE_EC = 3, CREATE_SC = 4, CREATE_PT = 5, CREATE_SM = 6, REVOKE = 7, PD_CTRL = 8, EC_CTRL = 9;
const SC_CTRL = 10, PT_CTRL = 11, SM_CTRL = 12, ASSIGN_PCI = 13, ASSIGN_GSI = 14, MACHINE_CTRL = 15;
const GLOBAL = 1, VCPU = 2, SELF_FLAG = 1, DOWN = 1;
/** Objects that every case finds: local EC, global EC, SC, PT, SM, and a semaphore with no rights but `down`. */
const LOCAL = 1000, THREAD = 1001, SC = 1002, PT = 1003, SM = 1004, DOWN_ONLY = 1005, NONE = 1999, NEW = 2000;
const crd = (kind: number, base: number, order = 0, rights = 31) => kind + rights * 4 + order * 128 + base * 4096;
const qpd = (priority: number, quantum: number) => priority + quantum * 4096;

const SETUP: Regs[] = [
  { [RDI]: rdi(CREATE_EC, LOCAL), [RSI]: SELF, [RDX]: 0, [RAX]: 0, [R8]: 0 },
  // Event base 500: it dies at its startup, for there is no portal.
  { [RDI]: rdi(CREATE_EC, THREAD, GLOBAL), [RSI]: SELF, [RDX]: 0, [RAX]: 0, [R8]: 500 },
  { [RDI]: rdi(CREATE_SC, SC), [RSI]: SELF, [RDX]: THREAD, [RAX]: qpd(1, 100) },
  { [RDI]: rdi(CREATE_PT, PT), [RSI]: SELF, [RDX]: LOCAL, [RAX]: 0, [R8]: 0x1000 },
  { [RDI]: rdi(CREATE_SM, SM), [RSI]: SELF, [RDX]: 2, [RAX]: 0 },
  { [RDI]: rdi(PD_CTRL, SELF, 2), [RDX]: crd(3, SM, 0, 2), [RSI]: SELF, [RAX]: 1, [R8]: crd(3, DOWN_ONLY) },
];

/** Results of calls from user code: RDI, or other registers when asked for. */
function results(calls: Regs[], read: number[] = [RDI]): number[][] {
  const seen: number[][] = [];
  run({
    *code(m) {
      for (const regs of SETUP) yield syscall(regs);
      for (const regs of calls) {
        yield syscall(regs);
        seen.push(read.map((register) => m.get(register)));
      }
    },
    portals: [],
  });
  return seen;
}

const statusOf = (regs: Regs): Status => results([regs])[0][0];

const CASES: [what: string, regs: Regs, status: Status][] = [
  ["create_pd without a PD", { [RDI]: rdi(CREATE_PD, NEW), [RSI]: NONE, [RDX]: 0, [RAX]: 0 }, Status.BadCap],
  ["create_pd into a used slot", { [RDI]: rdi(CREATE_PD, SM), [RSI]: SELF, [RDX]: 0, [RAX]: 0 }, Status.BadCap],
  ["create_pd", { [RDI]: rdi(CREATE_PD, NEW), [RSI]: SELF, [RDX]: 0, [RAX]: 101 }, Status.Success],
  ["create_ec on another CPU, before anything else", { [RDI]: rdi(CREATE_EC, SM, VCPU), [RSI]: NONE, [RDX]: 1 }, Status.BadCpu],
  ["create_ec for a vCPU, before the PD", { [RDI]: rdi(CREATE_EC, SM, VCPU), [RSI]: NONE, [RDX]: 0 }, Status.BadFtr],
  [
    "create_ec without a PD, before the UTCB",
    { [RDI]: rdi(CREATE_EC, SM), [RSI]: NONE, [RDX]: 0x7fff_ffff_f000 },
    Status.BadCap,
  ],
  [
    "create_ec with a UTCB above user space, before the slot",
    { [RDI]: rdi(CREATE_EC, SM), [RSI]: SELF, [RDX]: 0x7fff_ffff_f000 },
    Status.BadPar,
  ],
  ["create_ec into a used slot", { [RDI]: rdi(CREATE_EC, SM), [RSI]: SELF, [RDX]: 0x1000 }, Status.BadCap],
  ["create_sc on a local EC", { [RDI]: rdi(CREATE_SC, NEW), [RSI]: SELF, [RDX]: LOCAL, [RAX]: qpd(1, 1) }, Status.BadCap],
  ["create_sc of priority 0", { [RDI]: rdi(CREATE_SC, SM), [RSI]: SELF, [RDX]: THREAD, [RAX]: qpd(0, 1) }, Status.BadPar],
  ["create_sc of priority 128", { [RDI]: rdi(CREATE_SC, SM), [RSI]: SELF, [RDX]: THREAD, [RAX]: qpd(128, 1) }, Status.BadPar],
  ["create_sc without quantum", { [RDI]: rdi(CREATE_SC, SM), [RSI]: SELF, [RDX]: THREAD, [RAX]: qpd(1, 0) }, Status.BadPar],
  ["create_sc into a used slot", { [RDI]: rdi(CREATE_SC, SM), [RSI]: SELF, [RDX]: THREAD, [RAX]: qpd(1, 1) }, Status.BadCap],
  ["create_pt on a global EC", { [RDI]: rdi(CREATE_PT, NEW), [RSI]: SELF, [RDX]: THREAD, [RAX]: 0 }, Status.BadCap],
  ["create_pt on something else", { [RDI]: rdi(CREATE_PT, NEW), [RSI]: SELF, [RDX]: SM, [RAX]: 0 }, Status.BadCap],
  ["create_sm chained to nothing", { [RDI]: rdi(CREATE_SM, NEW), [RSI]: SELF, [RDX]: 0, [RAX]: NONE }, Status.BadCap],
  [
    "create_sm chained to one without up",
    { [RDI]: rdi(CREATE_SM, NEW), [RSI]: SELF, [RDX]: 0, [RAX]: DOWN_ONLY },
    Status.BadCap,
  ],
  ["revoke in a PD that is none", { [RDI]: rdi(REVOKE, 0, 2), [RSI]: crd(3, SM), [RDX]: SM }, Status.BadCap],
  ["revoke of an unknown kind", { [RDI]: rdi(REVOKE, 0, SELF_FLAG), [RSI]: crd(0, SM) }, Status.Success],
  [
    "delegate with a source that is no PD",
    { [RDI]: rdi(PD_CTRL, SM, 2), [RSI]: SELF, [RDX]: 0, [RAX]: 1, [R8]: 0 },
    Status.BadCap,
  ],
  ["msr_access without passthrough", { [RDI]: rdi(PD_CTRL, 0x10, 3), [RSI]: 0 }, Status.BadCap],
  ["map_access_page with an order", { [RDI]: rdi(PD_CTRL, 0, 1), [RSI]: crd(1, 0, 1, 3) }, Status.BadPar],
  ["ec_ctrl with an unknown operation, before the EC", { [RDI]: rdi(EC_CTRL, NONE, 1) }, Status.BadPar],
  ["ec_ctrl on something else", { [RDI]: rdi(EC_CTRL, SM) }, Status.BadCap],
  ["sc_ctrl on something else", { [RDI]: rdi(SC_CTRL, SM) }, Status.BadCap],
  ["pt_ctrl on something else", { [RDI]: rdi(PT_CTRL, SM), [RSI]: 0 }, Status.BadCap],
  ["sm_ctrl up without the right", { [RDI]: rdi(SM_CTRL, DOWN_ONLY) }, Status.BadCap],
  ["sm_ctrl down with the right", { [RDI]: rdi(SM_CTRL, DOWN_ONLY, DOWN), [RSI]: 0, [RDX]: 0 }, Status.Success],
  ["assign_pci without a PD", { [RDI]: rdi(ASSIGN_PCI, SM) }, Status.BadCap],
  ["assign_pci without an IOMMU", { [RDI]: rdi(ASSIGN_PCI, SELF) }, Status.BadDev],
  ["assign_gsi to another CPU", { [RDI]: rdi(ASSIGN_GSI, SM), [RDX]: 1, [RAX]: 0 }, Status.BadCpu],
  ["assign_gsi on an ordinary semaphore", { [RDI]: rdi(ASSIGN_GSI, SM), [RDX]: 0, [RAX]: 0 }, Status.BadCap],
  ["machine_ctrl without passthrough", { [RDI]: rdi(MACHINE_CTRL, 0) }, Status.BadCap],
  ["call of something else", { [RDI]: rdi(0, SM) }, Status.BadCap],
  ["hypercall 16", { [RDI]: rdi(16, 0) }, Status.BadHyp],
];

for (const [what, regs, status] of CASES) {
  Deno.test(`${what} gives status ${status}`, () => assert.equal(statusOf(regs), status));
}

Deno.test("there is one row per hypercall number of the interface", () => assert.equal(HYPERCALLS.length, 16));

Deno.test("selectors are taken modulo 2^26", () => {
  assert.equal(statusOf({ [RDI]: rdi(SM_CTRL, SM + 2 ** 26) }), Status.Success);
});

Deno.test("sc_ctrl reports the time in RDX and its upper half in RSI", () => {
  const [[status, upper, us]] = results([{ [RDI]: rdi(SC_CTRL, SC) }], [RDI, RSI, RDX]);
  assert.deepEqual([status, upper, us], [Status.Success, 0, 0]);
});

Deno.test("revoke ups the semaphore that it was given, and the revoked capability is null", () => {
  const regs: Regs[] = [
    { [RDI]: rdi(SM_CTRL, SM, DOWN | 2), [RSI]: 0, [RDX]: 0 },
    { [RDI]: rdi(REVOKE, SM, SELF_FLAG), [RSI]: crd(3, PT) },
    { [RDI]: rdi(SM_CTRL, SM, DOWN), [RSI]: 0, [RDX]: 0 },
    { [RDI]: rdi(PT_CTRL, PT), [RSI]: 1 },
  ];
  assert.deepEqual(results(regs).flat(), [Status.Success, Status.Success, Status.Success, Status.BadCap]);
});

Deno.test("create_pd hands the caller's capabilities to the new PD from selector 0 on", () => {
  const regs: Regs[] = [
    { [RDI]: rdi(CREATE_PD, NEW), [RSI]: SELF, [RDX]: crd(3, SM, 0, 3), [RAX]: 0 },
    // Revokes in the new PD, remotely: what is named there must be a child of SM.
    { [RDI]: rdi(PD_CTRL, NEW, 2), [RDX]: crd(3, 0, 0, 3), [RSI]: SELF, [RAX]: 1, [R8]: crd(3, NEW + 1) },
    { [RDI]: rdi(SM_CTRL, NEW + 1, DOWN), [RSI]: 0, [RDX]: 0 },
  ];
  assert.deepEqual(results(regs).flat(), [Status.Success, Status.Success, Status.Success]);
});

Deno.test("down with a deadline that has passed is COM_TIM", () => {
  const regs: Regs[] = [
    { [RDI]: rdi(SM_CTRL, SM, DOWN | 2), [RSI]: 0, [RDX]: 0 },
    { [RDI]: rdi(SM_CTRL, SM, DOWN), [RSI]: 0, [RDX]: 1 },
  ];
  assert.deepEqual(results(regs).flat(), [Status.Success, Status.ComTim]);
});
