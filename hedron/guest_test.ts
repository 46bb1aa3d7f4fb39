import assert from "node:assert/strict";
import { type ArchState, type Coroutine, type Crd, CrdKind, type HostEc, MTD, type PortalHandler, Status } from "./api.ts";
import {
  EC,
  ENTRY,
  FOREIGN,
  type Guest,
  object,
  PD,
  R11,
  R8,
  RAX,
  RBX,
  RCX,
  RDI,
  rdi,
  RDX,
  RSI,
  RSP,
  run,
  SELF,
  start,
  syscall,
  UTCB,
} from "./testing/guest.ts";
import { type Machine, type Script, type TestKernel, testKernel } from "./testing/mod.ts";

/** What `look` sees in a state message. */
function observe(look: (s: ArchState) => void, mtd = MTD.RIP | MTD.RSP): PortalHandler {
  return (_id, h) => {
    look(h.state);
    const { state } = h;
    state.mtd = mtd;
    state.rip = state.num(RCX);
    state.rsp = state.num(R11);
  };
}

Deno.test("a foreign system call shows arguments, return address in RCX and user RSP in R11, and stale RIP", () => {
  const seen: number[] = [];
  let after: number[] = [];
  const t = run({
    foreign: true,
    *code(m: Machine) {
      m.set(RSP, 0x7777);
      yield syscall({ [RAX]: 39, [RDI]: 5, [RBX]: 11 });
      after = [m.get(RAX), m.get(RBX), m.get(RSP), m.get(R11)];
    },
    portals: [[
      FOREIGN,
      MTD.DEFAULT,
      observe((s) => {
        seen.push(s.num(RAX), s.num(RDI), s.num(R11), s.rip, s.rsp);
        s.mtd = MTD.ACDB;
        s.set(RAX, 1234);
      }, MTD.RIP | MTD.RSP | MTD.ACDB),
    ]],
  });
  // RIP and RSP are those that the startup reply had set.
  assert.deepEqual(seen, [39, 5, 0x7777, ENTRY, 0x8000]);
  assert.deepEqual(after, [1234, 11, 0x7777, 0x7777]);
  assert.equal(t.events.filter((e) => e.kind === "killed")[0]?.reason, "PT not found");
});

Deno.test("a reply changes only the groups in its MTD, in whatever order they were written", () => {
  let after: number[] = [];
  run({
    foreign: true,
    *code(m: Machine) {
      yield syscall({ [RAX]: 1, [RDI]: 2, [RSI]: 3 });
      after = [m.get(RAX), m.get(RDI), m.get(RSI)];
    },
    portals: [[FOREIGN, MTD.DEFAULT, (_id, h) => {
      h.state.set(RDI, 99);
      h.state.set(RAX, -7);
      h.state.mtd = MTD.ACDB | MTD.RIP | MTD.RSP;
      h.state.rip = h.state.num(RCX);
      h.state.rsp = h.state.num(R11);
    }]],
  });
  assert.deepEqual(after, [2 ** 64 - 7, 2, 3]);
});

Deno.test("sysret() ends a foreign call at RCX with the stack pointer of R11 and the flags of the call", () => {
  let after: number[] = [];
  run({
    foreign: true,
    *code(m: Machine) {
      m.set(RSP, 0x6668);
      yield syscall({ [RAX]: 1 });
      after = [m.get(RSP), m.get(RAX)];
    },
    portals: [[FOREIGN, MTD.DEFAULT, (_id, h) => h.state.sysret()]],
  });
  assert.deepEqual(after, [0x6668, 1]);
});

Deno.test("what the portal's MTD does not select reads as zero", () => {
  const seen: number[] = [];
  run({
    foreign: true,
    *code() {
      yield syscall({ [RAX]: 1, [RDI]: 2, [R8]: 8 });
    },
    portals: [[FOREIGN, MTD.BSD, (_id, h) => {
      seen.push(h.state.num(RAX), h.state.num(RDI), h.state.num(R8), h.state.rip);
      h.state.mtd = MTD.RIP;
      h.state.rip = 0;
    }]],
  });
  assert.deepEqual(seen, [0, 2, 0, 0]);
});

