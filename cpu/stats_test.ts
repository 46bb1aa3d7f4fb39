import assert from "node:assert/strict";
import { HedraCpu } from "./cpu.ts";
import { Trap } from "./api.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "./layout.ts";
import { RIGHT_R, RIGHT_X } from "./space.ts";
import { TIMED } from "./testing.ts";

const CODE = 0x40_0000, STATE_AT = KERNEL_MEMORY;

/** mov ecx, `turns`; dec ecx; jnz -4; syscall */
const loop = (
  turns: number,
): number[] => [0xb9, ...new Uint8Array(new Uint32Array([turns]).buffer), 0xff, 0xc9, 0x75, 0xfc, 0x0f, 0x05];

function run(code: readonly number[], heat: number) {
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x10_0000, hooks: TIMED, heat });
  cpu.ram.u8.set(code, USER_RAM);
  const space = cpu.createSpace();
  space.map(CODE, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
  cpu.resetState(STATE_AT);
  cpu.ram.u32[(STATE_AT + RIP) >> 2] = CODE;
  cpu.ram.u32[(STATE_AT + GPR + 8) >> 2] = 0;
  assert.equal(cpu.run(STATE_AT, space, 1e9), Trap.Syscall);
  return cpu.stats();
}

Deno.test("the interpreter's instructions are counted by block", () => {
  const { interpreter, regions, syscalls } = run(loop(100), Infinity);
  // The first block holds the first turn; the loop's own block the other 99.
  assert.equal(interpreter.instructions, 1 + 2 * 100 + 1);
  assert.equal(interpreter.blockEntries, 1 + 99 + 1);
  assert.equal(regions.made, 0);
  assert.equal(regions.polls, 0);
  assert.equal(syscalls, 1);
});

Deno.test("a loop that gets hot is counted in both tiers", () => {
  const { interpreter, regions } = run(loop(1_000_000), 50);
  assert.ok(interpreter.instructions >= 99 && interpreter.instructions < 200, String(interpreter.instructions));
  assert.ok(regions.made >= 1 && regions.entries >= 1);
  assert.ok(regions.polls > 900 && regions.polls < 1100, String(regions.polls));
  assert.ok(regions.codeBytes > 0 && regions.compileNs > 0 && regions.emitNs > 0);
});
