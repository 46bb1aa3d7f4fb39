import { E, errnoName } from "../abi/errno.ts";
import { ERRNO_TEXT } from "../abi/errno_text.ts";
import { AT_FDCWD, F } from "../abi/fcntl.ts";
import { IOCTL } from "../abi/ioctl.ts";
import { MADV } from "../abi/mman.ts";
import { getI64, getU64 } from "../memory/user.ts";
import { FUTEX } from "../process/futex.ts";
import { RLIMITS } from "../process/limits.ts";
import type { Thread } from "../process/thread.ts";
import { signalName } from "../signals/numbers.ts";
import type { ArgKind, SyscallRow } from "../syscalls/row.ts";
import * as T from "./flags.ts";
import { flagNames, valueName } from "./flags.ts";

/** Strings longer than this are cut, as strace -s 32. */
const STRING_BYTES = 32;

const hex = (n: number): string => n === 0 ? "0" : `0x${n.toString(16)}`;
const pointer = (n: number): string => n === 0 ? "NULL" : `0x${n.toString(16)}`;
const octal = (n: number): string => n === 0 ? "000" : `0${n.toString(8)}`;

/** Bytes as a C string literal. */
function quote(bytes: Uint8Array, cut: boolean): string {
  const ESCAPES: Readonly<Record<number, string>> = {
    9: "\\t",
    10: "\\n",
    11: "\\v",
    12: "\\f",
    13: "\\r",
    34: '\\"',
    92: "\\\\",
  };
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    const nextIsDigit = bytes[i + 1] >= 0x30 && bytes[i + 1] <= 0x39;
    if (ESCAPES[c] !== undefined) text += ESCAPES[c];
    else if (c >= 0x20 && c < 0x7f) text += String.fromCharCode(c);
    else text += `\\${nextIsDigit ? c.toString(8).padStart(3, "0") : c.toString(8)}`;
  }
  return `"${text}"${cut ? "..." : ""}`;
}

function buffer(t: Thread, address: number, bytes: number): string {
  const shown = Math.min(bytes, STRING_BYTES);
  const data = t.process.user.bytes(address, shown);
  return data === undefined ? pointer(address) : quote(data, bytes > shown);
}

function cString(t: Thread, address: number): string {
  if (address === 0) return "NULL";
  const length = t.process.user.stringLength(address, 4096);
  if (length < 0) return pointer(address);
  const data = t.process.user.bytes(address, length);
  return data === undefined ? pointer(address) : quote(data, false);
}

function fd(value: number): string {
  return value === AT_FDCWD ? "AT_FDCWD" : String(value);
}

/** Names of a signal set, with strace's "~" form when most are set. */
function sigset(t: Thread, address: number): string {
  if (address === 0) return "NULL";
  const data = t.process.user.bytes(address, 8);
  if (data === undefined) return pointer(address);
  const view = new DataView(data.buffer);
  const has = (s: number): boolean => (view.getUint32(s > 32 ? 4 : 0, true) >>> (s - 1) % 32 & 1) !== 0;
  const all = Array.from({ length: 64 }, (_, i) => i + 1);
  const inside = all.filter(has);
  const names = (list: number[]): string => `[${list.map((s) => signalName(s).replace(/^SIG/, "")).join(" ")}]`;
  return inside.length > 32 ? `~${names(all.filter((s) => !has(s)))}` : names(inside);
}

function time(t: Thread, address: number, fraction: string): string {
  if (address === 0) return "NULL";
  const data = t.process.user.bytes(address, 16);
  if (data === undefined) return pointer(address);
  const view = new DataView(data.buffer);
  return `{tv_sec=${getI64(view, 0)}, ${fraction}=${getI64(view, 8)}}`;
}

const TYPES: Readonly<Record<number, string>> = {
  0o140000: "S_IFSOCK",
  0o120000: "S_IFLNK",
  0o100000: "S_IFREG",
  0o060000: "S_IFBLK",
  0o040000: "S_IFDIR",
  0o020000: "S_IFCHR",
  0o010000: "S_IFIFO",
};

function modeText(mode: number): string {
  const type = TYPES[mode & 0o170000];
  return type === undefined ? octal(mode) : `${type}|${octal(mode & 0o7777)}`;
}

function stat(t: Thread, address: number): string {
  const data = t.process.user.bytes(address, 144);
  if (data === undefined) return pointer(address);
  const view = new DataView(data.buffer);
  const mode = view.getUint32(24, true);
  const device = (mode & 0o170000) === 0o020000 || (mode & 0o170000) === 0o060000;
  const rdev = getU64(view, 40);
  const last = device
    ? `st_rdev=makedev(0x${(rdev >> 8).toString(16)}, 0x${(rdev & 255).toString(16)})`
    : `st_size=${getU64(view, 48)}`;
  return `{st_mode=${modeText(mode)}, ${last}, ...}`;
}

function statx(t: Thread, address: number): string {
  const data = t.process.user.bytes(address, 256);
  if (data === undefined) return pointer(address);
  const view = new DataView(data.buffer);
  return `{stx_mask=STATX_BASIC_STATS, stx_attributes=0, stx_mode=${modeText(view.getUint16(28, true))}, stx_size=${
    getU64(view, 40)
  }, ...}`;
}

