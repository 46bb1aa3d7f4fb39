/** Linux numbers of the file interface. Sources: include/uapi/asm-generic/fcntl.h (x86-64 values), linux/stat.h, linux/fs.h. */
export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_NOATIME = 0o1000000;
export const O_PATH = 0o10000000;
/** __O_TMPFILE | O_DIRECTORY. */
export const O_TMPFILE = 0o20200000;

/**
 * Opens a program to run it: needs the right to execute instead of that to read, and a regular file. While such a handle is open nobody
 * may write to the file (ETXTBSY). No O_* bit of Linux; its kernel has the same one inside (FMODE_EXEC).
 */
export const O_EXEC = 0o40;

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IXGRP = 0o010;
/** Permission, set-id and sticky bits. */
export const S_PERM = 0o7777;

/** DT_* of getdents64 is the file type shifted: IFTODT() of dirent.h. */
export const directoryType = (mode: number): number => (mode & S_IFMT) >> 12;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export const RENAME_WHITEOUT = 4;

/** RESOLVE_* of include/uapi/linux/openat2.h. */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16, CACHED: 32 } as const;

/** Bytes without the final 0 (NAME_MAX) and with it (PATH_MAX): linux/limits.h. */
export const NAME_MAX = 255;
export const PATH_MAX = 4096;
/** Symlinks followed in one walk: MAXSYMLINKS, linux/namei.h. */
export const MAX_SYMLINKS = 40;

/** statfs f_type: linux/magic.h. */
export const TMPFS_MAGIC = 0x01021994;
export const EXT4_SUPER_MAGIC = 0xef53;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const SYSFS_MAGIC = 0x62656572;
