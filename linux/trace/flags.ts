import * as F from "../abi/fcntl.ts";
import * as M from "../abi/mman.ts";

/** Names of bits, in the order strace prints them. */
export type FlagTable = readonly (readonly [number, string])[];

/** "A|B|0x8": known bits by name, the rest in hexadecimal; `zero` when nothing is set. */
export function flagNames(value: number, table: FlagTable, zero = "0"): string {
  let rest = value >>> 0;
  const names: string[] = [];
  for (const [bits, name] of table) {
    if (bits !== 0 && (rest & bits) >>> 0 === bits >>> 0) {
      names.push(name);
      rest = (rest & ~bits) >>> 0;
    }
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? zero : names.join("|");
}

/** The name of a plain value. */
export function valueName(value: number, table: Readonly<Record<string, number>>, prefix = ""): string {
  for (const [name, known] of Object.entries(table)) if (known === value) return prefix + name;
  return String(value);
}

// deno-fmt-ignore
export const OPEN_FLAGS: FlagTable = [
  [F.O_TMPFILE, "O_TMPFILE"], [F.O_SYNC, "O_SYNC"], [F.O_CREAT, "O_CREAT"], [F.O_EXCL, "O_EXCL"], [F.O_NOCTTY, "O_NOCTTY"],
  [F.O_TRUNC, "O_TRUNC"], [F.O_APPEND, "O_APPEND"], [F.O_NONBLOCK, "O_NONBLOCK"], [F.O_DSYNC, "O_DSYNC"], [F.O_DIRECT, "O_DIRECT"],
  [F.O_LARGEFILE, "O_LARGEFILE"], [F.O_NOFOLLOW, "O_NOFOLLOW"], [F.O_NOATIME, "O_NOATIME"], [F.O_CLOEXEC, "O_CLOEXEC"],
  [F.O_PATH, "O_PATH"], [F.O_DIRECTORY, "O_DIRECTORY"],
];

export function openFlags(value: number): string {
  const access = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][value & F.O_ACCMODE];
  const rest = value & ~F.O_ACCMODE;
  return rest === 0 ? access : `${access}|${flagNames(rest, OPEN_FLAGS)}`;
}

export const PROT_FLAGS: FlagTable = [[M.PROT_READ, "PROT_READ"], [M.PROT_WRITE, "PROT_WRITE"], [M.PROT_EXEC, "PROT_EXEC"]];

// deno-fmt-ignore
export const MAP_FLAGS: FlagTable = [
  [M.MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"], [M.MAP_SHARED, "MAP_SHARED"], [M.MAP_PRIVATE, "MAP_PRIVATE"], [M.MAP_FIXED, "MAP_FIXED"],
  [M.MAP_ANONYMOUS, "MAP_ANONYMOUS"], [M.MAP_32BIT, "MAP_32BIT"], [M.MAP_GROWSDOWN, "MAP_GROWSDOWN"], [0x800, "MAP_DENYWRITE"],
  [M.MAP_LOCKED, "MAP_LOCKED"], [M.MAP_NORESERVE, "MAP_NORESERVE"], [M.MAP_POPULATE, "MAP_POPULATE"], [M.MAP_STACK, "MAP_STACK"],
  [M.MAP_HUGETLB, "MAP_HUGETLB"], [M.MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"],
];

// deno-fmt-ignore
export const AT_FLAGS: FlagTable = [
  [F.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"], [F.AT_REMOVEDIR, "AT_REMOVEDIR"], [F.AT_SYMLINK_FOLLOW, "AT_SYMLINK_FOLLOW"],
  [F.AT_NO_AUTOMOUNT, "AT_NO_AUTOMOUNT"], [F.AT_EMPTY_PATH, "AT_EMPTY_PATH"],
];

export const ACCESS_FLAGS: FlagTable = [[4, "R_OK"], [2, "W_OK"], [1, "X_OK"]];

// deno-fmt-ignore
export const CLONE_FLAGS: FlagTable = [
  [0x100, "CLONE_VM"], [0x200, "CLONE_FS"], [0x400, "CLONE_FILES"], [0x800, "CLONE_SIGHAND"], [0x1000, "CLONE_PIDFD"],
  [0x4000, "CLONE_VFORK"], [0x8000, "CLONE_PARENT"], [0x10000, "CLONE_THREAD"], [0x40000, "CLONE_SYSVSEM"], [0x80000, "CLONE_SETTLS"],
  [0x100000, "CLONE_PARENT_SETTID"], [0x200000, "CLONE_CHILD_CLEARTID"], [0x400000, "CLONE_DETACHED"], [0x1000000, "CLONE_CHILD_SETTID"],
  [17, "SIGCHLD"],
];

export const WAIT_FLAGS: FlagTable = [[1, "WNOHANG"], [2, "WSTOPPED"], [4, "WEXITED"], [8, "WCONTINUED"], [0x1000000, "WNOWAIT"]];
// deno-fmt-ignore
export const POLL_FLAGS: FlagTable = [
  [1, "POLLIN"], [2, "POLLPRI"], [4, "POLLOUT"], [8, "POLLERR"], [0x10, "POLLHUP"], [0x20, "POLLNVAL"], [0x40, "POLLRDNORM"],
  [0x80, "POLLRDBAND"], [0x100, "POLLWRNORM"], [0x200, "POLLWRBAND"], [0x2000, "POLLRDHUP"],
];
export const RANDOM_FLAGS: FlagTable = [[1, "GRND_NONBLOCK"], [2, "GRND_RANDOM"], [4, "GRND_INSECURE"]];
export const RENAME_FLAGS: FlagTable = [[1, "RENAME_NOREPLACE"], [2, "RENAME_EXCHANGE"], [4, "RENAME_WHITEOUT"]];

export const WHENCE = ["SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"] as const;
export const MASK_HOW = ["SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"] as const;
// deno-fmt-ignore
export const CLOCKS = [
  "CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID", "CLOCK_MONOTONIC_RAW",
  "CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME",
] as const;
// deno-fmt-ignore
export const PRCTLS: Readonly<Record<string, number>> = {
  PR_SET_PDEATHSIG: 1, PR_GET_PDEATHSIG: 2, PR_GET_DUMPABLE: 3, PR_SET_DUMPABLE: 4, PR_SET_NAME: 15, PR_GET_NAME: 16, PR_CAPBSET_READ: 23,
  PR_SET_CHILD_SUBREAPER: 36, PR_SET_NO_NEW_PRIVS: 38, PR_GET_NO_NEW_PRIVS: 39, PR_SET_VMA: 0x53564d41,
};
export const ARCH_PRCTLS: Readonly<Record<string, number>> = {
  ARCH_SET_GS: 0x1001,
  ARCH_SET_FS: 0x1002,
  ARCH_GET_FS: 0x1003,
  ARCH_GET_GS: 0x1004,
  ARCH_CET_STATUS: 0x3001,
};
