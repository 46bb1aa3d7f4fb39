import assert from "node:assert/strict";
import { contest, readSample } from "./contest.ts";
import type { System } from "./systems.ts";
import type { Workload } from "./workloads.ts";

const KERNEL: Workload = { name: "sort", command: ["kernels"], measure: "lines", fields: { ns: "", first: " first" } };

/** A system that prints these lines, one after the other. */
function printing(name: string, ...outputs: string[]): System {
  let at = 0;
  return {
    name,
    run: () =>
      Promise.resolve({ code: 0, stdout: new TextEncoder().encode(outputs[at++ % outputs.length]), stderr: new Uint8Array() }),
  };
}
const NATIVE = printing("native", "sort ns=100 first=200 check=a1\n", "sort ns=300 first=200 check=a1\n");

Deno.test("ratios are taken repetition by repetition, and between the quickest of both", async () => {
  const slow = printing("slow", "sort ns=400 first=600 check=a1\n", "sort ns=600 first=600 check=a1\n");
  const [sort, first] = await contest(KERNEL, [NATIVE, slow], 2);
  assert.deepEqual(sort.times.get("slow"), { median: 500, min: 400, ratio: 3, ratioOfMinima: 4 });
  assert.deepEqual([first.name, first.times.get("slow")?.ratio], ["sort first", 3]);
});

Deno.test("a wrong result is a failure and no time", async () => {
  const wrong = printing("wrong", "sort ns=1 first=1 check=a1\n", "sort ns=1 first=1 check=ff\n");
  const [sort] = await contest(KERNEL, [NATIVE, wrong], 2);
  assert.equal(sort.times.has("wrong"), false);
  assert.match(sort.failed.get("wrong") ?? "", /another result/);
});

Deno.test("a system that ends with an error or cannot run a workload does not keep the others from it", async () => {
  const crash: System = {
    name: "crash",
    run: () => Promise.resolve({ code: 139, stdout: new Uint8Array(), stderr: new TextEncoder().encode("oops\n") }),
  };
  const none: System = { name: "none", run: () => undefined };
  const [sort] = await contest(KERNEL, [NATIVE, none, crash, printing("last", "sort ns=100 first=9 check=a1\n")], 2);
  assert.deepEqual([...sort.times.keys()], ["native", "last"]);
  assert.deepEqual([...sort.failed], [["crash", "ended with 139: oops"]]);
});

Deno.test("a workload that fails natively is not measured", async () => {
  const missing: System = { name: "native", run: () => Promise.reject(new Error("no such program")) };
  await assert.rejects(contest(KERNEL, [missing], 1), /native: no such program/);
});

Deno.test("requests per second become nanoseconds per request", () => {
  const { ns } = readSample({ name: "redis", command: [], measure: "requests" }, "SET: 50000.00 requests per second\n", 1);
  assert.deepEqual([...ns], [["redis SET", 20_000]]);
});
