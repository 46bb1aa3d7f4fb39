import type { FsStat, FsStatfs } from "../../fs/api.ts";
import { getI64, putU64 } from "../memory/user.ts";

/** struct stat of x86-64 (arch/x86/include/uapi/asm/stat.h): 144 bytes. */
export const STAT_BYTES = 144;

export function putStat(data: DataView, at: number, st: FsStat): void {
  putU64(data, at, st.dev);
  putU64(data, at + 8, st.ino);
  putU64(data, at + 16, st.nlink);
  data.setUint32(at + 24, st.mode, true);
  data.setUint32(at + 28, st.uid, true);
  data.setUint32(at + 32, st.gid, true);
  data.setUint32(at + 36, 0, true);
  putU64(data, at + 40, st.rdev);
  putU64(data, at + 48, st.size);
  putU64(data, at + 56, st.blksize);
  putU64(data, at + 64, st.blocks);
  putTime(data, at + 72, st.atime);
  putTime(data, at + 88, st.mtime);
  putTime(data, at + 104, st.ctime);
  putU64(data, at + 120, 0);
  putU64(data, at + 128, 0);
  putU64(data, at + 136, 0);
}

function putTime(data: DataView, at: number, time: readonly [number, number]): void {
  putU64(data, at, time[0]);
  putU64(data, at + 8, time[1]);
}

/** struct statx (include/uapi/linux/stat.h): 256 bytes. */
export const STATX_BYTES = 256;
const STATX_BASIC_STATS = 0x7ff;

export function putStatx(data: DataView, u8: Uint8Array, at: number, st: FsStat): void {
  u8.fill(0, at, at + STATX_BYTES);
  data.setUint32(at, STATX_BASIC_STATS, true);
  data.setUint32(at + 4, st.blksize, true);
  data.setUint32(at + 16, st.nlink, true);
  data.setUint32(at + 20, st.uid, true);
  data.setUint32(at + 24, st.gid, true);
  data.setUint16(at + 28, st.mode, true);
  putU64(data, at + 32, st.ino);
  putU64(data, at + 40, st.size);
  putU64(data, at + 48, st.blocks);
  putStatxTime(data, at + 64, st.atime);
  putStatxTime(data, at + 96, st.ctime);
  putStatxTime(data, at + 112, st.mtime);
  data.setUint32(at + 128, major(st.rdev), true);
  data.setUint32(at + 132, minor(st.rdev), true);
  data.setUint32(at + 136, major(st.dev), true);
  data.setUint32(at + 140, minor(st.dev), true);
}

function putStatxTime(data: DataView, at: number, time: readonly [number, number]): void {
  putU64(data, at, time[0]);
  data.setUint32(at + 8, time[1], true);
}

/** new_decode_dev of include/linux/kdev_t.h. */
export const major = (dev: number): number => dev >>> 8 & 0xfff;
export const minor = (dev: number): number => dev & 0xff | dev >>> 12 & 0xfff00;

/** struct statfs: 120 bytes (asm-generic/statfs.h). */
export const STATFS_BYTES = 120;
const ST_RDONLY = 1, ST_VALID = 0x20;

export function putStatfs(data: DataView, u8: Uint8Array, at: number, st: FsStatfs): void {
  u8.fill(0, at, at + STATFS_BYTES);
  putU64(data, at, st.type);
  putU64(data, at + 8, st.bsize);
  putU64(data, at + 16, st.blocks);
  putU64(data, at + 24, st.bfree);
  putU64(data, at + 32, st.bfree);
  putU64(data, at + 40, st.files);
  putU64(data, at + 48, st.ffree);
  putU64(data, at + 64, st.namelen);
  putU64(data, at + 72, st.bsize);
  putU64(data, at + 80, ST_VALID | (st.readOnly ? ST_RDONLY : 0));
}

const NS = 1_000_000_000;

/** A struct timespec at `at`: its nanoseconds in total (Infinity when beyond 2^53), or -1 when it is not valid. */
export function timespecNs(data: DataView, at: number): number {
  const seconds = getI64(data, at);
  const ns = getI64(data, at + 8);
  if (seconds < 0 || ns < 0 || ns >= NS) return -1;
  const total = seconds * NS + ns;
  return Number.isSafeInteger(total) ? total : Infinity;
}
