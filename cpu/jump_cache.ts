/** The jump cache: where calls, returns and computed jumps find the code for an address of the running space. */
import type { Access } from "./access.ts";
import type { Ram } from "./api.ts";
import { JUMP_CACHE } from "./layout.ts";
import type { Space } from "./mmu.ts";
import { JUMP_ENTRIES, JUMP_ENTRY } from "./runtime.ts";

export class JumpCache {
  constructor(private readonly ram: Ram, private readonly access: Access) {}

  /** Lets it find a block's record and a region's table slot (0 = none of it). */
  put(space: Space, pc: number, record: number, slot: number): void {
    const asid = this.access.asidOf(space);
    if (asid === undefined) return;
    const at = jumpEntryOf(pc);
    // Regions come first: a block without one does not push one out.
    if (slot === 0 && this.ram.i32[(at + 12) >> 2] !== 0 && this.ram.i32[(at + 8) >> 2] === asid) return;
    const { i32 } = this.ram, word = at >> 2;
    i32[word] = pc | 0;
    i32[word + 1] = Math.floor(pc / 0x1_0000_0000);
    i32[word + 2] = asid;
    i32[word + 3] = slot;
    i32[word + 4] = record;
  }
  remove(pc: number): void {
    const at = jumpEntryOf(pc);
    this.ram.i32.fill(0, at >> 2, (at + JUMP_ENTRY) >> 2);
  }
  /** Does it have the region at `pc`? */
  has(space: Space, pc: number, slot: number): boolean {
    const { i32, u32 } = this.ram, at = jumpEntryOf(pc) >> 2;
    return i32[at + 3] === slot && u32[at] === pc >>> 0 && i32[at + 2] === this.access.asidOf(space);
  }
}

/** Byte address of the jump-cache entry of a PC; must agree with `jumpEntry` of runtime.ts. */
export function jumpEntryOf(pc: number): number {
  const mixed = (pc | 0) ^ (Math.floor(pc / 512) | 0);
  return JUMP_CACHE + ((mixed << 5) & ((JUMP_ENTRIES - 1) * JUMP_ENTRY));
}
