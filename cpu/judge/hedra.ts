/** Runs cases on Hedra's processor. */
import { type Cpu, createCpu, RIGHT_R, RIGHT_W, RIGHT_X, Trap } from "../mod.ts";
import type { AddressSpace } from "../mod.ts";
import { FS_BASE, GPR, GS_BASE, KERNEL_MEMORY, MXCSR, RIP, STATE_BYTES, USER_RAM, YMM_HIGH, YMM_USED } from "../layout.ts";
import { FLAGS_UNKNOWN } from "../mxcsr.ts";
import {
  AREAS,
  type Case,
  CODE,
  FP_BYTES,
  FX_BYTES,
  IMAGE_BYTES,
  PAGE,
  type Result,
  TIMEOUT,
  WRITABLE_CODE,
} from "./protocol.ts";

/** Physical address of the image. */
const IMAGE = USER_RAM;
const STATE_AT = KERNEL_MEMORY;
const FX_AT = KERNEL_MEMORY + 2 * STATE_BYTES;
/** Long enough for every case, 50 ms. */
const SLICE_NS = 50e6;

export class HedraRunner {
  readonly #cpu: Cpu;
  readonly #space: AddressSpace;
  readonly #baseline: Int32Array;
  readonly #image: Int32Array;
  readonly #initialFp: Uint8Array;

  /** `heat`: executions before a block is translated (Infinity = interpreter only). */
  constructor(private readonly baseline: Uint8Array, heat: number, private readonly sticky = false) {
    this.#cpu = createCpu({
      ramBytes: USER_RAM + (1 << 20),
      heat,
      hooks: {
        tsc: () => performance.now() * 1e6,
        portAllowed: () => false,
        portIn: () => 0,
        portOut: () => {},
        random: (out) => void out.fill(7),
      },
    });
    const { ram } = this.#cpu;
    ram.u8.set(baseline, IMAGE);
    this.#baseline = new Int32Array(baseline.slice().buffer);
    this.#image = new Int32Array(ram.u8.buffer, IMAGE, IMAGE_BYTES / 4);
    this.#space = this.#cpu.createSpace();
    for (const a of AREAS) {
      const rights = RIGHT_R | (a.write ? RIGHT_W : 0) | (a.execute ? RIGHT_X : 0);
      this.#space.map(a.address, IMAGE + a.first, a.bytes, rights);
    }
    this.#initialFp = new Uint8Array(FP_BYTES);
    const view = new DataView(this.#initialFp.buffer);
    view.setUint16(0, 0x37f, true);
    view.setUint32(24, 0x1f80, true);
  }

  run(c: Case): Result {
    const cpu = this.#cpu;
    this.#load(c);
    const trap = cpu.run(STATE_AT, this.#space, SLICE_NS);
    const result = this.#result(c, trap);
    this.#restore(c);
    return result;
  }

  #load(c: Case): void {
    const { ram } = this.#cpu;
    ram.u8.set(c.code, IMAGE + c.codeOffset);
    this.#cpu.codeChanged(IMAGE + c.codeOffset, c.code.length);
    for (const p of c.pokes) {
      ram.u8.set(p.bytes, IMAGE + p.offset);
      if (p.offset < CODE.bytes) this.#cpu.codeChanged(IMAGE + p.offset, p.bytes.length);
    }
    this.#cpu.resetState(STATE_AT);
    const at = this.#cpu.locate(STATE_AT);
    const u64 = (offset: number, value: bigint) => ram.view.setBigUint64(at + offset, value, true);
    for (let n = 0; n < 16; n++) u64(GPR + 8 * n, c.gpr[n]);
    u64(RIP, BigInt(c.entry));
    u64(FS_BASE, c.fs);
    u64(GS_BASE, c.gs);
    this.#cpu.setFlags(at, c.rflags);
    const fp = c.fp ?? this.#initialFp;
    ram.u8.set(fp.subarray(0, FX_BYTES), FX_AT);
    this.#cpu.fxrstor(at, FX_AT);
    ram.u8.set(fp.subarray(FX_BYTES), at + YMM_HIGH);
    ram.u32[(at + YMM_USED) >> 2] = 1;
    // The fast code, except when flags are compared.
    if (this.sticky || c.showsFlags) ram.u32[(at + MXCSR) >> 2] &= ~FLAGS_UNKNOWN;
    else ram.u32[(at + MXCSR) >> 2] |= FLAGS_UNKNOWN;
  }

  #result(c: Case, trap: Trap): Result {
    const cpu = this.#cpu, { ram } = cpu;
    const at = cpu.locate(STATE_AT);
    const u64 = (offset: number) => ram.view.getBigUint64(at + offset, true);
    const gpr = new BigUint64Array(16);
    for (let n = 0; n < 16; n++) gpr[n] = u64(GPR + 8 * n);
    let fp: Uint8Array | undefined;
    if (c.fp) {
      cpu.fxsave(at, FX_AT);
      fp = new Uint8Array(FP_BYTES);
      fp.set(ram.u8.subarray(FX_AT, FX_AT + FX_BYTES));
      fp.set(ram.u8.subarray(at + YMM_HIGH, at + YMM_HIGH + 256), FX_BYTES);
    }
    const offsets: number[] = [], words: bigint[] = [];
    const image = this.#image, baseline = this.#baseline;
    for (let w = CODE.bytes >> 2; w < image.length; w += 2) {
      if (image[w] === baseline[w] && image[w + 1] === baseline[w + 1]) continue;
      offsets.push(w << 2);
      words.push(ram.view.getBigUint64(IMAGE + (w << 2), true));
    }
    return {
      vector: trap === Trap.Exception ? cpu.vector : trap === Trap.Syscall ? 0x80 : TIMEOUT,
      error: trap === Trap.Exception ? cpu.errorCode : 0,
      cr2: trap === Trap.Exception && cpu.vector === 14 ? BigInt.asUintN(64, BigInt(cpu.faultAddress)) : 0n,
      gpr,
      rip: u64(RIP),
      rflags: cpu.getFlags(at),
      fs: u64(FS_BASE),
      gs: u64(GS_BASE),
      fp,
      offsets,
      words,
    };
  }

  #restore(c: Case): void {
    const { ram } = this.#cpu;
    const code = this.baseline.subarray(c.codeOffset, c.codeOffset + c.code.length);
    ram.u8.set(code, IMAGE + c.codeOffset);
    // A later case may jump to where this one's code was.
    this.#cpu.codeChanged(IMAGE + c.codeOffset, c.code.length);
    for (const { offset, bytes } of c.pokes) {
      if (offset >= 2 * PAGE) continue;
      ram.u8.set(this.baseline.subarray(offset, offset + bytes.length), IMAGE + offset);
      this.#cpu.codeChanged(IMAGE + offset, bytes.length);
    }
    this.#image.subarray(2 * PAGE / 4).set(this.#baseline.subarray(2 * PAGE / 4));
    if (c.codeOffset >= WRITABLE_CODE.first) this.#cpu.codeChanged(IMAGE + WRITABLE_CODE.first, WRITABLE_CODE.bytes);
  }
}
