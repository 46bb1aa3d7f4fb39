/**
 * The CPU's own WebAssembly module: what handlers and regions call. Software TLB look-up, wide multiplication, RFLAGS, copies.
 * One instance per machine.
 */
import {
  CTL_QUICK_COUNT,
  CTL_QUICK_MASK,
  CTL_SPACE,
  FLAG_A,
  FLAG_C,
  FLAG_D,
  FLAG_O,
  FLAG_P,
  FLAG_S,
  FLAG_Z,
  FLAGS_OTHER,
  GPR,
  JUMP_CACHE,
  PAGE,
  PAGE_SHIFT,
  QUICK_LIST,
  QUICK_TLB,
  RIP,
  STATE,
  TLB,
  YMM_HIGH,
  YMM_USED,
} from "./layout.ts";
import { defineDispatch } from "./dispatch.ts";
import { QUICK_FILLED, quickEntry } from "./quick_tlb.ts";
import { udiv128 } from "./semantics/divide128.ts";
import { defineFlags, FLAG_IMPORTS } from "./flag_record.ts";
import { defineFma, FMA_IMPORTS, SLOW_FMA } from "./fma.ts";
import { defineNaN, NAN_IMPORTS } from "./nan.ts";
import { defineStrings, STRING_IMPORTS } from "./string_compare.ts";
import { defineX87, X87_IMPORTS } from "./x87/mod.ts";
import { type FuncBuilder, type FuncImport, type FuncType, ModuleBuilder } from "./wasm/encoder.ts";
import {
  add,
  and,
  eq,
  type Expr,
  i32,
  i64,
  load,
  lt_u,
  mul,
  or,
  shl,
  shr_s,
  shr_u,
  sub,
  toI64u,
  v128,
  type ValType,
  w,
  xor,
} from "./wasm/expr.ts";

/**
 * TLB entry (32 bytes), direct-mapped by page number: i64 read tag @0, i64 write tag @8, i32 physical minus virtual (mod 2^32) @16,
 * i32 CONTINUES_* @20: the next page lies behind this one and allows the same.
 * Tag = page address | address-space id (1..4095): an access that crosses the page, or another space, never matches.
 */
export const TLB_ENTRIES = 2048;
export const TLB_ENTRY = 32;
export const CONTINUES_READ = 1, CONTINUES_WRITE = 2;
/**
 * Jump-cache entry (32 bytes), direct-mapped by target address: i64 PC @0, i32 space @8, i32 table index of the region @12 (0 = none),
 * i32 record of the interpreter @16 (0 = none).
 */
export const JUMP_ENTRIES = 32768;
export const JUMP_ENTRY = 32;

const RCX = 1, R11 = 11;
const I64_EXTEND_I32_U = 0xad;

const F = (params: ValType[], ...results: ValType[]): FuncType => ({ params, results });

/** Functions that JavaScript provides. */
export const HOST_IMPORTS = [
  { name: "slow_read", type: F(["i32", "i32", "i32"], "i32") },
  { name: "slow_write", type: F(["i32", "i32", "i32"], "i32") },
  /** Like slow_read, but refuses (-1) what is not physically contiguous. */
  { name: "slow_region_read", type: F(["i32", "i32", "i32"], "i32") },
  /** Like slow_write, but refuses (-1) what only the interpreter may do: writes to code and across pages. */
  { name: "slow_region_write", type: F(["i32", "i32", "i32"], "i32") },
  SLOW_FMA,
  /** (Exit of `dispatch`) -> Exit: JavaScript's part of a step while a region waits in `resume`; Continue or Side: go on. */
  { name: "host_step", type: F(["i32"], "i32") },
  /** Deals with a `syscall` instruction of a region, as `region_syscall`; RCX and R11 are in place. */
  { name: "host_syscall", type: F([], "i32") },
] as const satisfies readonly FuncImport[];

