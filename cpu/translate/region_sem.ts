/** Back end (b): the semantics of one instruction inside a region, on guest registers in wasm locals. */
import { controlOf } from "../control.ts";
import { Exit } from "../exit.ts";
import { helperNumber } from "../helper_context.ts";
import type { Insn, MemOperand, Operand, XmmOperand } from "../insn.ts";
import { CTL_EXIT, FS_BASE, GS_BASE, RIP, ST, STATE, X87_SW, X87_TAG } from "../layout.ts";
import { emitStore, loadOp } from "../memory_ops.ts";
import { UNWOUND } from "../runtime.ts";
import type { AccessOptions, Flag, FlagDef, Sem } from "../sem.ts";
import type { FuncBuilder } from "../wasm/encoder.ts";
import { add, and, type Expr, i32, i64, int, load, or, shl, shr_u, toI32, toI64u, v128, w } from "../wasm/expr.ts";
import type { Planned } from "./access_plan.ts";
import type { Step } from "./cfg.ts";
import { isZero } from "./effects.ts";
import type { FlagState } from "./flag_state.ts";
import { HIGH0, type Locals } from "./locals.ts";
import type { Memory, Place } from "./memory.ts";

const RSP = 4;

/** What the semantics of a step need to know of the region around it. */
export interface RegionContext {
  readonly f: FuncBuilder;
  readonly locals: Locals;
  readonly flags: FlagState;
  readonly memory: Memory;
  /** Leaves the region before the current step when `cond` is true (always when omitted). */
  leave(cond?: Expr): void;
  /** Writes back registers that may be dirty, and flags. */
  writeBack(): void;
  /** Registers and flags to load again after a helper. */
  reload(): void;
  /** Flags that the region may read after the step. */
  liveAfter(): number;
  /** Makes memory's flags what they are now, if anybody may see them after the step. */
  noteFlags(): void;
  /** Names the step's instruction for `region_helper`. */
  insnId(): number;
  markWritten(register: number): void;
  markHigh(register: number, zero: boolean): void;
  /** Control transfers end the node; the emitter turns them into structure. */
  end(how: Ending): void;
}

export type Ending =
  | { kind: "jump"; target: Operand; to: Expr | undefined }
  | { kind: "branch"; cond: Expr; target: Operand }
  | { kind: "call"; target: Operand; to: Expr | undefined }
  | { kind: "return"; to: Expr }
  | { kind: "exit"; reason: Exit; pc: number };

export class RegionSem implements Sem {
  #slot = 0;
  #rmw: Place | undefined;
  #inIf = 0;
  /** General registers whose low bytes a value of this step has been read from or written to. */
  readonly #homes = new Map<Expr, number>();
  /** Operands of addresses handed out; made when needed. */
  #addresses: Map<Expr, MemOperand> | undefined;

  constructor(
    private readonly c: RegionContext,
    private readonly step: Step,
    private readonly operandPlan: Planned | undefined,
    private readonly stackPlan: Planned | undefined,
  ) {}

