/** Operands of x87 instructions in memory. */
import type { Insn } from "../insn.ts";
import type { HelperContext } from "./api.ts";
import { type Float80, IE } from "./float80.ts";
import { fromFloat32, fromFloat64, fromInt64 } from "./float80_convert.ts";
import { load64, load80, memOperand, noteData } from "./x87_stack.ts";

/** Widens the floating-point operand into the unit, without exceptions except what `fromFloat` finds. */
export function loadReal(c: HelperContext, i: Insn, f: Float80): void {
  const op = memOperand(i), va = c.address(op);
  if (op.size === 4) fromFloat32(f, c.load32(va) | 0);
  else if (op.size === 8) {
    load64(c, va, f);
    fromFloat64(f, f.lo, f.hi);
  } else load80(c, va, f);
  noteData(c.ram, va);
}

/** As `loadReal` for an arithmetic operand: a signalling NaN stays one, so that the operation's own NaN rules see it. */
export function loadArithmeticReal(c: HelperContext, i: Insn, f: Float80): void {
  loadReal(c, i, f);
  if (f.flags & IE) f.hi &= ~0x4000_0000;
  f.flags = f.flags & ~IE;
}

export function loadInteger(c: HelperContext, i: Insn, f: Float80): void {
  const op = memOperand(i), va = c.address(op);
  if (op.size === 8) load64(c, va, f);
  else {
    f.lo = op.size === 2 ? (c.load16(va) << 16) >> 16 : c.load32(va) | 0;
    f.hi = f.lo >> 31;
  }
  fromInt64(f, f.lo, f.hi);
  noteData(c.ram, va);
}
