/** Which flags the code at an address reads before it defines them. */
import { controlOf } from "../control.ts";
import type { Block } from "../interp/blocks.ts";
import { effectsOf } from "./effects.ts";
import { ALL_FLAGS } from "./regs.ts";

/** Blocks that are followed; beyond them all flags may be needed. */
const DEPTH = 3;

/**
 * @param known answers so far; gets the new one
 * @param block the decoded block at an address, undefined when it is not known
 */
export function flagsNeededAt(
  known: Map<number, number>,
  block: (pc: number) => Block | undefined,
  pc: number,
  depth = 0,
): number {
  const before = known.get(pc);
  if (before !== undefined) return before;
  const b = block(pc);
  if (!b) return ALL_FLAGS;
  let need = 0, defined = 0;
  for (const i of b.insns) {
    const e = effectsOf(i);
    need |= e.flagUses & ~defined;
    defined |= e.flagDefs;
    if (defined === ALL_FLAGS) break;
  }
  const last = b.insns.at(-1);
  // Nothing can be fetched there: a page fault shows the flags.
  if (!last) need = ALL_FLAGS;
  const open = ALL_FLAGS & ~defined;
  if (last && open !== 0 && (need & open) !== open) {
    const control = controlOf(last.name), to = last.ops[0];
    const onward: number[] = [];
    if (control === "next" || control === "branch" || last.name === "syscall") onward.push(b.end);
    if ((control === "branch" || control === "jump") && to?.kind === "rel") onward.push(to.target);
    if (control === "trap" && last.name !== "syscall") need |= open;
    for (const next of onward) need |= open & (depth < DEPTH ? flagsNeededAt(known, block, next, depth + 1) : ALL_FLAGS);
  }
  if (depth === 0) known.set(pc, need);
  return need;
}
