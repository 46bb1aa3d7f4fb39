import assert from "node:assert/strict";
import { EPIPE } from "./errno.ts";
import { MemoryHost } from "./memory_host.ts";

Deno.test("standard input is taken in pieces and ends", () => {
  const { stdin } = new MemoryHost({ stdin: "hello" }), bytes = new Uint8Array(3);
  assert.deepEqual([stdin.take(bytes), stdin.take(bytes), stdin.take(bytes)], [3, 2, 0]);
});

Deno.test("input that has not come yet is undefined, then announced", async () => {
  const host = new MemoryHost({ keepOpen: true }), bytes = new Uint8Array(10);
  let ready = 0;
  host.stdin.onReady = () => ready++;
  assert.equal(host.stdin.take(bytes), undefined);
  setTimeout(() => host.stdin.feed("late"), 5);
  await host.idle(Infinity);
  assert.equal(ready, 1);
  assert.equal(host.stdin.take(bytes), 4);
  host.stdin.end();
  assert.equal(host.stdin.take(bytes), 0);
});

Deno.test("idle() ends at its deadline and an event before it is not lost", async () => {
  const host = new MemoryHost({ keepOpen: true }), start = host.now();
  await host.idle(start + 20e6);
  assert.ok(host.now() - start >= 19e6);
  host.wake();
  await host.idle(Infinity);
});

Deno.test("output is captured until the reader goes away", () => {
  const { stdout } = new MemoryHost();
  assert.equal(stdout.write(new Uint8Array([0x68, 0x69])), 2);
  stdout.close();
  assert.equal(stdout.write(new Uint8Array(1)), -EPIPE);
  assert.equal(stdout.text, "hi");
});
