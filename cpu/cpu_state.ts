/** State blocks: RFLAGS as one value, reset. Layout: cpu/layout.ts. */
import type { Ram } from "./api.ts";
import {
  AF,
  CF,
  DF,
  FLAG_A,
  FLAG_C,
  FLAG_D,
  FLAG_O,
  FLAG_P,
  FLAG_S,
  FLAG_Z,
  FLAGS_OTHER,
  OF,
  PF,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_SS,
  SF,
  STATE_BYTES,
  X87_CW,
  ZF,
} from "./layout.ts";
import { restoreMxcsr } from "./mxcsr.ts";

const ARITHMETIC = CF | PF | AF | ZF | SF | DF | OF;

/** RFLAGS of the block at linear address `at`; bit 1 is always set. */
export function readFlags(ram: Ram, at: number): number {
  const { i32, u8 } = ram, w = at >> 2;
  let flags = (i32[w + FLAGS_OTHER / 4] & ~ARITHMETIC) | 2;
  if (i32[w + FLAG_C / 4]) flags |= CF;
  let p = u8[at + FLAG_P];
  p ^= p >> 4;
  if (((0x9669 >> (p & 15)) & 1) === 1) flags |= PF;
  if (i32[w + FLAG_A / 4]) flags |= AF;
  if (i32[w + FLAG_Z / 4] === 0 && i32[w + FLAG_Z / 4 + 1] === 0) flags |= ZF;
  if (i32[w + FLAG_S / 4 + 1] < 0) flags |= SF;
  if (i32[w + FLAG_D / 4]) flags |= DF;
  if (i32[w + FLAG_O / 4]) flags |= OF;
  return flags >>> 0;
}

export function writeFlags(ram: Ram, at: number, flags: number): void {
  const { i32 } = ram, w = at >> 2;
  i32[w + FLAGS_OTHER / 4] = (flags & ~ARITHMETIC) | 2;
  i32[w + FLAG_C / 4] = flags & CF ? 1 : 0;
  i32[w + FLAG_P / 4] = flags & PF ? 0 : 1;
  i32[w + FLAG_A / 4] = flags & AF ? 1 : 0;
  i32[w + FLAG_Z / 4] = flags & ZF ? 0 : 1;
  i32[w + FLAG_Z / 4 + 1] = 0;
  i32[w + FLAG_S / 4] = 0;
  i32[w + FLAG_S / 4 + 1] = flags & SF ? -1 : 0;
  i32[w + FLAG_D / 4] = flags & DF ? 1 : 0;
  i32[w + FLAG_O / 4] = flags & OF ? 1 : 0;
}

/** Register values of a fresh global EC (Hedron ABI 2.4 and 7.5). */
export function resetBlock(ram: Ram, at: number): void {
  ram.u8.fill(0, at, at + STATE_BYTES);
  writeFlags(ram, at, 0x202);
  ram.view.setUint16(at + X87_CW, 0x37f, true);
  restoreMxcsr(ram.u32, at, 0x1f80, 0);
  ram.u32[(at + SEG_CS) >> 2] = 0x1b;
  for (const s of [SEG_SS, SEG_DS, SEG_ES]) ram.u32[(at + s) >> 2] = 0x23;
}
