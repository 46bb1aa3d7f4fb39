import { MAY_EXEC } from "../../fs/identity.ts";
import { E } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/fcntl.ts";
import { statNode, VirtualFile } from "../files/virtual.ts";
import { type Place, remote, virtual } from "../proc/resolve.ts";
import { permitsMode } from "../process/access.ts";
import { CAP, capable } from "../process/credentials.ts";
import type { Thread } from "../process/thread.ts";
import type { Result } from "../process/wait.ts";
import { textToBytes } from "../trace/text.ts";
import { sys, type SyscallRow } from "./row.ts";
import { fileArg, pathArg } from "./util.ts";

const O_PATH_DIRECTORY = 0o10200000;

function chdir(t: Thread): Result {
  const path = pathArg(t, 0);
  if (typeof path === "number") return path;
  if (path === "") return -E.ENOENT;
  const place = virtual(t, AT_FDCWD, path, true);
  if (place !== undefined) return enterPlace(t, place);
  const handle = openDirectory(t, t.process.fsContext.cwd, path);
  if (handle === -E.EREMOTE) return enterPlace(t, remote(t, t.process.fsContext.cwd, path, true));
  return enter(t, handle);
}

/** A directory that the caller may search: its handle, or -errno. */
function openDirectory(t: Thread, dir: number, path: string): number {
  const handle = t.fs.open(dir, path, O_PATH_DIRECTORY, 0);
  if (handle < 0) return handle;
  const status = t.fs.access(handle, "", MAY_EXEC, true);
  if (status < 0) t.fs.close(handle);
  return status < 0 ? status : handle;
}

function enter(t: Thread, handle: number, virtualPath?: string): number {
  if (handle < 0) return handle;
  t.process.fsContext.enter(t, handle, virtualPath);
  return 0;
}

/** Relative paths then go through the personality, because the file service knows the root directories of /proc and /sys only. */
function enterPlace(t: Thread, place: Place | number): number {
  if (typeof place === "number") return place;
  if (place.kind === "real") return enter(t, openDirectory(t, 0, place.path));
  if (place.kind === "open" || place.node.kind !== "directory") return -E.ENOTDIR;
  const stat = t.os.statBuffer;
  statNode(t, place, stat);
  const status = permitsMode(t, stat, MAY_EXEC);
  return status < 0 ? status : enter(t, t.fs.open(0, "/", O_PATH_DIRECTORY, 0), place.path);
}

function fchdir(t: Thread): Result {
  const file = fileArg(t, 0);
  if (file === undefined) return -E.EBADF;
  if (file instanceof VirtualFile) return enterPlace(t, { kind: "node", ...file.place });
  return file.handle === undefined ? -E.ENOTDIR : enter(t, openDirectory(t, file.handle, "."));
}

function chroot(t: Thread): Result {
  const path = pathArg(t, 0);
  if (typeof path === "number") return path;
  if (path === "") return -E.ENOENT;
  const handle = openDirectory(t, t.process.fsContext.cwd, path);
  if (handle < 0) return handle === -E.EREMOTE ? -E.EPERM : handle;
  if (!capable(t.credentials, CAP.SYS_CHROOT)) {
    t.fs.close(handle);
    return -E.EPERM;
  }
  t.process.fsContext.setRoot(t, handle);
  return 0;
}

function getcwd(t: Thread): Result {
  const { cwd, virtualCwd } = t.process.fsContext;
  const path = virtualCwd ?? t.fs.pathOf(cwd);
  if (typeof path === "number") return path;
  const bytes = textToBytes(`${path}\0`);
  if (t.arg(1) < bytes.length) return -E.ERANGE;
  return t.process.user.putBytes(t.arg(0), bytes) ? bytes.length : -E.EFAULT;
}

export const WORKING_DIRECTORY_CALLS: readonly SyscallRow[] = [
  sys(79, "getcwd", ["ptr", "size"], getcwd),
  sys(80, "chdir", ["path"], chdir),
  sys(81, "fchdir", ["fd"], fchdir),
  sys(161, "chroot", ["path"], chroot, "not to a directory of /proc or /sys; those are where they were for the new root, too"),
];
