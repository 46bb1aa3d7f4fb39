import assert from "node:assert/strict";
import { cpuid, CPUID_BITS } from "../../cpu/helpers/cpuid.ts";
import { CPU_LEVELS } from "../../cpu/level.ts";
import { CPU_FLAGS, cpuinfo } from "./cpuinfo.ts";

const flagsOf = (text: string): string[] => (/^flags\t\t: (.*)$/m.exec(text)?.[1] ?? "").split(" ");

Deno.test("/proc/cpuinfo lists the features of the processor's level", () => {
  const [v1, v2, v3] = CPU_LEVELS.map((level) => flagsOf(cpuinfo(level)));
  assert.deepEqual(["sse2", "ssse3", "avx2"].map((flag) => [v1, v2, v3].map((flags) => flags.includes(flag))), [
    [true, true, true],
    [false, true, true],
    [false, false, true],
  ]);
});

Deno.test("every feature that CPUID tells has a name in /proc/cpuinfo, but for what Linux gives none", () => {
  const named = (leaf: number, register: string, bit: number) =>
    CPU_FLAGS.some(([l, , r, names]) => l === leaf && r === register && names[bit] !== undefined);
  const nameless = CPUID_BITS.filter(([leaf, register, bit]) => !named(leaf, register, bit));
  assert.deepEqual(nameless.map(([leaf, register, bit]) => [leaf, register, bit]), [[1, "ecx", 27]]); // OSXSAVE
});

Deno.test("the processor in /proc/cpuinfo is the one that CPUID describes", () => {
  const text = cpuinfo(), signature = cpuid(1, 0).eax ?? 0;
  assert.match(text, /^vendor_id\t: GenuineIntel$/m);
  assert.match(text, /^model name\t: Hedra virtual CPU/m);
  assert.match(text, new RegExp(`^stepping\\t: ${signature & 15}$`, "m"));
});
