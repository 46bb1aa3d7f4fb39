/**
 * `--cpu-engine lockstep`: Hedra's interpreter and Unicorn execute the same instructions, one by one, over the same RAM. Unicorn goes first;
 * then the memory that the instruction may have written is put back, Hedra executes it, and registers and memory must be equal.
 * Hedra's state is the one that counts. What Unicorn 2.0 does not know (AVX, CPUID's answers, time, system calls) is Hedra's alone.
 */
import { type Cpu, type Ram, type SyscallHook, Trap } from "../../cpu/api.ts";
import { type CpuOptions, HedraCpu } from "../../cpu/cpu.ts";
import { readFlags, writeFlags } from "../../cpu/cpu_state.ts";
import { decode, MAX_INSN_BYTES } from "../../cpu/decode.ts";
import { disassemble } from "../../cpu/disasm.ts";
import type { Insn, MemOperand } from "../../cpu/insn.ts";
import { AF, CF, FS_BASE, GPR, GS_BASE, OF, PF, RIP, SF, STATE_BYTES, XMM, ZF } from "../../cpu/layout.ts";
import { PF_FETCH } from "../../cpu/access.ts";
import { type AddressSpace, RIGHT_W } from "../../cpu/space.ts";
import { Engine, openUnicorn, WatchedSpace } from "./engine.ts";

/** Unicorn's registers, between the state block and the control words (cpu/layout.ts). */
const JUDGE = 0x1800;
const TWO32 = 0x1_0000_0000;
const FLAG_BITS: Readonly<Record<string, number>> = { o: OF, s: SF, z: ZF, a: AF, p: PF, c: CF };
const ARITHMETIC = OF | SF | ZF | AF | PF | CF;
/** Results that depend on the processor's model, on time, or on state that Unicorn does not share. */
const NOT_JUDGED = new Set([
  "syscall",
  // Unicorn leaves the selectors of flat segments zero.
  "movsreg",
  "cpuid",
  "rdtsc",
  "rdtscp",
  "rdrand",
  "rdseed",
  "rdpid",
  // Unicorn leaves alone what FXSAVE clears.
  "fxsave",
  "xgetbv",
  "xsave",
  "xsavec",
  "xsaveopt",
  "xrstor",
]);
/** Features of rows that Unicorn's processor has. */
const JUDGED_FEATURES = /^(cmov|cx8|mmx|sse|sse2|sse3|ssse3|sse4\.1|sse4\.2|fxsr|bmi1|bmi2|lzcnt|adx)$/;
/** Bytes around the stack pointer that an instruction may push. */
const STACK = 64;
/** Bytes that an operand of no size may stand for (FXSAVE). */
const UNSIZED = 512;
const ITERATIONS = 1 << 20;
/** Instructions between two looks at the clock. */
const SLICE = 4096;
const NAMES = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/** The two processors have come to different results; the message shows both. */
export class Difference extends Error {
  override name = "Difference";
}
/** Memory that an instruction may write. */
interface Window {
  va: number;
  pa: number;
  before: Uint8Array;
}

export class LockstepCpu implements Cpu {
  readonly ram: Ram;
  /** Instructions that both have executed, and those that only Hedra has. */
  judged = 0;
  skipped = 0;
  readonly #hedra: HedraCpu;
  readonly #lib = openUnicorn();
  readonly #spaces = new Map<AddressSpace, { mirror: WatchedSpace; engine: Engine }>();
  readonly #tsc: () => number;
  /** Unicorn's registers are those of this state block and space. */
  #current: Engine | undefined;

  /** @param differ called with the report of the first difference; must not return */
  constructor(options: CpuOptions, private readonly differ: (report: string) => never) {
    this.#hedra = new HedraCpu({ ...options, heat: Infinity, singleStep: true });
    this.ram = this.#hedra.ram;
    this.#tsc = options.hooks.tsc;
  }
  get vector(): number {
    return this.#hedra.vector;
  }
  get errorCode(): number {
    return this.#hedra.errorCode;
  }
  get faultAddress(): number {
    return this.#hedra.faultAddress;
  }

