import { CrdKind, Status } from "./api.ts";
import { ITEM_FLAGS_MASK, NULL_CRD } from "./crd.ts";
import { createEc, createPd, createPt, createSc, createSm, parentPd } from "./create.ts";
import { lookup, revoke, transferItem } from "./delegation.ts";
import { enterSyscall, R8, RAX, RDI, RDX, RSI, setReg, sysret } from "./frame.ts";
import { call, reply } from "./ipc.ts";
import { type Kernel, nameOf } from "./kernel.ts";
import { createKp, mapKp, unmapKp } from "./kernel_page.ts";
import { Cont, Ec, EC_CTRL, type KernelObject, Kp, KP_CTRL, Pd, Pt, PT_CTRL, Sc, SC_CTRL, Sm, SM_UP } from "./objects.ts";
import type { Registers } from "./registers.ts";
import { BLOCKED, chain, down, up } from "./semaphore.ts";

/** A hypercall has decided its caller's continuation itself: blocked, waiting, idle or already finished. */
const NO_STATUS = BLOCKED;
type Result = Status | typeof NO_STATUS;

interface Hypercall {
  readonly name: string;
  readonly run: (k: Kernel, ec: Ec, r: Registers) => Result;
}

/** The object behind a selector of the caller when the capability has all of `rights`. */
function objectAt(ec: Ec, selector: number, rights: number): KernelObject | undefined {
  const node = ec.pd.objects.find(selector);
  return node && (node.rights & rights) === rights ? node.object : undefined;
}

/**
 * 0 call. In: sel portal, flag 0 non-blocking; message in the UTCB. Out: message in the UTCB, RDI unchanged.
 * Status: BAD_CAP no portal, COM_TIM busy or dead handler, COM_ABT handler died.
 */
function sysCall(k: Kernel, ec: Ec, r: Registers): Result {
  const status = call(k, ec, r.selector, (r.flags & 1) !== 0);
  return status === Status.Success ? NO_STATUS : status;
}

/** 1 reply. In: sel 0, or a semaphore on which the caller shall wait before its call is repeated. Does not return. */
function sysReply(k: Kernel, ec: Ec, r: Registers): Result {
  reply(k, ec, r.selector);
  return NO_STATUS;
}

/**
 * 2 create_pd. In: sel new, flag 0 passthrough, RSI parent PD, RDX CRD of capabilities to pass, RAX[0] foreign, RAX[63:1] portal base.
 * Status: BAD_CAP.
 */
function sysCreatePd(k: Kernel, ec: Ec, r: Registers): Result {
  const foreign = k.version.forkCalls && (r.lo(RAX) & 1) !== 0, base = (r.hi(RAX) * 0x8000_0000) + (r.lo(RAX) >>> 1);
  return createPd(k, ec.pd, r.selector, r.num(RSI), r.crd(RDX), foreign, base, (r.flags & 1) !== 0);
}

/**
 * 3 create_ec. In: sel new, flags 0 global, 1 vCPU, 3 UTCB in the caller's PD; RSI PD, RDX[11:0] CPU, RDX[63:12] UTCB page,
 * RAX RSP, R8[31:0] event base. Status, in order: BAD_CPU, BAD_FTR (vCPU), BAD_CAP, BAD_PAR, BAD_CAP.
 */
function sysCreateEc(k: Kernel, ec: Ec, r: Registers): Result {
  const cpu = r.lo(RDX) & 0xfff;
  if (cpu !== 0) return Status.BadCpu;
  if ((r.flags & 2) !== 0 && !k.version.newCalls) return Status.BadFtr;
  return createEc(k, ec.pd, r.selector, r.num(RSI), {
    global: (r.flags & 1) !== 0,
    utcb: r.page(RDX) * 4096,
    stack: r.num(RAX),
    eventBase: r.lo(R8),
    utcbInCaller: (r.flags & 8) !== 0,
    unknownFlags: k.version.newCalls && (r.flags & 6) !== 0,
  });
}

/** 4 create_sc. In: sel new, RSI PD, RDX EC, RAX[7:0] priority, RAX[63:12] quantum in us. Status: BAD_CAP, BAD_PAR. */
function sysCreateSc(k: Kernel, ec: Ec, r: Registers): Result {
  return createSc(k, ec.pd, r.selector, r.num(RSI), r.num(RDX), r.lo(RAX) & 0xff, r.page(RAX));
}

