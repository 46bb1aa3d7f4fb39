import type { OpRow } from "../insn.ts";

export const INTEGER_ROWS: readonly OpRow[] = [];
