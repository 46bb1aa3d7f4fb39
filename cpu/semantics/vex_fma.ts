/** FMA3. cpu/fma.ts computes; here are the order of operands, signs, and NaNs. */
import type { Operand } from "../insn.ts";
import type { Sem, Semantic } from "../sem.ts";
import { call, choose, eqz, type Expr, v128, w } from "../wasm/expr.ts";
import { halves, setHalves } from "./halves.ts";
import { type Bind, mergeLow, shuffle } from "./lanes.ts";
import { DOUBLE, type Format, SINGLE } from "./lanes_float.ts";
import { bindOf } from "./vector.ts";

/** Which of the operands (0 = destination) are multiplied, and which is added. */
const ORDERS = { "132": [0, 2, 1], "213": [1, 0, 2], "231": [1, 2, 0] } as const;
/** Signs of the product and of the addend in even and odd lanes. */
const SIGNS = {
  fmadd: { product: false, addend: [false, false] },
  fmsub: { product: false, addend: [true, true] },
  fnmadd: { product: true, addend: [false, false] },
  fnmsub: { product: true, addend: [true, true] },
  fmaddsub: { product: false, addend: [true, false] },
  fmsubadd: { product: false, addend: [false, true] },
} as const;
type Name = keyof typeof SIGNS;

/** Sign bits of the even and odd lanes. */
function signs(f: Format, even: boolean, odd: boolean): Expr {
  const bits = BigInt(8 * f.bytes), sign = 1n << (bits - 1n);
  let mask = 0n;
  for (let n = 0; n < 16 / f.bytes; n++) if (n & 1 ? odd : even) mask |= sign << (bits * BigInt(n));
  return v128(mask);
}
const negated = (f: Format, x: Expr, even: boolean, odd: boolean): Expr =>
  even || odd ? w("v128.xor", x, signs(f, even, odd)) : x;

function fused(f: Format, name: Name, a: Expr, b: Expr, c: Expr, bind: Bind): Expr {
  const { product, addend } = SIGNS[name];
  const r = bind(call(`fma_${f.shape}`, "v128", negated(f, a, product, product), b, negated(f, c, addend[0], addend[1])));
  return choose(
    eqz(w("v128.any_true", w(`${f.shape}.ne`, r, r))),
    r,
    call(`nan3_${f.shape}`, "v128", r, a, b, c),
  );
}

const packed = (f: Format, name: Name, order: keyof typeof ORDERS): Semantic => (s, { ops }) => {
  const third = halves(s, ops[2]), all = [halves(s, ops[0]), halves(s, ops[1]), third], bind = bindOf(s);
  setHalves(
    s,
    ops[0],
    third.map((_, n) => {
      const [a, b, c] = ORDERS[order].map((k) => all[k][n]);
      return fused(f, name, a, b, c, bind);
    }),
  );
};
/** The scalar in all lanes: a spare lane with other content could take the slow way. */
const scalar = (f: Format, name: Name, order: keyof typeof ORDERS): Semantic => (s, { ops }) => {
  const bind = bindOf(s), third = halves(s, ops[2])[0], whole = s.xmm(ops[0]);
  const spread = (x: Expr): Expr => bind(shuffle(f.bytes, x, x, Array.from({ length: 16 / f.bytes }, () => 0)));
  const all = [spread(whole), spread(xmmOf(s, ops[1])), spread(third)], [a, b, c] = ORDERS[order].map((k) => all[k]);
  setHalves(s, ops[0], [mergeLow(f.bytes, whole, bind(fused(f, name, a, b, c, bind)))]);
};
const xmmOf = (s: Sem, op: Operand): Expr => s.xmm(op);

/** By row name; a new table each time. */
export const fmaSemantics = (): Record<string, Semantic> =>
  Object.fromEntries(
    (Object.keys(SIGNS) as Name[]).flatMap((name) =>
      (Object.keys(ORDERS) as (keyof typeof ORDERS)[]).flatMap((order): [string, Semantic][] => [
        [`v${name}${order}ps`, packed(SINGLE, name, order)],
        [`v${name}${order}pd`, packed(DOUBLE, name, order)],
        [`v${name}${order}ss`, scalar(SINGLE, name, order)],
        [`v${name}${order}sd`, scalar(DOUBLE, name, order)],
      ])
    ),
  );
