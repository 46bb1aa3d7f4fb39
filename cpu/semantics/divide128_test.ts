import { equal } from "node:assert/strict";
import { constant, type ConstExpr, type Expr, i64 } from "../wasm/expr.ts";
import { udiv128 } from "./divide128.ts";

const M64 = (1n << 64n) - 1n;
const u = (v: bigint): bigint => v & M64;

/** The operations that the division uses, on unsigned 64-bit values. */
const OPS: Record<string, (a: bigint, b: bigint) => bigint> = {
  "i64.add": (a, b) => a + b,
  "i64.sub": (a, b) => a - b,
  "i64.mul": (a, b) => a * b,
  "i64.and": (a, b) => a & b,
  "i64.or": (a, b) => a | b,
  "i32.and": (a, b) => a & b,
  "i32.or": (a, b) => a | b,
  "i64.shl": (a, b) => a << (b & 63n),
  "i64.shr_u": (a, b) => a >> (b & 63n),
  "i64.div_u": (a, b) => a / b,
  "i64.ge_u": (a, b) => a >= b ? 1n : 0n,
  "i64.gt_u": (a, b) => a > b ? 1n : 0n,
  "i64.lt_u": (a, b) => a < b ? 1n : 0n,
  "i64.clz": (a) => BigInt(64 - (a === 0n ? 0 : a.toString(2).length)),
  "i64.extend_i32_u": (a) => a,
};
function evaluate(e: Expr): ConstExpr {
  if (e.kind === "const") return e;
  if (e.kind !== "op") throw new Error(`Unexpected expression: ${e.kind}`);
  const a = evaluate(e.a), b = e.b ? evaluate(e.b) : i64(0);
  return i64(u(OPS[e.op](u(constant(a)), u(constant(b)))));
}

const EDGES = [
  1n,
  2n,
  3n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  1n << 63n,
  M64 - 1n,
  M64,
];

Deno.test("the 128-bit division agrees with BigInt for edge values and a walk through all magnitudes", () => {
  let walk = 0x9e3779b97f4a7c15n;
  const values = [...EDGES];
  for (let n = 0; n < 24; n++) values.push(walk >> BigInt(n * 5 % 60)), walk = u(walk * 0xd1342543de82ef95n + 1n);
  for (const d of values) {
    for (const high of [0n, ...values]) {
      if (high >= d) continue;
      for (const low of [0n, ...values]) {
        const q = evaluate(udiv128(evaluate, i64(high), i64(low), i64(d)));
        equal(u(constant(q)), ((high << 64n) | low) / d, `${high}:${low} / ${d}`);
      }
    }
  }
});
