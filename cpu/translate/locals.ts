/** Guest registers in wasm locals, temporaries, and expressions that still refer to a register which is about to change. */
import { FLAG_BIT, FLAG_HOME, FLAG_LIST } from "../flags.ts";
import { GPR, STATE, XMM, YMM_HIGH, YMM_USED } from "../layout.ts";
import type { Flag } from "../sem.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import { type Expr, i32, load, local, type LocalExpr, unchecked, v128, type ValType, w } from "../wasm/expr.ts";
import { ALL_HIGH, type Dirty } from "./regs.ts";

/** Register numbers: GPR 0..15, XMM 16..31, as the bits of `Bits.r`; upper YMM halves 32..47. */
const XMM0 = 16, REGISTERS = 48;
export const HIGH0 = 32;

interface LowLane {
  /** A temporary, or a lazily corrected value. */
  value: Expr;
  /** The register's vector does not have it yet. */
  stale: boolean;
}
/** Nodes of a lazily corrected value at most: its cold code must evaluate all of it. */
const MAX_LAZY = 40;

export class Locals {
  readonly #registers: (number | undefined)[] = [];
  readonly #flags = new Map<Flag, number>();
  /** Expressions handed out since the last `endStep` (or kept by it) that read a register's own local. */
  readonly #readers: LocalExpr[][] = Array.from({ length: REGISTERS }, () => []);
  /** Registers that have readers: numbers below HIGH0, and the others. */
  #readR = 0;
  #readHigh = 0;
  /** Temporaries of this step and of what was kept. */
  #temps: LocalExpr[] = [];

  /** Low lanes of XMM registers that are at hand as an f32 or f64, within a node, by register number. */
  readonly #lows = new Map<number, LowLane>();

  constructor(private readonly f: FuncBuilder) {}

  // ---- registers

