/** PEXT and PDEP, bit by bit over the mask. */
import { GPR, STATE } from "../layout.ts";
import type { Operand } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { setRegister } from "./registers.ts";

/** Low and high half of a register or memory operand. */
function halves(c: HelperContext, op: Operand, size: number): readonly [number, number] {
  if (op.kind === "mem") {
    const bytes = new Uint8Array(8);
    c.loadBytes(c.address(op), bytes.subarray(0, size));
    const view = new DataView(bytes.buffer);
    return [view.getUint32(0, true), view.getUint32(4, true)];
  }
  if (op.kind !== "reg") return [0, 0];
  const at = (STATE + GPR + 8 * op.n) >> 2;
  return [c.ram.u32[at], size === 8 ? c.ram.u32[at + 1] : 0];
}

/** Calls `each(position in the mask, running number)` for the mask's set bits, lowest first. */
function maskBits(mask: readonly [number, number], each: (at: number, n: number) => void): void {
  let n = 0;
  for (let half = 0; half < 2; half++) {
    for (let rest = mask[half]; rest !== 0; rest &= rest - 1) each(32 * half + 31 - Math.clz32(rest & -rest), n++);
  }
}

const gather = (spread: boolean): Helper => (c, i) => {
  const [dst, src, maskOperand] = i.ops;
  if (dst.kind !== "reg") return;
  const mask = halves(c, maskOperand, i.size), from = halves(c, src, i.size), to = [0, 0];
  maskBits(mask, (at, n) => {
    const source = spread ? n : at, target = spread ? at : n;
    to[target >> 5] |= ((from[source >> 5] >>> (source & 31)) & 1) << (target & 31);
  });
  setRegister(c.ram, dst.n, i.size, to[0], to[1]);
};

export const BIT_HELPERS: Readonly<Record<string, Helper>> = { pext: gather(false), pdep: gather(true) };
