/** Decoded basic blocks: reading guest code, writing records, linking and dropping them. */
import type { Access } from "../access.ts";
import { PF_FETCH, PF_PRESENT, PF_USER } from "../access.ts";
import type { Ram } from "../api.ts";
import type { CodeMap, Translation } from "../code_map.ts";
import { controlOf } from "../control.ts";
import { type Decoder, MAX_INSN_BYTES } from "../decode.ts";
import type { Insn, InvalidInsn, MemOperand } from "../insn.ts";
import type { Image, Images } from "../images.ts";
import type { JumpCache } from "../jump_cache.ts";
import { FS_BASE, GPR, GS_BASE, RECORDS, RECORDS_END, STATE } from "../layout.ts";
import type { Space } from "../mmu.ts";
import { RIGHT_X } from "../space.ts";
import type { Counters, CpuStats } from "../stats.ts";
import { ZERO } from "./generate.ts";
import type { Handlers } from "./handlers.ts";
import {
  REC_BASE,
  REC_DISP,
  REC_HANDLER,
  REC_HEAT,
  REC_INDEX,
  REC_MIN,
  REC_NEXT,
  REC_OPERAND,
  REC_PC,
  REC_SCALE,
  REC_SEGMENT,
  RECORD,
  registerAddress,
} from "./record.ts";

/** A longer run of instructions is cut into several blocks. */
const MAX_BLOCK = 64;

/** Blocks whose decoded instructions are kept: those of the last 100 regions or so. */
const RECENT = 1000;

/** What blocks need of those who made them. */
interface Maker {
  killed(b: Block): void;
  /** The block's instructions once more. */
  read(b: Block): readonly Insn[];
}

export class Block implements Translation {
  dead = false;
  /** Living regions that begin here. */
  regions = 0;
  /** How often it has been interpreted although others have a region for it. */
  passes = 0;
  #insns: readonly Insn[] | undefined;
  constructor(
    readonly image: Image,
    readonly pc: number,
    /** Address after the last instruction. */
    readonly end: number,
    /** Linear address of the enter record; instruction n has the record at `record + (n + 1) * RECORD`. */
    readonly record: number,
    /** How many instructions it has. */
    readonly count: number,
    readonly source: readonly (readonly [number, number])[],
    private readonly maker: Maker,
  ) {}
  /**
   * Its instructions, for the translator: most blocks run a few times only, and their records are enough for that. Decoded in the current
   * space, which must be one that has the block, and kept for a while.
   */
  get insns(): readonly Insn[] {
    return this.#insns ??= this.maker.read(this);
  }
  /** Lets go of the decoded instructions. */
  forget(): void {
    this.#insns = undefined;
  }
  kill(): void {
    this.dead = true;
    this.maker.killed(this);
  }
}

export class Blocks {
  /** By record number: instructions that helpers have asked for, and the image that the record belongs to. */
  readonly #insns: (Insn | undefined)[] = [];
  readonly #images: Image[] = [];
  #top = RECORDS;
  /** From here on no record has ever been: these bytes are zero. */
  #unused = RECORDS;
  readonly #scratch = new Uint8Array(MAX_INSN_BYTES + 1);
  /** Physical bytes of the instruction fetched last: [from, to), and [next, nextTo) in another extent; empty when 0. */
  readonly #read = { from: 0, to: 0, next: 0, nextTo: 0 };

  constructor(
    private readonly ram: Ram,
    private readonly access: Access,
    private readonly code: CodeMap,
    private readonly images: Images,
    private readonly jumps: JumpCache,
    private readonly handlers: Handlers,
    /** Executions after which a block is hot. */
    readonly heat: number,
    private readonly counters: Counters,
    private readonly decoder: Decoder,
  ) {}

  find(space: Space, pc: number): Block | undefined {
    const image = this.images.at(space, pc);
    return image.blocks.get(pc) ?? this.images.own(space).blocks.get(pc);
  }
  /** The instruction of a record that is being executed. */
  insnOf(record: number): Insn {
    const n = (record - RECORDS) / RECORD, known = this.#insns[n];
    if (known) return known;
    const at = (record + REC_PC) >> 2, i = this.peek(this.ram.u32[at] + this.ram.u32[at + 1] * 0x1_0000_0000);
    if (!i) throw new Error("A block that runs has changed");
    return this.#insns[n] = i;
  }
  /** Is there room for another block? Otherwise call `clear` (with no handler running). */
  get full(): boolean {
    return this.#top + (MAX_BLOCK + 2) * RECORD > RECORDS_END;
  }
  clear(): void {
    for (const image of this.images.all()) this.discard(image);
    this.#insns.length = this.#images.length = 0;
    this.#top = RECORDS;
    this.access.flush();
  }

