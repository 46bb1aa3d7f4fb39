import { E } from "../abi/errno.ts";
import type { Result } from "../process/wait.ts";
import type { Thread } from "../process/thread.ts";

export type Handler = (t: Thread) => Result;

/** How `--strace` prints an argument; see trace/kinds.ts. */
export type ArgKind =
  | "int"
  | "uint"
  | "long"
  | "size"
  | "hex"
  | "ptr"
  | "fd"
  | "dirfd"
  | "path"
  | "string"
  | "outbuf"
  | "inbuf"
  | "oflags"
  | "mode"
  | "prot"
  | "mapflags"
  | "madvice"
  | "signal"
  | "whence"
  | "atflags"
  | "access"
  | "sigset"
  | "outsigset"
  | "sigact"
  | "how"
  | "clock"
  | "timespec"
  | "outtimespec"
  | "timeval"
  | "outtimeval"
  | "stat"
  | "statx"
  | "iovec"
  | "outiovec"
  | "argv"
  | "fcntlcmd"
  | "ioctl"
  | "futexop"
  | "cloneflags"
  | "pid"
  | "wstatus"
  | "waitflags"
  | "resource"
  | "rlimit"
  | "prctl"
  | "archprctl"
  | "pollfds"
  | "domain"
  | "socktype"
  | "sockaddr"
  | "msgflags"
  | "utsname"
  | "pipefds"
  | "octal"
  | "epollop"
  | "epevent"
  | "dev"
  | "sigdev"
  | "rusage"
  | "randflags"
  | "renameflags";

export type ResultKind = "int" | "hex" | "void" | "octal";

/** What a program may expect of a call. */
export type Support =
  | { readonly level: "full" }
  | { readonly level: "partial"; readonly note: string }
  /** `counted`: named in the report at the end; the others are refused for good, as many real kernels refuse them. */
  | { readonly level: "none"; readonly errno: number; readonly counted: boolean };

export interface SyscallRow {
  readonly number: number;
  readonly name: string;
  readonly args: readonly ArgKind[];
  readonly result: ResultKind;
  readonly support: Support;
  readonly handler: Handler | undefined;
}

const FULL: Support = { level: "full" };

/** A call that works as on Linux, or (with `note`) as far as the note says. */
export function sys(number: number, name: string, args: readonly ArgKind[], handler: Handler, note?: string): SyscallRow {
  const support: Support = note === undefined ? FULL : { level: "partial", note };
  return { number, name, args, result: "int", support, handler };
}

/** The same with a result that is not a decimal number. */
export function sysAs(result: ResultKind, row: SyscallRow): SyscallRow {
  return { ...row, result };
}

/** A call that is not implemented: ENOSYS, or refused for good with another errno. */
export function none(number: number, name: string, args: readonly ArgKind[] = [], errno: number = E.ENOSYS): SyscallRow {
  return {
    number,
    name,
    args,
    result: "int",
    support: { level: "none", errno, counted: errno === E.ENOSYS },
    handler: undefined,
  };
}

/** A call that programs try and do without: ENOSYS, as on a kernel that was built without it. */
export function absent(number: number, name: string, args: readonly ArgKind[] = []): SyscallRow {
  return { number, name, args, result: "int", support: { level: "none", errno: E.ENOSYS, counted: false }, handler: undefined };
}
