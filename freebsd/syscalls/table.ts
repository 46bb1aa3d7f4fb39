import { CHILD_CALLS } from "./children.ts";
import { DESCRIPTOR_CALLS } from "./descriptors.ts";
import { EVENT_CALLS } from "./events.ts";
import { FILE_CALLS } from "./files.ts";
import { IO_CALLS } from "./io.ts";
import { MEMORY_CALLS } from "./memory.ts";
import { NAME_CALLS } from "./names.ts";
import { PROCESS_CALLS } from "./process.ts";
import type { SyscallRow } from "./row.ts";
import { SIGNAL_CALLS } from "./signals.ts";
import { SOCKET_CALLS } from "./sockets.ts";
import { SYSTEM_CALLS } from "./system.ts";

/** Every system call that is implemented, ascending; the others give ENOSYS. */
export const SYSCALLS: readonly SyscallRow[] = [
  ...IO_CALLS,
  ...DESCRIPTOR_CALLS,
  ...FILE_CALLS,
  ...NAME_CALLS,
  ...CHILD_CALLS,
  ...SOCKET_CALLS,
  ...MEMORY_CALLS,
  ...PROCESS_CALLS,
  ...SIGNAL_CALLS,
  ...EVENT_CALLS,
  ...SYSTEM_CALLS,
].sort((a, b) => a.number - b.number);
