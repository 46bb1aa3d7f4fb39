import { EVENT_CALLS } from "./events.ts";
import { FILE_CALLS } from "./files.ts";
import { MEMORY_CALLS } from "./memory.ts";
import { PROCESS_CALLS } from "./process.ts";
import type { SyscallRow } from "./row.ts";
import { SIGNAL_CALLS } from "./signals.ts";
import { SYSTEM_CALLS } from "./system.ts";

/** Every system call that is implemented, ascending; the others give ENOSYS. */
export const SYSCALLS: readonly SyscallRow[] = [
  ...FILE_CALLS,
  ...MEMORY_CALLS,
  ...PROCESS_CALLS,
  ...SIGNAL_CALLS,
  ...EVENT_CALLS,
  ...SYSTEM_CALLS,
].sort((a, b) => a.number - b.number);