function iovec(t: Thread, address: number, count: number, filled: number): string {
  const parts: string[] = [];
  let left = filled;
  for (let i = 0; i < Math.min(count, 16); i++) {
    const data = t.process.user.bytes(address + 16 * i, 16);
    if (data === undefined) return pointer(address);
    const view = new DataView(data.buffer);
    const base = getU64(view, 0), length = getU64(view, 8);
    const used = Math.max(0, Math.min(left, length));
    left -= used;
    parts.push(`{iov_base=${buffer(t, base, used)}, iov_len=${length}}`);
  }
  return `[${parts.join(", ")}${count > 16 ? ", ..." : ""}]`;
}

function stringArray(t: Thread, address: number): string {
  if (address === 0) return "NULL";
  const parts: string[] = [];
  for (let i = 0; i < 32; i++) {
    const at = t.process.user.u64(address + 8 * i);
    if (Number.isNaN(at)) return pointer(address);
    if (at === 0) return `[${parts.join(", ")}]`;
    parts.push(cString(t, at));
  }
  return `[${parts.join(", ")}, ...]`;
}

function pollfds(t: Thread, address: number, count: number): string {
  const parts: string[] = [];
  for (let i = 0; i < Math.min(count, 16); i++) {
    const data = t.process.user.bytes(address + 8 * i, 8);
    if (data === undefined) return pointer(address);
    const view = new DataView(data.buffer);
    parts.push(`{fd=${view.getInt32(0, true)}, events=${flagNames(view.getUint16(4, true), T.POLL_FLAGS)}}`);
  }
  return `[${parts.join(", ")}]`;
}

function waitStatus(t: Thread, address: number): string {
  const status = address === 0 ? -1 : t.process.user.u32(address);
  if (status < 0) return pointer(address);
  if ((status & 0x7f) === 0) return `[{WIFEXITED(s) && WEXITSTATUS(s) == ${status >> 8}}]`;
  if ((status & 0xff) === 0x7f) return `[{WIFSTOPPED(s) && WSTOPSIG(s) == ${signalName(status >> 8)}}]`;
  return `[{WIFSIGNALED(s) && WTERMSIG(s) == ${signalName(status & 0x7f)}}]`;
}

/** struct rlimit; only when `known`, as an output it is not yet written. */
function rlimit(t: Thread, address: number, known: boolean): string {
  const data = address === 0 || !known ? undefined : t.process.user.bytes(address, 16);
  if (data === undefined) return pointer(address);
  const view = new DataView(data.buffer);
  const text = (value: number): string =>
    value >= 2 ** 63 ? "RLIM64_INFINITY" : value > 0 && value % 1024 === 0 ? `${value / 1024}*1024` : String(value);
  return `{rlim_cur=${text(getU64(view, 0))}, rlim_max=${text(getU64(view, 8))}}`;
}

function sigaction(t: Thread, address: number): string {
  if (address === 0) return "NULL";
  const data = t.process.user.bytes(address, 32);
  if (data === undefined) return pointer(address);
  const view = new DataView(data.buffer);
  const handler = getU64(view, 0);
  const text = handler === 0 ? "SIG_DFL" : handler === 1 ? "SIG_IGN" : pointer(handler);
  return `{sa_handler=${text}, sa_mask=${sigset(t, address + 24)}, sa_flags=${hex(view.getUint32(8, true))}}`;
}

