import assert from "node:assert/strict";
import { PAGE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { FakePages, memoryRig, type Rig } from "../testing/memory.ts";
import { Fault, Mm } from "./mm.ts";
import { SharedObject } from "./shared.ts";
import { newVma } from "./vma.ts";

const RW = PROT_READ | PROT_WRITE, MIB = 1 << 20, CHUNK = 64 << 10;

/** Another process in the same memory. */
function another(rig: Rig): Rig {
  const pages = new FakePages(), mm = new Mm(rig.pool, pages, rig.ram);
  mm.mmapBase = rig.mm.mmapBase;
  return { ...rig, pages, mm };
}
/** mmap without an address, touched. */
function map({ mm }: Rig, bytes: number): number {
  const at = mm.findGap(bytes)!;
  // Areas that differ do not merge; their memory does.
  const vma = newVma(at, at + bytes, RW);
  vma.noReserve = at / CHUNK % 2 === 0;
  assert.ok(mm.add(vma, true));
  return at;
}
const deltas = ({ mm }: Rig): number => new Set(mm.backing.items.map((b) => b.pa - b.start)).size;

Deno.test("mappings of two processes that come in turn are one extent in each", () => {
  const one = memoryRig(64 * MIB), two = another(one);
  for (let n = 0; n < 40; n++) for (const rig of [one, two]) map(rig, CHUNK);
  for (const { mm } of [one, two]) assert.deepEqual([mm.backing.length, mm.backedBytes], [1, 40 * CHUNK]);
});

Deno.test("what is unmapped and mapped again comes back to its place, another process or not", () => {
  const one = memoryRig(64 * MIB), two = another(one);
  const areas = [1, 2, 3].map(() => map(one, CHUNK));
  one.mm.remove(areas[1], areas[1] + CHUNK);
  assert.equal(one.mm.backing.length, 2);
  map(two, CHUNK);
  assert.equal(map(one, CHUNK), areas[1]);
  assert.equal(one.mm.backing.length, 1);
});

Deno.test("heap, mappings and stack have room to grow beside each other", () => {
  const rig = memoryRig(64 * MIB), { mm } = rig, heap = 0x5555_0000_0000, top = 0x7fff_0000_0000;
  const stack = newVma(top - CHUNK, top, RW);
  stack.growsDown = true;
  mm.brk = heap;
  mm.add(newVma(heap, heap + 8 * MIB, RW));
  mm.add(stack, true);
  for (let n = 0; n < 64; n++) {
    assert.equal(mm.fault(heap + n * CHUNK, true), Fault.None);
    map(rig, CHUNK);
    if (n < 32) assert.equal(mm.fault(top - (n + 2) * CHUNK, true), Fault.None);
  }
  assert.equal(mm.backing.length, 3);
});

Deno.test("a child of fork has its memory as much in one piece as its parent", () => {
  const rig = memoryRig(64 * MIB);
  for (let n = 0; n < 10; n++) map(rig, CHUNK);
  const child: Rig = { ...rig, mm: rig.mm.fork(new FakePages())! };
  for (let n = 0; n < 10; n++) for (const each of [rig, child]) map(each, CHUNK);
  for (const { mm } of [rig, child]) assert.equal(mm.backing.length, 1);
});

Deno.test("shared memory that is touched in any order lies in one piece", () => {
  const { pool } = memoryRig(64 * MIB), object = new SharedObject(pool, undefined, MIB);
  const place = (page: number): number => object.ensure(page * PAGE, PAGE)!.pa - page * PAGE;
  const first = place(100);
  for (const page of [0, 255, 130, 16, 101]) {
    pool.take(PAGE, 0);
    assert.equal(place(page), first);
  }
  object.release();
  assert.equal(pool.freeBytes, 64 * MIB - 5 * PAGE);
});

Deno.test("where the room beside is taken, memory goes on at another spot", () => {
  const rig = memoryRig(64 * MIB), first = map(rig, CHUNK);
  const { pa, start } = rig.mm.backing.items[0];
  assert.ok(rig.pool.takeAt(pa - 2 * CHUNK, CHUNK));
  for (let n = 0; n < 10; n++) map(rig, CHUNK);
  assert.equal(rig.mm.backing.find(first - CHUNK)!.pa - pa, first - CHUNK - start);
  assert.equal(deltas(rig), 2);
});

Deno.test("processes that leave no room take what there is, down to the last page", () => {
  const first = memoryRig(16 * MIB), all = [first];
  let used = 0;
  for (let n = 0; used < 16 * MIB; n++) {
    const rig = n < 200 ? another(first) : all[n % all.length];
    if (n < 200) all.push(rig);
    const bytes = Math.min(16 * MIB - used, (1 + n % 7) * PAGE);
    map(rig, bytes);
    used += bytes;
  }
  assert.equal(first.pool.freeBytes, 0);
  for (const { mm } of all) mm.destroy();
  assert.equal(first.pool.freeBytes, 16 * MIB);
  assert.notEqual(first.pool.take(16 * MIB, 0), undefined);
});
