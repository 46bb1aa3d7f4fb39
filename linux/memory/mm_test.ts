import assert from "node:assert/strict";
import { PAGE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { FakeFile, FakePages, memoryRig, random, type Rig } from "../testing/memory.ts";
import { FileCache } from "./file_cache.ts";
import { Fault, Mm } from "./mm.ts";
import { newVma, type Vma } from "./vma.ts";

const RW = PROT_READ | PROT_WRITE, MIB = 1 << 20, BASE = 0x10_0000_0000;

function add({ mm }: Rig, start: number, bytes: number, prot: number, change: (vma: Vma) => void = () => {}): boolean {
  const vma = newVma(start, start + bytes, prot);
  change(vma);
  return mm.add(vma);
}

/** Writes through the page table as a program would, faulting when it must. */
function poke(rig: Rig, va: number, value: number): Fault {
  for (let i = 0; i < 3; i++) {
    const page = rig.pages.pages.get(Math.floor(va / PAGE));
    if (page !== undefined && (page.rights & PROT_WRITE) !== 0) {
      rig.ram.u8[page.pa + va % PAGE] = value;
      return Fault.None;
    }
    const fault = rig.mm.fault(va, true);
    if (fault !== Fault.None) return fault;
  }
  throw new Error("A fault was handled three times without effect");
}

function peek(rig: Rig, va: number): number | Fault {
  if (rig.pages.pages.get(Math.floor(va / PAGE)) === undefined) {
    const fault = rig.mm.fault(va, false);
    if (fault !== Fault.None) return -fault;
  }
  const page = rig.pages.pages.get(Math.floor(va / PAGE));
  return page === undefined ? -1 : rig.ram.u8[page.pa + va % PAGE];
}

Deno.test("a small mapping has its memory at once, in one piece", () => {
  const rig = memoryRig(4 * MIB);
  add(rig, BASE, 8 * PAGE, RW);
  assert.equal(rig.mm.backing.length, 1);
  assert.equal(rig.pages.pages.size, 8);
});

Deno.test("a large mapping costs nothing until it is touched", () => {
  const rig = memoryRig(4 * MIB);
  add(rig, BASE, 1024 * MIB, RW);
  assert.equal(rig.pool.freeBytes, 4 * MIB);
  assert.equal(poke(rig, BASE + 500 * MIB, 1), Fault.None);
  assert.ok(4 * MIB - rig.pool.freeBytes <= 64 << 10);
});

Deno.test("memory touched in sequence is physically contiguous", () => {
  const rig = memoryRig(64 * MIB);
  add(rig, BASE, 16 * MIB, RW);
  for (let at = 0; at < 16 * MIB; at += PAGE) poke(rig, BASE + at, 1);
  assert.equal(rig.mm.backing.length, 1);
});

/** Text of 300 pages between two parts that are only read, as a library has them. */
function addLibrary(rig: Rig, file: FakeFile): void {
  for (const [first, end, prot] of [[0, 300, PROT_READ], [300, 600, PROT_READ | PROT_EXEC], [600, 1000, PROT_READ]]) {
    add(rig, BASE + first * PAGE, (end - first) * PAGE, prot, (vma) => {
      vma.file = file;
      vma.offset = first * PAGE;
    });
  }
}

Deno.test("a library's segments are one run in RAM, and its text comes with one fault", () => {
  const rig = memoryRig(64 * MIB), cache = new FileCache(rig.pool), file = new FakeFile(rig.ram, cache, 1000 * PAGE);
  addLibrary(rig, file);
  assert.equal(rig.mm.backedBytes, 0);
  assert.equal(rig.mm.fault(BASE + 450 * PAGE, false, true), Fault.None);
  assert.deepEqual(file.reads, [300]);
  assert.equal(rig.mm.backedBytes, 300 * PAGE);
  assert.equal(peek(rig, BASE + 900 * PAGE), 900 % 256);
  assert.equal(peek(rig, BASE + 10 * PAGE), 10);
  assert.equal(new Set(rig.mm.backing.items.map((b) => b.pa - b.start)).size, 1);
});

Deno.test("a library that another process has used is there without a fault", () => {
  const rig = memoryRig(64 * MIB), cache = new FileCache(rig.pool), file = new FakeFile(rig.ram, cache, 1000 * PAGE);
  addLibrary(rig, file);
  rig.mm.fault(BASE + 450 * PAGE, false, true);
  const pages = new FakePages(), other: Rig = { ...rig, pages, mm: new Mm(rig.pool, pages, rig.ram) };
  addLibrary(other, file);
  assert.equal(other.mm.backedBytes, 300 * PAGE);
  assert.deepEqual(other.mm.backing.items, rig.mm.backing.items);
  assert.deepEqual(file.reads, [300]);
});

Deno.test("a large file that is only read is read around the access", () => {
  const rig = memoryRig(64 * MIB), cache = new FileCache(rig.pool), file = new FakeFile(rig.ram, cache, 8 * MIB);
  add(rig, BASE, 8 * MIB, PROT_READ, (vma) => void (vma.file = file));
  assert.equal(peek(rig, BASE + 1003 * PAGE), 1003 % 256);
  assert.ok(rig.mm.backedBytes <= 256 << 10);
  assert.equal(peek(rig, BASE + 7 * PAGE), 7);
  assert.equal(new Set(rig.mm.backing.items.map((b) => b.pa - b.start)).size, 1);
});

Deno.test("PROT_NONE is denied, holes are unmapped", () => {
  const rig = memoryRig(MIB);
  add(rig, BASE, PAGE, 0);
  assert.equal(rig.mm.fault(BASE, false), Fault.Denied);
  assert.equal(rig.mm.fault(BASE + PAGE, false), Fault.Unmapped);
  add(rig, BASE + 2 * PAGE, PAGE, PROT_READ);
  assert.equal(rig.mm.fault(BASE + 2 * PAGE, true), Fault.Denied);
  assert.equal(rig.mm.fault(BASE + 2 * PAGE, false, true), Fault.Denied);
});

Deno.test("protect() splits areas and merges equal ones again", () => {
  const rig = memoryRig(MIB);
  add(rig, BASE, 4 * PAGE, RW);
  rig.mm.protect(BASE + PAGE, BASE + 2 * PAGE, PROT_READ);
  assert.deepEqual(rig.mm.vmas.items.map((vma) => [(vma.start - BASE) / PAGE, vma.prot]), [[0, RW], [1, PROT_READ], [2, RW]]);
  rig.mm.protect(BASE + PAGE, BASE + 2 * PAGE, RW);
  assert.equal(rig.mm.vmas.length, 1);
});

Deno.test("memory keeps its contents through PROT_NONE", () => {
  const rig = memoryRig(MIB);
  add(rig, BASE, 2 * PAGE, RW);
  poke(rig, BASE + 5, 42);
  rig.mm.protect(BASE, BASE + PAGE, 0);
  assert.equal(rig.pages.pages.has(BASE / PAGE), false);
  rig.mm.protect(BASE, BASE + PAGE, PROT_READ | PROT_EXEC);
  assert.equal(peek(rig, BASE + 5), 42);
});

Deno.test("a growing-down area grows to an access below it, as far as its limit", () => {
  const rig = memoryRig(4 * MIB);
  rig.mm.stackLimit = MIB;
  add(rig, BASE, 4 * PAGE, RW, (vma) => void (vma.growsDown = true));
  assert.equal(poke(rig, BASE - 100 * PAGE, 1), Fault.None);
  assert.equal(rig.mm.fault(BASE - 2 * MIB, true), Fault.Unmapped);
});

Deno.test("an empty pool is reported", () => {
  const rig = memoryRig(16 * PAGE);
  add(rig, BASE, MIB, RW);
  let fault = Fault.None;
  for (let at = 0; at < MIB && fault === Fault.None; at += PAGE) fault = poke(rig, BASE + at, 1);
  assert.equal(fault, Fault.NoMemory);
});

Deno.test("fork() copies what can be written and shares the rest until it is written", () => {
  const rig = memoryRig(8 * MIB);
  add(rig, BASE, 4 * PAGE, RW);
  add(rig, BASE + MIB, 4 * PAGE, RW);
  poke(rig, BASE, 1);
  poke(rig, BASE + MIB, 2);
  rig.mm.protect(BASE + MIB, BASE + MIB + 4 * PAGE, PROT_READ);
  const before = rig.pool.freeBytes;
  const pages = new FakePages();
  const mm = rig.mm.fork(pages)!;
  const child: Rig = { ...rig, mm, pages };
  assert.equal(before - rig.pool.freeBytes, 4 * PAGE);
  poke(child, BASE, 11);
  assert.equal(peek(rig, BASE), 1);
  for (const each of [rig, child]) each.mm.protect(BASE + MIB, BASE + MIB + 4 * PAGE, RW);
  poke(child, BASE + MIB, 12);
  assert.equal(peek(rig, BASE + MIB), 2);
  assert.equal(peek(child, BASE + MIB), 12);
  mm.destroy();
  rig.mm.destroy();
  assert.equal(rig.pool.freeBytes, 8 * MIB);
});

Deno.test("fork() and copying on a write do with free memory in pieces", () => {
  const rig = memoryRig(8 * MIB);
  add(rig, BASE, 48 * PAGE, RW);
  for (let n = 0; n < 48; n++) poke(rig, BASE + n * PAGE, n);
  const taken: number[] = [];
  for (let pa = rig.pool.take(PAGE, 0); pa !== undefined; pa = rig.pool.take(PAGE, 0)) taken.push(pa);
  // Runs of three pages.
  taken.slice(0, 160).forEach((pa, n) => n % 4 !== 0 && rig.pool.release(pa, PAGE));
  const fork = (): Rig => {
    const pages = new FakePages(), mm = rig.mm.fork(pages);
    assert.ok(mm !== undefined);
    return { ...rig, mm, pages };
  };
  const copied = fork();
  for (let n = 0; n < 48; n++) assert.equal(peek(copied, BASE + n * PAGE), n);
  rig.mm.protect(BASE, BASE + 48 * PAGE, PROT_READ);
  const sharing = fork();
  sharing.mm.protect(BASE, BASE + 48 * PAGE, RW);
  assert.equal(poke(sharing, BASE + 40 * PAGE + 1, 9), Fault.None);
  assert.deepEqual([0, 1].map((at) => peek(sharing, BASE + 40 * PAGE + at)), [40, 9]);
  assert.deepEqual([0, 1].map((at) => peek(rig, BASE + 40 * PAGE + at)), [40, 0]);
});

Deno.test("findGap() finds the highest hole that is large enough", () => {
  const rig = memoryRig(MIB);
  const top = rig.mm.mmapBase;
  assert.equal(rig.mm.findGap(PAGE), top - PAGE);
  add(rig, top - PAGE, PAGE, RW);
  add(rig, top - 4 * PAGE, PAGE, RW);
  assert.equal(rig.mm.findGap(2 * PAGE), top - 3 * PAGE);
  assert.equal(rig.mm.findGap(3 * PAGE), top - 7 * PAGE);
});

/** A model with one entry per page: what the program sees must be the same. */
Deno.test("random operations keep areas, backing and page table in line with a page-by-page model", () => {
  const PAGES = 300;
  for (const seed of [1, 2, 3, 4]) {
    const rig = memoryRig(8 * MIB);
    const next = random(seed);
    const model: ({ prot: number; value: number } | undefined)[] = new Array(PAGES).fill(undefined);
    for (let step = 0; step < 600; step++) {
      const first = Math.floor(next() * PAGES), count = 1 + Math.floor(next() * Math.min(120, PAGES - first - 1));
      const start = BASE + first * PAGE, end = start + count * PAGE;
      const prot = [0, PROT_READ, RW, PROT_READ | PROT_EXEC][Math.floor(next() * 4)];
      switch (Math.floor(next() * 5)) {
        case 0:
          assert.ok(add(rig, start, count * PAGE, prot));
          for (let i = first; i < first + count; i++) model[i] = { prot, value: 0 };
          break;
        case 1:
          rig.mm.remove(start, end);
          for (let i = first; i < first + count; i++) model[i] = undefined;
          break;
        case 2:
          rig.mm.protect(start, end, prot);
          for (let i = first; i < first + count; i++) if (model[i] !== undefined) model[i]!.prot = prot;
          break;
        case 3: {
          const value = Math.floor(next() * 256);
          const writable = model[first] !== undefined && (model[first]!.prot & PROT_WRITE) !== 0;
          assert.equal(poke(rig, start, value) === Fault.None, writable);
          if (writable) model[first]!.value = value;
          break;
        }
        case 4:
          rig.mm.unback(start, end);
          for (let i = first; i < first + count; i++) if (model[i] !== undefined) model[i]!.value = 0;
      }
      const vmas = rig.mm.vmas.items;
      for (let i = 1; i < vmas.length; i++) assert.ok(vmas[i - 1].end <= vmas[i].start);
      for (let i = 0; i < PAGES; i++) {
        const page = rig.pages.pages.get(BASE / PAGE + i);
        const expected = model[i];
        assert.equal(rig.mm.vmas.find(BASE + i * PAGE)?.prot, expected?.prot);
        if (expected === undefined || expected.prot === 0) assert.equal(page, undefined);
        else if (page !== undefined) assert.deepEqual([page.rights, rig.ram.u8[page.pa]], [expected.prot, expected.value]);
      }
    }
    rig.mm.destroy();
    assert.equal(rig.pool.freeBytes, 8 * MIB);
    assert.equal(rig.pages.pages.size, 0);
    assert.equal(rig.mm.totalBytes, 0);
  }
});
