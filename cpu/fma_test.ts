import assert from "node:assert/strict";
import { fusedMultiplyAdd } from "./fused.ts";
import { FMA_IMPORTS } from "./fma.ts";
import { fmaExact } from "./helpers/exact.ts";
import { Random } from "./judge/random.ts";
import { runtimeModule } from "./runtime.ts";
import { ModuleBuilder } from "./wasm/encoder.ts";
import { call, type Expr, w } from "./wasm/expr.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
const nothing = () => 0;
const runtime = new WebAssembly.Instance(new WebAssembly.Module(runtimeModule(1)), {
  m: {
    memory,
    table,
    slow_read: nothing,
    slow_write: nothing,
    slow_region_read: nothing,
    slow_region_write: nothing,
    slow_fma: fmaExact,
    host_step: nothing,
    host_syscall: nothing,
  },
}).exports;

/** fma on scalars through functions on vectors. */
function scalars(functions: WebAssembly.ModuleImports) {
  const m = new ModuleBuilder(undefined, FMA_IMPORTS, false);
  const param = (index: number, type: "f32" | "f64"): Expr => ({ kind: "local", type, index });
  for (const [type, shape] of [["f32", "f32x4"], ["f64", "f64x2"]] as const) {
    const f = m.func({ params: [type, type, type], results: [type] }, type, true);
    const args = [0, 1, 2].map((k) => w(`${shape}.splat`, param(k, type)));
    f.expr(w(`${shape}.extract_lane`, call(`fma_${shape}`, "v128", ...args), 0));
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.finish()), { m: { memory, ...functions } });
  return exports as unknown as Record<"f32" | "f64", (a: number, b: number, c: number) => number>;
}
const portable = scalars(runtime);

/** Finite numbers, often such that product and addend nearly cancel. */
function* cases(count: number): Generator<[number, number, number]> {
  const r = new Random(5), view = new DataView(new ArrayBuffer(8));
  const number = (spread: number): number => {
    view.setBigUint64(0, (r.u64() & 0x800f_ffff_ffff_ffffn) | BigInt(1023 - spread + r.below(2 * spread)) << 52n);
    return view.getFloat64(0);
  };
  for (let n = 0; n < count; n++) {
    const spread = r.pick([1, 20, 200, 500, 1022]), a = number(spread), b = number(spread);
    const c = r.chance(50) ? -(a * b) * (1 + r.below(3) * 2 ** -52) : number(spread);
    if (Number.isFinite(c)) yield [a, b, c];
  }
}

Deno.test("FMA without hardware help rounds once", () => {
  for (const [a, b, c] of cases(20_000)) assert.ok(Object.is(portable.f64(a, b, c), fmaExact(a, b, c)), `${a} * ${b} + ${c}`);
  assert.equal(portable.f64(2 ** -600, 2 ** -500, 2 ** -1074), 2 ** -1074);
  assert.equal(portable.f64(0, 5, -0), 0);
  assert.ok(Object.is(portable.f64(-0, 5, -0), -0));
  assert.equal(portable.f64(1e300, 1e300, -Infinity), -Infinity);
});

Deno.test({
  name: "the host's fused operation does the same",
  ignore: fusedMultiplyAdd() === undefined,
  fn() {
    const fused = scalars(fusedMultiplyAdd()!.functions);
    for (const [a, b, c] of cases(20_000)) {
      assert.ok(Object.is(fused.f64(a, b, c), portable.f64(a, b, c)), `${a} * ${b} + ${c}`);
      const [x, y, z] = [a, b, c].map(Math.fround);
      assert.ok(Object.is(fused.f32(x, y, z), portable.f32(x, y, z)), `${x} * ${y} + ${z} in single precision`);
    }
  },
});