/** 5 create_pt. In: sel new, RSI PD, RDX local EC, RAX MTD, R8 entry RIP. Status: BAD_CAP. */
function sysCreatePt(k: Kernel, ec: Ec, r: Registers): Result {
  return createPt(k, ec.pd, r.selector, r.num(RSI), r.num(RDX), r.lo(RAX) | 0, r.num(R8));
}

/** 6 create_sm. In: sel new, RSI PD, RDX count or signal value, RAX 0 or the semaphore to signal. Status: BAD_CAP. */
function sysCreateSm(k: Kernel, ec: Ec, r: Registers): Result {
  return createSm(k, ec.pd, r.selector, r.num(RSI), r.num(RDX), k.version.forkCalls ? r.num(RAX) : 0);
}

/** 7 revoke. In: flags 0 self, 1 remote; RSI CRD, RDX PD (remote), sel semaphore to up when done. Status: BAD_CAP. */
function sysRevoke(k: Kernel, ec: Ec, r: Registers): Result {
  let pd = ec.pd;
  if ((r.flags & 2) !== 0) {
    const remote = objectAt(ec, r.num(RDX), 0);
    if (!(remote instanceof Pd)) return Status.BadCap;
    pd = remote;
  }
  revoke(k, pd, r.crd(RSI), (r.flags & 1) !== 0);
  // Looked up afterwards: its capability may have been among those that went.
  const sm = k.version.forkCalls ? objectAt(ec, r.selector, SM_UP) : undefined;
  if (sm instanceof Sm) up(k, sm);
  return Status.Success;
}

/**
 * 8 pd_ctrl. Flags 0..1 operation: 0 lookup (RSI CRD -> RSI node), 1 map_access_page, 2 delegate (sel source PD, RDX CRD,
 * RSI destination PD, RAX meta, R8 window -> RDX result CRD, RAX meta), 3 msr_access. Status: BAD_CAP, BAD_PAR.
 */
function sysPdCtrl(k: Kernel, ec: Ec, r: Registers): Result {
  switch (r.flags & 3) {
    case 0: {
      const crd = r.crd(RSI);
      r.setCrd(RSI, crd.kind === CrdKind.Memory ? NULL_CRD : lookup(ec.pd, crd));
      return Status.Success;
    }
    case 1: {
      const crd = r.crd(RSI);
      return crd.kind === CrdKind.Memory && crd.rights === 3 && crd.order === 0 ? Status.Success : Status.BadPar;
    }
    case 2: {
      const source = objectAt(ec, r.selector, 0), destination = objectAt(ec, r.num(RSI), 0);
      if (!(source instanceof Pd) || !(destination instanceof Pd)) return Status.BadCap;
      const window = r.crd(R8);
      const result = transferItem(k, source, r.crd(RDX), r.lo(RAX), r.page(RAX), destination, window, window);
      r.setCrd(RDX, result.crd);
      r.set(RAX, result.meta & ITEM_FLAGS_MASK);
      return Status.Success;
    }
    default:
      if (!ec.pd.passthrough) return Status.BadCap;
      // No model-specific register is offered: every access is refused by the filter or would fault. A read gives 0 all the same.
      if ((r.flags & MSR_WRITE) === 0) r.set(RSI, 0);
      return Status.BadPar;
  }
}

/** Flag of pd_ctrl msr_access. */
const MSR_WRITE = 4;

/** 9 ec_ctrl. In: sel EC, flags 0..1 operation 0 = recall. Status: BAD_PAR other operation, BAD_CAP. */
function sysEcCtrl(k: Kernel, ec: Ec, r: Registers): Result {
  if (k.version.newCalls) return yieldCpu(k, r);
  if ((r.flags & 3) !== 0) return Status.BadPar;
  const target = objectAt(ec, r.selector, EC_CTRL);
  if (!(target instanceof Ec)) return Status.BadCap;
  target.recall = true;
  return Status.Success;
}

