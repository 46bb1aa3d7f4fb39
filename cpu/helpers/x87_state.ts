/** FXSAVE/FXRSTOR and the XSAVE family. Source: Intel SDM vol. 1, 10.5 and chapter 13. */
import type { Ram } from "../api.ts";
import {
  GPR,
  MXCSR,
  SCRATCH,
  SEG_CS,
  SEG_DS,
  ST,
  STATE,
  VEC,
  X87_CW,
  X87_FIP,
  X87_FOP,
  X87_SW,
  X87_TAG,
  XMM,
  YMM_HIGH,
  YMM_USED,
} from "../layout.ts";
import { flagKnowledge, restoreMxcsr, setMxcsr, toldMxcsr, visibleMxcsr } from "../mxcsr.ts";
import type { Helper, HelperContext } from "./api.ts";
import { ES } from "./float80.ts";
import { initX87, setControl } from "./x87_control.ts";
import { lastOpcode, memOperand, SW16 } from "./x87_stack.ts";

/** MXCSR bits that may be set; also reported in the image. */
export const MXCSR_MASK = 0xffff;
/** Bytes of the image that hold state; the rest up to 512 is left to software. */
const IMAGE_BYTES = 416, FXSAVE_BYTES = 512;
const IMAGE_MXCSR = 24, IMAGE_ST = 32, IMAGE_XMM = 160;
/** State components (bits of XCR0, XSTATE_BV and the instruction mask). */
export const XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4;
/** XCR0: what the XSAVE family manages. */
export const XCR0 = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
/** One of the bytes left to software, in images made for the kernel: FlagKnowledge of mxcsr.ts. */
const IMAGE_KNOWLEDGE = 511;
const HEADER = 512, HEADER_BYTES = 64, AVX_AREA = 576, AVX_BYTES = 256, AREA_BYTES = AVX_AREA + AVX_BYTES;

/** Copies eight 16-byte slots between ST(0).. order (image) and physical order (block). */
function copyStack(ram: Ram, block: number, image: number, toImage: boolean): void {
  const top = (ram.u16[(block + X87_SW) >> 1] >> 11) & 7;
  for (let n = 0; n < 8; n++) {
    const register = block + ST + 16 * ((top + n) & 7), slot = image + IMAGE_ST + 16 * n;
    if (toImage) {
      ram.u8.copyWithin(slot, register, register + 10);
      ram.u8.fill(0, slot + 10, slot + 16);
    } else {
      ram.u8.copyWithin(register, slot, slot + 10);
      ram.u8.fill(0, register + 10, register + 16);
    }
  }
}

/** The x87 part of the image; the last instruction is told only while an unmasked exception is pending (as AMD processors do). */
function saveX87(ram: Ram, at: number, pa: number): void {
  const { u16, u8, view } = ram;
  u8.fill(0, pa, pa + IMAGE_MXCSR);
  view.setUint16(pa, u16[(at + X87_CW) >> 1], true);
  view.setUint16(pa + 2, u16[(at + X87_SW) >> 1], true);
  u8[pa + 4] = u8[at + X87_TAG];
  if (u16[(at + X87_SW) >> 1] & ES) {
    view.setUint16(pa + 6, u16[(at + X87_FOP) >> 1], true);
    u8.copyWithin(pa + 8, at + X87_FIP, at + X87_FIP + 16);
  }
  copyStack(ram, at, pa, true);
}

function restoreX87(ram: Ram, at: number, pa: number): void {
  const { u16, u8, view } = ram;
  setControl(ram, at, view.getUint16(pa, true), view.getUint16(pa + 2, true));
  u8[at + X87_TAG] = u8[pa + 4];
  u16[(at + X87_FOP) >> 1] = view.getUint16(pa + 6, true) & 0x7ff;
  u8.copyWithin(at + X87_FIP, pa + 8, pa + 24);
  copyStack(ram, at, pa, false);
}

/**
 * Writes the FXSAVE64 image of a state block at `at` to [pa, pa+416); the last 96 bytes of the 512 are not touched.
 * Both are offsets into RAM; no alignment is needed.
 */