  get #i(): Insn {
    return this.step.insn;
  }

  // ---- operands
  read(op: Operand, opts?: AccessOptions): Expr {
    switch (op.kind) {
      case "reg":
        return this.#part(op.n, op.size, op.high);
      case "xmm":
        return this.xmm(op);
      case "mmx":
        return this.mmx(op);
      case "imm":
        return int(this.#i.size === 8 ? 8 : 4, op.value);
      case "mem":
        return this.#fetch(this.#place(op, op.size, false, opts), op.size, opts);
      default:
        throw new Error(`Cannot read operand kind ${op.kind}`);
    }
  }
  write(op: Operand, value: Expr, opts?: AccessOptions): void {
    if (op.kind === "reg") return this.#setPart(op.n, op.size, op.high, value);
    if (op.kind === "xmm") return this.setXmm(op, value);
    if (op.kind === "mmx") return this.setMmx(op, value);
    if (op.kind !== "mem") throw new Error(`Cannot write operand kind ${op.kind}`);
    const place = this.#rmw ?? this.#place(op, op.size, true, opts);
    this.#rmw = undefined;
    this.#put(place, op.size, value);
  }
  rmw(op: Operand): Expr {
    if (op.kind !== "mem") return this.read(op);
    this.#rmw = this.#place(op, op.size, true);
    return this.#fetch(this.#rmw, op.size);
  }
  readPair(op: MemOperand, opts?: AccessOptions): readonly [Expr, Expr] {
    const { index, offset } = this.#place(op, 32, false, opts);
    return [this.let(load("v128.load", index, offset)), this.let(load("v128.load", index, offset + 16))];
  }
  writePair(op: MemOperand, value: readonly [Expr, Expr], opts?: AccessOptions): void {
    const { index, offset } = this.#place(op, 32, true, opts);
    value.forEach((half, n) => emitStore(this.c.f, index, offset + 16 * n, 16, half));
  }
  staticImm(op: Operand): number {
    if (op.kind !== "imm") throw new Error("No immediate operand");
    return Number(op.value & 0xffn);
  }
  offset(op: MemOperand): Expr {
    let e: Expr = i64(op.disp);
    if (op.base >= 0) e = add(this.c.locals.read(op.base), e);
    if (op.index >= 0) e = add(e, op.scale ? shl(this.c.locals.read(op.index), i64(op.scale)) : this.c.locals.read(op.index));
    return op.addressSize === 4 ? and(e, i64(0xffff_ffff)) : e;
  }
  address(op: MemOperand): Expr {
    const e = this.offset(op);
    const a = this.let(op.seg ? add(e, load("i64.load", i32(0), STATE + (op.seg === "fs" ? FS_BASE : GS_BASE))) : e);
    (this.#addresses ??= new Map()).set(a, op);
    return a;
  }

  // ---- registers
  reg(n: number, size: number): Expr {
    return this.#part(n, size, false);
  }
  setReg(n: number, size: number, value: Expr): void {
    this.#setPart(n, size, false, value);
  }
  xmm(op: Operand): Expr {
    if (op.kind !== "xmm") throw new Error("No vector register");
    return this.c.locals.read(16 + op.n);
  }
  setXmm(op: Operand, value: Expr): void {
    if (op.kind !== "xmm") throw new Error("No vector register");
    this.c.locals.write(16 + op.n, value);
    this.c.markWritten(16 + op.n);
  }
  ymmHigh(op: Operand): Expr {
    if (op.kind !== "xmm") throw new Error("No vector register");
    return this.c.locals.read(HIGH0 + op.n);
  }
  setYmmHigh(op: Operand, value: Expr): void {
    if (op.kind !== "xmm") throw new Error("No vector register");
    this.#setHigh(op.n, value);
  }
  #setHigh(n: number, value: Expr): void {
    this.c.locals.write(HIGH0 + n, value);
    this.c.markHigh(n, isZero(value) && this.#inIf === 0);
  }
  clearYmm(whole: boolean): void {
    for (let n = 0; n < 16; n++) {
      this.#setHigh(n, v128(0n));
      if (!whole) continue;
      this.c.locals.write(16 + n, v128(0n));
      this.c.markWritten(16 + n);
    }
  }
  xmmReg(n: number): Expr {
    return this.c.locals.read(16 + n);
  }
  copyXmm(to: XmmOperand, from: XmmOperand): void {
    this.c.locals.copy(16 + to.n, 16 + from.n);
    this.c.markWritten(16 + to.n);
  }
  low(op: XmmOperand, type: "f32" | "f64", lazy: boolean): Expr {
    return this.c.locals.low(16 + op.n, type, lazy);
  }
  setLow(op: XmmOperand, value: Expr, clear: boolean): void {
    this.c.locals.writeLow(16 + op.n, value, clear);
    this.c.markWritten(16 + op.n);
  }
  #part(n: number, size: number, high: boolean): Expr {
    const whole = this.c.locals.read(n), low = toI32(whole);
    if (high) return and(shr_u(low, i32(8)), i32(0xff));
    const part = size === 8 ? whole : size === 4 ? low : and(low, i32(size === 2 ? 0xffff : 0xff));
    this.#homes.set(part, n);
    return part;
  }
  #setPart(n: number, size: number, high: boolean, value: Expr): void {
    this.c.locals.write(n, this.#merged(n, size, high, value));
    this.c.markWritten(n);
    for (const [e, home] of this.#homes) if (home === n) this.#homes.delete(e);
    if (!high && value.kind !== "const") this.#homes.set(value, n);
  }
  #merged(n: number, size: number, high: boolean, value: Expr): Expr {
    if (size === 8) return value;
    if (size === 4) return toI64u(toI32(value));
    const mask = size === 2 ? 0xffffn : high ? 0xff00n : 0xffn;
    let part: Expr = and(toI64u(toI32(value)), i64(size === 2 ? 0xffff : 0xff));
    if (high) part = shl(part, i64(8));
    return or(and(this.c.locals.read(n), i64(~mask)), part);
  }

  // ---- memory
  load(address: Expr, bytes: number, opts?: AccessOptions): Expr {
    return this.#fetch(this.#placeAt(address, bytes, false, opts), bytes, opts);
  }
  store(address: Expr, bytes: number, value: Expr, opts?: AccessOptions): void {
    const v = this.#calm(value);
    this.#put(this.#placeAt(address, bytes, true, opts), bytes, v);
  }
  push(value: Expr, size: number): void {
    const v = this.#calm(value);
    const place = this.#stack(-size, size, true);
    this.#put(place, size, v);
    this.setReg(RSP, 8, add(this.c.locals.read(RSP), i64(-size)));
  }
  pop(size: number): Expr {
    return this.#fetch(this.#stack(0, size, false), size);
  }
  popped(size: number): void {
    this.setReg(RSP, 8, add(this.c.locals.read(RSP), i64(size)));
  }
  /** Values that are evaluated after a check has been emitted must not depend on what the check's statements change: nothing, so as is. */
  #calm(value: Expr): Expr {
    return value;
  }
  #stack(disp: number, bytes: number, write: boolean): Place {
    const slot = this.#slot++;
    if (this.stackPlan && !this.#inIf) return this.c.memory.planned(this.stackPlan, bytes, write, this.step, slot);
    return this.c.memory.dynamic(this.let(add(this.c.locals.read(RSP), i64(disp))), bytes, write, this.step, slot);
  }
  #place(op: MemOperand, bytes: number, write: boolean, opts?: AccessOptions): Place {
    const slot = this.#slot++;
    const aligned = opts?.aligned === true && bytes >= 16;
    if (this.operandPlan && !this.#inIf && !aligned) {
      return this.c.memory.planned(this.operandPlan, bytes, write, this.step, slot);
    }
    if (op.base < 0 && op.index < 0 && !op.seg) {
      return this.c.memory.fixed(
        op.disp >= 0n ? Number(op.disp) : Number(BigInt.asUintN(64, op.disp)),
        bytes,
        write,
        this.step,
        slot,
        aligned,
      );
    }
    const a = this.address(op);
    if (aligned) this.c.leave(w("i64.ne", and(a, i64(bytes - 1)), i64(0)));
    if (this.operandPlan && !this.#inIf) return this.c.memory.planned(this.operandPlan, bytes, write, this.step, slot);
    return this.c.memory.dynamic(a, bytes, write, this.step, slot);
  }
  #placeAt(address: Expr, bytes: number, write: boolean, opts?: AccessOptions): Place {
    const op = this.#addresses?.get(address);
    if (op && op.size === bytes) return this.#place(op, bytes, write, opts);
    const slot = this.#slot++, a = this.let(address);
    if (opts?.aligned && bytes === 16) this.c.leave(w("i64.ne", and(a, i64(15)), i64(0)));
    return this.c.memory.dynamic(a, bytes, write, this.step, slot);
  }
  #fetch(p: Place, bytes: number, opts?: AccessOptions): Expr {
    return this.let(load(loadOp(bytes, opts), p.index, p.offset));
  }
  #put(p: Place, bytes: number, value: Expr): void {
    emitStore(this.c.f, p.index, p.offset, bytes, value);
  }

  // ---- other state
  state(offset: number, type: "i32" | "i64" | "u16" | "u8"): Expr {
    return this.let(load(STATE_LOAD[type], i32(0), STATE + offset));
  }
  setState(offset: number, type: "i32" | "i64" | "u16" | "u8", value: Expr): void {
    this.c.f.storeAt(STATE + offset, STATE_STORE[type], value);
  }
  mmx(op: Operand): Expr {
    this.#mmxState();
    return this.let(load("i64.load", i32(0), this.#mmxAddress(op)));
  }
  setMmx(op: Operand, value: Expr): void {
    const v = this.let(value);
    this.#mmxState();
    this.c.f.storeAt(this.#mmxAddress(op), "i64.store", v);
    this.c.f.storeAt(this.#mmxAddress(op) + 8, "i32.store16", i32(0xffff));
  }
  #mmxAddress(op: Operand): number {
    if (op.kind !== "mmx") throw new Error("No MMX register");
    return STATE + ST + 16 * op.n;
  }
  #mmxState(): void {
    this.setState(X87_TAG, "u8", i32(0xff));
    this.setState(X87_SW, "u16", and(load("i32.load16_u", i32(0), STATE + X87_SW), i32(0xc7ff)));
  }

  // ---- flags
  flag(f: Flag): Expr {
    return this.let(this.c.flags.value(f));
  }
  setFlags(def: FlagDef): void {
    const home = (e: Expr | undefined): number => (e && this.#homes.get(e)) ?? -1;
    const [a, b] = def.kind === "add" || def.kind === "sub" ? [def.a, def.b] : def.kind === "logic" && def.of ? def.of : [];
    this.c.flags.set(def, { a: home(a), b: home(b), r: def.kind === "set" ? -1 : home(def.r) });
  }
  cond(cc: number): Expr {
    return this.c.flags.cond(cc);
  }

  // ---- values and inner control
  let(value: Expr): Expr {
    if (value.kind === "const" || value.kind === "local") return value;
    const t = this.c.locals.temp(value.type);
    this.c.f.assign(t.index, value);
    return t;
  }
  if(cond: Expr, then: () => void, otherwise?: () => void): void {
    const c = this.let(cond);
    this.#joinFlags();
    this.c.locals.detach();
    this.c.f.expr(c);
    this.c.f.if();
    this.#inIf++;
    then();
    this.c.locals.flushLows();
    this.#joinFlags();
    if (otherwise) {
      this.c.locals.detach();
      this.c.f.else();
      otherwise();
      this.c.locals.flushLows();
      this.#joinFlags();
    }
    this.#inIf--;
    this.c.f.end();
    this.c.locals.forgetLows();
  }
  /** When an arm sets flags, they are in their locals and in memory where arms begin and join. */
  #joinFlags(): void {
    if (!this.step.effects.flagsSometimes) return;
    this.c.flags.settle(this.c.liveAfter());
    this.c.noteFlags();
  }
  raise(_vector: number, _errorCode: number, cond?: Expr): void {
    this.c.leave(cond);
    if (!cond && !this.#inIf) this.c.end({ kind: "exit", reason: Exit.Side, pc: this.#i.pc });
  }
  trap(): void {
    this.c.end({ kind: "exit", reason: Exit.Side, pc: this.#i.pc });
  }

  // ---- control flow
  jump(target: Operand): void {
    this.c.end({ kind: "jump", target, to: target.kind === "rel" ? undefined : this.let(this.read(target)) });
  }
  branch(cond: Expr, target: Operand): void {
    this.c.end({ kind: "branch", cond, target });
  }
  callNear(target: Operand): void {
    const to = target.kind === "rel" ? undefined : this.let(this.read(target));
    this.push(i64(this.#i.pc + this.#i.length), 8);
    this.c.end({ kind: "call", target, to });
  }
  ret(extra?: Operand): void {
    const to = this.let(this.pop(8));
    const release = extra ? add(i64(8), toI64u(this.read(extra))) : i64(8);
    this.setReg(RSP, 8, add(this.c.locals.read(RSP), release));
    this.c.end({ kind: "return", to });
  }
  syscall(): void {
    this.#outside(this.#i.pc + this.#i.length, () => this.c.f.call("region_syscall"));
  }
  helper(name: string): void {
    // What comes behind it is in no block: far transfers, INT.
    if (controlOf(this.#i.name) === "trap") return this.trap();
    this.#outside(this.#i.pc, () => {
      this.c.f.i32(this.c.insnId());
      this.c.f.i32(helperNumber(name));
      this.c.f.call("region_helper");
    });
  }
  /** Calls something that works on the state block and gives 0 to go on, or the Exit with which to leave at RIP. */
  #outside(rip: number, call: () => void): void {
    const { f } = this.c;
    this.c.writeBack();
    f.storeAt(STATE + RIP, "i64.store", i64(rip));
    const status = this.c.locals.temp("i32");
    call();
    f.tee(status.index);
    f.if();
    f.storeAt(CTL_EXIT, "i32.store", status);
    f.i64(UNWOUND);
    f.return();
    f.end();
    this.c.reload();
  }
  /** The rare case is the interpreter's. */
  helperIf(cond: Expr, _name: string, otherwise: () => void): void {
    this.c.leave(cond);
    otherwise();
  }
  /** The region has checked the mode where it could have changed. */
  arithmetic(_helper: string, fast: () => void): void {
    fast();
  }
  pc(): Expr {
    return i64(this.#i.pc);
  }
}

const STATE_LOAD = { i32: "i32.load", i64: "i64.load", u16: "i32.load16_u", u8: "i32.load8_u" } as const;
const STATE_STORE = { i32: "i32.store", i64: "i64.store", u16: "i32.store16", u8: "i32.store8" } as const;
