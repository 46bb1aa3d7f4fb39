// The table comes first: its modules know each other in circles that begin there.
import { SYSCALLS } from "../syscalls/table.ts";
import { MEMORY_CALLS } from "../syscalls/memory.ts";
import { NUMA_CALLS } from "../syscalls/numa.ts";
import { PROCESS_CALLS } from "../syscalls/process.ts";
import type { ArgKind, SyscallRow } from "../syscalls/row.ts";
import { SIGNAL_CALLS } from "../syscalls/signals.ts";
import { SOCKET_CALLS } from "../syscalls/sockets.ts";

const taking = (...kinds: ArgKind[]): readonly SyscallRow[] =>
  SYSCALLS.filter(({ args }) => args.some((kind) => kinds.includes(kind)));

/** Classes of calls as strace(1) has them after "%", each from what the table says. */
const CLASSES: Readonly<Record<string, () => readonly SyscallRow[]>> = {
  file: () => taking("path"),
  desc: () => taking("fd", "dirfd"),
  process: () => PROCESS_CALLS,
  network: () => SOCKET_CALLS,
  net: () => SOCKET_CALLS,
  memory: () => [...MEMORY_CALLS, ...NUMA_CALLS],
  signal: () => SIGNAL_CALLS,
};

/** A set that cannot be understood; the message says which part. */
export class TraceSetError extends Error {
  override name = "TraceSetError";
}

/**
 * "NAME,%CLASS,..." to numbers; "!" before it all means every other call, "all" and "none" are what they say. Throws TraceSetError.
 */
export function traceSet(text: string): ReadonlySet<number> {
  const negated = text.startsWith("!"), chosen = new Set<number>();
  for (const item of (negated ? text.slice(1) : text).split(",")) for (const row of rows(item)) chosen.add(row.number);
  if (!negated) return chosen;
  return new Set(SYSCALLS.map(({ number }) => number).filter((number) => !chosen.has(number)));
}

function rows(item: string): readonly SyscallRow[] {
  if (item === "all") return SYSCALLS;
  if (item === "none") return [];
  if (item.startsWith("%")) {
    if (!Object.hasOwn(CLASSES, item.slice(1))) {
      throw new TraceSetError(`"${item}" is none of ${Object.keys(CLASSES).map((name) => `%${name}`).join(", ")}`);
    }
    return CLASSES[item.slice(1)]();
  }
  const row = SYSCALLS.find(({ name }) => name === item);
  if (row === undefined) throw new TraceSetError(`Linux has no system call "${item}"`);
  return [row];
}