export function fxsaveState(ram: Ram, at: number, pa: number): void {
  saveX87(ram, at, pa);
  ram.view.setUint32(pa + IMAGE_MXCSR, visibleMxcsr(ram.u32[(at + MXCSR) >> 2]), true);
  ram.view.setUint32(pa + IMAGE_MXCSR + 4, MXCSR_MASK, true);
  ram.u8.copyWithin(pa + IMAGE_XMM, at + XMM, at + XMM + 256);
}

/** The same for a kernel that keeps the image: what is known of the sticky flags is in it, too. */
export function keepFxsave(ram: Ram, at: number, pa: number): void {
  fxsaveState(ram, at, pa);
  ram.u8[pa + IMAGE_KNOWLEDGE] = flagKnowledge(ram.u32, at);
}

/** Loads a state block from an FXSAVE64 image; reserved MXCSR bits are dropped (the instruction would raise #GP). */
export function fxrstorState(ram: Ram, at: number, pa: number): void {
  restoreX87(ram, at, pa);
  restoreMxcsr(ram.u32, at, ram.view.getUint32(pa + IMAGE_MXCSR, true), ram.u8[pa + IMAGE_KNOWLEDGE]);
  ram.u8.copyWithin(at + XMM, pa + IMAGE_XMM, pa + IMAGE_XMM + 256);
}

/** Bytes of the standard XSAVE area with x87, SSE and AVX state. */
export const XSAVE_BYTES = AREA_BYTES;

/** Are the upper halves of all YMM registers zero? */
function highIsZero(ram: Ram, at: number): boolean {
  let all = 0;
  for (let n = 0; n < AVX_BYTES / 4; n++) all |= ram.u32[((at + YMM_HIGH) >> 2) + n];
  return all === 0;
}
const noteHigh = (ram: Ram, at: number): void => void (ram.u32[(at + YMM_USED) >> 2] = highIsZero(ram, at) ? 0 : 1);

/** Like `fxsaveState`, in the standard XSAVE format: header and the upper halves of the YMM registers behind the image. All of [416, 512) is zero. */
export function xsaveState(ram: Ram, at: number, pa: number): void {
  ram.u8.fill(0, pa + IMAGE_BYTES, pa + AVX_AREA);
  keepFxsave(ram, at, pa);
  ram.u8[pa + HEADER] = XCR0;
  ram.u8.copyWithin(pa + AVX_AREA, at + YMM_HIGH, at + YMM_HIGH + AVX_BYTES);
}

/** Loads all of a state block from such an area; components that XSTATE_BV does not name get their initial values. */
export function xrstorState(ram: Ram, at: number, pa: number): void {
  const present = ram.u8[pa + HEADER];
  fxrstorState(ram, at, pa);
  if (!(present & XSTATE_X87)) {
    initX87(ram, at);
    ram.u8.fill(0, at + ST, at + ST + 128);
  }
  if (!(present & XSTATE_SSE)) ram.u8.fill(0, at + XMM, at + XMM + 256);
  if (present & XSTATE_AVX) ram.u8.copyWithin(at + YMM_HIGH, pa + AVX_AREA, pa + AREA_BYTES);
  else ram.u8.fill(0, at + YMM_HIGH, at + YMM_HIGH + AVX_BYTES);
  noteHigh(ram, at);
}

/** The address of an area that must be aligned; #GP otherwise. */
function alignedAddress(c: HelperContext, i: Parameters<Helper>[1], alignment: number): number {
  const va = c.address(memOperand(i));
  if (va % alignment !== 0) c.raise(VEC.GP, 0);
  return va;
}

/** Without REX.W the upper halves of the pointers hold selectors. */
function adjustPointers(ram: Ram, pa: number, toImage: boolean): void {
  if (!toImage) {
    ram.view.setUint32(pa + 12, 0, true);
    ram.view.setUint32(pa + 20, 0, true);
  } else if (ram.u16[SW16] & ES) {
    ram.view.setUint32(pa + 12, ram.u32[(STATE + SEG_CS) >> 2] & 0xffff, true);
    ram.view.setUint32(pa + 20, ram.u32[(STATE + SEG_DS) >> 2] & 0xffff, true);
  }
}

