/** Calls of small functions, of which regions contain copies, and regions that only lead to each other. */
import assert from "node:assert/strict";
import { HedraCpu } from "../cpu.ts";
import { Trap } from "../api.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "../layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../space.ts";
import { TIMED } from "../testing.ts";

const CODE = 0x40_0000, STACK = 0x80_0000, STACK_BYTES = 0x2_0000, TURNS = 20_000;
const RCX = 1, RDX = 2, RBX = 3, RSP = 4, RSI = 6, RDI = 7;

/** Runs code at CODE with RCX = `turns` and RDI = STACK, where CODE stands; gives how it ended, and registers. */
function run(code: readonly number[], heat: number, sliceNs: number, turns = TURNS) {
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x100_0000, hooks: TIMED, heat }),
    space = cpu.createSpace(),
    state = KERNEL_MEMORY;
  cpu.ram.u8.set(code, USER_RAM);
  space.map(CODE, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
  space.map(STACK, USER_RAM + PAGE, STACK_BYTES, RIGHT_R | RIGHT_W);
  cpu.ram.u32[(USER_RAM + PAGE) >> 2] = CODE;
  cpu.resetState(state);
  const set = (offset: number, value: number) => cpu.ram.u32[(state + offset) >> 2] = value;
  set(RIP, CODE);
  set(GPR + 8 * RCX, turns);
  set(GPR + 8 * RDI, STACK);
  set(GPR + 8 * RSP, STACK + 0x1_0000);
  const trap = cpu.run(state, space, sliceNs), at = cpu.locate(state);
  const registers = [RDX, RBX, RSP, RSI].map((n) => cpu.ram.u32[(at + GPR + 8 * n) >> 2]);
  return { trap, registers, stats: cpu.stats() };
}

Deno.test("a callee within a region may return elsewhere, or never", () => {
  const code = [
    [0xe8, 0x11, 0, 0, 0], // l: call f
    [0x48, 0xff, 0xc3], // inc rbx
    [0x48, 0xff, 0xc9], // dec rcx
    [0x75, 0xf3], // jnz l
    [0x0f, 0x05], // syscall
    [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90],
    [0x48, 0xff, 0xc2], // f: inc rdx
    [0x84, 0xd2], // test dl, dl
    [0x74, 0x09], // jz skip
    [0x80, 0xfa, 0x80], // cmp dl, 0x80
    [0x74, 0x0a], // jz drop
    [0x48, 0x01, 0xd6], // add rsi, rdx
    [0xc3], // ret
    [0x48, 0x83, 0x04, 0x24, 0x03], // skip: add qword [rsp], 3
    [0xc3], // ret
    [0x48, 0x83, 0xc4, 0x08], // drop: add rsp, 8
    [0xeb, 0xd6], // jmp to dec rcx
  ].flat();
  const interpreted = run(code, Infinity, 1e9), translated = run(code, 40, 1e9);
  assert.equal(interpreted.trap, Trap.Syscall);
  assert.equal(interpreted.registers[0], TURNS);
  assert.ok(interpreted.registers[1] < TURNS - 100);
  assert.deepEqual(translated.registers, interpreted.registers);
  assert.ok(translated.stats.interpreter.instructions < interpreted.stats.interpreter.instructions / 4, "it was translated");
});

Deno.test("code that only returns to itself is interrupted at the end of its time slice", () => {
  // mov rsp, rdi; ret
  assert.equal(run([0x48, 0x89, 0xfc, 0xc3], 40, 5e6).trap, Trap.Timer);
});

Deno.test("a function that calls itself may nest deeper than the host's stack allows", () => {
  const code = [
    [0xe8, 0x02, 0, 0, 0], // call f
    [0x0f, 0x05], // syscall
    [0x48, 0x85, 0xc9], // f: test rcx, rcx
    [0x74, 0x0e], // jz out
    [0x51], // push rcx
    [0x48, 0xff, 0xc9], // dec rcx
    [0xe8, 0xf2, 0xff, 0xff, 0xff], // call f
    [0x5a], // pop rdx
    [0x48, 0x01, 0xd6], // add rsi, rdx
    [0x90],
    [0xc3], // out: ret
  ].flat();
  const { trap, registers } = run(code, 40, 1e9, 4000);
  assert.equal(trap, Trap.Syscall);
  assert.equal(registers[3], 4000 * 4001 / 2);
});

Deno.test("a jump to where a region waits leads there again, whatever the region does next", () => {
  const code = [
    [0xf6, 0xc1, 0x03], // l: test cl, 3
    [0x75, 0x08], // jnz skip
    [0xe8, 0x20, 0, 0, 0], // call f
    [0x48, 0xff, 0xc3], // back: inc rbx
    [0x48, 0xff, 0xc9], // skip: dec rcx
    [0x75, 0xee], // jnz l
    [0x48, 0xff, 0xc2], // inc rdx
    [0xb9, 200, 0, 0, 0], // mov ecx, 200
    [0x83, 0xfa, 0x05], // cmp edx, 5
    [0x75, 0xe1], // jnz l
    [0x0f, 0x05], // syscall
    [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90],
    [0x48, 0xff, 0xc6], // f: inc rsi
    [0x48, 0x83, 0xf9, 0x04], // cmp rcx, 4
    [0x74, 0x03], // jz drop
    [0xc2, 0x00, 0x00], // ret 0
    [0x48, 0x83, 0xc4, 0x08], // drop: add rsp, 8
    [0xeb, 0xce], // jmp back
  ].flat();
  assert.deepEqual(run(code, 40, 1e9).registers, run(code, Infinity, 1e9).registers);
});

Deno.test("the carry of ADC is that of the last one when a loop of them ends", () => {
  const code = [
    [0xb3, 0xc7], // mov bl, 0xc7
    [0x10, 0xda], // l: adc dl, bl
    [0xff, 0xc9], // dec ecx
    [0x75, 0xfa], // jnz l
    [0x9c], // pushfq
    [0x5a], // pop rdx
    [0x0f, 0x05], // syscall
  ].flat();
  for (let turns = 1000; turns < 1008; turns++) {
    assert.deepEqual(run(code, 40, 1e9, turns).registers, run(code, Infinity, 1e9, turns).registers, `${turns}`);
  }
});
