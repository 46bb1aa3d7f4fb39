import assert from "node:assert/strict";
import type { Machine, Script, Step } from "../hedron/testing/mod.ts";
import { BootError } from "./boot.ts";
import { PROCESS } from "./protocol.ts";
import { random } from "../tests/support/random.ts";
import { hyperappElf, reply, request, runScripts, text, u32, u64 } from "../tests/support/scripted_boot.ts";

const RAX = 0, RSP = 4;
const ENTRY = 0x40_0000;

const say = (m: Machine, words: string) => request(m, PROCESS.STDOUT, text(words));
const exit = (m: Machine, status: number) => request(m, PROCESS.EXIT, u64(status));
const codes = ({ result }: Awaited<ReturnType<typeof runScripts>>) => result.programs.map(({ exitCode }) => exitCode);

Deno.test("a hyperapp prints on both streams and exits with its status", async () => {
  const outcome = await runScripts([function* (m) {
    yield* say(m, "out");
    yield* request(m, PROCESS.STDERR, text("err"));
    yield* exit(m, 0x1_2a);
  }]);
  assert.deepEqual([outcome.stdout, outcome.stderr, ...codes(outcome)], ["out", "err", 0x2a]);
});

Deno.test("a hyperapp starts with the registers, stack, segments and selectors of the contract", async () => {
  const seen: unknown[] = [];
  await runScripts([function* (m) {
    const extent = (va: number) => m.space.find(va);
    seen.push(m.rip, m.get(RSP), m.get(RAX), m.read64(m.get(RSP)));
    seen.push(
      extent(PROCESS.UTCB)?.rights,
      extent(PROCESS.STACK_TOP - 512 * 4096)?.rights,
      extent(PROCESS.STACK_TOP - 512 * 4096 - 1),
    );
    seen.push(
      extent(ENTRY)?.rights,
      extent(ENTRY + 4096)?.rights,
      m.read64(ENTRY) % 256,
      m.read64(ENTRY + 4096) % 256,
      m.read64(ENTRY + 8192),
    );
    seen.push(extent(ENTRY + 4 * 4096));
    // create_sm (6) with the own PD's capability at selector 32, at a free selector and at one that is in use.
    for (const selector of [1000, 36]) {
      yield { trap: "syscall", regs: { 7: selector * 4096 + 6, 6: 32, 2: 0, 0: 0 } };
      seen.push(m.get(7));
    }
    yield* exit(m, 0);
  }]);
  assert.deepEqual(seen, [ENTRY, 0x7fff_ffff_dfc8, 0, 0, 3, 3, undefined, 5, 3, 0xaa, 0xbb, 0, undefined, 0, 4]);
});

Deno.test("a hyperapp ends by returning, with RAX as its status", async () => {
  const outcome = await runScripts([function* (m) {
    m.set(RAX, 7);
    m.rip = 0;
    yield { trap: "exception", vector: 14, error: 0x14, address: 0 };
  }]);
  assert.deepEqual([outcome.stderr, ...codes(outcome)], ["", 7]);
});

Deno.test("an exception ends only its hyperapp, with one line", async () => {
  const fault = (vector: number): Script =>
    function* () {
      yield { trap: "exception", vector, error: 6, address: 0x10 };
    };
  const outcome = await runScripts([fault(14), fault(6), fault(0), function* (m) {
    yield* say(m, "alive");
    yield* exit(m, 0);
  }]);
  assert.deepEqual(codes(outcome), [139, 132, 136, 0]);
  assert.equal(outcome.stdout, "alive");
  assert.deepEqual(outcome.stderr.trim().split("\n").sort(), [
    'hedra: Killed "app0" (pid 1): page fault at 0x400000, address 0x10',
    'hedra: Killed "app1" (pid 2): invalid opcode at 0x410000',
    'hedra: Killed "app2" (pid 3): divide error at 0x420000',
  ]);
  assert.match(outcome.result.programs[0].message ?? "", /page fault/);
});

Deno.test("hyperapps that all block for ever have ended with 0", async () => {
  const blocks: Script = function* (m) {
    yield { trap: "syscall", regs: { 7: 1000 * 4096 + 6, 6: 32, 2: 0, 0: 0 } };
    yield* say(m, "bye");
    yield { trap: "syscall", regs: { 7: 1000 * 4096 + 0x100 + 12, 6: 0, 2: 0 } };
  };
  const outcome = await runScripts([blocks, blocks]);
  assert.deepEqual([outcome.stdout, ...codes(outcome)], ["byebye", 0, 0]);
});