const area = (ram: Ram, from: number, to: number): Uint8Array => ram.u8.subarray(SCRATCH + from, SCRATCH + to);

/** The program gets to see MXCSR. */
const tell = ({ u32 }: Ram): void => void (u32[(STATE + MXCSR) >> 2] = toldMxcsr(u32[(STATE + MXCSR) >> 2]));

const fxsave: Helper = (c, i) => {
  const va = alignedAddress(c, i, 16);
  if (c.ram.u16[SW16] & ES) lastOpcode(c);
  fxsaveState(c.ram, STATE, SCRATCH);
  tell(c.ram);
  if (i.size !== 8) adjustPointers(c.ram, SCRATCH, true);
  // The whole area must be writable, although its end is left alone; its last byte is tried first.
  c.translate(va + FXSAVE_BYTES - 1, 1, true);
  c.storeBytes(va, area(c.ram, 0, IMAGE_BYTES));
};

const fxrstor: Helper = (c, i) => {
  const va = alignedAddress(c, i, 16);
  c.translate(va + FXSAVE_BYTES - 1, 1, false);
  c.loadBytes(va, area(c.ram, 0, FXSAVE_BYTES));
  if (c.ram.view.getUint32(SCRATCH + IMAGE_MXCSR, true) & ~MXCSR_MASK) c.raise(VEC.GP, 0);
  if (i.size !== 8) adjustPointers(c.ram, SCRATCH, false);
  const mxcsr = c.ram.view.getUint32(SCRATCH + IMAGE_MXCSR, true);
  restoreX87(c.ram, STATE, SCRATCH);
  c.ram.u8.copyWithin(STATE + XMM, SCRATCH + IMAGE_XMM, SCRATCH + IMAGE_BYTES);
  setMxcsr(c.ram.u32, STATE, mxcsr);
};

/** EDX:EAX limited to what XCR0 enables. */
const requested = (ram: Ram): number => ram.u32[(STATE + GPR) >> 2] & XCR0;

/** Components that are not in their initial configuration; x87 and SSE always count as used. */
function inUse(ram: Ram): number {
  return XSTATE_X87 | XSTATE_SSE | (highIsZero(ram, STATE) ? 0 : XSTATE_AVX);
}

/** XSAVE, XSAVEOPT and XSAVEC: components wanted are written one by one; with `init`, those in their initial state are left out. */
const xsave = (init: boolean, compact: boolean): Helper => (c, i) => {
  const ram = c.ram, va = alignedAddress(c, i, 64), wanted = requested(ram), used = inUse(ram);
  if (ram.u16[SW16] & ES) lastOpcode(c);
  fxsaveState(ram, STATE, SCRATCH);
  if (i.size !== 8) adjustPointers(ram, SCRATCH, true);
  // All of it must be writable before anything is read or stored; the first byte is tried first, then the last.
  c.translate(va, 1, true);
  c.translate(va + (wanted & XSTATE_AVX ? AREA_BYTES : AVX_AREA) - 1, 1, true);
  const header = area(ram, HEADER, HEADER + HEADER_BYTES);
  c.loadBytes(va + HEADER, header);
  header[0] = compact ? used & wanted : (header[0] & ~wanted) | (used & wanted);
  if (compact) {
    header.fill(0, 1, 16);
    header[8] = wanted;
    header[15] = 0x80;
  }
  if (wanted & XSTATE_X87) {
    c.storeBytes(va, area(ram, 0, IMAGE_MXCSR));
    c.storeBytes(va + IMAGE_ST, area(ram, IMAGE_ST, IMAGE_XMM));
  }
  if (wanted & (XSTATE_SSE | XSTATE_AVX)) {
    c.storeBytes(va + IMAGE_MXCSR, area(ram, IMAGE_MXCSR, IMAGE_ST));
    tell(ram);
  }
  if (wanted & XSTATE_SSE) c.storeBytes(va + IMAGE_XMM, area(ram, IMAGE_XMM, IMAGE_BYTES));
  if (wanted & XSTATE_AVX && (!init || used & XSTATE_AVX)) {
    c.storeBytes(va + AVX_AREA, ram.u8.subarray(STATE + YMM_HIGH, STATE + YMM_HIGH + AVX_BYTES));
  }
  c.storeBytes(va + HEADER, header.subarray(0, compact ? 16 : 8));
};

