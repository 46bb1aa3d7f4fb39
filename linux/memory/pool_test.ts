import assert from "node:assert/strict";
import { PAGE } from "../abi/mman.ts";
import { FakeRam, random } from "../testing/memory.ts";
import { Pool } from "./pool.ts";

const MIB = 1 << 20;

Deno.test("memory that was used before is handed out cleared", () => {
  const ram = new FakeRam(MIB + PAGE);
  const pool = new Pool(ram, PAGE, MIB);
  const pa = pool.take(3 * PAGE, 0)!;
  ram.fill(pa, 7, 3 * PAGE);
  pool.release(pa, 3 * PAGE);
  const again = pool.take(3 * PAGE, 0)!;
  assert.equal(again, pa);
  assert.ok(ram.u8.subarray(pa, pa + 3 * PAGE).every((byte) => byte === 0));
});

Deno.test("take() gives an address congruent to the wanted one", () => {
  const pool = new Pool(new FakeRam(0), 0x40_0000, 64 * MIB);
  const pa = pool.take(64 << 10, 0x7fff_0000_5000)!;
  assert.equal(pa % (64 << 10), 0x5000);
});

Deno.test("takeAt() takes exactly the wanted range or nothing", () => {
  const pool = new Pool(new FakeRam(0), 0x40_0000, MIB);
  assert.ok(pool.takeAt(0x41_0000, 2 * PAGE));
  assert.ok(!pool.takeAt(0x41_1000, PAGE));
  assert.ok(!pool.takeAt(0x40_0000 - PAGE, PAGE));
  assert.ok(!pool.takeAt(0x40_0000 + MIB - PAGE, 2 * PAGE));
  assert.equal(pool.freeBytes, MIB - 2 * PAGE);
});

Deno.test("shared pages become free with their last owner", () => {
  const ram = new FakeRam(MIB + PAGE);
  const pool = new Pool(ram, PAGE, MIB);
  const pa = pool.take(4 * PAGE, 0)!;
  pool.share(pa + PAGE, PAGE);
  assert.ok(pool.isShared(pa, 4 * PAGE));
  pool.release(pa, 4 * PAGE);
  assert.equal(pool.freeBytes, MIB - PAGE);
  assert.ok(!pool.isShared(pa + PAGE, PAGE));
  pool.release(pa + PAGE, PAGE);
  assert.equal(pool.freeBytes, MIB);
});

Deno.test("an empty pool gives nothing", () => {
  const pool = new Pool(new FakeRam(MIB), 0, 8 * PAGE);
  assert.notEqual(pool.take(8 * PAGE, 0), undefined);
  assert.equal(pool.take(PAGE, 0), undefined);
});

Deno.test("random use never hands a page out twice and loses none", () => {
  const bytes = 256 * PAGE;
  const pool = new Pool(new FakeRam(bytes + PAGE), PAGE, bytes);
  const next = random(5);
  const owned = new Map<number, number>();
  const used = new Set<number>();
  for (let i = 0; i < 4000; i++) {
    if (next() < 0.55) {
      const size = PAGE * (1 + Math.floor(next() * 12));
      const pa = pool.take(size, Math.floor(next() * 64) * PAGE);
      if (pa === undefined) continue;
      for (let at = pa; at < pa + size; at += PAGE) {
        assert.ok(!used.has(at));
        used.add(at);
      }
      owned.set(pa, size);
    } else if (owned.size > 0) {
      const [pa, size] = [...owned][Math.floor(next() * owned.size)];
      owned.delete(pa);
      for (let at = pa; at < pa + size; at += PAGE) used.delete(at);
      pool.release(pa, size);
    }
    assert.equal(pool.freeBytes, bytes - used.size * PAGE);
  }
});
