import assert from "node:assert/strict";
import { decodeText, encodeText, textBytes } from "./text.ts";

const encode = (text: string): number[] => {
  const bytes = new Uint8Array(100), length = encodeText(text, bytes, 0);
  return [...bytes.subarray(0, length)];
};

Deno.test("text without odd bytes is encoded as TextEncoder does it", () => {
  for (const text of ["", "plain", "äöü", "\u20ac", "\u{1f600}x", "\uffff\u0800\u07ff\u0080"]) {
    assert.deepEqual(encode(text), [...new TextEncoder().encode(text)]);
    assert.equal(textBytes(text), new TextEncoder().encode(text).length);
    assert.equal(decodeText(new TextEncoder().encode(text), 0, textBytes(text)), text);
  }
});

Deno.test("every byte sequence survives decoding and encoding", () => {
  let seed = 1;
  const random = () => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0) >>> 16;
  const lead = [0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0xa0, 0x9f, 0x90];
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from(
      { length: random() % 9 },
      () => random() % 2 === 0 ? lead[random() % lead.length] : random() & 0xff,
    );
    const text = decodeText(bytes, 0, bytes.length);
    assert.deepEqual(encode(text), [...bytes]);
    assert.equal(textBytes(text), bytes.length);
  }
});

Deno.test("text that does not fit is refused", () => {
  assert.equal(encodeText("abcd", new Uint8Array(3), 0), -1);
  assert.equal(encodeText("\u20ac", new Uint8Array(4), 2), -1);
});
