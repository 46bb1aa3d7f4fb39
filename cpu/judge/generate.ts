/** Random single-instruction cases of an opcode row. */
import { decode } from "../decode.ts";
import type { Insn, MemOperand, OpRow } from "../insn.ts";
import { ROWS } from "../opcodes/mod.ts";
import { AVX_ROWS } from "../opcodes/avx.ts";
import { SSE_ROWS } from "../opcodes/sse.ts";
import { X87_ROWS } from "../opcodes/x87.ts";
import { type Encoded, encodeRow } from "./encode.ts";
import { randomFpState } from "./fp_state.ts";
import { PREPARE } from "./prepare.ts";
import { type Case, CODE, DATA, imageOffset, type Poke, READ_ONLY, STACK, WRITABLE_CODE } from "./protocol.ts";
import { content, integer, type Pool, Random } from "./random.ts";

/** UD2 ends a case that has run through; branches go to one of several before and behind the instruction. */
export const MARKERS = 8;
export const MARKER = [0x0f, 0x0b];
const markers = Array.from({ length: MARKERS }, () => MARKER).flat();

const M64 = (1n << 64n) - 1n;
const X87_SET = new Set(X87_ROWS), SSE_SET = new Set([...SSE_ROWS, ...AVX_ROWS]);

/** CF PF AF ZF SF DF OF: what a case starts with. */
const FLAGS = 0xcd5;

/** A case while it is made. */
export interface Draft {
  r: Random;
  insn: Insn;
  gpr: BigUint64Array;
  rflags: number;
  fs: bigint;
  gs: bigint;
  pokes: Poke[];
  fp: Uint8Array | undefined;
  pool: Pool;
  /** Address of a random end marker, sometimes one that cannot be executed. */
  target(): bigint;
  /** Writes to the image at a guest address; what lies outside the areas, or in the code, is dropped. */
  poke(address: bigint, bytes: Uint8Array): void;
}

export const u64Bytes = (value: bigint): Uint8Array => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return out;
};

/** An address for an access of `size` bytes: mostly in the data pages, often unaligned, sometimes at the edge of what is mapped. */
export function address(r: Random, size: number): bigint {
  const bytes = Math.max(1, size);
  const inside = (area: typeof DATA) => area.address + r.below(area.bytes - bytes + 1);
  const p = r.below(100);
  if (p < 45) return BigInt(DATA.address + 16 * r.below((DATA.bytes - bytes) >> 4));
  if (p < 66) return BigInt(inside(DATA));
  if (p < 73) return BigInt(DATA.address + DATA.bytes / 2 - r.below(bytes));
  if (p < 79) return BigInt(DATA.address + DATA.bytes - bytes);
  if (p < 83) return BigInt(DATA.address + DATA.bytes - r.below(bytes));
  if (p < 85) return BigInt(DATA.address - 1 - r.below(bytes));
  if (p < 91) return BigInt(inside(READ_ONLY));
  if (p < 93) return BigInt(READ_ONLY.address + READ_ONLY.bytes - r.below(bytes));
  if (p < 95) return BigInt(inside(CODE));
  if (p < 96) return 0x8000_0000_0000n + BigInt(r.below(1 << 20)) - 8n;
  if (p < 97) return integer(r);
  return BigInt(inside(STACK));
}

function poolOf(r: Random, row: OpRow): Pool {
  const { name } = row;
  if (X87_SET.has(row)) return /^f(i|b)/.test(name) ? "int" : /Md/.test(row.args) ? "f32" : "f64";
  if (!SSE_SET.has(row) || /^v?p/.test(name) || r.chance(10)) return "int";
  const pools: Pool[] = [];
  if (/ps|ss/.test(name)) pools.push("f32");
  if (/pd|sd/.test(name)) pools.push("f64");
  if (/dq2|pi2|si2/.test(name)) pools.push("int");
  return pools.length === 0 ? r.pick(["int", "f32", "f64"]) : r.pick(pools);
}

const segmentBase = (d: Draft, seg: MemOperand["seg"]): bigint => seg === "fs" ? d.fs : seg === "gs" ? d.gs : 0n;

/** Chooses what the operand shall address and sets base or index register accordingly; returns the address. */
function aim(d: Draft, m: MemOperand, encoded: Encoded): bigint {
  const goal = address(d.r, m.size || (PREPARE[d.insn.name]?.bytes ?? 16));
  const offset = goal - segmentBase(d, m.seg) & M64;
  const scaled = (n: number) => d.gpr[n] << BigInt(m.scale);
  if (m.base >= 0 && m.base === m.index) d.gpr[m.base] = (offset - m.disp & M64) / BigInt(1 + (1 << m.scale));
  else if (m.base >= 0) d.gpr[m.base] = offset - m.disp - (m.index >= 0 ? scaled(m.index) : 0n) & M64;
  else if (m.index >= 0) d.gpr[m.index] = (offset - m.disp & M64) >> BigInt(m.scale);
  else retarget(d, m, encoded, offset);
  return goal;
}

