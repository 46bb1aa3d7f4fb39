import type { Cpu } from "../cpu/api.ts";
import { FS_BASE, GPR, GS_BASE } from "../cpu/layout.ts";
import { type ArchState, MTD } from "./api.ts";
import { FRAME_CALL_FLAGS, FRAME_RFLAGS, FRAME_RIP, FRAME_RSP, getNumber, sanitizeFlags, setNumber } from "./frame.ts";
import type { Ec } from "./objects.ts";

/** MTD bit that moves GPR n, Intel numbering. */
const GPR_BIT: readonly number[] = [
  MTD.ACDB,
  MTD.ACDB,
  MTD.ACDB,
  MTD.ACDB,
  MTD.RSP,
  MTD.BSD,
  MTD.BSD,
  MTD.BSD,
  ...new Array<number>(8).fill(MTD.R8_R15),
];
const RCX = GPR + 8, R11 = GPR + 8 * 11;
/** What `sysret` needs to read. */
const SYSRET_READS = MTD.ACDB | MTD.R8_R15;
/** Number of RSP among the GPRs: it is in the interrupt frame. */
const RSP = 4;

interface Group {
  readonly bit: number;
  readonly inFrame: boolean;
  readonly offset: number;
  readonly words: number;
  /** Place in the shadow. */
  readonly at: number;
}
/** Where the groups of registers are, for putting back what a reply does not select. */
const GROUPS: readonly Group[] = [
  { bit: MTD.ACDB, inFrame: false, offset: GPR, words: 8, at: 0 },
  { bit: MTD.RIP, inFrame: true, offset: FRAME_RIP, words: 2, at: 8 },
  { bit: MTD.RSP, inFrame: true, offset: FRAME_RSP, words: 2, at: 10 },
  { bit: MTD.RFLAGS, inFrame: true, offset: FRAME_RFLAGS, words: 1, at: 12 },
  { bit: MTD.BSD, inFrame: false, offset: GPR + 8 * 5, words: 6, at: 13 },
  { bit: MTD.FS_GS, inFrame: false, offset: FS_BASE, words: 4, at: 19 },
  { bit: MTD.R8_R15, inFrame: false, offset: GPR + 8 * 8, words: 16, at: 23 },
];
const SHADOW_WORDS = 39;
/** Where writes go when there is no caller: the null guard page, which nobody reads. */
const NOWHERE = 0;

/** Resolves an address of the host PD to RAM; throws when it is not accessible. */
type Resolve = (va: number, length: number, write: boolean) => number;

/**
 * The caller's registers in place: a reusable window on the caller's state block, so that a state message to a host handler
 * copies nothing. Handlers set `mtd` first and write then; writing a group before its bit is set costs a copy of the old values, which
 * the reply puts back when the bit is still clear.
 */
export class HostArchState implements ArchState {
  mtd = 0;
  /** The portal's MTD: what may be read. */
  #readable = 0;
  /** Address of the caller's located block. */
  #at = NOWHERE;
  /** Address of its interrupt frame. */
  #frame = NOWHERE;
  #caller: Ec | undefined = undefined;
  #shadowed = 0;
  readonly #shadow = new Uint32Array(SHADOW_WORDS);
  readonly #u32: Uint32Array<ArrayBuffer>;

  constructor(private readonly cpu: Cpu, private readonly resolve: Resolve) {
    this.#u32 = cpu.ram.u32;
  }

  /** Points the view at a caller; called by the kernel when it delivers a state message. */
  bind(caller: Ec, mtd: number): void {
    this.mtd = 0;
    this.#shadowed = 0;
    this.#readable = mtd;
    this.#caller = caller;
    this.#at = this.cpu.locate(caller.state);
    this.#frame = caller.frame;
  }

