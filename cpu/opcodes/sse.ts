import type { OpRow } from "../insn.ts";

export const SSE_ROWS: readonly OpRow[] = [];
