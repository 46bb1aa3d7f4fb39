import { MTD } from "../../hedron/api.ts";
import { DF, RF, TF } from "../../cpu/layout.ts";
import { getU64, putU64 } from "../memory/user.ts";
import { RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, type Thread } from "../process/thread.ts";
import { SA_ONSTACK, SIG, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK } from "./numbers.ts";
import type { SigAction, SigInfo } from "./state.ts";

/**
 * struct rt_sigframe of arch/x86/include/asm/sigframe.h:
 * ```
 * 0x000 pretcode      the restorer, where the handler returns to
 * 0x008 uc_flags, uc_link
 * 0x018 uc_stack      ss_sp, ss_flags, ss_size
 * 0x030 uc_mcontext   struct sigcontext, 256 bytes
 * 0x130 uc_sigmask
 * 0x138 siginfo       128 bytes
 * ```
 * Above it, 64-byte aligned, the XSAVE area (struct _xstate of asm/sigcontext.h): FXSAVE image with a description of the area in the bytes
 * that are left to software, header, upper halves of the YMM registers, and a closing mark.
 */
const UC = 8, UC_STACK = UC + 16, MCONTEXT = UC + 40, SIGMASK = MCONTEXT + 256, INFO = SIGMASK + 8, FRAME_BYTES = INFO + 128;
const XSAVE_BYTES = 832, FP_BYTES = XSAVE_BYTES + 4, RED_ZONE = 128;

/** struct _fpx_sw_bytes at 464 of the image: magic, size with the closing mark, state components, size of the area. */
const SW_BYTES = 464, MAGIC1 = 0x4650_5853, MAGIC2 = 0x4650_5845, XSTATE_BV = 512;
/** x87, SSE, AVX. */
const COMPONENTS = 7;

/** UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS: arch/x86/include/uapi/asm/ucontext.h. */
const UC_FLAGS = 7;
const USER_CS = 0x33, USER_SS = 0x2b;

/** Offsets in struct sigcontext of the registers, by Intel number. */
// deno-fmt-ignore
const SC_GPR: readonly (readonly [number, number])[] = [
  [8, 0], [9, 8], [10, 16], [11, 24], [12, 32], [13, 40], [14, 48], [15, 56],
  [RDI, 64], [RSI, 72], [RBP, 80], [RBX, 88], [RDX, 96], [RAX, 104], [RCX, 112], [RSP, 120],
];
const SC_RIP = 128, SC_FLAGS = 136, SC_CS = 144, SC_ERR = 152, SC_TRAPNO = 160, SC_OLDMASK = 168, SC_CR2 = 176, SC_FPSTATE = 184;

/** RFLAGS bits that rt_sigreturn may set: FIX_EFLAGS of arch/x86/include/asm/sighandling.h. */
const RESTORABLE_FLAGS = 0x0005_4dd5;

function onAltStack(t: Thread, sp: number): boolean {
  return t.altStackSize !== 0 && sp > t.altStack && sp - t.altStack <= t.altStackSize;
}

export function altStackFlags(t: Thread, sp: number): number {
  if (t.altStackSize === 0) return SS_DISABLE;
  return (t.altStackFlags & SS_AUTODISARM) === 0 && onAltStack(t, sp) ? SS_ONSTACK : 0;
}

/** Writes siginfo_t at `at` in RAM. */
export function putSigInfo(data: DataView, u8: Uint8Array, at: number, info: SigInfo): void {
  u8.fill(0, at, at + 128);
  data.setInt32(at, info.signal, true);
  data.setInt32(at + 8, info.code, true);
  if (info.fault !== undefined) {
    putU64(data, at + 16, info.address);
    return;
  }
  data.setInt32(at + 16, info.pid, true);
  data.setUint32(at + 20, info.uid, true);
  if (info.signal === SIG.CHLD && info.code > 0) {
    data.setInt32(at + 24, info.status, true);
  } else {
    data.setUint32(at + 24, info.valueLo, true);
    data.setUint32(at + 28, info.valueHi, true);
  }
}

