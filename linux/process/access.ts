import type { FsStat } from "../../fs/api.ts";
import { modePermits } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import { SIG } from "../signals/numbers.ts";
import { CAP, capable, isSubset } from "./credentials.ts";
import type { Process } from "./process.ts";
import type { Thread } from "./thread.ts";

/** kill(2): may `t` send `signal` to `p`? check_kill_permission(). */
export function mayKill(t: Thread, p: Process, signal: number): boolean {
  const { euid, ruid } = t.credentials, to = p.credentials;
  return p === t.process || euid === to.suid || euid === to.ruid || ruid === to.suid || ruid === to.ruid ||
    capable(t.credentials, CAP.KILL) || signal === SIG.CONT && p.sid === t.process.sid;
}

/** ptrace(2), "Ptrace access mode checking": may `t` look into `p`? `real`: its real ids count, else those for files. */
export function mayTrace(t: Thread, p: Process, real: boolean): boolean {
  if (p === t.process) return true;
  const c = t.credentials, to = p.credentials, any = capable(c, CAP.SYS_PTRACE);
  const uid = real ? c.ruid : c.uid, gid = real ? c.rgid : c.gid;
  const sameUser = uid === to.euid && uid === to.suid && uid === to.ruid && gid === to.egid && gid === to.sgid && gid === to.rgid;
  if (!sameUser && !any) return false;
  return any || p.dumpable === 1 && isSubset(to.permitted, real ? c.permitted : c.effective);
}

/** May `t` change priority, affinity or scheduling of `p`? */
export function mayReschedule(t: Thread, p: Process): boolean {
  const { euid } = t.credentials;
  return euid === p.credentials.euid || euid === p.credentials.ruid || capable(t.credentials, CAP.SYS_NICE);
}

/** A permission check of a file that the personality itself shows: 0 or -EACCES. */
export const permitsMode = (t: Thread, stat: FsStat, mask: number): number =>
  modePermits(t.credentials, stat, mask) ? 0 : -E.EACCES;
