/** System calls that are not implemented: said when one happens first (`--verbose`), and in one line at a program's end. */
import type { Personality } from "../personality.ts";
import type { Thread } from "../process/thread.ts";

/** Names in the report of calls that are not implemented. */
const NAMED_CALLS = 12;

/** `t` has called a number that nobody serves. */
export function noteMissing(os: Personality, t: Thread, number: number): void {
  if (!os.options.verbose || os.dispatcher.missing.get(number) !== 1) return;
  os.warn(`${t.name}: system call ${os.dispatcher.row(number)?.name ?? number} is not implemented`);
}

/** What a run has asked for in vain, in one line on stderr. */
export function reportMissing(os: Personality): void {
  const { missing } = os.dispatcher;
  if (missing.size === 0) return;
  const names = [...missing].map(([number, times]) => {
    const name = os.dispatcher.row(number)?.name ?? `number ${number}`;
    return times === 1 ? name : `${name} (${times} times)`;
  });
  missing.clear();
  const more = names.length > NAMED_CALLS ? ` and ${names.length - NAMED_CALLS} more` : "";
  os.warn(`system calls that are not implemented: ${names.slice(0, NAMED_CALLS).join(", ")}${more}`);
}
