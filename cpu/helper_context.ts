/** Runs JavaScript helpers of instructions: HelperContext over the state block and `Access`. */
import { type Access, GuestFault } from "./access.ts";
import type { CpuHooks, Ram } from "./api.ts";
import { readFlags, writeFlags } from "./cpu_state.ts";
import { Exit } from "./exit.ts";
import type { Helper, HelperContext } from "./helpers/api.ts";
import { Float80 } from "./helpers/float80.ts";
import { HELPERS } from "./helpers/mod.ts";
import type { Insn, MemOperand } from "./insn.ts";
import type { CpuLevel } from "./level.ts";
import { FS_BASE, GPR, GS_BASE, STATE } from "./layout.ts";

const NAMES = Object.keys(HELPERS);
const TABLE: Helper[] = NAMES.map((n) => HELPERS[n]);
const NUMBER = new Map(NAMES.map((n, i) => [n, i]));

/** How generated code names a helper. */
export function helperNumber(name: string): number {
  const n = NUMBER.get(name);
  if (n === undefined) throw new Error(`No helper "${name}"`);
  return n;
}

export class Helpers implements HelperContext {
  readonly float80 = new Float80();
  #again = false;

  constructor(
    readonly ram: Ram,
    readonly hooks: CpuHooks,
    private readonly access: Access,
    readonly level: CpuLevel,
  ) {}

  /** Runs helper `n` on `i`; RIP in the state block is the address of `i`. */
  execute(n: number, i: Insn): Exit {
    this.#again = false;
    try {
      TABLE[n](this, i);
    } catch (e) {
      if (e instanceof GuestFault) return Exit.Fault;
      throw e;
    }
    return this.#again ? Exit.Poll : Exit.Continue;
  }

  address(op: MemOperand): number {
    let a = op.disp;
    if (op.base >= 0) a += this.#gpr(op.base);
    if (op.index >= 0) a += this.#gpr(op.index) << BigInt(op.scale);
    if (op.addressSize === 4) a &= 0xffff_ffffn;
    if (op.seg) a += this.ram.view.getBigUint64(STATE + (op.seg === "fs" ? FS_BASE : GS_BASE), true);
    return Number(BigInt.asIntN(64, a));
  }
  translate(va: number, bytes: number, write: boolean): number {
    return this.access.translate(va, bytes, write);
  }
  run(va: number, limit: number, write: boolean): number {
    return this.access.run(va, limit, write);
  }
  contiguous(va: number, bytes: number, write: boolean): number {
    return this.access.contiguous(va, bytes, write);
  }
  readAt(va: number, bytes: number): number {
    return this.access.readAt(va, bytes);
  }
  load8(va: number): number {
    return this.ram.u8[this.access.translate(va, 1, false)];
  }
  load16(va: number): number {
    return this.ram.view.getUint16(this.access.readAt(va, 2), true);
  }
  load32(va: number): number {
    return this.ram.view.getUint32(this.access.readAt(va, 4), true);
  }
  loadBytes(va: number, into: Uint8Array): void {
    this.access.loadBytes(va, into);
  }
  storeBytes(va: number, from: Uint8Array): void {
    this.access.storeBytes(va, from);
  }
  checkWrite(va: number, bytes: number): void {
    this.access.checkWrite(va, bytes);
  }
  codeWritten(pa: number, bytes: number): void {
    this.access.codeWritten(pa, bytes);
  }
  raise(vector: number, errorCode: number, address = 0): never {
    return this.access.raise(vector, errorCode, address);
  }
  repeat(): void {
    this.#again = true;
  }
  getFlags(): number {
    return readFlags(this.ram, STATE);
  }
  setFlags(rflags: number): void {
    writeFlags(this.ram, STATE, rflags);
  }

  #gpr(n: number): bigint {
    return this.ram.view.getBigUint64(STATE + GPR + 8 * n, true);
  }
}
