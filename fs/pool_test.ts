import assert from "node:assert/strict";
import { PAGE } from "../cpu/layout.ts";
import { Pool } from "./pool.ts";

const BASE = 0x1000_0000;

Deno.test("runs never overlap and everything given back can be taken as one run again", () => {
  const pages = 256, pool = new Pool(BASE, pages * PAGE), owner = new Array<number>(pages).fill(0);
  const held: { address: number; count: number }[] = [];
  let seed = 7;
  const random = (n: number) => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0, (seed >>> 16) % n);
  const mark = (address: number, count: number, from: number, to: number) => {
    for (let i = 0; i < count; i++) {
      const page = (address - BASE) / PAGE + i;
      assert.equal(owner[page], from);
      owner[page] = to;
    }
  };
  for (let round = 0; round < 5000; round++) {
    if (random(2) === 0 || held.length === 0) {
      const count = 1 + random(random(4) === 0 ? 40 : 4), address = pool.take(count * PAGE);
      if (address === 0) continue;
      mark(address, count, 0, 1);
      held.push({ address, count });
    } else if (random(3) === 0) {
      const last = held[held.length - 1];
      if (!pool.extend(last.address + last.count * PAGE, PAGE)) continue;
      mark(last.address + last.count * PAGE, 1, 0, 1);
      last.count++;
    } else {
      const [{ address, count }] = held.splice(random(held.length), 1);
      mark(address, count, 1, 0);
      pool.give(address, count * PAGE);
    }
    assert.equal(pool.available, owner.filter((each) => each === 0).length * PAGE);
  }
  for (const { address, count } of held) pool.give(address, count * PAGE);
  assert.equal(pool.longest(), pages * PAGE);
  assert.equal(pool.take(pages * PAGE), BASE);
  assert.equal(pool.take(PAGE), 0);
});

Deno.test("fragmented memory is taken in several runs, all or nothing", () => {
  const pool = new Pool(BASE, 8 * PAGE), pages = Array.from({ length: 8 }, () => pool.take(PAGE));
  for (const i of [0, 1, 3, 5, 6, 7]) pool.give(pages[i], PAGE);
  assert.equal(pool.takeRuns(7 * PAGE), undefined);
  assert.equal(pool.available, 6 * PAGE);
  const runs = pool.takeRuns(6 * PAGE);
  assert.deepEqual(runs?.map(({ bytes }) => bytes / PAGE).toSorted(), [1, 2, 3]);
  assert.equal(pool.available, 0);
});
