import assert from "node:assert/strict";
import { type Coroutine, CrdKind, Status } from "./hedron/api.ts";
import { FakeCpu } from "./hedron/testing/mod.ts";
import { Machine } from "./machine.ts";

const host = {
  now: () => Math.round(performance.now() * 1e6),
  random: () => {},
  idle: (deadline: number) =>
    new Promise<void>((resolve) => {
      if (deadline === Infinity) return;
      setTimeout(resolve, Math.max(0, (deadline - performance.now() * 1e6) / 1e6));
    }),
};

Deno.test("a machine runs to the end by itself and waits for deadlines without spinning", async () => {
  const machine = new Machine({ memoryMiB: 1, host, cpu: new FakeCpu() });
  let status = -1;
  machine.boot({
    name: "roottask",
    *main(ec): Coroutine {
      ec.createSm(100, 32, 0);
      status = yield ec.smDown(100, ec.tsc() + 5_000_000);
    },
  });
  const start = performance.now();
  await machine.run();
  assert.equal(status, Status.ComTim);
  assert.ok(performance.now() - start >= 4);
});

Deno.test("an interrupt from outside wakes an idle machine, and stop() ends it", async () => {
  const machine = new Machine({ memoryMiB: 1, host, cpu: new FakeCpu() });
  const object = (base: number) => ({ kind: CrdKind.Object, base, order: 0, rights: 31 });
  let woken = 0;
  machine.boot({
    name: "roottask",
    *main(ec): Coroutine {
      ec.delegate(32, object(64 + 5), 32, object(100), { hypervisor: true });
      for (;;) {
        yield ec.smDown(100);
        if (++woken === 2) machine.stop();
      }
    },
  });
  setTimeout(() => machine.interrupt(5), 2);
  setTimeout(() => machine.interrupt(5), 4);
  await machine.run();
  assert.equal(woken, 2);
});