  createSpace(): AddressSpace {
    const space = this.#hedra.createSpace(), mirror = new WatchedSpace(space.id, () => {});
    const engine = new Engine(this.#lib, this.ram, mirror, "v2");
    const both: AddressSpace = {
      id: space.id,
      map: (...args) => (space.map(...args), mirror.map(...args)),
      unmap: (...args) => (space.unmap(...args), mirror.unmap(...args)),
      find: (va) => space.find(va),
      extents: (from, to) => space.extents(from, to),
      destroy: () => {
        space.destroy();
        mirror.destroy();
        engine.close();
        this.#spaces.delete(both);
        this.#inner.delete(both);
      },
    };
    this.#spaces.set(both, { mirror, engine });
    this.#inner.set(both, space);
    return both;
  }
  readonly #inner = new Map<AddressSpace, AddressSpace>();

  run(state: number, space: AddressSpace, sliceNs: number, onSyscall?: SyscallHook): Trap {
    const { engine } = this.#spaces.get(space)!, inner = this.#inner.get(space)!, end = this.#tsc() + sliceNs;
    this.#current = undefined;
    for (let n = 0;; n++) {
      if (n % SLICE === SLICE - 1 && this.#tsc() >= end) return Trap.Timer;
      const at = this.#hedra.locate(state), pc = this.#number(at + RIP), i = this.#decode(space, pc);
      const trap = i && this.#isJudged(i)
        ? this.#both(engine, state, space, inner, i)
        : this.#hedraAlone(state, inner, onSyscall);
      if (trap !== Trap.Timer) return trap;
    }
  }

  #hedraAlone(state: number, inner: AddressSpace, onSyscall?: SyscallHook): Trap {
    this.skipped++;
    this.#current = undefined;
    return this.#hedra.run(state, inner, 0, onSyscall);
  }

  #both(engine: Engine, state: number, space: AddressSpace, inner: AddressSpace, i: Insn): Trap {
    const { u8 } = this.ram;
    let at = this.#hedra.locate(state);
    if (this.#current !== engine) engine.load(at);
    this.#current = engine;
    const start = u8.slice(at, at + STATE_BYTES), windows = this.#windows(space, at, i);
    let stop = engine.run(i.pc, 1, 0);
    engine.store(JUDGE);
    for (let n = 0; i.rep && stop.kind === "time" && this.#number(JUDGE + RIP) === i.pc && n < ITERATIONS; n++) {
      stop = engine.run(i.pc, 1, 0);
      engine.store(JUDGE);
    }
    // The target of a jump cannot be fetched: that is the next instruction's fault, but Unicorn looks ahead.
    if (stop.kind === "exception" && stop.error & PF_FETCH && this.#number(JUDGE + RIP) !== i.pc) {
      stop = { kind: "time" };
      this.#current = undefined;
    }
    const after = windows.map((w) => u8.slice(w.pa, w.pa + w.before.length));
    for (const w of windows) u8.set(w.before, w.pa);
    let trap: Trap;
    do {
      trap = this.#hedra.run(state, inner, 0);
      at = this.#hedra.locate(state);
    } while (trap === Trap.Timer && i.rep && this.#number(at + RIP) === i.pc && this.#number(at + GPR + 8) !== 0);
    this.judged++;
    if (trap === Trap.Exception) {
      this.#current = undefined;
      if (stop.kind !== "exception") this.#report(i, start, at, `Hedra raises exception ${this.vector}, Unicorn does not`);
      return trap;
    }
    if (stop.kind === "exception") this.#report(i, start, at, `Unicorn raises exception ${stop.vector}, Hedra does not`);
    this.#compare(i, start, at, windows, after);
    return trap;
  }

  #compare(i: Insn, start: Uint8Array, at: number, windows: readonly Window[], after: readonly Uint8Array[]): void {
    if (i.row.approximate) {
      this.#current = undefined;
      return;
    }
    const { u32, u8 } = this.ram, wrong: string[] = [];
    for (let n = 0; n < 34; n += 2) {
      if (u32[(at >> 2) + n] !== u32[(JUDGE >> 2) + n] || u32[(at >> 2) + n + 1] !== u32[(JUDGE >> 2) + n + 1]) {
        wrong.push(NAMES[n / 2] ?? "rip");
      }
    }
    for (let n = 0; n < 16; n++) {
      for (let k = 0; k < 4; k++) {
        if (u32[((at + XMM) >> 2) + 4 * n + k] !== u32[((JUDGE + XMM) >> 2) + 4 * n + k]) wrong.push(`xmm${n}`);
      }
    }
    const different = (readFlags(this.ram, at) ^ readFlags(this.ram, JUDGE)) & ARITHMETIC;
    const undefinedBits = [...(i.row.undef ?? "")].reduce((bits, letter) => bits | (FLAG_BITS[letter] ?? 0), 0);
    if (different & ~undefinedBits) wrong.push("flags");
    windows.forEach((w, n) => {
      const differs = after[n].findIndex((b, k) => b !== u8[w.pa + k]);
      if (differs >= 0) wrong.push(`memory at 0x${(w.va + differs).toString(16)}`);
    });
    if (wrong.length > 0) this.#report(i, start, at, `different: ${[...new Set(wrong)].join(", ")}`);
    // Undefined flags may not count later on.
    if (different) this.#current = undefined;
  }

  /** Writable memory around everything that the instruction addresses. */
  #windows(space: AddressSpace, at: number, i: Insn): Window[] {
    const rsp = this.#number(at + GPR + 32), rdi = this.#number(at + GPR + 56), found: Window[] = [];
    const add = (va: number, bytes: number) => {
      for (let from = va; from < va + bytes;) {
        const e = from >= 0 && from < 2 ** 47 ? space.find(from) : undefined;
        if (!e) {
          from = from - from % 4096 + 4096;
          continue;
        }
        const to = Math.min(va + bytes, e.end), pa = e.pa + (from - e.start);
        if (e.rights & RIGHT_W) found.push({ va: from, pa, before: this.ram.u8.slice(pa, pa + (to - from)) });
        from = to;
      }
    };
    add(rsp - STACK, STACK + 8);
    const m = i.ops.find((o): o is MemOperand => o.kind === "mem");
    if (m) {
      const size = m.size === 0 ? UNSIZED : Math.max(8, m.size);
      // Bit instructions with a register address beyond their operand.
      const reach = i.name.startsWith("bt") ? 1 << 16 : 0;
      add(this.#address(at, m) - reach, size + 2 * reach);
    }
    if (/^(movs|stos|ins)$/.test(i.name)) {
      const bytes = i.size * (i.rep ? this.#number(at + GPR + 8) : 1), down = (readFlags(this.ram, at) & 0x400) !== 0;
      add(down ? rdi - bytes + i.size : rdi, bytes);
    }
    if (i.name === "maskmovdqu" || i.name === "maskmovq") add(rdi, 16);
    return found;
  }
  #address(at: number, m: MemOperand): number {
    const register = (n: number) => this.ram.view.getBigUint64(at + GPR + 8 * n, true);
    let a = m.disp + (m.base >= 0 ? register(m.base) : 0n) + (m.index >= 0 ? register(m.index) << BigInt(m.scale) : 0n);
    if (m.addressSize === 4) a &= 0xffff_ffffn;
    if (m.seg) a += this.ram.view.getBigUint64(at + (m.seg === "fs" ? FS_BASE : GS_BASE), true);
    return Number(BigInt.asUintN(64, a));
  }

  #isJudged(i: Insn): boolean {
    const { feature, fault, enc } = i.row;
    return !fault && !NOT_JUDGED.has(i.name) && !enc.startsWith("VEX") && !i.name.startsWith("v") &&
      (feature === undefined || JUDGED_FEATURES.test(feature));
  }
  #decode(space: AddressSpace, pc: number): Insn | undefined {
    const e = pc < 2 ** 47 ? space.find(pc) : undefined;
    if (!e) return undefined;
    const i = decode(this.ram.u8, e.pa + (pc - e.start), Math.min(e.end - pc, MAX_INSN_BYTES + 1), pc);
    return "invalid" in i ? undefined : i;
  }
  #number(at: number): number {
    return this.ram.u32[at >> 2] + this.ram.u32[(at >> 2) + 1] * TWO32;
  }

  #report(i: Insn, start: Uint8Array, at: number, what: string): never {
    const { u8, view } = this.ram, before = new DataView(start.buffer, start.byteOffset);
    const hex = (v: DataView, a: number) => v.getBigUint64(a, true).toString(16).padStart(16, "0");
    const row = (name: string, a: number) => {
      const cells = [hex(before, a), hex(view, at + a), hex(view, JUDGE + a)];
      return `${name.padEnd(6)} ${cells.join("  ")}${cells[1] === cells[2] ? "" : "  <--"}`;
    };
    const lines = [
      `hedra: lockstep: after ${this.judged} instructions ${what}`,
      `  ${i.pc.toString(16)}: ${disassemble(i)}`,
      "       before            Hedra             Unicorn",
      ...NAMES.map((name, n) => row(name, GPR + 8 * n)),
      row("rip", RIP),
      `flags  ${"".padEnd(18)}${readFlags(this.ram, at).toString(16).padEnd(18)}${readFlags(this.ram, JUDGE).toString(16)}`,
    ];
    for (let n = 0; n < 16; n++) {
      const a = at + XMM + 16 * n, b = JUDGE + XMM + 16 * n;
      if (u8.subarray(a, a + 16).every((byte, k) => byte === u8[b + k])) continue;
      lines.push(row(`xmm${n}l`, XMM + 16 * n), row(`xmm${n}h`, XMM + 16 * n + 8));
    }
    return this.differ(lines.join("\n"));
  }

  locate(state: number): number {
    return this.#hedra.locate(state);
  }
  resetState(state: number): void {
    this.#hedra.resetState(state);
  }
  discard(state: number): void {
    this.#hedra.discard(state);
  }
  getFlags(at: number): number {
    return readFlags(this.ram, at);
  }
  setFlags(at: number, rflags: number): void {
    writeFlags(this.ram, at, rflags);
  }
  fxsave(at: number, pa: number): void {
    this.#hedra.fxsave(at, pa);
  }
  fxrstor(at: number, pa: number): void {
    this.#hedra.fxrstor(at, pa);
  }
  xsave(at: number, pa: number): void {
    this.#hedra.xsave(at, pa);
  }
  xrstor(at: number, pa: number): void {
    this.#hedra.xrstor(at, pa);
  }
  codeChanged(pa: number, length: number): void {
    this.#hedra.codeChanged(pa, length);
    for (const { engine } of this.#spaces.values()) engine.codeChanged(pa, length);
  }
}
