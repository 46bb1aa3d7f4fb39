/** FMA3: the number says which operands are multiplied: 132 = first * third + second, 213 = second * first + third, 231 = second * third + first. */
import type { OpRow } from "../insn.ts";
import { rows } from "./sse_rows.ts";

/** First digit of the opcode and the order of the operands. */
const ORDERS = [["9", "132"], ["A", "213"], ["B", "231"]] as const;
/** Second digit; only some have scalar forms. */
const PACKED = [
  ["6", "fmaddsub"],
  ["7", "fmsubadd"],
  ["8", "fmadd"],
  ["A", "fmsub"],
  ["C", "fnmadd"],
  ["E", "fnmsub"],
] as const;
const SCALAR = [["9", "fmadd"], ["B", "fmsub"], ["D", "fnmadd"], ["F", "fnmsub"]] as const;

export const FMA_ROWS: readonly OpRow[] = ORDERS.flatMap(([high, order]) => [
  ...PACKED.flatMap(([low, name]) =>
    rows("fma", [
      [`VEX.66.0F38.W0 ${high}${low}`, `v${name}${order}ps`, "Vx,Hx,Wx"],
      [`VEX.66.0F38.W1 ${high}${low}`, `v${name}${order}pd`, "Vx,Hx,Wx"],
    ])
  ),
  ...SCALAR.flatMap(([low, name]) =>
    rows("fma", [
      [`VEX.LIG.66.0F38.W0 ${high}${low}`, `v${name}${order}ss`, "Vss,Hss,Wss"],
      [`VEX.LIG.66.0F38.W1 ${high}${low}`, `v${name}${order}sd`, "Vsd,Hsd,Wsd"],
    ])
  ),
]);
