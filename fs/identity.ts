/** Who asks: user and groups of a request, and the permission rules of POSIX and capabilities(7) that follow from them. */
import { EACCES, EPERM, EROFS } from "../host/errno.ts";
import type { FsStat } from "./api.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP } from "./flags.ts";
import type { Node } from "./node.ts";
import { emptyStat } from "./empty_stat.ts";

/** Bits of a permission check, as in access(2) and in each digit of a mode. */
export const MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4;

/** Capabilities that files are about, as bits 1 << number of include/uapi/linux/capability.h. */
export const CAP = {
  CHOWN: 1 << 0,
  DAC_OVERRIDE: 1 << 1,
  DAC_READ_SEARCH: 1 << 2,
  FOWNER: 1 << 3,
  FSETID: 1 << 4,
  SYS_ADMIN: 1 << 21,
  MKNOD: 1 << 27,
} as const;
export const FILE_CAPABILITIES = CAP.CHOWN | CAP.DAC_OVERRIDE | CAP.DAC_READ_SEARCH | CAP.FOWNER | CAP.FSETID | CAP.SYS_ADMIN |
  CAP.MKNOD;

/** Never changes: who becomes somebody else gets another one. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** CAP bits. */
  readonly capabilities: number;
}

export const SUPERUSER: Identity = { uid: 0, gid: 0, groups: [], capabilities: FILE_CAPABILITIES };

/** One buffer for all checks: none is in use across a call. */
const scratch: FsStat = emptyStat();

export const has = (who: Identity, capability: number): boolean => (who.capabilities & capability) !== 0;
export const inGroup = (who: Identity, gid: number): boolean => who.gid === gid || who.groups.includes(gid);

/** Searches every directory without looking at its mode. */
export const searchesAll = (who: Identity): boolean => has(who, CAP.DAC_OVERRIDE | CAP.DAC_READ_SEARCH);

/** inode_permission() of fs/namei.c: 0, -EACCES or -EROFS. `mask` of MAY_* bits. */
export function permits(who: Identity, node: Node, mask: number): number {
  const { type } = node;
  if ((mask & MAY_WRITE) !== 0 && node.fs.readOnly && (type === S_IFREG || type === S_IFDIR || type === S_IFLNK)) return -EROFS;
  const isDirectory = type === S_IFDIR;
  // Whoever overrides needs no look at the mode, except for programs.
  if (has(who, CAP.DAC_OVERRIDE) && (isDirectory || (mask & MAY_EXEC) === 0)) return 0;
  const status = node.stat(scratch);
  if (status < 0) return status;
  return modePermits(who, scratch, mask) ? 0 : -EACCES;
}

/** generic_permission(): the rules of the mode, with the capabilities that override them. */
export function modePermits(who: Identity, stat: Pick<FsStat, "mode" | "uid" | "gid">, mask: number): boolean {
  const { mode } = stat, isDirectory = (mode & S_IFMT) === S_IFDIR;
  const shift = who.uid === stat.uid ? 6 : inGroup(who, stat.gid) ? 3 : 0;
  if ((mask & ~(mode >> shift)) === 0) return true;
  const override = has(who, CAP.DAC_OVERRIDE), search = override || has(who, CAP.DAC_READ_SEARCH);
  if (isDirectory) return (mask & MAY_WRITE) === 0 ? search : override;
  if (mask === MAY_READ) return search;
  return override && ((mask & MAY_EXEC) === 0 || (mode & 0o111) !== 0);
}

/** May `node` be removed from `directory`, as far as the sticky bit goes? 0 or -EPERM. */
export function mayRemove(who: Identity, directory: Node, node: Node): number {
  if (has(who, CAP.FOWNER) || directory.stat(scratch) < 0 || (scratch.mode & S_ISVTX) === 0 || scratch.uid === who.uid) return 0;
  return owns(who, node) ? 0 : -EPERM;
}

