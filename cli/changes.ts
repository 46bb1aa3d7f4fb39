import type { Change, Layer } from "../fs/changes.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../fs/flags.ts";
import { DenoDirectory } from "../host/deno_directory.ts";
import type { HostDirectory } from "../host/api.ts";
import { EIO, ENOENT } from "../host/errno.ts";
import { reason } from "../roottask/messages.ts";
import { EXIT, reasonOf, UserError } from "./errors.ts";
import { print } from "./terminal.ts";

/** Version of the JSON that --diff --json prints. */
const JSON_VERSION = 1;
const KINDS: Readonly<Record<number, string>> = { [S_IFREG]: "file", [S_IFDIR]: "directory", [S_IFLNK]: "symlink" };
const LETTERS: Readonly<Record<Change["change"], string>> = { added: "A", changed: "C", removed: "D" };

const kindOf = ({ stat }: Change): string => KINDS[stat.mode & S_IFMT] ?? "other";

/** `--diff`: one line on stderr for each path, or all as one line of JSON. */
export function printChanges(layers: readonly Layer[], json: boolean): void {
  const changes = layers.flatMap((layer) => layer.changes());
  if (!json) return print("stderr", changes.map(({ path, change }) => `${LETTERS[change]} ${shown(path)}\n`).join(""));
  const list = changes.map((each) => {
    const { path, change, stat } = each;
    return { path, change, kind: kindOf(each), mode: stat.mode & 0o7777, size: stat.size };
  });
  print("stderr", `${JSON.stringify({ version: JSON_VERSION, changes: list })}\n`);
}

/** Names may hold anything, bytes that are not UTF-8 among it (fs/text.ts); a line stays a line. */
const shown = (path: string): string =>
  path.replace(/[\p{Cc}\p{Cs}\\]/gu, (c) => `\\x${(c.charCodeAt(0) & 0xff).toString(16).padStart(2, "0")}`);

/** The directory of `--commit`, made if need be. Throws a UserError when that cannot be. */
export function commitTarget(path: string): HostDirectory {
  try {
    Deno.mkdirSync(path, { recursive: true });
    return new DenoDirectory(path, true);
  } catch (error) {
    throw new UserError(`Cannot save changes to "${path}": ${reasonOf(error)}`, EXIT.FAILURE);
  }
}

/**
 * `--commit`: puts what was added or changed under its guest path into `target`, and removes there what the guest removed. Nothing
 * is written through a symlink, be it one that the guest made. Owners and set-user-id bits stay behind. Gives what could not be
 * saved, one line each.
 */
export function saveChanges(layers: readonly Layer[], target: HostDirectory): string[] {
  const problems: string[] = [], directories: { path: string; mode: number }[] = [];
  for (const layer of layers) {
    for (const change of layer.changes()) {
      if (!change.path.isWellFormed()) {
        problems.push(`Cannot save "${shown(change.path)}": its name is not UTF-8`);
        continue;
      }
      const path = change.path.slice(1), mode = change.stat.mode & 0o777;
      const status = change.change === "removed" ? remove(target, path) : save(target, layer, change, path, mode);
      if (status === undefined) problems.push(`Cannot save "${shown(change.path)}": neither a file, a directory nor a symlink`);
      else if (status < 0) problems.push(`Cannot save "${shown(change.path)}": ${reason(status)}`);
      else if (kindOf(change) === "directory" && change.change !== "removed") directories.push({ path, mode });
    }
  }
  // Last, because a directory may deny writing to its owner; what it holds comes after it in the list.
  for (const { path, mode } of directories.reverse()) target.chmod(path, mode);
  return problems;
}

/** 0 or -errno; undefined for what a host cannot be given. */
function save(target: HostDirectory, layer: Layer, change: Change, path: string, mode: number): number | undefined {
  const made = makeDirectories(target, path.slice(0, Math.max(0, path.lastIndexOf("/"))));
  if (made < 0) return made;
  switch (kindOf(change)) {
    case "directory":
      return makeDirectories(target, path);
    case "symlink": {
      const link = change.node.readlink();
      return typeof link === "number" ? link : remove(target, path) || target.symlink(link, path);
    }
    case "file":
      return remove(target, path) || writeFile(target, layer, change, path, mode);
  }
  return undefined;
}

function writeFile(target: HostDirectory, layer: Layer, { node, stat }: Change, path: string, mode: number): number {
  const fd = target.open(path, { write: true, create: true, exclusive: true, truncate: false, mode: mode | 0o600 });
  if (fd < 0) return fd;
  const pieces = layer.contents(node);
  let at = 0, status = 0;
  for (let next = pieces.next(); status === 0; next = pieces.next()) {
    if (next.done) {
      status = next.value;
      break;
    }
    const put = target.write(fd, next.value, at);
    if (put < next.value.length) status = put < 0 ? put : -EIO;
    at += Math.max(0, put);
  }
  target.close(fd);
  if (status < 0) return status;
  const seconds = stat.mtime[0] + stat.mtime[1] / 1e9;
  target.utime(path, seconds, seconds);
  return target.chmod(path, mode);
}

/** Makes every directory of `path`; what is in the way and no directory is removed, symlinks above all. */
function makeDirectories(target: HostDirectory, path: string): number {
  const parts = path.split("/").filter((part) => part !== "");
  for (let i = 1; i <= parts.length; i++) {
    const prefix = parts.slice(0, i).join("/"), stat = target.stat(prefix);
    if (typeof stat !== "number") {
      if (stat.kind === "directory") continue;
      const removed = target.remove(prefix, false);
      if (removed < 0) return removed;
    } else if (stat !== -ENOENT) return stat;
    const status = target.mkdir(prefix, 0o755);
    if (status < 0) return status;
  }
  return 0;
}

/** Removes a tree without following symlinks; what is not there counts as removed. */
function remove(target: HostDirectory, path: string): number {
  const stat = target.stat(path);
  // ELOOP and ENOTDIR: a component above is no directory here, so there is nothing of this name.
  if (typeof stat === "number") return isReachable(target, path) && stat !== -ENOENT ? stat : 0;
  if (stat.kind !== "directory") return target.remove(path, false);
  const names = target.list(path);
  if (typeof names === "number") return names;
  for (const name of names) {
    const status = remove(target, `${path}/${name}`);
    if (status < 0) return status;
  }
  return target.remove(path, true);
}

/** Is everything above `path` a directory? */
function isReachable(target: HostDirectory, path: string): boolean {
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    const stat = target.stat(path.slice(0, at));
    if (typeof stat === "number" || stat.kind !== "directory") return false;
  }
  return true;
}
