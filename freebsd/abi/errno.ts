import { E as LINUX } from "../../linux/abi/errno.ts";

/** Error numbers of FreeBSD (sys/sys/errno.h). */
// deno-fmt-ignore
export const E = {
  EPERM: 1, ENOENT: 2, ESRCH: 3, EINTR: 4, EIO: 5, ENXIO: 6, E2BIG: 7, ENOEXEC: 8, EBADF: 9, ECHILD: 10, EDEADLK: 11, ENOMEM: 12,
  EACCES: 13, EFAULT: 14, EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENFILE: 23, EMFILE: 24,
  ENOTTY: 25, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28, ESPIPE: 29, EROFS: 30, EMLINK: 31, EPIPE: 32, EDOM: 33, ERANGE: 34, EAGAIN: 35,
  EINPROGRESS: 36, EALREADY: 37, ENOTSOCK: 38, EDESTADDRREQ: 39, EMSGSIZE: 40,
  EPROTOTYPE: 41, ENOPROTOOPT: 42, EPROTONOSUPPORT: 43, EOPNOTSUPP: 45, EAFNOSUPPORT: 47, EADDRINUSE: 48, EADDRNOTAVAIL: 49,
  ENETUNREACH: 51, ECONNABORTED: 53, ECONNRESET: 54, EISCONN: 56, ENOTCONN: 57, ETIMEDOUT: 60, ECONNREFUSED: 61, ELOOP: 62, ENAMETOOLONG: 63, ENOTEMPTY: 66, ENOSYS: 78, EOVERFLOW: 84,
  /** Never seen by programs: the call is to be repeated when the handler asks for that (ERESTART, which is -1 there). */
  ERESTART: 4095,
} as const;

const BY_LINUX_NUMBER: readonly number[] = (() => {
  const numbers: number[] = [];
  const own: Readonly<Record<string, number>> = E;
  for (const [name, number] of Object.entries(LINUX)) if (name in own && name !== "ERESTART") numbers[number] = own[name];
  return numbers;
})();

/** A result of the services, which speak Linux error numbers (fs/api.ts), with FreeBSD's. */
export function fromService(result: number): number {
  return result >= 0 ? result : -(BY_LINUX_NUMBER[-result] ?? E.EIO);
}
