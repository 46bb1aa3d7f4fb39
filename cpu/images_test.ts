/** Several spaces that map the same code: they share what is made from it, and nothing else. */
import assert from "node:assert/strict";
import { HedraCpu } from "./cpu.ts";
import { Trap } from "./api.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, STATE_BYTES, USER_RAM, VEC } from "./layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "./space.ts";
import type { AddressSpace } from "./space.ts";
import { TIMED } from "./testing.ts";

const CODE = 0x40_0000, DATA = 0x80_0000, DATA_BYTES = 0x2_0000, TEXT_PA = USER_RAM;
const TURNS = 1000;
/** l: add [rdi], rsi; push rsi; pop rax; dec rcx; jnz l; syscall. RSP lies in the data as well. */
const SUM = [0x48, 0x01, 0x37, 0x56, 0x58, 0x48, 0xff, 0xc9, 0x75, 0xf6, 0x0f, 0x05];
const RCX = 1, RSP = 4, RSI = 6, RDI = 7;

class Machine {
  readonly cpu = new HedraCpu({ ramBytes: USER_RAM + 0x100_0000, hooks: TIMED, heat: 20 });
  #spaces = 0;
  constructor(code: readonly number[]) {
    this.cpu.ram.u8.set(code, TEXT_PA);
  }
  /** A space with the code and data of its own. */
  space(dataVa = DATA): { space: AddressSpace; state: number; pa: number; dataVa: number } {
    const n = this.#spaces++, pa = USER_RAM + PAGE + DATA_BYTES * n, space = this.cpu.createSpace();
    space.map(CODE, TEXT_PA, PAGE, RIGHT_R | RIGHT_X);
    space.map(dataVa, pa, DATA_BYTES, RIGHT_R | RIGHT_W);
    return { space, state: KERNEL_MEMORY + STATE_BYTES * n, pa, dataVa };
  }
  run(p: ReturnType<Machine["space"]>, step: number, turns = TURNS): Trap {
    const set = (offset: number, value: number) => this.cpu.ram.u32[(p.state + offset) >> 2] = value;
    this.cpu.discard(p.state);
    this.cpu.resetState(p.state);
    set(RIP, CODE);
    set(GPR + 8 * RCX, turns);
    set(GPR + 8 * RSI, step);
    set(GPR + 8 * RDI, p.dataVa + 0x100);
    set(GPR + 8 * RSP, p.dataVa + 0x1_0000);
    return this.cpu.run(p.state, p.space, 1e9);
  }
  sum = (p: ReturnType<Machine["space"]>): number => this.cpu.ram.u32[(p.pa + 0x100) >> 2];
}

Deno.test("what one space has decoded, and a region that two of them run, serves every other", () => {
  const m = new Machine(SUM), all = [1, 2, 3, 4, 5].map(() => m.space());
  m.run(all[0], 1);
  m.run(all[1], 2);
  const { interpreter, regions } = m.cpu.stats();
  assert.ok(regions.made >= 2, "one for the first space alone and one for all");
  all.slice(2).forEach((p, n) => assert.equal(m.run(p, 3 + n), Trap.Syscall));
  m.run(all[0], 1);
  assert.deepEqual(all.map(m.sum), [2, 2, 3, 4, 5].map((x) => x * TURNS));
  assert.equal(m.cpu.stats().interpreter.instructionsDecoded, interpreter.instructionsDecoded);
  assert.equal(m.cpu.stats().regions.made, regions.made);
});

Deno.test("data may lie at other virtual addresses", () => {
  const m = new Machine(SUM), all = [DATA, DATA + 0x100_0000, DATA + 0x200_0000, DATA].map((va) => m.space(va));
  for (let round = 1; round <= 3; round++) {
    all.forEach((p, n) => assert.equal(m.run(p, n + 1), Trap.Syscall));
    assert.deepEqual(all.map(m.sum), [1, 2, 3, 4].map((x) => x * TURNS * round));
  }
});

Deno.test("a write to the code changes it for all", () => {
  const m = new Machine(SUM), all = [1, 2, 3].map(() => m.space());
  all.forEach((p) => m.run(p, 1));
  // sub [rdi], rsi
  m.cpu.ram.u8[TEXT_PA + 1] = 0x29;
  m.cpu.codeChanged(TEXT_PA + 1, 1);
  all.forEach((p) => m.run(p, 1));
  assert.deepEqual(all.map(m.sum), [0, 0, 0]);
});

