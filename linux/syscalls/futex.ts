import { E } from "../abi/errno.ts";
import { futex } from "../process/futex.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

/** struct robust_list_head. */
const ROBUST_HEAD_BYTES = 24;

function setRobustList(t: Thread): Result {
  if (t.arg(1) !== ROBUST_HEAD_BYTES) return -E.EINVAL;
  t.robustList = t.arg(0);
  return 0;
}

function getRobustList(t: Thread): Result {
  const tid = t.int(0);
  const other = tid === 0 ? t : t.os.threadById(tid);
  if (other === undefined) return -E.ESRCH;
  const { user } = t.process;
  if (!user.putU64(t.arg(2), ROBUST_HEAD_BYTES)) return -E.EFAULT;
  return user.putU64(t.arg(1), other.robustList) ? 0 : -E.EFAULT;
}

export const FUTEX_CALLS: readonly SyscallRow[] = [
  sys(202, "futex", ["ptr", "futexop", "uint", "ptr", "ptr", "hex"], futex, "priorities are not inherited; no WAIT_REQUEUE_PI"),
  sys(273, "set_robust_list", ["ptr", "size"], setRobustList),
  sys(274, "get_robust_list", ["pid", "ptr", "ptr"], getRobustList),
];