  /** Forgets the blocks of an image (with no handler of theirs running). */
  discard(image: Image): void {
    for (const b of image.blocks.values()) {
      this.code.remove(b);
      this.#settle(b);
      b.dead = true;
    }
    image.blocks.clear();
    image.lookups.clear();
  }

  /** Decodes the block at `pc` of the current space. A block whose first bytes cannot be executed raises the fault when it runs. */
  decode(pc: number): Block {
    const block = this.#build(pc, MAX_BLOCK);
    block.image.blocks.set(pc, block);
    this.code.add(block);
    this.counters.blocks++;
    this.counters.decoded += block.count;
    return block;
  }
  /** The instruction at `pc` as a block that nobody else sees; valid until `release` is called. */
  single(pc: number): { block: Block; release(): void } {
    if (this.full) this.clear();
    const block = this.#build(pc, 1);
    return { block, release: () => this.#top = block.record };
  }
  /** The instruction at `pc` of the current space, if there is one. */
  peek(pc: number): Insn | undefined {
    const i = this.#fetch(this.access.space, pc);
    return "fault" in i || "invalid" in i ? undefined : i;
  }
  #build(pc: number, limit: number): Block {
    const space = this.access.space, record = this.#top;
    const insns: Insn[] = [], source: [number, number][] = [];
    let image = this.images.at(space, pc);
    let at = pc, stop: InvalidInsn | { fault: number } | undefined, ended = false;
    while (insns.length < limit && !ended) {
      const i = this.#fetch(space, at);
      // What depends on memory beside the image is no part of it.
      if (at + ("length" in i ? i.length : MAX_INSN_BYTES) > image.end) {
        if (insns.length > 0) break;
        image = this.images.own(space);
      }
      const read = this.#read;
      note(source, read.from, read.to);
      note(source, read.next, read.nextTo);
      if ("fault" in i || "invalid" in i) {
        stop = i;
        break;
      }
      insns.push(i);
      at += i.length;
      ended = controlOf(i.name) !== "next" || i.row.fault !== undefined;
    }
    // A stop after good instructions becomes a block of its own.
    if (insns.length > 0) stop = undefined;
    const enter = this.#record(image, pc, pc);
    this.#set(enter, REC_HANDLER, this.handlers.special("enter"));
    this.#set(enter, REC_HEAT, this.heat);
    for (let n = 0; n < insns.length; n++) this.#write(image, insns[n]);
    if (stop) this.#writeStop(image, pc, stop);
    else if (!ended) {
      const end = this.#record(image, at, at);
      this.#set(end, REC_HANDLER, this.handlers.special("end"));
      this.#setAddress(end + REC_OPERAND, at);
    }
    this.handlers.finish();
    // A copy has no room to grow.
    return new Block(image, pc, at, record, insns.length, source.slice(), this.#maker);
  }

  /**
   * Remembers where the jump of a record leads. A record of another image is not linked directly: the next space may have something else there.
   */
  link(field: number, to: Block): void {
    const from = this.#images[Math.floor((field - RECORDS) / RECORD)];
    let target = to.record;
    if (from !== to.image) {
      target = from.lookups.get(to.pc) ?? 0;
      if (target === 0) {
        if (this.full) return;
        from.lookups.set(to.pc, target = this.#record(from, to.pc, to.pc));
        this.#set(target, REC_HANDLER, this.handlers.special("lookup"));
        this.handlers.finish();
      }
    }
    this.ram.i32[field >> 2] = target;
  }

  /**
   * The block has one region more: whoever jumps to it comes back to the dispatcher. Or it has one less, and when that was the last it runs
   * interpreted again.
   */
  divert(block: Block, toRegion: boolean): void {
    block.regions += toRegion ? 1 : -1;
    if (block.regions > 1 || (block.regions === 1 && !toRegion)) return;
    this.#set(block.record, REC_HANDLER, this.handlers.special(toRegion ? "leave" : "enter"));
    this.handlers.finish();
    if (toRegion) return;
    block.passes = 0;
    this.#settle(block);
    this.#set(block.record, REC_HEAT, this.heat);
  }

  /** The block's region has been dropped for a reason that translating it again cures, or there is one from an earlier run: do so soon. */
  warm(b: Block, soon = this.heat >> 5): void {
    const left = Math.max(1, Math.min(soon, this.heat)), phantom = this.heat - left;
    this.#settle(b);
    this.#set(b.record, REC_HEAT, left);
    this.counters.blockEntries -= phantom;
    this.counters.interpreted -= phantom * b.count;
  }
  /** Mappings of a space have changed in [from, to). */
  spaceChanged(space: Space, from: number, to: number): void {
    for (const b of this.images.own(space).blocks.values()) {
      if (b.pc >= to || Math.max(b.end, b.pc + 1) <= from) continue;
      this.code.remove(b);
      b.kill();
    }
  }

  readonly #maker: Maker = { killed: (b) => this.#killed(b), read: (b) => this.#reread(b) };
  /** Blocks whose instructions are in memory, the one that was read first at `#oldest`. */
  readonly #recent: Block[] = [];
  #oldest = 0;
  #reread(b: Block): readonly Insn[] {
    const { pc, count } = b, insns: Insn[] = [];
    this.#recent[this.#oldest]?.forget();
    this.#recent[this.#oldest] = b;
    this.#oldest = (this.#oldest + 1) % RECENT;
    for (let at = pc; insns.length < count;) {
      const i = this.peek(at);
      if (!i) break;
      insns.push(i);
      at += i.length;
    }
    return insns.slice();
  }
  #killed(b: Block): void {
    const { blocks } = b.image;
    if (blocks.get(b.pc) === b) blocks.delete(b.pc);
    this.#settle(b);
    const leave = this.handlers.special("leave");
    this.handlers.finish();
    for (let n = 0; n <= b.count; n++) this.#set(b.record + n * RECORD, REC_HANDLER, leave);
    this.jumps.remove(b.pc);
  }

