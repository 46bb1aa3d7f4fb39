import { E } from "../abi/errno.ts";
import type { Credentials, Process } from "../process/process.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

type Kind = "uid" | "gid";
const NAMES = { uid: ["uid", "euid", "suid"], gid: ["gid", "egid", "sgid"] } as const;

/** Real, effective, saved id of a kind. */
function ids(c: Credentials, kind: Kind): [number, number, number] {
  const [r, e, s] = NAMES[kind];
  return [c[r], c[e], c[s]];
}

function setIds(c: Credentials, kind: Kind, values: readonly number[]): void {
  NAMES[kind].forEach((name, i) => void (c[name] = values[i]));
}

const privileged = (c: Credentials): boolean => c.euid === 0;

/** setuid(2), setgid(2). */
function setId(t: Thread, kind: Kind): Result {
  const c = t.process.credentials;
  const id = t.uint(0);
  if (id === 0xffff_ffff) return -E.EINVAL;
  const [real, , saved] = ids(c, kind);
  if (privileged(c)) setIds(c, kind, [id, id, id]);
  else if (id === real || id === saved) setIds(c, kind, [real, id, saved]);
  else return -E.EPERM;
  return 0;
}

/** setreuid(2), setregid(2). */
function setReId(t: Thread, kind: Kind): Result {
  const c = t.process.credentials;
  const [real, effective, saved] = ids(c, kind);
  const r = t.int(0) === -1 ? real : t.uint(0);
  const e = t.int(1) === -1 ? effective : t.uint(1);
  if (!privileged(c) && (r !== real && r !== effective || ![real, effective, saved].includes(e))) return -E.EPERM;
  const s = t.int(0) !== -1 || e !== real ? e : saved;
  setIds(c, kind, [r, e, s]);
  return 0;
}

/** setresuid(2), setresgid(2). */
function setResId(t: Thread, kind: Kind): Result {
  const c = t.process.credentials;
  const old = ids(c, kind);
  const wanted = [0, 1, 2].map((i) => t.int(i) === -1 ? old[i] : t.uint(i));
  if (!privileged(c) && wanted.some((id) => !old.includes(id))) return -E.EPERM;
  setIds(c, kind, wanted);
  return 0;
}

function getResId(t: Thread, kind: Kind): Result {
  const { user, credentials } = t.process;
  return ids(credentials, kind).every((id, i) => user.putU32(t.arg(i), id)) ? 0 : -E.EFAULT;
}

function getgroups(t: Thread): Result {
  const { groups } = t.process.credentials;
  const size = t.int(0);
  if (size < 0) return -E.EINVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -E.EINVAL;
  return groups.every((gid, i) => t.process.user.putU32(t.arg(1) + 4 * i, gid)) ? groups.length : -E.EFAULT;
}

function setgroups(t: Thread): Result {
  const { credentials, user } = t.process;
  const size = t.int(0);
  if (!privileged(credentials)) return -E.EPERM;
  if (size < 0 || size > 65536) return -E.EINVAL;
  const groups: number[] = [];
  for (let i = 0; i < size; i++) {
    const gid = user.u32(t.arg(1) + 4 * i);
    if (gid < 0) return -E.EFAULT;
    groups.push(gid);
  }
  credentials.groups = groups;
  return 0;
}

/** setfsuid, setfsgid: the file-system id is the effective id. */
function fsId(t: Thread, kind: Kind): Result {
  return t.process.credentials[kind === "uid" ? "euid" : "egid"];
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
  sys(102, "getuid", [], (t) => t.process.credentials.uid),
  sys(104, "getgid", [], (t) => t.process.credentials.gid),
  sys(105, "setuid", ["int"], (t) => setId(t, "uid")),
  sys(106, "setgid", ["int"], (t) => setId(t, "gid")),
  sys(107, "geteuid", [], (t) => t.process.credentials.euid),
  sys(108, "getegid", [], (t) => t.process.credentials.egid),
  sys(109, "setpgid", ["pid", "pid"], setpgid),
  sys(110, "getppid", [], (t) => t.process.parentPid),
  sys(111, "getpgrp", [], (t) => t.process.pgid),
  sys(112, "setsid", [], setsid),
  sys(113, "setreuid", ["int", "int"], (t) => setReId(t, "uid")),
  sys(114, "setregid", ["int", "int"], (t) => setReId(t, "gid")),
  sys(115, "getgroups", ["int", "ptr"], getgroups),
  sys(116, "setgroups", ["int", "ptr"], setgroups),
  sys(117, "setresuid", ["int", "int", "int"], (t) => setResId(t, "uid")),
  sys(118, "getresuid", ["ptr", "ptr", "ptr"], (t) => getResId(t, "uid")),
  sys(119, "setresgid", ["int", "int", "int"], (t) => setResId(t, "gid")),
  sys(120, "getresgid", ["ptr", "ptr", "ptr"], (t) => getResId(t, "gid")),
  sys(121, "getpgid", ["pid"], (t) => processArg(t, 0)?.pgid ?? -E.ESRCH),
  sys(122, "setfsuid", ["int"], (t) => fsId(t, "uid"), "the file-system id is always the effective id"),
  sys(123, "setfsgid", ["int"], (t) => fsId(t, "gid"), "the file-system id is always the effective id"),
  sys(124, "getsid", ["pid"], (t) => processArg(t, 0)?.sid ?? -E.ESRCH),
  sys(186, "gettid", [], (t) => t.tid),
];