Deno.test("with the native toggle set, a foreign PD's syscall is a hypercall and returns by sysret", () => {
  let after: number[] = [];
  const t = run({
    foreign: true,
    *code(m: Machine) {
      m.write32(UTCB, 1);
      m.set(RSP, 0x5550);
      // create_sm(70), then sm_ctrl down on it.
      yield syscall({ [RDI]: rdi(6, 70), [RSI]: SELF, [RDX]: 1, [RAX]: 0 });
      after = [m.get(RDI), m.get(R11), m.get(RSP)];
      yield syscall({ [RDI]: rdi(12, 70, 1), [RSI]: 0, [RDX]: 0 });
      after.push(m.get(RDI));
      yield syscall({ [RDI]: 200 });
      after.push(m.get(RDI));
    },
    portals: [],
  });
  assert.deepEqual(after, [0, 0x200, 0x5550, 0, Status.BadHyp]);
  assert.ok(t.events.some((e) => e.kind === "hypercall-error" && e.number === 200));
});

Deno.test("a page fault is a message with error code and address, and the pager's typed item maps the page", () => {
  const seen: number[] = [];
  let mapped = 0;
  run({
    *code(m: Machine) {
      yield { trap: "exception", vector: 14, error: 6, address: 0x12_3456 };
      mapped = m.space.find(0x12_3000)?.pa ?? 0;
    },
    portals: [[14, MTD.DEFAULT, (_id, h) => {
      seen.push(h.state.errorCode, h.state.faultAddress, h.state.rip);
      h.utcb.typed = 1;
      h.utcb.setTyped(0, { kind: CrdKind.Memory, base: 0xb000, order: 0, rights: 3 }, { delegate: true, hotspot: 0x123 });
    }]],
    setup: (ec) => {
      const page: Crd = { kind: CrdKind.Memory, base: 0xb000, order: 0, rights: 7 };
      ec.delegate(SELF, page, SELF, page, { hypervisor: true });
    },
  });
  assert.deepEqual(seen, [6, 0x12_3456, ENTRY]);
  assert.equal(mapped, 0xb00_0000);
});

Deno.test("an exception without a portal kills only that EC", () => {
  const t = run({
    *code() {
      yield { trap: "exception", vector: 13 };
    },
    portals: [],
  });
  assert.equal(t.events.length, 1);
  assert.deepEqual(t.events[0].kind === "killed" && [t.events[0].reason, t.events[0].rip], ["PT not found", ENTRY]);
});

Deno.test("a guest calls a host portal: data words go both ways and RDI is unchanged", () => {
  let after: number[] = [];
  run({
    *code(m: Machine) {
      m.write32(UTCB + 4, 2);
      m.write64(UTCB + 0x20, 20);
      m.write64(UTCB + 0x28, 22);
      yield syscall({ [RDI]: rdi(0, 60), [RBX]: 5 });
      after = [m.get(RDI), m.read64(UTCB + 0x20), m.get(RBX)];
    },
    portals: [[60, 0, (_id, h) => {
      h.utcb.set(0, h.utcb.get(0) + h.utcb.get(1));
      h.utcb.untyped = 1;
    }]],
  });
  assert.deepEqual(after, [rdi(0, 60), 42, 5]);
});

Deno.test("a guest serves a portal of its own: RDI is the id, RSP the one of the last reply, time is donated", () => {
  const log: number[] = [];
  const handler = ENTRY + 0x50_0000;
  const t: TestKernel = testKernel((ec) =>
    start(() => t, ec, {
      *code(m: Machine) {
        m.cpu.code.set(handler, function* (h): ReturnType<Script> {
          log.push(h.get(RDI), h.get(RSP), h.get(R11));
          h.write64(0xdead_b020, h.read64(0xdead_b020) * 2);
          h.set(RSP, 0x6660);
          yield syscall({ [RDI]: rdi(1, 0) });
        });
        yield syscall({ [RDI]: rdi(3, 1000), [RSI]: SELF, [RDX]: 0xdead_b000, [RAX]: 0xf00ba8, [R8]: 0 });
        log.push(m.get(RDI));
        yield syscall({ [RDI]: rdi(5, 1001), [RSI]: SELF, [RDX]: 1000, [RAX]: 0, [R8]: handler });
        log.push(m.get(RDI));
        yield syscall({ [RDI]: rdi(11, 1001), [RSI]: 77 });
        m.write32(UTCB + 4, 1);
        for (const value of [4, 5]) {
          m.write64(UTCB + 0x20, value);
          yield syscall({ [RDI]: rdi(0, 1001) });
          log.push(m.read64(UTCB + 0x20));
        }
      },
      portals: [],
    })
  );
  t.run();
  assert.deepEqual(log, [0, 0, 77, 0xf00ba8, 0x200, 8, 77, 0x6660, 0x200, 10]);
});

