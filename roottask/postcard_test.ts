import assert from "node:assert/strict";
import { Reader } from "./postcard.ts";

const reader = (hex: string) => new Reader(Uint8Array.from(hex.split(" "), (byte) => parseInt(byte, 16)));

Deno.test("reads the write request of the ABI reference's example", () => {
  const request = reader("03 03 00 00 00 02 02 48 69 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
  assert.deepEqual([request.u8(), request.i32(), request.u8()], [3, 3, 2]);
  assert.deepEqual([...request.sequence()], [0x48, 0x69]);
  assert.equal(request.u64(), 2);
  assert.equal(request.failed, false);
});

Deno.test("varints have seven bits a byte, low first", () => {
  assert.equal(reader("7f").varint(), 127);
  assert.equal(reader("80 01").varint(), 128);
  assert.equal(reader("a0 1f").varint(), 4000);
  assert.equal(reader("ff ff ff ff 0f").varint(), 2 ** 32 - 1);
});

Deno.test("a message that ends too early fails instead of reading beyond it", () => {
  for (const read of [(r: Reader) => r.u64(), (r: Reader) => r.sequence(), (r: Reader) => r.varint()]) {
    const request = reader("ff ff ff");
    read(request);
    assert.equal(request.failed, true);
  }
  const endless = reader("80 80 80 80 80 80 80 80 80 80");
  endless.varint();
  assert.equal(endless.failed, true);
});
