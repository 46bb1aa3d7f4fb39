/** Back end (a): turns the semantics of an instruction form into an interpreter handler, a WebAssembly function (record) -> Exit. */
import { Exit } from "../exit.ts";
import { condFromFlags, flagSource, flagValue } from "../flags.ts";
import type { Insn, MemOperand, Operand } from "../insn.ts";
import {
  CTL_AWAITED,
  CTL_ERROR,
  CTL_LINK,
  CTL_VECTOR,
  FLAG_A,
  FLAG_C,
  FLAG_O,
  FLAG_P,
  FLAG_S,
  FLAG_Z,
  FS_BASE,
  GPR,
  GS_BASE,
  MXCSR,
  RIP,
  SCRATCH,
  STATE,
  VEC,
  X87_SW,
  X87_TAG,
  XMM,
  YMM_HIGH,
  YMM_USED,
} from "../layout.ts";
import { FAST_MODE, MODE_BITS } from "../mxcsr.ts";
import { helperNumber } from "../helper_context.ts";
import { HANDLER_TYPE } from "../runtime.ts";
import type { AccessOptions, Flag, FlagDef, Sem, Semantic } from "../sem.ts";
import { emitStore, loadOp, storeOp } from "../memory_ops.ts";
import type { FuncBuilder, ModuleBuilder } from "../wasm/encoder.ts";
import {
  add,
  and,
  type Expr,
  i32,
  i64,
  load,
  type LocalExpr,
  select,
  shl,
  shr_u,
  sub,
  toI32,
  toI64u,
  v128,
  w,
  xor,
} from "../wasm/expr.ts";
import {
  REC_BASE,
  REC_DISP,
  REC_FALL,
  REC_HANDLER,
  REC_INDEX,
  REC_MIN,
  REC_NEXT,
  REC_OPERAND,
  REC_PC,
  REC_SCALE,
  REC_TAKEN,
  REC_TARGETS,
  REC_VA,
  RECORD,
  TARGET_SLOTS,
} from "./record.ts";

const FLAG_AT: Record<Flag, number> = {
  z: STATE + FLAG_Z,
  s: STATE + FLAG_S,
  p: STATE + FLAG_P,
  c: STATE + FLAG_C,
  o: STATE + FLAG_O,
  a: STATE + FLAG_A,
};
const FLAGS: readonly Flag[] = ["c", "p", "a", "z", "s", "o"];
const isWide = (f: Flag) => f === "z" || f === "s";

/** `write_at` hands this address out for accesses that cross into a page elsewhere; `split_done` then completes the store. */
export const SPLIT_BUFFER = SCRATCH;

export class InterpSem implements Sem {
  readonly #ip: LocalExpr = { kind: "local", type: "i32", index: 0 };
  #ended = false;
  #vaSlot = 0;
  #rmwAddress: Expr | undefined;

  constructor(private readonly f: FuncBuilder, private readonly i: Insn, private readonly handlerType: number) {}

