import assert from "node:assert/strict";
import { HOST_PD, PROCESS, PROCESS_SERVICE } from "./protocol.ts";
import { type HostEc, type HostProgram, Status } from "../hedron/api.ts";
import { serveSpawn } from "../linux/spawn_portal.ts";
import { request, runScripts, text, u64 } from "../tests/support/scripted_boot.ts";

const START_NS = 5_000_000;
const SELF_LOCAL = 5000;

/** A personality that registers a process for each start request, and throws some time later. */
function failing(): HostProgram {
  return {
    name: "linux",
    *main(ec: HostEc) {
      const current = { ec }, selectors = { take: () => SELF_LOCAL };
      const os = { current, selectors, enter: (handler: HostEc) => void (current.ec = handler) };
      serveSpawn(os as unknown as Parameters<typeof serveSpawn>[0], () => { // of Selectors it takes one only
        const { utcb } = current.ec;
        utcb.del = { kind: 3, base: 0x8000, order: 3, rights: 0x1f };
        utcb.set(0, PROCESS_SERVICE.REGISTER);
        utcb.set(1, 0);
        utcb.untyped = 2;
        utcb.typed = 0;
        current.ec.call(HOST_PD.PROCESS);
        utcb.typed = 0;
        return utcb.get(0);
      });
      yield ec.smDown(HOST_PD.CONSOLE_SM, ec.tsc() + START_NS);
      throw new Error("lost the thread");
    },
  };
}

Deno.test("a personality that fails takes its own programs with it, and nothing else", async () => {
  const statuses: number[] = [];
  const outcome = await runScripts([function* (m) {
    // create_sm, then a down that waits until long after the failure.
    yield { trap: "syscall", regs: { 7: SELF_LOCAL * 4096 + 6, 6: PROCESS.SELF_PD, 2: 0, 0: 0 } };
    yield { trap: "syscall", regs: { 7: SELF_LOCAL * 4096 + 12 + 256, 6: 0, 2: m.cpu.time + 10 * START_NS } };
    statuses.push(m.get(7));
    yield* request(m, PROCESS.STDOUT, text("still here"));
    yield* request(m, PROCESS.EXIT, u64(7));
  }, function* () {}], {
    linux: failing,
    programs: [
      { kind: "linux", path: "/app1", argv: ["app1"], env: [], cwd: "/" },
      { kind: "hyperapp", path: "/app0", argv: [], env: [], cwd: "/" },
    ],
  });
  assert.deepEqual(outcome.result.programs.map(({ exitCode }) => exitCode), [125, 7]);
  assert.deepEqual(statuses, [Status.ComTim]);
  assert.equal(outcome.stdout, "still here");
  assert.match(outcome.stderr, /The linux personality has failed, its programs have ended: lost the thread\n/);
});

Deno.test("where nothing else runs, the error is the machine's", async () => {
  const programs = [{ kind: "linux" as const, path: "/app0", argv: ["app0"], env: [], cwd: "/" }];
  await assert.rejects(runScripts([function* () {}], { linux: failing, programs }), /lost the thread/);
});
