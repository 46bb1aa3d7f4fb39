import { FILE_CAPABILITIES, type Identity } from "../../fs/identity.ts";

/** A set of capabilities: bits 0 to 31 and 32 to 63. */
export interface CapSet {
  readonly lo: number;
  readonly hi: number;
}

/** Numbers of include/uapi/linux/capability.h, as far as something here asks for them. */
export const CAP = {
  CHOWN: 0,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  IPC_LOCK: 14,
  IPC_OWNER: 15,
  SYS_RAWIO: 17,
  SYS_CHROOT: 18,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  SYS_TIME: 25,
} as const;
/** CAP_CHECKPOINT_RESTORE. */
export const LAST_CAPABILITY = 40;

export const NO_CAPS: CapSet = { lo: 0, hi: 0 };
export const ALL_CAPS: CapSet = { lo: 0xffff_ffff, hi: 0x1ff };

export const union = (a: CapSet, b: CapSet): CapSet => ({ lo: (a.lo | b.lo) >>> 0, hi: (a.hi | b.hi) >>> 0 });
export const intersection = (a: CapSet, b: CapSet): CapSet => ({ lo: (a.lo & b.lo) >>> 0, hi: (a.hi & b.hi) >>> 0 });
export const without = (a: CapSet, b: CapSet): CapSet => ({ lo: (a.lo & ~b.lo) >>> 0, hi: (a.hi & ~b.hi) >>> 0 });
export const isSubset = (a: CapSet, b: CapSet): boolean => (a.lo & ~b.lo) === 0 && (a.hi & ~b.hi) === 0;
export const isEmpty = (a: CapSet): boolean => a.lo === 0 && a.hi === 0;
export const contains = (set: CapSet, n: number): boolean => n < 32 ? (set.lo >>> n & 1) !== 0 : (set.hi >>> (n - 32) & 1) !== 0;
export const single = (n: number): CapSet => n < 32 ? { lo: (1 << n) >>> 0, hi: 0 } : { lo: 0, hi: (1 << (n - 32)) >>> 0 };
/** As /proc/PID/status shows it. */
export const capText = (set: CapSet): string => set.hi.toString(16).padStart(8, "0") + set.lo.toString(16).padStart(8, "0");

/** Bits of PR_SET_SECUREBITS: include/uapi/linux/securebits.h. */
export const SECURE = {
  NOROOT: 1,
  NO_SETUID_FIXUP: 4,
  KEEP_CAPS: 0x10,
  KEEP_CAPS_LOCKED: 0x20,
  NO_CAP_AMBIENT_RAISE: 0x40,
  ALL_BITS: 0x55,
  ALL_LOCKS: 0xaa,
} as const;

/** Who a thread is: credentials(7), capabilities(7). Never changes; a thread that becomes somebody else gets another one. */
export interface Credentials extends Identity {
  readonly ruid: number;
  readonly euid: number;
  readonly suid: number;
  readonly rgid: number;
  readonly egid: number;
  readonly sgid: number;
  /** `uid` and `gid` of Identity are the ids for files (setfsuid), `capabilities` the effective ones that files are about. */
  readonly permitted: CapSet;
  readonly effective: CapSet;
  readonly inheritable: CapSet;
  readonly bounding: CapSet;
  readonly ambient: CapSet;
  readonly securebits: number;
}

export type Change = Partial<Omit<Credentials, "capabilities">>;

/** Another one: what `change` says, the rest as it was. */
export function changed(c: Credentials, change: Change): Credentials {
  const next = { ...c, ...change };
  return { ...next, capabilities: next.effective.lo & FILE_CAPABILITIES };
}

export function credentialsOf(uid: number, gid: number, groups: readonly number[]): Credentials {
  const caps = uid === 0 ? ALL_CAPS : NO_CAPS;
  return {
    ruid: uid,
    euid: uid,
    suid: uid,
    uid,
    rgid: gid,
    egid: gid,
    sgid: gid,
    gid,
    groups,
    permitted: caps,
    effective: caps,
    inheritable: NO_CAPS,
    bounding: ALL_CAPS,
    ambient: NO_CAPS,
    securebits: 0,
    capabilities: caps.lo & FILE_CAPABILITIES,
  };
}

export const capable = (c: Credentials, n: number): boolean => contains(c.effective, n);

