/** Endless new code: regions are dropped when there are too many, and what is still in use comes back. */
import assert from "node:assert/strict";
import { Trap } from "../api.ts";
import { HedraCpu } from "../cpu.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "../layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../space.ts";
import { TIMED } from "../testing.ts";
import type { RegionLimits } from "./regions.ts";

const FUNCTIONS = 0x40_0000, BYTES = 64, PLACES = 800, DRIVER = 0x1000_0000, STACK = 0x2000_0000, HEAT = 50, TURNS = 150;
const RAX = 0, RSP = 4, RBP = 5, RSI = 6, RDI = 7, R12 = 12;
const little = (n: number) => [...new Uint8Array(new Uint32Array([n]).buffer)];

/** Function k: mov eax, edi; mov ecx, TURNS; 1: imul eax, eax, 2k+1; add eax, 7k; xor eax, ecx; dec ecx; jnz 1b; ret. */
const codeOf = (k: number) => [
  ...[0x89, 0xf8, 0xb9, ...little(TURNS), 0x69, 0xc0, ...little(2 * k + 1), 0x05, ...little(7 * k)],
  ...[0x31, 0xc8, 0xff, 0xc9, 0x75, 0xef, 0xc3],
];
function valueOf(k: number, x: number): number {
  for (let n = TURNS; n > 0; n--) x = (Math.imul(x, 2 * k + 1) + 7 * k) ^ n;
  return x;
}

/** Calls a function for each of R12 places from RSI on, its result being the next one's argument, EBP times. */
const DRIVER_CODE = [
  ...[0x49, 0x89, 0xf6, 0x4d, 0x89, 0xe7], // 0: mov r14, rsi; mov r15, r12
  ...[0x41, 0xff, 0xd6, 0x89, 0xc7], // 1: call r14; mov edi, eax
  ...[0x49, 0x83, 0xc6, BYTES], // add r14, BYTES
  ...[0x49, 0xff, 0xcf, 0x75, 0xf2], // dec r15; jnz 1b
  ...[0xff, 0xcd, 0x75, 0xe8], // dec ebp; jnz 0b
  ...[0x0f, 0x05], // syscall
];

/** A processor with `PLACES` places for functions, a driver that calls them, and a stack. */
function machine(limits: RegionLimits | undefined) {
  const ramBytes = USER_RAM + 0x10_0000,
    cpu = new HedraCpu({ ramBytes, hooks: TIMED, heat: HEAT, limits }),
    { u8, u32 } = cpu.ram;
  const space = cpu.createSpace(), area = Math.ceil(PLACES * BYTES / PAGE) * PAGE;
  const map = (rights: number) => space.map(FUNCTIONS, USER_RAM, area, rights);
  map(RIGHT_R | RIGHT_W | RIGHT_X);
  u8.set(DRIVER_CODE, USER_RAM + area);
  space.map(DRIVER, USER_RAM + area, PAGE, RIGHT_R | RIGHT_X);
  space.map(STACK, USER_RAM + area + PAGE, PAGE, RIGHT_R | RIGHT_W);
  /** Writes function `k` to a place. */
  const write = (place: number, k: number) => {
    const at = USER_RAM + place * BYTES, code = codeOf(k);
    u8.set(code, at);
    cpu.codeChanged(at, code.length);
  };
  /** Calls `count` places from `place` on, `rounds` times, beginning with `x`: the last result. */
  const call = (place: number, count: number, x: number, rounds = 1): number => {
    cpu.resetState(KERNEL_MEMORY);
    const at = cpu.locate(KERNEL_MEMORY), set = (offset: number, value: number) => u32[(at + offset) >> 2] = value;
    set(RIP, DRIVER);
    set(GPR + 8 * RSP, STACK + PAGE);
    set(GPR + 8 * RSI, FUNCTIONS + place * BYTES);
    set(GPR + 8 * R12, count);
    set(GPR + 8 * RDI, x);
    set(GPR + 8 * RBP, rounds);
    assert.equal(cpu.run(KERNEL_MEMORY, space, 1e12), Trap.Syscall);
    return u32[(cpu.locate(KERNEL_MEMORY) + GPR + 8 * RAX) >> 2] | 0;
  };
  const living = () => cpu.stats().regions.made - cpu.stats().regions.killed;
  return { cpu, write, call, living };
}
const all = Array.from({ length: PLACES }, (_, k) => k);
/** What calling the first `count` functions in turn gives. */
const expected = (count: number, x: number, rounds: number): number => {
  for (let n = 0; n < rounds; n++) x = all.slice(0, count).reduce((y, k) => valueOf(k, y), x);
  return x;
};

Deno.test("ever new functions are translated, and not more of them live than may", () => {
  const { cpu, write, call, living } = machine({ regions: 100, bytes: Infinity });
  for (const k of all) {
    write(k, k);
    assert.equal(call(k, 1, k), valueOf(k, k));
    assert.ok(living() <= 100, `${living()} after ${k}`);
  }
  const { regions, interpreter } = cpu.stats();
  assert.ok(regions.made >= PLACES && regions.made < 1.1 * PLACES, `${regions.made} made`);
  assert.ok(regions.killedBy.limit >= PLACES - 100 - regions.made / 10);
  // Five instructions a turn; a third of them until a function is hot, less when its region is left.
  assert.ok(interpreter.instructions < PLACES * TURNS * 5 / 2, `${interpreter.instructions} interpreted`);
});

Deno.test("WebAssembly of living regions is bounded as well", () => {
  const { cpu, write, call, living } = machine({ regions: Infinity, bytes: 40_000 });
  for (const k of all) {
    write(k, k);
    assert.equal(call(k, 1, k), valueOf(k, k));
  }
  const { made, codeBytes, killedBy } = cpu.stats().regions, average = codeBytes / made;
  assert.ok(killedBy.limit > 0 && living() * average < 1.2 * 40_000, `${living()} of ${average} bytes`);
});

Deno.test("a caller whose region is dropped for its callees' sake goes on, in ever the same functions", () => {
  const count = 200;
  for (const regions of [2, 7, count - 1]) {
    const { cpu, write, call, living } = machine({ regions, bytes: Infinity });
    for (const k of all) write(k, k);
    assert.equal(call(0, count, 1, 3), expected(count, 1, 3));
    assert.ok(living() <= regions);
    assert.ok(cpu.stats().regions.killedBy.limit > 0);
  }
});

Deno.test("functions that are written over ever the same place need no limit", () => {
  const { cpu, write, call, living } = machine(undefined);
  for (const k of all) {
    write(k % 8, k);
    assert.equal(call(k % 8, 1, k), valueOf(k, k));
    assert.ok(living() <= 20);
  }
  assert.equal(cpu.stats().regions.killedBy.limit, 0);
});
