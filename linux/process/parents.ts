import type { Personality } from "../personality.ts";
import { CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SA_NOCLDSTOP, SA_NOCLDWAIT, SIG, SIG_IGN } from "../signals/numbers.ts";
import { sigInfo } from "../signals/state.ts";
import { Life, type Process } from "./process.ts";

/** A child whose parent has ended goes to the nearest subreaper, or to init, which reaps at once. */
export function adopt(os: Personality, child: Process, dead: Process): void {
  dead.children.splice(dead.children.indexOf(child), 1);
  let heir = dead.parent;
  while (heir !== undefined && !heir.subreaper) heir = heir.parent;
  child.parent = heir;
  if (heir !== undefined) {
    heir.children.push(child);
    if (child.life === Life.Zombie) bury(os, child);
  } else if (child.life === Life.Zombie) {
    reap(os, child);
  }
  if (child.deathSignal !== 0) os.signals.sendToProcess(child, sigInfo(child.deathSignal, 0, dead.pid));
}

/** Tells the parent about a zombie; without a parent that wants to know, it goes away. */
export function bury(os: Personality, p: Process): void {
  const { parent } = p;
  if (parent === undefined) return reap(os, p);
  const action = parent.actions.table[SIG.CHLD];
  const unwanted = p.exitSignal === SIG.CHLD && (action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0);
  const code = (p.exitStatus & 0x7f) === 0 ? CLD_EXITED : (p.exitStatus & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED;
  tellParent(os, p, code, code === CLD_EXITED ? p.exitStatus >> 8 : p.exitStatus & 0x7f);
  if (unwanted) reap(os, p);
}

/** SIGCHLD and a wake for wait4. */
export function tellParent(os: Personality, p: Process, code: number, status: number): void {
  const { parent } = p;
  if (parent === undefined) return;
  const signal = code <= CLD_DUMPED ? p.exitSignal : SIG.CHLD;
  const quiet = code >= CLD_STOPPED && (parent.actions.table[SIG.CHLD].flags & SA_NOCLDSTOP) !== 0;
  if (signal !== 0 && !quiet) {
    const info = sigInfo(signal, code, p.pid, p.credentials.ruid);
    info.status = status;
    os.signals.sendToProcess(parent, info);
  }
  parent.childQueue.wakeAll();
}

/** The zombie has been waited for. */
export function reap(os: Personality, p: Process): void {
  p.life = Life.Gone;
  const { parent } = p;
  if (parent !== undefined) {
    const i = parent.children.indexOf(p);
    if (i >= 0) parent.children.splice(i, 1);
    parent.childrenTime += p.cpuTime + p.childrenTime;
  }
  os.processes.delete(p.pid);
}
