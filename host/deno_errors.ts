/** Host failures as Linux errnos. */
import * as errno from "./errno.ts";

/** Error code as Deno reports it -> errno. Names are the same on every host; only the numbers differ. */
const BY_CODE: Readonly<Record<string, number>> = {
  ...errno,
  // Windows has no such distinction: a name that cannot be is a name that is not there.
  ENOTSUP: errno.EOPNOTSUPP,
  ENOSYS: errno.ENOSYS,
};

/** Class of a Deno error without a code -> errno. */
const BY_NAME: Readonly<Record<string, number>> = {
  NotFound: errno.ENOENT,
  PermissionDenied: errno.EACCES,
  NotCapable: errno.EACCES,
  AlreadyExists: errno.EEXIST,
  NotADirectory: errno.ENOTDIR,
  IsADirectory: errno.EISDIR,
  FilesystemLoop: errno.ELOOP,
  BrokenPipe: errno.EPIPE,
  ConnectionRefused: errno.ECONNREFUSED,
  ConnectionReset: errno.ECONNRESET,
  ConnectionAborted: errno.ECONNABORTED,
  NotConnected: errno.ENOTCONN,
  AddrInUse: errno.EADDRINUSE,
  AddrNotAvailable: errno.EADDRNOTAVAIL,
  HostUnreachable: errno.EHOSTUNREACH,
  NetworkUnreachable: errno.ENETUNREACH,
  WouldBlock: errno.EAGAIN,
  Interrupted: errno.EINTR,
  TimedOut: errno.ETIMEDOUT,
  WriteZero: errno.EIO,
  UnexpectedEof: errno.EIO,
  BadResource: errno.EBADF,
  NotSupported: errno.EOPNOTSUPP,
  Busy: errno.EBUSY,
  InvalidData: errno.EINVAL,
  TypeError: errno.EINVAL,
  RangeError: errno.EINVAL,
};

/** The negative errno of what a `Deno.*` call has thrown; -EIO for what has no name. */
export function errnoOf(error: unknown): number {
  if (!(error instanceof Error)) return -errno.EIO;
  const code = "code" in error && typeof error.code === "string" ? BY_CODE[error.code] : undefined;
  if (code !== undefined) return -code;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  if (number !== undefined && Deno.build.os === "linux") return -Number(number);
  return -(BY_NAME[error.name] ?? errno.EIO);
}

/** The value of `work`, or what its failure means. */
export function attempt<T>(work: () => T): T | number {
  try {
    return work();
  } catch (error) {
    return errnoOf(error);
  }
}

/** 0, or what the failure of `work` means. */
export function attemptVoid(work: () => void): number {
  try {
    work();
    return 0;
  } catch (error) {
    return errnoOf(error);
  }
}
