import assert from "node:assert/strict";
import { TF, VEC } from "../layout.ts";
import { CODE, DATA, Executor } from "../semantics/testing.ts";

const RAX = 0, RBX = 3, RSP = 4;
const STACK = BigInt(DATA + 0x800);

/** `words` at DATA + 0x800, where RSP points to. */
function withStack(...words: bigint[]) {
  const memory = new Uint8Array(4096), view = new DataView(memory.buffer);
  words.forEach((word, n) => view.setBigUint64(0x800 + 8 * n, word, true));
  return { memory, gpr: { [RSP]: STACK, [RBX]: STACK } };
}

for (const heat of [1, Infinity]) {
  const run = (hex: string, ...words: bigint[]) => new Executor({}, heat).run(hex, withStack(...words));

  Deno.test(`a far return goes to the other 64-bit code segment (heat ${heat})`, () => {
    // retfq over a HLT to MOV EAX, CS
    const out = run("48 cb f4 8c c8", BigInt(CODE + 3), 0x1bn);
    assert.deepEqual([out.vector, out.gpr(RAX)], [undefined, 0x1bn]);
  });
  Deno.test(`INT raises #GP with the vector's IDT entry (heat ${heat})`, () => {
    const out = run("cd 66");
    assert.deepEqual([out.vector, out.error, out.rip], [VEC.GP, 0x66 * 8 + 2, 0]);
  });
  Deno.test(`IRET takes the low half of flags whatever is above (heat ${heat})`, () => {
    const out = run("48 cf f4 90", BigInt(CODE + 3), 0x2bn, 0xffff_ffff_0000_00d5n, STACK, 0x23n);
    assert.deepEqual([out.vector, out.flags & 0xd5], [undefined, 0xd5]);
  });
  Deno.test(`POPF that sets TF takes the other flags, too, whatever is above (heat ${heat})`, () => {
    const out = run("9d 90 90", 0xffff_ffff_0000_01d5n);
    assert.deepEqual([out.vector, out.rip, out.flags & 0xfff & ~0x202], [VEC.DB, 2, 0xd5 | TF]);
  });
  Deno.test(`LGS loads a register and the selector behind the offset (heat ${heat})`, () => {
    const out = run("0f b5 03 8c eb", 0x23_89ab_cdefn);
    assert.deepEqual([out.vector, out.gpr(RAX), out.gpr(RBX)], [undefined, 0x89ab_cdefn, 0x23n]);
  });
  Deno.test(`LFS with a selector that does not exist raises #GP and leaves the register (heat ${heat})`, () => {
    const out = run("0f b4 03", 0x4b_89ab_cdefn);
    assert.deepEqual([out.vector, out.error, out.gpr(RAX)], [VEC.GP, 0x48, 0n]);
  });
}
