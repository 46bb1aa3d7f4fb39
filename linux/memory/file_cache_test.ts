import assert from "node:assert/strict";
import { PAGE } from "../abi/mman.ts";
import { FakeRam } from "../testing/memory.ts";
import { FileCache } from "./file_cache.ts";
import { Pool } from "./pool.ts";

const MIB = 1 << 20;

function rig() {
  const ram = new FakeRam(MIB + PAGE);
  const pool = new Pool(ram, PAGE, MIB);
  const reads: number[] = [];
  const read = (offset: number, pa: number, bytes: number): number => {
    reads.push(offset / PAGE);
    ram.fill(pa, 7, bytes);
    return bytes;
  };
  return { pool, cache: new FileCache(pool), reads, read };
}

Deno.test("the same part of a file is read once and has the same pages for everybody", () => {
  const { cache, reads, read } = rig();
  const first = cache.pages("1:2", "a", 10 * PAGE, 0, 4 * PAGE, read);
  const again = cache.pages("1:2", "a", 10 * PAGE, PAGE, 2 * PAGE, read);
  assert.equal(again?.pa, first!.pa + PAGE);
  assert.equal(again?.bytes, 2 * PAGE);
  assert.deepEqual(reads, [0]);
});

Deno.test("a file that has changed is read again", () => {
  const { pool, cache, reads, read } = rig();
  cache.pages("1:2", "a", 10 * PAGE, 0, 4 * PAGE, read);
  cache.pages("1:2", "b", 10 * PAGE, 0, 4 * PAGE, read);
  assert.deepEqual(reads, [0, 0]);
  assert.equal(pool.freeBytes, MIB - 4 * PAGE);
});

Deno.test("pages end with the file, and there are none behind it", () => {
  const { cache, read } = rig();
  assert.equal(cache.pages("1:2", "a", 100, 0, 4 * PAGE, read)?.bytes, PAGE);
  assert.equal(cache.pages("1:2", "a", 100, PAGE, PAGE, read), undefined);
});

Deno.test("an empty pool takes the cache back", () => {
  const { pool, cache, read } = rig();
  pool.reclaim = () => cache.clear();
  cache.pages("1:2", "a", 10 * PAGE, 0, 10 * PAGE, read);
  assert.notEqual(pool.take(MIB, 0), undefined);
});
