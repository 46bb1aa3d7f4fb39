import { CAPABILITY_CALLS } from "./capabilities.ts";
import { DESCRIPTOR_CALLS } from "./descriptors.ts";
import { EVENT_CALLS } from "./events.ts";
import { FUTEX_CALLS } from "./futex.ts";
import { ID_CALLS } from "./ids.ts";
import { IO_CALLS } from "./io.ts";
import { MEMORY_CALLS } from "./memory.ts";
import { WORKING_DIRECTORY_CALLS } from "./working_directory.ts";
import { NAME_CALLS } from "./names.ts";
import { NUMA_CALLS } from "./numa.ts";
import { OPEN_CALLS } from "./open.ts";
import { PIDFD_CALLS } from "./pidfd.ts";
import { POLL_CALLS } from "./poll.ts";
import { POSIX_MQ_CALLS } from "./posix_mq.ts";
import { PROCESS_CALLS } from "./process.ts";
import { REFUSED_CALLS } from "./refused.ts";
import type { SyscallRow } from "./row.ts";
import { SOCKET_CALLS } from "./sockets.ts";
import { SCHEDULING_CALLS } from "./scheduling.ts";
import { SIGNAL_CALLS } from "./signals.ts";
import { SPACE_CALLS } from "./space.ts";
import { SPLICE_CALLS } from "./splice.ts";
import { STAT_CALLS } from "./stat.ts";
import { SYSTEM_CALLS } from "./system.ts";
import { SYSV_MSG_CALLS } from "./sysv_msg.ts";
import { SYSV_SEM_CALLS } from "./sysv_sem.ts";
import { SYSV_SHM_CALLS } from "./sysv_shm.ts";
import { TIME_CALLS } from "./time.ts";
import { XATTR_CALLS } from "./xattr.ts";

/** Last number of the kernel table this follows (Linux 6.10). Numbers 335 to 423 do not exist on x86-64. */
export const LAST_CALL = 462;

/** Every system call of Linux x86-64, ascending: the one list behind dispatcher, `--strace` and docs/linux-compat.md. */
export const SYSCALLS: readonly SyscallRow[] = [
  ...IO_CALLS,
  ...OPEN_CALLS,
  ...STAT_CALLS,
  ...NAME_CALLS,
  ...WORKING_DIRECTORY_CALLS,
  ...DESCRIPTOR_CALLS,
  ...POLL_CALLS,
  ...SPACE_CALLS,
  ...XATTR_CALLS,
  ...SPLICE_CALLS,
  ...PIDFD_CALLS,
  ...NUMA_CALLS,
  ...MEMORY_CALLS,
  ...PROCESS_CALLS,
  ...FUTEX_CALLS,
  ...SOCKET_CALLS,
  ...EVENT_CALLS,
  ...SIGNAL_CALLS,
  ...TIME_CALLS,
  ...ID_CALLS,
  ...CAPABILITY_CALLS,
  ...SYSTEM_CALLS,
  ...SCHEDULING_CALLS,
  ...SYSV_SHM_CALLS,
  ...SYSV_SEM_CALLS,
  ...SYSV_MSG_CALLS,
  ...POSIX_MQ_CALLS,
  ...REFUSED_CALLS,
].sort((a, b) => a.number - b.number);
