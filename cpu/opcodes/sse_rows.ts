/** Shorthands for the rows of the vector families. */
import type { OpRow } from "../insn.ts";

/** Encoding (see OpRow.enc), name, operands, and what else the row says. */
export type RowTuple = readonly [enc: string, name: string, args: string, extra?: Partial<OpRow>];

/** Rows of one cpuid feature. A 66 prefix never changes a vector instruction's operand size: it is part of the opcode. */
export function rows(feature: string, table: readonly RowTuple[]): OpRow[] {
  return table.map(([enc, name, args, extra]) => ({ enc, name, args, feature, size: "fixed", ...extra }));
}

/** One integer operation on MMX registers (no prefix) and on XMM registers (66). */
export function mmxAndXmm(
  opcode: string,
  name: string,
  mmxFeature = "mmx",
  xmmFeature = "sse2",
  extra?: Partial<OpRow>,
): OpRow[] {
  const imm = extra?.staticImm ? ",Ib" : "";
  return [
    ...rows(mmxFeature, [[`NP ${opcode}`, name, `Pq,Qq${imm}`, extra]]),
    ...rows(xmmFeature, [[`66 ${opcode}`, name, `Vdq,Wdq${imm}`, extra]]),
  ];
}

/** One floating-point operation in its four forms: xxxps (no prefix), xxxpd (66), xxxss (F3), xxxsd (F2). `tail`: further operands. */
export function fourForms(opcode: string, name: string, tail = "", extra?: Partial<OpRow>): OpRow[] {
  return [
    ...rows("sse", [
      [`NP ${opcode}`, `${name}ps`, `Vps,Wps${tail}`, extra],
      [`F3 ${opcode}`, `${name}ss`, `Vss,Wss${tail}`, extra],
    ]),
    ...rows("sse2", [
      [`66 ${opcode}`, `${name}pd`, `Vpd,Wpd${tail}`, extra],
      [`F2 ${opcode}`, `${name}sd`, `Vsd,Wsd${tail}`, extra],
    ]),
  ];
}

/** xxxps and xxxpd only. */
export function packedForms(opcode: string, name: string, tail = "", extra?: Partial<OpRow>): OpRow[] {
  return [
    ...rows("sse", [[`NP ${opcode}`, `${name}ps`, `Vps,Wps${tail}`, extra]]),
    ...rows("sse2", [[`66 ${opcode}`, `${name}pd`, `Vpd,Wpd${tail}`, extra]]),
  ];
}

export const STATIC: Partial<OpRow> = { staticImm: true };
