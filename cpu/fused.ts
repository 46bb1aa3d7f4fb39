/**
 * Does the host multiply and add with one rounding? WebAssembly leaves that open for its "relaxed" operations, but demands the same answer
 * every time. Where it does, they take the place of the runtime functions of cpu/fma.ts.
 */
import { FMA_IMPORTS, SLOW_FMA } from "./fma.ts";
import { ModuleBuilder } from "./wasm/encoder.ts";
import { type Expr, w, type WasmOp } from "./wasm/expr.ts";

/** Runtime functions and the operations that do the same on such a host. */
const FUSED: ReadonlyMap<string, WasmOp> = new Map([["fma_f32x4", "f32x4.relaxed_madd"], ["fma_f64x2", "f64x2.relaxed_madd"]]);

export interface Fused {
  /** Functions to import instead of the runtime's. */
  readonly functions: WebAssembly.ModuleImports;
  /** Operations to use instead of calls. */
  readonly operations: ReadonlyMap<string, WasmOp>;
}
/** The host's answer, once it has been asked. */
const answer: { known: boolean; fused: Fused | undefined } = { known: false, fused: undefined };

const param = (index: number, type: "f64" | "v128"): Expr => ({ kind: "local", type, index });

function ask(): Fused | undefined {
  const m = new ModuleBuilder(undefined, [], false);
  const probe = m.func(SLOW_FMA.type, "probe", true);
  const [a, b, c] = [0, 1, 2].map((k) => w("f64x2.splat", param(k, "f64")));
  probe.expr(w("f64x2.extract_lane", w("f64x2.relaxed_madd", a, b, c), 0));
  for (const { name, type } of FMA_IMPORTS) {
    const op = FUSED.get(name);
    if (op) m.func(type, name, true).expr(w(op, param(0, "v128"), param(1, "v128"), param(2, "v128")));
  }
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.finish()), {
      m: { memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }) },
    });
    // (1 + 2^-30)^2 = 1 + 2^-29 + 2^-60: the last term is lost when the product is rounded.
    const x = 1 + 2 ** -30, madd = exports.probe as (a: number, b: number, c: number) => number;
    return madd(x, x, -(1 + 2 ** -29)) === 2 ** -60 ? { functions: exports, operations: FUSED } : undefined;
  } catch {
    return undefined; // no such operations here
  }
}

export function fusedMultiplyAdd(): Fused | undefined {
  if (!answer.known) {
    answer.fused = ask();
    answer.known = true;
  }
  return answer.fused;
}
