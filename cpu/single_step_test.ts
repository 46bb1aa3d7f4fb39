import assert from "node:assert/strict";
import { RF, TF, VEC } from "./layout.ts";
import { Executor } from "./semantics/testing.ts";

const popTf = "9c 48 81 0c 24 00 01 00 00 9d"; // pushfq; or qword [rsp], TF; popfq
const STACK = { 4: 0x50_0800n };

for (const heat of [1, Infinity]) {
  const run = (hex: string, gpr: Record<number, bigint> = {}) => new Executor({}, heat).run(hex, { gpr: { ...STACK, ...gpr } });
  Deno.test(`TF traps after the instruction that follows POPF (heat ${heat})`, () => {
    const out = run(`${popTf} 90 90`);
    assert.equal(out.vector, VEC.DB);
    assert.equal(out.rip, 11);
    assert.ok(out.flags & TF);
  });
  Deno.test(`TF traps after each iteration of REP (heat ${heat})`, () => {
    const out = run(`${popTf} f3 aa`, { 1: 3n, 7: 0x50_0000n, 0: 0x41n });
    assert.equal(out.vector, VEC.DB);
    assert.deepEqual([out.rip, out.gpr(1), out.memory[0], out.memory[1]], [10, 2n, 0x41, 0]);
  });
  Deno.test(`a load of SS holds the trap back (heat ${heat})`, () => {
    assert.equal(run(`8c d0 ${popTf} 8e d0 90 90`).rip, 15);
  });
  Deno.test(`a fault comes instead of the trap (heat ${heat})`, () => {
    const out = run(`${popTf} f4`);
    assert.deepEqual([out.vector, out.rip], [VEC.GP, 10]);
  });
  Deno.test(`INT1 raises #DB behind itself (heat ${heat})`, () => {
    const out = run("f1 90");
    assert.deepEqual([out.vector, out.rip], [VEC.DB, 1]);
  });
  Deno.test(`faults save RF as 1, traps as 0 (heat ${heat})`, () => {
    assert.deepEqual(["f4", "48 8b 00", "0f 0b", "cc", "f1"].map((code) => (run(code).flags & RF) !== 0), [
      true,
      true,
      true,
      false,
      false,
    ]);
  });
}
