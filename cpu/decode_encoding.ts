/** The `enc` notation of the opcode table, parsed. */
import type { OpRow } from "./insn.ts";

/** First of the opcode maps under VEX, see `OpcodeTable`. */
export const VEX_MAP = 4;

/** What the prefixes, ModRM and VEX must have for a row to apply; a candidate applies when all its `need` bits are there. */
export const enum Have {
  W = 1 << 0,
  NotW = 1 << 1,
  OpSize = 1 << 2,
  B = 1 << 3,
  NotB = 1 << 4,
  L = 1 << 5,
  NotL = 1 << 6,
  /** Mandatory prefix: none, 66, F3, F2 (shift by 0..3). F2/F3 win over 66, the last of them wins. */
  Np = 1 << 7,
  P66 = 1 << 8,
  PF3 = 1 << 9,
  PF2 = 1 << 10,
  /** Neither F2 nor F3. */
  NoRep = 1 << 11,
}

/** A row's `enc`, parsed. */
export interface Encoding {
  map: number;
  opcode: number;
  need: number;
  /** ModRM.reg or -1; whole ModRM byte or -1. */
  reg: number;
  modrm: number;
  plusR: boolean;
}

const TOKEN_NEEDS: Readonly<Record<string, number>> = {
  NP: Have.Np,
  NFx: Have.NoRep,
  "66": Have.P66,
  F3: Have.PF3,
  F2: Have.PF2,
  "REX.W": Have.W,
  W1: Have.W,
  W0: Have.NotW,
  "REX.W0": Have.NotW,
  WIG: 0,
  LIG: 0,
  L0: Have.NotL,
  LZ: Have.NotL,
  L1: Have.L,
  "128": Have.NotL,
  "256": Have.L,
};
export const PP_MASK = Have.Np | Have.P66 | Have.PF3 | Have.PF2;
const VEX_MAPS: Readonly<Record<string, number>> = { "0F": 1, "0F38": 2, "0F3A": 3 };
export const HEX_BYTES = new Map(Array.from({ length: 256 }, (_, n) => [n.toString(16).toUpperCase().padStart(2, "0"), n]));
/** Escape bytes of the legacy maps, and the maps they lead to. */
const ESCAPES = [[0x0f, 0x38], [0x0f, 0x3a], [0x0f]];
const ESCAPE_MAPS = [2, 3, 1];
const IGNORED = new Set(["/r", "/is4", "ib", "iw", "id", "io", "cb", "cd"]);

export function parseEncoding(row: OpRow): Encoding {
  const e: Encoding = { map: 0, opcode: -1, need: 0, reg: -1, modrm: -1, plusR: false };
  const bad = () => new Error(`Bad encoding "${row.enc}"`);
  const bytes: number[] = [];
  let prefixes = true;
  for (const token of row.enc.split(" ")) {
    if (IGNORED.has(token)) continue;
    if (token.startsWith("VEX.")) {
      e.map = VEX_MAP;
      for (const part of token.slice(4).split(".")) {
        if (part in VEX_MAPS) e.map = VEX_MAP + VEX_MAPS[part];
        else if (part in TOKEN_NEEDS) e.need |= TOKEN_NEEDS[part];
        else if (!["NDS", "NDD", "DDS"].includes(part)) throw bad();
      }
      if ((e.need & PP_MASK) === 0) e.need |= Have.Np;
      prefixes = false;
    } else if (prefixes && token in TOKEN_NEEDS && bytes.length === 0) {
      // Beside F2/F3 a 66 is the operand size, not the mandatory prefix.
      if (token === "66" && (e.need & (Have.PF2 | Have.PF3)) !== 0) e.need |= Have.OpSize;
      else if ((token === "F2" || token === "F3") && (e.need & Have.P66) !== 0) {
        e.need = (e.need & ~Have.P66) | Have.OpSize | TOKEN_NEEDS[token];
      } else e.need |= TOKEN_NEEDS[token];
    } else if (token[0] === "/" && token.length === 2) e.reg = Number(token[1]);
    else if (token === "+r" || token === "+i") e.plusR = true;
    else {
      const byte = HEX_BYTES.get(token.length > 2 ? token.slice(0, 2) : token);
      if (byte === undefined || (token.length > 2 && token[2] !== "+")) throw bad();
      bytes.push(byte);
      if (token.length > 2) e.plusR = true;
    }
  }
  if (e.map === 0) {
    const escapes = ESCAPES.find((known) => known.every((byte, n) => bytes[n] === byte) && bytes.length > known.length);
    e.map = escapes === undefined ? 0 : ESCAPE_MAPS[ESCAPES.indexOf(escapes)];
    bytes.splice(0, escapes?.length ?? 0);
  }
  if (bytes.length === 0 || bytes.length > 2) throw bad();
  e.opcode = bytes[0];
  e.modrm = bytes[1] ?? -1;
  return e;
}
