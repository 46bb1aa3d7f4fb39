/** What a user reads when a program cannot be started. */
import * as errno from "../host/errno.ts";

const REASON: Readonly<Record<number, string>> = {
  [errno.ENOENT]: "no such file",
  [errno.ENOTDIR]: "no such file",
  [errno.EACCES]: "permission denied",
  [errno.EPERM]: "permission denied",
  [errno.ENOEXEC]: "not an x86-64 executable",
  [errno.EISDIR]: "is a directory",
  [errno.ELOOP]: "too many symbolic links",
  [errno.ENAMETOOLONG]: "file name too long",
  [errno.ENOMEM]: "not enough memory",
  [errno.E2BIG]: "argument list too long",
  [errno.ENOSYS]: "no personality for it",
  [errno.EIO]: "input/output error",
  [errno.ENOSPC]: "no space left",
  [errno.EROFS]: "read-only file system",
  [errno.EBUSY]: "in use",
};

/** `error`: a negative errno. */
export const reason = (error: number): string => REASON[-error] ?? `error ${-error}`;

/** Exit code of a program that could not be started, as a shell gives it (POSIX sh, 2.8.2). */
export const startExitCode = (error: number): number => error === -errno.ENOENT || error === -errno.ENOTDIR ? 127 : 126;
