import { DF, TF } from "../cpu/layout.ts";
import { MTD } from "../hedron/api.ts";
import { getU64, putU64 } from "../linux/memory/user.ts";
import type { SigAction, SigInfo } from "../linux/signals/state.ts";
import { SA_ONSTACK, SA_SIGINFO, SS_DISABLE, SS_ONSTACK } from "./abi/signals.ts";
import { SIGCODE } from "./loader.ts";
import { RCX, RDI, RDX, RSI, type Thread } from "./thread.ts";

/**
 * struct sigframe of sys/amd64/include/sigframe.h:
 * ```
 * 0x000 sf_ahu   the handler, called by the signal trampoline
 * 0x010 sf_uc    struct ucontext, 880 bytes
 * 0x380 sf_si    siginfo, 80 bytes
 * ```
 * struct ucontext (sys/sys/_ucontext.h): mask, mcontext, link, stack, flags; the FXSAVE image is mc_fpstate.
 */
const UC = 16, MASK = UC, MC = UC + 16, UC_STACK = UC + 824, SI = UC + 880, FRAME_BYTES = SI + 80;
const MC_BYTES = 800, MC_ONSTACK = 0, MC_TRAPNO = 128, MC_ADDR = 136, MC_FLAGS = 144, MC_ERR = 152, MC_RIP = 160, MC_CS = 168;
const MC_RFLAGS = 176, MC_RSP = 184, MC_SS = 192, MC_LEN = 200, MC_FPFORMAT = 208, MC_OWNEDFP = 216, MC_FPSTATE = 224;
const MC_FSBASE = 736, MC_GSBASE = 744;
/** Offsets in mcontext by Intel register number: sys/x86/include/ucontext.h. RSP stands elsewhere. */
// deno-fmt-ignore
const MC_GPR: readonly (readonly [number, number])[] = [
  [7, 8], [6, 16], [2, 24], [1, 32], [8, 40], [9, 48], [0, 56], [3, 64], [5, 72], [10, 80], [11, 88], [12, 96], [13, 104], [14, 112],
  [15, 120],
];
const HASBASES = 2, FPFMT_XMM = 0x1_0002, FPOWNED_FPU = 0x2_0001;
/** Code and data selectors of user mode (sys/amd64/include/segments.h). */
const UCSEL = 0x43, UDSEL = 0x3b;
const FP_BYTES = 512, RED_ZONE = 128, RESTORABLE_FLAGS = 0x0005_4dd5;

const onAltStack = (t: Thread, sp: number): boolean =>
  t.altStackSize !== 0 && sp >= t.altStack && sp - t.altStack < t.altStackSize;

export function altStackFlags(t: Thread, sp: number): number {
  return t.altStackSize === 0 ? SS_DISABLE : onAltStack(t, sp) ? SS_ONSTACK : 0;
}

