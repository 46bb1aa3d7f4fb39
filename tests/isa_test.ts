import assert from "node:assert/strict";
import { FAMILIES, isaPage } from "../cpu/judge/isa_page.ts";
import { ROWS } from "../cpu/opcodes/mod.ts";
import { REPOSITORY } from "./process.ts";

Deno.test("docs/isa.md is what the opcode table says", () => {
  assert.equal(Deno.readTextFileSync(`${REPOSITORY}docs/isa.md`), isaPage(), "run: deno run -A tests/isa.ts");
});

Deno.test("every row of the opcode table is in one family of docs/isa.md", () => {
  const listed = FAMILIES.flatMap((family) => family.rows);
  assert.equal(listed.length, ROWS.length);
  assert.deepEqual(new Set(listed), new Set(ROWS));
});