/** Functions of the runtime module that generated code imports, and JavaScript functions it may call; in import order. */
export const GENERATED_IMPORTS = [
  /** (va, bytes) -> linear address, or -1 with a pending fault. */
  { name: "read_at", type: F(["i64", "i32"], "i32") },
  { name: "write_at", type: F(["i64", "i32"], "i32") },
  /** Completes a store to the split buffer (CTL/SCRATCH) that `write_at` handed out for an access across pages. */
  { name: "split_done", type: F([]) },
  /** For regions: (va, bytes) -> linear address, or -1: leave the region before the instruction. */
  { name: "region_read_at", type: F(["i64", "i32"], "i32") },
  /** Like region_read_at, but for reads across pages that lie apart it gives a copy in the split buffer. */
  { name: "region_load_at", type: F(["i64", "i32"], "i32") },
  { name: "region_write_at", type: F(["i64", "i32"], "i32") },
  /** For regions: (instruction id, helper number) -> Exit; registers are in the state block. */
  { name: "region_helper", type: F(["i32", "i32"], "i32") },
  /**
   * A guest call of a region has come to (PC) and not to (return address) with (RSP): goes on until it does; the last argument is the
   * region's depth of guest calls. 1 = it has returned, 0 = unwind (CTL_EXIT and RIP say why and where).
   */
  { name: "resume", type: F(["i64", "i64", "i64", "i32"], "i32") },
  /** The poll budget is used up: 0 = go on, 1 = the time slice is over. */
  { name: "poll", type: F([], "i32") },
  /** A `syscall` instruction; RIP is the next one. 0 = go on there with the registers of the state block, else an Exit. */
  { name: "region_syscall", type: F([], "i32") },
  /** (record, helper number) -> Exit. */
  { name: "helper", type: F(["i32", "i32"], "i32") },
  { name: "find_record", type: F(["i64"], "i32") },
  { name: "mulhi_u", type: F(["i64", "i64"], "i64") },
  { name: "mulhi_s", type: F(["i64", "i64"], "i64") },
  { name: "parity", type: F(["i32"], "i32") },
  /** (high, low, divisor) -> quotient; precondition high < divisor. */
  { name: "udiv128", type: F(["i64", "i64", "i64"], "i64") },
  /** Clears the upper halves of all YMM registers. */
  { name: "clear_high", type: F([]) },
  ...FLAG_IMPORTS,
  ...NAN_IMPORTS,
  ...STRING_IMPORTS,
  ...FMA_IMPORTS,
  ...X87_IMPORTS,
] as const satisfies readonly FuncImport[];

export const HANDLER_TYPE: FuncType = F(["i32"], "i32");
/** Regions: (target PC, depth of guest calls) -> next PC, or UNWOUND. */
export const REGION_TYPE: FuncType = F(["i64", "i32"], "i64");
/**
 * Instead of the next PC: RIP and CTL_EXIT say where and why the region stopped. No region waits for this address, but one may wait for that at
 * RIP, where it must not go on. (A jump to this address comes to `no_region`, which sets RIP.)
 */
export const UNWOUND = -1;

const local = (index: number, type: ValType): Expr => ({ kind: "local", type, index });

/**
 * (va, bytes) -> linear address when the TLB knows the page, or both of them and they lie one behind the other; else what `slow` says.
 * `quick`: puts the page into the first level if it may be there.
 */
function tlbLookup(f: FuncBuilder, write: boolean, slow: string, quick: boolean): void {
  const va = local(0, "i64"),
    bytes = local(1, "i32"),
    bind = (e: Expr): Expr => {
      const l = f.newLocal(e.type);
      f.assign(l, e);
      return local(l, e.type);
    };
  const first = bind(tlbEntry(va)), end = bind(add(va, toI64u(sub(bytes, i32(1)))));
  const known = (entry: Expr, address: Expr) =>
    eq(load("i64.load", entry, TLB + (write ? 8 : 0)), or(and(address, i64(-PAGE)), load("i64.load32_u", i32(0), CTL_SPACE)));
  const delta = (entry: Expr) => load("i32.load", entry, TLB + 16);
  const returnIf = (condition: Expr, more?: (at: Expr) => void) => {
    f.expr(condition);
    f.if();
    const at = bind(add(w("i32.wrap_i64", va), delta(first)));
    more?.(at);
    f.expr(at);
    f.return();
    f.end();
  };
  const callSlow = () => {
    f.expr(w("i32.wrap_i64", va));
    f.expr(w("i32.wrap_i64", shr_u(va, i64(32))));
    f.expr(bytes);
    f.call(slow);
  };
  returnIf(known(first, end), quick ? (at) => fillQuick(f, va, at, first, write, callSlow) : undefined);
  const second = bind(tlbEntry(end));
  returnIf(and(and(known(first, va), known(second, end)), eq(delta(first), delta(second))));
  callSlow();
}

/** Fills the first level's entry of a page, if the next page continues it; when there are too many, JavaScript makes room. */
function fillQuick(f: FuncBuilder, va: Expr, at: Expr, entry: Expr, write: boolean, callSlow: () => void): void {
  const count = load("i32.load", i32(0), CTL_QUICK_COUNT), mask = load("i32.load", i32(0), CTL_QUICK_MASK);
  f.expr(and(load("i32.load", entry, TLB + 20), i32(write ? CONTINUES_WRITE : CONTINUES_READ)));
  f.if();
  f.expr(lt_u(count, i32(QUICK_FILLED)));
  f.if();
  const quick = f.newLocal("i32"), offset = quickEntry(va, mask);
  f.assign(quick, add(write ? add(add(offset, mask), i32(8)) : offset, i32(QUICK_TLB)));
  f.expr(local(quick, "i32"));
  f.expr(sub(toI64u(at), va));
  f.store("i64.store", 0);
  f.expr(shl(count, i32(2)));
  f.get(quick);
  f.store("i32.store", QUICK_LIST);
  f.storeAt(CTL_QUICK_COUNT, "i32.store", add(count, i32(1)));
  f.else();
  callSlow();
  f.return();
  f.end();
  f.end();
}

