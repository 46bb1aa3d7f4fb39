/** Semantics of every mnemonic, by row name. */
import type { Semantic } from "../sem.ts";
import { exactly } from "./exactly.ts";
import { INTEGER } from "./integer.ts";
import { sseSemantics } from "./sse.ts";
import { SYSTEM } from "./system.ts";
import { vexSemantics } from "./vex.ts";
import { X87 } from "./x87.ts";

/** Looked up family by family: one table of all of them takes milliseconds to make, and most programs ask for few names. */
export function semanticOf(name: string): Semantic | undefined {
  const plain = INTEGER[name] ?? SYSTEM[name] ?? X87[name];
  if (plain !== undefined) return plain;
  const vector = sseSemantics()[name] ?? vexSemantics()[name];
  return vector && exactly(name, vector);
}