/** 10 sc_ctrl. In: sel SC. Out: consumed microseconds, RSI = value >> 32, RDX = value. Status: BAD_CAP. */
function sysScCtrl(k: Kernel, ec: Ec, r: Registers): Result {
  const sc = objectAt(ec, r.selector, SC_CTRL);
  if (!(sc instanceof Sc)) return Status.BadCap;
  const us = k.scTimeUs(sc);
  r.set(RSI, Math.floor(us / 0x1_0000_0000));
  r.set(RDX, us);
  return Status.Success;
}

/** 11 pt_ctrl. In: sel portal, RSI id. Status: BAD_CAP. */
function sysPtCtrl(_k: Kernel, ec: Ec, r: Registers): Result {
  const pt = objectAt(ec, r.selector, PT_CTRL);
  if (!(pt instanceof Pt)) return Status.BadCap;
  pt.idLow = r.lo(RSI);
  pt.idHigh = r.hi(RSI);
  return Status.Success;
}

/**
 * 12 sm_ctrl. In: sel semaphore; flag 0: 0 up, 1 down; flag 1 zero counter; down: deadline = RSI << 32 | RDX (TSC, 0 = none).
 * Out (down, chained signal): RSI value, RDX number. Status: BAD_CAP, COM_TIM. API 13.2 has no deadlines: BAD_PAR for anything but 0.
 */
function sysSmCtrl(k: Kernel, ec: Ec, r: Registers): Result {
  const op = r.flags & 1, sm = objectAt(ec, r.selector, 1 << op);
  if (!(sm instanceof Sm)) return Status.BadCap;
  const deadline = r.lo(RSI) * 0x1_0000_0000 + r.num(RDX);
  if (k.version.newCalls && deadline !== 0) return Status.BadPar;
  if (op === 1) return down(k, ec, sm, (r.flags & 2) !== 0, deadline);
  up(k, sm);
  return Status.Success;
}

/** 13 assign_pci. In: sel PD. Status: BAD_CAP, BAD_DEV (there is no IOMMU). */
function sysAssignPci(_k: Kernel, ec: Ec, r: Registers): Result {
  return objectAt(ec, r.selector, 0) instanceof Pd ? Status.BadDev : Status.BadCap;
}

/**
 * 14 assign_gsi. In: sel kern GSI semaphore, RDX[31:0] CPU, RAX semaphore to chain or ~0. Out: RSI, RDX MSI address and data, 0 here.
 * Status, in order: BAD_CPU, BAD_CAP.
 */
function sysAssignGsi(k: Kernel, ec: Ec, r: Registers): Result {
  if (r.lo(RDX) !== 0) return Status.BadCpu;
  const gsi = objectAt(ec, r.selector, 0);
  if (!(gsi instanceof Sm) || gsi.gsi < 0) return Status.BadCap;
  if (r.lo(RAX) !== 0xffff_ffff || r.hi(RAX) !== 0xffff_ffff) {
    const chained = objectAt(ec, r.num(RAX), 0);
    if (chained === gsi) {
      chain(k, gsi, undefined);
      return Status.Success;
    }
    if (!(chained instanceof Sm) || chained.gsi >= 0) return Status.BadCap;
    chain(k, gsi, chained);
  }
  r.set(RSI, 0);
  r.set(RDX, 0);
  return Status.Success;
}

/** 15 machine_ctrl. Flags 0..1 operation: 0 suspend, 1 microcode. Status: BAD_CAP (not passthrough), BAD_PAR (not possible here). */
function sysMachineCtrl(_k: Kernel, ec: Ec, _r: Registers): Result {
  return ec.pd.passthrough ? Status.BadPar : Status.BadCap;
}

/** One row per hypercall (ABI 6.3); the index is the number in RDI[7:0]. */
export const HYPERCALLS: readonly Hypercall[] = [
  { name: "call", run: sysCall },
  { name: "reply", run: sysReply },
  { name: "create_pd", run: sysCreatePd },
  { name: "create_ec", run: sysCreateEc },
  { name: "create_sc", run: sysCreateSc },
  { name: "create_pt", run: sysCreatePt },
  { name: "create_sm", run: sysCreateSm },
  { name: "revoke", run: sysRevoke },
  { name: "pd_ctrl", run: sysPdCtrl },
  { name: "ec_ctrl", run: sysEcCtrl },
  { name: "sc_ctrl", run: sysScCtrl },
  { name: "pt_ctrl", run: sysPtCtrl },
  { name: "sm_ctrl", run: sysSmCtrl },
  { name: "assign_pci", run: sysAssignPci },
  { name: "assign_gsi", run: sysAssignGsi },
  { name: "machine_ctrl", run: sysMachineCtrl },
];

