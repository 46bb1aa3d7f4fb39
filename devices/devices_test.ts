import assert from "node:assert/strict";
import { DebugConsole, PortBus, Uart16550 } from "./mod.ts";

function machine(input: number[] = []): { bus: PortBus; text: () => string; debug: () => string } {
  const serial: number[] = [], debug: number[] = [];
  const sink = (to: number[]) => ({ write: (bytes: Uint8Array) => to.push(...bytes) });
  const source = { take: (into: Uint8Array) => input.length === 0 ? undefined : (into[0] = input.shift() ?? 0, 1) };
  const bus = new PortBus([new Uart16550(0x3f8, sink(serial), source), new DebugConsole(sink(debug))]);
  return { bus, text: () => String.fromCharCode(...serial), debug: () => String.fromCharCode(...debug) };
}

Deno.test("a serial line prints what is written to its data register, in lines", () => {
  const { bus, text } = machine();
  for (const c of "Hi\nyou") bus.write(0x3f8, 1, c.charCodeAt(0));
  assert.equal(text(), "Hi\n");
  bus.flush();
  assert.equal(text(), "Hi\nyou");
});

Deno.test("the divisor latch hides data and interrupt-enable registers", () => {
  const { bus, text } = machine();
  bus.write(0x3fb, 1, 0x80);
  bus.write(0x3f8, 2, 0x0c03);
  assert.deepEqual([bus.read(0x3f8, 1), bus.read(0x3f9, 1)], [0x03, 0x0c]);
  bus.write(0x3fb, 1, 0x03);
  assert.equal(bus.read(0x3f9, 1), 0);
  bus.flush();
  assert.equal(text(), "");
});

Deno.test("loopback returns the sent byte and connects the modem lines", () => {
  const { bus, text } = machine();
  bus.write(0x3fc, 1, 0x1f);
  bus.write(0x3f8, 1, 0xae);
  assert.equal(bus.read(0x3fd, 1) & 1, 1);
  assert.equal(bus.read(0x3f8, 1), 0xae);
  assert.equal(bus.read(0x3fe, 1), 0xf0);
  bus.flush();
  assert.equal(text(), "");
});

Deno.test("received bytes are announced in the line status", () => {
  const { bus } = machine([0x61]);
  assert.equal(bus.read(0x3fd, 1), 0x61);
  assert.equal(bus.read(0x3f8, 1), 0x61);
  assert.equal(bus.read(0x3fd, 1), 0x60);
});

Deno.test("the debug console prints and answers with its port number; a port without a device floats", () => {
  const { bus, debug } = machine();
  bus.write(0xe9, 1, 0x21);
  bus.flush();
  assert.equal(debug(), "!");
  assert.equal(bus.read(0xe9, 1), 0xe9);
  assert.equal(bus.read(0x60, 4), 0xffff_ffff);
});
