/** The arithmetic flags while a region is emitted: a pending definition, canonical locals, or the state block. */
import { condFromFlags, flagSource, flagValue, fusedCond } from "../flags.ts";
import type { Flag, FlagDef } from "../sem.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import type { Expr, LocalExpr } from "../wasm/expr.ts";
import { collectLocals, type Locals } from "./locals.ts";
import { CC_FLAGS, FLAG_BIT, FLAG_LIST } from "./regs.ts";

export interface Pending {
  readonly def: FlagDef;
  /** Distinguishes definitions in exit groups. */
  readonly id: number;
  /** Flags whose value this definition gives. */
  mask: number;
}

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
    for (const f of FLAG_LIST) if (flagSource(def, f)) mask |= FLAG_BIT[f];
    this.settle(live & ~mask);
    this.pending = { def, id: this.#nextId++, mask };
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
  /** The locals that the pending definition reads now, as a key. */
  keptLocals(): string {
    const leaves = new Set<LocalExpr>();
    for (const e of this.kept()) collectLocals(e, leaves);
    let key = "";
    for (const l of leaves) key += l.index + ",";
    return key;
  }
  /** Expressions that must stay valid beyond the current step. */
  kept(): Expr[] {
    return this.pending ? expressions(this.pending.def) : [];
  }
}

function expressions(def: FlagDef): Expr[] {
  switch (def.kind) {
    case "add":
    case "sub":
      return def.carry ? [def.a, def.b, def.r, def.carry] : [def.a, def.b, def.r];
    case "logic":
    case "inc":
    case "dec":
      return [def.r];
    case "set":
      return [def.compared?.a, def.compared?.b, def.r?.value, def.c, def.p, def.a, def.z, def.s, def.o].filter((e) =>
        e !== undefined
      );
  }
}

/** A copy whose leaves no longer follow the registers. */
export function cloneDef(def: FlagDef): FlagDef {
  return structuredCloneDef(def) as FlagDef;
}
function structuredCloneDef(v: unknown): unknown {
  if (Array.isArray(v)) return v.map(structuredCloneDef);
  if (typeof v !== "object" || v === null) return v;
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, structuredCloneDef(x)]));
}
