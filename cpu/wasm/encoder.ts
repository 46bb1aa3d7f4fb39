/** Writes WebAssembly binaries: function bodies and whole modules (WebAssembly core specification, section 5). */
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

/** Growing byte buffer with LEB128 writers. */
export class Bytes {
  buf: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(size = 256) {
    this.buf = new Uint8Array(size);
  }

  byte(b: number): void {
    if (this.length === this.buf.length) this.#grow(1);
    this.buf[this.length++] = b;
  }
  bytes(b: Uint8Array): void {
    if (this.length + b.length > this.buf.length) this.#grow(b.length);
    this.buf.set(b, this.length);
    this.length += b.length;
  }
  /** Unsigned, up to 2^32 - 1. */
  u32(n: number): void {
    while (n >= 0x80) {
      this.byte((n & 0x7f) | 0x80);
      n = n >>> 7;
    }
    this.byte(n);
  }
  s32(n: number): void {
    for (;;) {
      const b = n & 0x7f;
      n >>= 7;
      if ((n === 0 && (b & 0x40) === 0) || (n === -1 && (b & 0x40) !== 0)) return this.byte(b);
      this.byte(b | 0x80);
    }
  }
  /** A signed value; numbers must be safe integers. */
  s64(n: number | bigint): void {
    if (typeof n === "bigint") return this.#big64(n);
    if (n >= -0x8000_0000 && n < 0x8000_0000) return this.s32(n);
    // More than 32 bits: 28 of the low half, then what is left of it together with the high half.
    const low = n >>> 0, high = Math.floor(n / 0x1_0000_0000);
    for (let shift = 0; shift < 28; shift += 7) this.byte((low >>> shift) & 0x7f | 0x80);
    const b = low >>> 28 | (high & 7) << 4, rest = high >> 3;
    if ((rest === 0 && (b & 0x40) === 0) || (rest === -1 && (b & 0x40) !== 0)) return this.byte(b);
    this.byte(b | 0x80);
    this.s32(rest);
  }
  #big64(n: bigint): void {
    for (;;) {
      const b = Number(n & 0x7fn);
      n >>= 7n;
      if ((n === 0n && (b & 0x40) === 0) || (n === -1n && (b & 0x40) !== 0)) return this.byte(b);
      this.byte(b | 0x80);
    }
  }
  /** ASCII only. */
  name(s: string): void {
    this.u32(s.length);
    for (let i = 0; i < s.length; i++) this.byte(s.charCodeAt(i));
  }
  /** Wasm opcode number in the notation of the tables: one byte, or 0xfcNN, or 0xfdNNN. */
  opcode(op: number): void {
    if (op < 0x100) return this.byte(op);
    const prefixed = op >= 0xfd000;
    this.byte(prefixed ? 0xfd : 0xfc);
    this.u32(prefixed ? op - 0xfd000 : op - 0xfc00);
  }
  view(): Uint8Array<ArrayBuffer> {
    return this.buf.subarray(0, this.length);
  }
  #grow(need: number): void {
    const next = new Uint8Array(Math.max(this.buf.length * 2, this.length + need));
    next.set(this.view());
    this.buf = next;
  }
}

/** One function of a module under construction. */
export class FuncBuilder {
  readonly code = new Bytes(4096);
  /** Goes before `code`. */
  #opening: Uint8Array = NOTHING;
  /** Branch hints: twice the offset in `code` of an if or br_if, plus 1 when its condition is likely to hold; ascending. */
  readonly hints: number[] = [];
  readonly #locals: ValType[] = [];
  readonly #free: Record<ValType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  readonly #fnIndex: (name: string) => number;
  readonly #params: number;
  /** Nesting depth of block/loop/if, for branch targets: `depthAt` of a label subtracted from it is the br operand. */
  depth = 0;

