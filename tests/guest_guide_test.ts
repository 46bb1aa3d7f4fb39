import assert from "node:assert/strict";
import { hasTool } from "../guests/build.ts";
import { execute, REPOSITORY, text } from "./process.ts";

/** Shell blocks of the guide, each with the text block after it: what it prints. */
function blocks(page: string): { kind: string; script: string; output: string }[] {
  return [...page.matchAll(/```(sh(?: rust)?)\n([^]*?)```\n+```text\n([^]*?)```/g)]
    .map(([, kind, script, output]) => ({ kind, script, output }));
}

const page = Deno.readTextFileSync(`${REPOSITORY}docs/guest-guide.md`);

Deno.test("every shell block of the guide says what it prints", () => {
  assert.equal(blocks(page).length, [...page.matchAll(/^```sh/gm)].length);
  assert.equal(blocks(page).length, 6);
});

for (const [i, { kind, script, output }] of blocks(page).entries()) {
  Deno.test(`block ${i + 1} of the guide does what it says`, async () => {
    if (!(await hasTool(kind === "sh rust" ? "rustc" : "gcc"))) return console.log("skipped: the compiler is missing");
    const outcome = await execute("sh", ["-euc", script], { cwd: REPOSITORY });
    assert.deepEqual([outcome.code, text(outcome.stdout)], [0, output], text(outcome.stderr));
  });
}
