import assert from "node:assert/strict";
import { FuncBuilder, ModuleBuilder } from "./encoder.ts";
import { type LoadOp, LOADS, OPS, type StoreOp, STORES, type ValType } from "./expr.ts";
import { SIMD_OPS } from "./simd_ops.ts";

const TYPE: Record<string, ValType> = { i: "i32", l: "i64", f: "f32", d: "f64", v: "v128" };

/** A module of one function with these parameters and result. */
function valid(params: ValType[], results: ValType[], body: (f: FuncBuilder) => void): boolean {
  const m = new ModuleBuilder(1, [], false);
  body(m.func({ params, results }, "f", true));
  return WebAssembly.validate(m.finish());
}

/** "vi>v#1": operands, result, immediate bytes. */
function accepts(opcode: number, signature: string): boolean {
  const [types, imm] = signature.split("#"), [operands, result] = types.split(">");
  const params = [...operands].map((c) => TYPE[c]);
  return valid(params, [TYPE[result]], (f) => {
    params.forEach((_, k) => f.get(k));
    f.op(opcode);
    for (let k = 0; k < Number(imm ?? 0); k++) f.code.byte(0);
  });
}

Deno.test("every operation validates with the signature in its table and with no other result type", () => {
  for (const [name, [opcode, signature]] of Object.entries(OPS)) {
    assert(accepts(opcode, signature), name);
    const result = signature[signature.indexOf(">") + 1], other = result === "i" ? "l" : "i";
    assert(!accepts(opcode, signature.replace(`>${result}`, `>${other}`)), `${name} as ${other}`);
  }
});

Deno.test("the table has every SIMD operation that is neither relaxed, memory access nor constant", () => {
  // WebAssembly core specification 3.0, 5.4.9: 0..11, 84..93 are memory accesses, 12 is v128.const; holes as listed there.
  const holes = [
    ...Array.from({ length: 13 }, (_, k) => k),
    ...Array.from({ length: 10 }, (_, k) => 0x54 + k),
    ...[0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee],
  ];
  const known = Object.values(SIMD_OPS).map(([opcode]) => opcode - 0xfd000).filter((k) => k < 256).sort((a, b) => a - b);
  assert.deepEqual(known, Array.from({ length: 256 }, (_, k) => k).filter((k) => !holes.includes(k)));
});

Deno.test("loads and stores validate with the type in their table", () => {
  for (const op of Object.keys(LOADS) as LoadOp[]) {
    assert(valid(["i32"], [LOADS[op][1]], (f) => (f.get(0), f.load(op, 8))), op);
  }
  for (const op of Object.keys(STORES) as StoreOp[]) {
    assert(valid(["i32", STORES[op][1]], [], (f) => (f.get(0), f.get(1), f.store(op, 8))), op);
  }
});
