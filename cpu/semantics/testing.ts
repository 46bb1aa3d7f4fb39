/** Runs single instructions on a fresh processor, for tests. */
import assert from "node:assert/strict";
import { type Cpu, type CpuHooks, createCpu, Trap } from "../mod.ts";
import { GPR, KERNEL_MEMORY, MXCSR, RIP, ST, USER_RAM, VEC, XMM } from "../layout.ts";

/** Guest addresses of the code, and of one page of data behind which nothing is mapped. */
export const CODE = 0x40_0000;
export const DATA = 0x50_0000;
const PAGE = 4096, MIB = 1 << 20;

const NO_DEVICES: CpuHooks = { tsc: () => 0, portAllowed: () => false, portIn: () => 0, portOut: () => {}, random: () => {} };

export interface Registers {
  xmm?: Record<number, bigint>;
  mmx?: Record<number, bigint>;
  gpr?: Record<number, bigint>;
  mxcsr?: number;
  /** Bytes at DATA. */
  memory?: Uint8Array;
}
/** State after the code; `vector` is the exception that ended it, undefined when it ran to its end. */
export interface Outcome {
  xmm(n: number): bigint;
  mmx(n: number): bigint;
  gpr(n: number): bigint;
  flags: number;
  memory: Uint8Array;
  vector: number | undefined;
  error: number;
  /** CR2, when it was a page fault. */
  address: number;
  /** Address reached, relative to the first byte of the code. */
  rip: number;
}

/** Executes the bytes ("66 0f fc c1") with the given registers; those not named are zero. */
export class Executor {
  readonly #cpu: Cpu;
  readonly #space;

  constructor(hooks: Partial<CpuHooks> = {}, heat = Infinity) {
    this.#cpu = createCpu({ ramBytes: USER_RAM + 16 * MIB, hooks: { ...NO_DEVICES, ...hooks }, heat });
    this.#space = this.#cpu.createSpace();
    this.#space.map(CODE, USER_RAM, PAGE, 7);
    this.#space.map(DATA, USER_RAM + PAGE, PAGE, 3);
  }

  run(hex: string, registers: Registers = {}): Outcome {
    const { ram } = this.#cpu, code = hex.split(" ").map((b) => parseInt(b, 16)), at = this.#cpu.locate(KERNEL_MEMORY);
    this.#cpu.resetState(KERNEL_MEMORY);
    // UD2 ends the run.
    ram.u8.set([...code, 0x0f, 0x0b], USER_RAM);
    this.#cpu.codeChanged(USER_RAM, PAGE);
    ram.u8.fill(0, USER_RAM + PAGE, USER_RAM + 2 * PAGE).set(registers.memory ?? [], USER_RAM + PAGE);
    const put64 = (offset: number, value: bigint) => ram.view.setBigUint64(at + offset, BigInt.asUintN(64, value), true);
    for (const [n, value] of Object.entries(registers.gpr ?? {})) put64(GPR + 8 * Number(n), value);
    for (const [n, value] of Object.entries(registers.mmx ?? {})) put64(ST + 16 * Number(n), value);
    for (const [n, value] of Object.entries(registers.xmm ?? {})) {
      put64(XMM + 16 * Number(n), value);
      put64(XMM + 16 * Number(n) + 8, value >> 64n);
    }
    if (registers.mxcsr !== undefined) ram.view.setUint32(at + MXCSR, registers.mxcsr, true);
    put64(RIP, BigInt(CODE));
    assert.equal(this.#cpu.run(KERNEL_MEMORY, this.#space, 1e9), Trap.Exception);
    const now = this.#cpu.locate(KERNEL_MEMORY), u64 = (offset: number) => ram.view.getBigUint64(now + offset, true);
    const finished = this.#cpu.vector === VEC.UD && u64(RIP) === BigInt(CODE + code.length);
    return {
      xmm: (n) => u64(XMM + 16 * n) | (u64(XMM + 16 * n + 8) << 64n),
      mmx: (n) => u64(ST + 16 * n),
      gpr: (n) => u64(GPR + 8 * n),
      flags: this.#cpu.getFlags(now),
      memory: ram.u8.slice(USER_RAM + PAGE, USER_RAM + 2 * PAGE),
      vector: finished ? undefined : this.#cpu.vector,
      error: this.#cpu.errorCode,
      address: this.#cpu.faultAddress,
      rip: Number(u64(RIP)) - CODE,
    };
  }
}