  /** The instruction at `pc`, or what prevents it. Leaves the physical bytes it was read from in `#read`. */
  #fetch(space: Space, pc: number): Insn | InvalidInsn | { fault: number } {
    const e = pc < 2 ** 47 ? space.find(pc) : undefined, read = this.#read;
    read.from =
      read.to =
      read.next =
      read.nextTo =
        0;
    if (!e || !(e.rights & RIGHT_X)) return { fault: pc };
    const pa = e.pa + (pc - e.start), available = Math.min(e.end - pc, MAX_INSN_BYTES + 1);
    const i = this.decoder.decode(this.ram.u8, pa, available, pc);
    if (!("invalid" in i && i.invalid === "more")) {
      read.from = pa;
      read.to = pa + Math.max(1, i.length);
      return i;
    }
    // The instruction goes on in the next extent.
    const next = space.find(e.end);
    read.from = pa;
    read.to = pa + available;
    // Other bytes may need no more: these are watched even so.
    if (!next || !(next.rights & RIGHT_X)) return { fault: e.end };
    const rest = Math.min(MAX_INSN_BYTES + 1 - available, next.end - next.start);
    this.#scratch.set(this.ram.u8.subarray(pa, pa + available));
    this.#scratch.set(this.ram.u8.subarray(next.pa, next.pa + rest), available);
    read.next = next.pa;
    read.nextTo = next.pa + rest;
    return this.decoder.decode(this.#scratch, 0, available + rest, pc);
  }

