/**
 * Regions kept from one run of a program to the next: the *code cache*. Their code has constants of the run that made them: addresses, table
 * slots, names of instructions, cells of extents. So a run takes over all numbers that the cache has used (they are reserved from the start),
 * and a region is installed when its instructions are the same bytes at the same addresses and its extents lie where they did (regions.ts).
 * Nothing else of the file is believed: what is torn or of another version is not used.
 */
import { EXTENT_CELLS, EXTENT_CELLS_END } from "../layout.ts";
import { Bytes, Reader } from "../wasm/bytes.ts";
import type { Body } from "../wasm/func_builder.ts";
import { decodeBody, decodeRegion, encodeBody, encodeRegion, hashOf, type SavedRegion } from "./saved_region.ts";

const MAGIC = 0x4852_4343;
/** Bytes of kept regions; beyond that what the last run has not used goes, and then nothing new is kept. */
const MAX_BYTES = 48 << 20;
/** A cache that has used more table slots, or cells up to there, begins anew. */
export const MAX_SLOTS = 1 << 16;
const MAX_HANDLERS = 1000;
const MAX_CELLS = (EXTENT_CELLS + EXTENT_CELLS_END) / 2;
/** So many regions are put into a module together. */
const BATCH = 16;

/** What so many files have not used is gone: a set whose program has changed, a region that has not been needed. */
const MAX_AGE = 8;
/** Regions of a set that are compared with the code in memory to know it. */
const SAMPLES = 8;

/** Addresses [start, end) of an image. */
export interface Bounds {
  readonly start: number;
  readonly end: number;
}

/** A region of a cache: the bytes in which it is kept, or itself. */
export class KeptRegion {
  /** Not to be installed (again) in this run. */
  spent = false;
  /** This run has made or installed it. */
  used = false;
  /** How often installing it has been tried. */
  tries = 0;
  /** Its function, once its batch has been compiled. */
  function: CallableFunction | undefined;
  #region: SavedRegion | undefined;
  /** @param age files written since it was used */
  constructor(readonly pc: number, readonly bytes: Uint8Array, readonly checksum: number, readonly age = 0) {}

  static of(r: SavedRegion): KeptRegion {
    const bytes = encodeRegion(r);
    return new KeptRegion(r.pc, bytes, hashOf([bytes])[0]);
  }
  /** Undefined when the bytes are not what was written. */
  get region(): SavedRegion | undefined {
    if (!this.#region && this.checksum === hashOf([this.bytes])[0]) this.#region = decodeRegion(this.bytes);
    return this.#region;
  }
}

/** What is kept of a RegionSet: the regions of one program, or of an image that several share. */
export class KeptSet {
  readonly regions = new Map<number, KeptRegion>();
  /** Some RegionSet has it in this run. */
  bound = false;
  /** Files written since it was bound. */
  age = 0;
  /** See RegionSet, which shares these. */
  slots = new Map<number, number>();
  roaming = new Set<number>();
  /** @param image bounds of the image whose spaces all run the regions; undefined = they are one space's own */
  constructor(readonly image: Bounds | undefined) {}

  /** Can it be the program's of a space? As far as a few of its regions tell. */
  suits(image: Bounds | undefined, matches: (r: SavedRegion) => boolean | undefined): boolean {
    if (this.bound || this.image?.start !== image?.start || this.image?.end !== image?.end) return false;
    const all = [...this.regions.values()], step = Math.ceil(all.length / SAMPLES);
    let some = false;
    for (let n = 0; n < all.length; n += step) {
      const { region } = all[n], same = region && matches(region);
      if (same === false) return false;
      some ||= same === true;
    }
    return some;
  }

  /** The regions that share a module with this one, it among them. */
  batchOf(r: KeptRegion): KeptRegion[] {
    const all = this.#order ??= [...this.regions.values()], first = Math.floor(all.indexOf(r) / BATCH) * BATCH;
    return all.slice(first, first + BATCH);
  }
  #order: KeptRegion[] | undefined;
}

/** Numbers that kept regions use: those below belong to the cache. */
export interface Reserved {
  slots: number;
  ids: number;
  /** End of the cells of extents, as a linear address. */
  cells: number;
}

export class CodeCache {
  readonly reserved: Reserved = { slots: 1, ids: 0, cells: 0 };
  /** Handlers of the interpreter that this run and earlier ones have made, by form. */
  readonly handlers = new Map<string, Body>();
  /** Regions and handlers made in this run. */
  #made = 0;
  readonly #sets: KeptSet[] = [];
  /** Entries of all regions that were kept. */
  readonly #entries = new Set<number>();
  #bytes = 0;
  /** Something that was kept is not worth it any more. */
  #dropped = false;

  /**
   * @param file what `encode` has given in an earlier run
   * @param version of everything that makes and runs such code; another one's is not used
   */
  constructor(file: Uint8Array | undefined, private readonly version: string) {
    if (!file) return;
    try {
      this.#read(file);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#sets.length = this.#bytes = 0;
      this.#entries.clear();
      this.handlers.clear();
    }
  }

