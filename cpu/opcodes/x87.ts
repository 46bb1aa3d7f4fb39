import type { OpRow } from "../insn.ts";

export const X87_ROWS: readonly OpRow[] = [];
