import assert from "node:assert/strict";
import { random } from "../testing/memory.ts";
import { SigSet } from "./sigset.ts";
import { PendingSignals, sigInfo } from "./state.ts";

Deno.test("a signal set behaves like a set of the numbers 1 to 64", () => {
  const next = random(3);
  const set = new SigSet(), mask = new SigSet(), model = new Set<number>(), masked = new Set<number>();
  for (let i = 0; i < 3000; i++) {
    const signal = 1 + Math.floor(next() * 64);
    const [target, shadow] = next() < 0.5 ? [set, model] : [mask, masked];
    if (next() < 0.5) target.add(signal), shadow.add(signal);
    else target.remove(signal), shadow.delete(signal);
    assert.equal(target.has(signal), shadow.has(signal));
    const deliverable = [...model].filter((s) => !masked.has(s)).sort((a, b) => a - b);
    assert.equal(set.first(mask), deliverable[0] ?? 0);
    assert.equal(set.empty, model.size === 0);
  }
});

Deno.test("a standard signal is pending once, a real-time signal as often as it was sent", () => {
  const pending = new PendingSignals();
  for (let i = 0; i < 3; i++) {
    pending.add(sigInfo(10, 0, i));
    pending.add(sigInfo(40, 0, i));
  }
  assert.equal(pending.take(10).pid, 0);
  assert.ok(!pending.set.has(10));
  assert.deepEqual([pending.take(40).pid, pending.take(40).pid], [0, 1]);
  assert.ok(pending.set.has(40));
  assert.equal(pending.take(40).pid, 2);
  assert.ok(pending.set.empty);
});
