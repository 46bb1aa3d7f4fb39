/**
 * The extents that regions of one space rely on. A *fixed* extent's bounds are constants in the code: when the mapping changes, the regions
 * die. When that happens (or an extent has grown) the extent becomes *fluid*: code made from then on loads its bounds from a cell in memory,
 * which follows the mapping, so that growing heaps and areas that are mapped and unmapped all the time cost nothing more.
 */
import type { Ram } from "../api.ts";
import type { CodeMap } from "../code_map.ts";
import { EXTENT_CELLS, EXTENT_CELLS_END, PAGE, PAGE_SHIFT } from "../layout.ts";
import type { Space } from "../mmu.ts";
import { RIGHT_W } from "../space.ts";
import type { SavedExtent } from "./saved_region.ts";

/** Fluid extents are at least this long, so that `limit - span` in generated code cannot become negative. */
export const FLUID_MIN = 0x1_0000;
const CELL_BYTES = 16;

export class Extent<User> {
  /** Virtual bounds; of a fluid extent as the cell says now. */
  start: number;
  end: number;
  readonly users = new Set<User>();
  readonly shared = false;
  constructor(
    start: number,
    end: number,
    /** Physical minus virtual address. */
    readonly delta: number,
    readonly writable: boolean,
    /** Linear address of the cell {u64 start, u32 length}, 0 = fixed. */
    readonly cell: number,
    /** An address that has always been inside. */
    readonly anchor: number,
  ) {
    this.start = start;
    this.end = end;
  }
  get pa(): number {
    return this.start + this.delta;
  }
}

/** Cells of all spaces of a machine. */
export class ExtentCells {
  readonly #free: number[] = [];
  /** Cells of the code cache that are in use now. */
  readonly #claimed = new Set<number>();
  /** First address that has never been a cell. */
  end: number;

  /** @param reserved end of the cells that the code cache has used */
  constructor(private readonly reserved: number = 0) {
    this.end = Math.max(EXTENT_CELLS, reserved);
  }

