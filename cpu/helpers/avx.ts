/** Vector instructions whose elements are accessed one by one: masked moves and gathers (Intel SDM vol. 2, VMASKMOV, VPGATHERDD). */
import type { Insn, MemOperand, Operand } from "../insn.ts";
import { FS_BASE, GPR, GS_BASE, STATE, XMM, YMM_HIGH, YMM_USED } from "../layout.ts";
import type { Helper, HelperContext } from "./api.ts";

/** Linear address of byte `at` of vector register n. */
const byteOf = (n: number, at: number): number => STATE + (at < 16 ? XMM + at : YMM_HIGH + at - 16) + 16 * n;
const numberOf = (op: Operand): number => op.kind === "xmm" ? op.n : -1;
const memoryOf = (i: Insn): MemOperand => i.ops.find((op): op is MemOperand => op.kind === "mem")!;

/** Upper halves have been written. */
export const usesHigh = (c: HelperContext): void => void (c.ram.i32[(STATE + YMM_USED) >> 2] = 1);

/** Base register plus displacement, and the segment's base; exact. */
export function baseOf({ ram: { view } }: HelperContext, m: MemOperand): { offset: bigint; segment: bigint } {
  const u64 = (offset: number): bigint => view.getBigUint64(STATE + offset, true);
  let offset = m.disp + (m.base >= 0 ? u64(GPR + 8 * m.base) : 0n);
  if (m.index >= 0) offset += u64(GPR + 8 * m.index) << BigInt(m.scale);
  return { offset, segment: m.seg === undefined ? 0n : u64(m.seg === "fs" ? FS_BASE : GS_BASE) };
}
/** Linear address of an element. */
const elementAt = (m: MemOperand, offset: bigint, segment: bigint): number =>
  Number(BigInt.asIntN(64, (m.addressSize === 4 ? BigInt.asUintN(32, offset) : offset) + segment));

/** VMASKMOVPS/PD, VPMASKMOVD/Q: elements whose mask is not negative are not accessed; loads make them zero. */
const maskedMove: Helper = (c, i) => {
  const memory = memoryOf(i),
    size = /[dq]$/.test(i.name) && i.name !== "vmaskmovpd" ? (i.rex & 8 ? 8 : 4) : i.name.endsWith("d") ? 8 : 4;
  const bytes = memory.size, { offset, segment } = baseOf(c, memory), store = i.ops[0].kind === "mem";
  const mask = numberOf(i.ops[1]), data = numberOf(store ? i.ops[2] : i.ops[0]);
  const selected: number[] = [], va = (at: number): number => elementAt(memory, offset + BigInt(at), segment);
  for (let at = 0; at < bytes; at += size) if (c.ram.u8[byteOf(mask, at + size - 1)] & 0x80) selected.push(at);
  if (store) {
    // All of them must be writable before anything is stored.
    for (const at of selected) c.checkWrite(va(at), size);
    for (const at of selected) c.storeBytes(va(at), c.ram.u8.slice(byteOf(data, at), byteOf(data, at) + size));
    return;
  }
  const loaded = new Uint8Array(32);
  for (const at of selected) c.loadBytes(va(at), loaded.subarray(at, at + size));
  c.ram.u8.set(loaded.subarray(0, 16), byteOf(data, 0));
  c.ram.u8.set(loaded.subarray(16), byteOf(data, 16));
  usesHigh(c);
};

/**
 * Element by element, from the lowest: each one done clears its mask, so that the instruction goes on where it was after a page fault.
 * What lies above the elements (and the whole mask) becomes zero.
 */
const gather: Helper = (c, i) => {
  const { u8, i32, view } = c.ram, memory = memoryOf(i), [dst, , maskOperand] = i.ops;
  const to = numberOf(dst), mask = numberOf(maskOperand), index = memory.vector ?? 0;
  const quadIndex = i.name.includes("gatherq"), size = i.rex & 8 ? 8 : 4;
  const length = dst.kind === "xmm" ? dst.size : 16, count = Math.min(length / size, quadIndex ? length / 8 : length / 4);
  const { offset: base, segment } = baseOf(c, memory);
  const element = new Uint8Array(size);
  usesHigh(c);
  for (let n = 0; n < count; n++) {
    const last = byteOf(mask, n * size + size - 1);
    if (u8[last] & 0x80) {
      const at = byteOf(index, n * (quadIndex ? 8 : 4));
      const offset = quadIndex ? view.getBigInt64(at, true) : BigInt(i32[at >> 2]);
      c.loadBytes(elementAt(memory, base + (offset << BigInt(memory.scale)), segment), element);
      u8.set(element, byteOf(to, n * size));
    }
    u8.fill(0, byteOf(mask, n * size), byteOf(mask, n * size) + size);
  }
  for (let at = 0; at < 32; at += 8) {
    u8.fill(0, byteOf(mask, at), byteOf(mask, at) + 8);
    if (at >= count * size) u8.fill(0, byteOf(to, at), byteOf(to, at) + 8);
  }
};

export const AVX_HELPERS: Readonly<Record<string, Helper>> = { masked_move: maskedMove, gather };
