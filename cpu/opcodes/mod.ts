/** The opcode table: the rows of all families. */
import type { OpRow } from "../insn.ts";
import { AVX_ROWS } from "./avx.ts";
import { INTEGER_ROWS } from "./integer.ts";
import { SSE_ROWS } from "./sse.ts";
import { SYSTEM_ROWS } from "./system.ts";
import { X87_ROWS } from "./x87.ts";

export const ROWS: readonly OpRow[] = [...INTEGER_ROWS, ...SYSTEM_ROWS, ...SSE_ROWS, ...AVX_ROWS, ...X87_ROWS];
