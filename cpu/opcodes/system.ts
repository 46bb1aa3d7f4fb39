import type { OpRow } from "../insn.ts";

export const SYSTEM_ROWS: readonly OpRow[] = [];
