/** Semantics of every mnemonic, by row name. */
import type { Semantic } from "../sem.ts";
import { exactly } from "./exactly.ts";
import { INTEGER } from "./integer.ts";
import { SSE } from "./sse.ts";
import { SYSTEM } from "./system.ts";
import { VEX } from "./vex.ts";
import { X87 } from "./x87.ts";

export const SEMANTICS: Readonly<Record<string, Semantic>> = { ...INTEGER, ...SYSTEM, ...exactly(SSE), ...exactly(VEX), ...X87 };
