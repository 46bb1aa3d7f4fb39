/** Helpers of x87 control and environment instructions. Source: Intel SDM vol. 1, 8.1.10, and vol. 2. */
import type { Ram } from "../api.ts";
import { GPR, SEG_CS, SEG_DS, ST, STATE, X87_CW, X87_FDP, X87_FIP, X87_FOP, X87_SW, X87_TAG } from "../layout.ts";
import type { Helper, HelperContext } from "./api.ts";
import { BUSY, C0, C1, C2, C3, classify, ES, FINITE, ZERO_KIND } from "./float80.ts";
import {
  CW16,
  enter,
  isMemory,
  lastOpcode,
  memOperand,
  moveTop,
  note,
  physical,
  pop,
  slot,
  stOperand,
  SW16,
  TAG8,
} from "./x87_stack.ts";

/** The control word's settable bits: exception masks, precision, rounding, infinity control; bit 6 reads as 1. */
const CW_BITS = 0x1f3f, CW_ONE = 0x40;
const FULL_ENVIRONMENT = 28, SHORT_ENVIRONMENT = 14;

/** Brings the summary bits of a status word in line with the masks. */
const withSummary = (sw: number, cw: number): number => sw & ~cw & 0x3f ? sw | ES | BUSY : sw & ~(ES | BUSY);

/** Sets control and status word of the block at `at`, with the summary bits that follow from them. */
export function setControl(ram: Ram, at: number, cw: number, sw: number): void {
  const control = (cw & CW_BITS) | CW_ONE;
  ram.u16[(at + X87_CW) >> 1] = control;
  ram.u16[(at + X87_SW) >> 1] = withSummary(sw, control);
}

/** FNINIT's state; the registers keep their contents. */
export function initX87(ram: Ram, at: number): void {
  setControl(ram, at, 0x37f, 0);
  ram.u8[at + X87_TAG] = 0;
  ram.u16[(at + X87_FOP) >> 1] = 0;
  ram.u8.fill(0, at + X87_FIP, at + X87_FDP + 8);
}

/** The full tag word: two bits per physical register; 0 valid, 1 zero, 2 special, 3 empty (SDM vol. 1, 8.1.7). */
function tagWord(ram: Ram): number {
  let word = 0;
  for (let r = 7; r >= 0; r--) {
    const at = (STATE + ST + 16 * r) >> 2;
    const kind = classify(ram.i32[at], ram.i32[at + 1], ram.i32[at + 2] & 0xffff);
    const tag = (ram.u8[TAG8] >> r & 1) === 0 ? 3 : kind === FINITE ? 0 : kind === ZERO_KIND ? 1 : 2;
    word = (word << 2) | tag;
  }
  return word;
}

/** Writes the environment, 14 or 28 bytes, to `out`. */
function environment(c: HelperContext, out: DataView, short: boolean): void {
  const ram = c.ram, u32 = ram.u32, fip = (STATE + X87_FIP) >> 2, fdp = (STATE + X87_FDP) >> 2;
  const opcode = lastOpcode(c);
  // The selectors are not kept apart: they are those of the code that runs, and 0 after FNINIT.
  const used = (u32[fip] | u32[fip + 1] | opcode) !== 0;
  const cs = used ? u32[(STATE + SEG_CS) >> 2] & 0xffff : 0, ds = used ? u32[(STATE + SEG_DS) >> 2] & 0xffff : 0;
  const words = [ram.u16[CW16], ram.u16[SW16], tagWord(ram)];
  if (short) {
    [...words, u32[fip] & 0xffff, cs, u32[fdp] & 0xffff, ds].forEach((v, n) => out.setUint16(2 * n, v, true));
    return;
  }
  const HIGH = 0xffff_0000; // unused halves read as ones
  [...words.map((v) => v | HIGH), u32[fip], cs | (opcode << 16), u32[fdp], ds | HIGH].forEach((v, n) =>
    out.setUint32(4 * n, v, true)
  );
}

function loadEnvironment(ram: Ram, from: DataView, short: boolean): void {
  const step = short ? 2 : 4, at = (n: number) => from.getUint16(step * n, true);
  setControl(ram, STATE, at(0), at(1));
  let tags = 0;
  for (let r = 0; r < 8; r++) if ((at(2) >> (2 * r) & 3) !== 3) tags |= 1 << r;
  ram.u8[TAG8] = tags;
  const fip = (STATE + X87_FIP) >> 2, fdp = (STATE + X87_FDP) >> 2;
  ram.u32[fip] = short ? at(3) : from.getUint32(12, true);
  ram.u32[fdp] = short ? at(5) : from.getUint32(20, true);
  ram.u32[fip + 1] = ram.u32[fdp + 1] = 0;
  ram.u16[(STATE + X87_FOP) >> 1] = short ? 0 : from.getUint16(18, true) & 0x7ff;
}

