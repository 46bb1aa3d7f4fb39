import assert from "node:assert/strict";
import { type Coroutine, type HostEc, MTD, Status } from "./api.ts";
import { FOREIGN, object, R11, R8, RAX, RCX, RDI, rdi, RDX, RSI, RSP, SELF, start, syscall, UTCB } from "./testing/guest.ts";
import { type Script, type TestKernel, testKernel } from "./testing/mod.ts";

const SM = 100, SERVICE = 101, HANDLER_ENTRY = 0x90_0000, SERVICE_UTCB = 0xdead_b000;

/** A guest that makes a portal at its selector 1001 which doubles word 0, after `delay` timer ticks, and sleeps. */
function service(delay: number): Script {
  return function* (m) {
    m.cpu.code.set(HANDLER_ENTRY, function* (h): ReturnType<Script> {
      for (let i = 0; i < delay; i++) yield { trap: "timer" };
      h.write64(SERVICE_UTCB + 0x20, h.read64(SERVICE_UTCB + 0x20) * 2);
      h.set(RSP, 0x6660);
      yield syscall({ [RDI]: rdi(1, 0) });
    });
    yield syscall({ [RDI]: rdi(3, 1000), [RSI]: SELF, [RDX]: SERVICE_UTCB, [RAX]: 0, [R8]: 0 });
    yield syscall({ [RDI]: rdi(5, 1001), [RSI]: SELF, [RDX]: 1000, [RAX]: 0, [R8]: HANDLER_ENTRY });
    yield syscall({ [RDI]: rdi(12, 70) });
    yield syscall({ [RDI]: rdi(12, 71, 1), [RSI]: 0, [RDX]: 0 });
  };
}

/** Starts the service and waits until its portal is there; then it is at SERVICE. */
function* startService(t: () => TestKernel, ec: HostEc, delay: number): Coroutine {
  ec.createSm(SM, SELF, 0);
  ec.createSm(SM + 20, SELF, 0);
  const setup = () => {
    ec.delegate(SELF, object(SM), 200, object(70));
    ec.delegate(SELF, object(SM + 20), 200, object(71));
  };
  start(t, ec, { code: service(delay), portals: [], setup });
  yield ec.smDown(SM);
  ec.delegate(200, object(1001), SELF, object(SERVICE));
}

const resume = (h: HostEc, result: number) => {
  const { state } = h;
  state.mtd = MTD.RIP | MTD.RSP | MTD.ACDB;
  state.rip = state.num(RCX);
  state.rsp = state.num(R11);
  state.set(RAX, result);
};

Deno.test("a plain host function calls a guest's portal and finds the answer when it returns", () => {
  const answers: number[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    yield* startService(() => t, ec, 0);
    for (const value of [21, 4]) {
      ec.utcb.set(0, value);
      ec.utcb.untyped = 1;
      assert.equal(ec.call(SERVICE), Status.Success);
      answers.push(ec.utcb.get(0));
    }
  });
  t.run();
  assert.deepEqual(answers, [42, 8]);
});

Deno.test("a foreign call whose handler calls a slow guest sees its client's registers unharmed, while others run and are preempted", () => {
  const log: string[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    yield* startService(() => t, ec, 30_000);
    start(() => t, ec, {
      foreign: true,
      *code(m) {
        yield syscall({ [RAX]: 7 });
        log.push(`client ${m.get(RAX)}`);
      },
      portals: [[FOREIGN, MTD.DEFAULT, (_id, h) => {
        h.utcb.set(0, h.state.num(RAX));
        h.utcb.untyped = 1;
        log.push(`status ${h.call(SERVICE)}, state ${h.state.num(RAX)}`);
        resume(h, h.utcb.get(0));
      }]],
    }, 10);
    start(() => t, ec, {
      *code() {
        for (let i = 0; i < 40_000; i++) {
          if (i % 20_000 === 0) log.push("other");
          yield { trap: "timer" };
        }
      },
      portals: [],
    }, 20);
  });
  for (let i = 0; i < 3; i++) t.run();
  assert.deepEqual(log.filter((line) => line !== "other"), ["status 0, state 7", "client 14"]);
  assert.ok(log.indexOf("other") < log.indexOf("client 14"));
});

