import assert from "node:assert/strict";
import { MAX_MAP_COUNT, PAGE } from "../abi/mman.ts";
import { memoryRig, random } from "../testing/memory.ts";
import { newVma } from "./vma.ts";

const PAGES = 200;

Deno.test("findGap() remembers what is full, and finds what a search from the top finds", () => {
  for (const seed of [1, 2, 3]) {
    const { mm } = memoryRig(PAGE), next = random(seed), top = mm.mmapBase, bottom = top - PAGES * PAGE;
    const upTo = (n: number) => Math.floor(next() * n);
    const isFree = (start: number, bytes: number) => !mm.vmas.intersects(start, start + bytes);
    const search = (bytes: number, below: number): number => {
      let at = below - bytes;
      while (!isFree(at, bytes)) at -= PAGE;
      return at;
    };
    // Addresses that an argument of MAP_32BIT would ask for are below everything else here; a second limit within reach shows the same.
    const tops = [top, top, top, top - 50 * PAGE];
    for (let step = 0; step < 3000; step++) {
      const bytes = (1 + upTo(8)) * PAGE, below = tops[upTo(tops.length)], found = mm.findGap(bytes, below);
      assert.equal(found, search(bytes, below), `seed ${seed}, step ${step}`);
      if (found === undefined) return;
      // Different rights keep areas apart.
      if (found >= bottom) mm.add(newVma(found, found + bytes, step % 2), false);
      const from = bottom + upTo(PAGES) * PAGE;
      if (next() < 0.7) mm.remove(from, from + (1 + upTo(found < bottom ? 40 : 12)) * PAGE);
    }
  }
});

Deno.test("with as many areas as there may be, none can be cut in two", () => {
  const { mm } = memoryRig(PAGE), base = 0x10_0000;
  for (let n = 0; n < MAX_MAP_COUNT - 1; n++) mm.vmas.items.push(newVma(base + 4 * n * PAGE, base + (4 * n + 3) * PAGE, 0));
  assert.equal(mm.crowded(base + PAGE, base + 2 * PAGE), false);
  mm.vmas.insert(newVma(0x7000_0000_0000, 0x7000_0000_1000, 0));
  assert.equal(mm.crowded(base + PAGE, base + 2 * PAGE), true);
  assert.equal(mm.crowded(base, base + 3 * PAGE), false);
  assert.equal(mm.crowded(base, base + PAGE), true);
  assert.equal(mm.crowded(base + PAGE, base + 4 * PAGE), true);
});
