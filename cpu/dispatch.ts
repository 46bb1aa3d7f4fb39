/**
 * The dispatcher's inner loop, in WebAssembly: from regions to the interpreter and back as the jump cache says. Whatever is out of the
 * ordinary is left to JavaScript (dispatcher.ts), and so is an address that the jump cache does not know.
 */
import { Exit } from "./exit.ts";
import {
  CTL_AWAITED,
  CTL_BUDGET,
  CTL_CODE_KILLED,
  CTL_COUNTS,
  CTL_EPOCH,
  CTL_EXIT,
  CTL_FLAGS,
  CTL_LINK,
  CTL_SPACE,
  FLAGS_OTHER,
  GPR,
  JUMP_CACHE,
  RIP,
  STATE,
  TF,
} from "./layout.ts";
import { HANDLER_TYPE, jumpEntry, REGION_TYPE, UNWOUND } from "./runtime.ts";
import type { FuncBuilder, ModuleBuilder } from "./wasm/encoder.ts";
import { add, and, eq, type Expr, i32, i64, load, lt_s, ne, or, shl, sub, type ValType, w } from "./wasm/expr.ts";

/** Deepest nesting of guest calls as wasm calls, those that wait in `resume` counted twice; beyond it everything unwinds. */
export const MAX_DEPTH = 256;

const trapFlag = and(load("i32.load", i32(0), STATE + FLAGS_OTHER), i32(TF));
const rip = load("i64.load", i32(0), STATE + RIP), rsp = load("i64.load", i32(0), STATE + GPR + 32);

/** `set` of an expression, with a local to read it. */
function variable(f: FuncBuilder, type: ValType): { value: Expr; set(e: Expr): void; take(): void } {
  const index = f.newLocal(type);
  return { value: { kind: "local", type, index }, set: (e) => f.assign(index, e), take: () => f.set(index) };
}

/** Regions leave a record instead of flags (flag_record.ts). */
function settleFlags(f: FuncBuilder): void {
  f.expr(ne(load("i64.load", i32(0), CTL_FLAGS), i64(0)));
  f.if();
  f.call("settle_flags");
  f.end();
}

/** RIP is what a region has given back. */
function moveTo(f: FuncBuilder, pc: Expr): void {
  f.expr(ne(pc, i64(UNWOUND)));
  f.if();
  f.storeAt(STATE + RIP, "i64.store", pc);
  f.end();
}

/** (depth of guest calls) -> Exit. Continue: at RIP is the address that a region waits for. */
function dispatch(m: ModuleBuilder, f: FuncBuilder): void {
  const depth = 0;
  const pc = variable(f, "i64"),
    next = variable(f, "i64"),
    entry = variable(f, "i32"),
    slot = variable(f, "i32"),
    exit = variable(f, "i32");
  const returnIf = (cond: Expr, code: Exit) => {
    f.expr(cond);
    f.if();
    f.i32(code);
    f.return();
    f.end();
  };
  const cached = (offset: number) => load("i32.load", entry.value, JUMP_CACHE + offset);
  const again = f.loop();
  pc.set(rip);
  entry.set(jumpEntry(pc.value));
  const miss = or(ne(load("i64.load", entry.value, JUMP_CACHE), pc.value), ne(cached(8), load("i32.load", i32(0), CTL_SPACE)));
  returnIf(or(miss, trapFlag), Exit.Look);

  slot.set(cached(12));
  f.expr(slot.value);
  f.if();
  {
    // Not all regions poll: nobody shall go round here for ever.
    f.storeAt(CTL_BUDGET, "i32.store", sub(load("i32.load", i32(0), CTL_BUDGET), i32(1)));
    returnIf(lt_s(load("i32.load", i32(0), CTL_BUDGET), i32(0)), Exit.Poll);
    f.storeAt(CTL_EXIT, "i32.store", i32(Exit.Continue));
    f.storeAt(CTL_LINK, "i32.store", i32(0));
    f.expr(pc.value);
    f.get(depth);
    f.expr(slot.value);
    f.callIndirect(m.typeIndex(REGION_TYPE));
    next.take();
    moveTo(f, next.value);
    settleFlags(f);
    exit.set(load("i32.load", i32(0), CTL_EXIT));
    const count = shl(exit.value, i32(3));
    f.expr(count);
    f.expr(add(load("i64.load", count, CTL_COUNTS), i64(1)));
    f.store("i64.store", CTL_COUNTS);
    returnIf(eq(exit.value, i32(Exit.Poll)), Exit.RegionPoll);
  }
  f.else();
  {
    returnIf(load("i32.load", i32(0), CTL_LINK), Exit.Look);
    slot.set(cached(16));
    returnIf(w("i32.eqz", slot.value), Exit.Look);
    f.expr(slot.value);
    f.expr(load("i32.load", slot.value, 0));
    f.callIndirect(m.typeIndex(HANDLER_TYPE));
    exit.take();
    f.storeAt(CTL_CODE_KILLED, "i32.store", i32(0));
    // Nothing can be fetched at RIP: JavaScript raises the fault.
    returnIf(eq(exit.value, i32(Exit.Side)), Exit.Look);
  }
  f.end();
  f.expr(exit.value);
  f.if();
  f.expr(exit.value);
  f.return();
  f.end();
  // A record that only leads back to the dispatcher.
  returnIf(eq(rip, pc.value), Exit.Look);
  f.expr(ne(rip, load("i64.load", i32(0), CTL_AWAITED)));
  f.brIf(again);
  f.end();
  f.i32(Exit.Continue);
}

