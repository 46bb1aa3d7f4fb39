/** The processor: owns RAM, interpreter and translator, and runs one state block at a time. */
import { Access } from "./access.ts";
import { type Cpu, type CpuHooks, type Prebuilt, type Ram, type SyscallHook, Trap } from "./api.ts";
import { CodeMap } from "./code_map.ts";
import { decoderOf } from "./decode.ts";
import { readFlags, resetBlock, writeFlags } from "./cpu_state.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Exit } from "./exit.ts";
import { Slice } from "./slice.ts";
import { Helpers } from "./helper_context.ts";
import { fusedMultiplyAdd } from "./fused.ts";
import { fmaExact } from "./helpers/exact.ts";
import { fxrstorState, keepFxsave, xrstorState, xsaveState } from "./helpers/x87_state.ts";
import { Blocks } from "./interp/blocks.ts";
import { Handlers } from "./interp/handlers.ts";
import { Profile } from "./interp/profile.ts";
import { Images } from "./images.ts";
import { JumpCache } from "./jump_cache.ts";
import type { Insn } from "./insn.ts";
import { type RegionLimits, Regions } from "./translate/regions.ts";
import type { CodeCache } from "./translate/code_cache.ts";
import {
  CTL_AWAITED,
  CTL_BUDGET,
  CTL_COUNTS,
  CTL_EPOCH,
  CTL_ERROR,
  CTL_EXIT,
  CTL_LINK,
  CTL_VECTOR,
  FLAGS_OTHER,
  RF,
  RIP,
  STATE,
  STATE_BYTES,
  TF,
  VEC,
  ZF,
} from "./layout.ts";
import type { CpuLevel } from "./level.ts";
import { Space } from "./mmu.ts";
import { SingleStep } from "./single_step.ts";
import { HOST_IMPORTS, type Runtime, runtimeModule } from "./runtime.ts";
import type { AddressSpace } from "./space.ts";
import { isStackReference } from "./stack_fault.ts";
import { Counters, type CpuStats, REGION_EXITS } from "./stats.ts";

const WASM_PAGE = 65536;
const TWO32 = 0x1_0000_0000;
/** Exceptions that come behind their instruction. All others save RF as 1 (Intel SDM vol. 3, 18.3.1.1). */
const TRAPS: readonly number[] = [VEC.DB, VEC.BP, VEC.OF];

export interface CpuOptions {
  /** Bytes of the whole memory, CPU and kernel part included; a multiple of 64 KiB, below 4 GiB. */
  ramBytes: number;
  hooks: CpuHooks;
  /** Executions after which a block is translated; Infinity = interpret only, 1 = translate everything at once. */
  heat?: number;
  /** Instructions and CPUID of a lower level; default "v3", everything. */
  level?: CpuLevel;
  prebuilt?: Prebuilt;
  /** Regions of earlier runs; gets those of this one. */
  codeCache?: CodeCache;
  /** Polls after each instruction, so that `run` with a slice of 0 executes exactly one (for comparing with another processor). */
  singleStep?: boolean;
  /** Of the regions that live at once (tests). */
  limits?: RegionLimits;
}

export class HedraCpu implements Cpu {
  readonly ram: Ram;
  vector = 0;
  errorCode = 0;
  faultAddress = 0;

  readonly #access: Access;
  readonly #code: CodeMap;
  readonly #handlers: Handlers;
  readonly #images: Images;
  readonly #blocks: Blocks;
  readonly #regions: Regions;
  readonly #runtime: Runtime;
  readonly #dispatcher: Dispatcher;
  #loaded = 0;
  #onSyscall: SyscallHook | undefined;
  #nextSpace = 1;
  readonly #counters: Counters;
  readonly #slice: Slice;
  readonly #cache: CodeCache | undefined;
  /** Entries of the table in use. */
  #slots: number;
  /** Called at each poll (for profiles), with the registers in STATE and the space that they belong to. */
  sampler: ((space: AddressSpace) => void) | undefined;