  /** Is something kept for code at `pc`? */
  has(pc: number): boolean {
    return this.#entries.has(pc);
  }
  /** The kept set of a space or image, or a new one. `matches`: is the region's code there? Undefined when nothing is mapped there. */
  bind(image: Bounds | undefined, matches: (r: SavedRegion) => boolean | undefined): KeptSet {
    let set = this.#sets.find((set) => set.suits(image, matches));
    if (!set) this.#sets.push(set = new KeptSet(image));
    set.bound = true;
    return set;
  }
  keep(set: KeptSet, r: SavedRegion): void {
    if (this.#bytes > MAX_BYTES) return;
    this.#forget(set, r.pc);
    const kept = KeptRegion.of(r);
    kept.used = kept.spent = true;
    set.regions.set(r.pc, kept);
    this.#bytes += kept.bytes.length;
    this.#made++;
  }
  keepHandler(form: string, body: Body): void {
    if (this.handlers.size >= MAX_HANDLERS) return;
    this.handlers.set(form, body);
    this.#made++;
  }
  /** The region has proved wrong in this run. */
  drop(set: KeptSet, pc: number): void {
    if (this.#forget(set, pc)) this.#dropped = true;
  }
  #forget(set: KeptSet, pc: number): boolean {
    this.#bytes -= set.regions.get(pc)?.bytes.length ?? 0;
    return set.regions.delete(pc);
  }

  /** The file for the next run; undefined when it would be what was read. */
  encode(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#made === 0 && !this.#dropped) return undefined;
    const full = this.#bytes > MAX_BYTES;
    const head = new Bytes(4096),
      blobs: Uint8Array[] = [],
      sets = this.#sets.filter((s) => s.regions.size > 0 && s.age < MAX_AGE);
    head.name(this.version);
    for (const n of [this.reserved.slots, this.reserved.ids, this.reserved.cells, this.handlers.size]) head.u32(n);
    for (const [form, body] of this.handlers) {
      head.name(form);
      encodeBody(head, body);
    }
    head.u32(sets.length);
    for (const s of sets) {
      const regions = [...s.regions.values()].filter((r) => r.used || (!full && r.age < MAX_AGE));
      head.u32(s.bound ? 0 : s.age + 1);
      head.byte(s.image ? 1 : 0);
      for (const bound of s.image ? [s.image.start, s.image.end] : []) head.u64(bound);
      head.u32(s.slots.size);
      for (const [pc, slot] of s.slots) {
        head.u64(pc);
        head.u32(slot);
      }
      head.u32(s.roaming.size);
      for (const pc of s.roaming) head.u64(pc);
      head.u32(regions.length);
      for (const { pc, bytes, checksum, used, age } of regions) {
        head.u64(pc);
        head.u32(bytes.length);
        head.u32(checksum);
        head.u32(used ? 0 : age + 1);
        blobs.push(bytes);
      }
    }
    const out = new Bytes(12 + head.length + this.#bytes), word = new DataView(new ArrayBuffer(12));
    word.setUint32(0, MAGIC);
    word.setUint32(4, hashOf([head.view()])[0]);
    word.setUint32(8, head.length);
    out.bytes(new Uint8Array(word.buffer));
    out.bytes(head.view());
    for (const blob of blobs) out.bytes(blob);
    return out.view();
  }

  #read(file: Uint8Array): void {
    const view = new DataView(file.buffer, file.byteOffset, file.length);
    if (view.getUint32(0) !== MAGIC) return;
    const end = 12 + view.getUint32(8), head = file.subarray(12, end);
    if (hashOf([head])[0] !== view.getUint32(4)) return;
    const r = new Reader(head);
    const name = () => new TextDecoder().decode(r.take(r.u32()));
    if (name() !== this.version) return;
    const reserved = { slots: r.u32(), ids: r.u32(), cells: r.u32() };
    if (reserved.slots > MAX_SLOTS || reserved.ids > MAX_SLOTS || reserved.cells > MAX_CELLS) return;
    Object.assign(this.reserved, reserved);
    for (let left = r.u32(); left > 0; left--) this.handlers.set(name(), decodeBody(r));
    let at = end;
    for (let left = r.u32(); left > 0; left--) {
      const age = r.u32(), set = new KeptSet(r.byte() === 0 ? undefined : { start: r.u64(), end: r.u64() });
      set.age = age;
      set.slots = new Map(r.list((): [number, number] => [r.u64(), r.u32()]));
      set.roaming = new Set(r.list(() => r.u64()));
      for (let count = r.u32(); count > 0; count--) {
        const pc = r.u64(), length = r.u32(), checksum = r.u32(), age = r.u32();
        set.regions.set(pc, new KeptRegion(pc, file.subarray(at, at += length), checksum, age));
        this.#entries.add(pc);
        this.#bytes += length;
      }
      this.#sets.push(set);
    }
  }
}