  /** A cell that code of the cache uses; false when it has another use now. */
  claim(cell: number): boolean {
    if (cell >= this.reserved || this.#claimed.has(cell)) return false;
    this.#claimed.add(cell);
    return true;
  }
  allocate(): number {
    const cell = this.#free.pop();
    if (cell !== undefined) return cell;
    if (this.end + CELL_BYTES > EXTENT_CELLS_END) return 0;
    this.end += CELL_BYTES;
    return this.end - CELL_BYTES;
  }
  release(cell: number): void {
    if (cell >= this.reserved) { if (cell !== 0) this.#free.push(cell); }
    else this.#claimed.delete(cell);
  }
}

export class Extents<User> {
  #list: Extent<User>[] = [];
  /** Deltas of extents that have changed before. */
  readonly #fluid = new Set<number>();

  constructor(
    private readonly ram: Ram,
    private readonly space: Space,
    private readonly code: CodeMap,
    private readonly cells: ExtentCells,
    private readonly hooks: {
      kill(user: User): void;
      /** A fluid extent has lost pages: code that has checked an access to them earlier must not go on. */
      shrunk(): void;
    },
  ) {}

  /** The extent around `va` (see lookAt); undefined when nothing usable is there. */
  around(va: number, write: boolean): Extent<User> | undefined {
    const now = lookAt(this.space, this.code, va, write);
    if (!now) return undefined;
    const known = this.#list.find((x) =>
      x.delta === now.delta && x.writable === now.writable && va >= x.start && va < x.end &&
      (x.cell !== 0 || (x.start === now.start && x.end === now.end))
    );
    if (known) return known;
    const fluid = this.#fluid.has(now.delta) && now.end - now.start >= FLUID_MIN;
    const cell = fluid ? this.cells.allocate() : 0;
    const e = new Extent<User>(now.start, now.end, now.delta, now.writable, cell, va);
    if (cell !== 0) this.#store(e);
    this.#list.push(e);
    return e;
  }
  /** The extent of a region of an earlier run; undefined when it is not there. A fixed one may be larger now. */
  adopt(saved: SavedExtent): Extent<User> | undefined {
    const { start, end, delta, writable, cell, anchor } = saved;
    const now = lookAt(this.space, this.code, anchor, writable);
    if (!now || now.delta !== delta || now.writable !== writable) return undefined;
    const known = this.#list.find((x) =>
      x.delta === delta && x.writable === writable && x.cell === cell && (cell !== 0 || (x.start === start && x.end === end))
    );
    if (known) return known;
    if (cell === 0 ? now.start > start || now.end < end : now.end - now.start < FLUID_MIN || !this.cells.claim(cell)) {
      return undefined;
    }
    const { start: from, end: to } = cell === 0 ? saved : now;
    const e = new Extent<User>(from, to, delta, writable, cell, anchor);
    if (cell !== 0) {
      this.#fluid.add(delta);
      this.#store(e);
    }
    this.#list.push(e);
    return e;
  }
  /** The extent has grown: use cells for it from now on. */
  makeFluid({ delta }: { delta: number }): void {
    this.#fluid.add(delta);
  }
  /** Mappings in [from, to) have changed or gone. */
  changed(from: number, to: number): void {
    for (const e of [...this.#list]) {
      if (e.start >= to || e.end <= from) continue;
      this.#fluid.add(e.delta);
      if (e.cell === 0 || !this.#refresh(e)) this.#drop(e);
      else this.hooks.shrunk();
    }
  }
  /** Something has been mapped: fluid extents may have grown. */
  mapped(): void {
    for (const e of this.#list) if (e.cell !== 0) this.#refresh(e);
  }
  /** A physical page holds code from now on: it must not be written through a baked extent. */
  codePageAppeared(page: number): void {
    const pa = page * PAGE;
    for (const e of [...this.#list]) {
      if (!e.writable || pa + PAGE <= e.pa || pa >= e.pa + (e.end - e.start)) continue;
      if (e.cell === 0 || !this.#refresh(e)) this.#drop(e);
      else this.hooks.shrunk();
    }
  }
  /** A user is gone. */
  forget(user: User): void {
    this.#list = this.#list.filter((e) => {
      if (!e.users.delete(user) || e.users.size > 0) return true;
      this.cells.release(e.cell);
      return false;
    });
  }

  #drop(e: Extent<User>): void {
    this.#list = this.#list.filter((x) => x !== e);
    this.cells.release(e.cell);
    for (const u of [...e.users]) this.hooks.kill(u);
  }
  #refresh(e: Extent<User>): boolean {
    const now = lookAt(this.space, this.code, e.anchor, e.writable);
    if (!now || now.delta !== e.delta || now.writable !== e.writable || now.end - now.start < FLUID_MIN) return false;
    e.start = now.start;
    e.end = now.end;
    this.#store(e);
    return true;
  }
  #store(e: Extent<User>): void {
    const { u32 } = this.ram, at = e.cell >> 2, length = e.end - e.start;
    u32[at] = e.start;
    u32[at + 1] = Math.floor(e.start / 0x1_0000_0000);
    u32[at + 2] = length;
    u32[at + 3] = 0;
  }
}

interface Look {
  readonly start: number;
  readonly end: number;
  readonly delta: number;
  readonly writable: boolean;
}
/**
 * The extent around `va` as it is now. For reading, neighbours with other rights belong to it as long as they are physically contiguous; for
 * writing, pages that hold translated code do not.
 */
export function lookAt(space: Space, code: CodeMap, va: number, write: boolean): Look | undefined {
  const e = va < 2 ** 47 ? space.find(va) : undefined;
  if (!e) return undefined;
  const delta = e.pa - e.start;
  if (!write) return { ...readable(space, e.start, e.end, delta), delta, writable: false };
  if (!(e.rights & RIGHT_W)) return { start: e.start, end: e.end, delta, writable: false };
  const page = (va + delta) >>> PAGE_SHIFT;
  if (code.isCodePage(page)) return undefined;
  const { below, above } = code.around(page);
  const low = Math.max(e.pa, (below + 1) * PAGE), high = Math.min(e.end + delta, above * PAGE);
  return { start: low - delta, end: high - delta, delta, writable: true };
}
function readable(space: Space, start: number, end: number, delta: number): { start: number; end: number } {
  for (let next = space.find(end); next && next.pa - next.start === delta; next = space.find(end)) end = next.end;
  for (let last = space.find(start - 1); last && last.pa - last.start === delta; last = space.find(start - 1)) start = last.start;
  return { start, end };
}