  register(n: number): number {
    return this.#registers[n] ??= this.f.newLocal(n < XMM0 ? "i64" : "v128");
  }
  /** The register's value now. Stays right when the register is written later in the same step. */
  read(n: number): LocalExpr {
    if (this.#lows.size > 0 && this.#lows.get(n)?.stale) this.#flush(n);
    return this.#local(n);
  }
  #local(n: number): LocalExpr {
    const e = local(n < XMM0 ? "i64" : "v128", this.register(n));
    this.#readers[n].push(e);
    if (n < HIGH0) this.#readR |= 1 << n;
    else this.#readHigh |= 1 << (n - HIGH0);
    return e;
  }
  /** `value` may read the register. */
  write(n: number, value: Expr): void {
    this.#detachReaders(n);
    const lows = this.#lows, source = lows.size > 0 && value.kind === "local" ? this.#registers.indexOf(value.index) : -1;
    this.f.expr(value);
    this.f.set(this.register(n));
    if (lows.size === 0) return;
    const low = source >= 0 ? lows.get(source) : undefined;
    if (low) lows.set(n, { ...low });
    else lows.delete(n);
  }
  /** XMM register `to` becomes a copy of `from` (numbers + 16). */
  copy(to: number, from: number): void {
    if (to !== from) this.write(to, this.#local(from));
  }
  /**
   * The low lane of XMM register `n` (its number + 16) as a scalar. `lazy`: may be a value whose correction for NaNs is still to be made,
   * for consumers that make their own (lanes_float.ts, `unchecked`).
   */
  low(n: number, type: "f32" | "f64", lazy: boolean): Expr {
    const known = this.#lows.get(n);
    if (known?.value.type === type) return lazy ? known.value : this.#exact(known);
    const value = this.temp(type);
    this.f.assign(value.index, w(type === "f32" ? "f32x4.extract_lane" : "f64x2.extract_lane", this.read(n), 0));
    this.#lows.set(n, { value, stale: false });
    return value;
  }
  /** Writes the low lane; the rest is kept, or cleared. With a correction to come, the vector follows when somebody needs it. */
  writeLow(n: number, value: Expr, clear: boolean): void {
    const old = this.#lows.get(n);
    if (clear) this.write(n, v128(0n));
    else if (old?.stale && old.value.type !== value.type) this.#flush(n);
    this.#lows.set(n, { value, stale: true });
    if (unchecked(value) === value || sizeOf(value) > MAX_LAZY) this.#flush(n);
  }
  /** Brings all vectors up to date: before everything that leaves the node. */
  flushLows(): void {
    if (this.#lows.size === 0) return;
    for (const [n, low] of this.#lows) if (low.stale) this.#flush(n);
  }
  forgetLows(): void {
    if (this.#lows.size > 0) this.#lows.clear();
  }
  #exact(low: LowLane): Expr {
    if (low.value.kind === "local") return low.value;
    const t = this.temp(low.value.type);
    this.f.assign(t.index, low.value);
    return low.value = t;
  }
  #flush(n: number): void {
    const low = this.#lows.get(n)!, value = this.#exact(low);
    this.write(n, w(value.type === "f32" ? "f32x4.replace_lane" : "f64x2.replace_lane", this.#local(n), value, 0));
    this.#lows.set(n, { value, stale: false });
  }
  loadRegisters(bits: number, high: number): void {
    this.forgetLows();
    for (let rest = bits; rest !== 0; rest &= rest - 1) this.#load(31 - Math.clz32(rest & -rest));
    for (let rest = high; rest !== 0; rest &= rest - 1) this.#load(HIGH0 + 31 - Math.clz32(rest & -rest));
  }
  #load(n: number): void {
    this.f.i32(0);
    this.f.load(n < XMM0 ? "i64.load" : "v128.load", home(n));
    this.f.set(this.register(n));
  }
  storeRegisters({ r, high, zero }: Readonly<Dirty>): void {
    this.flushLows();
    for (let rest = r; rest !== 0; rest &= rest - 1) this.#store(31 - Math.clz32(rest & -rest));
    // Zeros need no store while there is nothing but zeros in memory, as nearly always outside of code that uses YMM registers.
    if (high & zero) {
      this.f.expr(load("i32.load", i32(0), STATE + YMM_USED));
      this.f.hint(false);
      this.f.if();
      if ((high & zero) === ALL_HIGH) this.f.call("clear_high");
      else for (const n of numbers(high & zero, HIGH0)) this.f.storeAt(home(n), "v128.store", v128(0n));
      this.f.end();
    }
    if (!(high & ~zero)) return;
    for (const n of numbers(high & ~zero, HIGH0)) this.#store(n);
    this.f.storeAt(STATE + YMM_USED, "i32.store", i32(1));
  }
  #store(n: number): void {
    this.f.i32(0);
    this.f.get(this.register(n));
    this.f.store(n < XMM0 ? "i64.store" : "v128.store", home(n));
  }

  // ---- flags

  flag(f: Flag): LocalExpr {
    let index = this.#flags.get(f);
    if (index === undefined) this.#flags.set(f, index = this.f.newLocal(FLAG_HOME[f].type));
    return local(FLAG_HOME[f].type, index);
  }
  /** From the state block; `settled`: the record of flags (flag_record.ts) is empty. */
  loadFlags(bits: number, settled: boolean): void {
    if (bits !== 0 && !settled) this.f.call("settle_flags");
    for (const f of FLAG_LIST) {
      if (!(bits & FLAG_BIT[f])) continue;
      this.f.expr(load(FLAG_HOME[f].load, i32(0), FLAG_HOME[f].address));
      this.f.set(this.flag(f).index);
    }
  }

  // ---- temporaries

  temp(type: ValType): LocalExpr {
    const t = local(type, this.f.newLocal(type));
    this.#temps.push(t);
    return t;
  }
  /** End of an instruction: frees the temporaries that neither `kept` nor the low lanes at hand refer to. */
  endStep(kept: readonly LocalExpr[]): void {
    let leaves = kept;
    if (this.#lows.size > 0) {
      const all = [...kept];
      for (const low of this.#lows.values()) collectLocals(low.value, all);
      leaves = all;
    }
    for (let rest = this.#readR; rest !== 0; rest &= rest - 1) this.#forgetReaders(31 - Math.clz32(rest & -rest), leaves);
    for (let rest = this.#readHigh; rest !== 0; rest &= rest - 1) {
      this.#forgetReaders(HIGH0 + 31 - Math.clz32(rest & -rest), leaves);
    }
    const temps = this.#temps;
    let live = 0;
    for (let k = 0; k < temps.length; k++) {
      const t = temps[k];
      if (refersTo(leaves, t.index)) temps[live++] = t;
      else this.f.freeLocal(t.type, t.index);
    }
    while (temps.length > live) temps.pop();
  }
  #forgetReaders(n: number, leaves: readonly LocalExpr[]): void {
    const readers = this.#readers[n];
    let live = 0;
    if (leaves.length > 0) {
      for (let k = 0; k < readers.length; k++) if (leaves.includes(readers[k])) readers[live++] = readers[k];
    }
    while (readers.length > live) readers.pop();
    if (live === 0) this.#noReaders(n);
  }
  #noReaders(n: number): void {
    if (n < HIGH0) this.#readR &= ~(1 << n);
    else this.#readHigh &= ~(1 << (n - HIGH0));
  }
  /** Makes `kept` independent of registers: what reads one reads a copy from now on. */
  detach(): void {
    this.flushLows();
    this.forgetLows();
    for (let rest = this.#readR; rest !== 0; rest &= rest - 1) this.#detachReaders(31 - Math.clz32(rest & -rest));
    for (let rest = this.#readHigh; rest !== 0; rest &= rest - 1) this.#detachReaders(HIGH0 + 31 - Math.clz32(rest & -rest));
  }
  /** What reads register `n` reads a copy from now on. */
  #detachReaders(n: number): void {
    const readers = this.#readers[n];
    if (readers.length === 0) return;
    const saved = this.temp(readers[0].type);
    this.f.get(this.register(n));
    this.f.set(saved.index);
    for (let k = 0; k < readers.length; k++) readers[k].index = saved.index;
    while (readers.length > 0) readers.pop();
    this.#noReaders(n);
  }
  /** Takes the live temporaries out of management (they are used in more than one branch); returns how to free them. */
  hold(): () => void {
    this.flushLows();
    this.forgetLows();
    const held = this.#temps;
    this.#temps = [];
    return () => {
      for (const t of held) this.f.freeLocal(t.type, t.index);
    };
  }
}

const home = (n: number): number =>
  STATE + (n < XMM0 ? GPR + 8 * n : n < HIGH0 ? XMM + 16 * (n - XMM0) : YMM_HIGH + 16 * (n - HIGH0));
/** The register numbers of a set whose bit 0 is register `first`. */
function numbers(bits: number, first: number): number[] {
  const out: number[] = [];
  for (let rest = bits; rest !== 0; rest &= rest - 1) out.push(first + 31 - Math.clz32(rest & -rest));
  return out;
}

function refersTo(leaves: readonly LocalExpr[], index: number): boolean {
  for (let k = 0; k < leaves.length; k++) if (leaves[k].index === index) return true;
  return false;
}

function sizeOf(e: Expr): number {
  switch (e.kind) {
    case "call":
      return e.args.reduce((sum, a) => sum + sizeOf(a), 1);
    case "op":
    case "select":
      return 1 + sizeOf(e.a) + (e.b ? sizeOf(e.b) : 0) + (e.c ? sizeOf(e.c) : 0);
    default:
      return 1;
  }
}

/** Adds the locals that `e` reads to `into`, each once. */
export function collectLocals(e: Expr, into: LocalExpr[]): void {
  switch (e.kind) {
    case "local":
      if (!into.includes(e)) into.push(e);
      return;
    case "const":
      return;
    case "call":
      for (const a of e.args) collectLocals(a, into);
      return;
    default:
      collectLocals(e.a, into);
      if (e.b) collectLocals(e.b, into);
      if (e.c) collectLocals(e.c, into);
  }
}
