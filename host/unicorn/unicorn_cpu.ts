/** `--cpu-engine unicorn`: the processor's interface over Unicorn. */
import { type Cpu, type Ram, type SyscallHook, Trap } from "../../cpu/api.ts";
import type { CpuOptions } from "../../cpu/cpu.ts";
import { readFlags, resetBlock, writeFlags } from "../../cpu/cpu_state.ts";
import { fxrstorState, fxsaveState, xrstorState, xsaveState } from "../../cpu/helpers/x87_state.ts";
import { decode, MAX_INSN_BYTES } from "../../cpu/decode.ts";
import { RAX, RCX, RDX } from "../../cpu/helpers/registers.ts";
import { GPR, RIP, VEC } from "../../cpu/layout.ts";
import type { CpuLevel } from "../../cpu/level.ts";
import type { AddressSpace } from "../../cpu/space.ts";
import { Engine, openUnicorn, WatchedSpace } from "./engine.ts";

const WASM_PAGE = 65536, TWO32 = 0x1_0000_0000;
/** Vectors below are exceptions. */
const FIRST_INTERRUPT = 32, INT_BYTES = 2;
const TIME = new Set(["rdtsc", "rdtscp"]);

export function makeRam(bytes: number): Ram {
  const pages = bytes / WASM_PAGE, memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const buffer = memory.buffer as ArrayBuffer; // not shared, as no "shared" was asked for
  return {
    memory,
    size: bytes,
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    view: new DataView(buffer),
  };
}

/** The level that there is when `wanted` is asked for: Unicorn 2.0 has no AVX. */
export const unicornLevel = (wanted: CpuLevel | undefined): CpuLevel => wanted === "v1" ? "v1" : "v2";

export class UnicornCpu implements Cpu {
  readonly ram: Ram;
  vector = 0;
  errorCode = 0;
  faultAddress = 0;
  readonly #lib = openUnicorn();
  readonly #engines = new Map<AddressSpace, Engine>();
  #nextSpace = 1;

  constructor(private readonly options: CpuOptions) {
    this.ram = makeRam(options.ramBytes);
  }

  createSpace(): AddressSpace {
    const space = new WatchedSpace(this.#nextSpace++, (gone) => {
      this.#engines.get(gone)?.close();
      this.#engines.delete(gone);
    });
    this.#engines.set(space, new Engine(this.#lib, this.ram, space, unicornLevel(this.options.level)));
    return space;
  }

  run(state: number, space: AddressSpace, sliceNs: number, onSyscall?: SyscallHook): Trap {
    const engine = this.#engines.get(space)!, { u32 } = this.ram;
    for (;;) {
      engine.load(state);
      const pc = u32[(state + RIP) >> 2] + u32[(state + RIP + 4) >> 2] * TWO32;
      const stop = engine.run(pc, 0, Math.max(1, Math.ceil(sliceNs / 1000)));
      engine.store(state);
      if (stop.kind === "time") return Trap.Timer;
      if (stop.kind === "exception") {
        if (stop.vector === VEC.GP && this.#timeStamp(state, space)) continue;
        // INT n, which the engine has passed already: there is no gate for user mode.
        const isInt = stop.vector >= FIRST_INTERRUPT;
        if (isInt) this.#setRip(state, u32[(state + RIP) >> 2] + u32[(state + RIP + 4) >> 2] * TWO32 - INT_BYTES);
        this.vector = isInt ? VEC.GP : stop.vector;
        this.errorCode = isInt ? stop.vector * 8 + 2 : stop.error;
        this.faultAddress = stop.address;
        return Trap.Exception;
      }
      // RCX and R11 as the instruction leaves them.
      u32.copyWithin((state + GPR + 8) >> 2, (state + RIP) >> 2, (state + RIP + 8) >> 2);
      u32[(state + GPR + 88) >> 2] = readFlags(this.ram, state);
      u32[(state + GPR + 92) >> 2] = 0;
      if (!onSyscall?.()) return Trap.Syscall;
    }
  }

  /** RDTSC and RDTSCP raise #GP in the engine (user_mode.ts). @returns whether it was one of them, which has been executed then */
  #timeStamp(state: number, space: AddressSpace): boolean {
    const { u32, u8 } = this.ram, rip = (state + RIP) >> 2, pc = u32[rip] + u32[rip + 1] * TWO32;
    const e = pc < 2 ** 47 ? space.find(pc) : undefined;
    if (!e) return false;
    const i = decode(u8, e.pa + (pc - e.start), Math.min(e.end - pc, MAX_INSN_BYTES + 1), pc);
    if ("invalid" in i || !TIME.has(i.name)) return false;
    const now = this.options.hooks.tsc(),
      set = (n: number, value: number) => {
        u32[(state + GPR + 8 * n) >> 2] = value;
        u32[(state + GPR + 8 * n + 4) >> 2] = 0;
      };
    set(RAX, now % TWO32);
    set(RDX, Math.floor(now / TWO32));
    if (i.name === "rdtscp") set(RCX, 0);
    this.#setRip(state, pc + i.length);
    return true;
  }
  #setRip(state: number, pc: number): void {
    const { u32 } = this.ram, rip = (state + RIP) >> 2;
    u32[rip] = pc;
    u32[rip + 1] = Math.floor(pc / TWO32);
  }

  locate(state: number): number {
    return state;
  }
  resetState(state: number): void {
    resetBlock(this.ram, state);
  }
  discard(): void {}
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
  /** Unicorn 2.0 has no AVX: the upper halves are what the block says. */
  xsave(at: number, pa: number): void {
    xsaveState(this.ram, at, pa);
  }
  xrstor(at: number, pa: number): void {
    xrstorState(this.ram, at, pa);
  }
  codeChanged(pa: number, length: number): void {
    for (const engine of this.#engines.values()) engine.codeChanged(pa, length);
  }
}
