/** Vector instructions up to SSE4.2, MMX and the cryptographic extensions. */
import type { OpRow } from "../insn.ts";
import { SSE4_ROWS } from "./sse4.ts";
import { SSE_FP_ROWS } from "./sse_fp.ts";
import { SSE_INTEGER_ROWS } from "./sse_integer.ts";

export const SSE_ROWS: readonly OpRow[] = [...SSE_FP_ROWS, ...SSE_INTEGER_ROWS, ...SSE4_ROWS];
