import type { Cpu } from "../cpu/api.ts";
import { type Extent, RIGHT_R, RIGHT_W } from "../cpu/space.ts";
import type { HostMemory } from "./api.ts";
import type { Pd } from "./objects.ts";

/** Memory of a host PD. The last extent found is kept until the PD's mappings change: pools are one extent, so look-ups are rare. */
export class PdMemory implements HostMemory {
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly data: DataView<ArrayBuffer>;
  #version = -1;
  #start = 0;
  #end = 0;
  #delta = 0;
  #rights = 0;

  constructor(private readonly cpu: Cpu, private readonly pd: Pd) {
    this.u8 = cpu.ram.u8;
    this.u32 = cpu.ram.u32;
    this.data = cpu.ram.view;
  }

  view(va: number, length: number, write: boolean): Uint8Array<ArrayBuffer> {
    const pa = this.resolve(va, length, write);
    return this.u8.subarray(pa, pa + length);
  }

  has(va: number, length: number, write: boolean): boolean {
    const need = write ? RIGHT_W : RIGHT_R, end = va + length;
    if (!(va >= 0 && length >= 0)) return false;
    if (this.#hit(va, end, need)) return true;
    for (let at = va; at < end;) {
      const extent = this.#extent(at);
      if (!extent || (extent.rights & need) === 0) return false;
      at = extent.end;
    }
    return true;
  }

  copy(to: number, from: number, length: number): void {
    if (length === 0) return;
    if (this.#hit(to, to + length, RIGHT_W)) {
      const target = to + this.#delta;
      if (this.#hit(from, from + length, RIGHT_R)) return this.#move(target, from + this.#delta, length);
    }
    if (!this.has(from, length, false) || !this.has(to, length, true)) throw this.#denied(to, length, true);
    // Piece by piece; overlapping ranges that are contiguous in RAM are one piece, so the result is that of memmove.
    for (let done = 0; done < length;) {
      const source = this.pd.space.find(from + done), target = this.pd.space.find(to + done);
      if (!source || !target) throw this.#denied(to, length, true);
      const n = Math.min(length - done, source.end - (from + done), target.end - (to + done));
      this.#move(target.pa + (to + done - target.start), source.pa + (from + done - source.start), n);
      done += n;
    }
  }

  fill(va: number, value: number, length: number): void {
    for (let done = 0; done < length;) {
      const extent = this.#extent(va + done);
      if (!extent || (extent.rights & RIGHT_W) === 0) throw this.#denied(va, length, true);
      const n = Math.min(length - done, extent.end - (va + done)), pa = extent.pa + (va + done - extent.start);
      this.u8.fill(value, pa, pa + n);
      this.cpu.codeChanged(pa, n);
      done += n;
    }
  }

  codeChanged(va: number, length: number): void {
    for (let done = 0; done < length;) {
      const extent = this.#extent(va + done);
      if (!extent) return;
      const n = Math.min(length - done, extent.end - (va + done));
      this.cpu.codeChanged(extent.pa + (va + done - extent.start), n);
      done += n;
    }
  }

  /** Physical address of a range that is contiguous in RAM. */
  readonly resolve = (va: number, length: number, write: boolean): number => {
    const need = write ? RIGHT_W : RIGHT_R, end = va + length;
    if (!this.#hit(va, end, need)) {
      this.#extent(va);
      if (!this.#hit(va, end, need)) throw this.#denied(va, length, write);
    }
    return va + this.#delta;
  };

  #hit(va: number, end: number, need: number): boolean {
    return this.#version === this.pd.memoryVersion && va >= this.#start && end <= this.#end && (this.#rights & need) !== 0;
  }

  #extent(va: number): Extent | undefined {
    const extent = this.pd.space.find(va);
    if (extent) {
      this.#version = this.pd.memoryVersion;
      this.#start = extent.start;
      this.#end = extent.end;
      this.#delta = extent.pa - extent.start;
      this.#rights = extent.rights;
    }
    return extent;
  }

  #move(to: number, from: number, length: number): void {
    this.u8.copyWithin(to, from, from + length);
    this.cpu.codeChanged(to, length);
  }

  #denied(va: number, length: number, write: boolean): Error {
    const what = write ? "writable" : "readable";
    return new Error(`Host PD "${this.pd.label}" uses memory that is not ${what} for it: 0x${va.toString(16)}, ${length} bytes`);
  }
}