/** ec_ctrl of API 13.2: operation 1 gives the CPU to the next SC of the same priority. Status: BAD_PAR other operation. */
function yieldCpu(k: Kernel, r: Registers): Result {
  if ((r.flags & 3) !== 1) return Status.BadPar;
  k.yieldSc();
  return Status.Success;
}

/** 16 create_kp. In: sel new, RSI PD. Status: BAD_CAP, OOM. */
function sysCreateKp(k: Kernel, ec: Ec, r: Registers): Result {
  return createKp(k, ec.pd, r.selector, r.num(RSI));
}

/** 17 kp_ctrl. In: sel KP, flags 0..1 operation: 0 map (RSI PD, RDX address), 1 unmap. Status: BAD_CAP, BAD_PAR. */
function sysKpCtrl(_k: Kernel, ec: Ec, r: Registers): Result {
  if ((r.flags & 3) > 1) return Status.BadPar;
  const kp = objectAt(ec, r.selector, KP_CTRL);
  if (!(kp instanceof Kp)) return Status.BadCap;
  if ((r.flags & 3) === 1) return unmapKp(kp);
  const pd = objectAt(ec, r.num(RSI), 0);
  return pd instanceof Pd ? mapKp(kp, pd, r.num(RDX)) : Status.BadCap;
}

/**
 * 19 create_vcpu. In: sel new, RSI[11:0] CPU, RSI[63:12] PD, RDX, RAX, R8 kernel pages. Status, in order: BAD_CPU, BAD_CAP (PD, pages),
 * BAD_FTR: there is no virtualisation.
 */
function sysCreateVcpu(_k: Kernel, ec: Ec, r: Registers): Result {
  if ((r.lo(RSI) & 0xfff) !== 0) return Status.BadCpu;
  if (parentPd(ec.pd, r.page(RSI)) === undefined) return Status.BadCap;
  return [RDX, RAX, R8].every((page) => objectAt(ec, r.num(page), 0) instanceof Kp) ? Status.BadFtr : Status.BadCap;
}

/** 20 vcpu_ctrl. Flags 0..1 operation: 0 run, 1 poke. Status: BAD_PAR other operation, BAD_CAP as no virtual CPU exists. */
function sysVcpuCtrl(_k: Kernel, _ec: Ec, r: Registers): Result {
  return (r.flags & 3) > 1 ? Status.BadPar : Status.BadCap;
}

/** Rows that API 13.2 has instead; 13, 14 and 18 are gone. There is no virtualisation, so no vCPU can exist. */
export const NEW_HYPERCALLS: readonly (Hypercall | undefined)[] = [
  ...HYPERCALLS.map((row, number) => number === 13 || number === 14 ? undefined : row),
  { name: "create_kp", run: sysCreateKp },
  { name: "kp_ctrl", run: sysKpCtrl },
  undefined,
  { name: "create_vcpu", run: sysCreateVcpu },
  { name: "vcpu_ctrl", run: sysVcpuCtrl },
];

/** A native system call of guest code (ABI 6.1): decodes RDI, runs the call, and returns by sysret with the status in RDI. */
export function hypercall(k: Kernel, ec: Ec): void {
  const at = k.cpu.locate(ec.state), r = k.registers, number = r.load(at);
  const row = k.version.newCalls ? NEW_HYPERCALLS[number] : HYPERCALLS[number];
  enterSyscall(k.cpu, at);
  ec.viaSysret = true;
  const status = row === undefined ? Status.BadHyp : row.run(k, ec, r);
  if (status === NO_STATUS) return;
  if (status !== Status.Success) {
    k.hooks.event?.({ kind: "hypercall-error", ec: nameOf(ec), pd: nameOf(ec.pd), number, status });
  }
  // Only a revocation of the EC itself, or of its PD, changes the continuation here.
  if (ec.cont !== Cont.User) return;
  setReg(k.cpu.ram.u32, at + RDI, status, 0);
  sysret(k.cpu, at);
}
