import assert from "node:assert/strict";
import { CaseReport } from "./report.ts";

Deno.test("a report adds to the page that an earlier run has written", () => {
  const first = new CaseReport("");
  first.addRow(0, { heat: Infinity, modes: false }, 10, 0);
  first.addRow(3, { heat: 1, modes: false }, 20, 1);
  first.addSequences(5, 600, 0);
  const second = new CaseReport(first.markdown());
  second.addRow(0, { heat: 3, modes: false }, 7, 0);
  second.addRow(0, { heat: Infinity, modes: true }, 2, 0);
  second.addSequences(1, 10, 1);
  assert.equal(second.cases, 39);
  const page = second.markdown();
  assert.match(page, /\| 10 \| 0 \| 7 \| 2 \| 0 \|/);
  assert.match(page, /with 39 cases, 1 differ/);
  assert.match(page, /Sequences: 6 with 610 instructions, 1 differ/);
});
