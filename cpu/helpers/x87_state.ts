/** The 512-byte FXSAVE64 image (Intel SDM vol. 1, 10.5.1) of a state block. */
import type { Ram } from "../api.ts";
import { MXCSR, ST, X87_CW, X87_FDP, X87_FIP, X87_FOP, X87_SW, X87_TAG, XMM } from "../layout.ts";

/** MXCSR bits that exist; what the image says at offset 28. */
const MXCSR_MASK = 0xffff;

/** Writes the image of the located block `at` to physical memory [pa, pa+512); bytes 416..511 stay as they are. */
export function fxsaveState(ram: Ram, at: number, pa: number): void {
  const { view, u8 } = ram;
  const sw = view.getUint16(at + X87_SW, true), top = (sw >> 11) & 7;
  u8.fill(0, pa, pa + 416);
  view.setUint16(pa, view.getUint16(at + X87_CW, true), true);
  view.setUint16(pa + 2, sw, true);
  u8[pa + 4] = u8[at + X87_TAG];
  view.setUint16(pa + 6, view.getUint16(at + X87_FOP, true), true);
  u8.copyWithin(pa + 8, at + X87_FIP, at + X87_FIP + 8);
  u8.copyWithin(pa + 16, at + X87_FDP, at + X87_FDP + 8);
  view.setUint32(pa + 24, view.getUint32(at + MXCSR, true), true);
  view.setUint32(pa + 28, MXCSR_MASK, true);
  for (let n = 0; n < 8; n++) {
    const from = at + ST + 16 * ((top + n) & 7);
    u8.copyWithin(pa + 32 + 16 * n, from, from + 10);
  }
  u8.copyWithin(pa + 160, at + XMM, at + XMM + 256);
}

/** Loads the block from an image. The caller has checked MXCSR for reserved bits (#GP). */
export function fxrstorState(ram: Ram, at: number, pa: number): void {
  const { view, u8 } = ram;
  const sw = view.getUint16(pa + 2, true), top = (sw >> 11) & 7;
  view.setUint16(at + X87_CW, view.getUint16(pa, true) | 0x40, true);
  view.setUint16(at + X87_SW, sw, true);
  u8[at + X87_TAG] = u8[pa + 4];
  view.setUint16(at + X87_FOP, view.getUint16(pa + 6, true) & 0x7ff, true);
  u8.copyWithin(at + X87_FIP, pa + 8, pa + 16);
  u8.copyWithin(at + X87_FDP, pa + 16, pa + 24);
  view.setUint32(at + MXCSR, view.getUint32(pa + 24, true) & MXCSR_MASK, true);
  for (let n = 0; n < 8; n++) {
    const to = at + ST + 16 * ((top + n) & 7);
    u8.copyWithin(to, pa + 32 + 16 * n, pa + 42 + 16 * n);
  }
  u8.copyWithin(at + XMM, pa + 160, pa + 416);
}
