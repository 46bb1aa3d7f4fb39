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

/** An ET_EXEC file with one RWX segment at 0x400000 that holds the whole file; the code begins at 0x400080. */
function tinyElf(code: number[]): Uint8Array {
  const bytes = new Uint8Array(4096), view = new DataView(bytes.buffer);
  for (
    const [at, size, value] of [
      [0x00, 4, 0x464c457f],
      [0x04, 2, 0x0102],
      [0x10, 2, 2],
      [0x12, 2, 62],
      [0x18, 4, 0x40_0080],
      [0x20, 4, 64],
      [0x36, 2, 56],
      [0x38, 2, 1],
      [0x40, 4, 1],
      [0x44, 4, 7],
      [0x50, 4, 0x40_0000],
      [0x60, 4, 4096],
      [0x68, 4, 4096],
    ]
  ) size === 4 ? view.setUint32(at, value, true) : view.setUint16(at, value, true);
  bytes.set(code, 0x80);
  return bytes;
}

Deno.test("a machine-code roottask pulls a port from the kernel and writes to it; another port is a general protection fault", async () => {
  const imm = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >> 24];
  const crd = 2 | (31 << 2) | (0xe9 << 12), written: number[] = [];
  const code = [
    ...[0x48, 0xc7, 0xc7, ...imm(8 | (2 << 8) | (32 << 12))], // mov rdi, pd_ctrl delegate, source 32
    ...[0x48, 0xc7, 0xc6, ...imm(32)], // mov rsi, destination 32
    ...[0x48, 0xc7, 0xc2, ...imm(crd)], // mov rdx, port 0xe9
    ...[0x48, 0xc7, 0xc0, ...imm(0x801)], // mov rax, delegate with the hypervisor flag
    ...[0x49, 0xc7, 0xc0, ...imm(crd)], // mov r8, window
    ...[0x0f, 0x05], // syscall
    ...[0xb0, 0x48, 0xe6, 0xe9], // mov al, 'H'; out 0xe9, al
    ...[0xb0, 0x69, 0xe6, 0xe9], // mov al, 'i'; out 0xe9, al
    ...[0xe6, 0x80], // out 0x80, al
  ];
  const events: string[] = [];
  const machine = new Machine({
    memoryMiB: 1,
    host,
    ports: { read: () => 0, write: (_port, _bytes, value) => void written.push(value) },
    event: (event) => events.push(event.kind === "killed" ? `${event.reason} at ${event.rip.toString(16)}` : event.kind),
  });
  machine.bootGuest([{ bytes: tinyElf(code), commandLine: "roottask" }]);
  await machine.run();
  assert.deepEqual(String.fromCharCode(...written), "Hi");
  assert.deepEqual(events, [`PT not found at ${(0x40_0080 + code.length - 2).toString(16)}`]);
});
