/** `--cpu-engine unicorn`: the processor's interface over Unicorn. */
import { type Cpu, type Ram, type SyscallHook, Trap } from "../../cpu/api.ts";
import type { CpuOptions } from "../../cpu/cpu.ts";
import { readFlags, resetBlock, writeFlags } from "../../cpu/cpu_state.ts";
import { fxrstorState, fxsaveState, xrstorState, xsaveState } from "../../cpu/helpers/x87_state.ts";
import { GPR, RIP } from "../../cpu/layout.ts";
import type { AddressSpace } from "../../cpu/space.ts";
import { Engine, openUnicorn, WatchedSpace } from "./engine.ts";

const WASM_PAGE = 65536, TWO32 = 0x1_0000_0000;

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

export class UnicornCpu implements Cpu {
  readonly ram: Ram;
  vector = 0;
  errorCode = 0;
  faultAddress = 0;
  readonly #lib = openUnicorn();
  readonly #engines = new Map<AddressSpace, Engine>();
  #nextSpace = 1;

  constructor(options: CpuOptions) {
    this.ram = makeRam(options.ramBytes);
  }

  createSpace(): AddressSpace {
    const space = new WatchedSpace(this.#nextSpace++, (gone) => {
      this.#engines.get(gone)?.close();
      this.#engines.delete(gone);
    });
    this.#engines.set(space, new Engine(this.#lib, this.ram, space));
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
        this.vector = stop.vector;
        this.errorCode = stop.error;
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