Deno.test("allocate gives zeroed memory above the program break and takes it back", async () => {
  const seen: number[] = [];
  await runScripts([function* (m) {
    function* allocate(size: number, align: number): Generator<Step, number, void> {
      yield* request(m, PROCESS.ALLOCATE, [0, ...u64(size), ...u64(align)]);
      return reply(m);
    }
    const first = yield* allocate(1, 1), second = yield* allocate(5000, 0x10_0000);
    seen.push(first, second % 0x10_0000, m.read64(first), m.space.find(second + 8191) === undefined ? 0 : 1);
    m.write64(first, 1);
    yield* request(m, PROCESS.ALLOCATE, [1, ...u64(first), ...u64(1), ...u64(1)]);
    seen.push(m.space.find(first) === undefined ? 1 : 0);
    yield* request(m, PROCESS.ALLOCATE, [1, ...u64(0x1234), ...u64(1), ...u64(1)]);
    seen.push(m.read64(yield* allocate(4096, 1)), yield* allocate(2 ** 40, 1), yield* allocate(2 ** 60, 1));
    yield* exit(m, 0);
  }]);
  assert.deepEqual(seen, [0x40_5000 + 0x4000_0000, 0, 0, 1, 1, 0, 0, 0]);
});

Deno.test("the fs service opens, writes all three kinds of data, seeks, reads and closes", async () => {
  const seen: unknown[] = [];
  const outcome = await runScripts(
    [function* (m) {
      const O_RDWR_CREAT = 0o102, buffer = ENTRY + 2 * 4096, textAt = (va: number) => String.fromCharCode(...u64(m.read64(va)));
      function* fs(bytes: number[]): Generator<Step, number, void> {
        yield* request(m, PROCESS.FS, bytes);
        return reply(m);
      }
      const open = (path: string, flags: number) => fs([0, ...text(path), ...u32(flags), 0xb4, 1]);
      seen.push((yield* open("/missing", 0)) === 2 ** 64, yield* open("/new", O_RDWR_CREAT));
      seen.push(yield* fs([3, ...u32(3), 2, ...text("slice"), ...u64(5)]));
      seen.push(yield* fs([3, ...u32(3), 1, 0x21, ...u64(1)]));
      m.write64(buffer, 0x4443_4241);
      seen.push(yield* fs([3, ...u32(3), 0, ...u64(buffer), ...u64(4)]));
      yield* fs([2, ...u32(3), ...u64(2)]);
      seen.push(yield* fs([3, ...u32(3), 1, 0x49, ...u64(1)]));
      yield* fs([2, ...u32(3), ...u64(0)]);
      // Six bytes at a time are exact in a number.
      m.write64(buffer, 0);
      seen.push(yield* fs([1, ...u32(3), ...u64(buffer), ...u64(6)]), textAt(buffer));
      m.write64(buffer, 0);
      seen.push(yield* fs([1, ...u32(3), ...u64(buffer), ...u64(100)]), textAt(buffer));
      seen.push(yield* fs([1, ...u32(3), ...u64(buffer), ...u64(100)]));
      yield* fs([4, ...u32(3)]);
      yield* fs([4, ...u32(77)]);
      seen.push(
        yield* fs([1, ...u32(3), ...u64(buffer), ...u64(100)]),
        yield* open("/data", 0),
        yield* fs([1, ...u32(3), ...u64(0x666), ...u64(4)]),
        // As in the thesis's flat file system, a directory need not exist.
        yield* open("/not/yet/there", O_RDWR_CREAT),
      );
      yield* exit(m, 0);
    }],
    {},
    [{ path: "data", bytes: new TextEncoder().encode("from the image") }],
  );
  assert.deepEqual(codes(outcome), [0]);
  assert.deepEqual(seen, [true, 3, 5, 1, 4, 1, 6, "slIce!\0\0", 4, "ABCD\0\0\0\0", 0, 0, 3, 0, 4]);
});

Deno.test("echo services and odd requests leave the message alone", async () => {
  const seen: number[] = [];
  await runScripts([function* (m) {
    for (const selector of [PROCESS.ECHO, PROCESS.RAW_ECHO]) {
      yield* request(m, selector, u64(4711));
      seen.push(reply(m));
    }
    for (const bytes of [[], [255, 255], [9, 9, 9], [2, ...u32(5)], [3, ...u32(5), 7]]) {
      for (const selector of [PROCESS.STDOUT, PROCESS.ALLOCATE, PROCESS.FS]) yield* request(m, selector, bytes);
    }
    yield* exit(m, 0);
  }]);
  assert.deepEqual(seen, [4711, 4711]);
});

Deno.test("many hyperapps start and end, and their memory is used again", async () => {
  // 64 MiB would not hold the stacks of all of them at once, were they not given back; they run one after the other.
  const outcome = await runScripts(Array.from({ length: 3 }, (_, i): Script =>
    function* (m) {
      yield* request(m, PROCESS.ALLOCATE, [0, ...u64(1 << 20), ...u64(1)]);
      yield* exit(m, i);
    }));
  assert.deepEqual(codes(outcome), [0, 1, 2]);
});

Deno.test("prefixed output keeps lines whole and names their process", async () => {
  const chatty: Script = function* (m) {
    for (const part of ["first ", "line\nsec", "ond\nrest"]) yield* say(m, part);
    yield* exit(m, 0);
  };
  const { stdout } = await runScripts([chatty, chatty], { output: { style: "prefixed", colour: false } });
  assert.deepEqual(
    stdout.trimEnd().split("\n").sort(),
    [1, 2].flatMap((pid) => ["first line", "rest", "second"].map((line) => `[app${pid - 1} ${pid}] ${line}`)),
  );
});