/** May another name be made for `node`? As with fs.protected_hardlinks = 1, may_linkat(). */
export function mayLink(who: Identity, node: Node): number {
  if (owns(who, node)) return 0;
  const { mode } = scratch, isProgram = (mode & S_ISUID) !== 0 || (mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  return node.type !== S_IFREG || isProgram || permits(who, node, MAY_READ | MAY_WRITE) < 0 ? -EPERM : 0;
}

/** Is `who` the owner, or allowed to act as one? */
export const owns = (who: Identity, node: Node): boolean =>
  has(who, CAP.FOWNER) || node.stat(scratch) >= 0 && scratch.uid === who.uid;

/** chmod(2), notify_change(). */
export function chmod(who: Identity, node: Node, mode: number): number {
  if (node.fs.readOnly) return -EROFS;
  if (!owns(who, node)) return -EPERM;
  if ((mode & S_ISGID) === 0 || has(who, CAP.FSETID)) return node.chmod(mode);
  node.stat(scratch);
  return node.chmod(inGroup(who, scratch.gid) ? mode : mode & ~S_ISGID);
}

/** chown(2), -1 leaves one alone. Set-id bits go, whoever asks. */
export function chown(who: Identity, node: Node, uid: number, gid: number): number {
  if (node.fs.readOnly) return -EROFS;
  const status = node.stat(scratch);
  if (status < 0) return status;
  const { mode } = scratch, mine = scratch.uid === who.uid, any = has(who, CAP.CHOWN);
  if (uid !== -1 && !any && !(mine && uid === scratch.uid)) return -EPERM;
  if (gid !== -1 && !any && !(mine && (gid === scratch.gid || inGroup(who, gid)))) return -EPERM;
  const changed = node.chown(uid, gid);
  return changed < 0 || node.isDirectory ? changed : dropSetIds(who, node, mode);
}

/** Takes the set-id bits from a mode that has them, as a write by somebody without CAP_FSETID does. */
function dropSetIds(who: Identity, node: Node, mode: number): number {
  let kept = mode & ~S_ISUID;
  if ((mode & S_IXGRP) !== 0 || !inGroup(who, scratch.gid) && !has(who, CAP.FSETID)) kept &= ~S_ISGID;
  return kept === mode ? 0 : node.chmod(kept);
}

/** Before contents change: file_remove_privs(). */
export function written(who: Identity, node: Node): void {
  if (has(who, CAP.FSETID) || node.type !== S_IFREG || node.stat(scratch) < 0) return;
  if ((scratch.mode & (S_ISUID | S_ISGID)) !== 0) dropSetIds(who, node, scratch.mode);
}

/** utimensat(2): times of one's choice are the owner's right; the present time needs write permission only. */
export function mayTouch(who: Identity, node: Node, isNow: boolean): number {
  if (node.fs.readOnly) return -EROFS;
  if (owns(who, node)) return 0;
  return isNow ? permits(who, node, MAY_WRITE) : -EPERM;
}

/** Mode of a file that is made in `directory`: inode_init_owner() and mode_strip_sgid(). */
export function newMode(who: Identity, directory: Node, mode: number, isDirectory: boolean): number {
  if (!isDirectory && (mode & (S_ISGID | S_IXGRP)) !== (S_ISGID | S_IXGRP)) return mode;
  if (directory.stat(scratch) < 0 || (scratch.mode & S_ISGID) === 0) return mode;
  if (isDirectory) return mode | S_ISGID;
  return inGroup(who, scratch.gid) || has(who, CAP.FSETID) ? mode : mode & ~S_ISGID;
}

/** Gives a new file its owner: `who`, and the group of a directory that passes it on. */
export function own(who: Identity, directory: Node, node: Node): void {
  if (directory.stat(scratch) < 0) return;
  const gid = (scratch.mode & S_ISGID) !== 0 ? scratch.gid : who.gid;
  if (node.stat(scratch) < 0 || scratch.uid === who.uid && scratch.gid === gid) return;
  // Where the owner is not ours to set (a directory of the host) it stays what it is.
  node.chown(who.uid, gid);
}
