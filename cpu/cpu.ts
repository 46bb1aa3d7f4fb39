/** The processor: owns RAM, interpreter and translator, and runs one state block at a time. */
import { Access } from "./access.ts";
import { type Cpu, type CpuHooks, type Prebuilt, type Ram, type SyscallHook, Trap } from "./api.ts";
import { CodeMap } from "./code_map.ts";
import { decoderOf } from "./decode.ts";
import { readFlags, resetBlock, writeFlags } from "./cpu_state.ts";
import { Exit } from "./exit.ts";
import { Helpers } from "./helper_context.ts";
import { fmaExact } from "./helpers/exact.ts";
import { fxrstorState, fxsaveState, xrstorState, xsaveState } from "./helpers/x87_state.ts";
import { Block, Blocks } from "./interp/blocks.ts";
import { CTL_LINK } from "./interp/generate.ts";
import { Handlers } from "./interp/handlers.ts";
import { RECORD } from "./interp/record.ts";
import type { Insn } from "./insn.ts";
import { type Region, Regions } from "./translate/regions.ts";
import {
  CTL_AWAITED,
  CTL_BUDGET,
  CTL_ERROR,
  CTL_EXIT,
  CTL_VECTOR,
  FLAGS_OTHER,
  GPR,
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
import { Counters, type CpuStats } from "./stats.ts";

const WASM_PAGE = 65536;
/** Limit of the poll budget: 0.2 ms of the shortest loop, and not too much of one whose every turn takes a microsecond. */
const MAX_POLLS = 1 << 19;
/** Between the two limits at which the budget is changed. */
const NORMAL_POLL_NS = 1_000_000;

/** Guest calls that may wait for their callee in a dispatcher of their own, one above the other. */
const MAX_NESTING = 3;
const TWO32 = 0x1_0000_0000;

export interface CpuOptions {
  /** Bytes of the whole memory, CPU and kernel part included; a multiple of 64 KiB, below 4 GiB. */
  ramBytes: number;
  hooks: CpuHooks;
  /** Executions after which a block is translated; Infinity = interpret only, 1 = translate everything at once. */
  heat?: number;
  /** Instructions and CPUID of a lower level; default "v3", everything. */
  level?: CpuLevel;
  prebuilt?: Prebuilt;
  /** Polls after each instruction, so that `run` with a slice of 0 executes exactly one (for comparing with another processor). */
  singleStep?: boolean;
}

export class HedraCpu implements Cpu {
  readonly ram: Ram;
  vector = 0;
  errorCode = 0;
  faultAddress = 0;

  readonly #access: Access;
  readonly #code: CodeMap;
  readonly #handlers: Handlers;
  readonly #blocks: Blocks;
  readonly #regions: Regions;
  readonly #runtime: Runtime;
  readonly #single: SingleStep;
  readonly #stepping: boolean;
  readonly #hooks: CpuHooks;
  /** A region has left at RIP: interpret there, even if a region begins there. */
  #interpretNext = false;
  #loaded = 0;
  #onSyscall: SyscallHook | undefined;
  /** Dispatchers on the stack below this one that wait for a guest function to return. */
  #nesting = 0;
  #nextSpace = 1;
  /** Polls that take about `POLL_NS`; adapted while running. */
  #pollsPerCheck = 4096;
  readonly #counters: Counters;
  /** The current run: its length, and its end and last poll as times (ns); it begins to measure at its first poll. */
  #slice = { ns: 0, end: 0, last: -1 };
  /** Called at each poll (for profiles), with the registers in STATE and the space that they belong to. */
  sampler: ((space: AddressSpace) => void) | undefined;
  /** Polls granted, less those that were left over. */
  #granted = 0;

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
    this.#hooks = options.hooks;
    this.#counters = new Counters(options.hooks.tsc);
    this.#code = new CodeMap((page) => {
      this.#access.watch(page);
      this.#regions.codePageAppeared(page);
    });
    this.#access = new Access(this.ram, this.#code);
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1024 });
    const slow: Record<typeof HOST_IMPORTS[number]["name"], CallableFunction> = {
      slow_read: this.#access.slowRead,
      slow_write: this.#access.slowWrite,
      slow_region_write: this.#access.slowRegionWrite,
      slow_fma: fmaExact,
    };
    const runtime = new WebAssembly.Instance(new WebAssembly.Module(options.prebuilt?.runtime ?? runtimeModule(pages)), {
      m: { memory, table, ...slow },
    });
    this.#runtime = runtime.exports as unknown as Runtime;
    this.#stepping = options.singleStep ?? false;
    const helpers = new Helpers(this.ram, { ...options.hooks, tsc: this.#tsc }, this.#access, level);
    let slots = 1;
    const allocate = () => {
      if (slots === table.length) table.grow(table.length);
      return slots++;
    };
    const imports = {
      memory,
      table,
      ...runtime.exports,
      split_done: this.#access.splitDone,
      helper: (record: number, n: number) => helpers.execute(n, this.#blocks.insnOf(record)),
      resume: this.#resume,
      region_syscall: this.#regionSyscall,
      // A sample needs the registers in the state block, where they are when the region has been left.
      poll: () => this.sampler ? 1 : this.#poll(),
      region_helper: (id: number, n: number) => this.#regionHelper(helpers, this.#regions.insnOf(id), n),
    };
    this.#handlers = new Handlers(pages, table, imports, allocate, this.#counters, options.prebuilt?.handlers);
    const decoder = decoderOf(level), heat = options.heat ?? 500;
    this.#blocks = new Blocks(this.ram, this.#access, this.#code, this.#handlers, heat, this.#counters, decoder);
    this.#regions = new Regions(
      this.ram,
      this.#access,
      this.#code,
      this.#blocks,
      pages,
      table,
      imports,
      allocate,
      this.#runtime.no_region,
      this.#counters,
    );
    table.set(0, this.#runtime.no_region);
    this.#single = new SingleStep(
      this.ram,
      this.#access,
      this.#blocks,
      this.#runtime,
      () => (this.getFlags(STATE) & ZF) !== 0,
    );
    this.#access.select(new Space(0, () => {}, () => {}));
  }

  /** Counters for `--stats`. */
  stats(): CpuStats {
    const polls = this.#granted - this.ram.i32[CTL_BUDGET >> 2];
    return this.#counters.view(this.#handlers.count, polls, this.#blocks.stats(), this.#regions.view());
  }
  createSpace(): AddressSpace {
    return new Space(
      this.#nextSpace++,
      (space, from, to) => {
        this.#access.flushRange(from, to);
        this.#regions.spaceChanged(space, from, to);
        this.#blocks.spaceChanged(space, from, to);
      },
      (space) => {
        this.#regions.release(space);
        this.#blocks.release(space);
        this.#access.release(space);
      },
      (space) => this.#regions.mapped(space),
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
    fxsaveState(this.ram, at, pa);
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
      nesting = this.#nesting,
      awaitedLo = i32[CTL_AWAITED >> 2],
      awaitedHi = i32[(CTL_AWAITED >> 2) + 1];
    this.#onSyscall = onSyscall;
    this.#nesting = 0;
    this.#interpretNext = false;
    i32[CTL_AWAITED >> 2] = i32[(CTL_AWAITED >> 2) + 1] = 0;
    this.#select(state, space as Space);
    // One object for all runs: an IPC is two of them.
    this.#startSlice(sliceNs, 0, -1);
    try {
      return this.#run();
    } finally {
      this.#startSlice(ns, end, last);
      this.#onSyscall = outer;
      this.#nesting = nesting;
      i32[CTL_AWAITED >> 2] = awaitedLo;
      i32[(CTL_AWAITED >> 2) + 1] = awaitedHi;
    }
  }
  #startSlice(ns: number, end: number, last: number): void {
    const slice = this.#slice;
    slice.ns = ns;
    slice.end = end;
    slice.last = last;
  }
  #select(state: number, space: Space): void {
    this.#load(state);
    if (this.#access.space !== space) this.#access.select(space);
  }

  #run(): Trap {
    const { i32 } = this.ram;
    // A program that often comes back to the kernel is sampled as well.
    const left = this.sampler ? i32[CTL_BUDGET >> 2] : 0;
    this.#grant(this.#slice.ns <= 0 ? 0 : left > 0 ? left : this.#pollsPerCheck);
    for (;;) {
      switch (this.#step()) {
        case Exit.Continue:
        case Exit.Left:
        case Exit.Side:
          continue;
        case Exit.Hot:
          this.#regions.hot(this.#access.space, this.#pc());
          continue;
        case Exit.SyscallDone:
          return Trap.Syscall;
        case Exit.Syscall:
          if (this.#syscall()) continue;
          return Trap.Syscall;
        case Exit.Poll:
          this.sampler?.(this.#access.space);
          if (this.#poll() !== 0) return Trap.Timer;
          continue;
        default:
          this.vector = i32[CTL_VECTOR >> 2];
          if (this.#access.nonCanonical) this.#stackFault();
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
  /** Deals with a `syscall` whose next instruction is RIP; true when the same code goes on. */
  #syscall(): boolean {
    const { i32 } = this.ram, rip = (STATE + RIP) >> 2, rcx = (STATE + GPR + 8) >> 2, r11 = (STATE + GPR + 88) >> 2;
    i32[rcx] = i32[rip];
    i32[rcx + 1] = i32[rip + 1];
    i32[r11] = this.#runtime.get_flags(STATE);
    i32[r11 + 1] = 0;
    this.#counters.syscalls++;
    if (!this.#onSyscall) return false;
    const state = this.#loaded, { space } = this.#access;
    if (!this.#onSyscall()) return false;
    this.#select(state, space);
    return true;
  }
  readonly #regionSyscall = (): Exit => {
    const { i32 } = this.ram, rip = (STATE + RIP) >> 2, lo = i32[rip], hi = i32[rip + 1], killed = this.#regions.stats.killed;
    if (!this.#syscall()) return Exit.SyscallDone;
    const same = i32[rip] === lo && i32[rip + 1] === hi && (i32[(STATE + FLAGS_OTHER) >> 2] & TF) === 0;
    return same && this.#regions.stats.killed === killed ? Exit.Continue : Exit.Left;
  };

  /** See `resume` in runtime.ts. Addresses are pairs of 32-bit halves. */
  readonly #resume = (lo: number, hi: number, spLo: number, spHi: number): number => {
    const { i32 } = this.ram, at = CTL_AWAITED >> 2, rip = (STATE + RIP) >> 2, rsp = (STATE + GPR + 32) >> 2;
    let exit: Exit = i32[CTL_EXIT >> 2];
    if (this.#nesting >= MAX_NESTING || (exit !== Exit.Continue && exit !== Exit.Side)) return 0;
    const killed = this.#regions.stats.killed, outerLo = i32[at], outerHi = i32[at + 1];
    this.#nesting++;
    i32[at] = lo;
    i32[at + 1] = hi;
    this.#interpretNext = exit === Exit.Side;
    exit = Exit.Continue;
    for (;;) {
      if (i32[rip] === lo && i32[rip + 1] === hi && i32[rsp] === spLo && i32[rsp + 1] === spHi) break;
      exit = this.#step();
      if (exit === Exit.Hot) this.#regions.hot(this.#access.space, this.#pc());
      else if (exit === Exit.Syscall) {
        if (this.#syscall()) continue;
        exit = Exit.SyscallDone;
        break;
      } else if (exit !== Exit.Continue && exit !== Exit.Side) break;
    }
    i32[at] = outerLo;
    i32[at + 1] = outerHi;
    this.#interpretNext = false;
    this.#nesting--;
    if (exit === Exit.Hot || exit === Exit.Side) exit = Exit.Continue;
    if (exit === Exit.Continue && this.#regions.stats.killed !== killed) exit = Exit.Left;
    i32[CTL_EXIT >> 2] = exit;
    return exit === Exit.Continue ? 1 : 0;
  };

  #grant(polls: number): void {
    const { i32 } = this.ram, at = CTL_BUDGET >> 2;
    this.#granted += polls - i32[at];
    i32[at] = polls;
  }
  /**
   * The poll budget is used up: 1 when the slice is over, else 0 and more budget. Reading the clock costs as much as a short system call: hence
   * the budget, whose size is adapted to polls every 0.2 to 2 ms.
   */
  readonly #poll = (): number => {
    const now = this.#hooks.tsc(), slice = this.#slice;
    if (slice.end === 0) slice.end = now + slice.ns;
    // The first poll of a run has nothing to compare with.
    const since = slice.last < 0 ? NORMAL_POLL_NS : now - slice.last;
    if (since < 200_000 && this.#pollsPerCheck < MAX_POLLS) this.#pollsPerCheck *= 2;
    else if (since > 2_000_000 && this.#pollsPerCheck > 64) this.#pollsPerCheck >>= 1;
    if (now >= slice.end) return 1;
    slice.last = now;
    this.#grant(this.#pollsPerCheck);
    return 0;
  };

  /** RDTSC: a program that watches the clock polls so rarely that the budget would let it overrun its slice. */
  readonly #tsc = (): number => {
    const now = this.#hooks.tsc(), slice = this.#slice;
    if (slice.end === 0) slice.end = now + slice.ns;
    else if (now >= slice.end) this.#grant(0);
    return now;
  };

  #pc(): number {
    const { u32 } = this.ram;
    return u32[(STATE + RIP) >> 2] + u32[(STATE + RIP + 4) >> 2] * TWO32;
  }

  /** Runs something at RIP until it leaves generated code. */
  #step(): Exit {
    const { u32 } = this.ram, { space } = this.#access;
    const pc = this.#pc();
    if (u32[(STATE + RIP + 4) >> 2] >= 0x8000) return this.#badTarget(pc);
    if (this.#stepping || (u32[(STATE + FLAGS_OTHER) >> 2] & TF) !== 0) return this.#oneStep(pc);
    if (!this.#interpretNext) {
      const region = this.#regions.find(space, pc);
      if (region) return this.#enter(region);
    }
    const block = this.#block(space, pc);
    // The first record counts heat and polls; a block whose region has been left must get past it.
    const start = this.#interpretNext ? block.record + RECORD : block.record;
    const left = this.#interpretNext;
    this.#interpretNext = false;
    const exit = this.#runtime.interpret(start);
    if (left) this.#afterSideExit(space, block, exit);
    this.#access.codeKilled = false;
    return exit === Exit.Side ? this.#fetchFault(block) : exit;
  }

  #oneStep(pc: number): Exit {
    this.#interpretNext = false;
    this.#counters.steps++;
    if ((this.ram.u32[(STATE + FLAGS_OTHER) >> 2] & TF) !== 0) return this.#single.trapped(pc);
    const exit = this.#single.one(pc);
    return exit === Exit.Continue ? Exit.Poll : exit;
  }

  /** The instruction that left its region has been executed. */
  #afterSideExit(space: Space, block: Block, exit: Exit): void {
    const c = this.#counters, { pc } = block;
    const cause = exit === Exit.Fault
      ? "fault"
      : this.#access.codeKilled
      ? "code"
      : this.#regions.reliesOnExtent(space, pc)
      ? "extent"
      : "other";
    c.sideExits[cause]++;
    c.interpreted += block.insns.length;
    if (exit !== Exit.Fault) this.#regions.missed(space, pc);
  }

  #enter(region: Region): Exit {
    const { i32 } = this.ram;
    i32[CTL_EXIT >> 2] = Exit.Continue;
    i32[CTL_LINK >> 2] = 0;
    // Another address may have taken its place in the jump cache.
    if (!this.#blocks.isPublished(region.space, region.pc, region.slot)) {
      this.#blocks.publish(region.space, region.pc, this.#blocks.find(region.space, region.pc)?.record ?? 0, region.slot);
    }
    this.#runtime.enter(region.slot);
    const exit: Exit = i32[CTL_EXIT >> 2];
    this.#counters.entries++;
    this.#counters.regionExits[exit]++;
    if (exit === Exit.Side) this.#interpretNext = true;
    // A long-running loop: translate from its head, so that it goes on in optimised code.
    if (exit === Exit.Poll) {
      const pc = this.#pc();
      if (!this.#regions.find(this.#access.space, pc)) {
        this.#block(this.#access.space, pc);
        this.#regions.compile(this.#access.space, pc);
      }
    }
    return exit;
  }

  /** The decoded block at `pc`; notes it where a jump has just missed it. */
  #block(space: Space, pc: number): Block {
    const { i32 } = this.ram;
    let block = this.#blocks.find(space, pc);
    if (!block) {
      if (this.#blocks.full) {
        this.#blocks.clear();
        i32[CTL_LINK >> 2] = 0;
      }
      block = this.#blocks.decode(pc);
      if (this.#regions.find(space, pc)) this.#blocks.divert(block, true);
      this.#blocks.publish(space, pc, block.record, 0);
      if (!this.#interpretNext && this.#blocks.comesFromElsewhere(space, pc)) this.#regions.checkFlags(space, pc);
    }
    const link = i32[CTL_LINK >> 2];
    if (link !== 0) i32[link >> 2] = block.record;
    else if (!this.#interpretNext) this.#blocks.publish(space, pc, block.record, this.#regions.find(space, pc)?.slot ?? 0);
    i32[CTL_LINK >> 2] = 0;
    return block;
  }

  #regionHelper(helpers: Helpers, i: Insn, n: number): Exit {
    const exit = helpers.execute(n, i);
    if (exit !== Exit.Continue || !this.#access.codeKilled) return exit;
    const at = (STATE + RIP) >> 2, next = i.pc + i.length;
    this.ram.i32[at] = next | 0;
    this.ram.i32[at + 1] = Math.floor(next / TWO32);
    return Exit.Left;
  }

  /** A jump to a non-canonical or kernel address: #GP, or #PF in the kernel half. */
  #badTarget(pc: number): Exit {
    const kernelHalf = pc >= 0xffff_8000_0000_0000;
    this.ram.i32[CTL_VECTOR >> 2] = kernelHalf ? VEC.PF : VEC.GP;
    this.ram.i32[CTL_ERROR >> 2] = kernelHalf ? 0x15 : 0;
    this.#access.faultAddress = pc;
    return Exit.Fault;
  }
  #fetchFault(fallback: Block): Exit {
    const at = (STATE + RIP) >> 2;
    const pc = this.ram.u32[at] + this.ram.u32[at + 1] * TWO32;
    const block = this.#blocks.find(this.#access.space, pc) ?? fallback;
    const va = this.#blocks.fetchFault(block);
    this.ram.i32[CTL_VECTOR >> 2] = VEC.PF;
    this.ram.i32[CTL_ERROR >> 2] = this.#blocks.fetchError(va);
    this.#access.faultAddress = va;
    // What cannot be fetched now may be mapped later.
    this.#code.remove(block);
    block.kill();
    return Exit.Fault;
  }
}