/** Makes `t` enter its handler for `info`. False when the stack cannot hold the frame. */
export function enterHandler(t: Thread, action: SigAction, info: SigInfo, mask: { lo: number; hi: number }): boolean {
  const { state } = t;
  const { user } = t.process;
  const sp = state.rsp;
  let top = sp - RED_ZONE;
  if ((action.flags & SA_ONSTACK) !== 0 && t.altStackSize !== 0 && !onAltStack(t, sp)) top = t.altStack + t.altStackSize;
  const fp = top - FP_BYTES - (top - FP_BYTES) % 64;
  const base = fp - FRAME_BYTES;
  const frame = base - base % 16 - 8;
  if (!(frame > 0) || onAltStack(t, sp) && frame < t.altStack) return false;

  const { u8, data, scratch } = t.os;
  u8.fill(0, scratch, scratch + FRAME_BYTES);
  putU64(data, scratch, action.restorer);
  data.setUint32(scratch + UC, UC_FLAGS, true);
  putU64(data, scratch + UC_STACK, t.altStack);
  data.setUint32(scratch + UC_STACK + 8, altStackFlags(t, sp), true);
  putU64(data, scratch + UC_STACK + 16, t.altStackSize);
  const sc = scratch + MCONTEXT;
  for (const [gpr, at] of SC_GPR) {
    data.setUint32(sc + at, state.lo(gpr), true);
    data.setUint32(sc + at + 4, state.hi(gpr), true);
  }
  putU64(data, sc + SC_GPR[15][1], sp);
  putU64(data, sc + SC_RIP, state.rip);
  putU64(data, sc + SC_FLAGS, state.rflags);
  data.setUint16(sc + SC_CS, USER_CS, true);
  data.setUint16(sc + SC_CS + 6, USER_SS, true);
  putU64(data, sc + SC_ERR, t.trap.errorCode);
  putU64(data, sc + SC_TRAPNO, t.trap.trapno);
  data.setUint32(sc + SC_OLDMASK, mask.lo, true);
  data.setUint32(sc + SC_OLDMASK + 4, mask.hi, true);
  putU64(data, sc + SC_CR2, t.trap.cr2);
  putU64(data, sc + SC_FPSTATE, fp);
  data.setUint32(scratch + SIGMASK, mask.lo, true);
  data.setUint32(scratch + SIGMASK + 4, mask.hi, true);
  putSigInfo(data, u8, scratch + INFO, info);
  if (!user.write(frame, scratch, FRAME_BYTES)) return false;
  state.xsave(scratch);
  [MAGIC1, FP_BYTES, COMPONENTS, 0, XSAVE_BYTES].forEach((word, n) => data.setUint32(scratch + SW_BYTES + 4 * n, word, true));
  data.setUint32(scratch + XSAVE_BYTES, MAGIC2, true);
  if (!user.write(fp, scratch, FP_BYTES)) return false;
  clearFpu(t);

  if ((t.altStackFlags & SS_AUTODISARM) !== 0) {
    t.altStack = t.altStackSize = 0;
    t.altStackFlags = 0;
  }
  state.set(RDI, info.signal);
  state.set(RSI, frame + INFO);
  state.set(RDX, frame + UC);
  state.set(RAX, 0);
  state.rip = action.handler;
  state.rsp = frame;
  state.rflags = state.rflags & ~(DF | RF | TF);
  return true;
}

/** A fresh FPU, all exceptions masked (fpu__clear_user_states): for handlers, and for contexts without FPU state. */
function clearFpu({ state, os: { u8, data, scratch } }: Thread): void {
  u8.fill(0, scratch, scratch + FP_BYTES);
  data.setUint16(scratch, 0x37f, true);
  data.setUint32(scratch + 24, 0x1f80, true);
  state.xrstor(scratch);
  state.mtd |= MTD.FPU;
}

/** rt_sigreturn(2): registers, mask and stack from the frame at RSP-8. False when the frame is not readable. */
export function leaveHandler(t: Thread, sp: number): boolean {
  const { state } = t;
  const { user } = t.process;
  const { u8, data, scratch } = t.os;
  const frame = sp - 8;
  if (!user.read(frame, scratch, FRAME_BYTES)) return false;
  const sc = scratch + MCONTEXT;
  for (const [gpr, at] of SC_GPR) state.setHalves(gpr, data.getUint32(sc + at, true), data.getUint32(sc + at + 4, true));
  state.rsp = getU64(data, sc + SC_GPR[15][1]);
  state.rip = getU64(data, sc + SC_RIP);
  state.rflags = data.getUint32(sc + SC_FLAGS, true) & RESTORABLE_FLAGS | 0x202;
  t.mask.set(data.getUint32(scratch + SIGMASK, true), data.getUint32(scratch + SIGMASK + 4, true));
  t.mask.remove(SIG.KILL);
  t.mask.remove(SIG.STOP);
  t.altStack = getU64(data, scratch + UC_STACK);
  t.altStackFlags = data.getUint32(scratch + UC_STACK + 8, true) & SS_AUTODISARM;
  t.altStackSize = getU64(data, scratch + UC_STACK + 16);
  if ((data.getUint32(scratch + UC_STACK + 8, true) & SS_DISABLE) !== 0) t.altStackSize = 0;
  const fp = getU64(data, sc + SC_FPSTATE);
  if (fp !== 0) {
    // Without the marks the frame has an FXSAVE image only (check_xstate_in_sigframe of arch/x86/kernel/fpu/signal.c).
    if (!user.read(fp, scratch, 512)) return false;
    const extended = data.getUint32(scratch + SW_BYTES, true) === MAGIC1 &&
      data.getUint32(scratch + SW_BYTES + 16, true) === XSAVE_BYTES &&
      data.getUint32(scratch + SW_BYTES + 4, true) === FP_BYTES &&
      user.read(fp, scratch, FP_BYTES) && data.getUint32(scratch + XSAVE_BYTES, true) === MAGIC2;
    if (!extended) {
      u8.fill(0, scratch + XSTATE_BV, scratch + XSAVE_BYTES);
      data.setUint32(scratch + XSTATE_BV, 3, true);
    }
    // Reserved MXCSR bits would be a #GP in the kernel.
    data.setUint32(scratch + 24, data.getUint32(scratch + 24, true) & 0xffff, true);
    state.xrstor(scratch);
    state.mtd |= MTD.FPU;
  } else clearFpu(t);
  return true;
}