/** sendsig(): makes `t` enter its handler. False when the stack cannot hold the frame. */
export function enterHandler(t: Thread, action: SigAction, info: SigInfo): boolean {
  const { state } = t, { u8, data, scratch } = t.os;
  const sp = state.rsp, alternate = (action.flags & SA_ONSTACK) !== 0 && t.altStackSize !== 0 && !onAltStack(t, sp);
  const top = (alternate ? t.altStack + t.altStackSize : sp - RED_ZONE) - FRAME_BYTES;
  const frame = top - top % 16;
  if (!(frame > 0)) return false;
  u8.fill(0, scratch, scratch + FRAME_BYTES);
  putU64(data, scratch, action.handler);
  data.setUint32(scratch + MASK, t.mask.lo, true);
  data.setUint32(scratch + MASK + 4, t.mask.hi, true);
  const mc = scratch + MC;
  putU64(data, mc + MC_ONSTACK, onAltStack(t, sp) ? 1 : 0);
  for (const [gpr, at] of MC_GPR) {
    data.setUint32(mc + at, state.lo(gpr), true);
    data.setUint32(mc + at + 4, state.hi(gpr), true);
  }
  data.setUint32(mc + MC_TRAPNO, info.fault?.trapno ?? 0, true);
  putU64(data, mc + MC_ADDR, info.address);
  data.setUint32(mc + MC_FLAGS, HASBASES, true);
  putU64(data, mc + MC_ERR, info.fault?.errorCode ?? 0);
  putU64(data, mc + MC_RIP, state.rip);
  putU64(data, mc + MC_CS, UCSEL);
  putU64(data, mc + MC_RFLAGS, state.rflags);
  putU64(data, mc + MC_RSP, sp);
  putU64(data, mc + MC_SS, UDSEL);
  putU64(data, mc + MC_LEN, MC_BYTES);
  putU64(data, mc + MC_FPFORMAT, FPFMT_XMM);
  putU64(data, mc + MC_OWNEDFP, FPOWNED_FPU);
  putU64(data, mc + MC_FSBASE, state.fsBase);
  putU64(data, mc + MC_GSBASE, state.gsBase);
  putU64(data, scratch + UC_STACK, t.altStack);
  putU64(data, scratch + UC_STACK + 8, t.altStackSize);
  data.setUint32(scratch + UC_STACK + 16, altStackFlags(t, sp), true);
  putInfo(data, scratch + SI, info);
  // The FXSAVE image goes to where it is 16-byte aligned in RAM, then into the frame.
  state.fxsave(t.os.staging);
  u8.copyWithin(mc + MC_FPSTATE, t.os.staging, t.os.staging + FP_BYTES);
  if (!t.process.user.write(frame, scratch, FRAME_BYTES)) return false;
  state.set(RDI, info.signal);
  if ((action.flags & SA_SIGINFO) !== 0) state.set(RSI, frame + SI);
  else state.set(RSI, info.code);
  state.set(RDX, frame + UC);
  state.set(RCX, info.address);
  state.rip = SIGCODE;
  state.rsp = frame;
  state.rflags = state.rflags & ~(DF | TF);
  return true;
}

/** siginfo_t: sys/sys/signal.h. */
function putInfo(data: DataView, at: number, info: SigInfo): void {
  data.setInt32(at, info.signal, true);
  data.setInt32(at + 8, info.code, true);
  data.setInt32(at + 12, info.pid, true);
  data.setUint32(at + 16, info.uid, true);
  data.setInt32(at + 20, info.status, true);
  putU64(data, at + 24, info.address);
  data.setUint32(at + 32, info.valueLo, true);
  data.setUint32(at + 36, info.valueHi, true);
  if (info.fault !== undefined) data.setInt32(at + 40, info.fault.trapno, true);
}

/** sigreturn(): everything from the ucontext at `uc`. False when it is not one. */
export function leaveHandler(t: Thread, uc: number): boolean {
  const { state } = t, { u8, data, scratch, staging } = t.os;
  if (!t.process.user.read(uc, scratch, SI - UC)) return false;
  const mc = scratch + MC - UC;
  if (getU64(data, mc + MC_LEN) !== MC_BYTES) return false;
  for (const [gpr, at] of MC_GPR) state.setHalves(gpr, data.getUint32(mc + at, true), data.getUint32(mc + at + 4, true));
  state.rip = getU64(data, mc + MC_RIP);
  state.rsp = getU64(data, mc + MC_RSP);
  state.rflags = data.getUint32(mc + MC_RFLAGS, true) & RESTORABLE_FLAGS | 0x202;
  t.mask.set(data.getUint32(scratch, true), data.getUint32(scratch + 4, true));
  u8.copyWithin(staging, mc + MC_FPSTATE, mc + MC_FPSTATE + FP_BYTES);
  data.setUint32(staging + 24, data.getUint32(staging + 24, true) & 0xffff, true);
  state.mtd |= MTD.FPU;
  state.fxrstor(staging);
  if ((data.getUint32(mc + MC_FLAGS, true) & HASBASES) !== 0) {
    state.mtd |= MTD.FS_GS;
    state.fsBase = getU64(data, mc + MC_FSBASE);
    state.gsBase = getU64(data, mc + MC_GSBASE);
  }
  return true;
}
