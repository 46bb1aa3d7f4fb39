import assert from "node:assert/strict";
import { PAGE } from "../cpu/layout.ts";
import { type Crd, CrdKind } from "./api.ts";
import { crdHigh, crdLow, decodeCrd, everything, hotspotWindow, NULL_CRD, portWindow } from "./crd.ts";
import { createSm, install } from "./create.ts";
import { delegate, lookup, revoke, transferItem, translate } from "./delegation.ts";
import { Kernel } from "./kernel.ts";
import { TAG_NOT_DELEGATABLE } from "./memory_space.ts";
import type { Pd } from "./objects.ts";
import { FakeCpu } from "./testing/mod.ts";

const object = (base: number, order = 0, rights = 31): Crd => ({ kind: CrdKind.Object, base, order, rights });
const memory = (base: number, order = 0, rights = 31): Crd => ({ kind: CrdKind.Memory, base, order, rights });
const ports = (base: number, order = 0, rights = 31): Crd => ({ kind: CrdKind.Port, base, order, rights });
const SELF = 32;

interface World {
  k: Kernel;
  a: Pd;
  b: Pd;
  c: Pd;
  give(from: Pd, send: Crd, to: Pd, receive: Crd, hotspot?: number): Crd;
}

function world(): World {
  const k = new Kernel(new FakeCpu(), { tsc: () => 0 });
  const pd = () => {
    const made = k.life.newPd();
    install(made, SELF, made, 1);
    return made;
  };
  const give: World["give"] = (from, send, to, receive, hotspot = 0) => delegate(k, from, send, to, receive, hotspot, false);
  return { k, a: pd(), b: pd(), c: pd(), give };
}

const rightsAt = (pd: Pd, selector: number): number => lookup(pd, object(selector)).rights;
/** [offset in pages, pages, physical page, rights] of what is mapped from page `from` on. */
const mapped = (pd: Pd, from: number, pages: number): number[][] =>
  pd.space.extents(from * PAGE, (from + pages) * PAGE).map((e) => [
    e.start / PAGE - from,
    (e.end - e.start) / PAGE,
    e.pa / PAGE,
    e.rights,
  ]);

Deno.test("a CRD survives encoding, with bases above 32 bits", () => {
  const crd = { kind: CrdKind.Memory, base: 0x7_ffff_fffe, order: 17, rights: 5 };
  assert.deepEqual(decodeCrd(crdLow(crd), crdHigh(crd)), crd);
  assert.equal(crdLow(object(32, 0, 1)), 3 + 4 + 32 * 4096);
});

Deno.test("the smaller window decides, and the hotspot picks the place in the larger one", () => {
  assert.deepEqual(hotspotWindow(memory(0x10, 2), memory(0x40, 4), 0x2c), { from: 0x10, to: 0x4c, order: 2 });
  assert.deepEqual(hotspotWindow(memory(0x47, 4), memory(0x81, 1), 0x6), { from: 0x46, to: 0x80, order: 1 });
  assert.deepEqual(hotspotWindow(memory(0x47, 0), memory(0x81, 0), 0xff), { from: 0x47, to: 0x81, order: 0 });
  assert.deepEqual(hotspotWindow(object(5), everything(CrdKind.Object), 0x1234), { from: 5, to: 0x1234, order: 0 });
});

Deno.test("port windows must overlap and keep their numbers", () => {
  assert.deepEqual(portWindow(ports(0x3f8, 3), everything(CrdKind.Port)), { from: 0x3f8, to: 0x3f8, order: 3 });
  assert.equal(portWindow(ports(0x3f8, 3), ports(0x2f8, 3)), undefined);
});

