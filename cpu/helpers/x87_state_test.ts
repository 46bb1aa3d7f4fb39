import assert from "node:assert/strict";
import type { Insn } from "../insn.ts";
import { GPR, MXCSR, ST, STATE, STATE_BYTES, X87_CW, X87_FIP, X87_SW, X87_TAG, XMM, YMM_HIGH } from "../layout.ts";
import { X87_ROWS } from "../opcodes/x87.ts";
import { FlatContext, Random } from "./x87_cases.ts";
import { X87_HELPERS } from "./x87_helpers.ts";
import { fxrstorState, fxsaveState } from "./x87_state.ts";

/** Where FlatContext puts every memory operand. */
const OPERAND = 0x9000, IMAGE = 0xa000, ERROR_SUMMARY = 0x80;

function filled(seed: number): FlatContext {
  const c = new FlatContext(), r = new Random(seed), { view } = c.ram;
  for (let n = 0; n < STATE_BYTES; n += 4) view.setUint32(STATE + n, r.next(), true);
  for (let n = 0; n < 8; n++) c.ram.u8.fill(0, STATE + ST + 16 * n + 10, STATE + ST + 16 * n + 16);
  view.setUint16(STATE + X87_CW, 0x37f, true);
  view.setUint16(STATE + X87_SW, 0x2941, true); // TOP = 5
  view.setUint32(STATE + MXCSR, 0x1fa0, true);
  return c;
}
function insn(name: string, size: number): Insn {
  const row = X87_ROWS.find((r) => r.name === name)!;
  const op = {
    kind: "mem",
    size: 0,
    base: 0,
    index: -1,
    scale: 0,
    disp: 0n,
    ripRelative: false,
    seg: undefined,
    addressSize: 8,
  } as const;
  return {
    pc: 0x9800,
    length: 4,
    row,
    name,
    size,
    cc: 0,
    ops: row.args === "M" ? [op] : [],
    rep: undefined,
    lock: false,
    addressSize: 8,
    seg: undefined,
    rex: 0,
  };
}
const run = (c: FlatContext, name: string, size = 8) => X87_HELPERS[name](c, insn(name, size));
const part = (c: FlatContext, offset: number, bytes: number) => c.ram.u8.slice(STATE + offset, STATE + offset + bytes);
const request = (c: FlatContext, components: number) => c.ram.view.setUint32(STATE + GPR, components, true);

Deno.test("FXSAVE writes ST(0) first, the abridged tags by physical register, and XMM registers from byte 160", () => {
  const c = filled(1), { ram } = c;
  fxsaveState(ram, STATE, IMAGE);
  assert.equal(ram.view.getUint16(IMAGE, true), 0x37f);
  assert.equal(ram.view.getUint16(IMAGE + 2, true), 0x2941);
  assert.equal(ram.u8[IMAGE + 4], ram.u8[STATE + X87_TAG]);
  assert.deepEqual(ram.u8.slice(IMAGE + 32, IMAGE + 42), part(c, ST + 16 * 5, 10));
  assert.deepEqual(ram.u8.slice(IMAGE + 80, IMAGE + 90), part(c, ST + 16 * 0, 10));
  assert.deepEqual(ram.u8.slice(IMAGE + 160, IMAGE + 416), part(c, XMM, 256));
});

Deno.test("FXRSTOR brings back what FXSAVE has written", () => {
  const c = filled(2), before = [part(c, ST, 128), part(c, XMM, 256), part(c, X87_CW, 5), part(c, MXCSR, 4)];
  fxsaveState(c.ram, STATE, IMAGE);
  c.ram.u8.fill(0x55, STATE + ST, STATE + ST + 128);
  c.ram.u8.fill(0x55, STATE + XMM, STATE + XMM + 256);
  c.ram.u8.fill(0, STATE + MXCSR, STATE + X87_TAG + 1);
  fxrstorState(c.ram, STATE, IMAGE);
  assert.deepEqual([part(c, ST, 128), part(c, XMM, 256), part(c, X87_CW, 5), part(c, MXCSR, 4)], before);
});

Deno.test("FXSAVE tells the last instruction only while an unmasked exception is pending", () => {
  const c = filled(3), { view } = c.ram;
  view.setBigUint64(STATE + X87_FIP, 0x1234_5678_9abcn, true);
  fxsaveState(c.ram, STATE, IMAGE);
  assert.equal(view.getBigUint64(IMAGE + 8, true), 0n);
  view.setUint16(STATE + X87_SW, 0x2941 | ERROR_SUMMARY, true);
  fxsaveState(c.ram, STATE, IMAGE);
  assert.equal(view.getBigUint64(IMAGE + 8, true), 0x1234_5678_9abcn);
});

Deno.test("XSAVE writes the requested components and XRSTOR initialises those that the area has not", () => {
  const c = filled(4), { ram } = c, upper = part(c, YMM_HIGH, 256), xmm = part(c, XMM, 256);
  ram.u8.fill(0, OPERAND, OPERAND + 832);
  request(c, 6); // SSE and AVX
  run(c, "xsave");
  assert.equal(ram.view.getUint32(OPERAND + 512, true), 6);
  assert.equal(ram.view.getUint16(OPERAND, true), 0, "x87 was not asked for");
  assert.deepEqual(ram.u8.slice(OPERAND + 576, OPERAND + 832), upper);
  ram.u8.fill(0, STATE + XMM, STATE + YMM_HIGH + 256);
  request(c, 7);
  run(c, "xrstor");
  assert.deepEqual(part(c, XMM, 256), xmm);
  assert.deepEqual(part(c, YMM_HIGH, 256), upper);
  assert.equal(ram.view.getUint16(STATE + X87_SW, true), 0);
  assert.equal(ram.u8[STATE + X87_TAG], 0);
});

Deno.test("XRSTOR refuses reserved header bits, reserved MXCSR bits and a misaligned area with #GP", () => {
  const c = filled(5), { ram } = c, refuses = () => assert.throws(() => run(c, "xrstor"), /exception 13/);
  request(c, 7);
  ram.u8.fill(0, OPERAND, OPERAND + 832);
  ram.u8[OPERAND + 512] = 8;
  refuses();
  ram.u8[OPERAND + 512] = 7;
  ram.u8[OPERAND + 530] = 1;
  refuses();
  ram.u8[OPERAND + 530] = 0;
  ram.view.setUint32(OPERAND + 24, 0x10000, true);
  refuses();
  ram.view.setUint32(OPERAND + 24, 0x1f80, true);
  run(c, "xrstor");
  c.address = () => OPERAND + 16;
  refuses();
});

Deno.test("XGETBV gives XCR0 and the components in use; other indices are #GP", () => {
  const c = filled(6), u32 = (offset: number) => c.ram.view.getUint32(STATE + offset, true);
  const index = (n: number) => c.ram.view.setUint32(STATE + GPR + 8, n, true);
  index(0);
  run(c, "xgetbv");
  assert.deepEqual([u32(GPR), u32(GPR + 16)], [7, 0]);
  c.ram.u8.fill(0, STATE + YMM_HIGH, STATE + YMM_HIGH + 256);
  index(1);
  run(c, "xgetbv");
  assert.equal(u32(GPR), 3);
  index(2);
  assert.throws(() => run(c, "xgetbv"), /exception 13/);
});
