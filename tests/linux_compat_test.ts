import assert from "node:assert/strict";
import { compatPage } from "../linux/compat.ts";
import { REPOSITORY } from "./process.ts";

Deno.test("docs/linux-compat.md is what the system-call table says", () => {
  assert.equal(
    Deno.readTextFileSync(`${REPOSITORY}docs/linux-compat.md`),
    compatPage(),
    "run: deno run -A tests/linux_compat.ts",
  );
});
