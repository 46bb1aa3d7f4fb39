import { MTD } from "../../hedron/api.ts";
import { REPLY_ALL } from "./dispatch.ts";
import { R11, RAX, RCX, type Thread } from "./thread.ts";

/** All registers of a thread, for its copy. */
export interface Registers {
  /** GPR n: low half at 2n, high half at 2n+1. */
  readonly gprs: Uint32Array;
  readonly rip: number;
  readonly rsp: number;
  readonly fsBase: number;
  readonly gsBase: number;
  /** XSAVE area. */
  readonly fpu: Uint8Array<ArrayBuffer>;
}

const GPRS = 16, RSP = 4, XSAVE_BYTES = 832;
const FULL_REPLY = REPLY_ALL | MTD.FS_GS | MTD.FPU;

/** The registers that a thread in a system call will return with, except for RAX. */
export function captureRegisters(t: Thread): Registers {
  const { state, os } = t;
  const gprs = new Uint32Array(2 * GPRS);
  for (let i = 0; i < GPRS; i++) {
    gprs[2 * i] = state.lo(i);
    gprs[2 * i + 1] = state.hi(i);
  }
  state.xsave(os.scratch);
  return {
    gprs,
    rip: state.num(RCX),
    rsp: state.num(R11),
    fsBase: state.fsBase,
    gsBase: state.gsBase,
    fpu: os.u8.slice(os.scratch, os.scratch + XSAVE_BYTES),
  };
}

/** Starts a copy: RAX 0, its own stack and thread pointer when given. */
export function loadRegisters(t: Thread, from: Registers, stack: number, tls: number | undefined): void {
  const { state, os } = t;
  state.mtd |= FULL_REPLY;
  for (let i = 0; i < GPRS; i++) if (i !== RSP) state.setHalves(i, from.gprs[2 * i], from.gprs[2 * i + 1]);
  state.set(RAX, 0);
  state.rip = from.rip;
  state.rsp = stack !== 0 ? stack : from.rsp;
  state.rflags = 0x202;
  state.fsBase = tls ?? from.fsBase;
  state.gsBase = from.gsBase;
  os.u8.set(from.fpu, os.scratch);
  state.xrstor(os.scratch);
}

/** As after execve: everything zero, floating point as ELF_PLAT_INIT and fpu__clear leave it. */
export function resetRegisters(t: Thread): void {
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
