import assert from "node:assert/strict";
import { Trap } from "./api.ts";
import { HedraCpu } from "./cpu.ts";
import { MAX_DEPTH } from "./dispatch.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "./layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "./space.ts";
import { TIMED } from "./testing.ts";

const CODE = 0x40_0000, CODE_PAGES = 4, STACK = 0x80_0000, STACK_PAGES = 64, STATE_AT = KERNEL_MEMORY;
const word = (n: number) => [...new Uint8Array(new Uint32Array([n]).buffer)];

/** Runs `code` up to its `syscall`, `times` times with new registers: EAX at the end, and what the processor has done. */
function run(code: readonly number[], heat: number, times: number) {
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x10_0000, hooks: TIMED, heat });
  cpu.ram.u8.set(code, USER_RAM);
  const space = cpu.createSpace();
  space.map(CODE, USER_RAM, CODE_PAGES * PAGE, RIGHT_R | RIGHT_X);
  space.map(STACK, USER_RAM + CODE_PAGES * PAGE, STACK_PAGES * PAGE, RIGHT_R | RIGHT_W);
  const results = new Set<number>();
  for (let n = 0; n < times; n++) {
    cpu.resetState(STATE_AT);
    const at = cpu.locate(STATE_AT), { u32 } = cpu.ram;
    u32[(at + RIP) >> 2] = CODE;
    u32[(at + GPR + 32) >> 2] = STACK + STACK_PAGES * PAGE;
    assert.equal(cpu.run(STATE_AT, space, 1e12), Trap.Syscall);
    results.add(u32[(cpu.locate(STATE_AT) + GPR) >> 2]);
  }
  return { results: [...results], stats: cpu.stats() };
}

/** mov ecx, `depth`; xor eax, eax; call f; syscall; f: inc eax; dec ecx; jz 1f; call f; inc eax; 1: ret */
const recursion = (depth: number) => [
  ...[0xb9, ...word(depth), 0x31, 0xc0, 0xe8, 2, 0, 0, 0, 0x0f, 0x05],
  ...[0xff, 0xc0, 0xff, 0xc9, 0x74, 7, 0xe8, ...word(-11), 0xff, 0xc0, 0xc3],
];

Deno.test("recursion deeper than wasm calls may nest unwinds and comes back", () => {
  for (const depth of [MAX_DEPTH / 2 - 10, 3000]) {
    const times = 4, { results, stats: { regions: { exits } } } = run(recursion(depth), 1, times);
    assert.deepEqual(results, [2 * depth - 1]);
    // Some times also because a region is dropped while its calls are on the stack.
    const expected = Math.floor(depth / MAX_DEPTH) * times;
    assert.ok(exits.unwound >= expected && exits.unwound <= expected + 2 * times, `${depth}: ${exits.unwound}`);
  }
});

Deno.test("a region waits for functions that are interpreted", () => {
  // mov ecx, TURNS; xor eax, eax; lea rbx, [rip+0x19]; 1: mov edx, ecx; and edx, 4095; lea rdx, [rdx+2*rdx]; add rdx, rbx; call rdx;
  // inc eax; dec ecx; jnz 1b; syscall; 4096 times: inc eax; ret
  const turns = 100_000;
  const code = [
    ...[0xb9, ...word(turns), 0x31, 0xc0, 0x48, 0x8d, 0x1d, 0x19, 0, 0, 0, 0x89, 0xca, 0x81, 0xe2, 0xff, 0x0f, 0, 0],
    ...[0x48, 0x8d, 0x14, 0x52, 0x48, 0x01, 0xda, 0xff, 0xd2, 0xff, 0xc0, 0xff, 0xc9, 0x75, 0xe9, 0x0f, 0x05],
    ...Array.from({ length: 4096 }, () => [0xff, 0xc0, 0xc3]).flat(),
  ];
  const { results, stats: { regions, interpreter } } = run(code, 2000, 1);
  assert.deepEqual(results, [2 * turns]);
  assert.equal(regions.made, 1);
  // It has been left now and then only, when a poll found it.
  assert.ok(regions.entries < 1000, `${regions.entries} entries`);
  assert.ok(interpreter.blockEntries > turns - 2000, `${interpreter.blockEntries} blocks`);
});
