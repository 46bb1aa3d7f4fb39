import assert from "node:assert/strict";
import { Kernel } from "./kernel.ts";
import { Ec, Sc } from "./objects.ts";
import { ReadyQueue, TimerHeap } from "./scheduler.ts";
import { FakeCpu } from "./testing/mod.ts";

const kernel = new Kernel(new FakeCpu(), { tsc: () => 0 });
const ec = () => new Ec(0, kernel.kern, true);
const sc = (id: number, priority: number, left = 0) => {
  const made = new Sc(id, ec(), priority, 100);
  made.left = left;
  return made;
};
const drain = (queue: ReadyQueue): number[] => {
  const ids: number[] = [];
  for (let next = queue.take(); next; next = queue.take()) ids.push(next.id);
  return ids;
};

Deno.test("the highest priority comes first, in order of arrival within one priority", () => {
  const queue = new ReadyQueue();
  for (const each of [sc(1, 1), sc(2, 127), sc(3, 1), sc(4, 64), sc(5, 127)]) queue.enqueue(each);
  assert.deepEqual(drain(queue), [2, 5, 4, 1, 3]);
  assert.equal(queue.empty, true);
});

Deno.test("an SC with budget left goes to the head, an empty budget is refilled", () => {
  const queue = new ReadyQueue(), empty = sc(3, 5);
  for (const each of [sc(1, 5), sc(2, 5, 50), empty]) queue.enqueue(each);
  assert.equal(empty.left, 100);
  assert.deepEqual(drain(queue), [2, 1, 3]);
});

Deno.test("an SC can be taken out of the middle", () => {
  const queue = new ReadyQueue(), all = [1, 2, 3, 4].map((id) => sc(id, 9));
  for (const each of all) queue.enqueue(each);
  queue.remove(all[0]);
  queue.remove(all[2]);
  queue.remove(all[2]);
  assert.deepEqual(drain(queue), [2, 4]);
});

Deno.test("timers come in the order of their deadlines, whatever was taken out between", () => {
  const heap = new TimerHeap(), all: Ec[] = [];
  // A fixed pseudo-random order, so that a failure repeats.
  for (let i = 0, x = 12345; i < 200; i++) {
    x = (x * 1103515245 + 12345) % 2 ** 31;
    const each = ec();
    each.deadline = x % 1000;
    all.push(each);
    heap.add(each);
  }
  for (let i = 0; i < 200; i += 3) heap.remove(all[i]);
  const expected = all.filter((_, i) => i % 3 !== 0).map((each) => each.deadline).sort((a, b) => a - b);
  const seen: number[] = [];
  for (let first = heap.first; first; first = heap.first) {
    seen.push(first.deadline);
    heap.remove(first);
  }
  assert.deepEqual(seen, expected);
  assert.equal(heap.next, Infinity);
});
