import assert from "node:assert/strict";
import { WakeUp } from "./wake_up.ts";

const elapsed = async (wait: () => Promise<void>): Promise<number> => {
  const start = performance.now();
  await wait();
  return performance.now() - start;
};

Deno.test("short waits are neither cut short nor stretched to a timer's granularity", async () => {
  const events = new WakeUp();
  let best = Infinity;
  for (let i = 0; i < 20; i++) {
    const ms = await elapsed(() => events.wait(0.2));
    assert.ok(ms >= 0.2);
    best = Math.min(best, ms);
  }
  assert.ok(best < 1, `${best} ms`);
});

Deno.test("an event ends a wait, and one that came before it too", async () => {
  const events = new WakeUp();
  setTimeout(() => events.wake(), 2);
  assert.ok(await elapsed(() => events.wait(5000)) < 4000);
  events.wake();
  assert.ok(await elapsed(() => events.wait(5000)) < 4000);
});

Deno.test("a new wait ends the old one and leaves no timer behind", async () => {
  const events = new WakeUp(), old = events.wait(5000), infinite = events.wait(Infinity);
  await old;
  await Promise.all([infinite, events.wait(1)]);
});