Deno.test("objects: rights are the intersection, occupied places and empty rights are skipped", () => {
  const { k, a, b, give } = world();
  for (const selector of [100, 101, 102]) createSm(k, a, selector, SELF, 0, 0);
  give(a, object(100, 2, 1), b, object(200, 2, 3));
  assert.deepEqual([200, 201, 202, 203].map((s) => rightsAt(b, s)), [1, 1, 1, 0]);
  give(a, object(100, 0, 3), b, object(200, 0));
  assert.equal(rightsAt(b, 200), 1);
  assert.deepEqual(give(a, object(100, 0, 0), b, object(210)), NULL_CRD);
  // Rights beyond those of the source are not invented.
  give(b, object(200, 0, 3), a, object(300));
  assert.equal(rightsAt(a, 300), 1);
});

Deno.test("the result names the destination even when the source was empty", () => {
  const { a, b, give } = world();
  assert.deepEqual(give(a, object(500, 1, 3), b, object(600, 1)), object(600, 1, 3));
  assert.deepEqual(give(a, object(500), b, memory(600)), NULL_CRD);
});

Deno.test("revoke takes rights from all descendants, and from the range itself only with self", () => {
  const { k, a, b, c, give } = world();
  createSm(k, a, 100, SELF, 0, 0);
  give(a, object(100), b, object(200));
  give(b, object(200), c, object(300));
  revoke(k, a, object(100, 0, 1), false);
  assert.deepEqual([rightsAt(a, 100), rightsAt(b, 200), rightsAt(c, 300)], [3, 2, 2]);
  revoke(k, b, object(200), false);
  assert.deepEqual([rightsAt(b, 200), rightsAt(c, 300)], [2, 0]);
  const sm = a.objects.find(100)?.object;
  revoke(k, a, object(100), true);
  assert.deepEqual([rightsAt(a, 100), rightsAt(b, 200), sm?.destroyed], [0, 0, true]);
});

Deno.test("an object lives on when a delegated capability goes", () => {
  const { k, a, b, give } = world();
  createSm(k, a, 100, SELF, 0, 0);
  give(a, object(100), b, object(200));
  revoke(k, b, object(0, 31), true);
  assert.equal(a.objects.find(100)?.object?.destroyed, false);
});

Deno.test("translation finds the receiver's own ancestor in the window", () => {
  const { k, a, b, give } = world();
  createSm(k, a, 100, SELF, 0, 0);
  give(a, object(100, 0, 1), b, object(200));
  assert.deepEqual(translate(b, object(200), a, everything(CrdKind.Object)), object(100, 0, 1));
  assert.deepEqual(translate(b, object(200), a, object(0, 6)), NULL_CRD);
  assert.deepEqual(translate(a, object(100), b, everything(CrdKind.Object)), NULL_CRD);
  assert.deepEqual(translate(a, object(100), a, everything(CrdKind.Object)), object(100, 0, 3));
});

Deno.test("kind 2 translates or else delegates and says so in bit 0 of the flags; kind 3 is invalid", () => {
  const { k, a, b } = world();
  createSm(k, a, 100, SELF, 0, 0);
  const item = (kind: number) => transferItem(k, a, object(100), kind, 7, b, everything(CrdKind.Object), object(64, 4));
  assert.deepEqual(item(0), { crd: NULL_CRD, meta: 0 });
  assert.deepEqual(item(2), { crd: object(71), meta: 3 });
  assert.deepEqual(item(3), { crd: NULL_CRD, meta: 3 });
});

Deno.test("memory: holes unmap, rights shrink, presence and read always stay", () => {
  const { a, b, give } = world();
  a.space.map(0x100 * PAGE, 0x9000 * PAGE, 2 * PAGE, 7);
  a.space.map(0x103 * PAGE, 0xa000 * PAGE, PAGE, 1);
  b.space.map(0x202 * PAGE, 0xb000 * PAGE, PAGE, 7);
  give(a, memory(0x100, 2, 2), b, memory(0x200, 2));
  assert.deepEqual(mapped(b, 0x200, 4), [[0, 2, 0x9000, 3], [3, 1, 0xa000, 1]]);
});