/** See `resume` of GENERATED_IMPORTS. */
function resume(f: FuncBuilder): void {
  const [pc, back, sp, depth] = [0, 1, 2, 3].map((index): Expr => ({ kind: "local", type: index < 3 ? "i64" : "i32", index }));
  const exit = variable(f, "i32"), epoch = variable(f, "i32"), outer = variable(f, "i64");
  moveTo(f, pc);
  exit.set(load("i32.load", i32(0), CTL_EXIT));
  const is = (code: Exit) => eq(exit.value, i32(code));
  const refuse = () => {
    f.i32(0);
    f.return();
  };
  f.expr(and(ne(exit.value, i32(Exit.Continue)), ne(exit.value, i32(Exit.Side))));
  f.if();
  refuse();
  f.end();
  f.expr(w("i32.ge_s", depth, i32(MAX_DEPTH - 1)));
  f.if();
  // If only this caller unwound, the next call would be back at the limit.
  f.expr(is(Exit.Continue));
  f.if();
  f.storeAt(CTL_EXIT, "i32.store", i32(Exit.Left));
  f.end();
  refuse();
  f.end();

  settleFlags(f);
  epoch.set(load("i32.load", i32(0), CTL_EPOCH));
  outer.set(load("i64.load", i32(0), CTL_AWAITED));
  f.storeAt(CTL_AWAITED, "i64.store", back);
  const done = f.block(), again = f.loop();
  // With TF it may only go on one instruction at a time.
  f.expr(and(and(eq(rip, back), eq(rsp, sp)), w("i32.eqz", trapFlag)));
  f.if();
  exit.set(i32(Exit.Continue));
  // A jump has come here, but not to a block.
  f.storeAt(CTL_LINK, "i32.store", i32(0));
  f.br(done);
  f.end();
  f.expr(is(Exit.Continue));
  f.if();
  f.expr(add(depth, i32(2)));
  f.call("dispatch");
  exit.take();
  f.expr(or(is(Exit.Continue), is(Exit.Side)));
  f.brIf(again);
  f.end();
  f.expr(exit.value);
  f.call("host_step");
  exit.take();
  f.expr(or(is(Exit.Continue), is(Exit.Side)));
  f.brIf(again);
  f.end();
  f.end();
  f.storeAt(CTL_AWAITED, "i64.store", outer.value);
  f.expr(and(is(Exit.Continue), ne(epoch.value, load("i32.load", i32(0), CTL_EPOCH))));
  f.if();
  exit.set(i32(Exit.Left));
  f.end();
  f.storeAt(CTL_EXIT, "i32.store", exit.value);
  f.expr(is(Exit.Continue));
}

/** Adds `dispatch` and `resume` to the runtime module. */
export function defineDispatch(m: ModuleBuilder): void {
  dispatch(m, m.func({ params: ["i32"], results: ["i32"] }, "dispatch", true));
  resume(m.func({ params: ["i64", "i64", "i64", "i32"], results: ["i32"] }, "resume", true));
}