Deno.test("guests that call a busy guest portal help it along and are all served", () => {
  const done: number[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    yield* startService(() => t, ec, 25_000);
    for (const n of [1, 2, 3]) {
      start(() => t, ec, {
        *code(m) {
          m.write32(UTCB + 4, 1);
          m.write64(UTCB + 0x20, n);
          yield syscall({ [RDI]: rdi(0, 60) });
          done.push(m.read64(UTCB + 0x20));
        },
        portals: [],
        setup: () => void ec.delegate(SELF, object(SERVICE), 200 + 10 * n, object(60)),
      }, 10 * n);
    }
  });
  for (let i = 0; i < 5; i++) t.run();
  assert.deepEqual(done.sort(), [2, 4, 6]);
  assert.ok(!t.events.some((event) => event.kind === "killed" && event.reason === "Livelock"));
});

Deno.test("a non-blocking call of a busy portal is COM_TIM", () => {
  const seen: number[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    yield* startService(() => t, ec, 15_000);
    for (const n of [1, 2]) {
      start(() => t, ec, {
        *code(m) {
          yield syscall({ [RDI]: rdi(0, 60, n - 1) });
          if (n === 2) seen.push(m.get(RDI));
        },
        portals: [],
        setup: () => void ec.delegate(SELF, object(SERVICE), 200 + 10 * n, object(60)),
      }, 10 * n);
    }
  });
  for (let i = 0; i < 5; i++) t.run();
  assert.deepEqual(seen, [Status.ComTim]);
});

Deno.test("a plain function that waits for what only the host can bring gets COM_ABT, and the kernel says so", () => {
  let status: Status | undefined;
  const t = testKernel((ec) => {
    ec.createSm(SM, SELF, 0);
    ec.createEc(SERVICE, SELF, { global: false, utcb: 0 });
    ec.createPt(SERVICE + 1, SELF, SERVICE, 0, function* (_id, h): Coroutine {
      yield h.smDown(SM);
    });
    status = ec.call(SERVICE + 1);
  });
  t.run();
  assert.equal(status, Status.ComAbt);
  assert.deepEqual(t.events.map((event) => event.kind), ["deadlock"]);
});

Deno.test("a nested wait with a deadline ends by itself", () => {
  let waited = -1;
  const t = testKernel((ec) => {
    ec.createSm(SM, SELF, 0);
    ec.createEc(SERVICE, SELF, { global: false, utcb: 0 });
    ec.createPt(SERVICE + 1, SELF, SERVICE, 0, function* (_id, h): Coroutine {
      waited = yield h.smDown(SM, h.tsc() + 50_000);
    });
    assert.equal(ec.call(SERVICE + 1), Status.Success);
  });
  t.run();
  assert.equal(waited, Status.ComTim);
});

Deno.test("an error in host code reaches the caller of run(), or kills only its EC when somebody takes errors", () => {
  const bad = () => {
    throw new Error("bug of a host PD");
  };
  assert.throws(() => testKernel(bad).run(), /bug of a host PD/);
  const errors: string[] = [], seen: Status[] = [];
  const t = testKernel((ec) => {
    ec.createEc(SERVICE, SELF, { global: false, utcb: 0 });
    ec.createPt(SERVICE + 1, SELF, SERVICE, 0, bad);
    seen.push(ec.call(SERVICE + 1), ec.call(SERVICE + 1));
  });
  t.kernel.hooks.hostError = (error) => errors.push(String(error));
  t.run();
  assert.deepEqual([seen, errors], [[Status.ComAbt, Status.ComTim], ["Error: bug of a host PD"]]);
});
