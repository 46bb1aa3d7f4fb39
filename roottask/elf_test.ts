import assert from "node:assert/strict";
import { parseElf } from "./elf.ts";

const PT_LOAD = 1, PT_GNU_STACK = 0x6474e551;

/** An executable with one segment from `offset` on, PT_GNU_STACK, and `symbol` as the name of its entry point. */
function executable(offset: number, symbol: string): Uint8Array {
  const bytes = new Uint8Array(0x3000), view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  for (const [at, value] of [[16, 2], [18, 62], [54, 56], [56, 2], [58, 64], [60, 3]]) view.setUint16(at, value, true);
  for (const [at, value] of [[24, 0x40_1000], [32, 64], [40, 0x2000]]) u64(at, value);
  view.setUint32(64, PT_LOAD, true);
  for (const [at, value] of [[8, offset], [16, 0x40_0000 + offset], [32, 0x1000], [40, 0x1000]]) u64(64 + at, value);
  view.setUint32(64 + 56, PT_GNU_STACK, true);
  // Section 1: symbols (name 1, value entry); section 2: their names.
  view.setUint32(0x2000 + 64 + 4, 2, true);
  for (const [at, value] of [[24, 0x2800], [32, 24]]) u64(0x2000 + 64 + at, value);
  view.setUint32(0x2000 + 64 + 40, 2, true);
  for (const [at, value] of [[24, 0x2900], [32, 1 + symbol.length + 1]]) u64(0x2000 + 128 + at, value);
  view.setUint32(0x2800, 1, true);
  u64(0x2808, 0x40_1000);
  bytes.set(new TextEncoder().encode(symbol), 0x2901);
  return bytes;
}

for (
  const [offset, symbol, kind, what] of [
    [0x1000, "start", "hyperapp", 'whose entry point is "start" and whose headers are not loaded'],
    [0, "start", "linux", "that loads its own headers"],
    [0x1000, "_start", "linux", 'whose entry point is "_start"'],
  ] as const
) {
  Deno.test(`a program with PT_GNU_STACK ${what} is taken for ${kind}`, () => {
    const bytes = executable(offset, symbol), elf = parseElf((at, length) => bytes.subarray(at, at + length));
    assert.equal(typeof elf === "object" && elf.kind, kind);
  });
}
