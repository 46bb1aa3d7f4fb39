/** The arithmetic flags while a region is emitted: a pending definition, canonical locals, or the state block. */
import { condFromFlags, definesFlag, flagSource, flagValue, fusedCond } from "../flags.ts";
import type { Flag, FlagDef } from "../sem.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import { type Expr, local, type LocalExpr } from "../wasm/expr.ts";
import { collectLocals, type Locals } from "./locals.ts";
import { CC_FLAGS, FLAG_BIT, FLAG_LIST } from "./regs.ts";

export interface Pending {
  readonly def: FlagDef;
  /** Distinguishes definitions in exit groups. */
  readonly id: number;
  /** Flags whose value this definition gives. */
  mask: number;
  /** The locals that the definition reads. */
  readonly leaves: readonly LocalExpr[];
}

const NO_LEAVES: readonly LocalExpr[] = [];

export class FlagState {
  pending: Pending | undefined;
  #nextId = 1;

  constructor(private readonly f: FuncBuilder, private readonly locals: Locals) {}

  /** Source of a flag in the representation of layout.ts. */
  source(f: Flag): Expr {
    const p = this.pending;
    return p && p.mask & FLAG_BIT[f] ? flagSource(p.def, f)! : this.locals.flag(f);
  }
  /** i32 0/1. */
  value(f: Flag): Expr {
    return flagValue(f, this.source(f));
  }
  cond(cc: number): Expr {
    const p = this.pending, needed = CC_FLAGS[cc];
    const fused = p && (p.mask & needed) === needed ? fusedCond(cc, p.def) : undefined;
    return fused ?? condFromFlags(cc, (f) => this.value(f));
  }
  /** New definition; flags of the old one that it does not replace are put into locals when `live`. */
  set(def: FlagDef, live: number): void {
    let mask = 0;
    for (const f of FLAG_LIST) if (definesFlag(def, f)) mask |= FLAG_BIT[f];
    this.settle(live & ~mask);
    this.pending = { def, id: this.#nextId++, mask, leaves: leavesOf(def) };
  }
  /** Puts the pending flags among `bits` into their locals. */
  settle(bits: number): void {
    const p = this.pending;
    if (!p || !(p.mask & bits)) return;
    // All sources first: none of them may see a local that has just been replaced.
    const todo = FLAG_LIST.filter((f) => p.mask & bits & FLAG_BIT[f]);
    for (const f of todo) this.f.expr(flagSource(p.def, f)!);
    for (const f of todo.reverse()) this.f.set(this.locals.flag(f).index);
    p.mask &= ~bits;
    if (p.mask === 0) this.pending = undefined;
  }
  /** Locals that must stay valid beyond the current step. */
  kept(): readonly LocalExpr[] {
    return this.pending ? this.pending.leaves : NO_LEAVES;
  }
}

function leavesOf(def: FlagDef): LocalExpr[] {
  const out: LocalExpr[] = [];
  const take = (e: Expr | undefined) => e && collectLocals(e, out);
  switch (def.kind) {
    case "add":
    case "sub":
      take(def.a);
      take(def.b);
      take(def.r);
      take(def.carry);
      return out;
    case "logic":
    case "inc":
    case "dec":
      take(def.r);
      return out;
    case "set":
      take(def.compared?.a);
      take(def.compared?.b);
      take(def.r?.value);
      for (const f of FLAG_LIST) take(def[f]);
      return out;
  }
}

/** A copy whose leaves no longer follow the registers. */
export function cloneDef(def: FlagDef): FlagDef {
  switch (def.kind) {
    case "add":
    case "sub":
      return { ...def, a: clone(def.a), b: clone(def.b), r: clone(def.r), carry: def.carry && clone(def.carry) };
    case "logic":
    case "inc":
    case "dec":
      return { ...def, r: clone(def.r) };
    case "set": {
      const copy: FlagDef = { ...def };
      if (def.compared) copy.compared = { a: clone(def.compared.a), b: clone(def.compared.b) };
      if (def.r) copy.r = { size: def.r.size, value: clone(def.r.value) };
      for (const f of FLAG_LIST) if (def[f]) copy[f] = clone(def[f]);
      return copy;
    }
  }
}
function clone<E extends Expr>(e: E): E;
function clone(e: Expr): Expr {
  switch (e.kind) {
    case "const":
      return e;
    case "local":
      return local(e.type, e.index);
    case "call":
      return { ...e, args: e.args.map((a) => clone(a)) };
    case "select":
      return { ...e, a: clone(e.a), b: clone(e.b), c: clone(e.c) };
    default:
      return { ...e, a: clone(e.a), b: e.b && clone(e.b), c: e.c && clone(e.c) };
  }
}