Deno.test("a space that unmaps or replaces the code is the only one that sees it", () => {
  const m = new Machine(SUM), all = [1, 2, 3, 4].map(() => m.space());
  all.forEach((p) => m.run(p, 1));
  all[1].space.unmap(CODE, PAGE);
  assert.equal(m.run(all[1], 1), Trap.Exception);
  assert.deepEqual([m.cpu.vector, m.cpu.faultAddress], [VEC.PF, CODE]);
  const other = USER_RAM + 0x80_0000;
  m.cpu.ram.u8.set(SUM.with(1, 0x29), other);
  all[2].space.map(CODE, other, PAGE, RIGHT_R | RIGHT_X);
  for (const p of [all[0], all[2], all[3]]) m.run(p, 1);
  assert.deepEqual(all.map(m.sum), [2, 1, 0, 2].map((x) => x * TURNS));
});

Deno.test("data that a space lacks, or may not write, faults there only", () => {
  const m = new Machine(SUM), all = [1, 2, 3, 4].map(() => m.space());
  all.forEach((p) => m.run(p, 1));
  all[1].space.unmap(DATA, DATA_BYTES);
  all[2].space.map(DATA, all[2].pa, DATA_BYTES, RIGHT_R);
  for (const [n, error] of [[1, 6], [2, 7]]) {
    assert.equal(m.run(all[n], 1), Trap.Exception);
    assert.deepEqual([m.cpu.vector, m.cpu.errorCode, m.cpu.faultAddress], [VEC.PF, error, DATA + 0x100]);
  }
  for (const p of [all[0], all[3]]) m.run(p, 1);
  assert.deepEqual(all.map(m.sum), [2, 1, 1, 2].map((x) => x * TURNS));
});

Deno.test("addresses of no space fault as ever in a region for all", () => {
  const m = new Machine(SUM), all = [1, 2, 3].map(() => m.space());
  all.forEach((p) => m.run(p, 1));
  for (const high of [0xa5c3_1e79, 0x8000_0000, 0x0000_8000]) {
    m.run(all[2], 1, 1);
    const set = (offset: number, value: number) => m.cpu.ram.u32[(all[2].state + offset) >> 2] = value;
    m.cpu.discard(all[2].state);
    set(RIP, CODE);
    set(GPR + 8 * RDI, 0);
    set(GPR + 8 * RDI + 4, high);
    assert.equal(m.cpu.run(all[2].state, all[2].space, 1e9), Trap.Exception);
    assert.equal(m.cpu.vector, VEC.GP);
  }
});

Deno.test("spaces come and go without growth of decoded code", () => {
  const m = new Machine(SUM), first = m.space();
  m.run(first, 1);
  let decoded = 0;
  for (let n = 0; n < 40; n++) {
    const p = m.space();
    m.run(p, 1);
    p.space.destroy();
    if (n === 2) decoded = m.cpu.stats().interpreter.instructionsDecoded;
  }
  assert.equal(m.cpu.stats().interpreter.instructionsDecoded, decoded);
  assert.equal(m.sum(first), TURNS);
});

Deno.test("an instruction cut off by the end of executable memory is decoded anew when its bytes change", () => {
  const m = new Machine([]), p = m.space(), end = TEXT_PA + PAGE;
  const go = (offset: number) => {
    m.cpu.discard(p.state);
    m.cpu.resetState(p.state);
    m.cpu.ram.u32[(p.state + RIP) >> 2] = CODE + PAGE - offset;
    return m.cpu.run(p.state, p.space, 1e9);
  };
  // A jump (to hlt) over the first half of an instruction, which the translator looks at although it is never executed.
  m.cpu.ram.u8.set([0x75, 0xc1, 0x0f], end - 3);
  m.cpu.ram.u8[end - 0x40] = 0xf4;
  m.cpu.codeChanged(TEXT_PA, PAGE);
  for (let n = 0; n < 30; n++) assert.deepEqual([go(3), m.cpu.vector], [Trap.Exception, VEC.GP]);
  m.cpu.ram.u8[end - 1] = 0xf4;
  m.cpu.codeChanged(end - 1, 1);
  assert.deepEqual([go(1), m.cpu.vector], [Trap.Exception, VEC.GP]);
});
