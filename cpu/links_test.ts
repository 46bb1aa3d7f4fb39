/** Jumps that the interpreter links to their target once that has been decoded. */
import assert from "node:assert/strict";
import { HedraCpu } from "./cpu.ts";
import { Trap } from "./api.ts";
import { KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "./layout.ts";
import { RIGHT_R, RIGHT_X } from "./space.ts";

Deno.test("a jump whose target cannot be run is not linked to what runs next", () => {
  const hooks = { tsc: () => 0, portAllowed: () => false, portIn: () => 0, portOut() {}, random() {} };
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x10_0000, hooks }), space = cpu.createSpace(), state = KERNEL_MEMORY;
  const code = 0x40_0000, other = 0x100;
  cpu.ram.u8.set([0xe9, 0, 0, 0, 0x80], USER_RAM); // jmp to the kernel's half
  cpu.ram.u8.set([0x0f, 0x05], USER_RAM + other); // syscall
  space.map(code, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
  cpu.resetState(state);
  const runAt = (address: number) => {
    cpu.ram.u32[(cpu.locate(state) + RIP) >> 2] = address;
    cpu.ram.u32[(cpu.locate(state) + RIP + 4) >> 2] = 0;
    return cpu.run(state, space, 1e9);
  };
  assert.deepEqual([code, code + other, code].map(runAt), [Trap.Exception, Trap.Syscall, Trap.Exception]);
});