Deno.test("a guest handler that dies gives its caller COM_ABT, and later calls COM_TIM", () => {
  const log: number[] = [];
  const handler = ENTRY + 0x50_0000;
  run({
    *code(m: Machine) {
      m.cpu.code.set(handler, function* (): ReturnType<Script> {
        yield { trap: "exception", vector: 6 };
      });
      yield syscall({ [RDI]: rdi(3, 1000), [RSI]: SELF, [RDX]: 0xdead_b000, [RAX]: 0, [R8]: 0 });
      yield syscall({ [RDI]: rdi(5, 1001), [RSI]: SELF, [RDX]: 1000, [RAX]: 0, [R8]: handler });
      for (let i = 0; i < 2; i++) {
        yield syscall({ [RDI]: rdi(0, 1001) });
        log.push(m.get(RDI));
      }
    },
    portals: [],
  });
  assert.deepEqual(log, [Status.ComAbt, Status.ComTim]);
});

Deno.test("an EC that faults in its own handler's portal is killed as livelock", () => {
  const handler = ENTRY + 0x50_0000;
  const t = run({
    *code(m: Machine) {
      m.cpu.code.set(handler, function* (): ReturnType<Script> {
        yield { trap: "exception", vector: 6 };
      });
      yield syscall({ [RDI]: rdi(3, 1000), [RSI]: SELF, [RDX]: 0xdead_b000, [RAX]: 0, [R8]: 0 });
      yield syscall({ [RDI]: rdi(5, 6), [RSI]: SELF, [RDX]: 1000, [RAX]: 0, [R8]: handler });
      yield syscall({ [RDI]: rdi(0, 6) });
    },
    portals: [],
  });
  assert.deepEqual(t.events.map((e) => e.kind === "killed" && e.reason)[0], "Livelock");
});

Deno.test("a handler that blocks holds up only its own client", () => {
  const log: string[] = [];
  const t: TestKernel = testKernel((ec) => {
    ec.createSm(100, SELF, 0);
    const resume = (h: HostEc) => {
      h.state.mtd = MTD.RIP | MTD.RSP | MTD.ACDB;
      h.state.rip = h.state.num(RCX);
      h.state.rsp = h.state.num(R11);
      h.state.set(RAX, 5);
    };
    const client = (name: string, handler: PortalHandler): Guest => ({
      foreign: true,
      *code(m) {
        log.push(`${name} calls`);
        yield syscall({ [RAX]: 1 });
        log.push(`${name} got ${m.get(RAX)}`);
        yield syscall({ [RAX]: 2 });
      },
      portals: [[FOREIGN, MTD.DEFAULT, handler]],
    });
    start(
      () => t,
      ec,
      client("a", function* (_id, h): Coroutine {
        log.push(`a waits ${h.state.num(RAX)}`);
        yield h.smDown(100);
        log.push(`a woken ${h.state.num(RAX)}`);
        resume(h);
      }),
      0,
    );
    start(
      () => t,
      ec,
      client("b", (_id, h) => {
        h.smUp(100);
        resume(h);
      }),
      10,
    );
  });
  t.kernel.run(100_000);
  assert.deepEqual(log.slice(0, 4), ["a calls", "a waits 1", "b calls", "b got 5"]);
  assert.ok(log.includes("a woken 1") && log.includes("a got 5"));
});

