import { type Cpu, type Ram, type SyscallHook, Trap } from "../../cpu/api.ts";
import { FLAG_C, FLAGS_OTHER, GPR, MXCSR, RIP, STATE, STATE_BYTES, USER_RAM, X87_CW } from "../../cpu/layout.ts";
import { setNumber } from "../frame.ts";
import type { AddressSpace } from "../../cpu/space.ts";
import { FakeSpace } from "./fake_space.ts";

/** What a script sees of the processor while "its" code runs. */
export interface Machine {
  readonly cpu: FakeCpu;
  readonly space: AddressSpace;
  /** GPR n as an unsigned number. */
  get(gpr: number): number;
  set(gpr: number, value: number): void;
  rip: number;
  /** UTCB-like access to mapped memory. */
  read64(va: number): number;
  write64(va: number, value: number): void;
  write32(va: number, value: number): void;
}

/** One thing that user code does before it traps. */
export type Step =
  | { trap: "syscall"; regs?: Partial<Record<number, number>> }
  | { trap: "exception"; vector: number; error?: number; address?: number }
  | { trap: "timer" | "pause" };

/** User code at an address: a generator that yields traps; it looks at registers through `m`. */
export type Script = (m: Machine) => Generator<Step, void, void>;

/**
 * A processor whose code is TypeScript: `code.set(rip, script)` places a script at an address; an EC that arrives there by
 * a jump starts it. Each `yield` is a trap; afterwards the script goes on where the kernel returns to its resume address.
 */
export class FakeCpu implements Cpu {
  readonly ram: Ram;
  vector = 0;
  errorCode = 0;
  faultAddress = 0;
  readonly code = new Map<number, Script>();
  readonly spaces: FakeSpace[] = [];
  /** Time that each run costs, added to `time`. */
  time = 0;
  runs = 0;
  #loaded = 0;
  #nextResume = 0x7000_0000;
  readonly #suspended = new Map<number, Generator<Step, void, void>>();
  #spaceIds = 0;

  constructor(ramBytes = USER_RAM + (64 << 20)) {
    const memory = new WebAssembly.Memory({ initial: ramBytes / 65536, maximum: ramBytes / 65536 });
    const b = memory.buffer as ArrayBuffer;
    this.ram = {
      memory,
      size: ramBytes,
      u8: new Uint8Array(b),
      u16: new Uint16Array(b),
      u32: new Uint32Array(b),
      i32: new Int32Array(b),
      view: new DataView(b),
    };
  }

  createSpace(): AddressSpace {
    const space = new FakeSpace(++this.#spaceIds);
    this.spaces.push(space);
    return space;
  }

  locate(state: number): number {
    return state === this.#loaded ? STATE : state;
  }

  discard(state: number): void {
    if (state === this.#loaded) this.#loaded = 0;
  }

  run(state: number, space: AddressSpace, sliceNs: number, onSyscall?: SyscallHook): Trap {
    for (;;) {
      const trap = this.#runToTrap(state, space, sliceNs);
      if (trap !== Trap.Syscall || !onSyscall?.()) return trap;
    }
  }

  #runToTrap(state: number, space: AddressSpace, _sliceNs: number): Trap {
    this.runs++;
    this.time += 1000;
    this.#load(state);
    const m = this.#machine(space), rip = m.rip;
    let routine = this.#suspended.get(rip);
    if (routine) this.#suspended.delete(rip);
    else {
      const script = this.code.get(rip);
      if (!script) return this.#exception(14, 0x15, rip);
      routine = script(m);
    }
    const step = routine.next();
    if (step.done) return this.#exception(6, 0, 0);
    const s = step.value;
    if (s.trap !== "exception") {
      const resume = this.#nextResume;
      this.#nextResume += 2;
      this.#suspended.set(resume, routine);
      m.rip = resume;
      if (s.trap !== "syscall") return s.trap === "timer" ? Trap.Timer : Trap.Pause;
      for (const [gpr, value] of Object.entries(s.regs ?? {})) m.set(Number(gpr), value ?? 0);
      m.set(1, resume);
      m.set(11, this.getFlags(STATE));
      return Trap.Syscall;
    }
    this.#suspended.set(rip, routine);
    return this.#exception(s.vector, s.error ?? 0, s.address ?? this.faultAddress);
  }

  resetState(state: number): void {
    const at = this.locate(state);
    this.ram.u8.fill(0, at, at + STATE_BYTES);
    this.ram.view.setUint16(at + X87_CW, 0x37f, true);
    this.ram.view.setUint32(at + MXCSR, 0x1f80, true);
    this.setFlags(at, 0x202);
  }

  getFlags(at: number): number {
    return this.ram.u32[(at + FLAGS_OTHER) >> 2] | this.ram.u32[(at + FLAG_C) >> 2] | 2;
  }

  setFlags(at: number, rflags: number): void {
    this.ram.u32[(at + FLAGS_OTHER) >> 2] = rflags & ~1;
    this.ram.u32[(at + FLAG_C) >> 2] = rflags & 1;
  }

  fxsave(at: number, pa: number): void {
    this.ram.u8.copyWithin(pa, at + MXCSR, at + MXCSR + 64);
  }

  fxrstor(at: number, pa: number): void {
    this.ram.u8.copyWithin(at + MXCSR, pa, pa + 64);
  }

  xsave(at: number, pa: number): void {
    this.fxsave(at, pa);
  }

  xrstor(at: number, pa: number): void {
    this.fxrstor(at, pa);
  }

  codeChanged(): void {}

  #exception(vector: number, error: number, address: number): Trap {
    this.vector = vector;
    this.errorCode = error;
    this.faultAddress = address;
    return Trap.Exception;
  }

  #load(state: number): void {
    if (state === this.#loaded) return;
    const u8 = this.ram.u8;
    if (this.#loaded !== 0) u8.copyWithin(this.#loaded, STATE, STATE + STATE_BYTES);
    u8.copyWithin(STATE, state, state + STATE_BYTES);
    this.#loaded = state;
  }

  #machine(space: AddressSpace): Machine {
    const u32 = this.ram.u32;
    const number = (at: number) => u32[(at + 4) >> 2] * 0x1_0000_0000 + u32[at >> 2];
    const physical = (va: number) => {
      const extent = space.find(va);
      if (!extent) throw new Error(`Script touches unmapped memory: 0x${va.toString(16)}`);
      return extent.pa + va - extent.start;
    };
    return {
      cpu: this,
      space,
      get: (gpr) => number(STATE + GPR + 8 * gpr),
      set: (gpr, value) => setNumber(u32, STATE + GPR + 8 * gpr, value),
      get rip() {
        return number(STATE + RIP);
      },
      set rip(value: number) {
        setNumber(u32, STATE + RIP, value);
      },
      read64: (va) => number(physical(va)),
      write64: (va, value) => setNumber(u32, physical(va), value),
      write32: (va, value) => {
        u32[physical(va) >> 2] = value;
      },
    };
  }
}
