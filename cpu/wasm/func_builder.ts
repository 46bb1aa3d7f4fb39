/** Writes the bodies of WebAssembly functions (WebAssembly core specification, section 5.4). */
import { Bytes } from "./bytes.ts";
import {
  type CallExpr,
  constant,
  type ConstExpr,
  type Expr,
  type LoadOp,
  LOADS,
  OPS,
  type StoreOp,
  STORES,
  type ValType,
  type WasmOp,
} from "./expr.ts";

export const TYPE_CODE: Record<ValType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
export const BLOCK_VOID = 0x40;
const NOTHING = new Uint8Array(0);

/** A finished function, for any module that has the functions it calls and declares the types it uses in the same order. */
export interface Body {
  /** Local declarations and code, without the last `end`. */
  readonly bytes: Uint8Array;
  /** Branch hints: twice the offset of an if or br_if, plus 1 when its condition is likely to hold; ascending. */
  readonly hints: readonly number[];
  /** Where two bytes are for the number of a function, and its name; "" = the function itself. */
  readonly calls: readonly (readonly [offset: number, name: string])[];
  /** Some operation of the host took the place of a call. */
  readonly substituted: boolean;
}

/** One function of a module under construction. */
export class FuncBuilder {
  readonly code = new Bytes(4096);
  /** Goes before `code`. */
  #opening: Uint8Array = NOTHING;
  /** As in Body, but with offsets in `code`. */
  readonly #hints: number[] = [];
  readonly #calls: [number, string][] = [];
  #substituted = false;
  readonly #locals: ValType[] = [];
  readonly #free: Record<ValType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  readonly #params: number;
  /** Nesting depth of block/loop/if, for branch targets: `depthAt` of a label subtracted from it is the br operand. */
  depth = 0;

  constructor(
    params: ValType[],
    /** Told the name of each function that is called. */
    private readonly called: (name: string) => void,
    /** Operations that take the place of calls. */
    private readonly substitute?: (name: string) => WasmOp | undefined,
  ) {
    this.#params = params.length;
  }

  newLocal(type: ValType): number {
    const reused = this.#free[type].pop();
    if (reused !== undefined) return reused;
    this.#locals.push(type);
    return this.#params + this.#locals.length - 1;
  }
  freeLocal(type: ValType, index: number): void {
    this.#free[type].push(index);
  }

