import { X87_ROWS } from "../opcodes/x87.ts";
import type { Semantic } from "../sem.ts";

/** Every x87 mnemonic is a helper of the same name. */
export const X87: Readonly<Record<string, Semantic>> = Object.fromEntries(
  X87_ROWS.map(({ name }): [string, Semantic] => [name, (s) => s.helper(name)]),
);
