/**
 * The record of flags: while regions run, the arithmetic flags of the state block are those of the last instruction that defined them, which
 * need not have been evaluated yet. A region notes which kind of definition it was and where its operands are wherever somebody else may look:
 * at calls, returns and exits. `settle_flags` evaluates the record; whoever needs flags calls it before, so that outside of regions the record
 * is empty.
 *
 * Two definitions fit into it, because INC and DEC leave C to an older one:
 *
 * ```
 * CTL_FLAGS       the first, 0 = none: a definition of all flags
 * CTL_FLAGS_STEP  the second (INC, DEC), 0 = none; takes precedence, but for C
 * CTL_FLAGS_A, B  operands of the first
 * CTL_FLAGS_R     result of the second
 *
 * bits 0..4 of both: kind
 * 5..6     where the first operand (or the result) is: FROM_*
 * 7..8     where the second operand is
 * 9..12    general register of the first operand or result
 * 13..31   general register of the second operand; or its value, signed
 * ```
 *
 * Registers are those of the state block at the time of `settle_flags`.
 */
import { ALL_FLAGS, comparison, definesFlag, FLAG_BIT, FLAG_HOME, FLAG_LIST, flagSource, flagValue, wide } from "./flags.ts";
import {
  AF,
  CF,
  CTL_FLAGS,
  CTL_FLAGS_A,
  CTL_FLAGS_B,
  CTL_FLAGS_R,
  CTL_FLAGS_STEP,
  GPR,
  OF,
  PF,
  SF,
  STATE,
  ZF,
} from "./layout.ts";
import type { Flag, FlagDef } from "./sem.ts";
import type { FuncBuilder, FuncImport, FuncType } from "./wasm/encoder.ts";
import {
  add,
  and,
  eq,
  type Expr,
  i32,
  i64,
  load,
  lt_u,
  or,
  select,
  shl,
  shr_s,
  shr_u,
  sub,
  toI64s,
  toI64u,
  truncate,
  type ValType,
  w,
} from "./wasm/expr.ts";

/** General registers that have an operand (in their low bytes) or the result of a definition now; -1 = none. */
export interface Homes {
  readonly a: number;
  readonly b: number;
  readonly r: number;
}
export const NO_HOMES: Homes = { a: -1, b: -1, r: -1 };

/** A definition, and the flags for which it is the newest. */
export interface Part {
  readonly def: FlagDef;
  readonly mask: number;
  readonly homes: Homes;
}

/** Kinds of first definitions; ADD to TEST by the logarithm of the operand size. */
const ADD = 1, SUB = 5, LOGIC = 9, TEST = 13, COMPARED_F32 = 17, COMPARED_F64 = 18, RESULT = 19, PACKED = 20;
/** Kinds of second definitions. */
const INC = 1, DEC = 5;

/** A slot of the record, a register, the value itself (second operand), a register with the result (first operand of ADD, SUB). */
const FROM_SLOT = 0, FROM_REGISTER = 1, FROM_VALUE = 2, FROM_RESULT = 2;
const KIND_BITS = 5, A_FROM = 5, B_FROM = 7, A_REGISTER = 9, B_AT = 13;
const VALUE_LIMIT = 1 << (31 - B_AT);

const RFLAGS_BIT: Record<Flag, number> = { c: CF, p: PF, a: AF, z: ZF, s: SF, o: OF };
const RFLAGS_SHIFT = (f: Flag): number => 31 - Math.clz32(RFLAGS_BIT[f]);

/** What to store. */
export interface Note {
  readonly first?: { readonly word: number; readonly a?: Expr; readonly b?: Expr };
  readonly step?: { readonly word: number; readonly r?: Expr };
  /** Flags (as in RFLAGS) that replace those under the mask. */
  readonly merge?: { readonly packed: Expr; readonly mask: number };
}
type First = NonNullable<Note["first"]>;

const at = (from: number, register: number): number => from << A_FROM | (from === FROM_SLOT ? 0 : register << A_REGISTER);

/** The second operand's part of a word; 0 = in its slot. */
function second(e: Expr, home: number): number {
  if (home >= 0) return FROM_REGISTER << B_FROM | home << B_AT;
  const small = e.kind === "const" && e.n >= -VALUE_LIMIT && e.n < VALUE_LIMIT;
  return small ? FROM_VALUE << B_FROM | e.n << B_AT : 0;
}