/** Byte offset of the TLB entry of an i64 address. */
export const tlbEntry = (va: Expr): Expr =>
  and(w("i32.shr_u", w("i32.wrap_i64", va), i32(PAGE_SHIFT - 5)), i32((TLB_ENTRIES - 1) * TLB_ENTRY));

function jumpLookup(f: FuncBuilder, offset: number): void {
  const pc = local(0, "i64"), entry = f.newLocal("i32");
  f.assign(entry, jumpEntry(pc));
  f.expr(and(
    eq(load("i64.load", local(entry, "i32"), JUMP_CACHE), pc),
    eq(load("i32.load", local(entry, "i32"), JUMP_CACHE + 8), load("i32.load", i32(0), CTL_SPACE)),
  ));
  f.if();
  f.expr(load("i32.load", local(entry, "i32"), JUMP_CACHE + offset));
  f.return();
  f.end();
  f.i32(0);
}
/** Byte offset of the jump-cache entry of an i64 PC. */
export const jumpEntry = (pc: Expr): Expr =>
  and(shl(w("i32.wrap_i64", xor(pc, shr_u(pc, i64(9)))), i32(5)), i32((JUMP_ENTRIES - 1) * JUMP_ENTRY));

/** A physical page (number) holds code from now on: no TLB entry may let generated code write to it, or into it from the page before. */
function watch(f: FuncBuilder): void {
  const index = f.newLocal("i32"), entry = local(index, "i32");
  f.assign(index, i32(TLB));
  const again = f.loop(), virtual = and(load("i32.load", entry, 8), i32(-PAGE));
  const physical = shr_u(add(virtual, load("i32.load", entry, 16)), i32(PAGE_SHIFT));
  f.expr(lt_u(sub(local(0, "i32"), physical), i32(2)));
  f.if();
  f.expr(entry);
  f.expr(i64(0));
  f.store("i64.store", 8);
  f.end();
  f.assign(index, add(entry, i32(TLB_ENTRY)));
  f.expr(lt_u(entry, i32(TLB + TLB_ENTRIES * TLB_ENTRY)));
  f.brIf(again);
  f.end();
}

/** High 64 bits of a 64x64 product, schoolbook on 32-bit halves. */
function mulhi(f: FuncBuilder, signed: boolean): void {
  const a = local(0, "i64"), b = local(1, "i64");
  const bind = (e: Expr) => {
    const l = f.newLocal("i64");
    f.assign(l, e);
    return local(l, "i64");
  };
  const mask = i64(0xffff_ffff), high = signed ? shr_s : shr_u;
  const al = bind(and(a, mask)), ah = bind(high(a, i64(32))), bl = bind(and(b, mask)), bh = bind(high(b, i64(32)));
  const low = bind(mul(al, bl));
  const m1 = bind(add(mul(ah, bl), shr_u(low, i64(32))));
  const m2 = bind(add(mul(al, bh), and(m1, mask)));
  f.expr(add(add(mul(ah, bh), high(m1, i64(32))), high(m2, i64(32))));
}

const byteParity = (x: Expr): Expr => xor(and(w("i32.popcnt", and(x, i32(0xff))), i32(1)), i32(1));

/** RFLAGS of the state block at linear address `at`. */
function getFlags(f: FuncBuilder): void {
  const at = local(0, "i32");
  const put = (e: Expr, shift: number) => shl(e, i32(shift));
  const parts = [
    load("i32.load", at, FLAGS_OTHER),
    load("i32.load", at, FLAG_C),
    put(byteParity(load("i32.load", at, FLAG_P)), 2),
    put(load("i32.load", at, FLAG_A), 4),
    put(w("i64.eqz", load("i64.load", at, FLAG_Z)), 6),
    put(w("i32.wrap_i64", shr_u(load("i64.load", at, FLAG_S), i64(63))), 7),
    put(load("i32.load", at, FLAG_D), 10),
    put(load("i32.load", at, FLAG_O), 11),
  ];
  f.expr(parts.reduce((a, b) => or(a, b)));
}