  // ---- instructions
  op(code: number): void {
    this.code.opcode(code);
  }
  get(local: number): void {
    this.code.byte(0x20);
    this.code.u32(local);
  }
  set(local: number): void {
    this.code.byte(0x21);
    this.code.u32(local);
  }
  tee(local: number): void {
    this.code.byte(0x22);
    this.code.u32(local);
  }
  i32(n: number): void {
    this.code.byte(0x41);
    this.code.s32(n | 0);
  }
  /** Taken modulo 2^64. */
  i64(n: number | bigint): void {
    this.code.byte(0x42);
    this.code.s64(Number.isSafeInteger(n) ? n : BigInt.asIntN(64, BigInt(n)));
  }
  block(): number {
    this.code.byte(0x02);
    this.code.byte(BLOCK_VOID);
    return ++this.depth;
  }
  loop(): number {
    this.code.byte(0x03);
    this.code.byte(BLOCK_VOID);
    return ++this.depth;
  }
  /** Says how the condition of the `if` or `br_if` that is emitted next will turn out nearly always: its other way is kept out of line. */
  hint(likely: boolean): void {
    this.#hints.push(2 * this.code.length + (likely ? 1 : 0));
  }
  /** Consumes an i32 condition from the stack. */
  if(): number {
    this.code.byte(0x04);
    this.code.byte(BLOCK_VOID);
    return ++this.depth;
  }
  else(): void {
    this.code.byte(0x05);
  }
  end(): void {
    this.code.byte(0x0b);
    this.depth--;
  }
  /** Branch to a label given by the depth that block()/loop()/if() returned. */
  br(label: number): void {
    this.code.byte(0x0c);
    this.code.u32(this.depth - label);
  }
  brIf(label: number): void {
    this.code.byte(0x0d);
    this.code.u32(this.depth - label);
  }
  brTable(labels: number[], otherwise: number): void {
    this.code.byte(0x0e);
    this.code.u32(labels.length);
    for (const l of labels) this.code.u32(this.depth - l);
    this.code.u32(this.depth - otherwise);
  }
  return(): void {
    this.code.byte(0x0f);
  }
  call(fn: string): void {
    this.called(fn);
    this.#callTo(fn);
  }
  callSelf(): void {
    this.#callTo("");
  }
  /** Functions get their numbers when the module is finished: two bytes are left for them. */
  #callTo(fn: string): void {
    this.code.byte(0x10);
    this.#calls.push([this.code.length, fn]);
    this.code.byte(0x80);
    this.code.byte(0);
  }
  callIndirect(type: number): void {
    this.code.byte(0x11);
    this.code.u32(type);
    this.code.u32(0);
  }
  returnCallIndirect(type: number): void {
    this.code.byte(0x13);
    this.code.u32(type);
    this.code.u32(0);
  }
  /** Puts finished code before everything else. */
  prepend(opening: Uint8Array): void {
    this.#opening = opening;
  }
  drop(): void {
    this.code.byte(0x1a);
  }
  unreachable(): void {
    this.code.byte(0x00);
  }
  /** Address is on the stack. Alignment hints are 0: guest accesses may be unaligned. */
  load(op: LoadOp, offset: number): void {
    this.#access(LOADS[op][0], offset);
  }
  /** Address and value are on the stack. */
  store(op: StoreOp, offset: number): void {
    this.#access(STORES[op][0], offset);
  }
  #access(opcode: number, offset: number): void {
    this.code.opcode(opcode);
    this.code.byte(0);
    this.code.u32(offset);
  }

  /** Emits code that leaves the value of `e` on the stack. */
  expr(e: Expr): void {
    switch (e.kind) {
      case "local":
        return this.get(e.index);
      case "const":
        return this.#const(e);
      case "op": {
        this.expr(e.a);
        if (e.b !== undefined) this.expr(e.b);
        if (e.c !== undefined) this.expr(e.c);
        this.code.opcode(e.code);
        const { imm } = e;
        for (let i = 0; i < imm.length; i++) this.code.byte(imm[i]);
        return;
      }
      case "load":
        this.expr(e.a);
        return this.#access(e.code, e.offset);
      case "select":
        if (e.op === "choose") {
          this.expr(e.c);
          this.hint(true);
          this.code.byte(0x04);
          this.code.byte(TYPE_CODE[e.type]);
          this.expr(e.a);
          this.code.byte(0x05);
          this.expr(e.b);
          this.code.byte(0x0b);
          return;
        }
        this.expr(e.a);
        this.expr(e.b);
        this.expr(e.c);
        if (e.type === "v128") {
          this.code.byte(0x1c);
          this.code.byte(1);
          this.code.byte(TYPE_CODE.v128);
        } else this.code.byte(e.code);
        return;
      case "call":
        return this.#call(e);
    }
  }
  #call(e: CallExpr): void {
    for (const a of e.args) this.expr(a);
    const op = this.substitute?.(e.fn);
    if (op) this.code.opcode(OPS[op][0]);
    else this.call(e.fn);
    this.#substituted ||= op !== undefined;
  }
  /** `local = e`. */
  assign(local: number, e: Expr): void {
    if (e.kind === "local" && e.index === local) return;
    this.expr(e);
    this.set(local);
  }
  /** Stores `e` at a constant linear address. */
  storeAt(address: number, op: StoreOp, e: Expr): void {
    this.i32(0);
    this.expr(e);
    this.store(op, address);
  }

  #const(e: ConstExpr): void {
    if (e.type === "i32") return this.i32(e.n);
    if (e.type === "i64") return this.i64(e.big ?? e.n);
    this.code.opcode(e.type === "f32" ? 0x43 : e.type === "f64" ? 0x44 : 0xfd00c);
    const value = constant(e);
    for (let i = 0, n = e.type === "f32" ? 4 : e.type === "f64" ? 8 : 16; i < n; i++) {
      this.code.byte(Number((value >> BigInt(8 * i)) & 0xffn));
    }
  }

  body(): Body {
    const out = new Bytes(this.code.length + 256);
    const runs: [number, ValType][] = [];
    for (const t of this.#locals) runs.at(-1)?.[1] === t ? runs[runs.length - 1][0]++ : runs.push([1, t]);
    out.u32(runs.length);
    for (const [n, t] of runs) {
      out.u32(n);
      out.byte(TYPE_CODE[t]);
    }
    out.bytes(this.#opening);
    const before = out.length;
    out.bytes(this.code.view());
    return {
      bytes: out.view(),
      hints: this.#hints.map((hint) => hint + 2 * before),
      calls: this.#calls.map(([at, name]) => [at + before, name]),
      substituted: this.#substituted,
    };
  }
}
