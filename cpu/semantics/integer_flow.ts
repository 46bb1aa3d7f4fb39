/** Near branches, loops and single-flag instructions. */
import { CTL_BUDGET, CTL_PAUSES, FLAG_D, STATE } from "../layout.ts";
import type { Sem, Semantic } from "../sem.ts";
import { and, eq, eqz, type Expr, i32, int, ne, or, select, shl, shr_u, sub, xor } from "../wasm/expr.ts";
import { SPINNING } from "../slice.ts";
import { bit } from "./integer_common.ts";

const loop = (also?: (s: Sem) => Expr): Semantic => (s, i) => {
  const size = i.addressSize;
  const left = s.let(sub(s.reg(1, size), int(size, 1)));
  const more = ne(left, int(size, 0));
  const taken = s.let(also ? and(more, also(s)) : more);
  s.setReg(1, size, left);
  s.branch(taken, i.ops[0]);
};

export const FLOW: Record<string, Semantic> = {
  jmp: (s, i) => s.jump(i.ops[0]),
  jcc: (s, i) => s.branch(s.cond(i.cc), i.ops[0]),
  call: (s, i) => s.callNear(i.ops[0]),
  ret: (s, i) => s.ret(i.ops[0]),
  loop: loop(),
  loope: loop((s) => s.flag("z")),
  loopne: loop((s) => eqz(s.flag("z"))),
  jrcxz: (s, i) => s.branch(eqz(s.reg(1, i.addressSize)), i.ops[0]),

  clc: (s) => s.setFlags({ kind: "set", c: i32(0) }),
  stc: (s) => s.setFlags({ kind: "set", c: i32(1) }),
  cmc: (s) => s.setFlags({ kind: "set", c: s.let(xor(s.flag("c"), i32(1))) }),
  cld: (s) => s.setState(FLAG_D, "i32", i32(0)),
  std: (s) => s.setState(FLAG_D, "i32", i32(1)),
  sahf: (s) => {
    const ah = s.let(shr_u(s.reg(0, 2), i32(8)));
    s.setFlags({ kind: "set", c: bit(ah, 0), p: bit(ah, 2), a: bit(ah, 4), z: bit(ah, 6), s: bit(ah, 7) });
  },
  lahf: (s) => {
    const at = (e: Expr, n: number): Expr => shl(e, i32(n + 8));
    const low = or(and(s.reg(0, 2), i32(0xff)), i32(2 << 8));
    const flags = or(
      or(at(s.flag("c"), 0), at(s.flag("p"), 2)),
      or(at(s.flag("a"), 4), or(at(s.flag("z"), 6), at(s.flag("s"), 7))),
    );
    s.setReg(0, 2, or(low, flags));
  },

  nop: () => {},
  /** The last one that is granted makes the next poll due. */
  pause: (s) => {
    const left = s.let(sub(s.state(CTL_PAUSES - STATE, "i32"), i32(1)));
    const budget = s.state(CTL_BUDGET - STATE, "i32");
    s.setState(CTL_PAUSES - STATE, "i32", left);
    s.setState(CTL_BUDGET - STATE, "i32", select(eq(left, i32(-1)), sub(budget, i32(SPINNING)), budget));
  },
  endbr64: () => {},
  endbr32: () => {},
};
