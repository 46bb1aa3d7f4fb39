import assert from "node:assert/strict";
import { Op, operandLists } from "../decode_rows.ts";
import { ROWS } from "../opcodes/mod.ts";
import { encodeRow } from "./encode.ts";
import { rowKey } from "./generate.ts";
import { Random } from "./random.ts";

const choices = { branch: () => 0 };
const text = (row: typeof ROWS[number]): string => `${row.enc} ${row.name} ${row.args}`;

Deno.test("every row of the opcode table has encodings that decode as this row", () => {
  const r = new Random(1);
  assert.deepEqual(ROWS.filter((row) => encodeRow(row, r, 0x1000_0000, choices) === undefined).map(text), []);
});

Deno.test("every row of the opcode table has a key of its own", () => {
  assert.equal(new Set(ROWS.map(rowKey)).size, new Set(ROWS.map(text)).size);
});

Deno.test("rows with a register-or-memory operand are encoded in both forms", () => {
  const r = new Random(2);
  for (const row of ROWS) {
    if (!operandLists(row)[0].some((o) => o.kind === Op.E || o.kind === Op.W || o.kind === Op.Q)) continue;
    const forms = new Set<boolean>();
    for (let n = 0; n < 64 && forms.size < 2; n++) {
      const made = encodeRow(row, r, 0x1000_0000, choices);
      if (made) forms.add(made.insn.ops.some((op) => op.kind === "mem"));
    }
    // A second row may own one of the forms.
    if (!ROWS.some((other) => other !== row && other.enc === row.enc)) assert.equal(forms.size, 2, text(row));
  }
});

Deno.test("the same seed gives the same encodings", () => {
  const make = () => {
    const r = new Random(7);
    return ROWS.slice(0, 50).map((row) => encodeRow(row, r, 0, choices)?.code.join());
  };
  assert.deepEqual(make(), make());
});
