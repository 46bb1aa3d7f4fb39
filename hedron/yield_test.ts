import assert from "node:assert/strict";
import { type HostEc, MTD, type PortalHandler } from "./api.ts";
import { FOREIGN, type Guest, R11, RAX, RCX, start, syscall } from "./testing/guest.ts";
import { type Step, type TestKernel, testKernel } from "./testing/mod.ts";

/** Replies as an ordinary foreign call after `work`. */
const serve = (work: (h: HostEc) => void): PortalHandler => (_id, h) => {
  work(h);
  h.state.mtd = MTD.RIP | MTD.RSP;
  h.state.rip = h.state.num(RCX);
  h.state.rsp = h.state.num(R11);
};

/** Guests with these names and priorities take `rounds` steps each; the order of their turns. */
function turns(guests: Record<string, number>, rounds: number, step: Step, work: (h: HostEc, t: TestKernel) => void): string {
  let log = "";
  const t: TestKernel = testKernel((ec) => {
    for (const [i, [name, priority]] of Object.entries(guests).entries()) {
      const guest: Guest = {
        foreign: true,
        *code() {
          for (let n = 0; n < rounds; n++) {
            log += name;
            yield step;
          }
        },
        portals: [[FOREIGN, MTD.DEFAULT, serve((h) => work(h, t))]],
        priority,
      };
      start(() => t, ec, guest, 10 * i);
    }
  });
  t.run();
  return log;
}

const call = syscall({ [RAX]: 24 });

Deno.test("an SC that yields goes behind the others of its priority", () => {
  assert.equal(turns({ a: 1, b: 1, c: 1 }, 3, call, (h) => h.yieldCpu()), "abcabcabc");
  assert.equal(turns({ a: 1, b: 1, c: 1 }, 3, call, () => {}), "aaabbbccc");
});

Deno.test("an SC that spins, as PAUSE tells, goes behind the others of its priority", () => {
  assert.equal(turns({ a: 1, b: 1, c: 1 }, 3, { trap: "pause" }, () => {}), "abcabcabc");
  assert.equal(turns({ a: 1, b: 1, c: 1 }, 3, { trap: "timer" }, () => {}), "aaabbbccc");
});

Deno.test("yielding does not give the CPU to a lower priority, and who is alone does not lose it", () => {
  const reschedules: boolean[] = [];
  const log = turns({ L: 1, a: 2, b: 2 }, 2, call, (h, t) => {
    h.yieldCpu();
    reschedules.push(t.kernel.resched);
  });
  assert.equal(log, "ababLL");
  assert.deepEqual(reschedules, [true, true, true, true, false, false]);
});
