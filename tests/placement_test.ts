import assert from "node:assert/strict";
import { PLACEMENTS } from "../roottask/boot_config.ts";
import { runHedra, text } from "./process.ts";

const BOOT_TAR = new URL("../guests/boot.tar", import.meta.url).pathname;
const RAW = new URL("testdata/freebsd/raw", import.meta.url).pathname;

/** PIDs and times differ. */
const run = async (...args: string[]) => {
  const { code, stdout, stderr } = await runHedra(["run", ...args]);
  return [code, text(stdout), text(stderr)];
};

for (const args of [["/bin/matrix", "7"], ["/bin/circle", "1", "x"], ["/bin/files"], ["/bin/hybrid"], ["/bin/hybrid-rust"]]) {
  Deno.test(`${args.join(" ")} does the same wherever its personality runs`, async () => {
    const [own, roottask] = await Promise.all(
      PLACEMENTS.map((placement) => run("--personality", placement, "--root", BOOT_TAR, ...args)),
    );
    assert.deepEqual(roottask, own);
    assert.notEqual(own[1], "");
  });
}

Deno.test("a FreeBSD program does the same wherever its personality runs", async () => {
  const [own, roottask] = await Promise.all(PLACEMENTS.map((placement) => run("--personality", placement, RAW)));
  assert.deepEqual(roottask, own);
  assert.equal(own[0], 3);
});

Deno.test("an unknown placement is a usage error", async () => {
  const [code, , stderr] = await run("--personality", "inline", RAW);
  assert.equal(code, 2);
  assert.match(String(stderr), /Cannot use "inline" as --personality: expected own or roottask/);
});
