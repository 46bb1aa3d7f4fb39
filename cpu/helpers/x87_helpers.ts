/** All x87 helpers, by mnemonic. */
import type { Helper } from "./api.ts";
import { X87_CONTROL_HELPERS } from "./x87_control.ts";
import { X87_DATA_HELPERS } from "./x87.ts";
import { X87_MATH_HELPERS } from "./x87_math.ts";
import { X87_STATE_HELPERS } from "./x87_state.ts";

export const X87_HELPERS: Readonly<Record<string, Helper>> = {
  ...X87_DATA_HELPERS,
  ...X87_MATH_HELPERS,
  ...X87_CONTROL_HELPERS,
  ...X87_STATE_HELPERS,
};
