/**
 * Exit stubs of a region. Places that leave with the same set of dirty registers and the same flags share a stub; the address to go on at
 * travels in a local. Stubs stand behind the body: the body is wrapped in one block per stub, the first stub's block innermost.
 */
import { Exit } from "../exit.ts";
import { flagSource } from "../flags.ts";
import { CTL_EXIT } from "../layout.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import { type Expr, i32, type LocalExpr } from "../wasm/expr.ts";
import { cloneDef, type FlagState, type Pending } from "./flag_state.ts";
import type { Locals } from "./locals.ts";
import { type Dirty, FLAG_BIT, FLAG_LIST } from "./regs.ts";

interface Stub {
  reason: Exit;
  dirty: Readonly<Dirty>;
  flags: number;
  /** Definition of flags that are to be stored; 0 = there is none. */
  id: number;
  mask: number;
  pending: Pending | undefined;
  /** Locals that the definition reads. */
  reads: readonly number[];
}
const NOTHING: readonly number[] = [];

export class Exits {
  readonly #stubs: Stub[] = [];
  /** Stubs by a hash. */
  readonly #byKey = new Map<number, number[]>();
  readonly #pc: number;
  readonly #slot: number;

  /** @param regionType index of REGION_TYPE, @param depth local of the call depth */
  constructor(
    private readonly f: FuncBuilder,
    private readonly locals: Locals,
    private readonly flags: FlagState,
    private readonly regionType: number,
    private readonly depth: number,
  ) {
    this.#pc = f.newLocal("i64");
    this.#slot = f.newLocal("i32");
  }

  /** Goes on in the region of a table slot (or, while that is empty, in the dispatcher). */
  jump(pc: number, slot: Expr, dirty: Readonly<Dirty>, flags: number): void {
    this.f.assign(this.#slot, slot);
    this.leave(undefined, pc, Exit.Continue, dirty, flags);
  }

  /** Leaves for `pc` when `cond` (always when undefined). `flags`: dirty flags that somebody may still read. */
  leave(cond: Expr | undefined, pc: number, reason: Exit, dirty: Readonly<Dirty>, flags: number): void {
    this.locals.flushLows();
    const label = this.#stub(reason, dirty, flags);
    this.f.i64(pc);
    this.f.set(this.#pc);
    if (cond) {
      this.f.expr(cond);
      this.f.hint(false);
      this.#branch(0x0d, label);
    } else this.#branch(0x0c, label);
  }
  /** The depth of stub n's label: all stubs stand outside of depth 0. */
  #branch(opcode: number, stub: number): void {
    this.f.code.byte(opcode);
    this.f.code.u32(this.f.depth + stub);
  }

  #stub(reason: Exit, dirty: Readonly<Dirty>, flags: number): number {
    const p = this.flags.pending && this.flags.pending.mask & flags ? this.flags.pending : undefined;
    const zero = dirty.zero & dirty.high, id = p ? p.id : 0, mask = p ? p.mask & flags : 0;
    const key = (dirty.r ^ Math.imul(dirty.high, 0x9e37) ^ Math.imul(zero, 0x85eb) ^ (reason << 28) ^ (flags << 20)) >>> 0;
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, []);
    else {
      for (const n of known) {
        const s = this.#stubs[n], d = s.dirty;
        if (
          s.reason === reason && d.r === dirty.r && d.high === dirty.high && d.zero === zero && s.flags === flags &&
          s.id === id &&
          s.mask === mask && (!p || sameReads(s.reads, p.leaves))
        ) return n;
      }
    }
    // A copy: later instructions may move what the definition refers to into other locals.
    const pending = p && { ...p, def: cloneDef(p.def) }, reads = p ? p.leaves.map((l) => l.index) : NOTHING;
    const n = this.#stubs.push({ reason, dirty: { ...dirty, zero }, flags, id, mask, pending, reads }) - 1;
    this.#byKey.get(key)!.push(n);
    return n;
  }

  /** Code to put before the body: one `block` per stub. */
  opening(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(2 * this.#stubs.length);
    for (let n = 0; n < this.#stubs.length; n++) out.set([0x02, 0x40], 2 * n);
    return out;
  }
  /** Emits the stubs behind the body (which never falls through). */
  close(): void {
    for (const s of this.#stubs) {
      this.f.code.byte(0x0b);
      this.locals.storeRegisters(s.dirty);
      for (const f of FLAG_LIST) {
        if (!(s.flags & FLAG_BIT[f])) continue;
        const source = s.pending && s.pending.mask & FLAG_BIT[f] ? flagSource(s.pending.def, f)! : this.locals.flag(f);
        this.locals.storeFlag(f, source);
      }
      if (s.reason === Exit.Continue) {
        this.f.get(this.#pc);
        this.f.get(this.depth);
        this.f.get(this.#slot);
        this.f.returnCallIndirect(this.regionType);
        continue;
      }
      this.f.storeAt(CTL_EXIT, "i32.store", i32(s.reason));
      this.f.get(this.#pc);
      this.f.return();
    }
  }
}

const sameReads = (known: readonly number[], now: readonly LocalExpr[]): boolean =>
  known.length === now.length && now.every((l, k) => l.index === known[k]);