/** Only these are kept as they are: with them nothing has to be evaluated. */
function whole(def: FlagDef, homes: Homes): First | undefined {
  switch (def.kind) {
    case "add":
    case "sub": {
      if (def.carry) return undefined;
      const b = second(def.b, homes.b), from = homes.a >= 0 ? FROM_REGISTER : homes.r >= 0 ? FROM_RESULT : FROM_SLOT;
      return {
        word: (def.kind === "add" ? ADD : SUB) + Math.log2(def.size) | b | at(from, homes.a >= 0 ? homes.a : homes.r),
        a: from === FROM_SLOT ? def.a : undefined,
        b: b === 0 ? def.b : undefined,
      };
    }
    case "logic": {
      const size = Math.log2(def.size), b = homes.a >= 0 && def.of ? second(def.of[1], homes.b) : 0;
      if (b !== 0) return { word: TEST + size | b | at(FROM_REGISTER, homes.a) };
      return homes.r >= 0 ? { word: LOGIC + size | at(FROM_REGISTER, homes.r) } : { word: LOGIC + size, a: def.r };
    }
    case "set": {
      const c = def.compared;
      return c && { word: c.a.type === "f32" ? COMPARED_F32 : COMPARED_F64, a: c.a, b: c.b };
    }
  }
}

/** Result that gives Z, S and P. */
function resultOf(def: FlagDef): { size: number; value: Expr } | undefined {
  if (def.kind !== "set") return { size: def.size, value: def.r };
  return def.z || def.s || def.p ? undefined : def.r;
}

const or0 = (a: Expr, b: Expr): Expr => a.kind === "const" && a.n === 0 ? b : b.kind === "const" && b.n === 0 ? a : or(a, b);

/** The flags among `mask`, in their places of RFLAGS (i32). */
function packed(parts: readonly Part[], mask: number): Expr {
  let out: Expr = i32(0);
  for (const f of FLAG_LIST) {
    if (!(mask & FLAG_BIT[f])) continue;
    const { def } = parts.find((p) => p.mask & FLAG_BIT[f])!; // the caller names flags that a part defines
    const value = def.kind === "set" && def[f] || flagValue(f, flagSource(def, f)!);
    if (value.kind === "const") out = or0(out, i32(value.n << RFLAGS_SHIFT(f)));
    else out = or0(out, f === "c" ? value : shl(value, i32(RFLAGS_SHIFT(f))));
  }
  return out;
}

const maskOf = (parts: readonly Part[]): number => parts.reduce((mask, p) => mask | p.mask, 0);
const Z_S_P = FLAG_BIT.z | FLAG_BIT.s | FLAG_BIT.p;

function first(parts: readonly Part[], registers: boolean): First | undefined {
  const [newest] = parts;
  const simple = parts.length === 1 ? whole(newest.def, registers ? newest.homes : NO_HOMES) : undefined;
  if (simple) return simple;
  if (maskOf(parts) !== ALL_FLAGS) return undefined;
  const owner = parts.find((p) => (p.mask & Z_S_P) === Z_S_P), r = owner && resultOf(owner.def);
  if (r) return { word: RESULT, a: wide(r.value, r.size), b: packed(parts, ALL_FLAGS & ~Z_S_P) };
  return { word: PACKED, a: packed(parts, ALL_FLAGS) };
}

/**
 * How to make memory's flags those of `parts`, newest first. `registers`: operands may stay in registers, which until the record is evaluated
 * (outside of the region) keep their values and get into the state block.
 */
export function planNote(parts: readonly Part[], registers: boolean): Note {
  if (parts.length === 0) return {};
  const [newest, ...older] = parts, { def } = newest;
  const step = (def.kind === "inc" || def.kind === "dec") && newest.mask === (ALL_FLAGS & ~FLAG_BIT.c) ? def : undefined;
  const rest = step ? older : parts;
  const one = rest.length === 0
    ? undefined
    : step
    ? whole(rest[0].def, registers ? rest[0].homes : NO_HOMES)
    : first(rest, registers);
  if (rest.length > 0 && !one) {
    const all = first(parts, registers);
    if (all) return { first: all };
    const mask = maskOf(parts);
    const bits = FLAG_LIST.reduce((known, f) => known | (mask & FLAG_BIT[f] ? RFLAGS_BIT[f] : 0), 0);
    return { merge: { packed: packed(parts, mask), mask: bits } };
  }
  if (!step) return { first: one };
  const kind = (step.kind === "inc" ? INC : DEC) + Math.log2(step.size), home = registers ? newest.homes.r : -1;
  return { first: one, step: home >= 0 ? { word: kind | at(FROM_REGISTER, home) } : { word: kind, r: step.r } };
}

