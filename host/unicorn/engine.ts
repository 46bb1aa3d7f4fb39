/** Unicorn (https://www.unicorn-engine.org, version 2) by FFI: one engine per address space, over the machine's own RAM. */
import type { Ram } from "../../cpu/api.ts";
import { readFlags, writeFlags } from "../../cpu/cpu_state.ts";
import { FS_BASE, GPR, GS_BASE, MXCSR, RIP, ST, VEC, X87_CW, X87_SW, X87_TAG, XMM } from "../../cpu/layout.ts";
import { cpuid } from "../../cpu/helpers/cpuid.ts";
import type { CpuLevel } from "../../cpu/level.ts";
import { Space } from "../../cpu/mmu.ts";
import { type Extent, RIGHT_X } from "../../cpu/space.ts";
import { BEGIN, TABLES, UNTIL, userModeTables } from "./user_mode.ts";

const LIBRARY = "libunicorn.so.2";
const SYMBOLS = {
  uc_open: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  uc_close: { parameters: ["pointer"], result: "i32" },
  uc_mem_map_ptr: { parameters: ["pointer", "u64", "usize", "u32", "pointer"], result: "i32" },
  uc_context_alloc: { parameters: ["pointer", "buffer"], result: "i32" },
  uc_context_save: { parameters: ["pointer", "pointer"], result: "i32" },
  uc_context_restore: { parameters: ["pointer", "pointer"], result: "i32" },
  uc_context_free: { parameters: ["pointer"], result: "i32" },
  uc_mem_map: { parameters: ["pointer", "u64", "usize", "u32"], result: "i32" },
  uc_mem_write: { parameters: ["pointer", "u64", "buffer", "usize"], result: "i32" },
  uc_mem_unmap: { parameters: ["pointer", "u64", "usize"], result: "i32" },
  uc_reg_write_batch: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
  uc_reg_read_batch: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
  uc_emu_start: { parameters: ["pointer", "u64", "u64", "u64", "usize"], result: "i32" },
  uc_emu_stop: { parameters: ["pointer"], result: "i32" },
  uc_hook_add: { parameters: ["pointer", "buffer", "i32", "function", "pointer", "u64", "u64", "i32"], result: "i32" },
  /** uc_ctl is variadic; for integers that makes no difference on x86-64. */
  uc_ctl: { parameters: ["pointer", "u32", "u64", "u64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;
type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
/** A function of the C library that does nothing with the first of any arguments. */
const IDLE = { abs: { type: "pointer" } } as const satisfies Deno.ForeignLibraryInterface;

/** unicorn.h and x86.h, version 2.0.1. */
const ARCH_X86 = 4,
  MODE_64 = 8,
  HOOK_INTR = 1,
  HOOK_INSN = 2,
  HOOK_CODE = 4,
  HOOK_MEM_INVALID = 1008,
  INS_SYSCALL = 699,
  INS_CPUID = 113;
const CTL_TB_REMOVE_CACHE = 0x4800_0009;
const REG = {
  EFLAGS: 25,
  FPSW: 31,
  RIP: 41,
  FP0: 82,
  ST0: 114,
  XMM0: 122,
  FPCW: 246,
  FPTAG: 247,
  MXCSR: 249,
  FS_BASE: 250,
  GS_BASE: 251,
};
/** In Intel's order. */
const GPRS = [35, 38, 40, 37, 44, 36, 43, 39, 106, 107, 108, 109, 110, 111, 112, 113];
/** EAX, EBX, ECX, EDX for CPUID. */
const CPUID_REGISTERS = [35, 37, 38, 40];
const ERR_INSN_INVALID = 10;
const MEM_WRITE_UNMAPPED = 20, MEM_FETCH_UNMAPPED = 21, MEM_WRITE_PROT = 22, MEM_READ_PROT = 23, MEM_FETCH_PROT = 24;
/** An address that is never reached. */
const NOWHERE = 0xffff_ffff_ffffn;

/** Throws what Deno.dlopen throws when the library is not installed. */
export function openUnicorn(): Library {
  return Deno.dlopen(LIBRARY, SYMBOLS).symbols;
}

/** How `run` ended. */
export type Stop = { kind: "time" } | { kind: "syscall" } | { kind: "exception"; vector: number; error: number; address: number };

/** An address space that knows when its mappings have changed. */
export class WatchedSpace extends Space {
  changes = 0;
  constructor(id: number, private readonly gone: (space: WatchedSpace) => void) {
    super(id, () => {}, () => {});
  }
  override map(va: number, pa: number, length: number, rights: number, tag = 0): void {
    this.changes++;
    super.map(va, pa, length, rights, tag);
  }
  override unmap(va: number, length: number): void {
    this.changes++;
    super.unmap(va, length);
  }
  override destroy(): void {
    super.destroy();
    this.gone(this);
  }
}

export class Engine {
  readonly #uc: Deno.PointerValue;
  readonly #base: bigint;
  /** The processor's state without an exception under way. */
  readonly #fresh: Deno.PointerValue;
  /** Unicorn takes an exception after this one for a fault while it is delivered, and makes a double fault of the two. */
  #faulted = false;
  readonly #mapped = new Map<string, Extent>();
  #hasRun = false;
  readonly #callbacks: { close(): void }[] = [];
  readonly #ids: Int32Array<ArrayBuffer>;
  readonly #pointers: BigUint64Array<ArrayBuffer>;
  /** RFLAGS, FPCW, FPSW, FPTAG, 8 x87 registers of 16 bytes. */
  readonly #extra = new Uint8Array(8 * 4 + 8 * 16);
  readonly #view = new DataView(this.#extra.buffer);
  #block = -1;
  #seen = -1;
  #stop: Stop | undefined;

  constructor(
    private readonly lib: Library,
    private readonly ram: Ram,
    private readonly space: WatchedSpace,
    private readonly level: CpuLevel,
  ) {
    const out = new BigUint64Array(1);
    this.#check(lib.uc_open(ARCH_X86, MODE_64, out), "uc_open");
    this.#uc = Deno.UnsafePointer.create(out[0]);
    this.#base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(ram.u8));
    const x87 = Array.from({ length: 8 }, (_, n) => REG.FP0 + n), xmm = Array.from({ length: 16 }, (_, n) => REG.XMM0 + n);
    // FPSW before the registers: it holds TOP.
    this.#ids = new Int32Array([
      ...GPRS,
      REG.RIP,
      REG.FS_BASE,
      REG.GS_BASE,
      REG.MXCSR,
      ...xmm,
      REG.EFLAGS,
      REG.FPCW,
      REG.FPSW,
      REG.FPTAG,
      ...x87,
    ]);
    this.#pointers = new BigUint64Array(this.#ids.length);
    this.#enterUserMode();
    this.#check(lib.uc_context_alloc(this.#uc, out), "uc_context_alloc");
    this.#fresh = Deno.UnsafePointer.create(out[0]);
    this.#check(lib.uc_context_save(this.#uc, this.#fresh), "uc_context_save");
    this.#hook(HOOK_INSN, ["pointer", "pointer"], () => this.#halt({ kind: "syscall" }), INS_SYSCALL);
    this.#hook(HOOK_INSN, ["pointer", "pointer"], () => this.#cpuid(), INS_CPUID);
    this.#hook(HOOK_INTR, ["pointer", "u32", "pointer"], (_uc, vector) => this.#halt(exception(Number(vector), 0, 0)));
    this.#hook(HOOK_MEM_INVALID, ["pointer", "i32", "u64", "i32", "i64", "pointer"], (_uc, type, address) => {
      this.#stop = pageFault(Number(type), Number(address));
      return 0;
    });
    // Unicorn 2.0 leaves a basic block at a memory fault with the RIP and the flags of its beginning. It brings both up to date where an
    // instruction has a hook, whatever that does; so each has one that does nothing, in native code.
    this.#addHook(HOOK_CODE, Deno.dlopen("libc.so.6", IDLE).symbols.abs);
  }

  close(): void {
    this.lib.uc_context_free(this.#fresh);
    this.lib.uc_close(this.#uc);
    for (const c of this.#callbacks) c.close();
  }
  /** Bytes at physical [pa, pa + length) were changed behind Unicorn's back. */
  codeChanged(pa: number, length: number): void {
    if (!this.#hasRun) return;
    for (const { start, end, pa: from, rights } of this.#mapped.values()) {
      if (!(rights & RIGHT_X) || pa >= from + (end - start) || pa + length <= from) continue;
      const low = start + Math.max(0, pa - from), high = Math.min(end, start + (pa + length - from));
      this.lib.uc_ctl(this.#uc, CTL_TB_REMOVE_CACHE, BigInt(low), BigInt(high));
    }
  }

  /** Takes over the registers of the state block at linear address `at`. */
  load(at: number): void {
    if (this.#faulted) this.#check(this.lib.uc_context_restore(this.#uc, this.#fresh), "uc_context_restore");
    this.#faulted = false;
    this.#aim(at);
    const { view, u8 } = this.ram, extra = this.#view;
    extra.setBigUint64(0, BigInt(readFlags(this.ram, at)), true);
    extra.setUint16(8, view.getUint16(at + X87_CW, true), true);
    extra.setUint16(16, view.getUint16(at + X87_SW, true), true);
    let tags = 0;
    for (let n = 0; n < 8; n++) if (!((u8[at + X87_TAG] >> n) & 1)) tags |= 3 << (2 * n);
    extra.setUint16(24, tags, true);
    for (let n = 0; n < 8; n++) this.#extra.set(u8.subarray(at + ST + 16 * n, at + ST + 16 * n + 10), 32 + 16 * n);
    this.#check(this.lib.uc_reg_write_batch(this.#uc, this.#ids, this.#pointers, this.#ids.length), "uc_reg_write_batch");
  }
  /** Stores the registers in a state block. */
  store(at: number): void {
    this.#aim(at);
    this.#check(this.lib.uc_reg_read_batch(this.#uc, this.#ids, this.#pointers, this.#ids.length), "uc_reg_read_batch");
    const { view, u8 } = this.ram, extra = this.#view;
    writeFlags(this.ram, at, extra.getUint32(0, true));
    view.setUint16(at + X87_CW, extra.getUint16(8, true), true);
    view.setUint16(at + X87_SW, extra.getUint16(16, true), true);
    let tags = 0;
    for (let n = 0; n < 8; n++) if (((extra.getUint16(24, true) >> (2 * n)) & 3) !== 3) tags |= 1 << n;
    u8[at + X87_TAG] = tags;
    for (let n = 0; n < 8; n++) u8.set(this.#extra.subarray(32 + 16 * n, 42 + 16 * n), at + ST + 16 * n);
  }

  /** Runs from `pc` on. `count` 0 = without limit, `timeUs` 0 = without limit. */
  run(pc: number, count: number, timeUs: number): Stop {
    this.#sync();
    this.#stop = undefined;
    this.#hasRun = true;
    const error = this.lib.uc_emu_start(this.#uc, BigInt(pc), NOWHERE, BigInt(timeUs), BigInt(count));
    const stop = this.#stop as Stop | undefined; // the hooks have set it
    if (stop?.kind === "exception") this.#faulted = true;
    if (stop) return stop;
    if (error === 0) return { kind: "time" };
    this.#faulted = true;
    return exception(error === ERR_INSN_INVALID ? VEC.UD : VEC.GP, 0, 0);
  }

  #enterUserMode(): void {
    const tables = userModeTables(), length = BigInt(tables.length);
    this.#check(this.lib.uc_mem_map(this.#uc, TABLES, length, 7), "uc_mem_map");
    this.#check(this.lib.uc_mem_write(this.#uc, TABLES, tables, length), "uc_mem_write");
    this.#check(this.lib.uc_emu_start(this.#uc, BEGIN, UNTIL, 0n, 0n), "uc_emu_start");
  }
  /** Answers CPUID as Hedra does at a level without AVX. @returns 1: the instruction has been dealt with */
  #cpuid(): number {
    const ids = new Int32Array(CPUID_REGISTERS), values = new BigUint64Array(4);
    const at = Deno.UnsafePointer.value(Deno.UnsafePointer.of(values));
    const pointers = BigUint64Array.from(values, (_, n) => at + BigInt(8 * n));
    this.#check(this.lib.uc_reg_read_batch(this.#uc, ids, pointers, 4), "uc_reg_read_batch");
    const { eax = 0, ebx = 0, ecx = 0, edx = 0 } = cpuid(low32(values[0]), low32(values[2]), this.level);
    values.set([eax, ebx, ecx, edx].map(BigInt));
    this.#check(this.lib.uc_reg_write_batch(this.#uc, ids, pointers, 4), "uc_reg_write_batch");
    return 1;
  }
  #halt(why: Stop): void {
    this.#stop ??= why;
    this.lib.uc_emu_stop(this.#uc);
  }
  /** Points the batch at a state block: most registers are read and written in place. */
  #aim(at: number): void {
    if (at === this.#block) return;
    this.#block = at;
    const state = (offset: number) => this.#base + BigInt(at + offset);
    const extra = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#extra));
    const list = [...GPRS.map((_, n) => state(GPR + 8 * n)), ...[RIP, FS_BASE, GS_BASE, MXCSR].map(state)];
    for (let n = 0; n < 16; n++) list.push(state(XMM + 16 * n));
    for (let n = 0; n < 4; n++) list.push(extra + BigInt(8 * n));
    for (let n = 0; n < 8; n++) list.push(extra + BigInt(32 + 16 * n));
    this.#pointers.set(list);
  }
  /** Brings Unicorn's mappings up to date. */
  #sync(): void {
    if (this.#seen === this.space.changes) return;
    this.#seen = this.space.changes;
    const wanted = new Map(this.space.extents(0, 2 ** 47).map((e) => [`${e.start}.${e.end}.${e.pa}.${e.rights}`, e]));
    for (const [key, { start, end }] of this.#mapped) {
      if (wanted.has(key)) continue;
      this.#check(this.lib.uc_mem_unmap(this.#uc, BigInt(start), BigInt(end - start)), "uc_mem_unmap");
      this.#mapped.delete(key);
    }
    for (const [key, e] of wanted) {
      if (this.#mapped.has(key)) continue;
      const start = BigInt(e.start), length = BigInt(e.end - e.start);
      const memory = Deno.UnsafePointer.create(this.#base + BigInt(e.pa));
      this.#check(this.lib.uc_mem_map_ptr(this.#uc, start, length, e.rights & 7, memory), "uc_mem_map_ptr");
      this.#mapped.set(key, e);
    }
  }
  #hook(
    type: number,
    parameters: readonly Deno.NativeType[],
    call: (...args: readonly unknown[]) => number | void,
    instruction = 0,
  ): void {
    const definition = { parameters: [...parameters], result: "i32" } as const;
    const callback = new Deno.UnsafeCallback(definition, (...args: unknown[]) => call(...args) ?? 0);
    this.#callbacks.push(callback);
    this.#addHook(type, callback.pointer, instruction);
  }
  #addHook(type: number, callback: Deno.PointerValue, instruction = 0): void {
    const handle = new BigUint64Array(1);
    this.#check(this.lib.uc_hook_add(this.#uc, handle, type, callback, null, 1n, 0n, instruction), "uc_hook_add");
  }
  #check(error: number, call: string): void {
    if (error !== 0) throw new Error(`${call} failed with ${error}`);
  }
}

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
const exception = (vector: number, error: number, address: number): Stop => ({ kind: "exception", vector, error, address });

/** Page-fault error code bits, Intel SDM vol. 3, 4.7. */
function pageFault(type: number, address: number): Stop {
  if (address >= 2 ** 47 && address < 0xffff_8000_0000_0000) return exception(VEC.GP, 0, 0);
  const write = type === MEM_WRITE_UNMAPPED || type === MEM_WRITE_PROT,
    fetch = type === MEM_FETCH_UNMAPPED || type === MEM_FETCH_PROT;
  const present = type === MEM_WRITE_PROT || type === MEM_READ_PROT || type === MEM_FETCH_PROT;
  return exception(VEC.PF, (present ? 1 : 0) | (write ? 2 : 0) | 4 | (fetch ? 16 : 0), address);
}
