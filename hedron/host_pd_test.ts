import assert from "node:assert/strict";
import { type Coroutine, type Crd, CrdKind, type HostEc, type HostProgram, Status } from "./api.ts";
import { everything, NULL_CRD } from "./crd.ts";
import { testKernel } from "./testing/mod.ts";

const SELF = 32, EC = 100, PT = 101, SM = 102;
const object = (base: number, order = 0, rights = 31): Crd => ({ kind: CrdKind.Object, base, order, rights });
const memory = (base: number, order: number, rights = 7): Crd => ({ kind: CrdKind.Memory, base, order, rights });
const local = { global: false, utcb: 0 };
const quantum = 10_000;

/** Creates a host PD at `sel` whose program gets its own PD capability at 32; EC and SC at sel+1, sel+2. */
function startPd(ec: HostEc, sel: number, program: HostProgram, capabilities: [from: number, to: number][] = []): void {
  assert.equal(ec.createPd(sel, SELF, NULL_CRD), Status.Success);
  assert.equal(ec.createEc(sel + 1, sel, { global: true, utcb: 0, program }), Status.Success);
  for (const [from, to] of [[sel, SELF], ...capabilities]) {
    assert.equal(ec.delegate(SELF, object(from), sel, object(to)), Status.Success);
  }
  assert.equal(ec.createSc(sel + 2, SELF, sel + 1, 1, quantum), Status.Success);
}

Deno.test("a host handler answers a call in the caller's UTCB", () => {
  let answer = 0;
  const t = testKernel((ec) => {
    ec.createEc(EC, SELF, local);
    ec.createPt(PT, SELF, EC, 0, (id, h) => {
      h.utcb.set(0, h.utcb.get(0) + id);
      h.utcb.untyped = 1;
    });
    ec.ptCtrl(PT, 42);
    ec.utcb.set(0, -2);
    ec.utcb.untyped = 1;
    assert.equal(ec.call(PT), Status.Success);
    answer = ec.utcb.get(0);
  });
  assert.equal(t.run().state, "finished");
  assert.equal(answer, 40);
});

Deno.test("call() without a portal is BAD_CAP and to a busy EC without the helper's chance a livelock ends it", () => {
  const seen: Status[] = [];
  const t = testKernel((ec) => {
    seen.push(ec.call(77));
    ec.createEc(EC, SELF, local);
    ec.createPt(PT, SELF, EC, 0, (_id, h) => void seen.push(h.call(PT)));
    ec.call(PT);
  });
  t.run();
  assert.equal(seen[0], Status.BadCap);
  assert.notEqual(seen[1], Status.Success);
});

Deno.test("a coroutine blocks on a semaphore and goes on after up", () => {
  const log: string[] = [];
  const t = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 0);
    ec.createSm(SM + 1, SELF, 0);
    startPd(ec, 200, {
      name: "child",
      *main(c): Coroutine {
        log.push(`child ${yield c.smDown(50)}`);
        c.smUp(51);
      },
    }, [[SM, 50], [SM + 1, 51]]);
    log.push("up");
    ec.smUp(SM);
    log.push(`parent ${yield ec.smDown(SM + 1)}`);
  });
  assert.equal(t.run().state, "finished");
  assert.deepEqual(log, ["up", "child 0", "parent 0"]);
});

Deno.test("down with a deadline ends with COM_TIM at that time and the run loop reports it", () => {
  let status = -1;
  const t = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 0);
    status = yield ec.smDown(SM, ec.tsc() + 1_000_000);
  });
  const idle = t.run();
  assert.equal(idle.state, "idle");
  assert.ok(idle.deadline > 900_000 && idle.deadline < 1_100_000);
  t.cpu.time = idle.deadline;
  assert.equal(t.run().state, "finished");
  assert.equal(status, Status.ComTim);
});

Deno.test("a deadline in the past fires at once and the zero-counter flag empties the semaphore", () => {
  const seen: number[] = [];
  const t = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 3);
    seen.push(yield ec.smDown(SM, 0, true));
    seen.push(yield ec.smDown(SM, 1));
    seen.push(yield ec.smDown(999));
  });
  t.run();
  assert.deepEqual(seen, [Status.Success, Status.ComTim, Status.BadCap]);
});

