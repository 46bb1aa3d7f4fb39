import assert from "node:assert/strict";
import { duration, geometricMean, markdown, median, parseLines } from "./table.ts";

Deno.test("lines of the guests become numbers by name", () => {
  const lines = parseLines("getppid ns=87.5\nsort ns=12 first=40 check=00ff\nnoise\n");
  assert.equal(lines.get("getppid")?.get("ns"), "87.5");
  assert.equal(lines.get("sort")?.get("check"), "00ff");
  assert.equal(lines.size, 2);
});

Deno.test("median and geometric mean of a few numbers", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Math.abs(geometricMean([2, 8]) - 4) < 1e-12);
});

Deno.test("durations have a unit that reads well", () => {
  assert.deepEqual([12.34, 999, 1500, 250000, 2.5e6, 123e6].map(duration), [
    "12.3 ns",
    "999 ns",
    "1.50 us",
    "250.0 us",
    "2.50 ms",
    "123 ms",
  ]);
});

Deno.test("a table says which goals are met", () => {
  const table = markdown("group", [
    { group: "group", name: "a", native: 100, hedra: 250, ratio: 2.5, goal: { of: "ratio", atMost: 3 } },
    { group: "group", name: "b", native: 100, hedra: 1000, ratio: 10, goal: { of: "ns", atMost: 500 } },
  ]);
  assert.match(table, /\| a .* 2\.50x \| met: at most 3x/);
  assert.match(table, /\| b .* 10\.00x \| MISSED: at most 500 ns/);
  assert.match(table, /geometric mean .* 5\.00x/);
});
