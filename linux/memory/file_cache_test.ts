import assert from "node:assert/strict";
import { PAGE } from "../abi/mman.ts";
import { FakeFile, FakeRam } from "../testing/memory.ts";
import { FileCache } from "./file_cache.ts";
import { Pool } from "./pool.ts";

const MIB = 1 << 20;

function rig() {
  const ram = new FakeRam(MIB + PAGE), pool = new Pool(ram, PAGE, MIB), cache = new FileCache(pool);
  pool.reclaim = () => cache.trim();
  return { ram, pool, cache, file: (pages: number, stamp = "a") => new FakeFile(ram, cache, pages * PAGE, stamp) };
}

Deno.test("the same part of a file is read once and has the same pages for everybody", () => {
  const { cache, file } = rig(), source = file(10);
  const first = cache.pages(source, 0, 4 * PAGE, 0);
  const again = cache.pages(source, PAGE, 2 * PAGE, 0);
  assert.equal(again?.pa, first!.pa + PAGE);
  assert.equal(again?.bytes, 2 * PAGE);
  assert.deepEqual(source.reads, [0]);
});

Deno.test("a file that has changed is read again", () => {
  const { pool, cache, file } = rig(), old = file(10, "a"), changed = file(10, "b");
  cache.pages(old, 0, 4 * PAGE, 0);
  cache.pages(changed, 0, 4 * PAGE, 0);
  assert.deepEqual([old.reads, changed.reads], [[0], [0]]);
  assert.equal(pool.freeBytes, MIB - 4 * PAGE);
});

Deno.test("pages end with the file, and there are none behind it", () => {
  const { ram, cache } = rig(), source = new FakeFile(ram, cache, 100, "a");
  assert.equal(cache.pages(source, 0, 4 * PAGE, 0)?.bytes, PAGE);
  assert.equal(cache.pages(source, PAGE, PAGE, 0), undefined);
});

Deno.test("parts of a file that are read in any order lie in one piece, where the mapping has large chunks", () => {
  const { pool, cache, file } = rig(), source = file(40), va = 0x7000_0012_3000;
  const place = (page: number) => cache.pages(source, page * PAGE, PAGE, va + page * PAGE)!.pa - page * PAGE;
  const first = place(20);
  assert.equal(first % 0x4_0000, va % 0x4_0000);
  for (const page of [3, 39, 0, 21]) {
    pool.take(PAGE, 0);
    assert.equal(place(page), first);
  }
  assert.equal(cache.cached(source, 20 * PAGE), 2 * PAGE);
});

Deno.test("memory that is kept together for a file is free for those who need it; the file goes on elsewhere", () => {
  const { pool, cache, file } = rig(), source = file(60);
  const first = cache.pages(source, 0, PAGE, 0)!;
  pool.share(first.pa, PAGE);
  assert.equal(pool.freeBytes, MIB - PAGE);
  while (pool.freeBytes > 10 * PAGE) assert.notEqual(pool.take(PAGE, 0), undefined);
  assert.equal(cache.pages(source, 0, PAGE, 0)?.pa, first.pa);
  assert.notEqual(cache.pages(source, 30 * PAGE, PAGE, 0), undefined);
  assert.deepEqual(source.reads, [0, 30]);
});

Deno.test("a file without room in one piece is cached in pieces", () => {
  const { pool, cache, file } = rig(), taken: number[] = [];
  while (pool.freeBytes > 0) taken.push(pool.take(PAGE, 0)!);
  taken.forEach((pa, i) => i % 4 !== 0 && pool.release(pa, PAGE));
  const source = file(12);
  for (let page = 0; page < 12; page += 2) assert.equal(cache.pages(source, page * PAGE, 2 * PAGE, 0)?.bytes, 2 * PAGE);
});

Deno.test("a full pool takes back what nobody maps, and only that", () => {
  const { pool, cache, file } = rig(), mapped = file(10, "a");
  const { pa } = cache.pages(mapped, 0, 10 * PAGE, 0)!;
  pool.share(pa + 2 * PAGE, PAGE);
  let taken = 0;
  while (pool.take(PAGE, 0) !== undefined) taken++;
  assert.equal(taken, MIB / PAGE - 1);
  assert.equal(cache.pages(mapped, 2 * PAGE, PAGE, 0)?.pa, pa + 2 * PAGE);
  assert.deepEqual(mapped.reads, [0]);
});

Deno.test("a file that cannot be read leaves no memory behind", () => {
  const { pool, cache, file } = rig(), source = file(10);
  cache.pages(source, 0, PAGE, 0);
  source.broken = true;
  assert.equal(cache.pages(source, 4 * PAGE, PAGE, 0), undefined);
  assert.equal(pool.freeBytes, MIB);
  assert.equal(pool.take(MIB, 0) === undefined, false);
});