Deno.test("a plain caller waits in a nested loop for a handler that blocks, while others run", () => {
  const log: string[] = [];
  const t = testKernel((ec) => {
    ec.createSm(SM, SELF, 0);
    ec.createEc(EC, SELF, local);
    ec.createPt(PT, SELF, EC, 0, function* (_id, h): Coroutine {
      log.push("blocks");
      log.push(`woken ${yield h.smDown(SM)}`);
      h.utcb.set(0, 7);
      h.utcb.untyped = 1;
    });
    startPd(ec, 200, { name: "waker", main: (c) => void (log.push("waker"), c.smUp(50)) }, [[SM, 50]]);
    assert.equal(ec.call(PT), Status.Success);
    log.push(`answer ${ec.utcb.get(0)}`);
  });
  assert.equal(t.run().state, "finished");
  assert.deepEqual(log, ["blocks", "waker", "woken 0", "answer 7"]);
});

Deno.test("a coroutine that yields callWait() does not hold up other coroutines", () => {
  const log: string[] = [];
  const t = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 0);
    ec.createEc(EC, SELF, local);
    ec.createPt(PT, SELF, EC, 0, function* (_id, h): Coroutine {
      yield h.smDown(SM);
      h.utcb.set(0, 9);
      h.utcb.untyped = 1;
    });
    startPd(ec, 200, { name: "waker", main: (c) => void c.smUp(50) }, [[SM, 50]]);
    log.push(`status ${yield ec.callWait(PT)} answer ${ec.utcb.get(0)}`);
  });
  assert.equal(t.run().state, "finished");
  assert.deepEqual(log, ["status 0 answer 9"]);
});

Deno.test("two callers of one busy handler are served one after the other", () => {
  const log: string[] = [];
  const t = testKernel((ec) => {
    ec.createSm(SM, SELF, 0);
    ec.createEc(EC, SELF, local);
    ec.createPt(PT, SELF, EC, 0, function* (_id, h): Coroutine {
      const who = h.utcb.get(0);
      log.push(`begin ${who}`);
      yield h.smDown(SM);
      log.push(`end ${who}`);
    });
    for (const n of [1, 2]) {
      const client = function* (c: HostEc): Coroutine {
        c.utcb.set(0, n);
        c.utcb.untyped = 1;
        log.push(`done ${n} ${yield c.callWait(60)}`);
      };
      startPd(ec, 200 + 10 * n, { name: `client ${n}`, main: client }, [[PT, 60]]);
    }
    startPd(ec, 300, { name: "waker", main: (c) => void (c.smUp(50), c.smUp(50)) }, [[SM, 50]]);
  });
  assert.equal(t.run().state, "finished");
  const served = log.filter((line) => !line.startsWith("done"));
  assert.deepEqual(served, ["begin 1", "end 1", "begin 2", "end 2"]);
  assert.deepEqual(log.filter((line) => line.startsWith("done")).sort(), ["done 1 0", "done 2 0"]);
});

Deno.test("memory pulled from the kernel PD can be passed on, and views are checked", () => {
  const pool = 0xb00_0000, page = pool / 4096;
  let read = 0;
  const t = testKernel((ec) => {
    assert.equal(ec.memory.has(pool, 8, false), false);
    assert.equal(ec.delegate(SELF, memory(page, 4), SELF, memory(page, 4), { hypervisor: true }), Status.Success);
    ec.memory.view(pool, 8, true)[0] = 77;
    startPd(ec, 200, {
      name: "reader",
      main: (c) => {
        read = c.memory.view(0x10_0000, 8, false)[0];
        assert.equal(c.memory.has(0x10_0000, 4096, false), true);
        assert.equal(c.memory.has(0x10_0000, 4096, true), false);
        assert.equal(c.memory.has(0x10_0000, 4097, false), false);
        assert.throws(() => c.memory.view(0x10_0000, 8, true), /not writable/);
      },
    });
    assert.equal(ec.delegate(SELF, memory(page, 0, 1), 200, memory(0x100, 0)), Status.Success);
  });
  t.run();
  assert.equal(read, 77);
});

