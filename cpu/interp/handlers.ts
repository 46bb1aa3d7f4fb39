/** The interpreter's handlers: made on demand from the semantics, one per instruction form, several per module. */
import type { Insn, OpRow } from "../insn.ts";
import { CTL_BUDGET, CTL_ERROR, CTL_LINK, CTL_VECTOR, RIP, STATE, VEC } from "../layout.ts";
import { Exit } from "../exit.ts";
import { GENERATED_IMPORTS, HANDLER_TYPE } from "../runtime.ts";
import { semanticOf } from "../semantics/mod.ts";
import type { Counters } from "../stats.ts";
import { type FuncBuilder, ModuleBuilder } from "../wasm/encoder.ts";
import { add, i32, load, sub } from "../wasm/expr.ts";
import type { CodeCache } from "../translate/code_cache.ts";
import { addHandler } from "./generate.ts";
import { Forms } from "./forms.ts";
import { formKey, REC_HANDLER, REC_HEAT, REC_OPERAND, REC_PC, REC_TAKEN, RECORD } from "./record.ts";

/** Handlers that are no instructions. */
export type SpecialHandler = "enter" | "end" | "leave" | "lookup" | "fetch_fault" | "invalid_ud" | "invalid_gp";

export class Handlers {
  readonly #slots = new Map<string, number>();
  readonly #forms = new Forms();
  #module: ModuleBuilder | undefined;
  #pending: { key: string; slot: number; f: FuncBuilder }[] = [];
  /** Those that earlier runs have made. */
  #kept: WebAssembly.Exports | undefined;
  readonly #prebuilt: WebAssembly.Exports | undefined;

  constructor(
    private readonly pages: number,
    private readonly table: WebAssembly.Table,
    private readonly imports: WebAssembly.ModuleImports,
    private readonly allocate: () => number,
    private readonly counters: Counters,
    prebuilt?: Uint8Array<ArrayBuffer>,
    private readonly cache?: CodeCache,
  ) {
    if (prebuilt) this.#prebuilt = this.#instantiate(prebuilt);
  }

  /** Table index of the handler of `i`; usable after `finish`. */
  of(i: Insn): number {
    const known = this.#forms.find(i);
    if (known !== undefined) return known;
    const key = formOf(i), slot = this.#add(key, (m) => addHandler(m, key, i, semanticOf(i.name)!)); // every row has one: cpuid_test.ts
    this.#forms.add(i, slot);
    return slot;
  }
  special(name: SpecialHandler): number {
    return this.#slots.get(name) ??
      this.#add(name, (m) => addSpecial(m, name));
  }
  /** Compiles what `of` and `special` have asked for. */
  finish(): void {
    if (!this.#module) return;
    const began = this.counters.now(), bytes = this.#module.finish();
    const made = this.#instantiate(bytes);
    for (const { key, slot, f } of this.#pending) {
      this.table.set(slot, made[key] as CallableFunction);
      this.cache?.keepHandler(key, f.body());
    }
    this.#module = undefined;
    this.#pending = [];
    this.counters.handlerBytes += bytes.length;
    this.counters.handlerNs += this.counters.now() - began;
  }
  get count(): number {
    return this.#slots.size;
  }

  #add(key: string, generate: (m: ModuleBuilder) => FuncBuilder): number {
    const slot = this.allocate(), ready = this.#prebuilt?.[key] ?? this.#keptHandler(key);
    this.#slots.set(key, slot);
    if (ready) {
      this.table.set(slot, ready as CallableFunction);
      return slot;
    }
    this.#module ??= new ModuleBuilder(this.pages, GENERATED_IMPORTS, true);
    this.#pending.push({ key, slot, f: generate(this.#module) });
    return slot;
  }
  #keptHandler(key: string): WebAssembly.ExportValue | undefined {
    if (!this.#kept && this.cache?.handlers.has(key)) {
      const m = new ModuleBuilder(this.pages, GENERATED_IMPORTS, true);
      for (const [name, body] of this.cache.handlers) m.add(HANDLER_TYPE, name, true, body);
      this.#kept = this.#instantiate(m.finish());
    }
    return this.#kept?.[key];
  }
  #instantiate(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Exports {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: this.imports }).exports;
  }
}

