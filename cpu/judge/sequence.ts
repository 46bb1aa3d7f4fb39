/**
 * Random instruction sequences: memory, forward branches, small loops, calls and stack use, over rows that need no prepared operands.
 *
 * RSP is the stack, RBP points into the middle of the data pages, RSI is a small index and RDI the loop counter: no other instruction
 * changes them. Flags that an instruction leaves undefined are overwritten by a CMP before anything can see them (AF only by masking).
 */
import type { Insn, OpRow } from "../insn.ts";
import { ROWS } from "../opcodes/mod.ts";
import { SSE_ROWS } from "../opcodes/sse.ts";
import { type Addressing, encodeRow } from "./encode.ts";
import { randomFpState } from "./fp_state.ts";
import { MARKER } from "./generate.ts";
import { PREPARE, SKIPPED } from "./prepare.ts";
import { type Case, CODE, DATA, STACK, WRITABLE_CODE } from "./protocol.ts";
import { integer, Random } from "./random.ts";

const RSP = 4, RBP = 5, RSI = 6, RDI = 7;
const RESERVED = new Set([RSP, RBP, RSI, RDI]);
/** Low and extended registers that sequences compute with. */
const FREE = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15];

const UNSUITABLE = new Set(
  ("jcc xlat in out int3 lahf sahf std popf rcpps rcpss rsqrtps rsqrtss xsave xrstor xsavec xsaveopt " +
    "fldenv frstor fnsave fnstenv rdfsbase rdgsbase stmxcsr").split(" "),
);
/** PREPARE only makes these more interesting. */
const USABLE_UNPREPARED = new Set(["cmpxchg", "cmpxchg8b", "div", "idiv", "bt", "bts", "btr", "btc"]);

const suitable = (row: OpRow): boolean =>
  row.fault === undefined && row.rep === undefined && !/O[bv]/.test(row.args) && !UNSUITABLE.has(row.name) &&
  SKIPPED[row.name] === undefined &&
  !("approximate" in row) && (PREPARE[row.name] === undefined || USABLE_UNPREPARED.has(row.name));

const SSE_SET = new Set(SSE_ROWS);
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

export interface Sequence {
  test: Case;
  pieces: Piece[];
}

const exchanges = (name: string): boolean => name === "xchg" || name === "xadd" || name.startsWith("mulx");

/** Registers that the frame relies on stay as they are; bit strings would wander through memory. */
function harmless(insn: Insn): boolean {
  return insn.ops.every((op, n) => {
    if (op.kind === "reg") return op.high || !RESERVED.has(op.n) || (n > 0 && !exchanges(insn.name));
    if (op.kind !== "mem") return true;
    return op.seg === undefined && op.addressSize === 8 && (!insn.name.startsWith("bt") || insn.ops[1].kind === "imm");
  });
}

interface Style {
  integers: boolean;
  faults: boolean;
  /** Functions neither take nor return flags, as in every calling convention: the translator relies on it (docs/quirks.md). */
  conventional: boolean;
  /** Instructions change the operands of others. */
  selfModifying: boolean;
}

class Builder {
  readonly bytes: number[] = [];
  readonly pieces: Piece[] = [];
  /** Calls: where the rel32 is, and which function. */
  readonly #calls: [number, number][] = [];
  readonly #functions: number[] = [];
  /** Self-modification: offsets of bytes that may have any value, and of rel32 fields that are to point at one, with what follows them. */
  readonly #soft: number[] = [];
  readonly #patches: [number, number][] = [];
  #looping = false;
  /** The row in work is a vector instruction: most of these insist on aligned operands. */
  #vector = false;
  #functionCount = 0;

  constructor(readonly r: Random, readonly base: number, readonly style: Style) {}