/** New user ids, the file id following the effective one: capabilities as in cap_emulate_setxuid(), security/commoncap.c. */
export function withUids(c: Credentials, ruid: number, euid: number, suid: number): Credentials {
  const change: { -readonly [K in keyof Change]: Change[K] } = { ruid, euid, suid, uid: euid };
  if ((c.securebits & SECURE.NO_SETUID_FIXUP) === 0) {
    const wasRoot = c.ruid === 0 || c.euid === 0 || c.suid === 0;
    if (wasRoot && ruid !== 0 && euid !== 0 && suid !== 0) {
      if ((c.securebits & SECURE.KEEP_CAPS) === 0) change.permitted = change.effective = NO_CAPS;
      change.ambient = NO_CAPS;
    }
    if (c.euid === 0 && euid !== 0) change.effective = NO_CAPS;
    if (c.euid !== 0 && euid === 0) change.effective = change.permitted ?? c.permitted;
  }
  return changed(c, change);
}

/** CAP_FS_SET: what setfsuid() takes away and gives back (chown, the overrides, fowner, fsetid, linux_immutable, mknod, mac_override). */
const FS_CAPS: CapSet = { lo: 0b11111 | 1 << 9 | 1 << 27, hi: 1 };

export function withFsUid(c: Credentials, uid: number): Credentials {
  if ((c.securebits & SECURE.NO_SETUID_FIXUP) !== 0) return changed(c, { uid });
  if (c.uid === 0 && uid !== 0) return changed(c, { uid, effective: without(c.effective, FS_CAPS) });
  if (c.uid !== 0 && uid === 0) return changed(c, { uid, effective: union(c.effective, intersection(FS_CAPS, c.permitted)) });
  return changed(c, { uid });
}

/** Who access(2) asks for: the real user, with the capabilities that this one would have. */
export function realUser(c: Credentials): Credentials {
  const fixup = (c.securebits & SECURE.NO_SETUID_FIXUP) === 0;
  return changed(c, { uid: c.ruid, gid: c.rgid, effective: !fixup ? c.effective : c.ruid === 0 ? c.permitted : NO_CAPS });
}

/** What a program file says about who runs it. */
export interface SetIds {
  /** Owner and group when the set-id bits say so and count. */
  readonly uid?: number;
  readonly gid?: number;
}

/** execve(2): the credentials of the new image (cap_bprm_creds_from_file()), and whether AT_SECURE is to be set. */
export function executing(c: Credentials, { uid, gid }: SetIds): { credentials: Credentials; secure: boolean } {
  const euid = uid ?? c.euid, egid = gid ?? c.egid;
  const isSetId = euid !== c.euid || egid !== c.egid;
  const rootCounts = (c.securebits & SECURE.NOROOT) === 0;
  const ambient = isSetId ? NO_CAPS : c.ambient;
  const isRoot = rootCounts && (euid === 0 || c.ruid === 0), effectiveRoot = rootCounts && euid === 0;
  const permitted = union(isRoot ? union(c.bounding, c.inheritable) : NO_CAPS, ambient);
  const next = changed(c, {
    euid,
    suid: euid,
    uid: euid,
    egid,
    sgid: egid,
    gid: egid,
    permitted,
    effective: effectiveRoot ? permitted : ambient,
    ambient,
    securebits: c.securebits & ~SECURE.KEEP_CAPS,
  });
  const secure = isSetId || c.ruid !== euid || c.rgid !== egid ||
    c.ruid !== 0 && (effectiveRoot || !isSubset(permitted, ambient));
  return { credentials: same(c, next) ? c : next, secure };
}

function same(a: Credentials, b: Credentials): boolean {
  const caps = ["permitted", "effective", "inheritable", "bounding", "ambient"] as const;
  const ids = ["ruid", "euid", "suid", "uid", "rgid", "egid", "sgid", "gid", "securebits"] as const;
  return ids.every((id) => a[id] === b[id]) && caps.every((set) => a[set].lo === b[set].lo && a[set].hi === b[set].hi);
}

/** Does commit_creds() treat this as a change of who one is: memory is no longer readable by others, the death signal goes? */
export const isSomebodyElse = (a: Credentials, b: Credentials): boolean =>
  a.euid !== b.euid || a.egid !== b.egid || a.uid !== b.uid || a.gid !== b.gid || !isSubset(b.permitted, a.permitted);