Deno.test("equal priorities share the CPU by quantum, and a higher priority runs first", () => {
  const log: string[] = [];
  const t: TestKernel = testKernel((ec) => {
    const spin = (name: string, priority: number, rounds: number): Guest => ({
      *code() {
        for (let i = 0; i < rounds; i++) {
          if (log[log.length - 1] !== name) log.push(name);
          yield { trap: "timer" };
        }
      },
      portals: [],
      priority,
    });
    start(() => t, ec, spin("a", 1, 20_000), 0);
    start(() => t, ec, spin("b", 1, 20_000), 10);
    start(() => t, ec, spin("high", 2, 100), 20);
  });
  for (let i = 0; i < 3; i++) t.run();
  assert.deepEqual(log.slice(0, 5), ["high", "a", "b", "a", "b"]);
});

Deno.test("a recalled EC sends a message before it returns to user code, as if from RCX with RSP = R11", () => {
  const log: number[] = [];
  run({
    *code(m: Machine) {
      m.set(RSP, 0x4440);
      yield syscall({ [RDI]: rdi(0, 60) });
      log.push(m.get(RSP));
    },
    portals: [
      [60, 0, (_id, h) => void log.push(h.recall(EC))],
      [31, MTD.DEFAULT, (_id, h) => {
        log.push(Number(h.state.rip === h.state.num(RCX)), h.state.rsp, h.state.num(R11));
      }],
    ],
  });
  assert.deepEqual(log, [Status.Success, 1, 0x4440, 0x4440, 0x4440]);
});

Deno.test("destroying a process from its own handler frees its kernel memory", () => {
  let before = 0;
  const t: TestKernel = testKernel((ec) => {
    start(() => t, ec, {
      foreign: true,
      *code() {
        yield syscall({ [RAX]: 60 });
      },
      portals: [[FOREIGN, MTD.DEFAULT, (_id, h) => void h.revoke(object(PD, 3), true)]],
      setup: () => before = t.kernel.memory.used,
    });
  });
  t.run();
  assert.equal(t.events.length, 0);
  assert.equal(t.kernel.life.pds.size, 2);
  assert.ok(t.kernel.memory.used < before);
  assert.equal(t.run().state, "finished");
});

Deno.test("a semaphore chained to another hands it value and number of signals", () => {
  const log: number[] = [];
  run({
    *code(m: Machine) {
      yield syscall({ [RDI]: rdi(6, 70), [RSI]: SELF, [RDX]: 0, [RAX]: 0 });
      yield syscall({ [RDI]: rdi(6, 71), [RSI]: SELF, [RDX]: 0x55, [RAX]: 70 });
      for (let i = 0; i < 3; i++) yield syscall({ [RDI]: rdi(12, 71) });
      yield syscall({ [RDI]: rdi(12, 70, 1), [RSI]: 0, [RDX]: 0 });
      log.push(m.get(RDI), m.get(RSI), m.get(RDX));
    },
    portals: [],
  });
  assert.deepEqual(log, [Status.Success, 0x55, 3]);
});

Deno.test("delegate changes RDX and RAX, and rights 0 on objects is a silent success", () => {
  const log: number[] = [];
  const crd = (base: number, rights: number) => 3 + rights * 4 + base * 4096;
  run({
    *code(m: Machine) {
      yield syscall({ [RDI]: rdi(6, 70), [RSI]: SELF, [RDX]: 0, [RAX]: 0 });
      const delegate = (rights: number) =>
        syscall({ [RDI]: rdi(8, SELF, 2), [RDX]: crd(70, rights), [RSI]: SELF, [RAX]: 0x1001, [R8]: crd(80, 31) });
      yield delegate(1);
      log.push(m.get(RDI), m.get(RDX), m.get(RAX));
      yield delegate(0);
      log.push(m.get(RDI), m.get(RDX), m.get(RAX));
      yield syscall({ [RDI]: rdi(8, 0, 0), [RSI]: crd(80, 0) });
      log.push(m.get(RSI));
    },
    portals: [],
  });
  assert.deepEqual(log, [0, crd(80, 1), 1, 0, 0, 1, crd(80, 1)]);
});
