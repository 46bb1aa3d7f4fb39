import type { Crd } from "./api.ts";
import { crdHigh, crdLow, decodeCrd } from "./crd.ts";
import { getNumber, RDI, setNumber, setReg } from "./frame.ts";

/** Registers of a guest's hypercall (ABI 6.1), read where they lie. */
export class Registers {
  /** Address of the located state block. */
  at = 0;
  /** RDI[11:8]. */
  flags = 0;
  /** RDI[63:12]: selector or value. */
  selector = 0;
  constructor(readonly u32: Uint32Array) {}

  load(at: number): number {
    const lo = this.u32[(at + RDI) >> 2];
    this.at = at;
    this.flags = (lo >>> 8) & 0xf;
    this.selector = this.u32[(at + RDI + 4) >> 2] * 0x10_0000 + (lo >>> 12);
    return lo & 0xff;
  }
  num(register: number): number {
    return getNumber(this.u32, this.at + register);
  }
  lo(register: number): number {
    return this.u32[(this.at + register) >> 2];
  }
  hi(register: number): number {
    return this.u32[(this.at + register + 4) >> 2];
  }
  /** Bits 12..63. */
  page(register: number): number {
    return this.hi(register) * 0x10_0000 + (this.lo(register) >>> 12);
  }
  crd(register: number): Crd {
    return decodeCrd(this.lo(register), this.hi(register));
  }
  set(register: number, value: number): void {
    setNumber(this.u32, this.at + register, value);
  }
  setCrd(register: number, crd: Crd): void {
    setReg(this.u32, this.at + register, crdLow(crd), crdHigh(crd));
  }
}
