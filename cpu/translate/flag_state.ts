/** The arithmetic flags while a region is emitted: definitions that memory does not have yet, locals, or the state block. */
import { condFromFlags, definesFlag, FLAG_BIT, FLAG_LIST, flagSource, flagValue, fusedCond } from "../flags.ts";
import { emitNote, type Homes, type Note, type Part, planNote } from "../flag_record.ts";
import type { Flag, FlagDef } from "../sem.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import { type Expr, local, type LocalExpr } from "../wasm/expr.ts";
import { collectLocals, type Locals } from "./locals.ts";
import { CC_FLAGS } from "./regs.ts";

export interface Pending extends Part {
  /** The locals that the definition reads. */
  readonly leaves: readonly LocalExpr[];
}

/** What is known at a point, to come back to it. */
export interface FlagSnapshot {
  readonly parts: readonly Pending[];
  readonly held: number;
}

const NONE: readonly Pending[] = [], NO_LEAVES: readonly LocalExpr[] = [];

export class FlagState {
  /** Definitions of flags, newest first: whatever they do not define is in memory (the state block and the record, flag_record.ts). */
  #parts: readonly Pending[] = NONE;
  #leaves: readonly LocalExpr[] = NO_LEAVES;
  /** Flags of definitions whose locals have them as well. */
  #held = 0;
  /** The note of these definitions that finds operands in registers, once it has been asked for. */
  #exit: Note | undefined;

  constructor(private readonly f: FuncBuilder, private readonly locals: Locals) {}

  get parts(): readonly Pending[] {
    return this.#parts;
  }
  #replace(parts: readonly Pending[]): void {
    this.#parts = parts;
    this.#exit = undefined;
    this.#leaves = parts.length === 1 ? parts[0].leaves : parts.flatMap((p) => p.leaves);
  }
  snapshot(): FlagSnapshot {
    return { parts: this.#parts, held: this.#held };
  }
  restore(s: FlagSnapshot): void {
    this.#replace(s.parts);
    this.#held = s.held;
  }

  /** Source of a flag in the representation of layout.ts. */
  source(f: Flag): Expr {
    const p = this.#parts.find((x) => x.mask & FLAG_BIT[f]);
    return p ? flagSource(p.def, f)! : this.locals.flag(f);
  }
  /** i32 0/1. */
  value(f: Flag): Expr {
    return flagValue(f, this.source(f));
  }
  cond(cc: number): Expr {
    const needed = CC_FLAGS[cc], p = this.#parts.find((x) => (x.mask & needed) === needed);
    const fused = p && fusedCond(cc, p.def);
    return fused ?? condFromFlags(cc, (f) => this.value(f));
  }
  set(def: FlagDef, homes: Homes): void {
    let mask = 0;
    for (const f of FLAG_LIST) if (definesFlag(def, f)) mask |= FLAG_BIT[f];
    const older = this.#parts.filter((p) => p.mask & ~mask).map((p) => ({ ...p, mask: p.mask & ~mask }));
    this.#replace([{ def, mask, homes, leaves: leavesOf(def) }, ...older]);
    this.#held &= ~mask;
  }
  /** General register `n` has been written. */
  written(n: number): void {
    if (!this.#parts.some(({ homes: { a, b, r } }) => a === n || b === n || r === n)) return;
    const keep = (home: number) => home === n ? -1 : home;
    this.#replace(this.#parts.map((p) => {
      const { a, b, r } = p.homes;
      return { ...p, homes: { a: keep(a), b: keep(b), r: keep(r) } };
    }));
  }
  /** Puts those flags among `bits` that a definition has into their locals. */
  settle(bits: number): void {
    const wanted = bits & ~this.#held;
    const todo = FLAG_LIST.filter((f) => wanted & FLAG_BIT[f] && this.#parts.some((p) => p.mask & FLAG_BIT[f]));
    // All sources first: none of them may see a local that has just been replaced.
    for (const f of todo) this.f.expr(this.source(f));
    for (const f of todo) this.#detach(this.locals.flag(f));
    for (const f of todo.reverse()) {
      this.f.set(this.locals.flag(f).index);
      this.#held |= FLAG_BIT[f];
    }
  }
  /** A flag's local is about to change: definitions that read it (ADC's carry) read a copy from now on. */
  #detach(flag: LocalExpr): void {
    const readers = this.#leaves.filter((leaf) => leaf.index === flag.index);
    if (readers.length === 0) return;
    const saved = this.locals.temp(flag.type);
    this.f.assign(saved.index, flag);
    for (const leaf of readers) leaf.index = saved.index;
  }
  /**
   * Makes memory's flags these, when `wanted`; from here on they are memory's. `clobbered`: registers that may be written before an exit shows
   * the flags.
   */
  note(wanted: boolean, clobbered: number): void {
    if (wanted && this.#parts.length > 0) emitNote(this.f, planNote(this.#safe(clobbered), true), false);
    this.restore({ parts: NONE, held: 0 });
  }
  #safe(clobbered: number): readonly Part[] {
    if (clobbered === 0) return this.#parts;
    const keep = (home: number) => home >= 0 && clobbered >> home & 1 ? -1 : home;
    return this.#parts.map((p) => {
      const { a, b, r } = p.homes;
      return { ...p, homes: { a: keep(a), b: keep(b), r: keep(r) } };
    });
  }
  /** What an exit notes. `clobbered` (as above): by other regions that run before the record is evaluated. */
  exitNote(clobbered: number): Note {
    if (clobbered !== 0) return planNote(this.#safe(clobbered), true);
    return this.#exit ??= planNote(this.#parts, true);
  }
  /** Locals that must stay valid beyond the current step. */
  kept(): readonly LocalExpr[] {
    return this.#leaves;
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
export function cloneNote({ first, step, merge }: Note): Note {
  return {
    first: first && { ...first, a: first.a && clone(first.a), b: first.b && clone(first.b) },
    step: step && { ...step, r: step.r && clone(step.r) },
    merge: merge && { ...merge, packed: clone(merge.packed) },
  };
}
const noteIds = new WeakMap<Note, number>();
let nextNoteId = 1;
/** Equal texts, equal code. */
export function noteKey(note: Note): string {
  const { first, step, merge } = note, exprs = [first?.a, first?.b, step?.r, merge?.packed];
  if (exprs.every((e) => !e || e.kind === "local" || e.kind === "const" || (e.kind === "op" && e.a.kind === "local" && !e.b))) {
    return `${first?.word} ${step?.word} ${exprs.map((e) => e && (e.kind === "op" ? `${e.op} ${leafText(e.a)}` : leafText(e)))}`;
  }
  let id = noteIds.get(note);
  if (id === undefined) noteIds.set(note, id = nextNoteId++);
  const leaves: LocalExpr[] = [];
  for (const e of exprs) if (e) collectLocals(e, leaves);
  return `n${id} ${leaves.map((l) => l.index)}`;
}
const leafText = (e: Expr): string => e.kind === "local" ? `l${e.index}` : e.kind === "const" ? `${e.type} ${e.big ?? e.n}` : "";

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
