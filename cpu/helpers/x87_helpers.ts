/** All x87 helpers, by mnemonic. */
import type { Helper } from "./api.ts";
import { X87_ARITHMETIC_HELPERS } from "./x87_arithmetic.ts";
import { X87_COMPARE_HELPERS } from "./x87_compare.ts";
import { X87_CONTROL_HELPERS } from "./x87_control.ts";
import { X87_MATH_HELPERS } from "./x87_math.ts";
import { X87_MOVE_HELPERS } from "./x87_moves.ts";
import { X87_STATE_HELPERS } from "./x87_state.ts";

export const X87_HELPERS: Readonly<Record<string, Helper>> = {
  ...X87_MOVE_HELPERS,
  ...X87_ARITHMETIC_HELPERS,
  ...X87_COMPARE_HELPERS,
  ...X87_MATH_HELPERS,
  ...X87_CONTROL_HELPERS,
  ...X87_STATE_HELPERS,
};
