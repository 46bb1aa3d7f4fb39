/**
 * Exit stubs of a region. Places that leave with the same set of dirty registers and the same flags share a stub; the address to go on at
 * travels in a local. Stubs stand behind the body: the body is wrapped in one block per stub, the first stub's block innermost. Stubs for flags
 * come first; they go on to those for registers.
 */
import { emitNote, type Note } from "../flag_record.ts";
import { Exit } from "../exit.ts";
import { CTL_EXIT } from "../layout.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import { type Expr, i32 } from "../wasm/expr.ts";
import { cloneNote, type FlagState, noteKey } from "./flag_state.ts";
import type { Locals } from "./locals.ts";
import type { Dirty } from "./regs.ts";

/** What is to be stored of registers, and how the region is left. */
interface Stub {
  readonly reason: Exit;
  readonly dirty: Readonly<Dirty>;
}
/** What is to be noted of flags, and the number of the stub that does the rest. */
interface FlagStub {
  readonly note: Note;
  readonly stub: number;
}

export class Exits {
  readonly #stubs: Stub[] = [];
  readonly #flagStubs: FlagStub[] = [];
  /** Stubs by a hash. */
  readonly #byKey = new Map<number, number[]>();
  readonly #byFlags = new Map<string, number>();
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

  /** Goes on in the region of a table slot (or, while that is empty, in the dispatcher). `clobbered`: see FlagState.note. */
  jump(pc: number, slot: Expr, dirty: Readonly<Dirty>, clobbered: number): void {
    this.f.assign(this.#slot, slot);
    this.leave(undefined, pc, Exit.Continue, dirty, clobbered);
  }

  /** Leaves for `pc` when `cond` (always when undefined). */
  leave(cond: Expr | undefined, pc: number, reason: Exit, dirty: Readonly<Dirty>, clobbered = 0): void {
    this.locals.flushLows();
    const label = this.#flagStub(this.#stub(reason, dirty), this.flags.exitNote(clobbered));
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

  #flagStub(stub: number, note: Note): number {
    const key = `${stub} ${noteKey(note)}`, known = this.#byFlags.get(key);
    if (known !== undefined) return known;
    // A copy: later instructions may move what the note refers to into other locals.
    const n = this.#flagStubs.push({ note: cloneNote(note), stub }) - 1;
    this.#byFlags.set(key, n);
    return n;
  }
  #stub(reason: Exit, dirty: Readonly<Dirty>): number {
    const zero = dirty.zero & dirty.high;
    const key = (dirty.r ^ Math.imul(dirty.high, 0x9e37) ^ Math.imul(zero, 0x85eb) ^ (reason << 28)) >>> 0;
    let known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, known = []);
    for (const n of known) {
      const { reason: why, dirty: d } = this.#stubs[n];
      if (why === reason && d.r === dirty.r && d.high === dirty.high && d.zero === zero) return n;
    }
    const n = this.#stubs.push({ reason, dirty: { ...dirty, zero } }) - 1;
    known.push(n);
    return n;
  }

  /** Code to put before the body: one `block` per stub. */
  opening(): Uint8Array<ArrayBuffer> {
    const count = this.#flagStubs.length + this.#stubs.length, out = new Uint8Array(2 * count);
    for (let n = 0; n < count; n++) out.set([0x02, 0x40], 2 * n);
    return out;
  }
  /** Emits the stubs behind the body (which never falls through). */
  close(): void {
    const { length } = this.#flagStubs;
    for (let n = 0; n < length; n++) {
      const { note, stub } = this.#flagStubs[n];
      this.f.code.byte(0x0b);
      emitNote(this.f, note, this.#stubs[stub].reason !== Exit.Continue);
      this.f.code.byte(0x0c);
      this.f.code.u32(length - 1 - n + stub);
    }
    for (const s of this.#stubs) {
      this.f.code.byte(0x0b);
      this.locals.storeRegisters(s.dirty);
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