Deno.test("programs that cannot be started say why, the others run", async () => {
  const spec = (path: string) => ({ kind: "auto" as const, path, argv: [path], env: [], cwd: "/" });
  const { result, stdout } = await runScripts(
    [function* (m) {
      yield* say(m, "fine");
      yield* exit(m, 0);
    }],
    { programs: ["/missing", "/app0/x", "/notes", "/app0"].map(spec) },
    [{ path: "notes", bytes: new TextEncoder().encode("text") }],
  );
  assert.deepEqual(result.programs.map(({ exitCode }) => exitCode), [127, 127, 126, 0]);
  assert.ok(result.programs.slice(0, 3).every(({ message }) => message?.startsWith('Cannot run "/')));
  assert.equal(stdout, "fine");
});

Deno.test("a machine that is too small or a mount that cannot be is one clear error", async () => {
  await assert.rejects(() => runScripts([], { memoryMiB: 1 }), BootError);
  const mounts = [
    { guest: "/", source: { kind: "tar" as const, bytes: hyperappElf(ENTRY) }, overlay: false },
    { guest: "/", source: { kind: "memory" as const }, overlay: false },
  ];
  await assert.rejects(() => runScripts([], { mounts }), /Cannot mount at "\/": in use/);
});

Deno.test("the end of a hyperapp ends its other ECs as well, whether they run or block", async () => {
  let entries = 0, turns = 0;
  const outcome = await runScripts([function* (m) {
    const which = entries++;
    // The other global ECs start at the same entry: event base 0 leads to the same startup portal.
    if (which === 1) { for (;; turns++) yield { trap: "timer" }; }
    if (which === 2) yield { trap: "syscall", regs: { 7: 1009 * 4096 + 0x100 + 12, 6: 0, 2: 0 } };
    yield { trap: "syscall", regs: { 7: 1009 * 4096 + 6, 6: 32, 2: 0, 0: 0 } };
    for (const i of [0, 1]) {
      yield { trap: "syscall", regs: { 7: (1000 + i) * 4096 + 0x100 + 3, 6: 32, 2: 0x5000_0000 + i * 4096, 0: 0, 8: 0 } };
      assert.equal(m.get(7), 0);
      yield { trap: "syscall", regs: { 7: (1002 + i) * 4096 + 4, 6: 32, 2: 1000 + i, 0: 10_000 * 4096 + 1 } };
      assert.equal(m.get(7), 0);
    }
    while (turns < 3) yield { trap: "timer" };
    yield* exit(m, 5);
  }, function* (m) {
    yield* say(m, "next");
    yield* exit(m, 0);
  }]);
  assert.deepEqual([outcome.stdout, ...codes(outcome)], ["next", 5, 0]);
  assert.equal(entries, 3);
});

Deno.test("no message to a service, however absurd, harms the others", async () => {
  const source = random(4711), pick = (n: number): number => source.next().value % n;
  const portals = [PROCESS.ALLOCATE, PROCESS.STDOUT, PROCESS.STDERR, PROCESS.FS, PROCESS.ECHO, PROCESS.RAW_ECHO];
  const outcome = await runScripts([function* (m) {
    for (let round = 0; round < 5000; round++) {
      const bytes = Array.from({ length: pick(40) }, () => pick(3) === 0 ? pick(256) : pick(6));
      yield* request(m, portals[pick(portals.length)], bytes);
    }
    yield* exit(m, 3);
  }, function* (m) {
    yield* say(m, "unharmed");
    yield* exit(m, 4);
  }]);
  assert.deepEqual(codes(outcome), [3, 4]);
  assert.ok(outcome.stdout.includes("unharmed"));
});

Deno.test("damaged executables are refused or killed, the machine goes on", async () => {
  const source = random(815), pick = (n: number): number => source.next().value % n;
  const members = Array.from({ length: 60 }, (_, i) => {
    const bytes = hyperappElf(ENTRY + 0x10_0000);
    for (let k = 0; k <= pick(4); k++) bytes[pick(240)] = [0, 1, 0x7f, 0x80, 0xff][pick(5)];
    return { path: `bad${i}`, bytes: pick(4) === 0 ? bytes.slice(0, pick(bytes.length)) : bytes };
  });
  const spec = (path: string) => ({ kind: "hyperapp" as const, path, argv: [path], env: [], cwd: "/" });
  const programs = [...members.map(({ path }) => spec(`/${path}`)), spec("/app0")];
  const outcome = await runScripts(
    [function* (m) {
      yield* say(m, "fine");
      yield* exit(m, 0);
    }],
    { programs, memoryMiB: 1024 },
    members,
  );
  const last = outcome.result.programs[outcome.result.programs.length - 1];
  assert.deepEqual([outcome.stdout, last.exitCode], ["fine", 0]);
  assert.ok(outcome.result.programs.slice(0, -1).every(({ exitCode }) => exitCode >= 126));
});