export interface Runtime {
  readonly read_at: (va: bigint, bytes: number) => number;
  readonly write_at: (va: bigint, bytes: number) => number;
  /** RFLAGS of the block at a linear address (bit 1 is part of FLAGS_OTHER). */
  readonly get_flags: (at: number) => number;
  /** Puts into RCX and R11 what a `syscall` instruction leaves there: RIP and RFLAGS. */
  readonly enter_syscall: () => void;
  /** See flag_record.ts. */
  readonly settle_flags: () => void;
  /** memory.copy within the machine's RAM. */
  readonly copy: (to: number, from: number, length: number) => void;
  readonly fill: (at: number, value: number, length: number) => void;
  /** Makes writes to a physical page (number) come to `slow_write` from now on, because it holds code. */
  readonly watch: (page: number) => void;
  /** Runs handlers from a record until one returns an Exit. */
  readonly interpret: (record: number) => number;
  /** What an unused region slot holds: gives its PC back, so that the dispatcher goes on there. */
  readonly no_region: CallableFunction;
  /**
   * Runs regions and interpreter, (depth of guest calls) -> Exit, until something else has to be done. Continue: RIP is the address that a
   * region waits for (CTL_AWAITED).
   */
  readonly dispatch: (depth: number) => number;
}

/** Bytes of the runtime module for a memory of `pages` 64 KiB pages. */
export function runtimeModule(pages: number | undefined): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder(pages, HOST_IMPORTS, true);
  const define = (name: string, type: FuncType, body: (f: FuncBuilder) => void) => body(m.func(type, name, true));
  define("read_at", F(["i64", "i32"], "i32"), (f) => tlbLookup(f, false, "slow_read", false));
  define("write_at", F(["i64", "i32"], "i32"), (f) => tlbLookup(f, true, "slow_write", false));
  define("region_read_at", F(["i64", "i32"], "i32"), (f) => tlbLookup(f, false, "slow_region_read", true));
  define("region_load_at", F(["i64", "i32"], "i32"), (f) => tlbLookup(f, false, "slow_read", true));
  define("region_write_at", F(["i64", "i32"], "i32"), (f) => tlbLookup(f, true, "slow_region_write", true));
  define("find_record", F(["i64"], "i32"), (f) => jumpLookup(f, 16));
  define("mulhi_u", F(["i64", "i64"], "i64"), (f) => mulhi(f, false));
  define("mulhi_s", F(["i64", "i64"], "i64"), (f) => mulhi(f, true));
  define("parity", F(["i32"], "i32"), (f) => f.expr(byteParity(local(0, "i32"))));
  define("udiv128", F(["i64", "i64", "i64"], "i64"), (f) => {
    const bind = (e: Expr): Expr => {
      const l = f.newLocal(e.type);
      f.assign(l, e);
      return local(l, e.type);
    };
    f.expr(udiv128(bind, local(0, "i64"), local(1, "i64"), local(2, "i64")));
  });
  define("clear_high", F([]), (f) => {
    for (let n = 0; n < 16; n++) f.storeAt(STATE + YMM_HIGH + 16 * n, "v128.store", v128(0n));
    f.storeAt(STATE + YMM_USED, "i32.store", i32(0));
  });
  defineFlags(define);
  defineNaN(define);
  defineStrings(define);
  defineFma(define);
  defineX87(m);
  define("get_flags", F(["i32"], "i32"), getFlags);
  define("enter_syscall", F([]), (f) => {
    f.call("settle_flags");
    f.storeAt(STATE + GPR + 8 * RCX, "i64.store", load("i64.load", i32(0), STATE + RIP));
    f.i32(0);
    f.i32(STATE);
    f.call("get_flags");
    f.op(I64_EXTEND_I32_U);
    f.store("i64.store", STATE + GPR + 8 * R11);
  });
  define("region_syscall", F([], "i32"), (f) => {
    f.call("enter_syscall");
    f.call("host_syscall");
  });
  define("copy", F(["i32", "i32", "i32"]), (f) => {
    for (let i = 0; i < 3; i++) f.get(i);
    f.op(0xfc0a);
    f.code.bytes(new Uint8Array([0, 0]));
  });
  define("fill", F(["i32", "i32", "i32"]), (f) => {
    for (let i = 0; i < 3; i++) f.get(i);
    f.op(0xfc0b);
    f.code.byte(0);
  });
  define("watch", F(["i32"]), watch);
  define("interpret", HANDLER_TYPE, (f) => {
    f.get(0);
    f.expr(load("i32.load", local(0, "i32"), 0));
    f.callIndirect(m.typeIndex(HANDLER_TYPE));
  });
  define("no_region", REGION_TYPE, (f) => {
    f.storeAt(STATE + RIP, "i64.store", local(0, "i64"));
    f.get(0);
  });
  defineDispatch(m);
  return m.finish();
}
