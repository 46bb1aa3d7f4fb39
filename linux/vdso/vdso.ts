import { PAGE, PROT_EXEC, PROT_READ } from "../abi/mman.ts";
import type { Mm } from "../memory/mm.ts";
import type { Pool } from "../memory/pool.ts";
import { putU64 } from "../memory/user.ts";
import { newVma, type SharedPages } from "../memory/vma.ts";
import type { Clock } from "../process/clock.ts";
import { VDSO_IMAGE } from "./image.ts";

/** Stands before the wall clock at boot: two 64-bit numbers, seconds and nanoseconds. */
const MARKER = new TextEncoder().encode("WALLTIME");

/** The page of code that every process gets: the clocks without a system call (vdso.S). */
export class Vdso implements SharedPages {
  readonly file = undefined;
  readonly #pa: number;
  readonly #data: DataView;
  /** Physical address of the wall clock at boot. */
  readonly #wall: number;

  private constructor(pa: number, u8: Uint8Array, data: DataView) {
    const image = Uint8Array.fromBase64(VDSO_IMAGE);
    u8.set(image, pa);
    this.#pa = pa;
    this.#data = data;
    let at = image.indexOf(MARKER[0]);
    while (!MARKER.every((byte, i) => image[at + i] === byte)) at = image.indexOf(MARKER[0], at + 1);
    this.#wall = pa + at + MARKER.length;
  }

  /** Undefined when memory is short: programs do without. */
  static create(pool: Pool, u8: Uint8Array, data: DataView): Vdso | undefined {
    const pa = pool.take(PAGE, 0);
    return pa === undefined ? undefined : new Vdso(pa, u8, data);
  }

  /** Tells all processes about a new wall clock. */
  update(clock: Clock): void {
    putU64(this.#data, this.#wall, clock.bootSeconds);
    putU64(this.#data, this.#wall + 8, clock.bootNanoseconds);
  }

  /** Maps it into a new image; its address, or undefined. */
  mapInto(mm: Mm): number | undefined {
    const at = mm.findGap(PAGE);
    if (at === undefined) return undefined;
    const vma = newVma(at, at + PAGE, PROT_READ | PROT_EXEC);
    vma.maxProt = PROT_READ | PROT_EXEC;
    vma.shared = this;
    vma.name = "[vdso]";
    return mm.add(vma, true) ? at : undefined;
  }

  reaches(): boolean {
    return true;
  }

  ensure(offset: number): { pa: number; bytes: number } | undefined {
    return offset === 0 ? { pa: this.#pa, bytes: PAGE } : undefined;
  }

  sync(): number {
    return 0;
  }

  dup(): void {}

  release(): void {}
}
