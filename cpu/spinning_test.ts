import assert from "node:assert/strict";
import { Trap } from "./api.ts";
import { HedraCpu } from "./cpu.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "./layout.ts";
import { RIGHT_R, RIGHT_X } from "./space.ts";
import { TIMED } from "./testing.ts";

const CODE = 0x40_0000, STATE_AT = KERNEL_MEMORY, LONG = 1e12;

/** Runs code with EDX = `turns`, until it is done or has been sent back `times` times: why each run ended, EDX at the end. */
function run(hex: string, heat: number, turns: number, times: number) {
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x10_0000, hooks: TIMED, heat }), { u32 } = cpu.ram;
  cpu.ram.u8.set(hex.split(" ").map((byte) => parseInt(byte, 16)), USER_RAM);
  const space = cpu.createSpace(), traps: Trap[] = [];
  space.map(CODE, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
  cpu.resetState(STATE_AT);
  u32[(cpu.locate(STATE_AT) + RIP) >> 2] = CODE;
  u32[(cpu.locate(STATE_AT) + GPR + 16) >> 2] = turns;
  do traps.push(cpu.run(STATE_AT, space, LONG)); while (traps.length < times && traps[traps.length - 1] !== Trap.Syscall);
  return { traps, edx: u32[(cpu.locate(STATE_AT) + GPR + 16) >> 2], polls: cpu.stats().regions.polls };
}

// 1: pause; dec edx; jnz 1b; syscall
const PAUSES = "f3 90 ff ca 75 fa 0f 05";
// 1: dec edx; jnz 1b; syscall
const PLAIN = "ff ca 75 fc 0f 05";

for (const heat of [1, 100, Infinity]) {
  Deno.test(`a loop of PAUSE gives the CPU back long before its slice is over, and goes on (heat ${heat})`, () => {
    const { traps, edx, polls } = run(PAUSES, heat, 100_000, 1000);
    assert.equal(traps.pop(), Trap.Syscall);
    assert.ok(traps.length >= 20, `${traps.length} times`);
    assert.ok(traps.every((trap) => trap === Trap.Pause));
    assert.equal(edx, 0);
    assert.ok(polls <= 100_000, `${polls} polls`);
  });

  Deno.test(`some PAUSEs, as a lock executes them before it asks the kernel, do not (heat ${heat})`, () => {
    assert.deepEqual(run(PAUSES, heat, 200, 1).traps, [Trap.Syscall]);
  });

  Deno.test(`a loop without PAUSE keeps the CPU (heat ${heat})`, () => {
    assert.deepEqual(run(PLAIN, heat, 100_000, 1).traps, [Trap.Syscall]);
  });
}
