/** Writes whole WebAssembly modules (WebAssembly core specification, section 5.5). */
import { Bytes } from "./bytes.ts";
import type { ValType, WasmOp } from "./expr.ts";
import { type Body, FuncBuilder, TYPE_CODE } from "./func_builder.ts";

export interface FuncType {
  params: readonly ValType[];
  results: readonly ValType[];
}
export interface FuncImport {
  name: string;
  type: FuncType;
}

/**
 * A module that imports memory "m"."memory", optionally table "m"."table", and those functions "m".NAME of `available` that its code calls
 * and that are none of its own.
 */
export class ModuleBuilder {
  readonly #types: FuncType[] = [];
  readonly #funcs: { type: number; body(): Body; exportName: string | undefined }[] = [];
  readonly #imports: FuncImport[] = [];
  readonly #indices = new Map<string, number>();
  readonly #named = new Map<string, number>();

  constructor(
    /** 64 KiB pages of the memory; undefined = any memory fits. */
    private readonly pages: number | undefined,
    private readonly available: readonly FuncImport[],
    private readonly withTable: boolean,
    private readonly substitute?: (name: string) => WasmOp | undefined,
  ) {}

  typeIndex(t: FuncType): number {
    const same = (a: readonly ValType[], b: readonly ValType[]) => a.length === b.length && a.every((x, i) => x === b[i]);
    const at = this.#types.findIndex((u) => same(u.params, t.params) && same(u.results, t.results));
    return at >= 0 ? at : this.#types.push(t) - 1;
  }
  #import(f: FuncImport): void {
    this.typeIndex(f.type);
    this.#indices.set(f.name, this.#imports.push(f) - 1);
  }
  readonly #called = (name: string): void => {
    if (this.#indices.has(name) || this.#named.has(name)) return;
    const f = this.available.find((x) => x.name === name);
    if (!f) throw new Error(`No function "${name}" in this module`);
    this.#import(f);
  };

  /** Starts a function; it can be called by name (also before its body is complete) and is exported when `exported`. */
  func(type: FuncType, name: string, exported: boolean): FuncBuilder {
    const f = new FuncBuilder([...type.params], this.#called, this.substitute);
    this.#add(type, name, exported, () => f.body());
    return f;
  }
  /** Adds a function that has been made for another module. */
  add(type: FuncType, name: string, exported: boolean, body: Body): void {
    this.typeIndex(type);
    for (const [, callee] of body.calls) if (callee !== "") this.#called(callee);
    this.#add(type, name, exported, () => body);
  }
  #add(type: FuncType, name: string, exported: boolean, body: () => Body): void {
    this.#named.set(name, this.#funcs.length);
    this.#funcs.push({ type: this.typeIndex(type), body, exportName: exported ? name : undefined });
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bodies = this.#funcs.map((f) => f.body()), first = this.#imports.length;
    let code = 0, hints = 0;
    for (const body of bodies) {
      code += body.bytes.length;
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
    // Custom section of the branch hinting proposal; offsets count from the start of the function body.
    if (hints > 0) {
      section(0, (b) => {
        b.name("metadata.code.branch_hint");
        b.u32(bodies.reduce((n, { hints }) => n + (hints.length > 0 ? 1 : 0), 0));
        bodies.forEach(({ hints }, i) => {
          if (hints.length === 0) return;
          b.u32(first + i);
          b.u32(hints.length);
          for (const hint of hints) {
            b.u32(hint >> 1);
            b.byte(1);
            b.byte(hint & 1);
          }
        });
      });
    }
    section(10, (b) => {
      b.u32(bodies.length);
      bodies.forEach(({ bytes, calls }, self) => {
        b.u32(bytes.length + 1);
        const start = b.length;
        b.bytes(bytes);
        // In the copy: other modules may have the body as well.
        for (const [at, name] of calls) {
          const n = this.#indices.get(name) ?? first + (this.#named.get(name) ?? self);
          b.buf[start + at] = n & 0x7f | 0x80;
          b.buf[start + at + 1] = n >> 7;
        }
        b.byte(0x0b);
      });
    });
    return out.view();
  }
}