  #writeStop(image: Image, pc: number, stop: InvalidInsn | { fault: number }): void {
    const r = this.#record(image, pc, pc);
    if ("fault" in stop) {
      this.#set(r, REC_HANDLER, this.handlers.special("fetch_fault"));
      this.#setAddress(r + REC_OPERAND, stop.fault);
    } else this.#set(r, REC_HANDLER, this.handlers.special(stop.invalid === "gp" ? "invalid_gp" : "invalid_ud"));
  }
  /** Error code of an instruction fetch fault at `va`. */
  fetchError(va: number): number {
    return PF_USER | PF_FETCH | (va < 2 ** 47 && this.access.space.find(va) ? PF_PRESENT : 0);
  }
  /** Address of the fetch fault of the block whose first instruction could not be read. */
  fetchFault(block: Block): number {
    return this.ram.view.getUint32(block.record + RECORD + REC_OPERAND, true) +
      this.ram.view.getUint32(block.record + RECORD + REC_OPERAND + 4, true) * 0x1_0000_0000;
  }

  #write(image: Image, i: Insn): void {
    const r = this.#record(image, i.pc, i.pc + i.length);
    this.#insns[(r - RECORDS) / RECORD] = undefined;
    this.#set(r, REC_HANDLER, this.handlers.of(i));
    const { i32 } = this.ram, min = (r + REC_MIN) >> 2;
    i32[min] = i32[min + 1] = -1;
    if (controlOf(i.name) !== "jump") i32[min + 2] = i32[min + 3] = -1;
    let m: MemOperand | undefined;
    for (let k = 0; k < i.ops.length; k++) {
      const op = i.ops[k], at = r + REC_OPERAND + 8 * k;
      if (op.kind === "imm") this.#setBig(at, op.value);
      else if (op.kind === "rel") this.#setAddress(at, op.target);
      else if (op.kind === "mem") m ??= op;
      else this.#set(at, 0, registerAddress(op));
    }
    if (!m) return;
    this.#set(r, REC_BASE, m.base >= 0 ? STATE + GPR + 8 * m.base : ZERO);
    this.#set(r, REC_INDEX, m.index >= 0 ? STATE + GPR + 8 * m.index : ZERO);
    this.#set(r, REC_SEGMENT, m.seg ? STATE + (m.seg === "fs" ? FS_BASE : GS_BASE) : ZERO);
    this.#set(r, REC_SCALE, m.scale);
    this.#setBig(r + REC_DISP, m.disp);
  }
  #record(image: Image, pc: number, next: number): number {
    const r = this.#top;
    this.#top += RECORD;
    this.#images[(r - RECORDS) / RECORD] = image;
    if (r < this.#unused) this.ram.i32.fill(0, r >> 2, (r + RECORD) >> 2);
    else this.#unused = this.#top;
    this.#setAddress(r + REC_PC, pc);
    this.#setAddress(r + REC_NEXT, next);
    return r;
  }
  #set(at: number, field: number, value: number): void {
    this.ram.i32[(at + field) >> 2] = value;
  }
  /** `value` modulo 2^64. */
  #setBig(at: number, value: bigint): void {
    const n = Number(value);
    if (Number.isSafeInteger(n)) this.#setAddress(at, n);
    else this.ram.view.setBigInt64(at, BigInt.asIntN(64, value), true);
  }
  #setAddress(at: number, address: number): void {
    this.ram.i32[at >> 2] = address | 0;
    this.ram.i32[(at >> 2) + 1] = Math.floor(address / 0x1_0000_0000);
  }

  // ---- heat

  /** How often the block has been interpreted since it was decoded (or since its region was dropped), up to the threshold of translation. */
  executions(block: Block): number {
    return this.heat - this.ram.i32[(block.record + REC_HEAT) >> 2];
  }
  executed(block: Block): boolean {
    return this.ram.i32[(block.record + REC_HEAT) >> 2] < this.heat;
  }
  // ---- statistics

  #entries(b: Block): number {
    return ((this.heat | 0) - this.ram.i32[(b.record + REC_HEAT) >> 2]) >>> 0;
  }
  /** The block's count of entries is about to be lost. */
  #settle(b: Block): void {
    const entries = this.#entries(b);
    this.counters.interpreted += entries * b.count;
    this.counters.blockEntries += entries;
  }
  stats(): Pick<CpuStats["interpreter"], "instructions" | "blockEntries" | "recordBytes"> {
    let instructions = this.counters.interpreted, { blockEntries } = this.counters;
    for (const { blocks } of this.images.all()) {
      for (const b of blocks.values()) {
        const entries = this.#entries(b);
        instructions += entries * b.count;
        blockEntries += entries;
      }
    }
    return { instructions, blockEntries, recordBytes: this.#top - RECORDS };
  }
}

/** Appends [from, to), merging with the last range where it continues it, unless it is empty. */
function note(source: [number, number][], from: number, to: number): void {
  if (from === to) return;
  const last = source.at(-1);
  if (last && last[1] === from) last[1] = to;
  else source.push([from, to]);
}
