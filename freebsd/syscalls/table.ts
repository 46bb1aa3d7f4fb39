import { CHILD_CALLS } from "./children.ts";
import { DESCRIPTOR_CALLS } from "./descriptors.ts";
import { EVENT_CALLS } from "./events.ts";
import { FILE_CALLS } from "./files.ts";
import { ID_CALLS } from "./ids.ts";
import { IO_CALLS } from "./io.ts";
import { MEMORY_CALLS } from "./memory.ts";
import { NAME_CALLS } from "./names.ts";
import { PROCESS_CALLS } from "./process.ts";
import type { SyscallRow } from "./row.ts";
import { SENDFILE_CALLS } from "./sendfile.ts";
import { SIGNAL_CALLS } from "./signals.ts";
import { SOCKET_CALLS } from "./sockets.ts";
import { SYSTEM_CALLS } from "./system.ts";

/** Every system call that is implemented, ascending; the others give ENOSYS. */
export const SYSCALLS: readonly SyscallRow[] = [
  ...ID_CALLS,
  ...IO_CALLS,
  ...DESCRIPTOR_CALLS,
  ...FILE_CALLS,
  ...NAME_CALLS,
  ...CHILD_CALLS,
  ...SOCKET_CALLS,
  ...SENDFILE_CALLS,
  ...MEMORY_CALLS,
  ...PROCESS_CALLS,
  ...SIGNAL_CALLS,
  ...EVENT_CALLS,
  ...SYSTEM_CALLS,
].sort((a, b) => a.number - b.number);
