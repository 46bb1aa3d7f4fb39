/**
 * Far jumps, calls, returns and IRET in user mode. Only 64-bit code segments of privilege 3 exist, so CS may be 0x1b or 0x2b; everything
 * else raises #GP with the selector (Intel SDM vol. 2, RET, CALL, JMP, IRET in IA-32e mode).
 */
import { DF, IF, IOPL, NT, RF, RIP, SEG_CS, STATE, VEC } from "../layout.ts";
import type { Insn, Operand } from "../insn.ts";
import type { Helper, HelperContext } from "./api.ts";
import { addToRegister, pointer, RSP, setField64, setRegister } from "./registers.ts";
import { CODE_SELECTORS, loadSegment } from "./system.ts";

const TWO32 = 0x1_0000_0000;
const SS = 2;
/** RFLAGS bits that IRET takes from the stack at CPL 3: arithmetic, TF, DF, NT, RF, AC, ID. */
const RETURNED = 0xcd5 | 1 << 8 | DF | NT | 1 << 16 | 1 << 18 | 1 << 21;
/** RFLAGS bits that POPF takes at CPL 3: the same but RF, which it clears. */
const POPPED = RETURNED & ~RF;

/** A 64-bit value as two unsigned halves. */
interface Word {
  lo: number;
  hi: number;
}

/** Values of `size` bytes each, from `va` upwards. */
function words(c: HelperContext, va: number, size: number, count: number): Word[] {
  const bytes = new Uint8Array(8 * count);
  for (let n = 0; n < count; n++) c.loadBytes(va + n * size, bytes.subarray(8 * n, 8 * n + size));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, n) => ({ lo: view.getUint32(8 * n, true), hi: view.getUint32(8 * n + 4, true) }));
}

/** Raises #GP when one cannot go there. */
function checkCode(c: HelperContext, selector: number, target: Word): void {
  if (!CODE_SELECTORS.includes(selector & 0xfffc) || (selector & 3) !== 3) c.raise(VEC.GP, selector & 0xfffc);
  if (target.hi >= 0x8000) c.raise(VEC.GP, 0);
}

/** Continues at `target`: RIP is set and the dispatcher takes it from there. */
function go(c: HelperContext, selector: number, target: Word): void {
  c.ram.u32[(STATE + SEG_CS) >> 2] = selector & 0xffff;
  setField64(c.ram, RIP, target.hi * TWO32 + target.lo);
  c.repeat();
}

const retf: Helper = (c, i) => {
  const [extra] = i.ops, size = extra ? (i.rex & 8 ? 8 : 4) : i.size;
  const [target, selector] = words(c, pointer(c.ram, RSP), size, 2);
  checkCode(c, selector.lo & 0xffff, target);
  addToRegister(c.ram, RSP, 2 * size + (extra?.kind === "imm" ? Number(extra.value & 0xffffn) : 0), 8);
  go(c, selector.lo, target);
};

const iret: Helper = (c, i) => {
  const flags = c.getFlags();
  if (flags & NT) c.raise(VEC.GP, 0);
  const [target, selector, popped, rsp, stack] = words(c, pointer(c.ram, RSP), i.size, 5);
  checkCode(c, selector.lo & 0xffff, target);
  loadSegment(c, SS, stack.lo & 0xffff);
  const taken = i.size === 2 ? RETURNED & 0xffff : RETURNED;
  c.setFlags(((popped.lo & taken) | (flags & (~taken | IF | IOPL))) >>> 0);
  setRegister(c.ram, RSP, i.size, rsp.lo, rsp.hi);
  go(c, selector.lo, target);
};

/** POPF that sets TF: the next instruction is the first to be stepped. */
const popf: Helper = (c, i) => {
  const [popped] = words(c, pointer(c.ram, RSP), i.size, 1), flags = c.getFlags();
  const taken = i.size === 2 ? POPPED & 0xffff : POPPED;
  c.setFlags(((popped.lo & taken) | (flags & ~(taken | RF))) >>> 0);
  addToRegister(c.ram, RSP, i.size, 8);
  setField64(c.ram, RIP, i.pc + i.length);
  c.repeat();
};

/** A pointer in memory: offset of operand size, then a 16-bit selector. */
function pointerAt(c: HelperContext, i: Insn, op: Operand): readonly [Word, number] {
  if (op.kind !== "mem") return c.raise(VEC.UD, 0);
  const at = c.address(op), [offset] = words(c, at, i.size, 1);
  return [offset, c.load16(at + i.size)];
}

/** The pointer to code in memory. */
function farPointer(c: HelperContext, i: Insn): readonly [Word, number] {
  const [target, selector] = pointerAt(c, i, i.ops[0]);
  checkCode(c, selector, target);
  return [target, selector];
}

const LOADED: Readonly<Record<string, number>> = { lss: SS, lfs: 4, lgs: 5 };
/** LSS, LFS, LGS. */
const loadFar: Helper = (c, i) => {
  const [dst, src] = i.ops, [offset, selector] = pointerAt(c, i, src);
  loadSegment(c, LOADED[i.name], selector);
  if (dst.kind === "reg") setRegister(c.ram, dst.n, i.size, offset.lo, offset.hi);
};

const jmpf: Helper = (c, i) => {
  const [target, selector] = farPointer(c, i);
  go(c, selector, target);
};

const callf: Helper = (c, i) => {
  const [target, selector] = farPointer(c, i), size = i.size;
  const frame = new Uint8Array(2 * size), view = new DataView(frame.buffer), next = i.pc + i.length;
  for (let n = 0; n < size; n++) frame[n] = Math.floor(next / 2 ** (8 * n)) % 256;
  view.setUint16(size, c.ram.u32[(STATE + SEG_CS) >> 2], true);
  c.storeBytes(pointer(c.ram, RSP) - 2 * size, frame);
  addToRegister(c.ram, RSP, -2 * size, 8);
  go(c, selector, target);
};

export const FAR_HELPERS: Readonly<Record<string, Helper>> = { retf, iret, jmpf, callf, popf, load_far: loadFar };