  constructor(options: CpuOptions) {
    const level = options.level ?? "v3";
    const pages = options.ramBytes / WASM_PAGE;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = memory.buffer as ArrayBuffer;
    this.ram = {
      memory,
      size: options.ramBytes,
      u8: new Uint8Array(buffer),
      u16: new Uint16Array(buffer),
      u32: new Uint32Array(buffer),
      i32: new Int32Array(buffer),
      view: new DataView(buffer),
    };
    this.#slice = new Slice(this.ram, options.hooks.tsc);
    this.#counters = new Counters(options.hooks.tsc);
    this.#code = new CodeMap((page) => {
      this.#runtime.watch(page);
      this.#access.quick.flush();
      this.#regions.codePageAppeared(page);
    });
    this.#access = new Access(this.ram, this.#code);
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1024 });
    const slow: Record<typeof HOST_IMPORTS[number]["name"], CallableFunction> = {
      slow_read: this.#access.slowRead,
      slow_write: this.#access.slowWrite,
      slow_region_read: this.#access.slowRegionRead,
      slow_region_write: this.#access.slowRegionWrite,
      slow_fma: fmaExact,
      host_step: (exit: Exit) => this.#hostStep(exit),
      host_syscall: this.#regionSyscall,
    };
    const runtime = new WebAssembly.Instance(new WebAssembly.Module(options.prebuilt?.runtime ?? runtimeModule(pages)), {
      m: { memory, table, ...slow },
    });
    this.#runtime = runtime.exports as unknown as Runtime;
    const helpers = new Helpers(this.ram, { ...options.hooks, tsc: this.#slice.tsc }, this.#access, level);
    this.#slots = Math.max(1, options.codeCache?.reserved.slots ?? 0);
    if (this.#slots > table.length) table.grow(this.#slots - table.length);
    const allocate = () => {
      if (this.#slots === table.length) table.grow(table.length);
      return this.#slots++;
    };
    const quick = () => {
      this.#access.quick.prepare();
      return runtime.exports;
    };
    const imports = {
      memory,
      table,
      ...runtime.exports,
      // Who imports these looks at the TLB's first level.
      get region_read_at() {
        return quick().region_read_at;
      },
      get region_load_at() {
        return quick().region_load_at;
      },
      get region_write_at() {
        return quick().region_write_at;
      },
      get fma_f32x4() {
        return fusedMultiplyAdd()?.functions.fma_f32x4 ?? runtime.exports.fma_f32x4;
      },
      get fma_f64x2() {
        return fusedMultiplyAdd()?.functions.fma_f64x2 ?? runtime.exports.fma_f64x2;
      },
      split_done: this.#access.splitDone,
      helper: (record: number, n: number) => helpers.execute(n, this.#blocks.insnOf(record)),
      // A sample needs the registers in the state block, where they are when the region has been left.
      poll: () => this.sampler ? 1 : this.#slice.poll(),
      region_helper: (id: number, n: number) => this.#regionHelper(helpers, this.#regions.insnOf(id), n),
    };
    this.#cache = options.codeCache;
    this.#handlers = new Handlers(pages, table, imports, allocate, this.#counters, options.prebuilt?.handlers, this.#cache);
    const decoder = decoderOf(level), heat = options.heat ?? 2000;
    this.#images = new Images({
      detached: (space, image) => {
        this.#regions.detached(image);
        this.#access.renew(space);
      },
      discarded: (image) => {
        this.#regions.discard(image);
        this.#blocks.discard(image);
      },
    });
    const profile = new Profile(this.ram), jumps = new JumpCache(this.ram, this.#access);
    this.#blocks = new Blocks(
      this.ram,
      this.#access,
      this.#code,
      this.#images,
      jumps,
      this.#handlers,
      heat,
      this.#counters,
      decoder,
    );
    this.#regions = new Regions(
      this.ram,
      this.#access,
      this.#code,
      this.#images,
      this.#blocks,
      profile,
      jumps,
      pages,
      table,
      imports,
      allocate,
      this.#runtime.no_region,
      this.#counters,
      this.#cache,
      options.limits,
    );
    table.set(0, this.#runtime.no_region);
    const single = new SingleStep(
      this.ram,
      this.#access,
      this.#blocks,
      this.#runtime,
      () => (this.getFlags(STATE) & ZF) !== 0,
    );
    this.#dispatcher = new Dispatcher(
      this.ram,
      this.#access,
      this.#code,
      this.#blocks,
      profile,
      jumps,
      this.#regions,
      this.#runtime,
      single,
      options.singleStep ?? false,
      this.#counters,
    );
    this.#access.select(new Space(0, () => {}, () => {}));
  }

  /** Translated code for the next run, if a cache was given; undefined when that has nothing new. */
  cachedCode(): Uint8Array<ArrayBuffer> | undefined {
    this.#regions.reserve(this.#slots);
    return this.#cache?.encode();
  }
  /** Counters for `--stats`. */
  stats(): CpuStats {
    const polls = this.#slice.granted - this.ram.i32[CTL_BUDGET >> 2];
    const exits = REGION_EXITS.map((_, exit) =>
      this.ram.u32[(CTL_COUNTS >> 2) + 2 * exit] + TWO32 * this.ram.u32[(CTL_COUNTS >> 2) + 2 * exit + 1]
    );
    return this.#counters.view(this.#handlers.count, polls, exits, this.#blocks.stats(), this.#regions.view());
  }
  createSpace(): AddressSpace {
    return new Space(
      this.#nextSpace++,
      (space, from, to) => {
        this.#access.flushRange(from, to);
        this.#regions.spaceChanged(space, from, to);
        this.#blocks.spaceChanged(space, from, to);
        this.#images.spaceChanged(space, from, to);
      },
      (space) => {
        this.#regions.release(space);
        this.#images.release(space);
        this.#access.release(space);
      },
      (space, from) => {
        this.#access.mapped(from);
        this.#regions.mapped(space);
      },
    );
  }

  // ---- state blocks

  locate(state: number): number {
    return state === this.#loaded ? STATE : state;
  }
  resetState(state: number): void {
    resetBlock(this.ram, this.locate(state));
  }
  discard(state: number): void {
    if (this.#loaded === state) this.#loaded = 0;
  }
  getFlags(at: number): number {
    return readFlags(this.ram, at);
  }
  setFlags(at: number, rflags: number): void {
    writeFlags(this.ram, at, rflags);
  }
  fxsave(at: number, pa: number): void {
    keepFxsave(this.ram, at, pa);
  }
  fxrstor(at: number, pa: number): void {
    fxrstorState(this.ram, at, pa);
  }
  xsave(at: number, pa: number): void {
    xsaveState(this.ram, at, pa);
  }
  xrstor(at: number, pa: number): void {
    xrstorState(this.ram, at, pa);
  }
  codeChanged(pa: number, length: number): void {
    this.#access.codeWritten(pa, length);
    this.#access.codeKilled = false;
  }
  #load(state: number): void {
    if (this.#loaded === state) return;
    if (this.#loaded !== 0) this.#runtime.copy(this.#loaded, STATE, STATE_BYTES);
    this.#runtime.copy(STATE, state, STATE_BYTES);
    this.#loaded = state;
  }

  // ---- running

  run(state: number, space: AddressSpace, sliceNs: number, onSyscall?: SyscallHook): Trap {
    const { i32 } = this.ram,
      outer = this.#onSyscall,
      { ns, end, last } = this.#slice,
      awaitedLo = i32[CTL_AWAITED >> 2],
      awaitedHi = i32[(CTL_AWAITED >> 2) + 1];
    this.#onSyscall = onSyscall;
    // A jump that was to be linked when the last run ended leads to code of another program.
    i32[CTL_LINK >> 2] = 0;
    i32[CTL_AWAITED >> 2] = i32[(CTL_AWAITED >> 2) + 1] = 0;
    this.#select(state, space as Space);
    // One object for all runs: an IPC is two of them.
    this.#slice.start(sliceNs, 0, -1);
    try {
      return this.#run();
    } finally {
      this.#slice.start(ns, end, last);
      this.#onSyscall = outer;
      i32[CTL_AWAITED >> 2] = awaitedLo;
      i32[(CTL_AWAITED >> 2) + 1] = awaitedHi;
      // A region whose system call this was goes on.
      i32[CTL_EXIT >> 2] = Exit.Continue;
    }
  }
  #select(state: number, space: Space): void {
    this.#load(state);
    if (this.#access.space !== space) this.#access.select(space);
  }

  #run(): Trap {
    const { i32 } = this.ram;
    i32[(STATE + FLAGS_OTHER) >> 2] &= ~RF;
    // A program that often comes back to the kernel is sampled as well.
    const left = this.sampler ? i32[CTL_BUDGET >> 2] : 0;
    this.#slice.grant(this.#slice.ns <= 0 ? 0 : left > 0 ? left : this.#slice.pollsPerCheck);
    for (;;) {
      switch (this.#dispatcher.step()) {
        case Exit.Continue:
        case Exit.Left:
          continue;
        case Exit.Hot:
          this.#regions.hot(this.#access.space, this.#dispatcher.pc());
          continue;
        case Exit.SyscallDone:
          return Trap.Syscall;
        case Exit.Syscall:
          if (this.#syscall()) continue;
          return Trap.Syscall;
        case Exit.Poll:
          this.sampler?.(this.#access.space);
          if (this.#slice.poll() !== 0) return this.#slice.spinning ? Trap.Pause : Trap.Timer;
          continue;
        default:
          this.vector = i32[CTL_VECTOR >> 2];
          if (this.#access.nonCanonical) this.#stackFault();
          if (!TRAPS.includes(this.vector)) i32[(STATE + FLAGS_OTHER) >> 2] |= RF;
          this.errorCode = this.ram.u32[CTL_ERROR >> 2];
          this.faultAddress = this.vector === VEC.PF ? this.#access.faultAddress : 0;
          return Trap.Exception;
      }
    }
  }

  /** A non-canonical stack reference raises #SS instead of #GP. */
  #stackFault(): void {
    this.#access.nonCanonical = false;
    const at = (STATE + RIP) >> 2;
    const pc = this.ram.u32[at] + this.ram.u32[at + 1] * TWO32;
    if (this.vector === VEC.GP && isStackReference(this.#access, this.ram, pc)) this.vector = VEC.SS;
  }
  /** Deals with a `syscall` of the interpreter whose next instruction is RIP; true when the same code goes on. */
  #syscall(): boolean {
    this.#runtime.enter_syscall();
    return this.#handleSyscall();
  }
  #handleSyscall(): boolean {
    this.#counters.syscalls++;
    if (!this.#onSyscall) return false;
    const state = this.#loaded, { space } = this.#access;
    if (!this.#onSyscall()) return false;
    this.#select(state, space);
    return true;
  }
  readonly #regionSyscall = (): Exit => {
    const { i32 } = this.ram, rip = (STATE + RIP) >> 2, lo = i32[rip], hi = i32[rip + 1], killed = i32[CTL_EPOCH >> 2];
    if (!this.#handleSyscall()) return Exit.SyscallDone;
    const same = i32[rip] === lo && i32[rip + 1] === hi && (i32[(STATE + FLAGS_OTHER) >> 2] & TF) === 0;
    return same && i32[CTL_EPOCH >> 2] === killed ? Exit.Continue : Exit.Left;
  };

  /** The inner loop has come back while a region waits in `resume` for a guest function to return. Continue: it may go on. */
  #hostStep(inner: Exit): Exit {
    const exit = this.#dispatcher.finish(inner);
    if (exit === Exit.Hot) this.#regions.hot(this.#access.space, this.#dispatcher.pc());
    else if (exit === Exit.Syscall) return this.#syscall() ? Exit.Continue : Exit.SyscallDone;
    // A sample needs the registers in the state block, where they are when the region has been left.
    else if (exit !== Exit.Poll || this.sampler || this.#slice.poll() !== 0) return exit;
    return Exit.Continue;
  }

  #regionHelper(helpers: Helpers, i: Insn, n: number): Exit {
    this.#dispatcher.settleFlags();
    const exit = helpers.execute(n, i);
    if (exit !== Exit.Continue || !this.#access.codeKilled) return exit;
    const at = (STATE + RIP) >> 2, next = i.pc + i.length;
    this.ram.i32[at] = next | 0;
    this.ram.i32[at + 1] = Math.floor(next / TWO32);
    return Exit.Left;
  }
}