/** Without `cold` it is for speed, not size. */
export function emitNote(f: FuncBuilder, { first, step, merge }: Note, cold: boolean): void {
  if (merge) {
    f.expr(merge.packed);
    f.i32(merge.mask);
    return f.call("merge_flags");
  }
  if (first && cold) {
    f.i32(first.word);
    if (first.a) f.expr(toI64(first.a));
    if (first.b) f.expr(toI64(first.b));
    f.call(first.a && first.b ? "note_ab" : first.a ? "note_a" : first.b ? "note_b" : "note");
  } else if (first) {
    // With CTL_FLAGS_STEP, which becomes 0.
    f.storeAt(CTL_FLAGS, "i64.store", i64(first.word >>> 0));
    if (first.a) f.storeAt(CTL_FLAGS_A, STORE[first.a.type], first.a);
    if (first.b) f.storeAt(CTL_FLAGS_B, STORE[first.b.type], first.b);
  }
  if (step) {
    f.storeAt(CTL_FLAGS_STEP, "i32.store", i32(step.word));
    if (step.r) f.storeAt(CTL_FLAGS_R, STORE[step.r.type], step.r);
  }
}

const STORE = { i32: "i32.store", i64: "i64.store", f32: "f32.store", f64: "f64.store", v128: "v128.store" } as const;

function toI64(e: Expr): Expr {
  if (e.type === "f32") return toI64u(w("i32.reinterpret_f32", e));
  return e.type === "f64" ? w("i64.reinterpret_f64", e) : e.type === "i32" ? toI64u(e) : e;
}

// ---- runtime functions

const F = (params: ValType[]): FuncType => ({ params, results: [] });
export const FLAG_IMPORTS = [
  /** Evaluates the record: the state block has all flags. */
  { name: "settle_flags", type: F([]) },
  /** Fill the record: its first word, and operands. */
  { name: "note", type: F(["i32"]) },
  { name: "note_a", type: F(["i32", "i64"]) },
  { name: "note_b", type: F(["i32", "i64"]) },
  { name: "note_ab", type: F(["i32", "i64", "i64"]) },
  /** (flags, mask), both as in RFLAGS: settles, then replaces some flags. */
  { name: "merge_flags", type: F(["i32", "i32"]) },
] as const satisfies readonly FuncImport[];

const local = (index: number, type: ValType): Expr => ({ kind: "local", type, index });

export function defineFlags(define: (name: string, type: FuncType, body: (f: FuncBuilder) => void) => void): void {
  const fill = (f: FuncBuilder, slots: readonly number[]) => {
    f.storeAt(CTL_FLAGS, "i64.store", toI64u(local(0, "i32")));
    slots.forEach((slot, n) => f.storeAt(slot, "i64.store", local(n + 1, "i64")));
  };
  const bodies: Record<typeof FLAG_IMPORTS[number]["name"], (f: FuncBuilder) => void> = {
    settle_flags: settle,
    note: (f) => fill(f, []),
    note_a: (f) => fill(f, [CTL_FLAGS_A]),
    note_b: (f) => fill(f, [CTL_FLAGS_B]),
    note_ab: (f) => fill(f, [CTL_FLAGS_A, CTL_FLAGS_B]),
    merge_flags: (f) => {
      f.call("settle_flags");
      for (const flag of FLAG_LIST) {
        f.expr(and(local(1, "i32"), i32(RFLAGS_BIT[flag])));
        f.if();
        f.storeAt(FLAG_HOME[flag].address, FLAG_HOME[flag].store, unpacked(local(0, "i32"), flag));
        f.end();
      }
    },
  };
  for (const { name, type } of FLAG_IMPORTS) define(name, type, bodies[name]);
}

/** Source of a flag that stands in RFLAGS. */
function unpacked(rflags: Expr, f: Flag): Expr {
  const def: FlagDef = { kind: "set", [f]: and(shr_u(rflags, i32(RFLAGS_SHIFT(f))), i32(1)) };
  return flagSource(def, f)!; // it has just been defined
}

