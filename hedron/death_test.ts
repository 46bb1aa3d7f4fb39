import assert from "node:assert/strict";
import { type Coroutine, type HostEc, MTD, Status } from "./api.ts";
import { NULL_CRD } from "./crd.ts";
import { FOREIGN, object, RAX, RDI, rdi, SELF, start, syscall } from "./testing/guest.ts";
import { type TestKernel, testKernel } from "./testing/mod.ts";

const SERVICE = 400, SM = 500, READY = 501;

/** A host PD with a portal at 700 that never answers; both semaphores are at the same selectors there. */
function startService(ec: HostEc): void {
  ec.createSm(SM, SELF, 0);
  ec.createSm(READY, SELF, 0);
  ec.createPd(SERVICE, SELF, NULL_CRD);
  ec.createEc(SERVICE + 1, SERVICE, {
    global: true,
    utcb: 0,
    program: {
      name: "service",
      *main(s): Coroutine {
        s.createEc(600, SELF, { global: false, utcb: 0 });
        s.createPt(700, SELF, 600, MTD.DEFAULT, function* (_id, h): Coroutine {
          h.smUp(READY);
          yield h.smDown(SM);
        });
        s.smUp(READY);
        yield s.smDown(SM);
      },
    },
  });
  for (const [from, to] of [[SERVICE, SELF], [SM, SM], [READY, READY]]) {
    ec.delegate(SELF, object(from), SERVICE, object(to));
  }
  ec.createSc(SERVICE + 2, SELF, SERVICE + 1, 1, 10_000);
}

Deno.test("when a service's PD goes, a caller gets COM_ABT, a client of its foreign portal dies, and all others go on", () => {
  const log: (string | number)[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    startService(ec);
    yield ec.smDown(READY);
    start(() => t, ec, {
      *code(m) {
        yield syscall({ [RDI]: rdi(0, 60) });
        log.push(m.get(RDI));
      },
      portals: [],
      setup: () => void ec.delegate(SERVICE, object(700), 200, object(60)),
    });
    yield ec.smDown(READY);
    ec.revoke(object(SERVICE), true);
    log.push("gone", ec.smUp(SM));
  });
  t.run();
  assert.deepEqual(log, ["gone", Status.Success, Status.ComAbt]);
  assert.equal([...t.kernel.life.pds].some((pd) => pd.label === "service"), true, "its first EC still has a capability");

  const events: string[] = [];
  const u: TestKernel = testKernel(function* (ec): Coroutine {
    startService(ec);
    yield ec.smDown(READY);
    start(() => u, ec, {
      foreign: true,
      *code() {
        yield syscall({ [RAX]: 1 });
        events.push("answered");
      },
      portals: [],
      setup: () => void ec.delegate(SERVICE, object(700), 200, object(FOREIGN)),
    });
    yield ec.smDown(READY);
    ec.revoke(object(SERVICE, 2), true);
  });
  u.run();
  assert.deepEqual(events, []);
  assert.deepEqual(u.events.map((event) => event.kind === "killed" && event.reason), ["IPC Abort"]);
  assert.equal([...u.kernel.life.pds].some((pd) => pd.label === "service"), false);
});

Deno.test("a destroyed EC whose handler still works ends when the answer comes, and its SC finishes the job", () => {
  const log: string[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 0);
    ec.createSm(READY, SELF, 0);
    start(() => t, ec, {
      foreign: true,
      *code() {
        yield syscall({ [RAX]: 1 });
        log.push("client runs on");
      },
      portals: [[FOREIGN, MTD.DEFAULT, function* (_id, h): Coroutine {
        h.smUp(READY);
        yield h.smDown(SM);
        log.push("handler done");
        h.state.mtd = MTD.ACDB;
        h.state.set(RAX, 1);
      }]],
    });
    yield ec.smDown(READY);
    ec.revoke(object(200, 1), true);
    ec.revoke(object(202), true);
    ec.smUp(SM);
  });
  t.run();
  assert.deepEqual(log, ["handler done"]);
  assert.equal(t.kernel.life.pds.size, 2);
  assert.deepEqual(t.events, []);
});

Deno.test("a blocked EC that is destroyed leaves its semaphore's queue", () => {
  const log: Status[] = [];
  const t: TestKernel = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 0);
    const waiter = (sel: number, deadline: number) => {
      ec.createPd(sel, SELF, NULL_CRD);
      ec.createEc(sel + 1, sel, {
        global: true,
        utcb: 0,
        program: {
          name: "waiter",
          *main(w): Coroutine {
            log.push(yield w.smDown(SM, deadline === 0 ? 0 : w.tsc() + deadline));
          },
        },
      });
      ec.delegate(SELF, object(SM), sel, object(SM));
      ec.createSc(sel + 2, SELF, sel + 1, 2, 10_000);
    };
    waiter(300, 0);
    waiter(310, 1_000_000);
    waiter(320, 0);
    ec.createSm(READY, SELF, 0);
    yield ec.smDown(READY, ec.tsc() + 100_000);
    ec.revoke(object(300, 2), true);
    ec.revoke(object(310, 2), true);
    ec.smUp(SM);
  });
  for (let i = 0; i < 3; i++) t.cpu.time = Math.min(t.run().deadline, 1e10);
  assert.deepEqual(log, [Status.Success]);
  assert.equal(t.kernel.timers.next, Infinity);
});
