import assert from "node:assert/strict";
import { failures, groupTable, isMet, summarize, summaryTable } from "./comparison.ts";
import type { Entry } from "./contest.ts";
import { parsePeers } from "./systems.ts";

const NAMES = ["native", "qemu", "Hedra"];
const entry = (name: string, ratios: Record<string, number>, failed: [string, string][] = []): Entry => ({
  name,
  times: new Map(
    Object.entries(ratios).map(([system, ratio]) => [system, { median: 100 * ratio, min: 100, ratio, ratioOfMinima: ratio }]),
  ),
  failed: new Map(failed),
});
const TWO = [entry("a", { native: 1, qemu: 4, Hedra: 2 }), entry("b", { native: 1, Hedra: 8 }, [["qemu", "ended with 1"]])];

Deno.test("a group's line has the geometric means, and how many quantities each stands for", () => {
  const summary = summarize("int", TWO, NAMES, 4);
  assert.match(summaryTable([summary], NAMES), /\| int +\| +1\.00 \| +4\.00 \(1 of 2\) \| +4\.00 \| at most 4 \| met/);
  assert.equal(isMet(summarize("int", TWO, NAMES, 3.9)), false);
});

Deno.test("a goal is missed when Hedra has failed at something, however quick the rest is", () => {
  const summary = summarize("int", [TWO[0], entry("b", { native: 1, qemu: 4 }, [["Hedra", "another result"]])], NAMES, 4);
  assert.equal(summary.judged, 2);
  assert.equal(isMet(summary), false);
});

Deno.test("a group's table shows every quantity and says what failed", () => {
  const table = groupTable("int", TWO, NAMES, { mean: { of: "ratio", atMost: 3 } });
  assert.match(table, /\| b +\|  ?100 ns \| failed \| 800 ns \| 8\.00x/);
  assert.match(table, /geometric mean .* 4\.00x .* MISSED: at most 3x/);
  assert.deepEqual(failures(TWO), ["b on qemu: ended with 1"]);
});

Deno.test("peers are NAME=COMMAND PREFIX with commas between them", () => {
  assert.deepEqual(parsePeers("one=/opt/one, two=run --fast").map(({ name }) => name), ["one", "two"]);
  assert.throws(() => parsePeers("blink"), /BENCH_PEERS: expected NAME=COMMAND PREFIX/);
});
