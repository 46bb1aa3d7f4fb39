/**
 * Random instruction sequences: memory, forward branches, small loops, calls and stack use, over rows that need no prepared operands.
 *
 * RSP is the stack, RBP points into the middle of the data pages, RSI is a small index and RDI the loop counter: no other instruction
 * changes them. Flags that an instruction leaves undefined are overwritten by a CMP before anything can see them (AF only by masking).
 */
import type { Insn, OpRow } from "../insn.ts";
import { ROWS } from "../opcodes/mod.ts";
import { AVX_ROWS } from "../opcodes/avx.ts";
import { SSE_ROWS } from "../opcodes/sse.ts";
import { type Addressing, encodeRow } from "./encode.ts";
import { MARKER } from "./generate.ts";
import { PREPARE, SKIPPED } from "./prepare.ts";
import { DATA } from "./protocol.ts";
import type { Random } from "./random.ts";

export const RSP = 4, RBP = 5, RSI = 6, RDI = 7;
const RESERVED = new Set([RSP, RBP, RSI, RDI]);
/** Low and extended registers that sequences compute with. */
const FREE = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15];

const UNSUITABLE = new Set(
  ("jcc xlat in out int3 lahf sahf std popf rcpps rcpss rsqrtps rsqrtss vrcpps vrcpss vrsqrtps vrsqrtss vstmxcsr xsave xrstor xsavec xsaveopt " +
    "fldenv frstor fnsave fnstenv rdfsbase rdgsbase stmxcsr").split(" "),
);
/** PREPARE only makes these more interesting. */
const USABLE_UNPREPARED = new Set(["cmpxchg", "cmpxchg8b", "div", "idiv", "bt", "bts", "btr", "btc"]);

const suitable = (row: OpRow): boolean =>
  row.fault === undefined && row.rep === undefined && !/O[bv]/.test(row.args) && !UNSUITABLE.has(row.name) &&
  SKIPPED[row.name] === undefined &&
  !("approximate" in row) && (PREPARE[row.name] === undefined || USABLE_UNPREPARED.has(row.name));

const SSE_SET = new Set([...SSE_ROWS, ...AVX_ROWS]);
const CANDIDATES = ROWS.filter(suitable);
const COMMON_NAMES = new Set(
  "add sub and or xor cmp test mov lea inc dec shl shr sar movzx movsx imul adc sbb cmovcc setcc".split(" "),
);
const COMMON = CANDIDATES.filter((row) => COMMON_NAMES.has(row.name));

/** One instruction of a sequence: its place in the code, for reports and for leaving it out. */
export interface Piece {
  offset: number;
  length: number;
  /** False for what cannot be left out without changing what the rest means: loop counters, stack use, returns. */
  removable: boolean;
}

const exchanges = (name: string): boolean => name === "xchg" || name === "xadd" || name.startsWith("mulx");

/** Registers that the frame relies on stay as they are; bit strings would wander through memory. */
function harmless(insn: Insn): boolean {
  return insn.ops.every((op, n) => {
    if (op.kind === "reg") return op.high || !RESERVED.has(op.n) || (n > 0 && !exchanges(insn.name));
    if (op.kind !== "mem") return true;
    // With a segment base, stack operands could reach return addresses.
    if (op.seg !== undefined && op.base === RSP) return false;
    return op.addressSize === 8 && (!insn.name.startsWith("bt") || insn.ops[1].kind === "imm");
  });
}

/** What a sequence is made of. */
export interface Style {
  integers: boolean;
  faults: boolean;
  /** Instructions change the operands of others. */
  selfModifying: boolean;
}

/** Writes the code of one sequence. */
export class Builder {
  readonly bytes: number[] = [];
  readonly pieces: Piece[] = [];
  /** Calls: where the rel32 is, and which function. */
  readonly #calls: [number, number][] = [];
  readonly #functions: number[] = [];
  /** Self-modification: offsets of bytes that may have any value, and of rel32 fields that are to point at one, with what follows them. */
  readonly #soft: number[] = [];
  readonly #patches: [number, number][] = [];
  #looping = false;
  /** Bytes below which [RSP + disp] belongs to the piece of code in work. */
  #frame = 0;
  /** The function in work, -1 = the sequence itself. A function calls later ones only. */
  #current = -1;
  /** Bytes of arguments that each function takes off the stack. */
  readonly #arguments: number[] = [];
  /** The row in work is a vector instruction: most of these insist on aligned operands. */
  #vector = false;

  constructor(readonly r: Random, readonly base: number, readonly style: Style) {}

