import type { Result } from "../../linux/process/wait.ts";
import { E } from "../abi/errno.ts";
import type { Thread } from "../thread.ts";
import { sys, type SyscallRow } from "./row.ts";

/** NGROUPS_MAX + 1. */
const GROUPS_MAX = 1024;

function getgroups(t: Thread): Result {
  const { groups, user } = t.process, room = t.int(0);
  if (room === 0) return groups.length;
  if (room < groups.length) return -E.EINVAL;
  return user.putBytes(t.arg(1), new Uint8Array(Uint32Array.from(groups).buffer)) ? groups.length : -E.EFAULT;
}

function setgroups(t: Thread): Result {
  const count = t.int(0), { process } = t;
  if (process.ids.euid !== 0) return -E.EPERM;
  if (count < 0 || count > GROUPS_MAX) return -E.EINVAL;
  const groups = Array.from({ length: count }, (_, i) => process.user.u32(t.arg(1) + 4 * i));
  if (groups.some(Number.isNaN)) return -E.EFAULT;
  process.groups = groups;
  return 0;
}

type Ids = Thread["process"]["ids"];

/** Sets ids to the argument: for root any, for others only those that they have. */
const set = (...names: readonly (keyof Ids)[]) => (t: Thread): Result => {
  const { ids } = t.process, id = t.uint(0), own = names[0].endsWith("uid") ? [ids.uid, ids.euid] : [ids.gid, ids.egid];
  if (ids.euid !== 0 && !own.includes(id)) return -E.EPERM;
  for (const name of names) ids[name] = id;
  return 0;
};

export const ID_CALLS: readonly SyscallRow[] = [
  sys(23, "setuid", 1, set("uid", "euid"), "files do not know of it"),
  sys(24, "getuid", 0, (t) => t.process.ids.uid),
  sys(25, "geteuid", 0, (t) => t.process.ids.euid),
  sys(43, "getegid", 0, (t) => t.process.ids.egid),
  sys(47, "getgid", 0, (t) => t.process.ids.gid),
  sys(79, "getgroups", 2, getgroups),
  sys(80, "setgroups", 2, setgroups, "files do not know of it"),
  sys(181, "setgid", 1, set("gid", "egid"), "files do not know of it"),
  sys(182, "setegid", 1, set("egid"), "files do not know of it"),
  sys(183, "seteuid", 1, set("euid"), "files do not know of it"),
];
