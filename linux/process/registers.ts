import { type ArchState, MTD } from "../../hedron/api.ts";

/** A thread of any personality: its registers, and a page of RAM to work in. */
export interface RegisterOwner {
  readonly state: ArchState;
  readonly os: { readonly scratch: number; readonly u8: Uint8Array<ArrayBuffer>; readonly data: DataView<ArrayBuffer> };
}

/** All registers of a thread, for its copy. */
export interface Registers {
  /** GPR n: low half at 2n, high half at 2n+1. */
  readonly gprs: Uint32Array;
  readonly rip: number;
  readonly rsp: number;
  readonly rflags: number;
  readonly fsBase: number;
  readonly gsBase: number;
  /** XSAVE area. */
  readonly fpu: Uint8Array<ArrayBuffer>;
}

const GPRS = 16, RAX = 0, RCX = 1, RSP = 4, R11 = 11, XSAVE_BYTES = 832;
const FULL_REPLY = MTD.ACDB | MTD.BSD | MTD.R8_R15 | MTD.RIP | MTD.RSP | MTD.RFLAGS | MTD.FS_GS | MTD.FPU;

/** The registers that a thread in a system call will return with, except for RAX. */
export function captureRegisters(t: RegisterOwner): Registers {
  const { state, os } = t;
  const gprs = new Uint32Array(2 * GPRS);
  for (let i = 0; i < GPRS; i++) {
    gprs[2 * i] = state.lo(i);
    gprs[2 * i + 1] = state.hi(i);
  }
  gprs[2 * R11] = state.callFlags;
  gprs[2 * R11 + 1] = 0;
  state.xsave(os.scratch);
  return {
    gprs,
    rip: state.num(RCX),
    rsp: state.num(R11),
    rflags: state.callFlags,
    fsBase: state.fsBase,
    gsBase: state.gsBase,
    fpu: os.u8.slice(os.scratch, os.scratch + XSAVE_BYTES),
  };
}

/** Starts a copy: RAX 0, its own stack and thread pointer when given. */
export function loadRegisters(t: RegisterOwner, from: Registers, stack: number, tls: number | undefined): void {
  const { state, os } = t;
  state.mtd |= FULL_REPLY;
  for (let i = 0; i < GPRS; i++) if (i !== RSP) state.setHalves(i, from.gprs[2 * i], from.gprs[2 * i + 1]);
  state.set(RAX, 0);
  state.rip = from.rip;
  state.rsp = stack !== 0 ? stack : from.rsp;
  state.rflags = from.rflags;
  state.fsBase = tls ?? from.fsBase;
  state.gsBase = from.gsBase;
  os.u8.set(from.fpu, os.scratch);
  state.xrstor(os.scratch);
}

/** As after execve: everything zero, floating point as ELF_PLAT_INIT and fpu__clear leave it. */
export function resetRegisters(t: RegisterOwner): void {
  const { state, os } = t;
  for (let i = 0; i < GPRS; i++) if (i !== RSP) state.set(i, 0);
  state.rflags = 0x202;
  state.fsBase = 0;
  state.gsBase = 0;
  os.u8.fill(0, os.scratch, os.scratch + XSAVE_BYTES);
  os.data.setUint16(os.scratch, 0x37f, true);
  os.data.setUint32(os.scratch + 24, 0x1f80, true);
  state.xrstor(os.scratch);
}
