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

testWith(["gcc"], "--stats shows that the interpreter alone makes no regions, and the translator alone many", async () => {
  const program = await compile("floats.c", "gcc");
  const regions = async (engine: string): Promise<number> => {
    const { stderr } = await runHedra(["run", "--stats", "--json", "--cpu-engine", engine, program]);
    return JSON.parse(text(stderr)).regions.made;
  };
  assert.equal(await regions("interpreter"), 0);
  assert.ok(await regions("translator") > 100);
});

testWith(["libunicorn2", "gcc"], "the interpreter and Unicorn agree after each instruction of a C program", async () => {
  const run = await runHedra(["run", "--memory", "64", "--cpu-engine", "lockstep", await compile("floats.c", "gcc")]);
  const counts = /lockstep: (\d+) instructions equal, (\d+) not compared/.exec(text(run.stderr));
  assert.ok(counts, text(run.stderr));
  assert.ok(Number(counts[1]) > 10_000 && Number(counts[2]) < Number(counts[1]) / 20, counts[0]);
});

/** Both over one page of code at 0x400000, `differ` with the report of a difference. */
function lockstepOver(code: readonly number[], differ: (report: string) => void): LockstepCpu {
  const hooks = { tsc: () => 0, portAllowed: () => false, portIn: () => 0, portOut() {}, random() {} };
  const cpu = new LockstepCpu({ ramBytes: USER_RAM + 0x10_0000, hooks }, (text) => {
    differ(text);
    throw new Error("stopped");
  });
  cpu.ram.u8.set(code, USER_RAM);
  cpu.resetState(KERNEL_MEMORY);
  cpu.ram.u32[(KERNEL_MEMORY + RIP) >> 2] = 0x40_0000;
  return cpu;
}

testWith(["libunicorn2"], "lockstep stops at the first difference and shows both states", () => {
  let report = "";
  // mov eax, 5; smsw eax: the two have other values in CR0; ud2
  const cpu = lockstepOver([0xb8, 5, 0, 0, 0, 0x0f, 0x01, 0xe0, 0x0f, 0x0b], (text) => report = text), space = cpu.createSpace();
  space.map(0x40_0000, USER_RAM, PAGE, 7);
  assert.throws(() => assert.equal(cpu.run(KERNEL_MEMORY, space, 1e9), Trap.Exception), /stopped/);
  assert.match(report, /after 2 instructions .*\n +400005: smsw.*\n.*before +Hedra +Unicorn\nrax/);
  space.destroy();
  return Promise.resolve();
});

testWith(
  ["libunicorn2"],
  "lockstep: a fault at the target of a jump is not the jump's, and what Unicorn lacks is not compared",
  () => {
    const code = [
      ...[0x48, 0x8d, 0x25, 0xf9, 0x07, 0, 0], // lea rsp, [rip + 0x7f9]: 0x400800
      ...[0x48, 0x83, 0x24, 0x24, 0], // and qword [rsp], 0
      ...[0x0f, 0xae, 0x04, 0x24], // fxsave [rsp]
      ...[0x0f, 0x38, 0xf0, 0x04, 0x24], // movbe eax, [rsp]
      ...[0xf3, 0x0f, 0xb8, 0xc0], // popcnt eax, eax
      ...[0xe8, 0, 0, 0, 1], // call to where nothing is
    ];
    const cpu = lockstepOver(code, assert.fail), space = cpu.createSpace();
    space.map(0x40_0000, USER_RAM, PAGE, 7);
    cpu.ram.u8.fill(0xff, USER_RAM + 0x800, USER_RAM + 0xa00);
    assert.deepEqual([cpu.run(KERNEL_MEMORY, space, 1e9), cpu.vector, cpu.faultAddress], [
      Trap.Exception,
      14,
      0x40_0000 + code.length + (1 << 24),
    ]);
    assert.deepEqual([cpu.judged, cpu.skipped], [3, 4]);
    space.destroy();
    return Promise.resolve();
  },
);
