/** Random x87, MMX and vector state, as an FXSAVE image with the upper YMM halves behind it (SDM vol. 1, table 10-2). */
import { FP_BYTES, FX_BYTES } from "./protocol.ts";
import { content, type Pool, type Random } from "./random.ts";

export const FX = { CW: 0, SW: 2, TAG: 4, MXCSR: 24, ST: 32, XMM: 160 } as const;

/** Sign and exponent, significand: zero, denormal, one, pi, huge, infinity, NaNs, and encodings that are no numbers ("unnormals"). */
const EXTENDED: readonly (readonly [number, bigint])[] = [
  [0, 0n],
  [0, 1n],
  [0, 0x7fff_ffff_ffff_ffffn],
  [0, 0x8000_0000_0000_0000n],
  [1, 0x8000_0000_0000_0000n],
  [0x3fff, 0x8000_0000_0000_0000n],
  [0x3fff, 0x8000_0000_0000_0001n],
  [0x3ffe, 0xffff_ffff_ffff_ffffn],
  [0x4000, 0xc90f_daa2_2168_c235n],
  [0x4000, 0xa000_0000_0000_0000n],
  [0x403d, 0xffff_ffff_ffff_ffffn],
  [0x403e, 0x8000_0000_0000_0000n],
  [0x403e, 0xffff_ffff_ffff_ffffn],
  [0x7ffe, 0xffff_ffff_ffff_ffffn],
  [0x7fff, 0x8000_0000_0000_0000n],
  [0x7fff, 0xc000_0000_0000_0000n],
  [0x7fff, 0xc000_0000_1234_5678n],
  [0x7fff, 0x8000_0000_0000_0001n],
  [0x3fff, 0x4000_0000_0000_0000n],
  [0x7fff, 0n],
];

function extended(r: Random, view: DataView, at: number): void {
  const kind = r.below(6);
  let [exponent, significand] = r.pick(EXTENDED);
  if (kind === 0) [exponent, significand] = [r.below(0x8000), r.u64() | 1n << 63n];
  else if (kind === 1) [exponent, significand] = [0x3fff - 70 + r.below(140), r.u64() | 1n << 63n];
  else if (kind === 2) {
    // Small integers and halves.
    const value = BigInt(1 + r.below(1000));
    const bits = value.toString(2).length;
    [exponent, significand] = [0x3fff + bits - 1 - r.below(2), value << BigInt(64 - bits)];
  }
  view.setBigUint64(at, significand, true);
  view.setUint16(at + 8, exponent | (r.chance(35) ? 0x8000 : 0), true);
}

export interface FpWish {
  pool: Pool;
  /** ST(n) hold 80-bit numbers, else 64-bit MMX content. */
  x87: boolean;
  /** Other rounding and precision than the default now and then. */
  controls: boolean;
  /** All of FCW and MXCSR: unmasked exceptions, denormals-are-zero, flush-to-zero. */
  modes?: boolean;
}

export function randomFpState(r: Random, wish: FpWish): Uint8Array {
  const fp = new Uint8Array(FP_BYTES);
  const view = new DataView(fp.buffer);
  view.setUint16(FX.CW, wish.controls && r.chance(40) ? 0x7f | r.pick([0, 2, 3]) << 8 | r.below(4) << 10 : 0x37f, true);
  if (wish.x87) {
    view.setUint16(FX.SW, r.below(8) << 11 | (r.chance(50) ? r.below(8) << 8 | r.below(2) << 14 : 0), true);
    fp[FX.TAG] = r.chance(60) ? 0xff : r.below(256);
  } else if (r.chance(30)) {
    view.setUint16(FX.SW, r.below(8) << 11, true);
    fp[FX.TAG] = r.below(256);
  }
  view.setUint32(FX.MXCSR, 0x1f80, true);
  view.setUint32(FX.MXCSR + 4, 0xffff, true);
  if (wish.modes) {
    if (r.chance(40)) fp[FX.CW] = 0x40 | r.u32() & 0x3f;
    if (r.chance(80)) {
      view.setUint32(
        FX.MXCSR,
        r.pick([0x1f80, 0x1f80, r.u32() & 0x1f80]) | r.u32() & 0xe040 | (r.chance(30) ? r.u32() & 0x3f : 0),
        true,
      );
    }
  }
  for (let n = 0; n < 8; n++) {
    if (wish.x87) extended(r, view, FX.ST + 16 * n);
    else {
      fp.set(content(r, wish.pool, 8), FX.ST + 16 * n);
      view.setUint16(FX.ST + 16 * n + 8, 0xffff, true);
    }
  }
  fp.set(content(r, wish.pool, 256), FX.XMM);
  fp.set(content(r, wish.pool, 256), FX_BYTES);
  return fp;
}
