/** Arithmetic flags as expressions: of a definition (`FlagDef`), and condition codes from flags. */
import { FLAG_A, FLAG_C, FLAG_O, FLAG_P, FLAG_S, FLAG_Z, STATE } from "./layout.ts";
import type { Flag, FlagDef } from "./sem.ts";
import {
  add,
  and,
  call,
  eq,
  eqz,
  type Expr,
  ge_s,
  ge_u,
  gt_s,
  gt_u,
  i32,
  i64,
  int,
  le_s,
  le_u,
  type LoadOp,
  lt_s,
  lt_u,
  ne,
  or,
  shr_u,
  signExtend,
  type StoreOp,
  sub,
  toI32,
  toI64s,
  type ValType,
  w,
  xor,
} from "./wasm/expr.ts";

/**
 * How each flag is represented (cpu/layout.ts): z and s as an i64 "source" value (ZF = source == 0, SF = source < 0), p as an i32 whose low
 * byte has the parity, c, o, a as i32 0/1.
 */
/** One bit per flag in sets of them. */
export const FLAG_BIT: Record<Flag, number> = { c: 1, p: 2, a: 4, z: 8, s: 16, o: 32 };
export const FLAG_LIST: readonly Flag[] = ["c", "p", "a", "z", "s", "o"];
export const ALL_FLAGS = 63;

/** Where the state block keeps a flag's source. */
export const FLAG_HOME: Record<Flag, { address: number; type: ValType; load: LoadOp; store: StoreOp }> = {
  c: flagHome(FLAG_C, "i32"),
  p: flagHome(FLAG_P, "i32"),
  a: flagHome(FLAG_A, "i32"),
  o: flagHome(FLAG_O, "i32"),
  z: flagHome(FLAG_Z, "i64"),
  s: flagHome(FLAG_S, "i64"),
};
function flagHome(offset: number, type: "i32" | "i64") {
  return { address: STATE + offset, type, load: `${type}.load`, store: `${type}.store` } as const;
}

/** UCOMISS and relatives: unordered: Z = P = C = 1; greater: all 0; less: C; equal: Z. */
export function comparison(a: Expr, b: Expr): FlagDef {
  const f = a.type === "f32" ? "f32" : "f64", none = i32(0);
  return {
    kind: "set",
    compared: { a, b },
    z: eqz(or(w(`${f}.lt`, a, b), w(`${f}.gt`, a, b))),
    p: or(w(`${f}.ne`, a, a), w(`${f}.ne`, b, b)),
    c: eqz(w(`${f}.ge`, a, b)),
    o: none,
    s: none,
    a: none,
  };
}

const bit = (v: Expr, n: number): Expr => and(v.type === "i64" ? toI32(shr_u(v, i64(n))) : shr_u(v, i32(n)), i32(1));

/** Sign-extended to i64, so that one value serves Z and S. */
export const wide = (r: Expr, size: number): Expr => size === 8 ? r : toI64s(signExtend(r, size));

/** Sources of the flags that `def` defines; flags that keep their value are absent. Lazily called: nothing is emitted for dead flags. */
export function flagSource(def: FlagDef, f: Flag): Expr | undefined {
  switch (def.kind) {
    case "add":
    case "sub":
      switch (f) {
        case "z":
        case "s":
          return wide(def.r, def.size);
        case "p":
          return toI32(def.r);
        case "c":
          return carry(def);
        case "o":
          return overflow(def);
        case "a":
          return bit(toI32(xor(xor(def.a, def.b), def.r)), 4);
      }
      break;
    case "logic":
      return f === "z" || f === "s" ? wide(def.r, def.size) : f === "p" ? toI32(def.r) : i32(0);
    case "inc":
    case "dec": {
      if (f === "c") return undefined;
      if (f === "z" || f === "s") return wide(def.r, def.size);
      if (f === "p") return toI32(def.r);
      if (f === "a") return w("i32.eq", and(toI32(def.r), i32(15)), i32(def.kind === "inc" ? 0 : 15));
      const sign = 1n << BigInt(8 * def.size - 1);
      return eq(def.r, int(def.size, def.kind === "inc" ? sign : sign - 1n));
    }
    case "set": {
      const own = def[f];
      if (own) {
        return f === "z"
          ? toI64s(eqz(own))
          : f === "s"
          ? sub(i64(0), w("i64.extend_i32_u", own))
          : f === "p"
          ? xor(own, i32(1))
          : own;
      }
      if (!def.r) return undefined;
      if (f === "z" || f === "s") return wide(def.r.value, def.r.size);
      return f === "p" ? toI32(def.r.value) : undefined;
    }
  }
}

/** Is there a source of the flag in `def`? */
export function definesFlag(def: FlagDef, f: Flag): boolean {
  switch (def.kind) {
    case "set":
      return def[f] !== undefined || (def.r !== undefined && (f === "z" || f === "s" || f === "p"));
    case "inc":
    case "dec":
      return f !== "c";
    default:
      return true;
  }
}