  /** Generates the whole handler. */
  run(semantic: Semantic): void {
    semantic(this, this.i);
    if (!this.#ended) this.#next();
  }

  // ---- operands
  read(op: Operand, opts?: AccessOptions): Expr {
    switch (op.kind) {
      case "reg":
        return this.let(load(loadOp(op.size), this.#operandAddress(op)));
      case "xmm":
        return this.xmm(op);
      case "mmx":
        return this.mmx(op);
      case "imm":
        return this.let(load(this.i.size === 8 ? "i64.load" : "i32.load", this.#ip, this.#slot(op)));
      case "mem":
        return this.load(this.address(op), op.size, opts);
      default:
        throw new Error(`Cannot read operand kind ${op.kind}`);
    }
  }
  write(op: Operand, value: Expr, opts?: AccessOptions): void {
    if (op.kind === "reg") return this.#storeReg(this.#operandAddress(op), op.size, value);
    if (op.kind === "xmm") return this.setXmm(op, value);
    if (op.kind === "mmx") return this.setMmx(op, value);
    if (op.kind !== "mem") throw new Error(`Cannot write operand kind ${op.kind}`);
    if (this.#rmwAddress) {
      this.#store(this.#rmwAddress, op.size, value);
      this.#rmwAddress = undefined;
    } else this.store(this.address(op), op.size, value, opts);
  }
  rmw(op: Operand): Expr {
    if (op.kind !== "mem") return this.read(op);
    this.#rmwAddress = this.#translate(this.address(op), op.size, true);
    return this.let(load(loadOp(op.size), this.#rmwAddress));
  }
  readPair(op: MemOperand, opts?: AccessOptions): readonly [Expr, Expr] {
    const at = this.#translate(this.address(op), 32, false, opts);
    return [this.let(load("v128.load", at)), this.let(load("v128.load", at, 16))];
  }
  writePair(op: MemOperand, value: readonly [Expr, Expr], opts?: AccessOptions): void {
    const at = this.#translate(this.address(op), 32, true, opts);
    emitStore(this.f, at, 16, 16, value[1]);
    this.#store(at, 16, value[0]);
  }
  staticImm(op: Operand): number {
    if (op.kind !== "imm" || !this.i.row.staticImm) throw new Error(`${this.i.name}: no static immediate`);
    return Number(op.value & 0xffn);
  }
  offset(op: MemOperand): Expr {
    let e: Expr = load("i64.load", this.#ip, REC_DISP);
    if (op.base >= 0) e = add(load("i64.load", load("i32.load", this.#ip, REC_BASE)), e);
    if (op.index >= 0) {
      e = add(e, shl(load("i64.load", load("i32.load", this.#ip, REC_INDEX)), load("i64.load32_u", this.#ip, REC_SCALE)));
    }
    if (op.addressSize === 4) e = and(e, i64(0xffff_ffff));
    return this.let(e);
  }
  address(op: MemOperand): Expr {
    const e = this.offset(op);
    return op.seg ? this.let(add(e, load("i64.load", i32(0), STATE + (op.seg === "fs" ? FS_BASE : GS_BASE)))) : e;
  }

  // ---- registers and memory
  reg(n: number, size: number): Expr {
    return this.let(load(loadOp(size), i32(0), STATE + GPR + 8 * n));
  }
  setReg(n: number, size: number, value: Expr): void {
    this.#storeReg(i32(STATE + GPR + 8 * n), size, value);
  }
  xmm(op: Operand): Expr {
    return this.let(load("v128.load", this.#operandAddress(op)));
  }
  setXmm(op: Operand, value: Expr): void {
    this.f.expr(this.#operandAddress(op));
    this.f.expr(value);
    this.f.store("v128.store", 0);
  }
  ymmHigh(op: Operand): Expr {
    return this.let(load("v128.load", this.#operandAddress(op), YMM_HIGH - XMM));
  }
  setYmmHigh(op: Operand, value: Expr): void {
    this.f.expr(this.#operandAddress(op));
    this.f.expr(value);
    this.f.store("v128.store", YMM_HIGH - XMM);
    if (value.kind !== "const") this.f.storeAt(STATE + YMM_USED, "i32.store", i32(1));
  }
  clearYmm(whole: boolean): void {
    this.f.expr(load("i32.load", i32(0), STATE + YMM_USED));
    this.f.if();
    this.f.call("clear_high");
    this.f.end();
    if (!whole) return;
    for (let n = 0; n < 16; n++) this.f.storeAt(STATE + XMM + 16 * n, "v128.store", v128(0n));
  }
  xmmReg(n: number): Expr {
    return this.let(load("v128.load", i32(0), STATE + XMM + 16 * n));
  }
  load(address: Expr, bytes: number, opts?: AccessOptions): Expr {
    return this.let(load(loadOp(bytes, opts), this.#translate(address, bytes, opts?.write === true, opts)));
  }
  store(address: Expr, bytes: number, value: Expr, opts?: AccessOptions): void {
    this.#store(this.#translate(address, bytes, true, opts), bytes, value);
  }
  push(value: Expr, size: number): void {
    const sp = this.let(sub(load("i64.load", i32(0), STATE + GPR + 32), i64(size)));
    this.store(sp, size, value);
    this.setReg(4, 8, sp);
  }
  pop(size: number): Expr {
    return this.load(load("i64.load", i32(0), STATE + GPR + 32), size);
  }
  popped(size: number): void {
    this.setReg(4, 8, add(load("i64.load", i32(0), STATE + GPR + 32), i64(size)));
  }
  state(offset: number, type: "i32" | "i64" | "u16" | "u8"): Expr {
    return this.let(load(STATE_LOAD[type], i32(0), STATE + offset));
  }
  setState(offset: number, type: "i32" | "i64" | "u16" | "u8", value: Expr): void {
    this.f.storeAt(STATE + offset, STATE_STORE[type], value);
  }
  mmx(op: Operand): Expr {
    this.#mmxState();
    return this.let(load("i64.load", this.#operandAddress(op)));
  }
  setMmx(op: Operand, value: Expr): void {
    this.#mmxState();
    this.f.expr(this.#operandAddress(op));
    this.f.expr(value);
    this.f.store("i64.store", 0);
    this.f.expr(this.#operandAddress(op));
    this.f.i32(0xffff);
    this.f.store("i32.store16", 8);
  }
  /** An MMX instruction makes all registers valid and TOP 0 (Intel SDM vol. 1, 9.5.1). */
  #mmxState(): void {
    this.setState(X87_TAG, "u8", i32(0xff));
    this.setState(X87_SW, "u16", and(this.state(X87_SW, "u16"), i32(0xc7ff)));
  }

  // ---- flags
  flag(f: Flag): Expr {
    return this.let(flagValue(f, load(isWide(f) ? "i64.load" : "i32.load", i32(0), FLAG_AT[f])));
  }
  setFlags(def: FlagDef): void {
    const sources = FLAGS.map((f) => [f, flagSource(def, f)] as const);
    const bound = new Map<Expr, Expr>();
    for (const [f, e] of sources) {
      if (!e) continue;
      // A source may be computed from flags: evaluate all before storing any.
      bound.set(e, e.kind === "local" || e.kind === "const" ? e : this.let(e));
      void f;
    }
    for (const [f, e] of sources) if (e) this.f.storeAt(FLAG_AT[f], isWide(f) ? "i64.store" : "i32.store", bound.get(e)!);
  }
  cond(cc: number): Expr {
    return this.let(condFromFlags(cc, (f) => flagValue(f, load(isWide(f) ? "i64.load" : "i32.load", i32(0), FLAG_AT[f]))));
  }

  // ---- values and inner control
  let(value: Expr): Expr {
    if (value.kind === "const" || value.kind === "local") return value;
    const index = this.f.newLocal(value.type);
    this.f.assign(index, value);
    return { kind: "local", type: value.type, index };
  }
  if(cond: Expr, then: () => void, otherwise?: () => void): void {
    const ended = this.#ended;
    this.f.expr(cond);
    this.f.if();
    then();
    if (otherwise) {
      this.f.else();
      otherwise();
    }
    this.f.end();
    this.#ended = ended;
  }
  raise(vector: number, errorCode: number, cond?: Expr): void {
    if (cond) {
      this.f.expr(cond);
      this.f.if();
    }
    this.f.storeAt(CTL_VECTOR, "i32.store", i32(vector));
    this.f.storeAt(CTL_ERROR, "i32.store", i32(errorCode));
    this.#setRip(load("i64.load", this.#ip, REC_PC));
    this.#exit(Exit.Fault);
    if (cond) this.f.end();
    else this.#ended = true;
  }
  trap(vector: number): void {
    this.f.storeAt(CTL_VECTOR, "i32.store", i32(vector));
    this.f.storeAt(CTL_ERROR, "i32.store", i32(0));
    this.#setRip(load("i64.load", this.#ip, REC_NEXT));
    this.#exit(Exit.Fault);
    this.#ended = true;
  }

  // ---- control flow
  jump(target: Operand): void {
    if (target.kind === "rel") this.#follow(REC_TAKEN, load("i64.load", this.#ip, this.#slot(target)));
    else {
      const to = this.read(target);
      this.#noteTarget(to);
      this.#indirect(to);
    }
    this.#ended = true;
  }
  branch(cond: Expr, target: Operand): void {
    this.f.expr(cond);
    this.f.if();
    this.#follow(REC_TAKEN, load("i64.load", this.#ip, this.#slot(target)));
    this.f.end();
    this.#follow(REC_FALL, load("i64.load", this.#ip, REC_NEXT));
    this.#ended = true;
  }
  callNear(target: Operand): void {
    const to = target.kind === "rel" ? undefined : this.read(target);
    this.push(load("i64.load", this.#ip, REC_NEXT), 8);
    if (to) this.#indirect(to);
    else this.#follow(REC_TAKEN, load("i64.load", this.#ip, this.#slot(target)));
    this.#ended = true;
  }
  ret(extra?: Operand): void {
    const to = this.pop(8);
    const sp = add(load("i64.load", i32(0), STATE + GPR + 32), i64(8));
    this.setReg(4, 8, extra ? add(sp, toI64u(this.read(extra))) : sp);
    this.f.expr(w("i64.eq", to, load("i64.load", i32(0), CTL_AWAITED)));
    this.f.if();
    this.#setRip(to);
    this.#exit(Exit.Continue);
    this.f.end();
    this.#indirect(to);
    this.#ended = true;
  }
  syscall(): void {
    this.#setRip(load("i64.load", this.#ip, REC_NEXT));
    this.#exit(Exit.Syscall);
    this.#ended = true;
  }
  helper(name: string): void {
    this.#setRip(load("i64.load", this.#ip, REC_PC));
    const status = this.f.newLocal("i32");
    this.f.get(0);
    this.f.i32(helperNumber(name));
    this.f.call("helper");
    this.f.tee(status);
    this.f.if();
    this.f.get(status);
    this.f.return();
    this.f.end();
  }

  helperIf(cond: Expr, name: string, otherwise: () => void): void {
    this.if(cond, () => this.helper(name), otherwise);
  }
  arithmetic(helper: string, fast: () => void): void {
    const isFast = w("i32.eq", and(load("i32.load", i32(0), STATE + MXCSR), i32(MODE_BITS)), i32(FAST_MODE));
    this.if(isFast, fast, () => this.helper(helper));
  }
  pc(): Expr {
    return load("i64.load", this.#ip, REC_PC);
  }

  // ---- inner workings
  #operandIndex(op: Operand): number {
    return this.i.ops.indexOf(op);
  }
  #slot(op: Operand): number {
    return REC_OPERAND + 8 * this.#operandIndex(op);
  }
  #operandAddress(op: Operand): Expr {
    return load("i32.load", this.#ip, this.#slot(op));
  }
  #storeReg(address: Expr, size: number, value: Expr): void {
    this.f.expr(address);
    if (size === 4) {
      this.f.expr(toI64u(toI32(value)));
      return this.f.store("i64.store", 0);
    }
    this.f.expr(size === 8 ? value : toI32(value));
    this.f.store(storeOp(size), 0);
  }
  #setRip(e: Expr): void {
    this.f.storeAt(STATE + RIP, "i64.store", e);
  }
  #exit(code: Exit): void {
    this.f.i32(code);
    this.f.return();
  }
  /** Linear address for an access; leaves the handler with a pending fault when there is none. Records the address for the profile. */
  #translate(address: Expr, bytes: number, write: boolean, opts?: AccessOptions): Expr {
    const va = this.let(address);
    if (opts?.aligned && bytes >= 16) this.raise(VEC.GP, 0, toI32(and(va, i64(bytes - 1))));
    if (this.#vaSlot < 2) {
      const slot = 8 * this.#vaSlot++,
        high = load("i64.load", this.#ip, REC_VA + slot),
        low = load("i64.load", this.#ip, REC_MIN + slot);
      this.f.get(0);
      this.f.expr(select(w("i64.gt_u", va, high), va, high));
      this.f.store("i64.store", REC_VA + slot);
      this.f.get(0);
      this.f.expr(select(w("i64.lt_u", va, low), va, low));
      this.f.store("i64.store", REC_MIN + slot);
    }
    const at = this.f.newLocal("i32");
    this.f.expr(va);
    this.f.i32(bytes);
    this.f.call(write ? "write_at" : "read_at");
    this.f.tee(at);
    this.f.i32(-1);
    this.f.op(0x46);
    this.f.if();
    this.#setRip(load("i64.load", this.#ip, REC_PC));
    this.#exit(Exit.Fault);
    this.f.end();
    return { kind: "local", type: "i32", index: at };
  }
  #store(at: Expr, bytes: number, value: Expr): void {
    emitStore(this.f, at, 0, bytes, value);
    this.f.expr(w("i32.eq", at, i32(SPLIT_BUFFER)));
    this.f.if();
    this.f.call("split_done");
    this.f.end();
  }
  #goto(record: number): void {
    this.f.get(record);
    this.f.get(record);
    this.f.load("i32.load", REC_HANDLER);
    this.f.returnCallIndirect(this.handlerType);
  }
  #next(): void {
    const r = this.f.newLocal("i32");
    this.f.assign(r, add(this.#ip, i32(RECORD)));
    this.#goto(r);
  }
  #follow(link: number, target: Expr): void {
    const r = this.f.newLocal("i32");
    this.f.assign(r, load("i32.load", this.#ip, link));
    this.f.get(r);
    this.f.if();
    this.#goto(r);
    this.f.end();
    this.#setRip(target);
    this.f.storeAt(CTL_LINK, "i32.store", add(this.#ip, i32(link)));
    this.#exit(Exit.Continue);
  }
  /** Profile of indirect jumps: one of a few slots, chosen by the target. */
  #noteTarget(to: Expr): void {
    const low = toI32(to);
    const slot = and(xor(shr_u(low, i32(1)), shr_u(low, i32(5))), i32(4 * (TARGET_SLOTS - 1)));
    this.f.expr(add(this.#ip, slot));
    this.f.expr(low);
    this.f.store("i32.store", REC_TARGETS);
  }
  #indirect(target: Expr): void {
    const to = this.let(target), r = this.f.newLocal("i32");
    this.f.expr(to);
    this.f.call("find_record");
    this.f.tee(r);
    this.f.if();
    this.#goto(r);
    this.f.end();
    this.#setRip(to);
    this.#exit(Exit.Continue);
  }
}

/** Eight bytes that are always zero: the register of an absent base or index. */
export const ZERO = CTL_VECTOR + 0x20;

const STATE_LOAD = { i32: "i32.load", i64: "i64.load", u16: "i32.load16_u", u8: "i32.load8_u" } as const;
const STATE_STORE = { i32: "i32.store", i64: "i64.store", u16: "i32.store16", u8: "i32.store8" } as const;

/** Adds the handler of an instruction form to a module under construction, exported under `name`. */
export function addHandler(m: ModuleBuilder, name: string, i: Insn, semantic: Semantic): FuncBuilder {
  const f = m.func(HANDLER_TYPE, name, true);
  new InterpSem(f, i, m.typeIndex(HANDLER_TYPE)).run(semantic);
  f.unreachable();
  return f;
}
