/** JavaScript helpers, by the name that `Sem.helper` uses. */
import type { Helper } from "./api.ts";
import { SSE_HELPERS } from "./sse.ts";
import { AVX_HELPERS } from "./avx.ts";
import { SSE_EXACT_HELPERS } from "./sse_exact.ts";
import { BIT_HELPERS } from "./bits.ts";
import { FAR_HELPERS } from "./far.ts";
import { CPUID_HELPERS } from "./cpuid.ts";
import { STRING_HELPERS } from "./strings.ts";
import { SYSTEM_HELPERS } from "./system.ts";
import { X87_HELPERS } from "./x87_helpers.ts";

export const HELPERS: Readonly<Record<string, Helper>> = {
  ...SSE_HELPERS,
  ...SSE_EXACT_HELPERS,
  ...AVX_HELPERS,
  ...BIT_HELPERS,
  ...STRING_HELPERS,
  ...SYSTEM_HELPERS,
  ...CPUID_HELPERS,
  ...FAR_HELPERS,
  ...X87_HELPERS,
};
