/**
 * Extents of regions that several spaces run. Such a region finds the bounds of an extent, and where it is in physical memory, in a *cell* of
 * the running space's table. A cell stands for the same thing in all spaces (the stack, the heap), which lies elsewhere in each: it is filled
 * when a space first needs it, with whatever its program accesses there.
 */
import type { Ram } from "../api.ts";
import type { CodeMap } from "../code_map.ts";
import { CTL_CELLS, EMPTY_EXTENT, PAGE, SHARED_TABLES, SHARED_TABLES_END } from "../layout.ts";
import type { Space } from "../mmu.ts";
import { FLUID_MIN, lookAt } from "./extents.ts";
import type { Region, Relied } from "./region_set.ts";
import type { SavedExtent } from "./saved_region.ts";

/** A cell: u64 first virtual address, u32 bytes, i32 physical minus virtual address. */
const CELL_BYTES = 16;
const CELLS = 256;
const TABLE_BYTES = CELLS * CELL_BYTES;
/** No program has a reason to use addresses here (they are not canonical): where empty cells lie. Accesses would meet EMPTY_EXTENT. */
const NOWHERE_LO = 0x5a3c_0000, NOWHERE_HI = 0xa5c3_1e79;

interface Cell {
  readonly index: number;
  readonly write: boolean;
  readonly users: Set<Region>;
  /** Where it has been when it was made. */
  readonly anchor: number;
}
/** A cell as one space has it. */
interface Content {
  start: number;
  end: number;
  readonly delta: number;
  readonly anchor: number;
}
interface Table {
  readonly base: number;
  readonly contents: (Content | undefined)[];
}

export class SharedExtents {
  readonly #cells: (Cell | undefined)[] = [];
  readonly #tables = new Map<Space, Table>();
  readonly #free: number[] = [];
  #top = SHARED_TABLES;

  constructor(
    private readonly ram: Ram,
    private readonly code: CodeMap,
    /** A cell of a space has lost pages: code that has checked an access to them earlier must not go on. */
    private readonly shrunk: () => void,
  ) {}

  /** Gives the space a table; false when there is no room for more. */
  ensure(space: Space, current: boolean): boolean {
    if (space.cells !== 0) return true;
    const base = this.#free.pop() ?? this.#top;
    if (base === this.#top) {
      if (this.#top + TABLE_BYTES > SHARED_TABLES_END) return false;
      this.#top += TABLE_BYTES;
    }
    for (let n = 0; n < CELLS; n++) this.#clear(base + n * CELL_BYTES);
    this.#tables.set(space, { base, contents: [] });
    space.cells = base;
    if (current) this.ram.i32[CTL_CELLS >> 2] = base;
    return true;
  }
  release(space: Space): void {
    const table = this.#tables.get(space);
    if (!table) return;
    this.#tables.delete(space);
    this.#free.push(table.base);
    space.cells = 0;
  }

  /** The cell whose extent, in `space`, contains `va`; undefined when nothing usable is there or cells are used up. */
  around(va: number, write: boolean, space: Space): Relied | undefined {
    const now = lookAt(space, this.code, va, write), table = this.#tables.get(space);
    if (!now || !table || now.end - now.start < FLUID_MIN || now.writable !== write) return undefined;
    for (const cell of this.#cells) {
      if (!cell || cell.write !== write) continue;
      const has = table.contents[cell.index];
      if (has ? va < has.start || va >= has.end : cell.anchor < now.start || cell.anchor >= now.end) continue;
      if (!has) this.#fill(table, cell.index, { ...now, anchor: va });
      return relied(cell, table.contents[cell.index]!);
    }
    let index = this.#cells.indexOf(undefined);
    if (index < 0) index = this.#cells.length;
    if (index >= CELLS) return undefined;
    const cell = this.#cells[index] = { index, write, users: new Set(), anchor: va };
    this.#fill(table, index, { ...now, anchor: va });
    return relied(cell, table.contents[index]!);
  }
  /** The cell of an extent of an earlier run; undefined when another one has it. What it is in a space shows when it is accessed there. */
  adopt({ cell: offset, writable, anchor, start, end, delta }: SavedExtent): Relied | undefined {
    const index = offset / CELL_BYTES, cell = this.#cells[index] ??= { index, write: writable, users: new Set(), anchor };
    return cell.write === writable && cell.anchor === anchor ? relied(cell, { start, end, delta, anchor }) : undefined;
  }
  /** An access at `va` has missed the extent: true when that was because the space's cell was empty or has grown. */
  refill(space: Space, extent: Relied, va: number): boolean {
    const table = this.#tables.get(space), index = extent.cell / CELL_BYTES;
    if (!table) return false;
    const has = table.contents[index];
    const now = lookAt(space, this.code, has ? has.anchor : va, extent.writable);
    if (!now || now.writable !== extent.writable || now.end - now.start < FLUID_MIN) return false;
    if (va < now.start || va >= now.end || (has && va >= has.start && va < has.end)) return false;
    this.#fill(table, index, { ...now, anchor: has ? has.anchor : va });
    return true;
  }
  forget(region: Region): void {
    for (const cell of this.#cells) {
      if (!cell?.users.delete(region) || cell.users.size > 0) continue;
      this.#cells[cell.index] = undefined;
      for (const table of this.#tables.values()) this.#empty(table, cell.index);
    }
  }

  /** Mappings in [from, to) have changed or gone. */
  changed(space: Space, from: number, to: number): void {
    const table = this.#tables.get(space);
    if (!table) return;
    table.contents.forEach((has, index) => {
      if (has && has.start < to && has.end > from) this.#refresh(space, table, index, has);
    });
  }
  /** A physical page holds code from now on: it must not be written through a cell. */
  codePageAppeared(page: number): void {
    const pa = page * PAGE;
    for (const [space, table] of this.#tables) {
      table.contents.forEach((has, index) => {
        if (!has || !this.#cells[index]?.write || pa + PAGE <= has.start + has.delta || pa >= has.end + has.delta) return;
        this.#refresh(space, table, index, has);
      });
    }
  }

  #refresh(space: Space, table: Table, index: number, has: Content): void {
    const write = this.#cells[index]?.write ?? false, now = lookAt(space, this.code, has.anchor, write);
    if (now && now.delta === has.delta && now.writable === write && now.end - now.start >= FLUID_MIN) {
      this.#fill(table, index, { ...now, anchor: has.anchor });
    } else this.#empty(table, index);
    this.shrunk();
  }
  #fill(table: Table, index: number, c: Content): void {
    const { u32 } = this.ram, at = (table.base + index * CELL_BYTES) >> 2;
    table.contents[index] = c;
    u32[at] = c.start;
    u32[at + 1] = Math.floor(c.start / 0x1_0000_0000);
    u32[at + 2] = c.end - c.start;
    u32[at + 3] = c.delta % 0x1_0000_0000;
  }
  #empty(table: Table, index: number): void {
    table.contents[index] = undefined;
    this.#clear(table.base + index * CELL_BYTES);
  }
  #clear(address: number): void {
    const { u32 } = this.ram, at = address >> 2;
    u32[at] = NOWHERE_LO;
    u32[at + 1] = NOWHERE_HI;
    u32[at + 2] = FLUID_MIN;
    u32[at + 3] = EMPTY_EXTENT - NOWHERE_LO;
  }
}

const relied = (cell: Cell, c: Content): Relied => ({
  start: c.start,
  end: c.end,
  pa: c.start + c.delta,
  delta: c.delta,
  writable: cell.write,
  cell: cell.index * CELL_BYTES,
  shared: true,
  users: cell.users,
  anchor: cell.anchor,
});
