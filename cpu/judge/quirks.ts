/**
 * Differences from this project's reference processor that are no errors: results that the architecture leaves to the implementation. Each
 * one is accepted for the named rows only, and only when everything else agrees.
 */
import type { OpRow } from "../insn.ts";
import { VEC } from "../layout.ts";
import { FX } from "./fp_state.ts";
import { FX_BYTES, type Result } from "./protocol.ts";

export interface Quirk {
  reason: string;
  /** Makes `ours` equal to `native` where the difference is allowed. */
  forgive(ours: Result, native: Result): void;
}

const view = (fp: Uint8Array): DataView => new DataView(fp.buffer, fp.byteOffset, fp.byteLength);

/** RCPPS and RSQRTPS promise a relative error below 1.5 * 2^-12 (SDM vol. 2); two such results differ by less than 2^-10. */
const APPROXIMATE_LANES: Quirk = {
  reason: "approximations differ between processors",
  forgive(ours, native) {
    if (!ours.fp || !native.fp) return;
    const a = view(ours.fp), b = view(native.fp);
    for (let at = FX.XMM; at < FX_BYTES + 256; at += 4) {
      const x = a.getFloat32(at, true), y = b.getFloat32(at, true);
      if (Math.abs(x - y) <= Math.abs(y) / 1024) a.setUint32(at, b.getUint32(at, true), true);
    }
  },
};

/** Neighbouring 80-bit numbers of one sign have neighbouring ordinals. */
const ordinal = (fp: DataView, at: number): bigint =>
  BigInt(fp.getUint16(at + 8, true)) << 63n | fp.getBigUint64(at, true) & ~(1n << 63n);

/**
 * One unit in the last place of an 80-bit result, C1 (its rounding direction) and the precision flag; the overflow flag as well where that
 * unit is between the largest number and infinity.
 */
const APPROXIMATE_X87: Quirk = {
  reason: "transcendental functions differ between processors in the last place",
  forgive(ours, native) {
    if (!ours.fp || !native.fp) return;
    const a = view(ours.fp), b = view(native.fp);
    let open = 0x220;
    for (let n = 0; n < 8; n++) {
      const at = FX.ST + 16 * n;
      const difference = ordinal(a, at) - ordinal(b, at);
      if (difference === 0n || difference > 1n || difference < -1n) continue;
      const exponents = [a, b].map((fp) => fp.getUint16(at + 8, true) & 0x7fff);
      if (exponents.includes(0x7fff)) open |= 8;
      ours.fp.set(native.fp.subarray(at, at + 10), at);
    }
    a.setUint16(FX.SW, (a.getUint16(FX.SW, true) & ~open) | (b.getUint16(FX.SW, true) & open), true);
  },
};

/** Operands of many bytes are accessed, and checked for alignment, in an order of the processor's own. */
const FAULT_IN_BLOCK: Quirk = {
  reason: "the order of checks and accesses to a state image is the processor's own",
  forgive(ours, native) {
    const distance = ours.cr2 - native.cr2, wrapped = BigInt.asIntN(32, distance);
    // Or the image wraps around the end of the address space, where addresses are rounded here, or of its first 4 GiB.
    const near = (wrapped < 512n && wrapped > -512n && (distance === wrapped || ours.cr2 < 2n ** 32n)) ||
      ours.cr2 >= 0xffff_ffff_0000_0000n;
    const isMemoryFault = (r: Result) => r.vector >= 12 && r.vector <= 14;
    if (!isMemoryFault(ours) || !isMemoryFault(native) || (ours.vector === native.vector && !near)) return;
    [ours.vector, ours.error, ours.cr2] = [native.vector, native.error, native.cr2];
  },
};

const MXCSR_MASK: Quirk = {
  reason: "MXCSR_MASK has a bit of AMD's, misaligned exception mode",
  forgive(ours, native) {
    FAULT_IN_BLOCK.forgive(ours, native);
    ours.words.forEach((word, n) => {
      if (native.offsets[n] === ours.offsets[n] && (word ^ native.words[n]) === 0x2_0000n << 32n) ours.words[n] = native.words[n];
    });
  },
};

/** AMD64 manual vol. 2, 8.2.14: non-canonical branch targets fault at the branch. */
const FAULT_AT_TARGET: Quirk = {
  reason: "a branch to a non-canonical address faults at the target here, at the branch there",
  forgive(ours, native) {
    const top = ours.rip >> 47n;
    const arrived = ours.vector === VEC.GP || ours.vector === VEC.DB;
    if (!arrived || native.vector !== VEC.GP || top === 0n || top === 0x1_ffffn) return;
    Object.assign(ours, { ...native, fp: native.fp?.slice() });
  },
};

const UD_LENGTH: Quirk = {
  reason: "whether UD0 and UD1 have a ModRM byte differs between vendors",
  forgive(ours, native) {
    if (native.vector === 6 && ours.vector === 14 && ours.error === 0x14) Object.assign(ours, { ...native, fp: ours.fp });
  },
};

const MASKED_STORE: Quirk = {
  reason: "which bytes are tried first, and whether a zero mask faults, is the processor's own choice",
  forgive(ours, native) {
    if (native.vector === 6) return;
    Object.assign(ours, { ...native, fp: native.fp?.slice() });
  },
};

const GATHER: Quirk = {
  reason: "a fault of a later element is held back there when TF traps after an earlier one",
  forgive(ours, native) {
    const isFault = ours.vector === VEC.GP || ours.vector === VEC.PF || ours.vector === VEC.SS;
    if (isFault && native.vector === VEC.DB && native.rip === ours.rip) {
      Object.assign(ours, { ...native, fp: native.fp?.slice() });
    }
  },
};

const BY_NAME: Readonly<Record<string, Quirk>> = {
  rcpps: APPROXIMATE_LANES,
  rcpss: APPROXIMATE_LANES,
  rsqrtps: APPROXIMATE_LANES,
  rsqrtss: APPROXIMATE_LANES,
  vrcpps: APPROXIMATE_LANES,
  vrcpss: APPROXIMATE_LANES,
  vrsqrtps: APPROXIMATE_LANES,
  vrsqrtss: APPROXIMATE_LANES,
  fldenv: FAULT_IN_BLOCK,
  fnstenv: FAULT_IN_BLOCK,
  frstor: FAULT_IN_BLOCK,
  fnsave: FAULT_IN_BLOCK,
  fxrstor: FAULT_IN_BLOCK,
  fxsave: MXCSR_MASK,
  jmp: FAULT_AT_TARGET,
  call: FAULT_AT_TARGET,
  ret: FAULT_AT_TARGET,
  ud0: UD_LENGTH,
  ud1: UD_LENGTH,
  maskmovq: MASKED_STORE,
  maskmovdqu: MASKED_STORE,
  vmaskmovdqu: MASKED_STORE,
};

export function quirkOf(row: OpRow): Quirk | undefined {
  if (/^vp?gather/.test(row.name)) return GATHER;
  return BY_NAME[row.name] ?? (row.approximate ? APPROXIMATE_X87 : undefined);
}