const xrstor: Helper = (c, i) => {
  const ram = c.ram, { u8, view } = ram, va = alignedAddress(c, i, 64), wanted = requested(ram);
  c.translate(va, 1, false);
  c.loadBytes(va + HEADER, area(ram, HEADER, AVX_AREA));
  const header = SCRATCH + HEADER, present = view.getUint32(header, true);
  const compactLow = view.getUint32(header + 8, true), compactHigh = view.getUint32(header + 12, true);
  const compact = (compactHigh & 0x8000_0000) !== 0;
  const known = compact ? compactLow : XCR0;
  const bad = (present & ~known) !== 0 || (known & ~XCR0) !== 0 || view.getUint32(header + 4, true) !== 0 ||
    (compactHigh << 1) !== 0 || (!compact && compactLow !== 0) || u8.subarray(header + 16, header + 64).some((b) => b !== 0);
  if (bad) c.raise(VEC.GP, 0);
  // In the standard format all that is wanted must be readable, present or not.
  if (wanted & (compact ? present : XCR0) & XSTATE_AVX) c.translate(va + AREA_BYTES - 1, 1, false);
  c.loadBytes(va, area(ram, 0, HEADER));
  const loadsMxcsr = compact ? (wanted & present & XSTATE_SSE) !== 0 : (wanted & (XSTATE_SSE | XSTATE_AVX)) !== 0;
  if (loadsMxcsr && view.getUint32(SCRATCH + IMAGE_MXCSR, true) & ~MXCSR_MASK) c.raise(VEC.GP, 0);
  if (wanted & present & XSTATE_AVX) c.loadBytes(va + AVX_AREA, area(ram, AVX_AREA, AREA_BYTES));
  if (i.size !== 8) adjustPointers(ram, SCRATCH, false);
  if (wanted & XSTATE_X87) {
    if (present & XSTATE_X87) restoreX87(ram, STATE, SCRATCH);
    else {
      initX87(ram, STATE);
      u8.fill(0, STATE + ST, STATE + ST + 128);
    }
  }
  if (loadsMxcsr) setMxcsr(ram.u32, STATE, view.getUint32(SCRATCH + IMAGE_MXCSR, true));
  else if (compact && wanted & XSTATE_SSE) setMxcsr(ram.u32, STATE, 0x1f80);
  if (wanted & XSTATE_SSE) {
    if (present & XSTATE_SSE) u8.copyWithin(STATE + XMM, SCRATCH + IMAGE_XMM, SCRATCH + IMAGE_BYTES);
    else u8.fill(0, STATE + XMM, STATE + XMM + 256);
  }
  if (wanted & XSTATE_AVX) {
    if (present & XSTATE_AVX) u8.copyWithin(STATE + YMM_HIGH, SCRATCH + AVX_AREA, SCRATCH + AREA_BYTES);
    else u8.fill(0, STATE + YMM_HIGH, STATE + YMM_HIGH + AVX_BYTES);
    noteHigh(ram, STATE);
  }
};

const xgetbv: Helper = (c) => {
  const { u32 } = c.ram, gpr = (STATE + GPR) >> 2, index = u32[gpr + 2];
  if (index > 1) c.raise(VEC.GP, 0);
  u32[gpr] = index === 0 ? XCR0 : inUse(c.ram);
  u32[gpr + 1] = 0;
  u32[gpr + 4] = u32[gpr + 5] = 0;
};

export const X87_STATE_HELPERS: Readonly<Record<string, Helper>> = {
  fxsave,
  fxrstor,
  xsave: xsave(false, false),
  xsaveopt: xsave(true, false),
  xsavec: xsave(true, true),
  xrstor,
  xgetbv,
};