Deno.test("memory: rights 0 unmaps, undelegatable pages unmap, later changes do not propagate", () => {
  const { a, b, give } = world();
  a.space.map(0x100 * PAGE, 0x9000 * PAGE, PAGE, 7);
  a.space.map(0x101 * PAGE, 0x2000 * PAGE, PAGE, 3, TAG_NOT_DELEGATABLE);
  b.space.map(0x201 * PAGE, 0xb000 * PAGE, PAGE, 7);
  give(a, memory(0x100, 1), b, memory(0x200, 1));
  assert.deepEqual(mapped(b, 0x200, 2), [[0, 1, 0x9000, 7]]);
  a.space.unmap(0x100 * PAGE, PAGE);
  assert.equal(mapped(b, 0x200, 1).length, 1);
  give(a, memory(0x100, 0, 0), b, memory(0x200, 0));
  assert.equal(mapped(b, 0x200, 1).length, 0);
});

Deno.test("memory can be moved onto itself in one space", () => {
  const { a, give } = world();
  for (let i = 0; i < 4; i++) a.space.map((0x100 + i) * PAGE, (0x9000 + 2 * i) * PAGE, PAGE, 7);
  give(a, memory(0x100, 1), a, memory(0x102, 1));
  assert.deepEqual(mapped(a, 0x100, 4).map((e) => e[2]), [0x9000, 0x9002, 0x9000, 0x9002]);
});

Deno.test("memory is revoked in this PD only, whatever the rights", () => {
  const { k, a, b, give } = world();
  a.space.map(0x100 * PAGE, 0x9000 * PAGE, 4 * PAGE, 7);
  give(a, memory(0x100, 2), b, memory(0x100, 2));
  revoke(k, a, memory(0x100, 1, 0), false);
  assert.deepEqual([mapped(a, 0x100, 4).length, mapped(b, 0x100, 4)], [1, [[0, 4, 0x9000, 7]]]);
});

Deno.test("only a privileged source reaches the kernel's memory, and never kernel memory itself", () => {
  const { k, a } = world();
  delegate(k, a, memory(0xb000, 0), a, memory(0xb000, 0), 0, true);
  assert.equal(mapped(a, 0xb000, 1).length, 0);
  a.privileged = true;
  delegate(k, a, memory(0xb000, 0), a, memory(0xb000, 0), 0, true);
  assert.deepEqual(mapped(a, 0xb000, 1), [[0, 1, 0xb000, 7]]);
  delegate(k, a, memory(0x2000, 0), a, memory(0xb000, 0), 0, true);
  assert.equal(mapped(a, 0xb000, 1).length, 0);
});

Deno.test("ports: a part of the kernel's range is passed on and on, and revocation takes it back", () => {
  const { k, a, b } = world();
  a.privileged = true;
  delegate(k, a, ports(0x3f8, 3), a, everything(CrdKind.Port), 0, true);
  delegate(k, a, ports(0x3f8, 1), b, everything(CrdKind.Port), 0, false);
  const allowed = (pd: Pd, port: number, bytes = 1) => pd.ports.allowed(port, bytes);
  assert.deepEqual([allowed(a, 0x3ff), allowed(a, 0x400), allowed(a, 0x3ff, 2)], [true, false, false]);
  assert.deepEqual([allowed(b, 0x3f9), allowed(b, 0x3fa)], [true, false]);
  revoke(k, a, everything(CrdKind.Port), false);
  assert.deepEqual([allowed(a, 0x3f8), allowed(b, 0x3f8)], [true, false]);
  revoke(k, a, everything(CrdKind.Port), true);
  assert.equal(allowed(a, 0x3f8), false);
});

Deno.test("ten thousand PDs with a hundred capabilities each can live at once", () => {
  const { k, a } = world();
  for (let s = 0; s < 100; s++) createSm(k, a, 128 + s, SELF, 0, 0);
  const all = Array.from({ length: 10_000 }, () => k.life.newPd());
  for (const pd of all) delegate(k, a, object(128, 7), pd, object(128, 7), 0, false);
  assert.equal(all[9999].objects.within(0, 2 ** 26).length, 100);
  revoke(k, a, object(128, 7), false);
  assert.equal(all[9999].objects.within(0, 2 ** 26).length, 0);
});
