import assert from "node:assert/strict";
import { type FuncImport, ModuleBuilder } from "./module_builder.ts";

const NUMBER = { params: [], results: ["i32"] } as const;
const IMPORTS: FuncImport[] = [{ name: "one", type: NUMBER }, { name: "two", type: NUMBER }];

Deno.test("a function's body goes into several modules, whatever its callees' numbers there, and stays as it is", () => {
  const bodies = ["one", "two"].map((name) => {
    const f = new ModuleBuilder(1, IMPORTS, false).func(NUMBER, "f", true);
    f.call(name);
    return f.body();
  });
  const before = bodies.map(({ bytes }) => bytes.slice()),
    m = { memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }), one: () => 1, two: () => 2 };
  for (const order of [[0, 1], [1, 0]]) {
    const builder = new ModuleBuilder(1, IMPORTS, false);
    for (const n of order) builder.add(NUMBER, `f${n}`, true, bodies[n]);
    const { f0, f1 } = new WebAssembly.Instance(new WebAssembly.Module(builder.finish()), { m }).exports as Record<
      string,
      () => number
    >;
    assert.deepEqual([f0(), f1()], [1, 2]);
    assert.deepEqual(bodies.map(({ bytes }) => bytes), before);
  }
});