/** How each kind is written; `result` is the call's result for output arguments, -1 before the call. */
const FORMATS: Partial<Record<ArgKind, (t: Thread, n: number, result: number) => string>> = {
  int: (t, n) => String(t.int(n)),
  uint: (t, n) => String(t.uint(n)),
  long: (t, n) => String(t.long(n)),
  pid: (t, n) => String(t.int(n)),
  size: (t, n) => String(t.arg(n)),
  hex: (t, n) => hex(t.arg(n)),
  fd: (t, n) => fd(t.int(n)),
  dirfd: (t, n) => fd(t.int(n)),
  path: (t, n) => cString(t, t.arg(n)),
  string: (t, n) => cString(t, t.arg(n)),
  inbuf: (t, n) => buffer(t, t.arg(n), t.arg(n + 1)),
  outbuf: (t, n, result) => result < 0 ? pointer(t.arg(n)) : buffer(t, t.arg(n), result),
  oflags: (t, n) => T.openFlags(t.int(n)),
  mode: (t, n) => octal(t.uint(n)),
  octal: (t, n) => octal(t.uint(n)),
  prot: (t, n) => flagNames(t.int(n), T.PROT_FLAGS, "PROT_NONE"),
  mapflags: (t, n) => flagNames(t.int(n), T.MAP_FLAGS),
  madvice: (t, n) => valueName(t.int(n), MADV, "MADV_"),
  signal: (t, n) => t.int(n) === 0 ? "0" : signalName(t.int(n)),
  whence: (t, n) => T.WHENCE[t.int(n)] ?? String(t.int(n)),
  atflags: (t, n) => flagNames(t.int(n), T.AT_FLAGS),
  access: (t, n) => flagNames(t.int(n), T.ACCESS_FLAGS, "F_OK"),
  sigset: (t, n) => sigset(t, t.arg(n)),
  outsigset: (t, n, result) => result < 0 ? pointer(t.arg(n)) : sigset(t, t.arg(n)),
  sigact: (t, n, result) => n === 2 && result < 0 ? pointer(t.arg(n)) : sigaction(t, t.arg(n)),
  how: (t, n) => T.MASK_HOW[t.int(n)] ?? String(t.int(n)),
  clock: (t, n) => T.CLOCKS[t.int(n)] ?? String(t.int(n)),
  timespec: (t, n) => time(t, t.arg(n), "tv_nsec"),
  outtimespec: (t, n, result) => result < 0 ? pointer(t.arg(n)) : time(t, t.arg(n), "tv_nsec"),
  timeval: (t, n) => time(t, t.arg(n), "tv_usec"),
  outtimeval: (t, n, result) => result < 0 ? pointer(t.arg(n)) : time(t, t.arg(n), "tv_usec"),
  stat: (t, n, result) => result < 0 ? pointer(t.arg(n)) : stat(t, t.arg(n)),
  statx: (t, n, result) => result < 0 ? pointer(t.arg(n)) : statx(t, t.arg(n)),
  iovec: (t, n) => iovec(t, t.arg(n), t.int(n + 1), Infinity),
  outiovec: (t, n, result) => iovec(t, t.arg(n), t.int(n + 1), Math.max(0, result)),
  argv: (t, n) => stringArray(t, t.arg(n)),
  fcntlcmd: (t, n) => valueName(t.int(n), F, "F_"),
  ioctl: (t, n) => valueName(t.uint(n), IOCTL),
  futexop: (t, n) => futexOp(t.int(n)),
  cloneflags: (t, n) => flagNames(t.uint(n), T.CLONE_FLAGS),
  wstatus: (t, n, result) => result <= 0 ? pointer(t.arg(n)) : waitStatus(t, t.arg(n)),
  waitflags: (t, n) => flagNames(t.uint(n), T.WAIT_FLAGS),
  resource: (t, n) => RLIMITS[t.int(n)] === undefined ? String(t.int(n)) : `RLIMIT_${RLIMITS[t.int(n)][0]}`,
  rlimit: (t, n, result) => rlimit(t, t.arg(n), n === 2 || result >= 0),
  prctl: (t, n) => valueName(t.int(n), T.PRCTLS),
  archprctl: (t, n) => valueName(t.int(n), T.ARCH_PRCTLS),
  pollfds: (t, n) => pollfds(t, t.arg(n), t.uint(n + 1)),
  pipefds: (t, n, result) =>
    result < 0 ? pointer(t.arg(n)) : `[${t.process.user.u32(t.arg(n))}, ${t.process.user.u32(t.arg(n) + 4)}]`,
  utsname: (t, n, result) =>
    result < 0 ? pointer(t.arg(n)) : `{sysname=${cString(t, t.arg(n))}, nodename=${cString(t, t.arg(n) + 65)}, ...}`,
  randflags: (t, n) => flagNames(t.uint(n), T.RANDOM_FLAGS),
  renameflags: (t, n) => flagNames(t.uint(n), T.RENAME_FLAGS),
};

function futexOp(op: number): string {
  const name = `FUTEX_${valueName(op & 127, FUTEX)}`;
  return `${name}${(op & FUTEX.PRIVATE) !== 0 ? "_PRIVATE" : ""}${
    (op & FUTEX.CLOCK_REALTIME) !== 0 ? "|FUTEX_CLOCK_REALTIME" : ""
  }`;
}

const OUTPUTS = new Set<ArgKind>([
  "outbuf",
  "rlimit",
  "outsigset",
  "outtimespec",
  "outtimeval",
  "stat",
  "statx",
  "outiovec",
  "wstatus",
  "pipefds",
  "utsname",
  "sigact",
]);

/** Is the argument written by the call? */
export function isOutput(kind: ArgKind | undefined): boolean {
  return kind !== undefined && OUTPUTS.has(kind);
}

/** All arguments of the running call; `done` = it has ended well and `t` still shows its registers. */
export function formatArguments(t: Thread, row: SyscallRow | undefined, done: boolean, result = -1): string[] {
  const kinds: readonly ArgKind[] = row?.args ?? ["hex", "hex", "hex", "hex", "hex", "hex"];
  return kinds.map((kind, i) =>
    (FORMATS[kind] ?? ((thread, n) => pointer(thread.arg(n))))(t, i, done ? Math.max(0, result) : -1)
  );
}

/** "3", "-1 ENOENT (No such file or directory)". */
export function formatResult(row: SyscallRow | undefined, result: number): string {
  if (result < 0 && result >= -4095) {
    if (result === -E.ERESTARTSYS) return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
    return `-1 ${errnoName(-result)} (${ERRNO_TEXT[-result] ?? "errno " + String(-result)})`;
  }
  return row?.result === "hex" ? hex(result) : String(result);
}