const fnstenv: Helper = (c, i) => {
  const short = i.size === 2, bytes = short ? SHORT_ENVIRONMENT : FULL_ENVIRONMENT;
  const out = new Uint8Array(bytes);
  environment(c, new DataView(out.buffer), short);
  c.storeBytes(c.address(memOperand(i)), out);
  // All exceptions are masked afterwards.
  setControl(c.ram, STATE, c.ram.u16[CW16] | 0x3f, c.ram.u16[SW16]);
};

const fldenv: Helper = (c, i) => {
  enter(c);
  const short = i.size === 2, from = new Uint8Array(short ? SHORT_ENVIRONMENT : FULL_ENVIRONMENT);
  c.loadBytes(c.address(memOperand(i)), from);
  loadEnvironment(c.ram, new DataView(from.buffer), short);
};

const fnsave: Helper = (c, i) => {
  const ram = c.ram, short = i.size === 2, head = short ? SHORT_ENVIRONMENT : FULL_ENVIRONMENT;
  const out = new Uint8Array(head + 80);
  environment(c, new DataView(out.buffer), short);
  for (let n = 0; n < 8; n++) {
    const at = 4 * slot(ram, n);
    out.set(ram.u8.subarray(at, at + 10), head + 10 * n);
  }
  c.storeBytes(c.address(memOperand(i)), out);
  initX87(ram, STATE);
};

const frstor: Helper = (c, i) => {
  enter(c);
  const ram = c.ram, short = i.size === 2, head = short ? SHORT_ENVIRONMENT : FULL_ENVIRONMENT;
  const from = new Uint8Array(head + 80);
  c.loadBytes(c.address(memOperand(i)), from);
  loadEnvironment(ram, new DataView(from.buffer), short);
  for (let n = 0; n < 8; n++) ram.u8.set(from.subarray(head + 10 * n, head + 10 * n + 10), 4 * slot(ram, n));
};

const fldcw: Helper = (c, i) => {
  enter(c);
  setControl(c.ram, STATE, c.load16(c.address(memOperand(i))), c.ram.u16[SW16]);
};

function storeWord(c: HelperContext, va: number, value: number): void {
  c.float80.view.setUint16(0, value, true);
  c.storeBytes(va, c.float80.prefix(2));
}

const fnstcw: Helper = (c, i) => storeWord(c, c.address(memOperand(i)), c.ram.u16[CW16]);
const fnstsw: Helper = (c, i) => {
  if (isMemory(i)) storeWord(c, c.address(memOperand(i)), c.ram.u16[SW16]);
  else c.ram.u16[(STATE + GPR) >> 1] = c.ram.u16[SW16];
};

const fnclex: Helper = (c) => {
  c.ram.u16[SW16] &= C0 | C1 | C2 | C3 | 0x3800;
};

/** FINCSTP and FDECSTP move TOP without touching tags. */
const rotate = (by: number): Helper => (c, i) => {
  enter(c);
  note(c.ram, i);
  moveTop(c.ram, by);
  c.ram.u16[SW16] &= ~C1;
};

const ffree = (popping: boolean): Helper => (c, i) => {
  enter(c);
  note(c.ram, i);
  c.ram.u16[SW16] &= ~C1;
  c.ram.u8[TAG8] &= ~(1 << physical(c.ram, stOperand(i, 0)));
  if (popping) pop(c.ram);
};

const nothing: Helper = () => {};

export const X87_CONTROL_HELPERS: Readonly<Record<string, Helper>> = {
  fldcw,
  fnstcw,
  fnstsw,
  fldenv,
  fnstenv,
  frstor,
  fnsave,
  fnclex,
  fninit: (c) => initX87(c.ram, STATE),
  fneni: nothing,
  fndisi: nothing,
  fnsetpm: nothing,
  fincstp: rotate(1),
  fdecstp: rotate(-1),
  ffree: ffree(false),
  ffreep: ffree(true),
  fwait: (c) => {
    enter(c);
  },
  emms: (c) => {
    enter(c);
    c.ram.u8[TAG8] = 0;
    c.ram.u16[SW16] &= ~0x3800;
  },
};