  /** @param fnIndex resolves the names of `call` expressions to function indices. */
  constructor(
    params: ValType[],
    fnIndex: (name: string) => number,
    /** Operations that take the place of calls. */
    private readonly substitute?: (name: string) => WasmOp | undefined,
  ) {
    this.#params = params.length;
    this.#fnIndex = fnIndex;
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
    this.hints.push(2 * this.code.length + (likely ? 1 : 0));
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
    this.code.byte(0x10);
    this.code.u32(this.#fnIndex(fn));
  }
  callIndex(index: number): void {
    this.code.byte(0x10);
    this.code.u32(index);
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

  /** The local declarations and the opening, which come before `code` in the body. */
  head(): Bytes {
    const out = new Bytes();
    const runs: [number, ValType][] = [];
    for (const t of this.#locals) runs.at(-1)?.[1] === t ? runs[runs.length - 1][0]++ : runs.push([1, t]);
    out.u32(runs.length);
    for (const [n, t] of runs) {
      out.u32(n);
      out.byte(TYPE_CODE[t]);
    }
    out.bytes(this.#opening);
    return out;
  }
}
const NOTHING = new Uint8Array(0);

export interface FuncType {
  params: readonly ValType[];
  results: readonly ValType[];
}
export interface FuncImport {
  name: string;
  type: FuncType;
}

/**
 * A module that imports memory "m"."memory", optionally table "m"."table", and those functions "m".NAME of `available` that its code calls.
 * Imported functions are numbered by first use, so functions of the module can call each other only when `all` imports are declared from the
 * start (they come first then, in the order given).
 */
export class ModuleBuilder {
  readonly #types: FuncType[] = [];
  readonly #funcs: { type: number; body: FuncBuilder; exportName: string | undefined }[] = [];
  readonly #imports: FuncImport[] = [];
  readonly #indices = new Map<string, number>();
  readonly #named = new Map<string, number>();

  constructor(
    /** 64 KiB pages of the memory; undefined = any memory fits. */
    private readonly pages: number | undefined,
    private readonly available: readonly FuncImport[],
    private readonly withTable: boolean,
    private readonly all = false,
    private readonly substitute?: (name: string) => WasmOp | undefined,
  ) {
    if (all) { for (const f of available) this.#import(f); }
  }

  typeIndex(t: FuncType): number {
    const same = (a: readonly ValType[], b: readonly ValType[]) => a.length === b.length && a.every((x, i) => x === b[i]);
    const at = this.#types.findIndex((u) => same(u.params, t.params) && same(u.results, t.results));
    return at >= 0 ? at : this.#types.push(t) - 1;
  }
  #import(f: FuncImport): number {
    this.typeIndex(f.type);
    const index = this.#imports.push(f) - 1;
    this.#indices.set(f.name, index);
    return index;
  }
  readonly functionIndex = (name: string): number => {
    const known = this.#indices.get(name) ?? (this.all ? this.#named.get(name) : undefined);
    if (known !== undefined) return known;
    const f = this.available.find((x) => x.name === name);
    if (!f) throw new Error(`No function "${name}" in this module`);
    return this.#import(f);
  };

  /** Starts a function; it can be called by name (also before its body is complete) and is exported when `exported`. */
  func(type: FuncType, name: string, exported: boolean): FuncBuilder {
    const body = new FuncBuilder([...type.params], this.functionIndex, this.substitute);
    this.#named.set(name, this.#imports.length + this.#funcs.length);
    this.#funcs.push({ type: this.typeIndex(type), body, exportName: exported ? name : undefined });
    return body;
  }

  finish(): Uint8Array<ArrayBuffer> {
    let code = 0, hints = 0;
    for (const { body } of this.#funcs) {
      code += body.code.length;
      hints += body.hints.length;
    }
    // Large enough for most; they grow when it is not.
    const out = new Bytes(code + 6 * hints + 2048), b = new Bytes(code + 1024);
    out.bytes(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const section = (id: number, write: (b: Bytes) => void) => {
      b.length = 0;
      write(b);
      out.byte(id);
      out.u32(b.length);
      out.bytes(b.view());
    };
    section(1, (b) => {
      b.u32(this.#types.length);
      for (const t of this.#types) {
        b.byte(0x60);
        for (const list of [t.params, t.results]) {
          b.u32(list.length);
          for (const v of list) b.byte(TYPE_CODE[v]);
        }
      }
    });
    section(2, (b) => {
      b.u32(this.#imports.length + 1 + (this.withTable ? 1 : 0));
      for (const f of this.#imports) {
        b.name("m");
        b.name(f.name);
        b.byte(0);
        b.u32(this.typeIndex(f.type));
      }
      b.name("m");
      b.name("memory");
      b.bytes(new Uint8Array([2, 1]));
      b.u32(this.pages ?? 1);
      b.u32(this.pages ?? 65536);
      if (this.withTable) {
        b.name("m");
        b.name("table");
        b.bytes(new Uint8Array([1, 0x70, 0, 0]));
      }
    });
    section(3, (b) => {
      b.u32(this.#funcs.length);
      for (const f of this.#funcs) b.u32(f.type);
    });
    section(7, (b) => {
      const exported = this.#funcs.map((f, i) => ({ name: f.exportName, index: this.#imports.length + i })).filter((f) =>
        f.name !== undefined
      );
      b.u32(exported.length);
      for (const f of exported) {
        b.name(f.name!);
        b.byte(0);
        b.u32(f.index);
      }
    });
    const heads = this.#funcs.map((f) => f.body.head());
    const hinted = this.#funcs.map((f, i) => ({ hints: f.body.hints, i })).filter((f) => f.hints.length > 0);
    // Custom section of the branch hinting proposal; offsets count from the start of the function body.
    if (hinted.length > 0) {
      section(0, (b) => {
        b.name("metadata.code.branch_hint");
        b.u32(hinted.length);
        for (const { hints, i } of hinted) {
          b.u32(this.#imports.length + i);
          b.u32(hints.length);
          for (const hint of hints) {
            b.u32(heads[i].length + (hint >> 1));
            b.byte(1);
            b.byte(hint & 1);
          }
        }
      });
    }
    section(10, (b) => {
      b.u32(heads.length);
      for (let i = 0; i < heads.length; i++) {
        const { code } = this.#funcs[i].body;
        b.u32(heads[i].length + code.length + 1);
        b.bytes(heads[i].view());
        b.bytes(code.view());
        b.byte(0x0b);
      }
    });
    return out.view();
  }
}
