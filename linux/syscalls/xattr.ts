import { E } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/fcntl.ts";
import { remote, virtual } from "../proc/resolve.ts";
import { BUFFER_BYTES } from "../personality.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { sys, type SyscallRow } from "./row.ts";
import { dirHandle, fileArg, pathArg } from "./util.ts";

/** The file of a call: of its descriptor, or by path with or without following a link. */
type Which = "fd" | "follow" | "nofollow";
type Operation = (dir: number, path: string, follow: boolean) => number;

const NAME_MAX = 255, SIZE_MAX = 65536, LIST_MAX = 65536;

function on(t: Thread, which: Which, operation: Operation): number {
  if (which === "fd") {
    const file = fileArg(t, 0);
    if (file === undefined || !file.readable && !file.writable) return -E.EBADF;
    return file.handle === undefined ? -E.EOPNOTSUPP : operation(file.handle, "", true);
  }
  const path = pathArg(t, 0), follow = which === "follow";
  if (typeof path === "number") return path;
  if (path === "") return -E.ENOENT;
  const dir = dirHandle(t, AT_FDCWD, path);
  const status = virtual(t, AT_FDCWD, path, follow) === undefined ? operation(dir, path, follow) : -E.EREMOTE;
  if (status !== -E.EREMOTE) return status;
  const place = remote(t, dir, path, follow);
  if (typeof place === "number") return place;
  if (place.kind === "real") return operation(0, place.path, follow);
  const handle = place.kind === "open" ? place.file.handle : undefined;
  return handle === undefined ? -E.EOPNOTSUPP : operation(handle, "", true);
}

/** The attribute's name; -EFAULT, -ERANGE. */
function nameArg(t: Thread): string | number {
  const { user } = t.process;
  const name = user.string(t.arg(1), NAME_MAX + 1);
  if (name === undefined) return user.stringLength(t.arg(1), NAME_MAX + 1) === -2 ? -E.ERANGE : -E.EFAULT;
  return name === "" ? -E.ERANGE : name;
}

/** Copies what the file service has put into the buffer. */
function give(t: Thread, address: number, size: number, status: number): number {
  if (status <= 0 || size === 0) return status;
  return t.process.user.putBytes(address, t.os.u8.slice(t.os.buffer, t.os.buffer + status)) ? status : -E.EFAULT;
}

function get(t: Thread, which: Which): Result {
  const name = nameArg(t), size = Math.min(t.arg(3), SIZE_MAX);
  if (typeof name === "number") return name;
  return give(
    t,
    t.arg(2),
    size,
    on(t, which, (dir, path, follow) => t.fs.getAttribute(dir, path, follow, name, t.os.buffer, size)),
  );
}

function set(t: Thread, which: Which): Result {
  const name = nameArg(t), size = t.arg(3), flags = t.int(4);
  if ((flags & ~3) !== 0) return -E.EINVAL;
  if (typeof name === "number") return name;
  if (size > SIZE_MAX || size > BUFFER_BYTES) return -E.E2BIG;
  const value = t.process.user.bytes(t.arg(2), size);
  if (value === undefined) return -E.EFAULT;
  return on(t, which, (dir, path, follow) => {
    t.os.u8.set(value, t.os.buffer);
    return t.fs.setAttribute(dir, path, follow, name, t.os.buffer, size, flags);
  });
}

function list(t: Thread, which: Which): Result {
  const size = Math.min(t.arg(2), LIST_MAX);
  return give(t, t.arg(1), size, on(t, which, (dir, path, follow) => t.fs.listAttributes(dir, path, follow, t.os.buffer, size)));
}

function remove(t: Thread, which: Which): Result {
  const name = nameArg(t);
  return typeof name === "number" ? name : on(t, which, (dir, path, follow) => t.fs.removeAttribute(dir, path, follow, name));
}

const NOTE = "user.* and trusted.*, not on directories of the host; no ACLs, no file capabilities";

export const XATTR_CALLS: readonly SyscallRow[] = [
  sys(188, "setxattr", ["path", "string", "ptr", "size", "int"], (t) => set(t, "follow"), NOTE),
  sys(189, "lsetxattr", ["path", "string", "ptr", "size", "int"], (t) => set(t, "nofollow"), NOTE),
  sys(190, "fsetxattr", ["fd", "string", "ptr", "size", "int"], (t) => set(t, "fd"), NOTE),
  sys(191, "getxattr", ["path", "string", "ptr", "size"], (t) => get(t, "follow"), NOTE),
  sys(192, "lgetxattr", ["path", "string", "ptr", "size"], (t) => get(t, "nofollow"), NOTE),
  sys(193, "fgetxattr", ["fd", "string", "ptr", "size"], (t) => get(t, "fd"), NOTE),
  sys(194, "listxattr", ["path", "ptr", "size"], (t) => list(t, "follow")),
  sys(195, "llistxattr", ["path", "ptr", "size"], (t) => list(t, "nofollow")),
  sys(196, "flistxattr", ["fd", "ptr", "size"], (t) => list(t, "fd")),
  sys(197, "removexattr", ["path", "string"], (t) => remove(t, "follow"), NOTE),
  sys(198, "lremovexattr", ["path", "string"], (t) => remove(t, "nofollow"), NOTE),
  sys(199, "fremovexattr", ["fd", "string"], (t) => remove(t, "fd"), NOTE),
];
