import assert from "node:assert/strict";
import { canonical, difference } from "./compare.ts";
import { FX } from "./fp_state.ts";
import { FP_BYTES, FX_BYTES, type Result } from "./protocol.ts";

const strict = { sticky: false };
const result = (change: (r: Result) => void = () => {}): Result => {
  const r: Result = {
    vector: 14,
    error: 4,
    cr2: 0x1234n,
    gpr: new BigUint64Array(16),
    rip: 0x1000n,
    rflags: 0x202,
    fs: 0n,
    gs: 0n,
    fp: new Uint8Array(FP_BYTES),
    offsets: [0x2000],
    words: [5n],
  };
  change(r);
  return r;
};

const CHANGES: Record<string, (r: Result) => void> = {
  "the vector": (r) => void (r.vector = 13),
  "the error code of a page fault": (r) => void (r.error = 6),
  "the address of a page fault": (r) => void (r.cr2 = 0x1235n),
  "the instruction": (r) => void (r.rip = 0x1001n),
  "the top bit of a register": (r) => void (r.gpr[15] = 1n << 63n),
  "the carry flag": (r) => void (r.rflags |= 1),
  "the direction flag": (r) => void (r.rflags |= 0x400),
  "the FS base": (r) => void (r.fs = 1n),
  "a word of memory": (r) => void (r.words[0] = 4n),
  "the place of a word of memory": (r) => void (r.offsets[0] = 0x2008),
  "another word of memory": (r) => (r.offsets.push(0x2008), void r.words.push(1n)),
  "the x87 control word": (r) => void (r.fp![FX.CW] = 1),
  "TOP of the x87 stack": (r) => void (r.fp![FX.SW + 1] = 8),
  "an x87 exception flag": (r) => void (r.fp![FX.SW] = 1),
  "an x87 tag": (r) => void (r.fp![FX.TAG] = 1),
  "the sign of an x87 register": (r) => void (r.fp![FX.ST + 16 * 7 + 9] = 0x80),
  "the last vector register": (r) => void (r.fp![FX.XMM + 255] = 1),
  "an upper half of a YMM register": (r) => void (r.fp![FX_BYTES + 255] = 1),
  "the rounding mode of MXCSR": (r) => void (r.fp![FX.MXCSR + 1] = 0x20),
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`a difference in ${what} is found`, () => {
    assert.notEqual(difference(result(change), result(), 0, strict), undefined);
    assert.notEqual(difference(result(), result(change), 0, strict), undefined);
    assert.notEqual(canonical(result(change), 0), canonical(result(), 0));
  });
}

Deno.test("equal results have no difference", () => {
  assert.equal(difference(result(), result(), 0, strict), undefined);
  assert.equal(canonical(result(), 0), canonical(result(), 0));
});

Deno.test("flags that a row leaves undefined do not count", () => {
  assert.equal(difference(result((r) => r.rflags |= 0x10), result(), 0x10, strict), undefined);
});
