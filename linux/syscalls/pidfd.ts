import { E } from "../abi/errno.ts";
import { O_NONBLOCK } from "../abi/fcntl.ts";
import type { OpenFile } from "../files/open_file.ts";
import { PidFd } from "../files/pidfd.ts";
import { VirtualFile } from "../files/virtual.ts";
import { mayKill, mayTrace } from "../process/access.ts";
import { Life, type Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { SI_TKILL, SI_USER } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { install } from "./events.ts";
import { sys, type SyscallRow } from "./row.ts";
import { queuedInfo } from "./signals.ts";
import { fileArg } from "./util.ts";

function pidfdOpen(t: Thread): Result {
  const pid = t.int(0), flags = t.uint(1);
  if ((flags & ~O_NONBLOCK) !== 0 || pid <= 0) return -E.EINVAL;
  const p = t.os.processes.get(pid);
  if (p === undefined) return t.os.threadById(pid) === undefined ? -E.ESRCH : -E.EINVAL;
  return install(t, new PidFd(p, t.os.nextInode(), flags), true);
}

/** Of a descriptor from pidfd_open(), or of a process's directory in /proc, which signals may be sent through just as well. */
function processBehind(file: OpenFile | undefined): Process | undefined {
  if (file instanceof PidFd) return file.process;
  return file instanceof VirtualFile && file.node.kind === "directory" ? file.node.process : undefined;
}

function pidfdSendSignal(t: Thread): Result {
  const p = processBehind(fileArg(t, 0));
  if (p === undefined) return -E.EBADF;
  if (t.uint(3) !== 0) return -E.EINVAL;
  const signal = t.int(1);
  if (signal < 0 || signal > 64) return -E.EINVAL;
  if (p.life === Life.Gone) return -E.ESRCH;
  if (!mayKill(t, p, signal)) return -E.EPERM;
  const info = t.arg(2) === 0
    ? sigInfo(signal, SI_USER, t.process.pid, t.credentials.ruid)
    : queuedInfo(t, signal, t.arg(2), p === t.process);
  if (typeof info === "number") return info;
  if (info.signal !== signal || t.arg(2) !== 0 && info.code === SI_TKILL && p !== t.process) return -E.EINVAL;
  if (signal !== 0) t.os.signals.sendToProcess(p, info);
  return 0;
}

function pidfdGetfd(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined || !(file instanceof PidFd)) return -E.EBADF;
  if (t.uint(2) !== 0) return -E.EINVAL;
  const p = file.process;
  if (p.life === Life.Zombie || p.life === Life.Gone) return -E.ESRCH;
  if (!mayTrace(t, p, true)) return -E.EPERM;
  const other = p.files.get(t.int(1));
  return other === undefined ? -E.EBADF : install(t, other.dup(), true);
}

export const PIDFD_CALLS: readonly SyscallRow[] = [
  sys(424, "pidfd_send_signal", ["fd", "signal", "ptr", "hex"], pidfdSendSignal),
  sys(434, "pidfd_open", ["pid", "hex"], pidfdOpen),
  sys(438, "pidfd_getfd", ["fd", "fd", "hex"], pidfdGetfd),
];
