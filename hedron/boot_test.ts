import assert from "node:assert/strict";
import { KERNEL_MEMORY, PAGE, USER_RAM } from "../cpu/layout.ts";
import { bootGuest, ROOT_HIP, ROOT_UTCB } from "./boot.ts";
import { Kernel, type KernelEvent } from "./kernel.ts";
import { FakeCpu, type Machine, type Script } from "./testing/mod.ts";

const RDI = 7, RSP = 4, RCX = 1, R11 = 11, RSI = 6, RDX = 2, RAX = 0, R8 = 8;
const ENTRY = 0x40_0040, MODULE = USER_RAM + 16 * PAGE;

/** One RWX segment at 0x400000, the whole file; `change` spoils it. */
function elf(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(2 * PAGE), view = new DataView(bytes.buffer);
  view.setUint32(0, 0x464c457f, true);
  view.setUint16(4, 0x0102, true);
  view.setUint16(0x10, 2, true);
  view.setUint16(0x12, 62, true);
  view.setUint32(0x18, ENTRY, true);
  view.setUint32(0x20, 64, true);
  view.setUint16(0x36, 56, true);
  view.setUint16(0x38, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(64 + 4, 7, true);
  view.setUint32(64 + 0x10, 0x40_0000, true);
  view.setUint32(64 + 0x20, bytes.length, true);
  view.setUint32(64 + 0x28, bytes.length, true);
  change(view);
  return bytes;
}

function boot(image: Uint8Array, code: Script): { kernel: Kernel; events: KernelEvent[]; cpu: FakeCpu } {
  const cpu = new FakeCpu(), events: KernelEvent[] = [];
  const kernel = new Kernel(cpu, { tsc: () => cpu.time += 100, event: (event) => events.push(event) });
  cpu.ram.u8.set(image, MODULE);
  cpu.code.set(ENTRY, code);
  bootGuest(kernel, { modules: [{ address: MODULE, size: image.length, commandLine: 0 }], tscKhz: 1e6, serialPort: 0x3f8 });
  kernel.run(1e9);
  return { kernel, events, cpu };
}

Deno.test("a guest roottask starts with the HIP in RSP, its segments mapped in place and everything else to be pulled", () => {
  const seen: number[] = [];
  boot(elf(), function* (m: Machine): ReturnType<Script> {
    seen.push(m.get(RDI), m.get(RCX), m.get(R11), m.get(RSP));
    for (const va of [ROOT_HIP, 0x40_0000]) seen.push(m.cpu.ram.u32[(m.space.find(va)?.pa ?? 0) >> 2]);
    seen.push(m.space.find(ROOT_UTCB)?.rights ?? 0, m.space.find(ROOT_HIP)?.rights ?? 0);
    // Pulls one page of RAM from the kernel PD, then a page of kernel memory: a hole, which unmaps.
    for (const page of [USER_RAM / PAGE + 0x1000, KERNEL_MEMORY / PAGE + 0x100]) {
      const crd = 1 + 7 * 4 + page * 4096, window = 1 + 31 * 4 + 0x1000 * 4096;
      const regs = { [RDI]: 8 + 2 * 256 + 32 * 4096, [RDX]: crd, [RSI]: 32, [RAX]: 0x801, [R8]: window };
      yield { trap: "syscall", regs };
      seen.push(m.get(RDI), m.space.find(0x1000 * PAGE)?.pa ?? 0);
    }
  });
  assert.deepEqual(seen, [0, ENTRY, 0x200, ROOT_HIP, 0x41564f4e, 0x464c457f, 3, 1, 0, USER_RAM + 0x1000 * PAGE, 0, 0]);
});

Deno.test("the HIP's words sum to zero and its descriptors end with kernel memory", () => {
  const { kernel, cpu } = boot(elf(), function* (): ReturnType<Script> {});
  const hip = kernel.kern.space.extents(KERNEL_MEMORY, USER_RAM)[0].pa, { view } = cpu.ram;
  const length = view.getUint16(hip + 6, true);
  assert.equal(length, 0xd20 + 4 * 24);
  let sum = 0;
  for (let at = 0; at < length; at += 2) sum += view.getUint16(hip + at, true);
  assert.equal(sum % 65536, 0);
  const types = [0, 1, 2, 3].map((i) => view.getUint32(hip + 0xd20 + 24 * i + 16, true));
  assert.deepEqual(types, [2, 1, 0xffff_fffe, 0xffff_ffff]);
  assert.equal(view.getUint32(hip + 0x18, true), 5004);
});

Deno.test("the BIOS data area tells the port of the serial line", () => {
  const { kernel, cpu } = boot(elf(() => {}), function* (): ReturnType<Script> {});
  const low = kernel.kern.space.extents(0, PAGE)[0];
  assert.equal(cpu.ram.view.getUint16(low.pa + 0x400, true), 0x3f8);
});

for (
  const [what, reason, change] of [
    ["no ELF magic", "No ELF", (v: DataView) => v.setUint8(0, 0)],
    ["another machine", "No ELF", (v: DataView) => v.setUint16(0x12, 3, true)],
    ["BSS in a segment", "Bad ELF", (v: DataView) => v.setUint32(64 + 0x28, 3 * PAGE, true)],
    ["offset and address that differ in the page", "Bad ELF", (v: DataView) => v.setUint32(64 + 0x10, 0x40_0010, true)],
  ] as const
) {
  Deno.test(`a roottask with ${what} is killed: ${reason}`, () => {
    const { events } = boot(elf(change), function* (): ReturnType<Script> {});
    assert.deepEqual(events.map((event) => event.kind === "killed" && event.reason), [reason]);
  });
}