/** Puts operands that are elsewhere into their slots. */
function fetch(f: FuncBuilder): void {
  const word = load("i32.load", i32(0), CTL_FLAGS), slot = (at: number) => load("i64.load", i32(0), at);
  const from = (shift: number) => and(shr_u(word, i32(shift)), i32(3));
  const register = (shift: number): Expr => load("i64.load", and(shr_u(word, i32(shift - 3)), i32(15 << 3)), STATE + GPR);
  const when = (cond: Expr, address: number, value: Expr) => {
    f.expr(cond);
    f.if();
    f.storeAt(address, "i64.store", value);
    f.end();
  };
  when(eq(from(B_FROM), i32(FROM_REGISTER)), CTL_FLAGS_B, register(B_AT));
  when(eq(from(B_FROM), i32(FROM_VALUE)), CTL_FLAGS_B, toI64s(shr_s(word, i32(B_AT))));
  when(eq(from(A_FROM), i32(FROM_REGISTER)), CTL_FLAGS_A, register(A_REGISTER));
  const added = lt_u(and(word, i32((1 << KIND_BITS) - 1)), i32(SUB)), r = register(A_REGISTER), b = slot(CTL_FLAGS_B);
  when(eq(from(A_FROM), i32(FROM_RESULT)), CTL_FLAGS_A, select(added, sub(r, b), add(r, b)));
  const step = load("i32.load", i32(0), CTL_FLAGS_STEP);
  const home = load("i64.load", and(shr_u(step, i32(A_REGISTER - 3)), i32(15 << 3)), STATE + GPR);
  when(eq(and(shr_u(step, i32(A_FROM)), i32(3)), i32(FROM_REGISTER)), CTL_FLAGS_R, home);
}

function settle(f: FuncBuilder): void {
  fetch(f);
  const bind = (e: Expr): Expr => {
    const index = f.newLocal(e.type);
    f.assign(index, e);
    return { kind: "local", type: e.type, index };
  };
  const operand = (at: number, size: number): Expr => truncate(load(size === 8 ? "i64.load" : "i32.load", i32(0), at), size);
  const sized = (kind: "add" | "sub") => (log: number): FlagDef => {
    const size = 1 << log, a = bind(operand(CTL_FLAGS_A, size)), b = bind(operand(CTL_FLAGS_B, size));
    return { kind, size, a, b, r: bind(truncate(kind === "add" ? add(a, b) : sub(a, b), size)) };
  };
  const floats = (type: "f32" | "f64"): FlagDef =>
    comparison(bind(load(`${type}.load`, i32(0), CTL_FLAGS_A)), bind(load(`${type}.load`, i32(0), CTL_FLAGS_B)));
  const sizes = [0, 1, 2, 3];
  const firsts: (() => FlagDef)[] = [
    ...sizes.map((log) => () => sized("add")(log)),
    ...sizes.map((log) => () => sized("sub")(log)),
    ...sizes.map((log) => (): FlagDef => ({ kind: "logic", size: 1 << log, r: bind(operand(CTL_FLAGS_A, 1 << log)) })),
    ...sizes.map((log) => (): FlagDef => {
      const size = 1 << log;
      return { kind: "logic", size, r: bind(and(operand(CTL_FLAGS_A, size), operand(CTL_FLAGS_B, size))) };
    }),
    () => floats("f32"),
    () => floats("f64"),
    () => {
      const rest = bind(operand(CTL_FLAGS_B, 4)), value = bind(operand(CTL_FLAGS_A, 8));
      return { kind: "set", r: { size: 8, value }, ...bits(rest, ["c", "a", "o"]) };
    },
    () => ({ kind: "set", ...bits(bind(operand(CTL_FLAGS_A, 4)), FLAG_LIST) }),
  ];
  choose(f, load("i32.load", i32(0), CTL_FLAGS), firsts);
  choose(
    f,
    load("i32.load", i32(0), CTL_FLAGS_STEP),
    (["inc", "dec"] as const).flatMap((kind) =>
      sizes.map((log) => (): FlagDef => ({ kind, size: 1 << log, r: bind(operand(CTL_FLAGS_R, 1 << log)) }))
    ),
  );
  f.storeAt(CTL_FLAGS, "i64.store", i64(0));
}
const bits = (rflags: Expr, flags: readonly Flag[]): Partial<Record<Flag, Expr>> =>
  Object.fromEntries(flags.map((x) => [x, and(shr_u(rflags, i32(RFLAGS_SHIFT(x))), i32(1))]));

/** Stores the flags of the definition that `kind` (from 1 on; 0 = none) says. */
function choose(f: FuncBuilder, kind: Expr, definitions: readonly (() => FlagDef)[]): void {
  const done = f.block(), labels = definitions.map(() => f.block()).reverse();
  f.expr(and(kind, i32((1 << KIND_BITS) - 1)));
  f.brTable([done, ...labels], done);
  for (const definition of definitions) {
    f.end();
    const def = definition();
    for (const flag of FLAG_LIST) {
      if (definesFlag(def, flag)) f.storeAt(FLAG_HOME[flag].address, FLAG_HOME[flag].store, flagSource(def, flag)!);
    }
    f.br(done);
  }
  f.end();
}
