/**
 * Instructions that a host may execute, whatever its CPUID says, but Hedra's CPUID does not offer: they must raise #UD here. Sources: Intel
 * SDM vol. 2 and AMD64 manual vol. 3 to 5.
 */
import { createDecoder } from "../decode.ts";
import { Cursor, readOpcode } from "../decode_cursor.ts";
import { VEX_MAP } from "../decode_encoding.ts";
import type { OpRow } from "../insn.ts";

const family = (feature: string, rows: readonly (readonly [enc: string, args: string])[]): OpRow[] =>
  rows.map(([enc, args]) => ({ enc, name: feature, args, feature, size: "fixed" }));

const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, "0");
const MASK_OPERATIONS = [0x41, 0x42, 0x44, 0x45, 0x46, 0x47, 0x4a, 0x4b];

const NOT_OFFERED: readonly OpRow[] = [
  ...family("sse4a", [
    ["66 0F 78 /0", "Udq,Ib,Ib"],
    ["66 0F 79", "Vdq,Udq"],
    ["F2 0F 78", "Vdq,Udq,Ib,Ib"],
    ["F2 0F 79", "Vdq,Udq"],
    ["F2 0F 2B", "Mq,Vsd"],
    ["F3 0F 2B", "Md,Vss"],
  ]),
  ...family("clzero", [["0F 01 FC", ""]]),
  ...family("rdpru", [["0F 01 FD", ""]]),
  ...family("monitorx", [["0F 01 FA", ""], ["0F 01 FB", ""]]),
  ...family(
    "virtualisation",
    ["C1", "C2", "C3", "C4", "D4", "D8", "D9", "DA", "DB", "DC", "DD", "DE", "DF", "FE", "FF"].map((op) =>
      [`0F 01 ${op}`, ""] as const
    ),
  ),
  ...family("invpcid", [["66 0F 38 82", "Gq,M"]]),
  ...family("xsaves", [["0F C7 /3", "M"], ["0F C7 /5", "M"]]),
  // VEX.W is 1 in Intel's description, AMD's processors ignore it.
  ...family("vpermq without W", [["VEX.256.66.0F3A.W0 00", "Vx,Wx,Ib"], ["VEX.256.66.0F3A.W0 01", "Vx,Wx,Ib"]]),
  ...family("monitor", [["0F 01 C8", ""], ["0F 01 C9", ""]]),
  ...family("sysenter", [["0F 34", ""], ["0F 35", ""]]),
  ...family("gfni", [
    ["66 0F 38 CF", "Vdq,Wdq"],
    ["66 0F 3A CE", "Vdq,Wdq,Ib"],
    ["66 0F 3A CF", "Vdq,Wdq,Ib"],
    ["VEX.66.0F38.W0 CF", "Vx,Hx,Wx"],
    ["VEX.66.0F3A.W1 CE", "Vx,Hx,Wx,Ib"],
    ["VEX.66.0F3A.W1 CF", "Vx,Hx,Wx,Ib"],
  ]),
  ...family("avx_vnni", [0x50, 0x51, 0x52, 0x53].map((op) => [`VEX.66.0F38.W0 ${hex(op)}`, "Vx,Hx,Wx"])),
  // AVX-512's instructions on mask registers stand under VEX.
  ...family("avx512 masks", [
    ...MASK_OPERATIONS.map((op) => [`VEX.L1.0F ${hex(op)}`, "Vdq,Hdq,Udq"] as const),
    ...MASK_OPERATIONS.map((op) => [`VEX.L1.66.0F ${hex(op)}`, "Vdq,Hdq,Udq"] as const),
    ...["", ".66", ".F2"].flatMap((pp) =>
      [0x44, 0x90, 0x91, 0x92, 0x93, 0x98, 0x99].map((op) => [`VEX.L0${pp}.0F ${hex(op)}`, "Vdq,Wdq"] as const)
    ),
    ...[0x30, 0x31, 0x32, 0x33].map((op) => [`VEX.L0.66.0F3A ${hex(op)}`, "Vdq,Udq,Ib"] as const),
  ]),
  ...family("movdiri", [["NP 0F 38 F9", "My,Gy"]]),
  ...family("movdir64b", [["66 0F 38 F8", "Gq,M"]]),
];

const decoder = createDecoder(NOT_OFFERED);
const cursor = new Cursor();
const EVEX = 0x62, POP_OR_XOP = 0x8f;

/** The family that the bytes belong to when Hedra's CPUID does not offer it, else undefined. */
export function notOffered(code: Uint8Array): string | undefined {
  cursor.begin(code, 0, Math.min(code.length, 15));
  if (!readOpcode(cursor)) return undefined;
  if (cursor.map === 0 && cursor.opcode === EVEX) return "avx512";
  if (cursor.map === 0 && cursor.opcode === POP_OR_XOP && (cursor.u8() & 0x38) !== 0) return "xop";
  const found = decoder.decode(code, 0, code.length, 0);
  return "invalid" in found ? undefined : found.row.feature;
}

/**
 * What is not the same on Intel's processors and AMD's (docs/quirks.md): near branches with 66, LOOPE and LOOPNE with REP prefixes, ModRM of
 * UD0 and UD1, LOCK MOV CR.
 */
export function dependsOnVendor(code: Uint8Array): boolean {
  cursor.begin(code, 0, Math.min(code.length, 15));
  readOpcode(cursor);
  const { map, opcode, opSize, rep, lock } = cursor;
  if (map === 1 || map === VEX_MAP + 1) {
    return opcode === 0xb9 || opcode === 0xff || (opSize && (opcode & 0xf0) === 0x80) || (lock && (opcode & 0xfd) === 0x20);
  }
  if (map !== 0) return false;
  const isLoop = opcode === 0xe0 || opcode === 0xe1, isGroup = opcode === 0xff && [2, 4].includes((cursor.u8() >> 3) & 7);
  return (isLoop && rep !== 0) || (opSize && (isGroup || (opcode & 0xf0) === 0x70 || NEAR.has(opcode)));
}
const NEAR = new Set([0xc2, 0xc3, 0xe0, 0xe1, 0xe2, 0xe3, 0xe8, 0xe9, 0xeb]);

const MAPS = ["", "0F ", "0F 38 ", "0F 3A "];
/** The opcode in the bytes, without what belongs to it, for reports. */
export function opcodeText(code: Uint8Array): string {
  cursor.begin(code, 0, Math.min(code.length, 15));
  readOpcode(cursor);
  return `${cursor.map < 4 ? MAPS[cursor.map] : `VEX map ${cursor.map - 4} `}${hex(cursor.opcode)}`;
}
