/** Regions of one processor that another one takes over, as it does those of an earlier run. */
import assert from "node:assert/strict";
import { Trap } from "../api.ts";
import { HedraCpu } from "../cpu.ts";
import { GPR, KERNEL_MEMORY, PAGE, RIP, STATE_BYTES, USER_RAM } from "../layout.ts";
import { RIGHT_R, RIGHT_W, RIGHT_X } from "../space.ts";
import { TIMED } from "../testing.ts";
import { CodeCache } from "./code_cache.ts";

const CODE = 0x40_0000, DATA = 0x80_0000, DATA_BYTES = 0x2_0000, TURNS = 5000;
/** l: add [rdi], rsi; push rsi; pop rax; call f; dec rcx; jnz l; syscall; f: lea rax, [rdi]; cpuid-free padding; ret. RSP lies in the data as well. */
const SUM = [0x48, 0x01, 0x37, 0x56, 0x58, 0xe8, 7, 0, 0, 0, 0x48, 0xff, 0xc9, 0x75, 0xf1, 0x0f, 0x05, 0x48, 0x8d, 0x07, 0xc3];
const RCX = 1, RSP = 4, RSI = 6, RDI = 7;

interface World {
  code?: readonly number[];
  dataPa?: number;
  dataBytes?: number;
  /** How many spaces run the program, one after the other. */
  spaces?: number;
}
/** One run of SUM; every space has its own sum. */
function run(cache: CodeCache | undefined, world: World = {}) {
  const { code = SUM, dataPa = USER_RAM + PAGE, dataBytes = DATA_BYTES, spaces = 1 } = world;
  const cpu = new HedraCpu({ ramBytes: USER_RAM + 0x100_0000, hooks: TIMED, heat: 1000, codeCache: cache }), sums: number[] = [];
  cpu.ram.u8.set(code, USER_RAM);
  const all = Array.from({ length: spaces }, (_, n) => ({ space: cpu.createSpace(), state: KERNEL_MEMORY + STATE_BYTES * n, n }));
  for (const { space, state, n } of all) {
    const pa = dataPa + n * DATA_BYTES, set = (offset: number, value: number) => cpu.ram.u32[(state + offset) >> 2] = value;
    space.map(CODE, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
    space.map(DATA, pa, dataBytes, RIGHT_R | RIGHT_W);
    cpu.resetState(state);
    set(RIP, CODE);
    set(GPR + 8 * RCX, TURNS);
    set(GPR + 8 * RSI, n + 1);
    set(GPR + 8 * RDI, DATA + 0x100);
    set(GPR + 8 * RSP, DATA + 0x1_0000);
    assert.equal(cpu.run(state, space, 1e9), Trap.Syscall);
    sums.push(cpu.ram.u32[(pa + 0x100) >> 2]);
  }
  return { sums, stats: cpu.stats(), file: cpu.cachedCode() };
}
const fileOf = (world?: World): Uint8Array => run(new CodeCache(undefined, "1"), world).file!;

Deno.test("a second run takes over the first one's regions and makes none", () => {
  const first = run(new CodeCache(undefined, "1"));
  assert.ok(first.stats.regions.made > 0 && first.stats.regions.restored === 0);
  const { sums, stats, file } = run(new CodeCache(first.file, "1"));
  assert.deepEqual(sums, [TURNS]);
  assert.equal(stats.regions.made, 0);
  assert.ok(stats.regions.restored > 0);
  assert.ok(stats.interpreter.instructions < first.stats.interpreter.instructions / 5, "they are used from the start");
  assert.equal(file, undefined, "there is nothing new");
});

Deno.test("a file that is written anew keeps what was in it", () => {
  const second = run(new CodeCache(fileOf(), "1"), { spaces: 3 });
  assert.ok(second.stats.regions.restored > 0 && second.stats.regions.made > 0);
  const third = run(new CodeCache(second.file, "1"), { spaces: 3 });
  assert.deepEqual(third.sums, [1, 2, 3].map((n) => n * TURNS));
  assert.equal(third.stats.regions.made, 0);
});

Deno.test("regions that several spaces share are taken over as well", () => {
  const file = fileOf({ spaces: 4 }), { sums, stats } = run(new CodeCache(file, "1"), { spaces: 4 });
  assert.deepEqual(sums, [1, 2, 3, 4].map((n) => n * TURNS));
  assert.equal(stats.regions.made, 0);
});

Deno.test("other code at the same addresses gets regions of its own", () => {
  // sub [rdi], rsi
  const { sums, stats } = run(new CodeCache(fileOf(), "1"), { code: SUM.with(1, 0x29) });
  assert.deepEqual(sums, [-TURNS >>> 0]);
  assert.equal(stats.regions.restored, 0);
  assert.ok(stats.regions.made > 0);
});

Deno.test("data at another physical address, or less of it, is found where it is", () => {
  for (const world of [{ dataPa: USER_RAM + 0x20_0000 }, { dataBytes: 0x1_0000 }]) {
    assert.deepEqual(run(new CodeCache(fileOf(), "1"), world).sums, [TURNS]);
  }
});

Deno.test("code that changes while the program runs drops what was taken over", () => {
  const cpu = new HedraCpu({
    ramBytes: USER_RAM + 0x100_0000,
    hooks: TIMED,
    heat: 1000,
    codeCache: new CodeCache(fileOf(), "1"),
  });
  const space = cpu.createSpace(),
    state = KERNEL_MEMORY,
    set = (at: number, value: number) => cpu.ram.u32[(state + at) >> 2] = value;
  cpu.ram.u8.set(SUM, USER_RAM);
  space.map(CODE, USER_RAM, PAGE, RIGHT_R | RIGHT_X);
  space.map(DATA, USER_RAM + PAGE, DATA_BYTES, RIGHT_R | RIGHT_W);
  for (const opcode of [0x01, 0x29, 0x01]) {
    cpu.ram.u8[USER_RAM + 1] = opcode;
    cpu.codeChanged(USER_RAM + 1, 1);
    cpu.discard(state);
    cpu.resetState(state);
    set(RIP, CODE);
    set(GPR + 8 * RCX, TURNS);
    set(GPR + 8 * RSI, opcode);
    set(GPR + 8 * RDI, DATA + 0x100);
    set(GPR + 8 * RSP, DATA + 0x1_0000);
    assert.equal(cpu.run(state, space, 1e9), Trap.Syscall);
  }
  assert.equal(cpu.ram.u32[(USER_RAM + PAGE + 0x100) >> 2], (0x01 - 0x29 + 0x01) * TURNS >>> 0);
  assert.ok(cpu.stats().regions.restored > 0);
});

Deno.test("files of another version, cut off, or with any byte changed do no harm", () => {
  const file = fileOf(),
    broken = [new Uint8Array(), file.subarray(0, 11), file.subarray(0, 40), file.subarray(0, file.length - 1)];
  assert.equal(run(new CodeCache(file, "2")).stats.regions.restored, 0);
  for (let at = 0; at < file.length; at += 37) broken.push(file.with(at, file[at] ^ 0x55));
  for (const bytes of broken) assert.deepEqual(run(new CodeCache(bytes, "1")).sums, [TURNS]);
});

Deno.test("what is kept does not grow from run to run", () => {
  let file = fileOf();
  const lengths: number[] = [];
  for (let n = 0; n < 20; n++) {
    file = run(new CodeCache(file, "1"), { dataPa: USER_RAM + 0x20_0000 * (n % 2) + PAGE }).file ?? file;
    lengths.push(file.length);
  }
  assert.ok(lengths[19] <= 1.1 * lengths[5], lengths.join(" "));
});

Deno.test("handlers that had to be made are kept, too", () => {
  const first = run(new CodeCache(undefined, "1")), second = run(new CodeCache(first.file, "1"));
  assert.ok(first.stats.interpreter.handlerBytes > 0);
  assert.equal(second.stats.interpreter.handlerBytes, 0);
});
