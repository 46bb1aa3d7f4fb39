import { E } from "../abi/errno.ts";
import { CAP, capable, changed, type Credentials, withFsUid, withUids } from "../process/credentials.ts";
import type { Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

/** What differs between user and group ids. */
interface Kind {
  readonly capability: number;
  /** Real, effective, saved and file-system id. */
  get(c: Credentials): readonly [number, number, number, number];
  /** New real, effective and saved id; the file-system id follows the effective one. */
  set(c: Credentials, real: number, effective: number, saved: number): Credentials;
  setFs(c: Credentials, id: number): Credentials;
}

const UID: Kind = {
  capability: CAP.SETUID,
  get: (c) => [c.ruid, c.euid, c.suid, c.uid],
  set: withUids,
  setFs: withFsUid,
};
const GID: Kind = {
  capability: CAP.SETGID,
  get: (c) => [c.rgid, c.egid, c.sgid, c.gid],
  set: (c, rgid, egid, sgid) => changed(c, { rgid, egid, sgid, gid: egid }),
  setFs: (c, gid) => changed(c, { gid }),
};

/** An argument that means "as it is". */
const SAME = 0xffff_ffff;

/** setuid(2), setgid(2). */
function setId(t: Thread, kind: Kind): Result {
  const c = t.credentials;
  const id = t.uint(0);
  if (id === SAME) return -E.EINVAL;
  const [real, , saved] = kind.get(c);
  if (capable(c, kind.capability)) return t.become(kind.set(c, id, id, id));
  return id === real || id === saved ? t.become(kind.set(c, real, id, saved)) : -E.EPERM;
}

/** setreuid(2), setregid(2). */
function setReId(t: Thread, kind: Kind): Result {
  const c = t.credentials;
  const [real, effective, saved] = kind.get(c);
  const r = t.uint(0), e = t.uint(1), any = capable(c, kind.capability);
  if (r !== SAME && r !== real && r !== effective && !any) return -E.EPERM;
  if (e !== SAME && e !== real && e !== effective && e !== saved && !any) return -E.EPERM;
  const next = e === SAME ? effective : e;
  const saves = r !== SAME || e !== SAME && e !== real;
  return t.become(kind.set(c, r === SAME ? real : r, next, saves ? next : saved));
}

/** setresuid(2), setresgid(2). */
function setResId(t: Thread, kind: Kind): Result {
  const c = t.credentials;
  const old = kind.get(c).slice(0, 3);
  const wanted = [0, 1, 2].map((i) => t.uint(i) === SAME ? old[i] : t.uint(i));
  if (wanted.some((id) => !old.includes(id)) && !capable(c, kind.capability)) return -E.EPERM;
  return t.become(kind.set(c, wanted[0], wanted[1], wanted[2]));
}

function getResId(t: Thread, kind: Kind): Result {
  const { user } = t.process;
  return kind.get(t.credentials).slice(0, 3).every((id, i) => user.putU32(t.arg(i), id)) ? 0 : -E.EFAULT;
}

/** setfsuid(2), setfsgid(2): the old id, whether it has changed or not. */
function setFsId(t: Thread, kind: Kind): Result {
  const c = t.credentials;
  const ids = kind.get(c), id = t.uint(0);
  if (id !== SAME && (ids.includes(id) || capable(c, kind.capability))) t.become(kind.setFs(c, id));
  return ids[3];
}

const NGROUPS_MAX = 65536;

function getgroups(t: Thread): Result {
  const { groups } = t.credentials;
  const size = t.int(0);
  if (size < 0) return -E.EINVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -E.EINVAL;
  return groups.every((gid, i) => t.process.user.putU32(t.arg(1) + 4 * i, gid)) ? groups.length : -E.EFAULT;
}

function setgroups(t: Thread): Result {
  const size = t.int(0);
  if (!capable(t.credentials, CAP.SETGID)) return -E.EPERM;
  if (size < 0 || size > NGROUPS_MAX) return -E.EINVAL;
  const groups: number[] = [];
  for (let i = 0; i < size; i++) {
    const gid = t.process.user.u32(t.arg(1) + 4 * i);
    if (gid < 0) return -E.EFAULT;
    if (gid === SAME) return -E.EINVAL;
    groups.push(gid);
  }
  return t.become(changed(t.credentials, { groups: groups.sort((a, b) => a - b) }));
}

// ---- process groups and sessions ------------------------------------------------------------------------------------

function processArg(t: Thread, n: number): Process | undefined {
  const pid = t.int(n);
  return pid === 0 ? t.process : t.os.processes.get(pid);
}

function setpgid(t: Thread): Result {
  const p = processArg(t, 0);
  const pgid = t.int(1) === 0 ? p?.pid ?? 0 : t.int(1);
  if (pgid < 0) return -E.EINVAL;
  if (p === undefined || p !== t.process && p.parent !== t.process) return -E.ESRCH;
  if (p !== t.process && p.executed) return -E.EACCES;
  if (p.sid === p.pid || p.sid !== t.process.sid) return -E.EPERM;
  if (pgid !== p.pid && ![...t.os.processes.values()].some((q) => q.pgid === pgid && q.sid === p.sid)) return -E.EPERM;
  p.pgid = pgid;
  return 0;
}

function setsid(t: Thread): Result {
  const p = t.process;
  if ([...t.os.processes.values()].some((q) => q.pgid === p.pid)) return -E.EPERM;
  p.sid = p.pgid = p.pid;
  p.tty = undefined;
  return p.pid;
}

export const ID_CALLS: readonly SyscallRow[] = [
  sys(39, "getpid", [], (t) => t.process.pid),
  sys(102, "getuid", [], (t) => t.credentials.ruid),
  sys(104, "getgid", [], (t) => t.credentials.rgid),
  sys(105, "setuid", ["int"], (t) => setId(t, UID)),
  sys(106, "setgid", ["int"], (t) => setId(t, GID)),
  sys(107, "geteuid", [], (t) => t.credentials.euid),
  sys(108, "getegid", [], (t) => t.credentials.egid),
  sys(109, "setpgid", ["pid", "pid"], setpgid),
  sys(110, "getppid", [], (t) => t.process.parentPid),
  sys(111, "getpgrp", [], (t) => t.process.pgid),
  sys(112, "setsid", [], setsid),
  sys(113, "setreuid", ["int", "int"], (t) => setReId(t, UID)),
  sys(114, "setregid", ["int", "int"], (t) => setReId(t, GID)),
  sys(115, "getgroups", ["int", "ptr"], getgroups),
  sys(116, "setgroups", ["int", "ptr"], setgroups),
  sys(117, "setresuid", ["int", "int", "int"], (t) => setResId(t, UID)),
  sys(118, "getresuid", ["ptr", "ptr", "ptr"], (t) => getResId(t, UID)),
  sys(119, "setresgid", ["int", "int", "int"], (t) => setResId(t, GID)),
  sys(120, "getresgid", ["ptr", "ptr", "ptr"], (t) => getResId(t, GID)),
  sys(121, "getpgid", ["pid"], (t) => processArg(t, 0)?.pgid ?? -E.ESRCH),
  sys(122, "setfsuid", ["int"], (t) => setFsId(t, UID)),
  sys(123, "setfsgid", ["int"], (t) => setFsId(t, GID)),
  sys(124, "getsid", ["pid"], (t) => processArg(t, 0)?.sid ?? -E.ESRCH),
  sys(186, "gettid", [], (t) => t.tid),
];
