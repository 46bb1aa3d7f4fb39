/**
 * How long bytes are that are no instruction. #UD comes after the whole of it has been fetched, so a page fault beyond the page end or #GP
 * for more than 15 bytes goes before. The opcode maps are laid out regularly; AMD's processors follow that for opcodes without meaning, too.
 */
import { type Cursor, REX_W } from "./decode_cursor.ts";
import { VEX_MAP } from "./decode_encoding.ts";
import { Op, type OpcodeNode, type OpcodeTable, type OpSpec, Size } from "./decode_rows.ts";

/** Opcodes of map 0F without meaning and without ModRM; 38 and 3A are escapes elsewhere. */
const PLAIN = new Set([
  ...[
    0x04,
    0x0a,
    0x0c,
    0x0e,
    0x24,
    0x25,
    0x26,
    0x27,
    0x36,
    0x38,
    0x39,
    0x3a,
    0x3b,
    0x3c,
    0x3d,
    0x3e,
    0x3f,
    0x7a,
    0x7b,
    0xa6,
    0xa7,
  ],
]);
/** Opcodes of map 0F with immediate bytes: 3DNow and SSE4a. */
const IMMEDIATE: Readonly<Record<number, number>> = { 0x0f: 1, 0x78: 2 };
/** Opcodes of 32-bit mode: immediate bytes behind them (-1: a far pointer). */
const OLD: Readonly<Record<number, number>> = { 0x82: 1, 0x9a: -1, 0xd4: 1, 0xd5: 1, 0xea: -1 };
/** Of those the ones with ModRM; LES and LDS are VEX, unless REX is before them. */
const OLD_WITH_MODRM = new Set([0x82, 0xc4, 0xc5]);

/** Reads what follows ModRM in the opcode `node`, none of whose rows applies. */
export function skipImmediate(c: Cursor, node: OpcodeNode): void {
  for (const list of node.lists) {
    const found = list[0]?.ops.filter((o) => o.kind === Op.I || o.kind === Op.SignedByte || o.kind === Op.J || o.kind === Op.L) ??
      [];
    if (found.length === 0) continue;
    for (const spec of found) skip(c, bytesOf(c, spec));
    return;
  }
}

/** Reads what follows an opcode that no row has. */
export function skipUndefined(c: Cursor, table: OpcodeTable, readMemory: (c: Cursor) => void): void {
  const modrm = () => {
    c.modrm = c.u8();
    if (c.modrm < 0xc0) readMemory(c);
  };
  if (c.map === 0) {
    if (OLD_WITH_MODRM.has(c.opcode)) modrm();
    const bytes = OLD[c.opcode] ?? 0;
    skip(c, bytes < 0 ? 2 + full(c) : bytes);
    return;
  }
  const map = c.map < VEX_MAP ? c.map : c.map - VEX_MAP, legacy = map === 1 ? table.node(map, c.opcode) : null;
  if (legacy?.lists.some((list) => list[0]?.row.anyMod)) c.u8();
  else if (legacy?.hasModrm ?? !(map === 1 && PLAIN.has(c.opcode))) modrm();
  if (legacy) skipImmediate(c, legacy);
  else skip(c, map === 1 ? IMMEDIATE[c.opcode] ?? 0 : map === 3 ? 1 : 0);
}

function bytesOf(c: Cursor, { kind, size }: OpSpec): number {
  if (kind === Op.SignedByte || kind === Op.L || size === 1) return 1;
  return kind === Op.J ? 4 : size === Size.Z || size === Size.V ? full(c) : size;
}

/** Bytes of an immediate of operand size. */
const full = (c: Cursor): number => c.opSize && (c.rex & REX_W) === 0 ? 2 : 4;

function skip(c: Cursor, bytes: number): void {
  for (let n = 0; n < bytes; n++) c.u8();
}
