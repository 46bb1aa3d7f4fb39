/** Shorthands for rows with a VEX prefix. */
import type { OpRow } from "../insn.ts";
import { rows, type RowTuple } from "./sse_rows.ts";

/** An operation of AVX on 128 bits and of AVX2 on 256; `tail` is the encoding behind the length ("66.0F.WIG FC"). */
export function bothLengths(tail: string, name: string, args: string, extra?: Partial<OpRow>): OpRow[] {
  return [
    ...rows("avx", [[`VEX.128.${tail}`, name, args, extra]]),
    ...rows("avx2", [[`VEX.256.${tail}`, name, args, extra]]),
  ];
}

/** vxxxps, vxxxpd on 128 or 256 bits. `operands`: what stands before the last source. */
export const packedPair = (opcode: string, name: string, operands: string, tail = "", extra?: Partial<OpRow>): OpRow[] =>
  rows("avx", [
    [`VEX.NP.0F.WIG ${opcode}`, `v${name}ps`, `${operands},Wx${tail}`, extra],
    [`VEX.66.0F.WIG ${opcode}`, `v${name}pd`, `${operands},Wx${tail}`, extra],
  ]);

/** vxxxss, vxxxsd: upper bits come from the first source. */
export const scalarPair = (opcode: string, name: string, tail = "", extra?: Partial<OpRow>): OpRow[] =>
  rows("avx", [
    [`VEX.LIG.F3.0F.WIG ${opcode}`, `v${name}ss`, `Vss,Hss,Wss${tail}`, extra],
    [`VEX.LIG.F2.0F.WIG ${opcode}`, `v${name}sd`, `Vsd,Hsd,Wsd${tail}`, extra],
  ]);

/** Rows of one feature that differ in little: [opcode, name] under one prefix, with the same operands. */
export const series = (
  feature: string,
  prefix: string,
  args: string,
  table: readonly (readonly [opcode: string, name: string])[],
  extra?: Partial<OpRow>,
): OpRow[] => rows(feature, table.map(([opcode, name]): RowTuple => [`${prefix} ${opcode}`, name, args, extra]));