  /** After other code has run meanwhile the block may have moved. */
  relocate(): void {
    if (this.#caller) this.#at = this.cpu.locate(this.#caller.state);
  }

  unbind(): void {
    this.#caller = undefined;
    this.#readable = 0;
    this.mtd = 0;
    this.#shadowed = 0;
    this.#at = this.#frame = NOWHERE;
  }

  /** The reply: groups that were written but are not selected get their old values back. */
  commit(): void {
    const lost = this.#shadowed & ~this.mtd;
    if (lost !== 0) this.#putBack(lost);
    this.#caller = undefined;
  }

  num(gpr: number): number {
    return (this.#readable & GPR_BIT[gpr]) === 0 ? 0 : getNumber(this.#u32, this.#place(gpr));
  }
  int(gpr: number): number {
    if ((this.#readable & GPR_BIT[gpr]) === 0) return 0;
    const i = this.#place(gpr) >> 2;
    return (this.#u32[i + 1] | 0) * 0x1_0000_0000 + this.#u32[i];
  }
  lo(gpr: number): number {
    return (this.#readable & GPR_BIT[gpr]) === 0 ? 0 : this.#u32[this.#place(gpr) >> 2];
  }
  hi(gpr: number): number {
    return (this.#readable & GPR_BIT[gpr]) === 0 ? 0 : this.#u32[(this.#place(gpr) + 4) >> 2];
  }
  set(gpr: number, value: number): void {
    this.#prepare(GPR_BIT[gpr]);
    setNumber(this.#u32, this.#place(gpr), value);
  }
  setHalves(gpr: number, lo: number, hi: number): void {
    this.#prepare(GPR_BIT[gpr]);
    const i = this.#place(gpr) >> 2;
    this.#u32[i] = lo;
    this.#u32[i + 1] = hi;
  }
  get rip(): number {
    return this.#read(MTD.RIP, this.#frame + FRAME_RIP);
  }
  set rip(value: number) {
    this.#write(MTD.RIP, this.#frame + FRAME_RIP, value);
  }
  get rsp(): number {
    return this.#read(MTD.RSP, this.#frame + FRAME_RSP);
  }
  set rsp(value: number) {
    this.#write(MTD.RSP, this.#frame + FRAME_RSP, value);
  }
  get rflags(): number {
    return (this.#readable & MTD.RFLAGS) === 0 ? 0 : this.#u32[(this.#frame + FRAME_RFLAGS) >> 2];
  }
  set rflags(value: number) {
    this.#prepare(MTD.RFLAGS);
    this.#u32[(this.#frame + FRAME_RFLAGS) >> 2] = sanitizeFlags(value);
  }
  get callFlags(): number {
    return (this.#readable & MTD.RFLAGS) === 0 ? 0 : this.#u32[(this.#frame + FRAME_CALL_FLAGS) >> 2];
  }
  get fsBase(): number {
    return this.#read(MTD.FS_GS, this.#at + FS_BASE);
  }
  set fsBase(value: number) {
    this.#write(MTD.FS_GS, this.#at + FS_BASE, value);
  }
  get gsBase(): number {
    return this.#read(MTD.FS_GS, this.#at + GS_BASE);
  }
  set gsBase(value: number) {
    this.#write(MTD.FS_GS, this.#at + GS_BASE, value);
  }
  get errorCode(): number {
    return (this.#readable & MTD.QUAL) === 0 ? 0 : this.#caller?.errorCode ?? 0;
  }
  get faultAddress(): number {
    return (this.#readable & MTD.QUAL) === 0 ? 0 : this.#caller?.faultAddress ?? 0;
  }
  sysret(): void {
    if ((this.#readable & SYSRET_READS) !== SYSRET_READS) return;
    this.#prepare(MTD.RIP);
    this.#prepare(MTD.RSP);
    this.#prepare(MTD.RFLAGS);
    this.#prepare(MTD.R8_R15);
    this.mtd |= MTD.RIP | MTD.RSP | MTD.RFLAGS | MTD.R8_R15;
    const u32 = this.#u32, block = this.#at >> 2, frame = this.#frame >> 2, flags = u32[frame + FRAME_CALL_FLAGS / 4];
    u32[frame + FRAME_RIP / 4] = u32[block + RCX / 4];
    u32[frame + FRAME_RIP / 4 + 1] = u32[block + RCX / 4 + 1];
    u32[frame + FRAME_RSP / 4] = u32[block + R11 / 4];
    u32[frame + FRAME_RSP / 4 + 1] = u32[block + R11 / 4 + 1];
    u32[frame + FRAME_RFLAGS / 4] = u32[block + R11 / 4] = flags;
    u32[block + R11 / 4 + 1] = 0;
  }
  fxsave(va: number): void {
    if ((this.#readable & MTD.FPU) !== 0) this.cpu.fxsave(this.#at, this.resolve(va, 512, true));
  }
  fxrstor(va: number): void {
    if ((this.#readable & MTD.FPU) !== 0) this.cpu.fxrstor(this.#at, this.resolve(va, 512, false));
  }
  xsave(va: number): void {
    if ((this.#readable & MTD.FPU) !== 0) this.cpu.xsave(this.#at, this.resolve(va, 832, true));
  }
  xrstor(va: number): void {
    if ((this.#readable & MTD.FPU) !== 0) this.cpu.xrstor(this.#at, this.resolve(va, 832, false));
  }

  #place(gpr: number): number {
    return gpr === RSP ? this.#frame + FRAME_RSP : this.#at + GPR + 8 * gpr;
  }

  #read(bit: number, at: number): number {
    return (this.#readable & bit) === 0 ? 0 : getNumber(this.#u32, at);
  }

  #write(bit: number, at: number, value: number): void {
    this.#prepare(bit);
    setNumber(this.#u32, at, value);
  }

  #prepare(bit: number): void {
    if (((this.mtd | this.#shadowed) & bit) === 0) this.#keep(bit);
  }

  #keep(bit: number): void {
    this.#shadowed |= bit;
    for (const group of GROUPS) {
      if (group.bit !== bit) continue;
      const from = ((group.inFrame ? this.#frame : this.#at) + group.offset) >> 2;
      for (let i = 0; i < group.words; i++) this.#shadow[group.at + i] = this.#u32[from + i];
      return;
    }
  }

  #putBack(lost: number): void {
    for (const group of GROUPS) {
      if ((lost & group.bit) === 0) continue;
      const to = ((group.inFrame ? this.#frame : this.#at) + group.offset) >> 2;
      for (let i = 0; i < group.words; i++) this.#u32[to + i] = this.#shadow[group.at + i];
    }
  }
}
