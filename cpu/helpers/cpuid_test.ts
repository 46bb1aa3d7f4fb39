import { deepEqual, equal, ok } from "node:assert/strict";
import { ROWS } from "../opcodes/mod.ts";
import { semanticOf } from "../semantics/mod.ts";
import { cpuid } from "./cpuid.ts";

const implemented = (feature: string): boolean => ROWS.some((row) => row.feature === feature);
const bit = (value: number | undefined, n: number): boolean => (((value ?? 0) >>> n) & 1) === 1;
const text = (...words: (number | undefined)[]): string =>
  words.map((w = 0) => String.fromCharCode(w & 255, (w >> 8) & 255, (w >> 16) & 255, w >>> 24)).join("");

Deno.test("every row has semantics, so CPUID may claim what has rows", () => {
  deepEqual(ROWS.filter(({ name }) => semanticOf(name) === undefined).map(({ enc, name }) => `${enc} ${name}`), []);
});
Deno.test("CPUID claims a feature exactly when it has rows", () => {
  const basic = cpuid(1, 0), extended = cpuid(7, 0);
  equal(bit(basic.edx, 26), implemented("sse2"));
  equal(bit(basic.ecx, 20), implemented("sse4.2"));
  equal(bit(basic.ecx, 23), implemented("popcnt"));
  equal(bit(basic.ecx, 26), implemented("xsave"));
  equal(bit(basic.ecx, 28), implemented("avx"));
  equal(bit(extended.ebx, 5), implemented("avx2"));
  equal(bit(extended.ebx, 8), implemented("bmi2"));
});
Deno.test("CPUID says that a hypervisor is there and what it is called", () => {
  ok(bit(cpuid(1, 0).ecx, 31));
  const { ebx, ecx, edx } = cpuid(0x4000_0000, 0);
  equal(text(ebx, ecx, edx), "HedraHedra\0\0");
});
Deno.test("the brand string of CPUID names Hedra", () => {
  const words = [2, 3, 4].flatMap((n) => {
    const { eax, ebx, ecx, edx } = cpuid(0x8000_0000 + n, 0);
    return [eax, ebx, ecx, edx];
  });
  equal(text(...words).replace(/\0+$/, ""), "Hedra virtual CPU (x86-64 on WebAssembly)");
});
Deno.test("CPUID gives zeros for a leaf that does not exist", () => equal(Object.keys(cpuid(0x1234, 0)).length, 0));
