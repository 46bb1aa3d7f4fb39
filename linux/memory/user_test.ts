import assert from "node:assert/strict";
import type { HostMemory } from "../../hedron/api.ts";
import { PAGE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { memoryRig, random } from "../testing/memory.ts";
import { getI64, getU64, putU64, UserMemory } from "./user.ts";
import { newVma } from "./vma.ts";

const RW = PROT_READ | PROT_WRITE, MIB = 1 << 20, BASE = 0x10_0000_0000;

/** A process's memory: two mappings side by side that are apart in RAM, and one read-only page. */
function rig() {
  const made = memoryRig(4 * MIB);
  const { mm, ram, pool } = made;
  const memory = {
    u8: ram.u8,
    data: new DataView(ram.u8.buffer),
    copy: ram.copy.bind(ram),
    fill: ram.fill.bind(ram),
    codeChanged: () => {},
  } as unknown as HostMemory;
  mm.add(newVma(BASE, BASE + 4 * PAGE, RW));
  pool.take(PAGE, 0);
  pool.takeAt(mm.backing.items[0].pa + 4 * PAGE, PAGE);
  mm.add(newVma(BASE + 4 * PAGE, BASE + 8 * PAGE, RW));
  mm.add(newVma(BASE + 20 * PAGE, BASE + 21 * PAGE, PROT_READ));
  assert.equal(mm.backing.length, 3);
  return { ...made, user: new UserMemory(mm, memory, pool.take(PAGE, 0)!) };
}

Deno.test("bytes written across two extents are read back", () => {
  const { user } = rig();
  const text = Uint8Array.from({ length: 3 * PAGE }, (_, i) => i * 7);
  assert.ok(user.putBytes(BASE + 2 * PAGE + 100, text));
  assert.deepEqual(user.bytes(BASE + 2 * PAGE + 100, text.length), text);
});

Deno.test("a structure that straddles two extents goes through the staging page", () => {
  const { user } = rig();
  const at = user.out(BASE + 4 * PAGE - 3, 8);
  putU64(user.data, at, 0x1122_3344_5566);
  user.done();
  assert.equal(user.u64(BASE + 4 * PAGE - 3), 0x1122_3344_5566);
});

Deno.test("bad addresses give no memory", () => {
  const { user } = rig();
  for (const va of [0, 1, BASE - 1, BASE + 8 * PAGE, 2 ** 47, 2 ** 63, 2 ** 64, NaN]) {
    assert.equal(user.in(va, 8), -1);
    assert.equal(user.out(va, 8), -1);
    assert.equal(user.u32(va), -1);
    assert.equal(user.string(va, 10), undefined);
  }
  assert.equal(user.out(BASE + 20 * PAGE, 8), -1);
  assert.notEqual(user.in(BASE + 20 * PAGE, 8), -1);
  assert.equal(user.bytes(BASE + 7 * PAGE, 2 * PAGE), undefined);
  assert.equal(user.accessible(BASE + 7 * PAGE, 2 * PAGE, false), PAGE);
});

Deno.test("a string ends at its 0, also in the next extent", () => {
  const { user } = rig();
  user.putBytes(BASE + 4 * PAGE - 3, new TextEncoder().encode("across\0"));
  assert.equal(user.string(BASE + 4 * PAGE - 3, 100), "across");
  assert.equal(user.stringLength(BASE + 4 * PAGE - 3, 6), -2);
  assert.equal(user.stringLength(BASE + 8 * PAGE - 1, 6), 0);
});

Deno.test("the cache follows changes of the address space", () => {
  const { user, mm } = rig();
  assert.ok(user.putU32(BASE, 5));
  mm.protect(BASE, BASE + PAGE, PROT_READ);
  assert.ok(!user.putU32(BASE, 6));
  assert.equal(user.u32(BASE), 5);
  mm.remove(BASE, BASE + PAGE);
  assert.equal(user.u32(BASE), -1);
  assert.ok(user.putU32(BASE + PAGE, 7));
});

Deno.test("memory shared with a forked child is copied before the personality writes to it", () => {
  const { user, mm, pages, ram } = rig();
  user.putU32(BASE + PAGE, 1);
  mm.protect(BASE, BASE + 4 * PAGE, PROT_READ);
  const child = mm.fork(pages)!;
  mm.protect(BASE, BASE + 4 * PAGE, RW);
  assert.ok(user.putU32(BASE + PAGE, 2));
  const { pa, start } = child.backing.find(BASE + PAGE)!;
  assert.equal(new DataView(ram.u8.buffer).getUint32(pa + BASE + PAGE - start, true), 1);
});

Deno.test("64-bit numbers survive both ways, negative ones in two's complement", () => {
  const data = new DataView(new ArrayBuffer(8));
  const next = random(9);
  for (
    const value of [
      0,
      1,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 53 - 1,
      ...Array.from({ length: 200 }, () => Math.floor(next() * 2 ** 53)),
    ]
  ) {
    putU64(data, 0, value);
    assert.equal(getU64(data, 0), value);
    assert.equal(data.getBigUint64(0, true), BigInt(value));
    putU64(data, 0, -value);
    assert.equal(getI64(data, 0), 0 - value);
  }
});
