/**
 * String instructions. One element is described here; with a REP prefix a JavaScript helper (cpu/helpers/strings.ts) moves whole runs.
 * Destinations are ES:RDI, which no prefix overrides; sources take FS or GS.
 */
import { FLAG_D } from "../layout.ts";
import type { Insn } from "../insn.ts";
import type { Sem, Semantic } from "../sem.ts";
import { add, type Expr, int, select, sub, truncate } from "../wasm/expr.ts";
import { linear, pointer } from "./integer_common.ts";

const RSI = 6, RDI = 7;

const source = (s: Sem, i: Insn): Expr => linear(s, pointer(s, i, RSI), i.addressSize, i.seg);

/** Moves index registers by one element in the direction of DF. */
function advance(s: Sem, i: Insn, ...registers: number[]): void {
  const size = i.addressSize;
  const step = s.let(select(s.state(FLAG_D, "i32"), int(size, -i.size), int(size, i.size)));
  for (const n of registers) s.setReg(n, size, add(s.reg(n, size), step));
}

const withRep = (helper: string, single: Semantic): Semantic => (s, i) => i.rep ? s.helper(helper) : single(s, i);

export const STRING: Record<string, Semantic> = {
  movs: withRep("rep_movs", (s, i) => {
    s.store(pointer(s, i, RDI), i.size, s.let(s.load(source(s, i), i.size)));
    advance(s, i, RSI, RDI);
  }),
  stos: withRep("rep_stos", (s, i) => {
    s.store(pointer(s, i, RDI), i.size, s.reg(0, i.size));
    advance(s, i, RDI);
  }),
  lods: withRep("rep_lods", (s, i) => {
    const v = s.let(s.load(source(s, i), i.size));
    advance(s, i, RSI);
    s.setReg(0, i.size, v);
  }),
  cmps: withRep("rep_cmps", (s, i) => {
    const size = i.size, a = s.let(s.load(source(s, i), size)), b = s.let(s.load(pointer(s, i, RDI), size));
    advance(s, i, RSI, RDI);
    s.setFlags({ kind: "sub", size, a, b, r: s.let(truncate(sub(a, b), size)) });
  }),
  scas: withRep("rep_scas", (s, i) => {
    const size = i.size, a = s.reg(0, size), b = s.let(s.load(pointer(s, i, RDI), size));
    advance(s, i, RDI);
    s.setFlags({ kind: "sub", size, a, b, r: s.let(truncate(sub(a, b), size)) });
  }),
};
