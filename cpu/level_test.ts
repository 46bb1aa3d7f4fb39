import assert from "node:assert/strict";
import { cpuid } from "./helpers/cpuid.ts";
import { CPU_LEVELS, type CpuLevel } from "./level.ts";
import { createCpu, RIGHT_R, RIGHT_X, Trap } from "./mod.ts";
import { KERNEL_MEMORY, RIP, USER_RAM, VEC } from "./layout.ts";

const CODE = 0x40_0000;

/** Does the instruction run (up to the UD2 behind it) on a processor of the level? */
function runs(level: CpuLevel, hex: string): boolean {
  const bytes = hex.split(" ").map((b) => parseInt(b, 16));
  const cpu = createCpu({
    ramBytes: USER_RAM + (1 << 20),
    level,
    hooks: { tsc: () => 0, portAllowed: () => false, portIn: () => 0, portOut: () => {}, random: () => {} },
  });
  const space = cpu.createSpace();
  space.map(CODE, USER_RAM, 4096, RIGHT_R | RIGHT_X);
  cpu.ram.u8.set([...bytes, 0x0f, 0x0b], USER_RAM);
  cpu.resetState(KERNEL_MEMORY);
  cpu.ram.view.setBigUint64(cpu.locate(KERNEL_MEMORY) + RIP, BigInt(CODE), true);
  assert.equal(cpu.run(KERNEL_MEMORY, space, 1e9), Trap.Exception);
  assert.equal(cpu.vector, VEC.UD);
  return cpu.ram.view.getBigUint64(cpu.locate(KERNEL_MEMORY) + RIP, true) === BigInt(CODE + bytes.length);
}
const expectRuns = (hex: string, from: CpuLevel | "never") =>
  assert.deepEqual(CPU_LEVELS.map((level) => runs(level, hex)), CPU_LEVELS.map((level) => level >= from));

Deno.test("an instruction above the level raises #UD", () => {
  expectRuns("66 0f 58 c1", "v1"); // addpd
  expectRuns("66 0f 38 00 c1", "v2"); // pshufb
  expectRuns("f3 0f b8 c1", "v2"); // popcnt
  expectRuns("c5 f1 58 c2", "v3"); // vaddpd
  expectRuns("c4 e2 f1 b8 c2", "v3"); // vfmadd231pd
});

Deno.test("CPUID tells the level", () => {
  const bit = (leaf: number, register: "ebx" | "ecx", n: number) =>
    CPU_LEVELS.map((level) => ((cpuid(leaf, 0, level)[register] ?? 0) >>> n) & 1);
  assert.deepEqual(bit(1, "ecx", 0), [0, 1, 1], "sse3");
  assert.deepEqual(bit(1, "ecx", 13), [0, 1, 1], "cmpxchg16b");
  assert.deepEqual(bit(1, "ecx", 23), [0, 1, 1], "popcnt");
  assert.deepEqual(bit(1, "ecx", 27), [0, 0, 1], "osxsave");
  assert.deepEqual(bit(1, "ecx", 28), [0, 0, 1], "avx");
  assert.deepEqual(bit(7, "ebx", 5), [0, 0, 1], "avx2");
  assert.deepEqual(bit(0x8000_0001, "ecx", 5), [0, 0, 1], "lzcnt");
});