Deno.test("capabilities travel as typed items of a call and of its reply", () => {
  const log: number[] = [];
  const t = testKernel((ec) => {
    ec.createSm(SM, SELF, 5);
    ec.createEc(EC, SELF, local);
    ec.createPt(PT, SELF, EC, 0, (_id, h) => {
      h.utcb.untyped = 0;
      h.utcb.typed = 1;
      h.utcb.setTyped(0, object(SM, 0, 1), { delegate: true, hotspot: 3 });
    });
    startPd(ec, 200, {
      name: "client",
      main: (c) => {
        c.utcb.del = object(64, 4);
        c.utcb.untyped = 0;
        assert.equal(c.call(60), Status.Success);
        log.push(c.utcb.typed, c.utcb.getTyped(0).base, c.lookup(object(67)).rights, c.smUp(67));
      },
    }, [[PT, 60]]);
  });
  t.run();
  assert.deepEqual(log, [1, 67, 1, Status.Success]);
});

Deno.test("revoking a PD destroys what was created in it and wakes waiters with BAD_CAP", () => {
  const log: Status[] = [];
  const t = testKernel(function* (ec): Coroutine {
    startPd(ec, 200, {
      name: "owner",
      *main(c): Coroutine {
        c.createSm(70, SELF, 0);
        c.delegate(SELF, object(70), 71, object(500));
        yield c.smDown(72);
      },
    }, [[SELF, 71]]);
    ec.createSm(SM, SELF, 0);
    ec.delegate(SELF, object(SM), 200, object(72));
    startPd(ec, 210, {
      name: "waiter",
      *main(c): Coroutine {
        log.push(yield c.smDown(80));
      },
    });
    // Lets the owner create its semaphore, then hands it on.
    yield ec.smDown(SM, ec.tsc() + 10_000_000);
    ec.delegate(SELF, object(500), 210, object(80));
    yield ec.smDown(SM, ec.tsc() + 10_000_000);
    ec.revoke(object(200, 2), true);
    log.push(ec.smUp(500));
  });
  for (let i = 0; i < 5; i++) t.cpu.time = Math.min(t.run().deadline, 1e12);
  assert.deepEqual(log.sort(), [Status.BadCap, Status.BadCap].sort());
});

Deno.test("everything() names all capabilities of a kind", () => {
  assert.deepEqual(everything(CrdKind.Object), { kind: CrdKind.Object, base: 0, order: 31, rights: 31 });
});

Deno.test("an interrupt ups the kernel's semaphore that roottask has pulled", () => {
  let woken = -1;
  const t = testKernel(function* (ec): Coroutine {
    ec.delegate(SELF, object(64 + 3), SELF, object(SM), { hypervisor: true });
    woken = yield ec.smDown(SM);
  });
  assert.equal(t.run().state, "idle");
  t.kernel.interrupt(3);
  assert.equal(t.run().state, "finished");
  assert.equal(woken, Status.Success);
});

Deno.test("100,000 processes' ECs leave no kernel memory behind", () => {
  let used = 0;
  const t = testKernel(function* (ec): Coroutine {
    ec.createSm(SM, SELF, 0);
    for (let i = 0; i < 100_000; i++) {
      assert.equal(ec.createPd(200, SELF, NULL_CRD), Status.Success);
      assert.equal(ec.createEc(201, 200, { global: true, utcb: 0x10_0000 }), Status.Success);
      ec.createSc(202, SELF, 201, 1, quantum);
      ec.revoke(object(200, 2), true);
      yield ec.smDown(SM, ec.tsc() + 1);
      if (i === 100) used = t.kernel.memory.used;
    }
  });
  while (t.run().state === "idle");
  assert.equal(t.kernel.memory.used <= used, true);
  assert.equal(t.kernel.life.pds.size, 2);
});
