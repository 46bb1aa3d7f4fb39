import assert from "node:assert/strict";
import { Trap } from "../cpu/api.ts";
import { KERNEL_MEMORY, PAGE, RIP, USER_RAM } from "../cpu/layout.ts";
import { LockstepCpu } from "../host/unicorn/lockstep_cpu.ts";
import { execute, GUEST_ENV, runHedra, text } from "./process.ts";
import { compile, testWith } from "./tools.ts";

const PROGRAMS = [["library.c", ["first"]], ["signals.c", []], ["threads.c", []], ["floats.c", []], ["faults.c", []]] as const;
for (const [source, args] of PROGRAMS) {
  testWith(["libunicorn2", "gcc"], `${source} does on Unicorn what it does on Linux`, async () => {
    const program = await compile(source, "gcc"), native = await execute(program, args, { env: GUEST_ENV });
    const run = await runHedra(["run", "--memory", "256", "--cpu-engine", "unicorn", program, ...args]);
    assert.deepEqual([text(run.stdout), run.code], [text(native.stdout), native.code], text(run.stderr));
  });
}

Deno.test("--stats over another processor is refused", async () => {
  const run = await runHedra(["run", "--stats", "--cpu-engine", "unicorn", "/bin/true"]);
  assert.equal(run.code, 2);
  assert.match(text(run.stderr), /Cannot use --stats with --cpu-engine unicorn/);
});

testWith(["libunicorn2", "gcc"], "the interpreter and Unicorn agree after each instruction of a C program", async () => {
  const run = await runHedra(["run", "--memory", "64", "--cpu-engine", "lockstep", await compile("floats.c", "gcc")]);
  const counts = /lockstep: (\d+) instructions equal, (\d+) not compared/.exec(text(run.stderr));
  assert.ok(counts, text(run.stderr));
  assert.ok(Number(counts[1]) > 10_000 && Number(counts[2]) < Number(counts[1]) / 20, counts[0]);
});

testWith(["libunicorn2"], "lockstep stops at the first difference and shows both states", () => {
  const hooks = { tsc: () => 0, portAllowed: () => false, portIn: () => 0, portOut() {}, random() {} };
  let report = "";
  const cpu = new LockstepCpu({ ramBytes: USER_RAM + 0x10_0000, hooks }, (text) => {
    report = text;
    throw new Error("stopped");
  });
  const space = cpu.createSpace();
  space.map(0x40_0000, USER_RAM, PAGE, 7);
  // mov eax, 5; smsw eax: the two have other values in CR0; ud2
  cpu.ram.u8.set([0xb8, 5, 0, 0, 0, 0x0f, 0x01, 0xe0, 0x0f, 0x0b], USER_RAM);
  cpu.resetState(KERNEL_MEMORY);
  cpu.ram.u32[(KERNEL_MEMORY + RIP) >> 2] = 0x40_0000;
  assert.throws(() => assert.equal(cpu.run(KERNEL_MEMORY, space, 1e9), Trap.Exception), /stopped/);
  assert.match(report, /after 2 instructions .*\n +400005: smsw.*\n.*before +Hedra +Unicorn\nrax/);
  space.destroy();
  return Promise.resolve();
});