function carry(d: FlagDef & { kind: "add" | "sub" }): Expr {
  const { a, b, r } = d;
  if (d.kind === "sub") {
    if (!d.carry) return lt_u(a, b);
    return or(lt_u(a, b), and(eq(a, b), d.carry));
  }
  if (!d.carry) return d.size < 4 ? ne(r, add(a, b)) : lt_u(r, a);
  if (d.size < 4) return ne(r, add(add(a, b), d.carry));
  return or(lt_u(r, a), and(eq(r, a), d.carry));
}

function overflow(d: FlagDef & { kind: "add" | "sub" }): Expr {
  const { a, b, r } = d;
  return bit(and(xor(a, d.kind === "sub" ? b : r), xor(d.kind === "sub" ? a : b, r)), 8 * d.size - 1);
}

/** Flag values (i32 0/1) from the representation. */
export const flagValue = (f: Flag, source: Expr): Expr =>
  f === "z" ? eqz(source) : f === "s" ? lt_s(source, i64(0)) : f === "p" ? call("parity", "i32", source) : source;

/** Does this i32 expression already evaluate to 0 or 1 with its negation being cheap? */
const not = (e: Expr): Expr => eqz(e);

/** Condition code from single flags, `get` giving i32 0/1 values. Odd codes are the negation of the even ones. */
export function condFromFlags(cc: number, get: (f: Flag) => Expr): Expr {
  const even = (): Expr => {
    switch (cc >> 1) {
      case 0:
        return get("o");
      case 1:
        return get("c");
      case 2:
        return get("z");
      case 3:
        return or(get("c"), get("z"));
      case 4:
        return get("s");
      case 5:
        return get("p");
      case 6:
        return xor(get("s"), get("o"));
      default:
        return or(get("z"), xor(get("s"), get("o")));
    }
  };
  return cc & 1 ? not(even()) : even();
}

/** Condition code fused with the definition of the flags, where one comparison says it; else undefined. */
export function fusedCond(cc: number, def: FlagDef): Expr | undefined {
  if (def.kind === "set") {
    if (def.compared) return floatCond(cc, def.compared.a, def.compared.b);
    if ((cc === 4 || cc === 5) && !def.z && def.r) return zero(cc, def.r.value);
    return undefined;
  }
  if (def.kind === "sub" && !def.carry) {
    const { a, b, size } = def;
    const sa = () => signExtend(a, size), sb = () => signExtend(b, size);
    switch (cc) {
      case 2:
        return lt_u(a, b);
      case 3:
        return ge_u(a, b);
      case 4:
        return eq(a, b);
      case 5:
        return ne(a, b);
      case 6:
        return le_u(a, b);
      case 7:
        return gt_u(a, b);
      case 12:
        return lt_s(sa(), sb());
      case 13:
        return ge_s(sa(), sb());
      case 14:
        return le_s(sa(), sb());
      case 15:
        return gt_s(sa(), sb());
    }
  }
  const r = def.r, size = def.size;
  if (cc === 4 || cc === 5) return zero(cc, r);
  const s = () => signExtend(r, size);
  const nothing = int(size, 0);
  if (cc === 8) return lt_s(s(), nothing);
  if (cc === 9) return ge_s(s(), nothing);
  if (def.kind === "logic") {
    switch (cc) {
      case 0:
      case 2:
        return i32(0);
      case 1:
      case 3:
        return i32(1);
      case 6:
        return eqz(r);
      case 7:
        return zero(5, r);
      case 12:
        return lt_s(s(), nothing);
      case 13:
        return ge_s(s(), nothing);
      case 14:
        return le_s(s(), nothing);
      case 15:
        return gt_s(s(), nothing);
    }
  }
  return undefined;
}

/** After UCOMISS and relatives: C = less or unordered, Z = equal or unordered, P = unordered. */
function floatCond(cc: number, a: Expr, b: Expr): Expr | undefined {
  const f = a.type === "f32" ? "f32" : "f64";
  switch (cc) {
    case 2:
      return eqz(w(`${f}.ge`, a, b));
    case 3:
      return w(`${f}.ge`, a, b);
    case 4:
      return eqz(or(w(`${f}.lt`, a, b), w(`${f}.gt`, a, b)));
    case 5:
      return or(w(`${f}.lt`, a, b), w(`${f}.gt`, a, b));
    case 6:
      return eqz(w(`${f}.gt`, a, b));
    case 7:
      return w(`${f}.gt`, a, b);
    case 10:
      return or(w(`${f}.ne`, a, a), w(`${f}.ne`, b, b));
    case 11:
      return and(w(`${f}.eq`, a, a), w(`${f}.eq`, b, b));
    default:
      return undefined;
  }
}

const zero = (cc: number, r: Expr): Expr => cc & 1 ? ne(r, int(r.type === "i64" ? 8 : 4, 0)) : eqz(r);