  #emit(bytes: readonly number[], removable = false): void {
    this.pieces.push({ offset: this.bytes.length, length: bytes.length, removable });
    this.bytes.push(...bytes);
  }

  /** [RBP + disp], [RBP + RSI * scale + disp], or [RSP + disp] above everything that the sequence pushes. */
  #addressing = (r: Random): Addressing => {
    if (!this.#vector && r.chance(12)) return { mod: 1, rm: 4, bytes: [0x24, 64 + 8 * r.below(7)], wide: false, rexBits: 0 };
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

  #defineFlags(): void {
    this.#emit([0x39, 0xc0 | this.r.below(4) << 3 | this.r.below(4)]);
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

  #call(): void {
    this.#emit([0xe8, 0, 0, 0, 0], true);
    if (this.#functionCount === 0 || this.r.chance(60)) this.#functionCount++;
    this.#calls.push([this.bytes.length - 4, this.r.below(this.#functionCount)]);
    if (this.style.conventional) this.#defineFlags();
  }

  #pushPop(depth: number): void {
    const n = this.r.pick(FREE), to = this.r.pick(FREE);
    this.#emit(n < 8 ? [0x50 + n] : [0x41, 0x50 + n - 8]);
    this.block(1 + this.r.below(4), depth + 1);
    this.#emit(to < 8 ? [0x58 + to] : [0x41, 0x58 + to - 8]);
  }

  block(count: number, depth: number): void {
    for (let n = 0; n < count; n++) {
      const p = this.r.below(100);
      if (this.style.selfModifying && this.r.chance(25)) this.r.chance(50) ? this.#softInstruction() : this.#patch();
      else if (depth > 3 || p < 72) this.instruction();
      else if (p < 84) this.#branch(depth);
      else if (p < 90) this.#looping ? this.instruction() : this.#loop(depth);
      else if (p < 95 && depth < 3 && this.#functions.length === 0) this.#call();
      else this.#pushPop(depth);
    }
  }

  /** End marker, then the functions that were called. */
  finish(): void {
    this.#emit(MARKER);
    // Functions may loop only when no caller does: keep them free of loops.
    this.#looping = true;
    for (let n = 0; n < this.#functionCount; n++) {
      this.#functions.push(this.bytes.length);
      if (this.style.conventional) this.#defineFlags();
      this.block(2 + this.r.below(6), 1);
      this.#emit([0xc3]);
    }
    if (this.#soft.length === 0) this.#soft.push(this.bytes.push(0) - 1);
    for (const [at, behind] of this.#patches) this.#rel32(at, this.r.pick(this.#soft) - behind);
    for (const [at, target] of this.#calls) this.#rel32(at, this.#functions[target]);
  }
}

/** The sequence `number` under `seed`; `conventional` as in Style. */
export function sequenceCase(seed: number, number: number, conventional: boolean): Sequence {
  const r = new Random(seed, 0x5e9_0000 + number * 3);
  const selfModifying = r.chance(15);
  const area = selfModifying ? WRITABLE_CODE : CODE;
  const at = 16 + r.below(selfModifying ? 4000 : 200);
  const b = new Builder(r, area.address + at, { integers: r.chance(50), faults: r.chance(15), conventional, selfModifying });
  b.block(3 + r.below(r.chance(30) ? 40 : 14), 0);
  b.finish();
  const gpr = new BigUint64Array(16);
  for (let n = 0; n < 16; n++) gpr[n] = integer(r);
  gpr[RSP] = BigInt(STACK.address + 2048 + 8 * r.below(128));
  gpr[RBP] = BigInt(DATA.address + DATA.bytes / 2);
  gpr[RSI] = BigInt(16 * r.below(4));
  const fp = randomFpState(r, { pool: r.pick(["int", "f32", "f64"]), x87: r.chance(50), controls: false });
  return {
    pieces: b.pieces,
    test: {
      id: `--sequences 1 --case ${number} --seed ${seed}`,
      codeOffset: area.first + at,
      entry: area.address + at,
      code: Uint8Array.from(b.bytes),
      gpr,
      rflags: 0x202,
      fs: 0n,
      gs: 0n,
      fp,
      pokes: [],
    },
  };
}

/** The same sequence with the piece at `index` replaced by NOPs. */
export function without(s: Sequence, index: number): Sequence {
  const code = s.test.code.slice();
  const { offset, length } = s.pieces[index];
  code.fill(0x90, offset, offset + length);
  return { test: { ...s.test, code }, pieces: s.pieces.filter((_, n) => n !== index) };
}
