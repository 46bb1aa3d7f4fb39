import type { FsStat } from "./api.ts";

/** A buffer for the attributes of a file. */
export const emptyStat = (): FsStat => ({
  dev: 0,
  ino: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  blksize: 0,
  blocks: 0,
  atime: [0, 0],
  mtime: [0, 0],
  ctime: [0, 0],
});
