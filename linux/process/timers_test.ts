import assert from "node:assert/strict";
import { Timers } from "./timers.ts";

Deno.test("timers fire in the order of their times, and only those that are due", () => {
  const timers = new Timers();
  const fired: number[] = [];
  const timer = (at: number) => ({ at, fire: () => void fired.push(at) });
  let earlier = 0;
  timers.onEarlier = () => void earlier++;
  for (const at of [50, 10, 30, 20, 40]) timers.add(timer(at));
  assert.equal(earlier, 2);
  assert.equal(timers.next, 10);
  timers.run(30);
  assert.deepEqual(fired, [10, 20, 30]);
  assert.equal(timers.next, 40);
});

Deno.test("a timer that is removed does not fire", () => {
  const timers = new Timers();
  const timer = { at: 5, fire: () => assert.fail("it was removed") };
  timers.add(timer);
  timers.remove(timer);
  timers.run(100);
  assert.equal(timers.next, 0);
});