/** Rewrites the displacement of an operand without registers. */
function retarget(d: Draft, m: MemOperand, encoded: Encoded, offset: bigint): void {
  const { code, insn, displacementAt } = encoded;
  const view = new DataView(code.buffer);
  if (insn.row.args.includes("O")) {
    if (m.addressSize === 8) view.setBigUint64(displacementAt, offset, true);
    else view.setUint32(displacementAt, Number(offset & 0xffff_ffffn), true);
  } else {
    const from = m.ripRelative ? BigInt(insn.pc + insn.length) : 0n;
    view.setUint32(displacementAt, Number(offset - from & 0xffff_ffffn), true);
  }
  const again = decode(code, 0, code.length, insn.pc);
  if (!("invalid" in again)) d.insn = encoded.insn = again;
}

/** Address of the first instruction: mostly anywhere in the first page, sometimes so that it crosses into the next or ends the area. */
function entryOffset(r: Random): number {
  const p = r.below(100);
  if (p < 94) return 64 + r.below(2000);
  return p < 98 ? CODE.bytes / 2 - 1 - r.below(6) : CODE.bytes - 1 - r.below(9);
}

/** Turns a forward branch into one to a marker before the instruction. */
function branchBack(encoded: Encoded, r: Random): void {
  const { code, insn } = encoded;
  const wide = insn.row.args === "Jz";
  const rel = -code.length - 2 * (1 + r.below(MARKERS));
  const view = new DataView(code.buffer);
  if (wide) view.setInt32(code.length - 4, rel, true);
  else view.setInt8(code.length - 1, rel);
  const again = decode(code, 0, code.length, insn.pc);
  if (!("invalid" in again)) encoded.insn = again;
}

/** Identifies a row wherever it stands in the table, so that its cases stay the same when others are added (FNV-1a). */
export const rowKey = (row: OpRow): number => hashText(`${row.enc}|${row.name}|${row.args}`);
export function hashText(text: string): number {
  let hash = 0x811c_9dc5 | 0;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x0100_0193);
  return hash >>> 0;
}

/** The case `number` of a row under `seed`, `modes` as in FpWish; undefined when the row cannot be encoded. */
export function rowCase(rowIndex: number, seed: number, number: number, modes = false): { test: Case; insn: Insn } | undefined {
  const row = ROWS[rowIndex];
  const r = new Random(seed, rowKey(row) + Math.imul(number, 0x0100_0193) | 0);
  const entry = entryOffset(r);
  const encoded = encodeRow(row, r, CODE.address + entry, { branch: (random) => 2 * random.below(MARKERS) });
  if (encoded === undefined) return undefined;
  if (row.args.startsWith("J") && r.chance(20)) branchBack(encoded, r);
  const d: Draft = {
    r,
    insn: encoded.insn,
    gpr: new BigUint64Array(16),
    rflags: 0x202 | r.u32() & FLAGS,
    fs: r.pick([0n, 0x1000n, 0x1000_0000n, 0x7fff_f000n]),
    gs: r.pick([0n, 0x10n, 0x1_0000_0000n]),
    pokes: [],
    fp: undefined,
    pool: poolOf(r, row),
    target: () =>
      r.chance(8)
        ? address(r, 1)
        : BigInt(CODE.address + entry + (r.chance(50) ? encoded.code.length : -16) + 2 * r.below(MARKERS)),
    poke(at, bytes) {
      const offset = imageOffset(Number(at));
      if (
        offset === undefined || offset < CODE.bytes || imageOffset(Number(at) + bytes.length - 1) !== offset + bytes.length - 1
      ) return;
      d.pokes.push({ offset, bytes });
    },
  };
  for (let n = 0; n < 16; n++) d.gpr[n] = integer(r);
  if (X87_SET.has(row) || SSE_SET.has(row) || row.feature === "sse") {
    d.fp = randomFpState(r, { pool: d.pool, x87: X87_SET.has(row), controls: X87_SET.has(row), modes });
  }
  const prepare = PREPARE[row.name];
  prepare?.registers?.(d);
  const memory = d.insn.ops.find((o): o is MemOperand => o.kind === "mem");
  if (memory !== undefined) {
    const at = aim(d, memory, encoded);
    d.poke(at, content(r, d.pool, memory.size || 64));
    prepare?.memory?.(d, at);
  }
  const before = entry >= markers.length ? markers : [];
  const code = Uint8Array.from([...before, ...encoded.code, ...markers]);
  const codeOffset = entry - before.length;
  return {
    insn: d.insn,
    test: {
      id: `--row ${rowIndex} --seed ${seed} --case ${number}`,
      codeOffset,
      entry: CODE.address + entry,
      code: code.subarray(0, CODE.bytes - codeOffset),
      gpr: d.gpr,
      rflags: d.rflags,
      fs: d.fs,
      gs: d.gs,
      fp: d.fp,
      pokes: d.pokes,
      showsFlags: /stmxcsr|fxsave/.test(row.name),
    },
  };
}

/** What all areas hold before each case. */
export function baseline(seed: number, bytes: number): Uint8Array {
  const image = content(new Random(seed, 0x5eed), "int", bytes);
  for (const area of [CODE, WRITABLE_CODE]) image.fill(0xcc, area.first, area.first + area.bytes);
  return image;
}