/** A module with the special handlers and those of all `forms`, for any memory; see `Prebuilt`. */
export function handlerModule(forms: Iterable<Insn>): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder(undefined, GENERATED_IMPORTS, true);
  for (const name of Object.keys(SPECIAL) as SpecialHandler[]) {
    addSpecial(m, name);
  }
  const done = new Set<string>();
  for (const i of forms) {
    const key = formOf(i), semantic = semanticOf(i.name);
    if (done.has(key) || !semantic) continue;
    done.add(key);
    addHandler(m, key, i, semantic);
  }
  return m.finish();
}
function addSpecial(m: ModuleBuilder, name: SpecialHandler): FuncBuilder {
  const f = m.func(HANDLER_TYPE, name, true);
  SPECIAL[name](f, m.typeIndex(HANDLER_TYPE));
  return f;
}
/** Instructions with the same form share a handler. */
export const formOf = (i: Insn): string => formKey(i, nameOf(i.row));
/** Names rows in form keys; does not depend on their order. */
const nameOf = ({ enc, name, args }: OpRow): string => `${enc} ${name} ${args}`;

const ip = { kind: "local", type: "i32", index: 0 } as const;
const setRip = (f: FuncBuilder, offset: number) => f.storeAt(STATE + RIP, "i64.store", load("i64.load", ip, offset));
const leave = (f: FuncBuilder, code: Exit) => {
  setRip(f, REC_PC);
  f.i32(code);
  f.return();
};

const SPECIAL: Record<SpecialHandler, (f: FuncBuilder, handlerType: number) => void> = {
  /** Head of a block: counts polls and heat. */
  enter(f, handlerType) {
    const left = f.newLocal("i32");
    const count = (address: typeof ip | ReturnType<typeof i32>, offset: number, code: Exit, at: "negative" | "zero") => {
      f.assign(left, sub(load("i32.load", address, offset), i32(1)));
      f.expr(address);
      f.get(left);
      f.store("i32.store", offset);
      f.get(left);
      if (at === "negative") {
        f.i32(0);
        f.op(0x48);
      } else f.op(0x45);
      f.if();
      leave(f, code);
      f.end();
    };
    count(i32(0), CTL_BUDGET, Exit.Poll, "negative");
    count(ip, REC_HEAT, Exit.Hot, "zero");
    f.expr(add(ip, i32(RECORD)));
    f.get(0);
    f.load("i32.load", RECORD + REC_HANDLER);
    f.returnCallIndirect(handlerType);
    f.unreachable();
  },
  /** After the last instruction of a block without control transfer; jumps to operand 0. */
  end: linkJump,
  /** Any record of a dead block, and enter records of blocks that have a region: back to the dispatcher. */
  leave: (f) => {
    leave(f, Exit.Continue);
    f.unreachable();
  },
  /** Goes on at REC_PC, wherever that is in this space. */
  lookup(f, handlerType) {
    const r = f.newLocal("i32");
    f.expr(load("i64.load", ip, REC_PC));
    f.call("find_record");
    f.tee(r);
    f.if();
    f.get(r);
    f.get(r);
    f.load("i32.load", REC_HANDLER);
    f.returnCallIndirect(handlerType);
    f.end();
    leave(f, Exit.Continue);
    f.unreachable();
  },
  /** The bytes at REC_PC could not be fetched: operand 0 has the fault address; the dispatcher raises it. */
  fetch_fault: (f) => {
    leave(f, Exit.Side);
    f.unreachable();
  },
  invalid_ud: (f) => raise(f, VEC.UD),
  invalid_gp: (f) => raise(f, VEC.GP),
};

function raise(f: FuncBuilder, vector: number): void {
  f.storeAt(CTL_VECTOR, "i32.store", i32(vector));
  f.storeAt(CTL_ERROR, "i32.store", i32(0));
  leave(f, Exit.Fault);
  f.unreachable();
}

function linkJump(f: FuncBuilder, handlerType: number): void {
  const r = f.newLocal("i32");
  f.assign(r, load("i32.load", ip, REC_TAKEN));
  f.get(r);
  f.if();
  f.get(r);
  f.get(r);
  f.load("i32.load", REC_HANDLER);
  f.returnCallIndirect(handlerType);
  f.end();
  setRip(f, REC_OPERAND);
  f.storeAt(CTL_LINK, "i32.store", add(ip, i32(REC_TAKEN)));
  f.i32(Exit.Continue);
  f.return();
  f.unreachable();
}
