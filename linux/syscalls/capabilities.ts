import { E } from "../abi/errno.ts";
import {
  ALL_CAPS,
  CAP,
  capable,
  type CapSet,
  changed,
  contains,
  intersection,
  isEmpty,
  isSubset,
  LAST_CAPABILITY,
  NO_CAPS,
  SECURE,
  single,
  union,
  without,
} from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";

/** Versions of the header (include/uapi/linux/capability.h), and how many 32-bit parts each set has in them. */
const VERSIONS: Readonly<Record<number, number>> = { 0x1998_0330: 1, 0x2007_1026: 2, 0x2008_0522: 2 };
const NEWEST = 0x2008_0522;
/** struct __user_cap_data_struct: effective, permitted, inheritable. */
const DATA_BYTES = 12;

/** Parts that the data has, or what the call is to give. A version that is not known is answered with the newest. */
function partsOf(t: Thread, dataless: number): number {
  const { user } = t.process;
  const version = user.u32(t.arg(0));
  if (version < 0) return -E.EFAULT;
  const parts = VERSIONS[version];
  if (parts !== undefined) return parts;
  return user.putU32(t.arg(0), NEWEST) ? dataless : -E.EFAULT;
}

function capget(t: Thread): Result {
  const { user } = t.process;
  const parts = partsOf(t, t.arg(1) === 0 ? 0 : -E.EINVAL);
  if (parts <= 0 || t.arg(1) === 0) return Math.min(parts, 0);
  const pid = user.u32(t.arg(0) + 4) | 0;
  if (pid < 0) return -E.EINVAL;
  const target = pid === 0 ? t : t.os.threadById(pid);
  if (target === undefined) return -E.ESRCH;
  const { effective, permitted, inheritable } = target.credentials;
  const at = user.out(t.arg(1), DATA_BYTES * parts);
  if (at < 0) return -E.EFAULT;
  for (let part = 0; part < parts; part++) {
    [effective, permitted, inheritable].forEach((set, i) =>
      user.data.setUint32(at + DATA_BYTES * part + 4 * i, part === 0 ? set.lo : set.hi, true)
    );
  }
  return user.done();
}

function capset(t: Thread): Result {
  const { user } = t.process;
  const parts = partsOf(t, -E.EINVAL);
  if (parts < 0) return parts;
  const pid = user.u32(t.arg(0) + 4) | 0;
  if (pid !== 0 && pid !== t.tid) return -E.EPERM;
  const at = user.in(t.arg(1), DATA_BYTES * parts);
  if (at < 0) return -E.EFAULT;
  const [effective, permitted, inheritable] = [0, 4, 8].map((offset): CapSet => ({
    lo: user.data.getUint32(at + offset, true),
    hi: parts > 1 ? (user.data.getUint32(at + DATA_BYTES + offset, true) & ALL_CAPS.hi) >>> 0 : 0,
  }));
  const c = t.credentials;
  if (!capable(c, CAP.SETPCAP) && !isSubset(inheritable, union(c.inheritable, c.permitted))) return -E.EPERM;
  if (!isSubset(inheritable, union(c.inheritable, c.bounding))) return -E.EPERM;
  if (!isSubset(permitted, c.permitted) || !isSubset(effective, permitted)) return -E.EPERM;
  const ambient = intersection(c.ambient, intersection(permitted, inheritable));
  return t.become(changed(c, { effective, permitted, inheritable, ambient }));
}

// ---- the part of prctl(2) that is about capabilities ------------------------------------------------------------------

const AMBIENT_IS_SET = 1, AMBIENT_RAISE = 2, AMBIENT_LOWER = 3, AMBIENT_CLEAR_ALL = 4;

export function keepCaps(t: Thread, value: number): number {
  const c = t.credentials;
  if (value > 1) return -E.EINVAL;
  if ((c.securebits & SECURE.KEEP_CAPS_LOCKED) !== 0) return -E.EPERM;
  const securebits = value === 1 ? c.securebits | SECURE.KEEP_CAPS : c.securebits & ~SECURE.KEEP_CAPS;
  return t.become(changed(c, { securebits }));
}

export function dropBounding(t: Thread, n: number): number {
  const c = t.credentials;
  if (!capable(c, CAP.SETPCAP)) return -E.EPERM;
  return n > LAST_CAPABILITY ? -E.EINVAL : t.become(changed(c, { bounding: without(c.bounding, single(n)) }));
}

export const readBounding = (t: Thread, n: number): number =>
  n > LAST_CAPABILITY ? -E.EINVAL : contains(t.credentials.bounding, n) ? 1 : 0;

export function setSecurebits(t: Thread, bits: number): number {
  const c = t.credentials;
  const old = c.securebits, locked = (old & SECURE.ALL_LOCKS) >> 1;
  const unlocks = (old & SECURE.ALL_LOCKS & ~bits) !== 0, changesLocked = (locked & (old ^ bits)) !== 0;
  if (unlocks || changesLocked || (bits & ~(SECURE.ALL_BITS | SECURE.ALL_LOCKS)) !== 0 || !capable(c, CAP.SETPCAP)) {
    return -E.EPERM;
  }
  return t.become(changed(c, { securebits: bits }));
}

export function ambient(t: Thread, operation: number, n: number, rest: number): number {
  const c = t.credentials;
  if (operation === AMBIENT_CLEAR_ALL) {
    return n !== 0 || rest !== 0 ? -E.EINVAL : isEmpty(c.ambient) ? 0 : t.become(changed(c, { ambient: NO_CAPS }));
  }
  if (rest !== 0 || n > LAST_CAPABILITY) return -E.EINVAL;
  if (operation === AMBIENT_IS_SET) return contains(c.ambient, n) ? 1 : 0;
  if (operation === AMBIENT_LOWER) return t.become(changed(c, { ambient: without(c.ambient, single(n)) }));
  if (operation !== AMBIENT_RAISE) return -E.EINVAL;
  const may = contains(c.permitted, n) && contains(c.inheritable, n) && (c.securebits & SECURE.NO_CAP_AMBIENT_RAISE) === 0;
  return may ? t.become(changed(c, { ambient: union(c.ambient, single(n)) })) : -E.EPERM;
}

export const CAPABILITY_CALLS: readonly SyscallRow[] = [
  sys(125, "capget", ["ptr", "ptr"], capget),
  sys(126, "capset", ["ptr", "ptr"], capset),
];
