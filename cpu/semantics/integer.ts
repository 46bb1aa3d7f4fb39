/** Semantics of the integer instructions, by row name; the families are in the integer_*.ts files. */
import type { Semantic } from "../sem.ts";
import { BMI } from "./bmi.ts";
import { ARITHMETIC } from "./integer_arithmetic.ts";
import { BIT } from "./integer_bit.ts";
import { FLOW } from "./integer_flow.ts";
import { MOVE } from "./integer_move.ts";
import { MULDIV } from "./integer_muldiv.ts";
import { SHIFT } from "./integer_shift.ts";
import { STRING } from "./integer_string.ts";

export const INTEGER: Record<string, Semantic> = {
  ...ARITHMETIC,
  ...SHIFT,
  ...MULDIV,
  ...BIT,
  ...MOVE,
  ...FLOW,
  ...STRING,
  ...BMI,
};