  #emit(bytes: readonly number[], removable = false): void {
    this.pieces.push({ offset: this.bytes.length, length: bytes.length, removable });
    this.bytes.push(...bytes);
  }

  /** [RBP + disp], [RBP + RSI * scale + disp], or a place on the stack where no return address lies. */
  #addressing = (r: Random): Addressing => {
    const stack = (disp: number): Addressing => ({ mod: 1, rm: 4, bytes: [0x24, disp], wide: false, rexBits: 0 });
    if (this.#frame > 0 && r.chance(this.#vector ? 5 : 40)) {
      const disp = r.below(this.#frame - 16);
      return stack(r.chance(70) ? disp & ~7 : disp);
    }
    if (this.#current < 0 && !this.#vector && r.chance(10)) return stack(64 + 8 * r.below(7));
    const out = this.style.faults && r.chance(4);
    let disp = out ? DATA.bytes / 2 - 16 + r.below(32) : r.below(DATA.bytes - 1024) - DATA.bytes / 2;
    if (r.chance(this.#vector ? 98 : 40)) disp &= ~15;
    const bytes = [0, 8, 16, 24].map((shift) => disp >>> shift & 255);
    if (r.chance(30)) return { mod: 2, rm: 4, bytes: [r.below(4) << 6 | RSI << 3 | RBP, ...bytes], wide: true, rexBits: 0 };
    return { mod: 2, rm: RBP, bytes, wide: true, rexBits: 0 };
  };

  instruction(): void {
    for (let tries = 0; tries < 40; tries++) {
      const row = this.r.pick(this.style.integers || this.r.chance(40) ? COMMON : CANDIDATES);
      this.#vector = SSE_SET.has(row);
      const made = encodeRow(row, this.r, this.base + this.bytes.length, { branch: () => 0, addressing: this.#addressing });
      if (made === undefined || !harmless(made.insn)) continue;
      this.#emit([...made.code], true);
      if (row.undef !== undefined && row.undef !== "a") {
        // CMP of two free low registers; part of the instruction before it.
        this.bytes.push(0x39, 0xc0 | this.r.below(4) << 3 | this.r.below(4));
        this.pieces[this.pieces.length - 1].length += 2;
      }
      return;
    }
  }

  #rel32(at: number, to: number): void {
    const rel = to - (at + 4);
    for (let n = 0; n < 4; n++) this.bytes[at + n] = rel >>> (8 * n) & 255;
  }

  /** Jcc over a block. */
  #branch(depth: number): void {
    this.#emit([0x0f, 0x80 | this.r.below(16), 0, 0, 0, 0], true);
    const at = this.bytes.length - 4;
    this.block(1 + this.r.below(5), depth + 1);
    if (this.r.chance(40)) {
      this.#emit([0xe9, 0, 0, 0, 0], true);
      const over = this.bytes.length - 4;
      this.#rel32(at, this.bytes.length);
      this.block(1 + this.r.below(4), depth + 1);
      this.#rel32(over, this.bytes.length);
    } else this.#rel32(at, this.bytes.length);
  }

  /** MOV EDI, n; body; DEC EDI; JNZ. One at a time, because RDI is the only counter. */
  #loop(depth: number): void {
    this.#looping = true;
    this.#emit([0xbf, 1 + this.r.below(12), 0, 0, 0]);
    const top = this.bytes.length;
    this.block(1 + this.r.below(7), depth + 1);
    // The index walks on; small again behind the loop.
    const walks = this.r.chance(50);
    if (walks) {
      this.#emit([0x48, 0x83, 0xc6, this.style.faults && this.r.chance(30) ? this.r.below(128) : 16 * this.r.below(3)], true);
    }
    this.#emit([0xff, 0xcf]);
    this.#emit([0x0f, 0x85, 0, 0, 0, 0], true);
    this.#rel32(this.bytes.length - 4, top);
    if (walks) this.#emit([0xbe, 16 * this.r.below(4), 0, 0, 0], true);
    this.#looping = false;
  }

  /** ADD r32, imm32 whose immediate others change. */
  #softInstruction(): void {
    const reg = this.r.below(4);
    this.#emit([0x81, 0xc0 | reg, ...this.r.bytes(4)], true);
    this.#soft.push(this.bytes.length - 1 - this.r.below(4));
  }
  /** MOV, ADD or INC of a byte of the code itself. */
  #patch(): void {
    const kind = this.r.below(3);
    if (kind === 0) this.#emit([0xfe, 0x05, 0, 0, 0, 0], true);
    else this.#emit([kind === 1 ? 0xc6 : 0x80, 0x05, 0, 0, 0, 0, this.r.below(256)], true);
    const behind = kind === 0 ? 0 : 1;
    this.#patches.push([this.bytes.length - 4 - behind, behind]);
  }

  /** LEA r, [RIP + rel32] with the rel32 still open: RAX, RCX, RDX or RBX. */
  #leaRip(reg: number): number[] {
    return [0x48, 0x8d, 0x05 | reg << 3, 0, 0, 0, 0];
  }

  /** Direct or through a register; arguments are pushed and taken off by the callee. */
  #call(): void {
    const later = this.#arguments.length - 1 - this.#current;
    if (later === 0 || (this.#arguments.length < 6 && this.r.chance(50))) {
      this.#arguments.push(this.r.chance(25) ? 8 * (1 + this.r.below(2)) : 0);
    }
    const target = this.#current + 1 + this.r.below(this.#arguments.length - 1 - this.#current);
    for (let n = 0; n < this.#arguments[target]; n += 8) this.#emit([0x50 + this.r.below(4)]);
    const removable = this.#arguments[target] === 0;
    if (this.r.chance(75)) {
      this.#emit([0xe8, 0, 0, 0, 0], removable);
      this.#calls.push([this.bytes.length - 4, target]);
    } else {
      const reg = this.r.below(4);
      this.#emit([...this.#leaRip(reg), 0xff, 0xd0 | reg], removable);
      this.#calls.push([this.bytes.length - 6, target]);
    }
  }

  /** JMP through a register, or PUSH and RET, over a block. */
  #indirectJump(depth: number): void {
    const reg = this.r.below(4), at = this.bytes.length + 3;
    this.#emit([...this.#leaRip(reg), ...(this.r.chance(70) ? [0xff, 0xe0 | reg] : [0x50 + reg, 0xc3])], true);
    this.block(1 + this.r.below(3), depth + 1);
    this.#rel32(at, this.bytes.length);
  }

  /** SUB RSP, n; block with accesses to it; ADD RSP, n. */
  #stackFrame(depth: number): void {
    const bytes = 32 + 8 * this.r.below(11), outer = this.#frame;
    this.#emit([0x48, 0x83, 0xec, bytes]);
    this.#frame = bytes;
    this.block(2 + this.r.below(6), depth + 1);
    this.#emit([0x48, 0x83, 0xc4, bytes]);
    this.#frame = outer;
  }

  /** A string instruction with REP over a few bytes of the data pages. */
  #string(): void {
    const { r } = this;
    const lea = (reg: number) => [0x48, 0x8d, 0x85 | reg << 3, ...r.bytes(1), r.below(4), 0, 0];
    const op = r.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]) + r.below(2);
    const prefixes = [r.pick([0xf3, 0xf2]), ...r.pick([[], [0x48], [0x66, 0x48], []])];
    const backwards = r.chance(25);
    this.#emit([
      ...lea(RDI),
      ...lea(RSI),
      0xb9,
      r.below(40),
      0,
      0,
      0,
      backwards ? 0xfd : 0xfc,
      ...prefixes,
      op,
      0xfc,
      0xbe,
      16 * r.below(4),
      0,
      0,
      0,
    ], true);
  }

  #pushPop(depth: number): void {
    const n = this.r.pick(FREE), to = this.r.pick(FREE);
    this.#emit(n < 8 ? [0x50 + n] : [0x41, 0x50 + n - 8]);
    this.block(1 + this.r.below(4), depth + 1);
    this.#emit(to < 8 ? [0x58 + to] : [0x41, 0x58 + to - 8]);
  }

  block(count: number, depth: number): void {
    for (let n = 0; n < count; n++) {
      // INT3 or UD2 in the middle: all flags are shown there.
      if (this.style.faults && this.r.chance(1)) this.#emit(this.r.pick([[0xcc], [0x0f, 0x0b]]), true);
      const p = this.r.below(100);
      if (this.style.selfModifying && this.r.chance(25)) this.r.chance(50) ? this.#softInstruction() : this.#patch();
      else if (depth > 3 || p < 70) this.instruction();
      else if (p < 82) this.#branch(depth);
      else if (p < 88) this.#looping ? this.instruction() : this.#loop(depth);
      else if (p < 94 && depth < 3) this.#call();
      else if (p < 96) this.#stackFrame(depth);
      else if (p < 97) this.#indirectJump(depth);
      else if (p < 98 && !this.#looping) this.#string();
      else this.#pushPop(depth);
    }
  }

  /** End marker, then the functions that were called. */
  finish(): void {
    this.#emit(MARKER);
    // Functions may loop only when no caller does: keep them free of loops.
    this.#looping = true;
    for (let n = 0; n < this.#arguments.length; n++) {
      this.#current = n;
      this.#functions.push(this.bytes.length);
      this.block(2 + this.r.below(6), 1);
      this.#emit(this.#arguments[n] === 0 ? [0xc3] : [0xc2, this.#arguments[n], 0]);
    }
    if (this.#soft.length === 0) this.#soft.push(this.bytes.push(0) - 1);
    for (const [at, behind] of this.#patches) this.#rel32(at, this.r.pick(this.#soft) - behind);
    for (const [at, target] of this.#calls) this.#rel32(at, this.#functions[target]);
  }
}
