/** Helpers of x87 comparison and classification. Source: Intel SDM vol. 1, 8.3.6, and vol. 2. */
import { FLAG_A, FLAG_O, FLAG_S, STATE } from "../layout.ts";
import type { Helper, HelperContext } from "./api.ts";
import { C0, C1, C2, C3, classify, DE, DENORMAL, FINITE, type Float80, IE, INFINITE, QNAN, SF, ZERO_KIND } from "./float80.ts";
import { loadArithmeticReal, loadInteger } from "./x87_operands.ts";
import {
  comparisonBits,
  enter,
  finish,
  FLAG_C32,
  FLAG_P32,
  FLAG_Z32,
  isEmpty,
  isMemory,
  pop,
  slot,
  stOperand,
} from "./x87_stack.ts";

/** Compares ST(0) with the unit's value (memory) or ST(n); -1, 0, 1, 2. An empty register is unordered. */
function compareWith(c: HelperContext, f: Float80, n: number | undefined, quiet: boolean): number {
  const ram = c.ram;
  if (isEmpty(ram, 0) || (n !== undefined && isEmpty(ram, n))) {
    f.flags = IE | SF;
    return 2;
  }
  const r = ram.i32, a = slot(ram, 0);
  if (n !== undefined) {
    const b = slot(ram, n);
    f.set(r[b], r[b + 1], r[b + 2] & 0xffff);
  }
  return f.compare(r[a], r[a + 1], r[a + 2] & 0xffff, f.lo, f.hi, f.se, quiet);
}

const ALL_CODES = C0 | C1 | C2 | C3;
const compare = (pops: number, quiet: boolean, integer = false): Helper => (c, i) => {
  const f = enter(c);
  let n: number | undefined;
  if (isMemory(i)) integer ? loadInteger(c, i, f) : loadArithmeticReal(c, i, f);
  else n = i.ops.length === 0 ? 1 : stOperand(i, i.ops.length - 1);
  const order = compareWith(c, f, n, quiet);
  if (f.flags & IE) f.flags &= ~DE;
  f.flags |= comparisonBits(order);
  if (!finish(c, i, f, ALL_CODES)) return;
  for (let k = 0; k < pops; k++) pop(c.ram);
};

/** Result into ZF, PF, CF; OF, SF, AF are cleared. */
const compareFlags = (pops: number, quiet: boolean): Helper => (c, i) => {
  const f = enter(c), r = c.ram.i32;
  const order = compareWith(c, f, stOperand(i, 1), quiet);
  const done = finish(c, i, f, f.flags & SF ? C1 : 0);
  r[FLAG_Z32] = order === 0 || order === 2 ? 0 : 1;
  r[FLAG_Z32 + 1] = 0;
  r[FLAG_P32] = order === 2 ? 0 : 1;
  r[FLAG_C32] = order === -1 || order === 2 ? 1 : 0;
  r[(STATE + FLAG_O) >> 2] = r[(STATE + FLAG_A) >> 2] = 0;
  r[(STATE + FLAG_S) >> 2] = r[((STATE + FLAG_S) >> 2) + 1] = 0;
  if (done && pops === 1) pop(c.ram);
};

const ftst: Helper = (c, i) => {
  const f = enter(c);
  f.set(0, 0, 0);
  const order = compareWith(c, f, undefined, false);
  f.flags |= comparisonBits(order);
  finish(c, i, f, ALL_CODES);
};

/** Codes C3 C2 C0 by kind of ST(0) (SDM vol. 2, FXAM); C1 = its sign. */
const fxam: Helper = (c, i) => {
  const f = enter(c), ram = c.ram, a = slot(ram, 0), se = ram.i32[a + 2] & 0xffff;
  const kind = classify(ram.i32[a], ram.i32[a + 1], se);
  f.flags = se & 0x8000 ? C1 : 0;
  if (isEmpty(ram, 0)) f.flags |= C3 | C0;
  else if (kind === FINITE) f.flags |= C2;
  else if (kind === ZERO_KIND) f.flags |= C3;
  else if (kind === DENORMAL) f.flags |= C3 | C2;
  else if (kind === INFINITE) f.flags |= C2 | C0;
  else if (kind === QNAN || kind === QNAN + 1) f.flags |= C0;
  finish(c, i, f, ALL_CODES);
};

export const X87_COMPARE_HELPERS: Readonly<Record<string, Helper>> = {
  fcom: compare(0, false),
  fcomp: compare(1, false),
  fcompp: compare(2, false),
  ficom: compare(0, false, true),
  ficomp: compare(1, false, true),
  fucom: compare(0, true),
  fucomp: compare(1, true),
  fucompp: compare(2, true),
  fcomi: compareFlags(0, false),
  fcomip: compareFlags(1, false),
  fucomi: compareFlags(0, true),
  fucomip: compareFlags(1, true),
  ftst,
  fxam,
};
