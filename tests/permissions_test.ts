/** `hedra run`: what the user grants and limits (issue: permissions). The guest is the host's own shell. */
import assert from "node:assert/strict";
import { runHedra, text } from "./process.ts";
import { testWith } from "./tools.ts";

/** A script of the host's shell in the guest. */
const shell = (options: string[], script: string, env?: Record<string, string>) =>
  runHedra(["run", "--root", "/", ...options, "/bin/sh", "-c", script], { env: env && { ...Deno.env.toObject(), ...env } });

const GUESTS_THAT_STAY: readonly (readonly [what: string, script: string])[] = [
  ["a busy guest", "while :; do :; done"],
  ["a sleeping guest", "sleep 1000"],
  ["a guest that ignores signals", "trap '' TERM INT HUP; while :; do :; done"],
  ["a fork bomb", "bomb() { bomb | bomb & }; bomb; while :; do :; done"],
  ["endless output", "yes > /dev/null"],
];

for (const [what, script] of GUESTS_THAT_STAY) {
  testWith([], `--timeout ends ${what} with exit code 124`, async () => {
    const began = performance.now();
    const { code, stderr } = await shell(["--timeout", "1.5"], script);
    assert.equal(code, 124, text(stderr));
    assert.match(text(stderr), /hedra: Stopped "\/bin\/sh" after 1.5 s\n$/);
    assert.ok(performance.now() - began < 30_000);
  });
}

testWith([], "--timeout leaves a program alone that ends in time", async () => {
  const { code, stdout } = await shell(["--timeout", "60"], "echo done; exit 3");
  assert.deepEqual([code, text(stdout)], [3, "done\n"]);
});

testWith([], "--max-procs makes fork fail with EAGAIN", async () => {
  const { code, stdout, stderr } = await shell(
    ["--max-procs", "3", "--timeout", "60"],
    "sleep 1000 & sleep 1000 & (sleep 1000) & echo not reached; wait",
  );
  assert.match(text(stderr), /Cannot fork/);
  assert.equal(text(stdout), "");
  assert.notEqual(code, 124);
});

testWith([], "--max-procs counts only what lives at the same time", async () => {
  const { code, stdout } = await shell(["--max-procs", "2", "--timeout", "60"], "for i in 1 2 3 4; do (echo $i); done");
  assert.deepEqual([code, text(stdout)], [0, "1\n2\n3\n4\n"]);
});

testWith([], "the guest gets no variable of the host by itself, one by --allow-env=K, all by --allow-env", async () => {
  const env = { HEDRA_TEST_A: "a=1", HEDRA_TEST_B: "b" }, script = "echo $HEDRA_TEST_A,$HEDRA_TEST_B";
  const seen = async (...options: string[]) => text((await shell(options, script, env)).stdout);
  assert.equal(await seen(), ",\n");
  assert.equal(await seen("--allow-env=HEDRA_TEST_A"), "a=1,\n");
  assert.equal(await seen("--allow-env"), "a=1,b\n");
  assert.equal(await seen("--allow-env", "--env", "HEDRA_TEST_B=own"), "a=1,own\n");
});

testWith([], "--strace=SET prints the calls of the set only", async () => {
  const { code, stderr } = await shell(["--strace=%process,getppid"], "(exit 3); exit 4");
  const names = new Set([...text(stderr).matchAll(/^(?:\[pid +\d+\] )?(\w+)\(/gm)].map(([, name]) => name));
  assert.equal(code, 4);
  assert.ok(names.has("execve") && names.has("wait4") && names.has("exit_group"), [...names].join());
  assert.ok(!names.has("mmap") && !names.has("openat"), [...names].join());
});

testWith([], "--strace-summary counts calls and errors once the program has ended", async () => {
  const { code, stdout, stderr } = await shell(["--strace-summary"], "cat /no/such /nor/such 2>/dev/null; echo done");
  const rows = new Map(
    [...text(stderr).matchAll(/^ *[\d.]+ +([\d.]+) +\d+ +(\d+) +(\d*) +(\w+)$/gm)]
      .map((
        [, seconds, calls, errors, name],
      ) => [name, { seconds: Number(seconds), calls: Number(calls), errors: Number(errors) }]),
  );
  assert.deepEqual([code, text(stdout)], [0, "done\n"]);
  assert.match(text(stderr), /^% time +seconds +usecs\/call +calls +errors syscall\n-+ /);
  assert.equal(rows.get("execve")?.calls, 1);
  assert.ok((rows.get("openat")?.errors ?? 0) >= 2);
  assert.ok((rows.get("wait4")?.seconds ?? 0) > 0);
  const calls = [...rows].filter(([name]) => name !== "total").map(([, row]) => row.calls);
  assert.equal(rows.get("total")?.calls, calls.reduce((sum, each) => sum + each, 0));
});

Deno.test("hedra syscalls lists every call of the table with its support, as text and as JSON", async () => {
  const table = await runHedra(["syscalls"]), json = await runHedra(["syscalls", "--json"]);
  assert.match(text(table.stdout), /^ {2}0 {2}read +full$/m);
  assert.match(text(table.stdout), /^165 {2}mount +none +EPERM$/m);
  const { version, counts, calls } = JSON.parse(text(json.stdout));
  assert.deepEqual([version, calls.length], [1, counts.full + counts.partial + counts.none]);
  assert.deepEqual(calls[0], { number: 0, name: "read", support: "full", note: "" });
});
